//! The why of figures and the differences between moments: on whole lives against the slow and simple way,
//! and from outside. What was shown once is shown again, byte for byte.

use crate::desk::Desk;
use crate::http::{Running, fixture};
use crate::life::{self, Dice};
use bytes::Bytes;
use domain::Commit;
use domain::kernel::canonical;
use eventlog::{Log, Memory};
use projections::history::Facts as _;
use projections::lineage::{Figure, Fold, Index};
use projections::report::Cell;
use projections::{AsOf, History, Query, View};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tranche::engine::{Follower, Reader};

type Commits = Vec<Arc<Commit>>;

/// The commits of several lives at once.
fn lived(seed: u64) -> (Commits, Vec<Bytes>) {
    let mut dice = Dice::of_seed(seed);
    let kinds = [0, dice.index(life::KINDS.len()), dice.index(life::KINDS.len())];
    let lives = kinds.iter().enumerate().map(|(number, kind)| {
        life::life(*kind, &number.to_string(), Dice::of_seed(seed + number as u64), false)
    });
    let steps = life::mixed(lives.collect(), &mut dice);
    let mut desk = Desk::new();
    for step in &steps {
        let _ = desk.give(step).unwrap_or_else(|breach| panic!("seed {seed}: {breach}"));
    }
    let decoded = desk.entries.iter().map(|bytes| Arc::new(Commit::decode(bytes).unwrap()));
    (decoded.collect(), desk.entries.iter().cloned().map(Bytes::from).collect())
}

/// The figures, and the places of events by figure.
type Told = (BTreeMap<Figure, Cell>, BTreeMap<Figure, Vec<(u64, usize)>>);

/// For each figure at the end, the places of the events that changed it.
fn slow<V: View<Facts: projections::history::Facts>>(commits: &Commits, query: &Query) -> Told {
    let (mut facts, mut shown) = (V::Facts::default(), BTreeMap::new());
    let mut places: BTreeMap<Figure, Vec<(u64, usize)>> = BTreeMap::new();
    for commit in commits {
        for (number, event) in commit.events.iter().enumerate() {
            if !query.moment.admits(commit, event) {
                continue;
            }
            let before = facts.clone();
            facts.apply(commit, event);
            if facts == before {
                continue;
            }
            let next = Figure::all(&V::report(&facts, query));
            let place = (commit.position, number);
            for figure in shown.keys().chain(next.keys()) {
                if shown.get(figure) != next.get(figure) {
                    let found = places.entry(figure.clone()).or_default();
                    if found.last() != Some(&place) {
                        found.push(place);
                    }
                }
            }
            shown = next;
        }
    }
    (shown, places)
}

/// How many figures were held against the slow way.
fn hold<V: View<Facts: projections::history::Facts>>(
    commits: &Commits,
    moment: AsOf,
    (history, index): (&History, &Index),
) -> usize {
    let query = Query::at(moment);
    let (figures, places) = slow::<V>(commits, &query);
    for (figure, cell) in &figures {
        let pointer = figure.to_string();
        let candidates = |figure: &Figure| index.candidates(V::NAME, figure);
        let why = history.why(V::NAME, (&query, &pointer), &candidates, commits);
        let why = why.unwrap_or_else(|error| panic!("{pointer}: {error}")).unwrap();
        assert_eq!((&why.figure, &why.value), (figure, cell));
        let told = why.contributions.iter().map(|it| (it.commit.position, it.event));
        assert_eq!(told.collect::<Vec<_>>(), places[figure], "{} {pointer}", V::NAME);
        assert!(why.fold == Fold::Scope && why.is_complete, "{} {pointer}", V::NAME);
        if matches!(cell, Cell::Money(_)) {
            assert_eq!(why.sum().as_ref(), Some(cell), "{} {pointer}", V::NAME);
        }
    }
    figures.len()
}

