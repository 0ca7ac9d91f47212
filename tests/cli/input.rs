//! Whatever is typed, the program answers with one of its exit codes and a sentence, and what is
//! not understood changes nothing.

use super::program::{Scratch, command, directory, tranche};
use projections::query::journal::Tests;
use proptest::prelude::*;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Output, Stdio};

const VOTE: &[&str] = &[
    "do",
    "fund.vote_appropriation",
    "--data",
    "log",
    "--clock",
    "2024-09-10T08:00:00Z",
    "--actor",
    "board",
    "--role",
    "governing_board",
];
const PAYLOAD: &str = r#"{"amount":"EUR 5.00","fund":"F","line":"L","source":"S"}"#;

fn vote_from_stdin(dir: &Path, payload: &[u8]) -> Output {
    let mut child = command(directory().join("tranche"), dir)
        .args(VOTE)
        .args(["--id", "typed", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // The program need not read to the end of a payload that is too long.
    let _ = child.stdin.take().expect("a pipe").write_all(payload);
    child.wait_with_output().expect("the program ends")
}

fn head(dir: &Path) -> usize {
    let output = tranche(dir, &["log", "--data", "log", "--json"]);
    assert!(output.status.success(), "{output:?}");
    output.stdout.iter().filter(|byte| **byte == b'\n').count()
}

fn start() -> Scratch {
    let scratch = Scratch::new();
    let args = [VOTE, &["--id", "first", PAYLOAD]].concat();
    let output = tranche(scratch.path(), &args);
    assert!(output.status.success(), "{output:?}");
    scratch
}

#[track_caller]
fn is_refused(output: &Output, code: i32) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(!stderr.is_empty() && !stderr.contains("panicked"), "{stderr}");
    assert!(output.stdout.is_empty(), "{output:?}");
}

#[test]
fn the_journal_refuses_on_the_command_line_what_it_refuses_everywhere_with_the_same_words() {
    let scratch = start();
    let ask = |flag: &str, text: &str| {
        let option = format!("--{flag}={text}");
        tranche(scratch.path(), &["audit", "journal", "--data", "log", &option])
    };
    for (name, text) in [
        ("account_days", "five"),
        ("office_from", "99"),
        ("office_to", "25"),
        ("office_zone", "Mars/Base"),
        ("round", "PLN 100000"),
        ("thresholds", "EUR 1.00,EUR -5.00"),
    ] {
        let said = Tests::default().set(name, text).expect_err(name);
        let output = ask(&name.replace('_', "-"), text);
        is_refused(&output, 2);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(&said), "{said}: {stderr}");
    }
    let output = ask("thresholds", "EUR 5.10,EUR 6.00");
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("below EUR 5.10"), "{told}");
}

#[test]
fn a_payload_that_is_not_a_payload_is_refused_and_nothing_is_recorded() {
    let scratch = start();
    let long = format!(r#"{{"amount":"{}"}}"#, "9".repeat(70_000));
    let deep = "[".repeat(60_000);
    let payloads: &[&[u8]] = &[
        b"",
        b"{",
        b"null",
        b"{}",
        b"[]",
        b"\xff\xfe",
        br#"{"amount":"EUR 5.00","fund":"F","line":"L","source":"S","more":1}"#,
        br#"{"amount":"EUR 5.00","fund":"F","line":"L","source":"S"} {}"#,
        br#"{"amount":"EUR 5.001","fund":"F","line":"L","source":"S"}"#,
        br#"{"amount":"EUR 99999999999999999999.00","fund":"F","line":"L","source":"S"}"#,
        br#"{"amount":5,"fund":"F","line":"L","source":"S"}"#,
        br#"{"amount":"EUR 5.00","fund":"F/../..","line":"L","source":"S"}"#,
        b"{\"amount\":\"EUR 5.00\",\"fund\":\"F\",\"line\":\"\xff\",\"source\":\"S\"}",
        long.as_bytes(),
        deep.as_bytes(),
    ];
    for payload in payloads {
        is_refused(&vote_from_stdin(scratch.path(), payload), 2);
    }
    assert_eq!(head(scratch.path()), 1);
}

#[test]
fn an_argument_that_is_not_utf_8_is_refused() {
    let scratch = Scratch::new();
    for args in [vec!["do"], vec!["show"], vec!["log", "--log"], vec!["log", "--from"], vec![]] {
        let mut program = command(directory().join("tranche"), scratch.path());
        let output = program.args(&args).arg(OsStr::from_bytes(b"\xff\xfe")).output().unwrap();
        is_refused(&output, 2);
    }
}

#[test]
fn a_closed_pipe_is_success() {
    let scratch = start();
    let script = "(tranche log --data log --json; echo $? >&2) | true";
    for _ in 0..3 {
        let output = command("/bin/sh", scratch.path()).args(["-c", script]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "0\n");
    }
}

#[test]
fn damage_is_named_by_verify_and_nothing_else_reads_on() {
    let scratch = start();
    let path = scratch.path().join("log/log.sqlite");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(8).rposition(|window| window == b"EUR 5.00").unwrap();
    bytes[at + 4] = b'6';
    std::fs::write(&path, &bytes).unwrap();

    let output = tranche(scratch.path(), &["verify", "--data", "log"]);
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.starts_with("row 1..1: crc32 is "), "{stdout}");
    is_refused(&tranche(scratch.path(), &["log", "--data", "log"]), 5);
    is_refused(&tranche(scratch.path(), &["export", "--data", "log"]), 5);
}

