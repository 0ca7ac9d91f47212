//! `tranche-verify`, which auditors build without the rest: it says of every log, pack and proof what
//! `tranche verify` and `tranche proof check` say, and ends with the same exit code.

use super::attacks::{TOOLS, attacked, edit};
use super::{CORRUPT, FOUND, Published, done, flip, rewrite, said};
use crate::cli::program::{tranche, tranche_verify};
use crate::life::Dice;
use std::path::Path;

/// So many bits of a pack are changed.
const FLIPS: usize = 20;

/// Both programs say the same and end alike, with this exit code if there is one. The small one knows no
/// snapshots.
#[track_caller]
fn agree(dir: &Path, large: &[&str], small: &[&str], code: Option<i32>) -> String {
    let (large, small) = (tranche(dir, large), tranche_verify(dir, small));
    assert_eq!(large.status.code(), small.status.code(), "{}{}", said(&large), said(&small));
    if code.is_some() {
        assert_eq!(small.status.code(), code, "{}", said(&small));
    }
    let is_of_snapshots = |part: &&str| part.ends_with(" snapshot") || part.ends_with(" snapshots");
    let expected = said(&large);
    let lines = expected.lines().map(|line| {
        let parts: Vec<&str> = line.split(", ").filter(|part| !is_of_snapshots(part)).collect();
        parts.join(", ")
    });
    assert_eq!(said(&small).lines().collect::<Vec<_>>(), lines.collect::<Vec<_>>());
    said(&small)
}

#[test]
fn of_a_sound_log_it_says_the_same_and_of_its_export_too() {
    let published = Published::new();
    let dir = published.dir();
    std::fs::copy(dir.join("site/checkpoint"), dir.join("kept")).unwrap();
    done(dir, &["--data", "log", "proof", "record", "--key", "key"]);
    done(dir, &["--data", "log", "export", "--to", "log.jsonl"]);
    let more = ["--public", "public", "--checkpoint", "kept"];
    let large = [&["--data", "log", "verify"], &more[..]].concat();
    let told = agree(dir, &large, &[&["log", "log"], &more[..]].concat(), Some(0));
    assert!(told.contains("signed checkpoints"), "{told}");
    agree(dir, &large, &[&["log", "log/log.sqlite"], &more[..]].concat(), Some(0));
    let lines = ["log", "log.jsonl", "--tree", "log/proof"];
    agree(dir, &large, &[&lines, &more[..]].concat(), Some(0));
    agree(dir, &["--data", "log", "verify"], &["log", "log"], Some(0));
    let (large, small) = ([&large[..], &["--bytes"]].concat(), ["log", "log", "--bytes"]);
    agree(dir, &large, &[&small, &more[..]].concat(), Some(0));
}

#[test]
fn of_a_spoilt_log_it_finds_the_same() {
    let more = ["--public", "public", "--checkpoint", "kept"];
    let large = [&["--data", "log", "verify"], &more[..]].concat();
    let small = [&["log", "log"], &more[..]].concat();
    for script in [
        edit(100),
        "all = entries()\ndel all[149]\nstore(all)".to_owned(),
        "all = entries()\nall[9], all[10] = all[10], all[9]\nstore(all)".to_owned(),
        "all = entries()\nall[19] = b'{}'\nstore(all)".to_owned(),
    ] {
        let published = attacked(&script);
        let dir = published.dir();
        agree(dir, &large, &small, Some(FOUND));
        let bytes = ["--bytes"];
        agree(dir, &[&large, &bytes[..]].concat(), &[&small, &bytes[..]].concat(), Some(FOUND));
    }
    let published = attacked("");
    let dir = published.dir();
    let damage = "log.execute(\"update groups set body = replace(body, 'actor', 'actoR') \
                  where first = (select max(first) from groups)\")\nlog.commit()";
    rewrite(dir, &format!("{TOOLS}\n{damage}"));
    let told = agree(dir, &large, &small, Some(CORRUPT));
    assert!(told.contains("the commits were not checked, since rows are damaged"), "{told}");
}

#[test]
fn of_packs_and_proofs_it_says_the_same() {
    let published = Published::new();
    let dir = published.dir();
    done(dir, &["--data", "log", "proof", "record", "--key", "key"]);
    let pack = ["audit", "pack", "--scope", "all", "--public", "public", "--to", "all.tar"];
    done(dir, &[&["--data", "log"], &pack[..]].concat());
    let large = ["verify", "--pack", "all.tar"];
    let told = agree(dir, &large, &["pack", "all.tar"], Some(0));
    assert!(told.contains("signed by a key of the pack itself"), "{told}");
    let public = ["--public", "public"];
    let (large, small) =
        ([&large, &public[..]].concat(), [&["pack", "all.tar"], &public[..]].concat());
    agree(dir, &large, &small, Some(0));
    let mut dice = Dice::of_seed(1);
    for _ in 0..FLIPS {
        let mend = flip(&dir.join("all.tar"), &mut dice);
        agree(dir, &large, &small, None);
        mend();
    }

    let proof = done(dir, &["--data", "log", "proof", "commit", "20", "--key", "key"]);
    let log = done(dir, &["--data", "log", "export"]);
    std::fs::write(dir.join("one.tlog-proof"), proof).unwrap();
    std::fs::write(dir.join("commit"), log.lines().nth(19).unwrap()).unwrap();
    std::fs::write(dir.join("other"), log.lines().nth(20).unwrap()).unwrap();
    for (commit, code) in [("commit", 0), ("other", FOUND), ("nothing", 3)] {
        let small = ["proof", "one.tlog-proof", commit, "--public", "public"];
        let large = [&["proof", "check"], &small[1..]].concat();
        agree(dir, &large, &small, Some(code));
    }
}

#[test]
fn what_it_cannot_understand_it_says_and_ends_as_the_help_tells() {
    let published = Published::new();
    let dir = published.dir();
    std::fs::write(dir.join("no.tar"), "no archive").unwrap();
    for (args, code) in [
        (&["--help"][..], 0),
        (&["--version"], 0),
        (&[], 2),
        (&["look"], 2),
        (&["proof", "a", "b"], 2),
        (&["log", "log", "--quorum", "1"], 2),
        (&["log", "nothing"], 3),
        (&["log", "site"], 3),
        (&["pack", "log"], 4),
        (&["pack", "no.tar"], CORRUPT),
    ] {
        let output = tranche_verify(dir, args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", said(&output));
    }
}
