//! A date alone means the end of that day where the calls are, over HTTP as on the command line.

use super::{Running, fixture};
use serde_json::Value;

const HELSINKI: &str = "2024-12-31T21:59:59.999999Z";
const LUXEMBOURG: &str = "2024-12-31T22:59:59.999999Z";

async fn with_calls(calls: &[(&str, &str)]) -> Running {
    let engine = fixture::empty("2024-09-10T08:00:00Z").await;
    for (call, zone) in calls {
        fixture::open_in(&engine, call, zone).await;
    }
    Running::start(engine).await
}

async fn meant(server: &Running, query: &str) -> String {
    let answer = server.get(&format!("/views/budget?as_of=2024-12-31{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    answer.json()["as_of"]["as_of"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_date_alone_is_read_in_the_zone_of_the_call() {
    let server = with_calls(&[("KAJAANI", "Europe/Helsinki")]).await;
    assert_eq!(meant(&server, "").await, HELSINKI);
    assert_eq!(meant(&server, "&call=KAJAANI").await, HELSINKI);
    assert_eq!(meant(&server, "&zone=Europe/Luxembourg").await, LUXEMBOURG);
}

#[tokio::test]
async fn calls_in_zones_that_differ_must_be_named() {
    let calls = [("BISSEN", "Europe/Luxembourg"), ("KAJAANI", "Europe/Helsinki")];
    let server = with_calls(&calls).await;
    for path in ["/views/budget?as_of=2024-12-31", "/views/budget?known_at=2024-12-31T17:00"] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, answer.problem().as_str()), (400, "http.bad_query"), "{path}");
        assert!(answer.text().contains("the zones of the calls differ"), "{}", answer.text());
    }
    assert_eq!(meant(&server, "&call=KAJAANI").await, HELSINKI);
    assert_eq!(meant(&server, "&call=BISSEN").await, LUXEMBOURG);
    let missing = server.get("/views/budget?call=NONE").await;
    assert_eq!((missing.status, missing.problem().as_str()), (404, "http.not_found"));
}

#[tokio::test]
async fn the_page_reads_its_dates_in_the_zone_of_the_call_and_keeps_to_it() {
    let calls = [("BISSEN", "Europe/Luxembourg"), ("KAJAANI", "Europe/Helsinki")];
    let server = with_calls(&calls).await;
    assert_eq!(server.get("/").await.status, 200, "the last day was not asked for in any zone");
    let refused = server.get("/?as_of=2024-09-10").await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("the zones of the calls differ"), "{}", refused.text());
    let page = server.get("/?as_of=2024-09-10&call=KAJAANI").await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains(r#"name="call" value="KAJAANI""#), "{}", page.text());
    assert!(page.text().contains("/?as_of=2024-09-10&amp;call=KAJAANI"), "{}", page.text());
    let moved = server.get("/?shown=2024-09-10&day=0&as_of=2024-09-11&call=KAJAANI").await;
    assert_eq!(moved.header("location"), Some("/?as_of=2024-09-11&call=KAJAANI"));
}

#[tokio::test]
async fn the_days_of_the_page_are_those_of_the_call() {
    // 22:30 UTC is the next day in Helsinki, and not yet in Luxembourg in winter.
    for (zone, day) in [("Europe/Helsinki", "2024-12-11"), ("Europe/Luxembourg", "2024-12-10")] {
        let engine = fixture::empty("2024-12-10T22:30:00Z").await;
        fixture::open_in(&engine, "CALL", zone).await;
        let page = Running::start(engine).await.get("/").await.text();
        assert!(page.contains(&format!(r#"name="shown" value="{day}""#)), "{zone}: {page}");
    }
}

#[tokio::test]
async fn the_document_says_so() {
    let document: Value = serde_json::from_slice(tranche::http::openapi().as_bytes()).unwrap();
    let call = &document["components"]["parameters"]["Call"];
    assert_eq!((&call["name"], &call["in"]), (&"call".into(), &"query".into()));
}
