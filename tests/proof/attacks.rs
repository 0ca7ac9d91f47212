//! What an administrator of the machine can do to a log who knows its format, and drops the triggers and
//! makes the checksums anew: `verify` finds each with its position, by the tree that was kept, by a
//! checkpoint that somebody else has, and by the hashes of documents in the log.

use super::{CORRUPT, FOUND, Published, done, rewrite, said};
use crate::cli::program::tranche;
use serde_json::Value;
use std::path::Path;

/// Opens the log and lets its rows be changed; `entries()` reads them, `store(entries)` writes one
/// commit in each row, with checksums that are right.
pub(super) const TOOLS: &str = r#"
import sqlite3, zlib, json
log = sqlite3.connect('log/log.sqlite')
for name, in log.execute("select name from sqlite_master where type='trigger'").fetchall():
    log.execute(f'drop trigger {name}')
def entries():
    rows = log.execute('select body from groups order by first').fetchall()
    return [entry for body, in rows for entry in (body if isinstance(body, bytes) else body.encode()).split(b'\n')]
def store(entries):
    is_text = isinstance(log.execute('select body from groups').fetchone()[0], str)
    log.execute('delete from groups')
    for first, entry in enumerate(entries, 1):
        crc = zlib.crc32(f'{first}\n'.encode() + entry)
        log.execute('insert into groups values (?, ?, ?, ?)', (first, first, crc, entry.decode() if is_text else entry))
    log.commit()
"#;

/// What `verify` finds, with the positions that it names.
fn found(dir: &Path, more: &[&str]) -> (String, Vec<u64>) {
    let args = [&["--data", "log", "verify", "--public", "public", "--json"], more].concat();
    let output = tranche(dir, &args);
    assert!(matches!(output.status.code(), Some(FOUND | CORRUPT)), "{}", said(&output));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let findings = report["findings"].as_array().expect("findings");
    let positions = findings.iter().filter_map(|finding| finding["position"].as_u64());
    (report.to_string(), positions.collect())
}

/// The demo's log, of which an auditor has kept a checkpoint; then this is done to it.
pub(super) fn attacked(script: &str) -> Published {
    let published = Published::new();
    let dir = published.dir();
    std::fs::copy(dir.join("site/checkpoint"), dir.join("kept")).unwrap();
    rewrite(dir, &format!("{TOOLS}\n{script}"));
    // Snapshots would tell, too; here they are gone, as they may be any day.
    std::fs::remove_dir_all(dir.join("log/snapshots")).ok();
    published
}

const KEPT: &[&str] = &["--checkpoint", "kept"];

#[test]
fn an_edited_commit_is_named() {
    let edit = r#"
all = entries()
before = all[99]
all[99] = before.replace(b'"actor":{"id":"', b'"actor":{"id":"x', 1)
assert all[99] != before
store(all)"#;
    let published = attacked(edit);
    let (report, positions) = found(published.dir(), KEPT);
    assert!(positions.contains(&100), "{report}");
    assert!(report.contains("is not what it was when it was hashed"), "{report}");
    // Without the tree that was kept beside it, a checkpoint from outside still tells.
    std::fs::remove_dir_all(published.dir().join("log/proof")).unwrap();
    let (report, _) = found(published.dir(), KEPT);
    assert!(report.contains("has the root"), "{report}");
}

#[test]
fn the_bytes_alone_tell_where_one_was_changed() {
    let bytes = [KEPT, &["--bytes"]].concat();
    let published = attacked(&edit(100));
    let (report, positions) = found(published.dir(), &bytes);
    assert!(positions.iter().all(|position| *position == 100) && !positions.is_empty(), "{report}");
    assert!(report.contains("is not what it was when it was hashed"), "{report}");

    let published = Published::new();
    let dir = published.dir();
    std::fs::copy(dir.join("site/checkpoint"), dir.join("kept")).unwrap();
    let verify = [&["--data", "log", "verify", "--public", "public"], &bytes[..]].concat();
    let told = done(dir, &verify);
    let size = published.size();
    let expected =
        format!("checked the bytes of {size} commits, 2 signed checkpoints, not what they say\n");
    assert_eq!(told, expected);
    // One letter of the last row, with the checksum left as it was.
    let edit = "log.execute(\"update groups set body = replace(body, 'actor', 'actoR') \
                where first = (select max(first) from groups)\")\nlog.commit()";
    rewrite(dir, &format!("{TOOLS}\n{edit}"));
    let damaged = tranche(dir, &verify);
    assert_eq!(damaged.status.code(), Some(CORRUPT), "{}", said(&damaged));
    let told = said(&damaged);
    assert!(told.contains("row ") && told.contains("crc32 is"), "{told}");
}