#[test]
fn an_end_that_was_lost_is_named_and_nothing_is_decided_on_what_is_left() {
    let scratch = start();
    let log = scratch.path().join("log/log.sqlite");
    let old = std::fs::read(&log).unwrap();
    let second = [VOTE, &["--id", "second", PAYLOAD]].concat();
    assert!(tranche(scratch.path(), &second).status.success());
    std::fs::write(&log, old).unwrap();
    for wal in ["log/log.sqlite-wal", "log/log.sqlite-shm"] {
        let _ = std::fs::remove_file(scratch.path().join(wal));
    }
    let output = tranche(scratch.path(), &["verify", "--data", "log"]);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(stdout.starts_with("position 2: ") && stdout.contains("the log ends at 1"), "{stdout}");
    let output = tranche(scratch.path(), &second);
    is_refused(&output, 5);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("position 2: ") && stderr.contains("move the snapshot away"),
        "{stderr}"
    );
    is_refused(&tranche(scratch.path(), &["show", "budget", "--data", "log"]), 5);
    // On purpose.
    std::fs::rename(scratch.path().join("log/snapshots"), scratch.path().join("away")).unwrap();
    assert!(tranche(scratch.path(), &second).status.success());
}

#[test]
fn a_log_that_another_process_writes_can_be_read_and_not_written() {
    let scratch = start();
    let held = eventlog::Sqlite::open(&scratch.path().join("log")).unwrap();
    let output = tranche(scratch.path(), &[VOTE, &["--id", "second", PAYLOAD]].concat());
    is_refused(&output, 4);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let holder = format!("process {}", std::process::id());
    assert!(stderr.contains(&holder), "{stderr}");
    assert_eq!(head(scratch.path()), 1);
    let rehearsal = [VOTE, &["--id", "second", "--dry-run", PAYLOAD]].concat();
    assert!(tranche(scratch.path(), &rehearsal).status.success());
    drop(held);
}

#[test]
fn an_address_that_others_can_reach_is_refused_unless_the_network_is_trusted() {
    let scratch = start();
    let serve = ["serve", "--data", "log", "--listen", "0.0.0.0:0"];
    let output = tranche(scratch.path(), &serve);
    is_refused(&output, 2);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("there is no login yet") && stderr.contains("--trust-network"));
    let demo = ["demo", "--once", "--data", "demo", "--listen", "[::]:0"];
    is_refused(&tranche(scratch.path(), &demo), 2);
    assert!(!scratch.path().join("demo").exists(), "refused before anything is done");

    let mut child = command(directory().join("tranche"), scratch.path())
        .args(serve)
        .arg("--trust-network")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("serving http://0.0.0.0:"));
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.starts_with("warning: 0.0.0.0:0 can be reached from other machines"),
        "{stderr}"
    );
}

#[test]
fn a_command_waits_in_turn_for_whoever_is_done_soon() {
    let scratch = start();
    let held = eventlog::Sqlite::open(&scratch.path().join("log")).unwrap();
    let soon = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(600));
        drop(held);
    });
    let output = tranche(scratch.path(), &[VOTE, &["--id", "second", PAYLOAD]].concat());
    soon.join().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("waiting for at most 2 s"), "{stderr}");
    assert_eq!(head(scratch.path()), 2);
}

