use super::check::{self, Finding, Orphan, Stays};
use super::*;
use domain::testing::given;
use domain::{Role, World};
use eventlog::contract::Scratch;
use jiff::SignedDuration;
use std::fs;
use tranche_proof::documents::Census;

async fn store(scratch: &Scratch) -> Documents {
    Documents::open(scratch.path().join("documents").to_str().unwrap()).await.unwrap()
}

fn file(scratch: &Scratch, sha256: Sha256Hex) -> PathBuf {
    scratch.path().join("documents").join(path(sha256))
}

/// FIPS 180-4, the example of one block.
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

#[tokio::test]
async fn a_document_is_kept_under_its_hash_once() {
    let scratch = Scratch::new();
    let store = store(&scratch).await;
    assert_eq!(store.list().await.unwrap(), []);
    let abc: Sha256Hex = ABC.parse().unwrap();
    assert_eq!(store.get(abc).await.unwrap(), None);
    assert!(!store.exists(abc).await.unwrap());
    assert_eq!(store.put("abc").await.unwrap(), (abc, Put::New));
    assert_eq!(store.put("abc").await.unwrap(), (abc, Put::Already));
    let (empty, _) = store.put("").await.unwrap();
    assert_eq!(store.get(abc).await.unwrap().unwrap(), "abc");
    assert_eq!(store.get(empty).await.unwrap().unwrap(), "");
    assert!(store.exists(abc).await.unwrap());
    let kept = scratch.path().join(format!("documents/sha256/ba/{ABC}"));
    assert_eq!(fs::read(kept).unwrap(), b"abc");
    let all = store.list().await.unwrap();
    let all: Vec<_> = all.iter().map(|one| (one.sha256, one.bytes)).collect();
    assert_eq!(all, [(abc, 3), (empty, 0)]);
    let partial = fs::read_dir(scratch.path().join("documents/partial")).unwrap();
    assert_eq!(partial.count(), 0);
}

#[tokio::test]
async fn what_is_changed_is_told_when_it_is_read_and_mended_when_it_is_put() {
    let scratch = Scratch::new();
    let store = store(&scratch).await;
    let (abc, _) = store.put("abc").await.unwrap();
    let path = file(&scratch, abc);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "abd").unwrap();
    let told = store.get(abc).await.unwrap_err().to_string();
    assert!(told.contains(ABC) && told.contains(&Sha256Hex::of(b"abd").to_string()), "{told}");
    fs::write(&path, vec![0; DOCUMENT_BYTES_MAX + 2]).unwrap();
    let told = store.get(abc).await.unwrap_err().to_string();
    assert!(told.contains("has more than 33554432 bytes"), "{told}");
    assert_eq!(store.put("abc").await.unwrap(), (abc, Put::Mended));
    assert_eq!(store.get(abc).await.unwrap().unwrap(), "abc");
}

#[tokio::test]
async fn a_document_has_a_limit() {
    let scratch = Scratch::new();
    let store = store(&scratch).await;
    let most = vec![7; DOCUMENT_BYTES_MAX];
    let (sha256, _) = store.put(most.clone()).await.unwrap();
    assert_eq!(store.get(sha256).await.unwrap().unwrap(), most);
    let more = vec![7; DOCUMENT_BYTES_MAX + 1];
    assert!(matches!(store.put(more).await, Err(Error::TooLarge)));
    assert_eq!(store.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_address_that_makes_no_sense_is_refused() {
    for place in ["", "gopher://x/y", "nats://"] {
        let error = Documents::open(place).await.map(drop).unwrap_err();
        assert!(matches!(error, Error::Address(_) | Error::Unavailable(_)), "{place}: {error}");
    }
}

/// A log with a bank statement for each hash.
fn census(documents: &[Sha256Hex]) -> Census {
    let mut scenario = given().by(Role::AccountingOfficer);
    for (number, document) in documents.iter().enumerate() {
        let sheet = serde_json::json!({
            "account": format!("A{number}"), "closing": "EUR 1.00", "document": document, "from": "2025-01-01",
            "number": 1, "opening": "EUR 0.00", "to": "2025-01-02",
            "entries": [{"amount": "EUR 1.00", "booked_on": "2025-01-01", "description": "x", "entry": "1"}],
        });
        let payload = serde_json::json!({"sheet": sheet, "statement": format!("S{number}")});
        scenario = scenario.done("statement.import", &payload.to_string());
    }
    let mut census = Census::default();
    scenario.commits.iter().for_each(|commit| census.take(commit).unwrap());
    census
}

#[tokio::test]
async fn each_place_that_names_a_document_which_is_not_there_is_told() {
    let scratch = Scratch::new();
    let store = store(&scratch).await;
    let census = census(&[Sha256Hex::of(b"one"), Sha256Hex::of(b"two")]);
    let told = |found: Vec<Finding>| -> Vec<String> {
        found.iter().map(|found| format!("{}: {found}", found.position)).collect()
    };
    let one = Sha256Hex::of(b"one");
    let missing = told(check::check(&census, &store).await.unwrap());
    assert_eq!(missing.len(), 2, "{missing:?}");
    assert_eq!(
        missing[0],
        format!("1: statement-S0 /document names a bank statement, {one}, which is missing")
    );
    store.put("one").await.unwrap();
    store.put("two").await.unwrap();
    assert_eq!(check::check(&census, &store).await.unwrap(), []);
    let path = file(&scratch, one);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "One").unwrap();
    let changed = told(check::check(&census, &store).await.unwrap());
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert!(
        changed[0].contains("changed: what is kept under its name has the hash"),
        "{changed:?}"
    );
}

#[tokio::test]
async fn only_what_no_event_names_and_is_old_enough_is_collected() {
    let scratch = Scratch::new();
    let store = store(&scratch).await;
    let (named, orphan) = (Sha256Hex::of(b"named"), Sha256Hex::of(b"of a refused command"));
    let census = census(&[named]);
    store.put("named").await.unwrap();
    store.put("of a refused command").await.unwrap();
    let stored = store.list().await.unwrap();
    let put_at = stored.iter().find(|one| one.sha256 == orphan).unwrap().put_at;
    let after = |hours, days| {
        let now = put_at + SignedDuration::from_hours(hours);
        let orphans = check::orphans(&census, stored.clone(), &World::default(), (now, days));
        assert_eq!(orphans.iter().map(|one| one.stored.sha256).collect::<Vec<_>>(), [orphan]);
        orphans
    };
    let stays = |orphans: Vec<Orphan>| orphans.into_iter().next().unwrap().stays;
    assert_eq!(stays(after(30 * 24 - 1, 30)), Some(Stays::Young));
    assert_eq!(stays(after(30 * 24, 30)), None);
    // Never at once, whatever is asked for.
    assert_eq!(stays(after(23, 0)), Some(Stays::Young));
    check::collect(&store, &after(23, 0)).await.unwrap();
    assert_eq!(store.list().await.unwrap().len(), 2);
    check::collect(&store, &after(24, 0)).await.unwrap();
    let left: Vec<_> = store.list().await.unwrap().iter().map(|one| one.sha256).collect();
    assert_eq!(left, [named]);
}