#[test]
fn of_a_changed_commit_nothing_is_proven_packed_or_published() {
    let published = Published::new();
    let dir = published.dir();
    done(dir, &["--data", "log", "proof", "record", "--key", "key"]);
    rewrite(dir, &format!("{TOOLS}\n{}", edit(100)));
    std::fs::remove_dir_all(dir.join("log/snapshots")).ok();
    let scope = ["--scope", "all", "--public", "public", "--to", "no.tar"];
    let asked: [&[&str]; 4] = [
        &["proof", "commit", "100", "--public", "public"],
        &["proof", "publish", "elsewhere", "--key", "key"],
        &[&["audit", "pack"], &scope[..]].concat(),
        &["audit", "export", "commits", "--public", "public", "--to", "no.jsonl"],
    ];
    for args in asked {
        let refused = tranche(dir, &[&["--data", "log"], args].concat());
        assert_eq!(refused.status.code(), Some(CORRUPT), "{args:?}: {}", said(&refused));
        assert!(said(&refused).contains("the commit at position 100 is not"), "{}", said(&refused));
    }
    for none in ["elsewhere/checkpoint", "no.tar", "no.jsonl"] {
        assert!(!dir.join(none).exists(), "{none}");
    }
    // Of the others there are proofs still.
    done(dir, &["--data", "log", "proof", "commit", "101", "--public", "public"]);
}

#[test]
fn a_key_that_has_come_signs_what_the_one_before_it_has_signed() {
    let published = Published::new();
    let dir = published.dir();
    let checkpoint = |key: &str| done(dir, &["--data", "log", "proof", "checkpoint", "--key", key]);
    let signatures = |note: &str| note.lines().filter(|line| line.starts_with('\u{2014}')).count();
    assert_eq!(signatures(&checkpoint("key")), 1);
    done(dir, &["proof", "key", "demo.example/log", "--to", "newer"]);
    std::fs::copy(dir.join("newer"), dir.join("both")).unwrap();
    let mut both = std::fs::OpenOptions::new().append(true).open(dir.join("both")).unwrap();
    std::io::Write::write_all(&mut both, &std::fs::read(dir.join("key")).unwrap()).unwrap();
    let before = checkpoint("both");
    assert_eq!(signatures(&before), 2, "{before}");
    // The old one may go, and what it has signed stays.
    assert_eq!(checkpoint("newer"), before);
}

/// Whoever has stolen it can still sign; nobody must believe it.
#[test]
fn a_checkpoint_that_a_retired_key_has_signed_is_told() {
    let published = Published::new();
    let dir = published.dir();
    let log = |args: &[&str]| done(dir, &[&["--data", "log"], args].concat());
    log(&["proof", "record", "--key", "key"]);
    std::fs::write(
        dir.join("newer.pub"),
        done(dir, &["proof", "key", "demo.example/log", "--to", "newer"]),
    )
    .unwrap();
    let keys = ["newer", "key"].map(|key| std::fs::read(dir.join(key)).unwrap());
    // A copy of a key keeps its mode: for its owner alone.
    std::fs::copy(dir.join("key"), dir.join("both")).unwrap();
    std::fs::write(dir.join("both"), keys.concat()).unwrap();
    log(&[
        "do",
        "fund.vote_appropriation",
        "--actor",
        "board-1",
        "--set",
        "fund=N",
        "--set",
        "line=L",
        "--set",
        "source=S",
        "--set",
        "amount=EUR 1",
    ]);
    log(&["proof", "record", "--key", "both"]);
    let old = std::fs::read_to_string(dir.join("public")).unwrap();
    let (key, reason) = (format!("key={}", old.trim()), "reason=it was copied");
    log(&["do", "checkpoint.retire_key", "--actor", "ao-1", "--set", &key, "--set", reason]);
    // What it signed before stays.
    log(&["verify", "--public", "public"]);
    log(&["proof", "checkpoint", "--key", "key"]);
    for args in [&["verify"][..], &["verify", "--public", "public"]] {
        let told = tranche(dir, &[&["--data", "log"], args].concat());
        assert_eq!(told.status.code(), Some(FOUND), "{}", said(&told));
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        assert!(told.contains("which was retired at position"), "{told}");
    }
    let pack = ["audit", "pack", "--scope", "all", "--public", "public", "--to", "no.tar"];
    let refused = tranche(dir, &[&["--data", "log"], &pack[..]].concat());
    assert_eq!(refused.status.code(), Some(FOUND), "{}", said(&refused));
    assert!(said(&refused).contains("which was retired at position"), "{}", said(&refused));
}

