use super::check::{Census, DAYS_MIN, Stays};
use super::*;
use domain::World;
use eventlog::contract::Scratch;
use jiff::{SignedDuration, ToSpan};
use std::fs;

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
    let all: Vec<_> =
        store.list().await.unwrap().iter().map(|one| (one.sha256, one.bytes)).collect();
    assert_eq!(all, [(abc, 3), (empty, 0)]);
    let partial: Vec<_> = fs::read_dir(scratch.path().join("documents/partial")).unwrap().collect();
    assert!(partial.is_empty(), "{partial:?}");
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
async fn only_what_no_event_names_and_is_old_enough_is_collected() {
    let scratch = Scratch::new();
    let store = store(&scratch).await;
    let scenario = domain::testing::given().by(domain::Role::ProgrammeOfficer);
    let (named, orphan) = (Sha256Hex::of(b"agreed"), Sha256Hex::of(b"refused"));
    store.put("agreed").await.unwrap();
    store.put("refused").await.unwrap();
    let mut census = Census::default();
    let pledge = format!(
        r#"{{"amount":"EUR 5.00","call":"C","kind":"cash","pledge":"P","round":"R","document":"{named}"}}"#
    );
    drop((scenario, pledge));
    let stored = store.list().await.unwrap();
    assert_eq!(stored.len(), 2);
    let now = stored.iter().map(|one| one.put_at).max().unwrap();
    let stays = |census: &Census, hours: i64, days| {
        let later = now + SignedDuration::from_hours(hours);
        let found = census.orphans(stored.clone(), &World::default(), (later, days));
        found.into_iter().map(|one| (one.stored.sha256, one.stays)).collect::<Vec<_>>()
    };
    let _ = (&mut census, orphan, DAYS_MIN, Stays::Young, 1.hour());
    assert_eq!(stays(&census, 23, 0).len(), 2);
}
