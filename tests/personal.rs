//! Personal data: no field of an event holds any in clear, and of a person who was erased nothing is left.

mod fields;
mod office;
mod traces;

use crate::cli::program::{Scratch, command, tranche};
use office::{ADA, BEA, DECIDED, OTTO, Office, said};
use serde_json::{Value, json};
use std::path::Path;
use traces::{files, traces};

/// What was there before the erasure.
struct Before {
    office: Office,
    /// The positions of the commits about the expert, of each of which there is a proof.
    about: Vec<usize>,
    ranking: String,
}

impl Before {
    fn dir(&self) -> &Path {
        self.office.scratch.path()
    }
}

/// A round is ranked and decided; there is a copy, a proof of each commit about the expert, and exports.
fn before() -> Before {
    let mut office = Office::new();
    let dir = office.scratch.path().to_owned();
    office.register(&ADA);
    office.register(&BEA);
    office::round(&mut office);
    office::evaluated(&mut office);
    let ranking = office.told(&["show", "ranking", "--json"]);
    let copied = tranche(&dir, &["log", "copy", "sqlite:log", "sqlite:backup"]);
    assert!(copied.status.success(), "{}", said(&copied));
    let public = office.told(&["proof", "key", "office.example/log", "--to", "key"]);
    std::fs::write(dir.join("public"), public).unwrap();
    office.told(&["export", "--to", "log.jsonl"]);
    let text = std::fs::read_to_string(dir.join("log.jsonl")).unwrap();
    let mut about = Vec::new();
    for (at, line) in (1..).zip(text.lines()).filter(|(_, line)| line.contains(ADA.id)) {
        let proof = office.told(&["proof", "commit", &at.to_string(), "--key", "key"]);
        std::fs::write(dir.join(format!("{at}.tlog-proof")), proof).unwrap();
        std::fs::write(dir.join(format!("{at}.commit")), line).unwrap();
        about.push(at);
    }
    // Registered, appointed, in conflict, and two reports.
    assert_eq!(about.len(), 5, "{about:?}");
    Before { office, about, ranking }
}

/// Whoever holds the keys could read it, and two people can.
fn opened_by_two(office: &mut Office) {
    office.told(&["--keys", "keys", "subject", "check"]);
    let ask = json!({ "subject": ADA.id, "opening": "O1", "ground": "audit", "case": "A-1",
        "purposes": ["contact", "conflict"] });
    office.give(DECIDED, ("aud", "auditor"), "subject.request_opening", &ask);
    let by = ["--opening", "O1", "--actor", "aud"];
    let export = ["--keys", "keys", "--clock", DECIDED, "subject", "export", ADA.id];
    let export = [&export[..], &by[..]].concat();
    let alone = office.run(&export, None);
    assert_eq!(alone.status.code(), Some(1), "not approved: {}", said(&alone));
    let approve = json!({ "subject": ADA.id, "opening": "O1" });
    office.give(DECIDED, ("auth", "authorising_officer"), "subject.approve_opening", &approve);
    let before = std::mem::take(&mut office.said);
    let opened = office.told(&export);
    let shown = [0, 1, 2, 3, 4].map(|part: usize| opened.contains(ADA.parts[part]));
    assert_eq!(shown, [true, true, true, false, true], "{opened}");
    // What they were shown is theirs to keep secret.
    office.said = before;
}