#[test]
fn a_removed_commit_and_a_swapped_pair_are_named() {
    let published = attacked("all = entries()\ndel all[149]\nstore(all)");
    let (report, positions) = found(published.dir(), KEPT);
    assert!(positions.contains(&150) && report.contains("the log ends at"), "{report}");
    let published = attacked("all = entries()\nall[9], all[10] = all[10], all[9]\nstore(all)");
    let (report, positions) = found(published.dir(), KEPT);
    assert!(positions.contains(&10) && positions.contains(&11), "{report}");
}

/// The worst: everything is made to fit, and the attacker has the key that signs.
#[test]
fn a_rewritten_tail_with_a_fresh_signature_is_told_by_the_checkpoint_that_somebody_kept() {
    // The note of the last commit's actor is another: canonical, and with its own checksum.
    let edit = r#"
all = entries()
last = json.loads(all[-1])
last['command_hash'] = '0' * 64
all[-1] = json.dumps(last, sort_keys=True, separators=(',', ':'), ensure_ascii=False).encode()
store(all)"#;
    let published = attacked(edit);
    let dir = published.dir();
    std::fs::remove_dir_all(dir.join("log/proof")).unwrap();
    // A fresh signature over the rewritten history: by itself it is whole.
    done(dir, &["--data", "log", "proof", "checkpoint", "--key", "key"]);
    let whole = tranche(dir, &["--data", "log", "verify", "--public", "public"]);
    assert_eq!(whole.status.code(), Some(0), "{}", said(&whole));
    let (report, _) = found(dir, KEPT);
    let at = format!("at or before position {}", published.size());
    assert!(report.contains(&at), "{report}");
}

/// One commit is another: canonical, and with its own checksum.
pub(super) fn edit(position: u64) -> String {
    format!(
        "all = entries()\n\
         one = json.loads(all[{at}])\n\
         one['command_hash'] = '0' * 64\n\
         all[{at}] = json.dumps(one, sort_keys=True, separators=(',', ':'), ensure_ascii=False).encode()\n\
         store(all)",
        at = position - 1
    )
}

/// Edits the commit at a position of the log in a directory.
pub fn edited(dir: &Path, position: u64) {
    rewrite(dir, &format!("{TOOLS}\n{}", edit(position)));
}

/// What is found is said once.
#[track_caller]
fn said_once(report: &str) {
    let report: Value = serde_json::from_str(report).expect("JSON");
    let findings = report["findings"].as_array().expect("findings");
    for (at, finding) in findings.iter().enumerate() {
        assert!(!findings[..at].contains(finding), "twice: {report}");
    }
}

