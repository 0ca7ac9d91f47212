//! Witnesses: whoever holds the key of a log can sign two histories for two readers. Nobody inside can see
//! that; a witness outside does, and so do readers who ask for its cosignature.

mod requests;

use crate::cli::program::{Scratch, command, directory, tranche};
use crate::tls::{self, Front, HERE};
use eventlog::{Log, Sqlite};
use std::io::BufRead;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Output, Stdio};

const HISTORY: &str = include_str!("history/0.1.0.jsonl");
/// So many commits both histories have, and the next ones differ.
const SAME: usize = 299;
/// A check has found something.
const FOUND: i32 = 1;

fn said(output: &Output) -> String {
    let (out, error) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(error))
}

#[track_caller]
fn done(dir: &Path, args: &[&str]) -> String {
    ended(dir, args, 0)
}

/// Runs the program, which ends with this code, and gives all that it said.
#[track_caller]
fn ended(dir: &Path, args: &[&str], code: i32) -> String {
    let output = tranche(dir, args);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", said(&output));
    if code == 0 { String::from_utf8(output.stdout).expect("text") } else { said(&output) }
}

/// `tranche witness serve` as a process of its own: killed at the end, whatever happens.
struct Served {
    child: Child,
    address: SocketAddr,
}

impl Served {
    /// Remembers in `witness`, has the key `wkey`, and watches the log of `public`.
    fn start(dir: &Path) -> Self {
        let mut child = command(directory().join("tranche"), dir)
            .args(["witness", "serve", "--dir", "witness", "--key", "wkey", "--watch", "public"])
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let output = child.stdout.take().expect("its output");
        let mut lines = std::io::BufReader::new(output).lines();
        let line = lines.next().expect("a line").expect("text");
        let address = line.split_once("http://").expect("its address").1;
        Self { address: address.trim().parse().expect("an address"), child }
    }

    fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// SIGKILL: nothing is told, nothing is finished.
    fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("its end");
    }

    /// SIGTERM.
    fn stop(mut self) {
        let process = self.child.id().to_string();
        let sent = std::process::Command::new("kill").arg(process).status();
        assert!(sent.expect("kill is there").success());
        assert!(self.child.wait().expect("its end").success(), "it ends well when it is told to");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The keys of a log and of its witness, in a directory.
fn keys() -> Scratch {
    let scratch = Scratch::new();
    let dir = scratch.path();
    let public = done(dir, &["proof", "key", "demo.example/log", "--to", "key"]);
    std::fs::write(dir.join("public"), public).unwrap();
    for (secret, public) in [("wkey", "wpublic"), ("otherkey", "otherpublic")] {
        let name = format!("{secret}.example/witness");
        let key = done(dir, &["witness", "key", &name, "--to", secret]);
        std::fs::write(dir.join(public), key).unwrap();
    }
    scratch
}

/// Puts commits behind those that a log has.
async fn record(dir: &Path, name: &str, entries: &[String]) {
    let log = Sqlite::open(&dir.join(name)).expect("a log");
    let head = log.head().await.expect("a head");
    let entries = entries.iter().map(|line| line.clone().into()).collect();
    log.append(head, entries).await.expect("it is recorded");
}

/// Asks the witness for a log, with the exit code that is expected, and gives what was said.
#[track_caller]
fn ask(dir: &Path, log: &str, served: &Served, code: i32) -> String {
    let url = served.url();
    let ask = ["--data", log, "proof", "witness", &url, "--public", "wpublic", "--key", "key"];
    ended(dir, &ask, code)
}

/// A proof that commit 300 of a log is in it, and that commit, in files named after the log.
fn prove(dir: &Path, log: &str, entry: &str) -> (String, String) {
    let (proof, commit) = (format!("{log}.tlog-proof"), format!("{log}.commit"));
    let position = (SAME + 1).to_string();
    let text = done(dir, &["--data", log, "proof", "commit", &position, "--key", "key"]);
    std::fs::write(dir.join(&proof), text).unwrap();
    std::fs::write(dir.join(&commit), entry).unwrap();
    (proof, commit)
}

/// A quorum of two witnesses, of whom one was asked.
fn a_quorum_is_met_or_not(dir: &Path, proof: &str, commit: &str) {
    let both =
        ["wpublic", "otherpublic"].map(|name| std::fs::read_to_string(dir.join(name)).unwrap());
    std::fs::write(dir.join("both"), both.concat()).unwrap();
    let check = ["proof", "check", proof, commit, "--public", "public", "--witness"];
    ended(dir, &[&check[..], &["both"]].concat(), FOUND);
    done(dir, &[&check[..], &["both", "--quorum", "1"]].concat());
    ended(dir, &[&check[..], &["both", "--quorum", "3"]].concat(), 2);
    let refused = ended(dir, &[&check[..], &["public"]].concat(), 2);
    assert!(
        refused.contains("not a key of a witness"),
        "the log is not its own witness: {refused}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_history_with_the_same_key_is_refused_by_the_witness_and_by_its_readers() {
    let scratch = keys();
    let dir = scratch.path();
    let lines: Vec<String> = HISTORY.lines().map(str::to_owned).collect();
    let mut other = lines[..=SAME].to_vec();
    other[SAME] = other[SAME].replacen("\"actor\"", "\"Actor\"", 1);
    assert_ne!(other[SAME], lines[SAME]);
    record(dir, "a", &lines[..=SAME]).await;
    record(dir, "b", &other).await;
    record(dir, "longer", &other).await;
    record(dir, "longer", &lines[SAME + 1..SAME + 40]).await;
    let served = Served::start(dir);

    // One reader is shown A. The witness has seen it, as another program confirms.
    let note = ask(dir, "a", &served, 0);
    std::fs::write(dir.join("a.checkpoint"), &note).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("witness/cosigned.py");
    let python = |note: &str| {
        command("python3", dir).arg(&script).args([note, "wpublic"]).output().expect("Python 3")
    };
    let output = python("a.checkpoint");
    assert!(output.status.success(), "{}", said(&output));
    std::fs::write(dir.join("changed"), note.replacen("300", "301", 1)).unwrap();
    assert!(!python("changed").status.success(), "another text is not cosigned");
    let (proof, commit) = prove(dir, "a", &lines[SAME]);
    let asked = ["--public", "public", "--witness", "wpublic"];
    done(dir, &[&["proof", "check", &proof, &commit], &asked[..]].concat());
    let kept = ["--data", "a", "verify", "--checkpoint", "a.checkpoint"];
    assert!(done(dir, &[&kept, &asked[..]].concat()).contains("signed checkpoints"));

    // The other is shown B: of the same size, and longer. The keys are right, and all proofs are.
    assert!(ask(dir, "b", &served, FOUND).contains("SPLIT VIEW"));
    assert!(ask(dir, "longer", &served, FOUND).contains("SPLIT VIEW"));
    let evidence = std::fs::read_dir(dir.join("witness/evidence")).unwrap().count();
    assert_eq!(evidence, 2, "both signed heads are kept");
    let (proof_b, commit_b) = prove(dir, "b", &other[SAME]);
    let check = ["proof", "check", &proof_b, &commit_b, "--public", "public"];
    done(dir, &check);
    let refused = ended(dir, &[&check, &asked[2..]].concat(), FOUND);
    assert!(refused.contains("cosigned by none of the known witnesses"), "{refused}");
    // The cosignature of A does not fit to B.
    let line = note.lines().find(|line| line.contains("wkey.example")).unwrap();
    let grafted = std::fs::read_to_string(dir.join(&proof_b)).unwrap() + line + "\n";
    std::fs::write(dir.join(&proof_b), grafted).unwrap();
    ended(dir, &[&check, &asked[2..]].concat(), FOUND);
    let b = done(dir, &["--data", "b", "proof", "checkpoint", "--key", "key"]);
    std::fs::write(dir.join("b.checkpoint"), b).unwrap();
    let kept = ["--data", "b", "verify", "--checkpoint", "b.checkpoint"];
    let refused = ended(dir, &[&kept, &asked[..]].concat(), FOUND);
    assert!(refused.contains("b.checkpoint: signature: cosigned by none"), "{refused}");

    a_quorum_is_met_or_not(dir, &proof, &commit);

    // The honest log goes on, also if it has forgotten what the witness has seen.
    record(dir, "a", &lines[SAME + 1..SAME + 10]).await;
    let cosigned = ask(dir, "a", &served, 0);
    assert!(cosigned.contains("\n309\n"));
    record(dir, "a", &lines[SAME + 10..SAME + 12]).await;
    let publish = ["--data", "a", "proof", "publish", "site", "--key", "key", "--cosigned"];
    assert_eq!(done(dir, &publish), "published 309 commits in site\n");
    assert_eq!(std::fs::read_to_string(dir.join("site/checkpoint")).unwrap(), cosigned);
    assert!(dir.join("site/tile/entries/001.p/53").exists());
    std::fs::remove_dir_all(dir.join("a/proof/cosigned")).unwrap();
    record(dir, "a", &lines[SAME + 12..]).await;
    assert!(ask(dir, "a", &served, 0).contains(&format!("\n{}\n", lines.len())));
    served.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_witness_remembers_over_a_kill_and_sees_a_log_that_was_put_back() {
    let scratch = keys();
    let dir = scratch.path();
    let lines: Vec<String> = HISTORY.lines().map(str::to_owned).collect();
    record(dir, "log", &lines[..200]).await;
    record(dir, "back-up", &lines[..100]).await;
    let served = Served::start(dir);
    ask(dir, "log", &served, 0);
    let second = ["witness", "serve", "--dir", "witness", "--key", "wkey", "--watch", "public"];
    // Two of one memory would be two witnesses.
    let second = [&second[..], &["--listen", "127.0.0.1:0"]].concat();
    ended(dir, &second, 4);
    served.kill();
    let served = Served::start(dir);
    let rolled_back = ask(dir, "back-up", &served, FOUND);
    assert!(rolled_back.contains("ROLLED BACK"), "{rolled_back}");
    assert!(rolled_back.contains("200 commits of this log, and here are 100"), "{rolled_back}");
    record(dir, "log", &lines[200..201]).await;
    ask(dir, "log", &served, 0);
    let stranger = done(dir, &["proof", "key", "other.example/log", "--to", "stranger"]);
    assert!(stranger.contains("other.example"));
    let url = served.url();
    let ask_for = ["--data", "log", "proof", "witness", &url, "--key", "stranger", "--tree", "t"];
    let unknown = ended(dir, &[&ask_for[..], &["--public", "wpublic"]].concat(), 3);
    assert!(unknown.contains("answered 404"), "{unknown}");
    // A key of another witness proves nothing.
    let other = ["--data", "log", "proof", "witness", &url, "--key", "key"];
    let wrong = ended(dir, &[&other[..], &["--public", "otherpublic"]].concat(), FOUND);
    assert!(wrong.contains("cosigned by none"), "{wrong}");
    served.kill();

    // What was remembered, changed by one digit, is not taken for nothing.
    let heads = dir.join("witness/heads");
    let head = std::fs::read_dir(heads).unwrap().next().unwrap().unwrap().path();
    let note = std::fs::read_to_string(&head).unwrap();
    std::fs::write(&head, note.replacen("\n201\n", "\n200\n", 1)).unwrap();
    ended(dir, &second, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_a_witness_is_asked_when_its_certificate_is_believed_and_not_otherwise() {
    let scratch = keys();
    let dir = scratch.path();
    let lines: Vec<String> = HISTORY.lines().take(20).map(str::to_owned).collect();
    record(dir, "log", &lines).await;
    let served = Served::start(dir);
    let front = Front::of(served.address, HERE);
    let other = Front::of(served.address, HERE);
    let url = front.url("/");
    let ask = ["--data", "log", "proof", "witness", &url, "--public", "wpublic", "--key", "key"];
    let unknown = tls::ended(dir, &other.authority(), &ask, 4);
    assert!(unknown.contains("is not believed: no authority that is known here"), "{unknown}");
    assert!(!dir.join("witness/heads").read_dir().unwrap().any(|_| true), "it heard nothing");
    let note = tls::ended(dir, &front.authority(), &ask, 0);
    assert!(note.contains("\n20\n") && note.contains("wkey.example/witness"), "{note}");
    served.stop();
}