#[test]
fn of_an_erased_expert_nothing_is_left_and_everything_still_verifies() {
    let mut before = before();
    let dir = before.dir().to_owned();
    assert_eq!(traces(&dir, &ADA, &before.office.said), Vec::<String>::new(), "already now");
    opened_by_two(&mut before.office);
    let Before { mut office, about, ranking } = before;

    // Too early; and then not.
    let erase = json!({ "subject": ADA.id, "basis": "no_longer_necessary", "case": "E-1",
        "purposes": ["contact"] });
    let early = ["--keys", "keys", "--clock", "2029-12-10T09:59:00Z", "do", "subject.erase", "-"];
    let early = office.run(&[&early[..], &["--actor", "otto"]].concat(), Some(&erase));
    assert!(said(&early).contains("is kept until"), "{}", said(&early));
    let told = office.give("2029-12-11T09:59:00Z", OTTO, "subject.erase", &erase);
    assert!(told.contains("3 keys destroyed"), "{told}");

    assert_eq!(traces(&dir, &ADA, &office.said), Vec::<String>::new());
    let keys: Vec<_> = std::fs::read_dir(dir.join("keys")).unwrap().collect();
    assert_eq!(keys.len(), 1, "only those of the other expert: {keys:?}");
    let left = office.told(&["--keys", "keys", "subject", "check"]);
    assert_eq!(left, "4 sealed values open with their keys, 5 erased lawfully\n");
    let shown = office.told(&["subject", "show", ADA.id]);
    assert!(shown.contains("contact: erased lawfully 2029-12-11"), "{shown}");
    assert!(office.told(&["show", "persons"]).contains("erased lawfully"));

    office.told(&["verify"]);
    office.told(&["replay"]);
    for at in &about {
        let (proof, commit) = (format!("{at}.tlog-proof"), format!("{at}.commit"));
        let check = office.told(&["proof", "check", &proof, &commit, "--public", "public"]);
        assert!(check.contains("it is in the log"), "{check}");
    }
    let again = office.told(&["show", "ranking", "--json"]);
    let rows = |text: &str| serde_json::from_str::<Value>(text).unwrap()["tables"].clone();
    assert_eq!(rows(&again), rows(&ranking), "the same order");
    assert!(rows(&again).to_string().contains("\"B\""), "{again}");
    // The copy knows nothing of the erasure, and holds ciphertext only.
    let copy = tranche(&dir, &["--data", "backup", "--keys", "keys", "subject", "check"]);
    assert_eq!(copy.status.code(), Some(1), "{}", said(&copy));
    assert!(said(&copy).contains("its key is not here"), "{}", said(&copy));
}

#[test]
fn an_erasure_that_a_crash_cut_short_is_finished_at_the_next_start() {
    let mut office = Office::new();
    let dir = office.scratch.path().to_owned();
    office.register(&ADA);
    // Recorded, and the process is gone before it looks at the keys: as if it had none.
    let erase =
        json!({ "subject": ADA.id, "basis": "objection", "case": "E-1", "purposes": ["contact"] });
    office.told(&["do", "subject.erase", &erase.to_string(), "--actor", "otto"]);
    let check = office.run(&["--keys", "keys", "subject", "check"], None);
    assert!(said(&check).contains("erased, and its key is still here"), "{}", said(&check));
    // Any start with the keys makes up for it.
    office.told(&["--keys", "keys", "subject", "sweep"]);
    let check = office.told(&["--keys", "keys", "subject", "check"]);
    assert_eq!(check, "0 sealed values open with their keys, 4 erased lawfully\n");
    assert_eq!(std::fs::read_dir(dir.join("keys")).unwrap().count(), 0);
    // And nothing is taken without keys, or repeated.
    let bea = json!({ "subject": BEA.id, "contact": { "name": BEA.parts[0], "email": BEA.parts[1],
        "affiliation": BEA.parts[2] } });
    let output = office.run(&["do", "subject.register", "-", "--actor", "otto"], Some(&bea));
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert_eq!(traces(&dir, &BEA, &office.said), Vec::<String>::new());
}

#[test]
fn the_written_format_is_enough_to_seal_and_to_open() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("personal/seal.py");
    let scratch = Scratch::new();
    let python = |args: &[&str]| {
        let output = command("python3", scratch.path()).arg(&script).args(args).output().unwrap();
        (output.status.success(), said(&output))
    };
    // The program seals the same example to the same bytes: services/tranche/src/vault/tests.rs.
    let expected = include_str!("personal/sealed.txt");
    assert_eq!(python(&[]), (true, expected.to_owned()));
    // And what the program has sealed, the other one opens with the key of the file.
    let mut office = Office::new();
    office.register(&ADA);
    let log: Value = serde_json::from_str(&office.told(&["export"])).unwrap();
    let event = &log["events"][0];
    let sealed = &event["data"]["contact"]["name"];
    let mut keys = Vec::new();
    files(&office.scratch.path().join("keys"), &mut keys);
    let key = keys.iter().find(|path| path.to_string_lossy().contains("contact-")).unwrap();
    let key = std::fs::read(key).unwrap()[16..]
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut args = vec![
        "open".to_owned(),
        key,
        ADA.id.to_owned(),
        text(&sealed["purpose"]),
        text(&event["stream"]),
        text(&event["type"]),
        "/contact/name".to_owned(),
        text(&sealed["commitment"]),
        text(&sealed["nonce"]),
        text(&sealed["ciphertext"]),
    ];
    let run = |args: &[String]| python(&args.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(run(&args), (true, format!("{}\n", ADA.parts[0])));
    args[6] = "/contact/email".to_owned();
    assert!(!run(&args).0, "in another place it does not open");
}