#[test]
fn a_commit_edited_in_the_last_tile_and_a_rewritten_tail_are_named() {
    let published = attacked(&edit(300));
    let dir = published.dir();
    let (report, positions) = found(dir, KEPT);
    assert!(positions.contains(&300), "{report}");
    assert!(report.contains("is not what it was when it was hashed"), "{report}");
    said_once(&report);
    // The service that is to sign it says the same.
    let serve = ["--data", "log", "serve", "--listen", "127.0.0.1:0", "--key", "key"];
    let refused = tranche(dir, &serve);
    assert_eq!(refused.status.code(), Some(CORRUPT), "{}", said(&refused));
    assert!(said(&refused).contains("at position 300"), "{}", said(&refused));

    let tail = "all = entries()\n\
                for at in range(349, len(all)):\n    \
                    one = json.loads(all[at])\n    \
                    one['command_hash'] = '0' * 64\n    \
                    all[at] = json.dumps(one, sort_keys=True, separators=(',', ':'), ensure_ascii=False).encode()\n\
                store(all)";
    let (report, positions) = found(attacked(tail).dir(), KEPT);
    assert!(positions.contains(&350) && !positions.contains(&351), "{report}");
    said_once(&report);
}

#[test]
fn two_checkpoints_of_which_one_holds_say_between_which_commits() {
    let published = Published::new();
    let dir = published.dir();
    std::fs::copy(dir.join("site/checkpoint"), dir.join("kept")).unwrap();
    // A checkpoint of the first 260 commits, as somebody has kept it.
    done(dir, &["log", "copy", "sqlite:log", "sqlite:less"]);
    let less = TOOLS.replace("log/log.sqlite", "less/log.sqlite");
    rewrite(dir, &format!("{less}\nstore(entries()[:260])"));
    std::fs::remove_dir_all(dir.join("less/snapshots")).ok();
    let note = done(dir, &["--data", "less", "proof", "checkpoint", "--key", "key"]);
    std::fs::write(dir.join("kept-260"), note).unwrap();
    rewrite(dir, &format!("{TOOLS}\n{}", edit(300)));
    std::fs::remove_dir_all(dir.join("log/snapshots")).ok();
    std::fs::remove_dir_all(dir.join("log/proof")).unwrap();
    let (report, _) = found(dir, &[KEPT, &["--checkpoint", "kept-260"]].concat());
    let between = format!("a commit between 261 and {} was changed", published.size());
    assert!(report.contains(&between), "{report}");

    // What is published is not replaced by another history, nor by less of the same.
    let before = std::fs::read(dir.join("site/checkpoint")).unwrap();
    for log in ["log", "less"] {
        let args = ["--data", log, "proof", "publish", "site", "--key", "key"];
        let refused = tranche(dir, &args);
        assert_eq!(refused.status.code(), Some(3), "{log}: {}", said(&refused));
        assert!(said(&refused).contains("was left as it is"), "{log}: {}", said(&refused));
        assert_eq!(std::fs::read(dir.join("site/checkpoint")).unwrap(), before, "{log}");
        assert!(!dir.join("site/tile/0/001.p/4").exists(), "{log}");
    }
}

#[test]
fn a_tile_that_is_damaged_is_named_and_not_the_commit() {
    let published = Published::new();
    let dir = published.dir();
    std::fs::copy(dir.join("site/checkpoint"), dir.join("kept")).unwrap();
    let path = dir.join("log/proof/tile/0/000");
    let before = std::fs::read(&path).unwrap();
    let mut flipped = before.clone();
    flipped[99 * 32] ^= 1;
    std::fs::write(&path, flipped).unwrap();
    let (report, positions) = found(dir, KEPT);
    assert_eq!(positions, [0_u64; 0], "{report}");
    assert!(
        report.contains("tile/0/000 has another hash of the commit at position 100"),
        "{report}"
    );
    std::fs::write(&path, &before[..100]).unwrap();
    let (report, _) = found(dir, KEPT);
    assert!(report.contains("tile/0/000 is damaged"), "{report}");
    std::fs::write(&path, &before).unwrap();
    done(dir, &["--data", "log", "verify"]);
    // Pipes are not waited for.
    let checkpoint = dir.join("log/proof/checkpoint");
    std::fs::remove_file(&checkpoint).unwrap();
    rewrite(dir, "import os\nos.mkfifo('log/proof/checkpoint')");
    let (report, _) = found(dir, KEPT);
    assert!(report.contains("it is no regular file"), "{report}");
}