#[test]
fn in_whole_lives_every_figure_of_the_books_is_the_sum_of_what_changed_it_and_nothing_is_missing() {
    let mut held = 0;
    for seed in 0..3 {
        let (commits, _) = lived(seed);
        let (mut history, mut index) = (History::default(), Index::default());
        for commit in &commits {
            history.apply(commit);
            index.apply(commit);
        }
        let middle = &commits[commits.len() / 2];
        let as_of = Some(middle.recorded_at);
        for moment in [AsOf::NOW, AsOf { as_of, ..AsOf::NOW }] {
            held +=
                hold::<projections::views::budget::Budget>(&commits, moment, (&history, &index));
            held +=
                hold::<projections::views::ledger::Ledger>(&commits, moment, (&history, &index));
        }
    }
    assert!(held > 500, "{held}");
}

async fn bytes(reader: &Reader, view: &str, moment: AsOf) -> Vec<u8> {
    let report = reader.ask(view, Query::at(moment)).await.unwrap().unwrap();
    canonical::to_bytes(&report).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_shown_yesterday_is_shown_again_byte_for_byte() {
    let (commits, entries) = lived(7);
    let log: Arc<dyn Log> = Arc::new(Memory::new());
    let mut shown: Vec<(&str, AsOf, Vec<u8>)> = Vec::new();
    let mut head: usize = 0;
    for day in 1..=4 {
        let next = entries.len() * day / 4;
        log.append(head as u64, entries[head..next].to_vec()).await.unwrap();
        head = next;
        let follower = Follower::open(Arc::clone(&log), None, None).await.unwrap();
        let reader = follower.reader();
        for (view, moment, before) in &shown {
            assert!(bytes(&reader, view, *moment).await == *before, "{view} at {moment:?}");
        }
        let last = &commits[head - 1];
        let (position, known_at) = (Some(last.position), Some(last.recorded_at));
        for view in projections::names() {
            // What is shown now, and what is asked for by its place, tell the same figures.
            let at_position = AsOf { position, ..AsOf::NOW };
            let now = reader.ask(view, Query::default()).await.unwrap().unwrap();
            let then = reader.ask(view, Query::at(at_position)).await.unwrap().unwrap();
            assert_eq!((now.tables, now.position), (then.tables, then.position), "{view}");
            for moment in [at_position, AsOf { known_at, ..AsOf::NOW }] {
                shown.push((view, moment, bytes(&reader, view, moment).await));
            }
        }
    }
    assert_eq!(shown.len(), 4 * 2 * projections::names().count());
}

#[tokio::test]
async fn over_http_a_figure_leads_to_its_commands_people_rules_and_proofs() {
    let server = Running::start(fixture::engine().await).await;
    let path = "/views/budget/why?pointer=/calls/EUROHPC-2024-CEI-AI/union";
    let answer = server.get(path).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let why = answer.json();
    assert_eq!((&why["value"], &why["sum"]), (&json!("EUR 992500000.00"), &why["value"]));
    assert_eq!((&why["complete"], &why["folded"]["which"]), (&json!(true), &json!("scope")));
    let steps = why["contributions"].as_array().unwrap();
    let last = steps.last().unwrap();
    assert_eq!(last["amount"], "EUR 242500000.00");
    assert_eq!(last["event"]["type"], "fund.GloballyCommitted");
    assert_eq!(last["command"]["name"], "fund.commit_globally");
    assert!(last["command"]["rule"]["document"].is_string(), "{last}");
    assert_eq!(last["actor"], json!({"id": "fixture", "role": "authorising_officer"}));
    assert_eq!(last["rules"]["call"], "EUROHPC-2024-CEI-AI");
    assert_eq!(last["rules"]["sha256"].as_str().unwrap().len(), 64);
    let position = last["position"].as_u64().unwrap();
    assert_eq!(last["proof"], format!("tranche proof commit {position}"));
    let commit = server.get(&format!("/log/{position}")).await.json();
    assert_eq!(commit["command_id"], last["command"]["id"]);
    // The same by its number in the report, and before that commit.
    let by_number = server.get("/views/budget/why?pointer=/tables/0/rows/0/union").await.json();
    assert_eq!(by_number, why);
    let before = server.get(&format!("{path}&at_position={}", position - 1)).await.json();
    assert_eq!(before["value"], "EUR 750000000.00");
    let newest = server.get(&format!("{path}&newest=1")).await.json();
    assert_eq!(newest["contributions"].as_array().unwrap().len(), 1);
    assert_eq!((&newest["complete"], &newest["sum"]), (&json!(false), &why["value"]));
    // A view without an index.
    let other = server.get("/views/pipeline/why?pointer=/tables/0/rows/0/funded").await;
    assert!(other.status == 200 || other.status == 404, "{}", other.text());
    for (query, status) in [
        ("", 400),
        ("?pointer=x", 400),
        ("?pointer=/calls/none/union", 404),
        ("?pointer=/calls/0/none", 404),
        ("?pointer=/calls/0/union&newest=0", 400),
        ("?pointer=/calls/0/union&newest=9999999", 400),
        ("?pointer=/calls/0/union&at_position=99999", 404),
        ("?pointer=/calls/0/union&other=1", 400),
    ] {
        let answer = server.get(&format!("/views/budget/why{query}")).await;
        assert_eq!(answer.status, status, "{query}: {}", answer.text());
        answer.problem();
    }
    assert_eq!(server.get("/views/none/why?pointer=/a/0/b").await.status, 404);
}

fn changed<'a>(diff: &'a Value, pointer: &str) -> &'a Value {
    let changes = diff["changes"].as_array().unwrap();
    changes.iter().find(|change| change["pointer"] == pointer).unwrap_or(&Value::Null)
}