#[test]
fn the_past_is_shown_at_the_position_that_was_the_last_one_then() {
    let scratch = start();
    let mut later = [VOTE, &["--id", "second", PAYLOAD]].concat();
    let clock = later.iter_mut().find(|arg| arg.starts_with("2024-09-10")).unwrap();
    *clock = "2024-09-20T08:00:00Z";
    assert!(tranche(scratch.path(), &later).status.success());
    let position = |known_at: &str| {
        let ask = ["show", "budget", "--data", "log", "--json", "--known-at", known_at];
        let output = tranche(scratch.path(), &ask);
        assert!(output.status.success(), "{output:?}");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (report["position"].as_u64().unwrap(), said)
    };
    for (known_at, expected) in [
        ("2024-09-10T07:59:59Z", 0),
        ("2024-09-10T08:00:00Z", 1),
        ("2024-09-19T00:00:00Z", 1),
        ("2024-09-20T08:00:00Z", 2),
        ("2030-01-01T00:00:00Z", 2),
    ] {
        let (found, said) = position(known_at);
        assert_eq!(found, expected, "{known_at}");
        assert!(said.contains(&format!("position {expected},")), "{said}");
    }
}

#[test]
fn who_follows_the_log_sees_what_is_recorded_later() {
    let scratch = start();
    let follower = command(directory().join("tranche"), scratch.path())
        .args(["log", "--data", "log", "--follow", "--limit", "2", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = tranche(scratch.path(), &[VOTE, &["--id", "second", PAYLOAD]].concat());
    assert!(output.status.success(), "{output:?}");
    let followed = follower.wait_with_output().unwrap();
    let exported = tranche(scratch.path(), &["export", "--data", "log"]);
    assert_eq!(followed.stdout, exported.stdout);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(
        args in prop::collection::vec(
            prop_oneof![
                prop::sample::select(vec![
                    "do", "show", "log", "verify", "export", "rules", "check", "list", "--data",
                    "--log", "memory:", "--json", "--from", "--as-of", "2024-02-30", "--set",
                    "fund.vote_appropriation", "--help", "-", "--", "budget",
                ]).prop_map(|word| word.as_bytes().to_vec()),
                prop::collection::vec(1_u8.., 0..12),
            ],
            0..6,
        ),
    ) {
        let scratch = Scratch::new();
        let args: Vec<&OsStr> = args.iter().map(|arg| OsStr::from_bytes(arg)).collect();
        // A server or a follower would run on.
        prop_assume!(!args.iter().any(|arg| *arg == "serve" || arg.as_bytes().contains(&b'f')));
        let mut program = command(directory().join("tranche"), scratch.path());
        let output = program.args(&args).stdin(Stdio::null()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        prop_assert!(output.status.code().is_some_and(|code| code <= 5), "{args:?}: {stderr}");
        prop_assert!(!stderr.contains("panicked"), "{args:?}: {stderr}");
    }
}

#[test]
fn an_input_that_is_too_long_is_said_to_be_the_input() {
    let scratch = start();
    let output = vote_from_stdin(scratch.path(), &[b' '; 200_000]);
    is_refused(&output, 2);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        said, "usage: standard input is longer: a command has at most 65535 bytes\n",
        "not a decision that was never made"
    );
}

#[test]
fn a_server_that_does_not_get_its_address_makes_no_log() {
    let scratch = Scratch::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for task in ["serve", "demo"] {
        let output = tranche(scratch.path(), &[task, "--data", "fresh", "--listen", &address]);
        is_refused(&output, 4);
        assert!(!scratch.path().join("fresh").exists(), "{task}: {output:?}");
    }
}

/// The script that runs the tests, on a machine that has nothing but what every system has, as root.
#[test]
fn the_test_script_installs_whatever_is_missing() {
    let scratch = Scratch::new();
    let path = scratch.path();
    for name in ["bash", "dirname", "mkdir"] {
        let real = ["/usr/bin", "/bin"].map(|dir| Path::new(dir).join(name));
        let real = real.iter().find(|real| real.exists()).expect(name);
        std::os::unix::fs::symlink(real, path.join(name)).unwrap();
    }
    for (name, script) in [("id", "echo 0"), ("apt-get", "echo \"$@\" >> \"$ASKED\"; exit 7")] {
        std::fs::write(path.join(name), format!("#!/bin/bash\n{script}\n")).unwrap();
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(path.join(name), executable).unwrap();
    }
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("run");
    let output = std::process::Command::new("/bin/bash")
        .arg(run)
        .env_clear()
        .envs([("PATH", path), ("ASKED", &path.join("asked"))])
        .output()
        .unwrap();
    assert!(!output.status.success(), "{output:?}");
    let asked = std::fs::read_to_string(path.join("asked")).expect("apt-get was called");
    let first = asked.lines().next().unwrap();
    for package in ["install", "nodejs", "npm", "python3", "python3-venv", "chromium"] {
        assert!(first.split(' ').any(|word| word == package), "{package}: {asked}");
    }
}