#[test]
fn what_is_no_file_in_the_place_of_a_document_is_named() {
    let published = with_documents();
    let dir = published.dir();
    let (position, _, data) = first(dir, "proposal.Submitted");
    let hash = data["documents"][0]["sha256"].as_str().unwrap();
    let path = dir.join(format!("documents/sha256/{}/{hash}", &hash[..2]));
    std::fs::remove_file(&path).unwrap();
    rewrite(dir, &format!("import os\nos.mkfifo({path:?})"));
    named(dir, position, "which is changed: what is kept under its name is no regular file");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    named(dir, position, "is no regular file");
    // A slip in the name of the directory is one mistake, not one for each document.
    let none = tranche(dir, &["--data", "log", "verify", "--documents", "no-such"]);
    assert_eq!(none.status.code(), Some(3), "{}", said(&none));
    assert!(!said(&none).contains("missing"), "{}", said(&none));
    let amid = tranche(dir, &["document", "add", "public", "--documents", "log"]);
    assert_eq!(amid.status.code(), Some(2), "{}", said(&amid));
    let name = tranche(dir, &["proof", "key", "a b", "--to", "other-key"]);
    assert_eq!(name.status.code(), Some(2), "{}", said(&name));
}

#[test]
fn a_restored_old_back_up_is_refused_by_the_service_and_found_by_verify() {
    let published = Published::new();
    let dir = published.dir();
    done(dir, &["log", "copy", "sqlite:log", "sqlite:backup"]);
    let clock = ["--clock", "2027-01-01T00:00:00Z"];
    let more =
        ["do", "checkpoint.request", "--actor", "ann", "--role", "auditor", r#"{"reason":"x"}"#];
    done(dir, &[&["--data", "log"], &more[..], &clock].concat());
    done(dir, &["--data", "log", "proof", "checkpoint", "--key", "key"]);
    for name in ["log.sqlite", "log.sqlite-wal", "log.sqlite-shm"] {
        std::fs::remove_file(dir.join("log").join(name)).ok();
        if dir.join("backup").join(name).exists() {
            std::fs::copy(dir.join("backup").join(name), dir.join("log").join(name)).unwrap();
        }
    }
    std::fs::remove_dir_all(dir.join("log/snapshots")).ok();
    let (report, _) = found(dir, &[]);
    let ends = format!("the log ends at {}", published.size());
    assert!(report.contains(&ends), "{report}");
    let serve = ["--data", "log", "serve", "--listen", "127.0.0.1:0", "--key", "key"];
    let refused = tranche(dir, &serve);
    assert_eq!(refused.status.code(), Some(CORRUPT), "{}", said(&refused));
    assert!(said(&refused).contains("commits are missing"), "{}", said(&refused));
}

/// The demo's log beside the documents that it names, and beside nothing that is changed.
fn with_documents() -> Published {
    let published = Published::new();
    let dir = published.dir();
    done(dir, &["--data", "log", "demo", "--once", "--documents", "documents"]);
    std::fs::copy(dir.join("site/checkpoint"), dir.join("kept")).unwrap();
    done(dir, &[&["--data", "log", "verify", "--public", "public"], DOCUMENTS].concat());
    published
}

const DOCUMENTS: &[&str] = &["--documents", "documents"];

/// The first commit with an event of a type: its position, the stream and the data of the event.
fn first(dir: &Path, kind: &str) -> (u64, String, Value) {
    let log = done(dir, &["--data", "log", "export"]);
    let commits = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let found = commits.filter_map(|commit| {
        let event = commit["events"].as_array()?.iter().find(|event| event["type"] == kind)?;
        let stream = event["stream"].as_str()?.to_owned();
        Some((commit["position"].as_u64()?, stream, event["data"].clone()))
    });
    found.into_iter().next().unwrap_or_else(|| panic!("no {kind}"))
}

/// What `verify` says of the one place that names a document which is not as it was.
#[track_caller]
fn named(dir: &Path, position: u64, said: &str) {
    let (report, positions) = found(dir, DOCUMENTS);
    assert_eq!(positions, [position], "{report}");
    assert!(report.contains(said), "{said}: {report}");
}

#[test]
fn a_changed_document_is_named_with_the_commit_the_stream_and_the_field() {
    let published = with_documents();
    let dir = published.dir();
    let (position, stream, data) = first(dir, "proposal.Submitted");
    let hash = data["documents"][0]["sha256"].as_str().unwrap();
    let place = format!("{stream} /documents/0/sha256 names a document of a proposal, {hash}");
    let path = dir.join(format!("documents/sha256/{}/{hash}", &hash[..2]));
    let before = std::fs::read(&path).unwrap();
    // In place, with the length and the times that it had.
    rewrite(
        dir,
        &format!(
            "import os\n\
             path = {path:?}\n\
             stat = os.stat(path)\n\
             os.chmod(path, 0o644)\n\
             data = bytearray(open(path, 'rb').read())\n\
             data[0] ^= 1\n\
             open(path, 'wb').write(data)\n\
             os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))\n"
        ),
    );
    named(dir, position, &format!("{place}, which is changed"));
    std::fs::remove_file(&path).unwrap();
    named(dir, position, &format!("{place}, which is missing"));
    // The auditor has a copy: with it all is well again.
    std::fs::write(dir.join("copy"), before).unwrap();
    done(dir, &[&["document", "add", "copy"], DOCUMENTS].concat());
    done(dir, &[&["--data", "log", "verify"], DOCUMENTS].concat());

    // The event is made to name another one that is there: then the log is what is changed.
    std::fs::write(dir.join("other"), "a better proposal").unwrap();
    let other = done(dir, &[&["document", "add", "other"], DOCUMENTS].concat());
    let edit = format!(
        "all = entries()\n\
         all[{}] = all[{}].replace(b'{hash}', b'{}', 1)\n\
         store(all)",
        position - 1,
        position - 1,
        &other[..64]
    );
    rewrite(dir, &format!("{TOOLS}\n{edit}"));
    std::fs::remove_dir_all(dir.join("log/snapshots")).ok();
    let (report, positions) = found(dir, &[KEPT, DOCUMENTS].concat());
    assert!(positions.contains(&position), "{report}");
    assert!(report.contains("is not what it was when it was hashed"), "{report}");
}

#[test]
fn a_changed_rules_file_is_named_with_the_commit_that_opened_the_call() {
    let published = with_documents();
    let dir = published.dir();
    let (position, stream, data) = first(dir, "call.Opened");
    let hash = data["rules_sha256"].as_str().unwrap();
    let path = dir.join(format!("documents/sha256/{}/{hash}", &hash[..2]));
    let rules = std::fs::read_to_string(&path).unwrap();
    // What is kept is what was recorded, in canonical form.
    assert_eq!(serde_json::from_str::<Value>(&rules).unwrap(), data["rules"]);
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, rules.replacen("\"version\":1", "\"version\":2", 1)).unwrap();
    let place = format!("{stream} /rules_sha256 names a rules document, {hash}");
    // Another call may have the same rules; each place is named.
    let (report, positions) = found(dir, DOCUMENTS);
    assert!(positions.contains(&position), "{report}");
    assert!(report.contains(&format!("{place}, which is changed")), "{report}");
    done(dir, &[&["--data", "log", "document", "add", "--rules"], DOCUMENTS].concat());
    done(dir, &[&["--data", "log", "verify"], DOCUMENTS].concat());

    // In the log itself: the tree is gone with it, nobody has a checkpoint, and nothing was kept.
    std::fs::remove_dir_all(dir.join("log/proof")).unwrap();
    let edit = format!(
        "all = entries()\n\
         before = all[{}]\n\
         all[{}] = before.replace(b'\"version\":1', b'\"version\":2', 1)\n\
         assert all[{}] != before\n\
         store(all)",
        position - 1,
        position - 1,
        position - 1
    );
    rewrite(dir, &format!("{TOOLS}\n{edit}"));
    std::fs::remove_dir_all(dir.join("log/snapshots")).ok();
    let (report, positions) = found(dir, &[]);
    assert_eq!(positions, [position], "{report}");
    let said = format!("{stream} records rules with the digest {hash}, and they have ");
    assert!(report.contains(&said), "{report}");
}