#[tokio::test]
async fn over_http_two_moments_differ_by_what_was_done_between_them() {
    let server = Running::start(fixture::engine().await).await;
    let path = "/views/budget/diff?from=2025-01-01&to=2025-04-01";
    let diff = server.get(path).await.json();
    let union = changed(&diff, "/calls/EUROHPC-2024-CEI-AI/union");
    assert_eq!(
        (&union["before"], &union["after"]),
        (&json!("EUR 750000000.00"), &json!("EUR 992500000.00"))
    );
    let by = union["by"].as_array().unwrap();
    assert_eq!((by.len(), &by[0]["amount"]), (1, &json!("EUR 242500000.00")));
    assert_eq!(by[0]["command"]["name"], "fund.commit_globally");
    assert!(diff.get("untold").is_none(), "{diff}");
    // On the other clock, and by positions, here the same.
    let effective = server.get(&format!("{path}&clock=effective")).await.json();
    assert_eq!(effective["changes"], diff["changes"]);
    let (from, to) = (&diff["from"]["position"], &diff["to"]["position"]);
    let places = format!("/views/budget/diff?from_position={from}&to_position={to}");
    let places = server.get(&places).await.json();
    assert_eq!(places["changes"], diff["changes"]);
    // Nothing, and everything.
    let nothing =
        server.get(&format!("/views/budget/diff?from_position={to}&to_position={to}")).await;
    assert_eq!((&nothing.json()["changes"], &nothing.json()["events"]), (&json!([]), &json!(0)));
    let all = server.get("/views/budget/diff").await.json();
    assert!(changed(&all, "/calls/EUROHPC-2024-CEI-AI/union").get("before").is_none());
    for (query, status) in [
        ("?from=2025-04-01&to=2025-01-01", 400),
        ("?from_position=4&to_position=3", 400),
        ("?from=2025-04-01&to_position=3", 400),
        ("?clock=wall", 400),
        ("?to_position=99999", 404),
    ] {
        let answer = server.get(&format!("/views/budget/diff{query}")).await;
        assert_eq!(answer.status, status, "{query}: {}", answer.text());
        answer.problem();
    }
}

