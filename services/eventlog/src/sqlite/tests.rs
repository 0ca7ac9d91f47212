//! What only a file can get wrong: damage, two writers, crashes and copies.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::*;
use crate::contract::{self, Beside, Factory, Scratch};

struct Directories(Scratch);

#[async_trait]
impl Factory for Directories {
    async fn open(&self, name: &str) -> Result<Arc<dyn Log>, Error> {
        Ok(Arc::new(Sqlite::open(&self.0.path().join(name))?))
    }

    fn persists(&self) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_keeps_the_contract() {
    contract::run(&Directories(Scratch::new())).await;
}

struct Pairs(Scratch);

#[async_trait]
impl Factory for Pairs {
    async fn open(&self, name: &str) -> Result<Arc<dyn Log>, Error> {
        let dir = self.0.path().join(name);
        let (writer, reader) = (Sqlite::open(&dir)?, Sqlite::open_read_only(&dir)?);
        Ok(Arc::new(Beside { writer: Box::new(writer), reader: Box::new(reader) }))
    }

    fn persists(&self) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_beside_a_writer_keeps_the_contract() {
    contract::run(&Pairs(Scratch::new())).await;
}

/// A log with the groups 1..1, 2..4 and 5..9 of about 200 bytes an entry.
async fn three_groups(dir: &Path) -> Sqlite {
    let log = Sqlite::open(dir).unwrap();
    for (head, count) in [(0_u64, 1_u64), (1, 3), (4, 5)] {
        let entry = |n: u64| Bytes::from(format!("{{\"n\":{n},\"text\":\"{}\"}}", "x".repeat(200)));
        log.append(head, (1..=count).map(|n| entry(head + n)).collect()).await.unwrap();
    }
    log
}

/// Does by hand what the triggers are there to prevent.
fn tamper(dir: &Path, sql: &str) {
    let connection = Connection::open(schema::path(dir)).unwrap();
    connection
        .execute_batch(
            "DROP TRIGGER groups_are_never_changed; DROP TRIGGER groups_are_never_deleted;",
        )
        .unwrap();
    connection.execute_batch(sql).unwrap();
}

fn corruption(opened: Result<Sqlite, Error>) -> String {
    match opened.map(|_| ()) {
        Err(Error::Corrupt(damage)) => damage.to_string(),
        other => panic!("expected damage, got {other:?}"),
    }
}

#[tokio::test]
async fn a_damaged_row_is_named_and_refused_and_left_as_it_is() {
    let cases = [
        ("UPDATE groups SET body = replace(body, '\"n\":3', '\"n\":8')", "row 2..4: crc32 is"),
        ("UPDATE groups SET crc32 = crc32 + 1 WHERE first = 5", "row 5..9: crc32 is"),
        ("DELETE FROM groups WHERE first = 1", "row 2..4: it should begin at 1"),
        ("DELETE FROM groups WHERE first = 2", "row 5..9: it should begin at 2"),
        ("UPDATE groups SET first = 6 WHERE first = 5", "row 6..9: it should begin at 5"),
        ("UPDATE groups SET last = 8 WHERE first = 5", "row 5..8: it holds 5 entries instead of 4"),
        ("UPDATE groups SET last = 0 WHERE first = 1", "row 1..0: its positions are not in order"),
        (
            "UPDATE groups SET last = -7 WHERE first = 1",
            "row 1..0: it claims the positions 1 to -7",
        ),
        (
            "UPDATE groups SET body = (SELECT body FROM groups WHERE first = 5) WHERE first = 2",
            "row 2..4: crc32 is",
        ),
        (
            "INSERT INTO groups SELECT -1, -1, crc32, body FROM groups WHERE first = 1",
            "row 0..0: it claims the positions -1 to -1",
        ),
    ];
    for (sql, expected) in cases {
        let scratch = Scratch::new();
        drop(three_groups(scratch.path()).await);
        tamper(scratch.path(), sql);
        let before = fs::read(schema::path(scratch.path())).unwrap();
        for opened in [Sqlite::open(scratch.path()), Sqlite::open_read_only(scratch.path())] {
            let damage = corruption(opened);
            assert!(damage.starts_with(expected), "{sql} gave {damage}");
        }
        let after = fs::read(schema::path(scratch.path())).unwrap();
        assert!(before == after, "{sql}: opening changed the file");
    }
}

#[tokio::test]
async fn an_empty_entry_in_a_row_with_a_right_checksum_is_damage() {
    let scratch = Scratch::new();
    drop(three_groups(scratch.path()).await);
    let crc32 = crate::body::checksum(2, b"a\n\nb");
    let sql = format!("UPDATE groups SET body = 'a\n\nb', crc32 = {crc32} WHERE first = 2");
    tamper(scratch.path(), &sql);
    assert_eq!(corruption(Sqlite::open(scratch.path())), "row 2..4: entry 1 is empty or too long");
}

#[tokio::test]
async fn a_row_damaged_while_the_log_is_open_is_found_by_the_next_read() {
    let scratch = Scratch::new();
    let log = three_groups(scratch.path()).await;
    tamper(scratch.path(), "UPDATE groups SET body = body || '!' WHERE first = 2");
    assert_eq!(log.read(1, 1).await.unwrap().len(), 1);
    let error = log.read(1, usize::MAX).await.unwrap_err();
    assert!(error.to_string().starts_with("the log is damaged: row 2..4: crc32"), "{error}");
}

#[tokio::test]
async fn rows_that_go_missing_while_the_log_is_open_are_found_by_the_next_read() {
    for (missing, from) in [(1, 1), (2, 3), (2, 1)] {
        let scratch = Scratch::new();
        let log = three_groups(scratch.path()).await;
        tamper(scratch.path(), &format!("DELETE FROM groups WHERE first = {missing}"));
        let read = log.read(from, usize::MAX).await;
        assert!(matches!(read, Err(Error::Corrupt(_))), "{missing} is missing: {read:?}");
    }
}

#[tokio::test]
async fn the_triggers_stop_a_careless_hand() {
    let scratch = Scratch::new();
    drop(three_groups(scratch.path()).await);
    let connection = Connection::open(schema::path(scratch.path())).unwrap();
    for sql in ["DELETE FROM groups", "UPDATE groups SET body = 'x'"] {
        let error = connection.execute_batch(sql).unwrap_err();
        assert!(error.to_string().contains("append-only"), "{error}");
    }
}

#[tokio::test]
async fn a_flipped_bit_anywhere_in_the_file_never_goes_unnoticed_in_what_is_read() {
    let scratch = Scratch::new();
    let log = three_groups(scratch.path()).await;
    let original = log.read(1, usize::MAX).await.unwrap();
    drop(log);
    let path = schema::path(scratch.path());
    let sound = fs::read(&path).unwrap();
    for at in (0..sound.len()).step_by(37) {
        let mut damaged = sound.clone();
        damaged[at] ^= 1 << (at % 8);
        fs::write(&path, damaged).unwrap();
        if let Ok(log) = Sqlite::open_read_only(scratch.path()) {
            let read = log.read(1, usize::MAX).await;
            assert_eq!(read, Ok(original.clone()), "byte {at} changed what is read");
        }
    }
}

#[tokio::test]
async fn a_truncated_file_is_damage() {
    let scratch = Scratch::new();
    drop(three_groups(scratch.path()).await);
    let path = schema::path(scratch.path());
    let sound = fs::read(&path).unwrap();
    for keep in [sound.len() - 1, sound.len() / 2, 5_000, 100, 0] {
        fs::write(&path, &sound[..keep]).unwrap();
        for opened in [Sqlite::open(scratch.path()), Sqlite::open_read_only(scratch.path())] {
            corruption(opened);
        }
        let after = fs::read(&path).unwrap();
        assert!(after == sound[..keep], "opening changed a truncated file");
    }
}

#[tokio::test]
async fn what_is_written_to_a_file_without_its_name_is_not_acknowledged() {
    let scratch = Scratch::new();
    let log = three_groups(scratch.path()).await;
    let path = schema::path(scratch.path());
    fs::rename(&path, scratch.path().join("elsewhere")).unwrap();
    fs::write(&path, "another file").unwrap();
    let refused = log.append(9, vec![Bytes::from_static(b"x")]).await;
    let Err(Error::Unavailable(what)) = refused else { panic!("{refused:?}") };
    assert!(what.contains("removed or replaced"), "{what}");
    assert!(log.head().await.is_err(), "what it holds is not known any more");
    assert_eq!(fs::read(&path).unwrap(), b"another file");
}

#[tokio::test]
async fn a_check_lists_all_damage_and_not_only_the_first() {
    let scratch = Scratch::new();
    drop(three_groups(scratch.path()).await);
    let report = check(scratch.path()).unwrap();
    assert_eq!((report.head, report.groups, report.damages), (9, 3, vec![]));

    tamper(
        scratch.path(),
        "UPDATE groups SET crc32 = 0 WHERE first = 1; DELETE FROM groups WHERE first = 2;
         INSERT INTO groups VALUES (10, 12, 0, 'a')",
    );
    let report = check(scratch.path()).unwrap();
    let places: Vec<_> = report.damages.iter().map(|damage| damage.place.to_string()).collect();
    assert_eq!(places, ["row 1..1", "row 5..9", "row 10..12"]);
    assert_eq!((report.head, report.groups), (12, 3));
}

#[tokio::test]
async fn a_check_gets_past_an_unreadable_page() {
    let scratch = Scratch::new();
    let log = Sqlite::open(scratch.path()).unwrap();
    for head in 0..400 {
        log.append(head, vec![Bytes::from(format!("{head} {}", "x".repeat(1_000)))]).await.unwrap();
    }
    drop(log);
    let path = schema::path(scratch.path());
    let mut file = fs::read(&path).unwrap();
    let page = usize::from(u16::from_be_bytes([file[16], file[17]]));
    let middle = file.len() / page / 2 * page;
    file[middle..middle + page].fill(0xEE);
    fs::write(&path, file).unwrap();
    let report = check(scratch.path()).unwrap();
    assert_eq!(report.head, 400);
    assert!((350..400).contains(&report.groups), "{report:?}");
    assert!(report.damages.iter().any(|damage| damage.what.contains("malformed")), "{report:?}");
    corruption(Sqlite::open(scratch.path()));
}

#[tokio::test]
async fn a_second_writer_is_refused_with_directory_and_process() {
    let scratch = Scratch::new();
    let first = Sqlite::open(scratch.path()).unwrap();
    let error = Sqlite::open(scratch.path()).map(|_| ()).unwrap_err();
    let pid = Some(std::process::id());
    assert_eq!(error, Error::Locked { path: scratch.path().to_owned(), pid });
    drop(first);
    Sqlite::open(scratch.path()).unwrap();
}

#[tokio::test]
async fn a_lock_file_left_by_a_killed_writer_does_not_lock() {
    let scratch = Scratch::new();
    fs::write(scratch.path().join("writer.lock"), "4294967295 and more than a new pid").unwrap();
    let _log = Sqlite::open(scratch.path()).unwrap();
    let content = fs::read_to_string(scratch.path().join("writer.lock")).unwrap();
    assert_eq!(content, format!("{}\n", std::process::id()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_beside_a_writer_sees_new_groups_and_cannot_append() {
    let scratch = Scratch::new();
    let writer = three_groups(scratch.path()).await;
    let reader = Arc::new(Sqlite::open_read_only(scratch.path()).unwrap());
    assert_eq!(reader.head().await, Ok(9));
    let entry = vec![Bytes::from_static(b"new")];
    assert_eq!(reader.append(9, entry.clone()).await, Err(Error::ReadOnly));

    let waiting = tokio::spawn({
        let reader = reader.clone();
        async move { reader.wait_for(10).await }
    });
    writer.append(9, entry.clone()).await.unwrap();
    assert_eq!(waiting.await.unwrap(), Ok(10));
    assert_eq!(reader.read(10, 1).await, Ok(vec![Group { first: 10, entries: entry }]));

    drop(writer);
    assert_eq!(reader.head().await, Ok(10), "a reader goes on without the writer");
    Sqlite::open(scratch.path()).expect("a reader does not keep a writer out");
}

#[tokio::test]
async fn a_writer_finds_its_way_after_a_tool_added_a_group_behind_its_back() {
    let scratch = Scratch::new();
    let log = three_groups(scratch.path()).await;
    let crc32 = crate::body::checksum(10, b"foreign");
    tamper(scratch.path(), &format!("INSERT INTO groups VALUES (10, 10, {crc32}, 'foreign')"));
    let entry = vec![Bytes::from_static(b"ours")];
    let conflict = Error::Conflict { expected: 9, actual: 10 };
    assert_eq!(log.append(9, entry.clone()).await, Err(conflict));
    assert_eq!(log.head().await, Ok(10));
    assert_eq!(log.append(10, entry).await, Ok(11));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failed_write_the_handle_says_nothing_more() {
    let scratch = Scratch::new();
    let log = Arc::new(three_groups(scratch.path()).await);
    let waiting = tokio::spawn({
        let log = log.clone();
        async move { log.wait_for(10).await }
    });
    // A change by others makes the writer read its pages again, which are gone by then.
    let tool = Connection::open(schema::path(scratch.path())).unwrap();
    tool.execute_batch("INSERT INTO meta VALUES ('a', 'b'); PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    let mut file = fs::read(schema::path(scratch.path())).unwrap();
    let page = usize::from(u16::from_be_bytes([file[16], file[17]]));
    file[page..].fill(0xEE);
    fs::write(schema::path(scratch.path()), file).unwrap();

    let error = log.append(9, vec![Bytes::from_static(b"x")]).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt(_)), "{error}");
    assert_eq!(log.head().await, Err(error.clone()));
    assert_eq!(log.read(1, 1).await, Err(error.clone()));
    assert_eq!(waiting.await.unwrap(), Err(error.clone()));
    assert_eq!(log.append(9, vec![Bytes::from_static(b"x")]).await, Err(error));
}

/// What a crash leaves: the files as they are at one moment, without anything being closed.
fn copy(from: &Path, to: &Path) {
    for name in ["log.sqlite", "log.sqlite-wal"] {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_crash_without_closing() {
    let (scratch, crashed) = (Scratch::new(), Scratch::new());
    let log = three_groups(scratch.path()).await;
    let expected = log.read(1, usize::MAX).await;
    copy(scratch.path(), crashed.path());
    let reader = Sqlite::open_read_only(crashed.path()).unwrap();
    assert_eq!(reader.read(1, usize::MAX).await, expected);
    let writer = Sqlite::open(crashed.path()).unwrap();
    assert_eq!(writer.read(1, usize::MAX).await, expected);
    assert_eq!(writer.append(9, vec![Bytes::from_static(b"after")]).await, Ok(10));
}

#[tokio::test]
async fn a_write_cut_short_by_a_crash_leaves_a_log_of_whole_groups() {
    let (scratch, crashed) = (Scratch::new(), Scratch::new());
    let log = three_groups(scratch.path()).await;
    let whole = log.read(1, usize::MAX).await.unwrap();
    copy(scratch.path(), crashed.path());
    let wal = fs::read(scratch.path().join("log.sqlite-wal")).unwrap();
    let mut heads = Vec::new();
    for keep in (0..=wal.len()).rev().step_by(wal.len() / 23) {
        // A reader that recovers may leave an index of the longer file.
        let _ = fs::remove_file(crashed.path().join("log.sqlite-shm"));
        fs::write(crashed.path().join("log.sqlite-wal"), &wal[..keep]).unwrap();
        let reader = Sqlite::open_read_only(crashed.path()).unwrap();
        let read = reader.read(1, usize::MAX).await.unwrap();
        assert_eq!(read, whole[..read.len()], "{keep} bytes of the write-ahead log");
        heads.push(read.last().map_or(0, Group::last));
    }
    assert!(heads.is_sorted_by(|longer, shorter| longer >= shorter), "{heads:?}");
    assert_eq!(heads[0], 9);
    assert!(heads.contains(&4), "a whole group was cut: {heads:?}");
}

#[tokio::test]
async fn files_of_other_formats_are_refused_in_words() {
    let cases = [
        ("UPDATE meta SET value = '2' WHERE key = 'version'", "version 2 (user_version 1)"),
        ("PRAGMA user_version = 7", "version 1 (user_version 7)"),
        ("PRAGMA application_id = 1", "application id 0x1 instead of 0x454c4f47"),
    ];
    for (sql, expected) in cases {
        let scratch = Scratch::new();
        drop(three_groups(scratch.path()).await);
        tamper(scratch.path(), sql);
        for opened in [Sqlite::open(scratch.path()), Sqlite::open_read_only(scratch.path())] {
            let error = opened.map(|_| ()).unwrap_err();
            assert!(matches!(error, Error::Format { .. }), "{error:?}");
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}

#[tokio::test]
async fn a_file_that_is_not_a_database_and_a_missing_one_are_refused() {
    let scratch = Scratch::new();
    assert!(matches!(Sqlite::open_read_only(scratch.path()), Err(Error::Unavailable(_))));
    assert!(!schema::path(scratch.path()).exists(), "a reader made a file");
    fs::write(schema::path(scratch.path()), "no database, but longer than a header. ".repeat(9))
        .unwrap();
    assert_eq!(corruption(Sqlite::open(scratch.path())), "file: file is not a database");
}

#[tokio::test]
async fn any_sqlite_tool_can_read_the_entries() {
    let scratch = Scratch::new();
    let _log = three_groups(scratch.path()).await;
    let tool = Connection::open(schema::path(scratch.path())).unwrap();
    let sql = "SELECT line.value ->> 'n' FROM groups,
               json_each('[' || replace(body, char(10), ',') || ']') AS line ORDER BY first, line.key";
    let mut statement = tool.prepare(sql).unwrap();
    let numbers: Result<Vec<i64>, _> = statement.query_map([], |row| row.get(0)).unwrap().collect();
    assert_eq!(numbers.unwrap(), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

#[tokio::test]
async fn a_log_whose_main_file_is_gone_is_not_taken_for_a_new_one() {
    let (scratch, crashed) = (Scratch::new(), Scratch::new());
    let _log = three_groups(scratch.path()).await;
    copy(scratch.path(), crashed.path());
    fs::remove_file(schema::path(crashed.path())).unwrap();
    let damage = corruption(Sqlite::open(crashed.path()));
    assert_eq!(damage, "file: log.sqlite is missing beside its write-ahead log");
}

#[tokio::test]
async fn a_creation_cut_short_is_begun_again() {
    let scratch = Scratch::new();
    fs::write(scratch.path().join("log.sqlite.new"), "half a draft").unwrap();
    assert_eq!(three_groups(scratch.path()).await.head().await, Ok(9));
}

/// Names the directory to a child process of the next test.
const CHILD_DIR: &str = "EVENTLOG_TEST_CHILD_DIR";

#[tokio::test]
async fn a_killed_writer_leaves_no_lock_and_loses_nothing_it_acknowledged() {
    // The same test again, as the child: it appends until it is killed, and says how far it is.
    if let Ok(dir) = std::env::var(CHILD_DIR) {
        let log = Sqlite::open(Path::new(&dir)).unwrap();
        for head in 0.. {
            log.append(head, vec![Bytes::from(format!("entry {}", head + 1))]).await.unwrap();
            println!("\nacknowledged {}", head + 1);
        }
    }
    let scratch = Scratch::new();
    let name = "sqlite::tests::a_killed_writer_leaves_no_lock_and_loses_nothing_it_acknowledged";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD_DIR, scratch.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let acknowledged = |line: String| line.strip_prefix("acknowledged ")?.parse::<u64>().ok();
    assert!(said.by_ref().filter_map(acknowledged).any(|head| head >= 50));

    let locked = Sqlite::open(scratch.path()).map(|_| ()).unwrap_err();
    assert_eq!(locked, Error::Locked { path: scratch.path().to_owned(), pid: Some(child.id()) });

    child.kill().unwrap();
    child.wait().unwrap();
    let last = said.filter_map(acknowledged).last().unwrap_or(50);
    let log = Sqlite::open(scratch.path()).unwrap();
    let head = log.head().await.unwrap();
    assert!(head == last || head == last + 1, "acknowledged {last}, found {head}");
}
