//! The page without a browser: complete as it is served, and an ordinary form.

use super::{Running, fixture};

#[tokio::test]
async fn the_page_shows_the_budget_of_the_day_asked_for() {
    let server = Running::start(fixture::engine().await).await;
    let early = server.get("/?as_of=2024-12-10").await.text();
    let late = server.get("/?as_of=2025-03-12").await.text();
    assert!(early.contains("<strong>10 December 2024</strong>"), "{early}");
    assert!(early.contains("EUR\u{202f}750.0\u{202f}M"));
    assert!(!early.contains("EUR\u{202f}992.5\u{202f}M"));
    assert!(late.contains("EUR\u{202f}992.5\u{202f}M"));
    assert!(late.contains("role=\"img\"") && late.contains("<desc"));
    assert_eq!(server.get("/?as_of=2024-12-10").await.text(), early, "the same bytes each time");
    let known = server.get("/?as_of=2025-03-12&known_at=2024-12-10").await.text();
    assert!(known.contains("as far as known on <strong>10 December 2024</strong>"));
    assert!(!known.contains("EUR\u{202f}992.5\u{202f}M"));
}

#[tokio::test]
async fn an_amount_that_was_not_published_is_unknown_on_the_page() {
    let server = Running::start(fixture::engine().await).await;
    let page = server.get("/?as_of=2024-12-10").await.text();
    let pledge = page.split("Finnish pledge").nth(1).unwrap();
    let row = &pledge[..pledge.find("</tr>").unwrap()];
    assert!(row.contains("250\u{202f}000\u{202f}000.00"), "{row}");
    assert!(row.contains("unknown") && row.contains("fixture"), "{row}");
    assert!(!row.contains(">0.00<"), "{row}");
}

#[tokio::test]
async fn an_invention_is_marked_in_tiles_picture_and_tables() {
    let server = Running::start(fixture::engine().await).await;
    let page = server.get("/?as_of=2025-03-12").await.text();
    let tile = page.split("National co-funding").nth(1).unwrap();
    assert!(tile[..tile.find("</dt>").unwrap()].contains(">fixture<"), "{tile}");
    assert!(page.contains("fixture: invented to show the work"), "the legend of the picture");
    assert!(page.contains("class=\"sign\""));
    let rounds = page.split("id=\"table-rounds\"").nth(1).unwrap();
    assert!(rounds[..rounds.find("</table>").unwrap()].contains(">fixture<"));
}

#[tokio::test]
async fn before_anything_is_selected_nothing_is_zero_and_nothing_floats() {
    let server = Running::start(fixture::engine().await).await;
    let page = server.get("/?as_of=2024-09-10&fragment=1").await.text();
    assert!(!page.contains("figure unknown"), "{page}");
    assert!(!page.contains("Promised by states") && !page.contains("Paid or certified"), "{page}");
    assert!(!page.contains("Open (RAL)"), "explains a column that is not there");
}

#[tokio::test]
async fn the_form_works_without_a_script() {
    let server = Running::start(fixture::engine().await).await;
    let to = async |query: &str| {
        let answer = server.get(&format!("/?{query}")).await;
        assert_eq!(answer.status, 303, "{query}");
        answer.header("location").unwrap().to_owned()
    };
    // The slider was moved; the date was moved; both stand still.
    let shown = "shown=2024-09-10&known_at=";
    assert_eq!(to(&format!("{shown}&day=91&as_of=2024-09-10")).await, "/?as_of=2024-12-10");
    assert_eq!(to(&format!("{shown}&day=0&as_of=2025-03-12")).await, "/?as_of=2025-03-12");
    assert_eq!(to(&format!("{shown}&day=0&as_of=2024-09-10")).await, "/?as_of=2024-09-10");
    assert_eq!(
        to("shown=2024-09-10&day=99999&as_of=2024-09-10&known_at=2025-01-01").await,
        "/?as_of=2026-08-31&known_at=2025-01-01"
    );
}

#[tokio::test]
async fn a_mistake_in_the_address_is_told_on_a_page() {
    let server = Running::start(fixture::engine().await).await;
    for (query, said) in [
        ("as_of=2025", "as_of: is a date like 2024-12-10"),
        ("known_at=2024-02-30", "known_at: is a date"),
        ("fragment=perhaps", "fragment: is true or false"),
        ("day=nonsense", "day: is a number of days"),
        ("day=5", "day: goes with shown only"),
        ("shown=2024-09-10&day=1e3", "day: is a number of days"),
        ("colour=red", "unknown field `colour`"),
    ] {
        let answer = server.get(&format!("/?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{query}");
        let page = answer.text();
        assert!(page.contains("<h1>Bad query</h1>") && page.contains(said), "{query}: {page}");
        assert!(page.contains("urn:uuid:") && page.contains("href=\"/\""), "{query}");
    }
    let json = [("Accept", "application/json")];
    let answer = server.send("GET", "/?as_of=2025", &json, b"").await;
    assert_eq!((answer.status, answer.problem().as_str()), (400, "http.bad_query"));
    // As far as a slider cannot go: the last day, and no failure.
    let far = "/?shown=2024-09-10&as_of=2024-09-10&day=2147483647";
    assert_eq!(server.get(far).await.header("location"), Some("/?as_of=2026-08-31"));
}

#[tokio::test]
async fn a_fragment_is_the_part_that_changes() {
    let server = Running::start(fixture::engine().await).await;
    let whole = server.get("/?as_of=2025-03-12").await.text();
    let part = server.get("/?as_of=2025-03-12&fragment=1").await.text();
    assert!(whole.contains(&part));
    assert!(!part.contains("<html"));
}

#[tokio::test]
async fn the_page_asks_nobody_else_for_anything() {
    let server = Running::start(fixture::engine().await).await;
    let page = server.get("/").await.text();
    for attribute in ["src=\"", "href=\"", "action=\""] {
        for address in page.split(attribute).skip(1) {
            let address = &address[..address.find('"').unwrap()];
            assert!(address.starts_with(['/', '#']) && !address.starts_with("//"), "{address}");
            if address.starts_with("/assets/") {
                let answer = server.get(address).await;
                assert_eq!(answer.status, 200, "{address}");
                assert!(answer.header("cache-control").unwrap().contains("immutable"));
            }
        }
    }
    assert!(!page.contains("style=\"") && !page.contains("onclick"), "the policy forbids both");
}

#[tokio::test]
async fn an_empty_log_has_a_page_too() {
    let server = Running::start(fixture::empty("2025-01-01T00:00:00Z").await).await;
    let page = server.get("/").await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("Nothing has been recorded yet."));
}

#[tokio::test]
async fn the_picture_of_the_same_figures_is_the_same_byte_for_byte() {
    let server = Running::start(fixture::engine().await).await;
    let page = server.get("/?as_of=2026-08-31&fragment=1").await.text();
    let start = page.find("<svg class=\"sankey\"").unwrap();
    let end = page[start..].find("</svg>").unwrap() + start + "</svg>".len();
    let picture = page[start..end].replace("><", ">\n<") + "\n";
    expect_test::expect_file!["flow.svg"].assert_eq(&picture);
}