#[tokio::test]
async fn over_http_the_log_is_searched_by_what_was_done_by_whom_and_when() {
    let server = Running::start(fixture::engine().await).await;
    let all: Vec<Value> = lines(&server, "").await;
    let found = async |query: &str, holds: &dyn Fn(&Value) -> bool| {
        let found = lines(&server, query).await;
        let expected: Vec<Value> = all.iter().filter(|commit| holds(commit)).cloned().collect();
        assert!(!expected.is_empty(), "{query} finds something");
        assert_eq!(found, expected, "{query}");
    };
    let any = |commit: &Value, holds: &dyn Fn(&Value) -> bool| {
        commit["events"].as_array().unwrap().iter().any(holds)
    };
    found("role=governing_board", &|it| it["actor"]["role"] == "governing_board").await;
    found("actor=fixture", &|it| it["actor"]["id"] == "fixture").await;
    found("command=pledge.make", &|it| it["command"] == "pledge.make").await;
    found("type=fund.GloballyCommitted", &|it| {
        any(it, &|event| event["type"] == "fund.GloballyCommitted")
    })
    .await;
    found("stream=fund-EUROHPC-AI", &|it| any(it, &|event| event["stream"] == "fund-EUROHPC-AI"))
        .await;
    found("category=pledge", &|it| {
        any(it, &|event| event["stream"].as_str().unwrap().starts_with("pledge-"))
    })
    .await;
    let late = |it: &Value| it["recorded_at"].as_str().unwrap() >= "2025-02";
    found("since=2025-02-01&zone=UTC", &late).await;
    found("until=2025-01-31&zone=UTC", &|it| !late(it)).await;
    found("true_since=2025-02-01T00:00:00Z", &|it| {
        any(it, &|event| event["effective_at"].as_str().unwrap() >= "2025-02")
    })
    .await;
    // About a grant: everything that names it, and nothing else.
    let about = lines(&server, "grant=IT4LIA").await;
    assert!(about.len() > 2, "{about:?}");
    assert!(about.iter().all(|commit| commit.to_string().contains("IT4LIA")));
    let named = lines(&server, "grant=IT4LIA&type=fund.IndividuallyCommitted").await;
    assert_eq!(named.len(), 1, "{named:?}");
    let limited = lines(&server, "role=governing_board&limit=1").await;
    assert_eq!(limited[..], lines(&server, "role=governing_board").await[..1]);
    for query in [
        "command=no.such",
        "type=no.Such",
        "category=none",
        "role=none",
        "actor=a%20b",
        "since=never",
        "call=A&grant=B",
        "stream=nothing",
    ] {
        let answer = server.get(&format!("/log?{query}")).await;
        assert_eq!((answer.status, answer.problem().as_str()), (400, "http.bad_query"), "{query}");
    }
}

async fn lines(server: &Running, query: &str) -> Vec<Value> {
    let answer = server.get(&format!("/log?{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn over_http_a_row_is_the_same_one_whatever_of_it_changes() {
    let server = Running::start(fixture::engine().await).await;
    let shown = server.get("/views/pipeline").await.json();
    let tables = shown["tables"].as_array().unwrap();
    let place = tables.iter().position(|table| table["key"] == "proposals").unwrap();
    let proposal = tables[place]["rows"][0]["proposal"].as_str().unwrap();
    let why = async |pointer: &str| {
        server.get(&format!("/views/pipeline/why?pointer={pointer}")).await.json()
    };
    let by_name = why(&format!("/proposals/{proposal}/state")).await;
    assert_eq!(why(&format!("/tables/{place}/rows/0/state")).await, by_name);
    let steps = by_name["contributions"].as_array().unwrap();
    let types: Vec<&str> =
        steps.iter().map(|step| step["event"]["type"].as_str().unwrap()).collect();
    for expected in ["proposal.Submitted", "proposal.Admitted", "proposal.Awarded"] {
        assert!(types.contains(&expected), "{types:?}");
    }
    // A place in the JSON is a place, also where rows have numbers for names.
    let timeline = server.get("/views/timeline").await.json();
    let expected = &timeline["tables"][0]["rows"][30]["position"];
    let found = server.get("/views/timeline/why?pointer=/tables/0/rows/30/position").await.json();
    assert_eq!(&found["value"], expected);
}
