//! Personal data: no field of an event holds any in clear, and of a person who was erased nothing is left.

use crate::cli::program::{Scratch, command, tranche};
use domain::personal::REGISTER;
use domain::schemas;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

/// Words that a field about a person has in its name. Such a field is sealed.
const PERSONAL_WORDS: &[&str] = &[
    "address",
    "affiliation",
    "birth",
    "contact",
    "email",
    "expertise",
    "gender",
    "holder",
    "iban",
    "learnt",
    "mail",
    "name",
    "nationality",
    "passport",
    "phone",
    "surname",
];

/// Fields with such a word that are about no person, each with the reason.
const NOT_PERSONAL: &[(&str, &str)] =
    &[("/rules/evaluation/stages/criteria/name", "the name of a criterion")];

/// Texts that anyone may write anything into: what each is for. None is for data about a person; a form
/// says so. A new one has to be sealed, or listed here with its purpose.
const FREE_TEXT: &[(&str, &str)] = &[
    ("reason", "why an office decided"),
    ("title", "what it is called"),
    ("comment", "what a report says about a proposal"),
    ("comments", "what an assessment says about a report"),
    ("dissent", "what a minority of experts held about a proposal"),
    ("evidence", "what a comparator saw"),
    ("text", "a question of the rules"),
    ("name", "the name of a criterion"),
    ("zone", "the IANA name of a zone"),
    ("acronym", "what a proposal is called"),
    ("what", "what a figure is for, or what is wrong"),
    ("rule", "the rule that was broken"),
    ("note", "what a test of an item showed"),
    ("answer", "what an office answers to a finding"),
    ("conclusion", "the conclusion of an audit"),
    ("item", "an item of a sample"),
    ("summary", "what compute time was used for"),
    ("purpose", "what compute time is for"),
    ("basis", "why time was granted directly"),
    ("tender", "the number of a tender"),
    ("clause", "the clause of an agreement"),
    ("end_to_end_id", "the name of a payment at the bank"),
    ("description", "what the bank says about an entry: of legal persons, see ADR 0021"),
    ("code", "the code of a refusal"),
    ("message", "the sentence of a refusal"),
    ("command", "the name of a command"),
    ("data", "the payload of a command, sealed where it has to be"),
    ("how", "what became of a parked reaction"),
    ("gpu", "the model of a processor"),
];

/// The places of a schema that hold text or anything, as pointers without indices, and those that are sealed.
fn places(schema: &Value, definitions: &Value, at: &str, found: &mut BTreeSet<(String, bool)>) {
    let is_sealed = schema["$ref"] == "#/$defs/Sealed";
    if is_sealed {
        found.insert((at.to_owned(), true));
        return;
    }
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        return places(&definitions[name], definitions, at, found);
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.clone(),
        kind => vec![kind.clone()],
    };
    let is_fixed = ["enum", "const", "format", "pattern"].iter().any(|key| !schema[key].is_null());
    let is_any = schema == &json!(true) || schema == &json!({});
    if is_any || kinds.contains(&json!("string")) && !is_fixed {
        found.insert((at.to_owned(), false));
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        places(field, definitions, &format!("{at}/{name}"), found);
    }
    for key in ["oneOf", "anyOf", "allOf", "prefixItems"] {
        for side in schema[key].as_array().into_iter().flatten() {
            places(side, definitions, at, found);
        }
    }
    for key in ["items", "additionalProperties"] {
        if schema[key].is_object() {
            places(&schema[key], definitions, at, found);
        }
    }
}

/// What is wrong with the fields of an event, and where its sealed ones are.
fn audit(event: &str, schema: &Value) -> (Vec<String>, BTreeSet<String>) {
    let mut found = BTreeSet::new();
    places(schema, &schema["$defs"], "", &mut found);
    let (mut wrong, mut sealed) = (Vec::new(), BTreeSet::new());
    for (place, is_sealed) in found {
        let name = place.rsplit('/').next().unwrap_or_default();
        let words: Vec<&str> = place.split(['/', '_']).collect();
        if is_sealed {
            sealed.insert(place);
        } else if PERSONAL_WORDS.iter().any(|word| words.contains(word))
            && !NOT_PERSONAL.iter().any(|(known, _)| *known == place)
        {
            wrong.push(format!("{event}{place}: by its name it is about a person: seal it"));
        } else if !FREE_TEXT.iter().any(|(known, _)| *known == name) {
            wrong.push(format!("{event}{place}: free text: seal it, or say what it is for"));
        }
    }
    (wrong, sealed)
}

#[test]
fn every_field_about_a_person_is_sealed_and_in_the_register_of_processing() {
    let (mut wrong, mut sealed) = (Vec::new(), BTreeSet::new());
    for schema in schemas::newest() {
        let (found, places) = audit(&schema.event, &schema.schema);
        wrong.extend(found);
        sealed.extend(places.into_iter().map(|place| (schema.event.clone(), place)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let line = |line: &domain::personal::Processing| (line.event.to_owned(), line.field.to_owned());
    let register: BTreeSet<_> = REGISTER.iter().map(line).collect();
    assert_eq!(sealed, register, "left: what is sealed; right: domain::personal::REGISTER");
    assert_eq!(register.len(), REGISTER.len(), "each once");
    for line in REGISTER {
        assert!(domain::world::entry(line.command).is_some(), "{}", line.command);
    }
}

#[test]
fn a_field_about_a_person_that_is_not_sealed_is_found() {
    let with = |field: Value| {
        json!({ "type": "object", "properties": { "z": { "type": "object",
        "properties": field } }, "$defs": { "Sealed": { "type": "object" }, "Text": { "type": "string" } } })
    };
    let wrong = |field: Value| audit("a.B", &with(field)).0;
    let text = json!({ "type": "string" });
    for name in ["email", "account_holder", "iban", "learnt"] {
        assert_eq!(wrong(json!({ (name): text })).len(), 1, "{name}");
        assert_eq!(wrong(json!({ (name): { "$ref": "#/$defs/Text" } })).len(), 1, "{name}");
        let maybe = json!({ "anyOf": [{ "$ref": "#/$defs/Sealed" }, { "type": "null" }] });
        assert!(wrong(json!({ (name): maybe })).is_empty(), "{name}");
    }
    assert_eq!(wrong(json!({ "remark": { "type": ["string", "null"] } })).len(), 1);
    assert_eq!(wrong(json!({ "remarks": { "type": "array", "items": text } })).len(), 1);
    assert_eq!(wrong(json!({ "anything": true })).len(), 1);
    assert!(wrong(json!({ "reason": text })).is_empty());
}

fn said(output: &Output) -> String {
    let all = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&all).into_owned()
}

/// A desk with the real program. What it said is kept, as a log of the service would.
struct Office {
    scratch: Scratch,
    said: String,
}

/// Data about one expert; each part is searched for.
struct Expert {
    id: &'static str,
    parts: [&'static str; 5],
}

const ADA: Expert = Expert {
    id: "p11111111111111111111111111111111",
    parts: [
        "Ada Zyxwvut-Byron",
        "ada.zyxwvut@analytical.example",
        "Analytical Society of Qöln",
        "Bernoulli numbers of Zyxwvut",
        "she is Zyxwvut's cousin",
    ],
};
const BEA: Expert = Expert {
    id: "p22222222222222222222222222222222",
    parts: [
        "Bea Wvutsrq",
        "bea.wvutsrq@engines.example",
        "Engines of Wvutsrq",
        "looms of Wvutsrq",
        "an uncle of Wvutsrq",
    ],
};

impl Office {
    fn run(&mut self, args: &[&str], clear: Option<&Value>) -> Output {
        let mut program =
            command(crate::cli::program::directory().join("tranche"), self.scratch.path());
        program.args(["--data", "log"]).args(args).env("RUST_LOG", "debug");
        program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = program.spawn().expect("the program starts");
        let text = clear.map(Value::to_string).unwrap_or_default();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        self.said += &said(&output);
        output
    }

    /// Gives a command at an instant; the payload comes by standard input, since arguments can be seen.
    #[track_caller]
    fn give(&mut self, at: &str, (actor, role): (&str, &str), name: &str, data: Value) -> String {
        let args =
            ["--keys", "keys", "--clock", at, "do", name, "-", "--actor", actor, "--role", role];
        let output = self.run(&args, Some(&data));
        assert!(output.status.success(), "{name}: {}", said(&output));
        said(&output)
    }

    #[track_caller]
    fn told(&mut self, args: &[&str]) -> String {
        let output = self.run(args, None);
        assert!(output.status.success(), "{args:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn register(&mut self, expert: &Expert) {
        let [name, email, affiliation, expertise, _] = expert.parts;
        let data = json!({ "subject": expert.id, "expertise": expertise,
            "contact": { "name": name, "email": email, "affiliation": affiliation } });
        self.give("2024-09-10T08:00:00Z", OTTO, "subject.register", data);
    }
}

const OTTO: (&str, &str) = ("otto", "programme_officer");
const BOARD: (&str, &str) = ("bea", "governing_board");
const DECIDED: &str = "2024-12-10T10:00:00Z";

fn rules() -> Value {
    crate::life::rules(json!({ "evaluation": { "experts_min": 2, "selection": "ranked",
        "scale": { "max_tenths": 50, "step_tenths": 5 }, "source": "call", "tie_break": [],
        "stages": [{ "key": "full", "threshold_tenths": 0, "criteria": [
            { "key": "merit", "name": "Merit", "threshold_tenths": 0, "weight_hundredths": 100 }] }] } }))
}

/// A round of three proposals that two experts judge, decided without an award.
fn round(office: &mut Office) {
    let (open, closed) = ("2024-09-20T08:00:00Z", "2024-11-05T08:00:00Z");
    office.give(
        open,
        BOARD,
        "fund.vote_appropriation",
        json!({ "fund": "F", "line": "02 04", "source": "DEP", "amount": "EUR 2000" }),
    );
    let at = json!({ "local": "2024-11-04T17:00:00", "zone": "Europe/Luxembourg" });
    office.give(
        open,
        OTTO,
        "call.open",
        json!({ "call": "C", "title": "A call", "rules": rules(),
        "cut_offs": [{ "key": "R1", "at": at }],
        "budget": { "fund": "F", "line": "02 04", "source": "DEP", "envelope": "EUR 1000" } }),
    );
    for name in ["A", "B", "D"] {
        let lead = (&*format!("of-{name}"), "applicant");
        office.give(
            open,
            lead,
            "proposal.draft",
            json!({ "proposal": name, "call": "C",
            "applicant": lead.0, "content": { "acronym": name, "title": name, "country": "FI",
            "requested": "EUR 600", "total": "EUR 1200" } }),
        );
        office.give(
            open,
            lead,
            "proposal.submit",
            json!({ "proposal": name, "pages": 40,
            "documents": [{ "key": "part-b", "sha256": "0".repeat(64) }] }),
        );
    }
    for name in ["A", "B", "D"] {
        let answers =
            |key: &str| json!({ "proposal": name, "answers": [{ "key": key, "yes": true }] });
        office.give(closed, OTTO, "proposal.check_admissibility", answers("complete"));
        office.give(closed, OTTO, "proposal.check_eligibility", answers("entity"));
    }
    let evaluation = json!({ "evaluation": "E", "call": "C", "cut_off": "R1", "stage": "full" });
    office.give(closed, OTTO, "evaluation.open", evaluation);
    for id in [ADA.id, BEA.id, "p33333333333333333333333333333333"] {
        office.give(
            closed,
            OTTO,
            "evaluation.appoint",
            json!({ "evaluation": "E", "expert": id, "proposals": ["A", "B", "D"] }),
        );
    }
    // It is learnt that Ada and an applicant are related.
    office.give(
        closed,
        OTTO,
        "evaluation.declare_conflict",
        json!({ "evaluation": "E",
        "expert": ADA.id, "proposal": "D", "kind": "family", "learnt": ADA.parts[4] }),
    );
    for (name, tenths) in [("A", 30), ("B", 45), ("D", 40)] {
        let report = json!({ "evaluation": "E", "proposal": name,
            "scores": [{ "criterion": "merit", "tenths": tenths, "comment": "because" }] });
        for id in [ADA.id, BEA.id, "p33333333333333333333333333333333"] {
            if (id, name) != (ADA.id, "D") {
                office.give(closed, (id, "expert"), "evaluation.submit_report", report.clone());
            }
        }
        office.give(closed, ("ria", "rapporteur"), "evaluation.submit_consensus", report);
    }
    let rank = json!({ "evaluation": "E" });
    office.give(closed, ("carl", "panel_chair"), "evaluation.rank", rank);
    let rejected: Vec<Value> = ["A", "B", "D"]
        .map(|name| json!({ "proposal": name, "reason": "there is no money" }))
        .into();
    office.give(
        DECIDED,
        BOARD,
        "call.award_round",
        json!({ "call": "C", "cut_off": "R1",
        "funded": [], "reserve": [], "rejected": rejected }),
    );
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for part in bytes.chunks(3) {
        let mut three = [0; 3];
        three[..part.len()].copy_from_slice(part);
        let all = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for digit in 0..=part.len() {
            text.push(char::from(DIGITS[(all >> (18 - 6 * digit)) as usize & 63]));
        }
    }
    text
}

/// A text as it may stand somewhere: as it is, in UTF-16, in digits, in base 64 from any of three places.
fn forms(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = text.as_bytes();
    let units = text.encode_utf16();
    let (little, big) = units.fold((Vec::new(), Vec::new()), |(mut little, mut big), unit| {
        little.extend(unit.to_le_bytes());
        big.extend(unit.to_be_bytes());
        (little, big)
    });
    let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    let json = serde_json::to_string(text).unwrap();
    let ascii = text.chars().fold(String::new(), |mut out, c| {
        let _ = if c.is_ascii() { write!(out, "{c}") } else { write!(out, "\\u{:04x}", c as u32) };
        out
    });
    let mut all = vec![
        ("clear", bytes.to_vec()),
        ("JSON", json.trim_matches('"').as_bytes().to_vec()),
        ("escaped", ascii.into_bytes()),
        ("UTF-16 LE", little),
        ("UTF-16 BE", big),
        ("hex", hex.clone().into_bytes()),
        ("HEX", hex.to_uppercase().into_bytes()),
    ];
    for skip in 0..3 {
        // Whole groups of three, so that what stands before and after does not matter.
        let part = &bytes[skip..skip + (bytes.len() - skip) / 3 * 3];
        let standard = base64(part);
        all.push(("base64url", standard.replace('+', "-").replace('/', "_").into_bytes()));
        all.push(("base64", standard.into_bytes()));
    }
    all
}

/// Where something of an expert is left: file, part, form.
fn traces(dir: &Path, expert: &Expert, more: &str) -> Vec<String> {
    let mut all = Vec::new();
    files(dir, &mut all);
    let mut texts: Vec<(String, Vec<u8>)> =
        all.iter().map(|path| (path.display().to_string(), std::fs::read(path).unwrap())).collect();
    texts.push(("what was said".to_owned(), more.as_bytes().to_vec()));
    let mut found = Vec::new();
    for (place, bytes) in &texts {
        for part in expert.parts {
            for (form, needle) in forms(part) {
                if bytes.windows(needle.len()).any(|window| window == needle) {
                    found.push(format!("{place}: {part:?} as {form}"));
                }
            }
        }
    }
    found
}

#[test]
fn a_trace_is_found_in_every_form() {
    let scratch = Scratch::new();
    assert!(traces(scratch.path(), &ADA, "").is_empty());
    for part in ADA.parts {
        for (form, bytes) in forms(part) {
            std::fs::write(scratch.path().join("x"), [b"ab".as_slice(), &bytes, b"c"].concat())
                .unwrap();
            assert!(!traces(scratch.path(), &ADA, "").is_empty(), "{part} as {form}");
        }
    }
    // Known from outside: printf abc | base64.
    assert_eq!(base64("Ada Z".as_bytes()), "QWRhIFo");
}

#[test]
fn of_an_erased_expert_nothing_is_left_and_everything_still_verifies() {
    let mut office = Office { scratch: Scratch::new(), said: String::new() };
    let dir = office.scratch.path().to_owned();
    office.register(&ADA);
    office.register(&BEA);
    round(&mut office);
    let ranking = office.told(&["show", "ranking", "--json"]);

    // A copy, a proof of each commit about Ada, and exports, all from before.
    let copied = tranche(&dir, &["log", "copy", "sqlite:log", "sqlite:backup"]);
    assert!(copied.status.success(), "{}", said(&copied));
    let public = office.told(&["proof", "key", "office.example/log", "--to", "key"]);
    std::fs::write(dir.join("public"), public).unwrap();
    office.told(&["export", "--to", "log.jsonl"]);
    let lines = std::fs::read_to_string(dir.join("log.jsonl")).unwrap();
    let about: Vec<usize> = (1..)
        .zip(lines.lines())
        .filter(|(_, line)| line.contains(ADA.id))
        .map(|(at, _)| at)
        .collect();
    assert!(about.len() > 5, "{about:?}");
    for at in &about {
        let proof = office.told(&["proof", "commit", &at.to_string(), "--key", "key"]);
        std::fs::write(dir.join(format!("{at}.tlog-proof")), proof).unwrap();
        std::fs::write(dir.join(format!("{at}.commit")), lines.lines().nth(at - 1).unwrap())
            .unwrap();
    }
    assert_eq!(traces(&dir, &ADA, &office.said), Vec::<String>::new(), "already now");

    // Whoever holds the keys could read it, though, and two people can.
    office.told(&["--keys", "keys", "subject", "check"]);
    let ask = json!({ "subject": ADA.id, "opening": "O1", "ground": "audit", "case": "A-1",
        "purposes": ["contact", "conflict"] });
    office.give(DECIDED, ("aud", "auditor"), "subject.request_opening", ask);
    let open = [
        "--keys",
        "keys",
        "--clock",
        DECIDED,
        "subject",
        "export",
        ADA.id,
        "--opening",
        "O1",
        "--actor",
        "aud",
    ];
    let alone = office.run(&open, None);
    assert_eq!(alone.status.code(), Some(1), "not approved: {}", said(&alone));
    let approve = json!({ "subject": ADA.id, "opening": "O1" });
    office.give(DECIDED, ("auth", "authorising_officer"), "subject.approve_opening", approve);
    let before = std::mem::take(&mut office.said);
    let opened = office.told(&open);
    let shown = |part: usize| opened.contains(ADA.parts[part]);
    assert_eq!([0, 1, 2, 3, 4].map(shown), [true, true, true, false, true], "{opened}");
    // What two people were shown is theirs to keep secret.
    office.said = before;

    // Too early; and then not.
    let erase = json!({ "subject": ADA.id, "basis": "no_longer_necessary", "case": "E-1", "purposes": ["contact"] });
    let early = office.run(
        &[
            "--keys",
            "keys",
            "--clock",
            "2029-12-10T09:59:00Z",
            "do",
            "subject.erase",
            &erase.to_string(),
            "--actor",
            "otto",
        ],
        None,
    );
    assert!(said(&early).contains("is kept until"), "{}", said(&early));
    let told = office.give("2029-12-11T09:59:00Z", OTTO, "subject.erase", erase);
    assert!(told.contains("3 keys destroyed"), "{told}");

    assert_eq!(traces(&dir, &ADA, &office.said), Vec::<String>::new());
    let keys: Vec<_> = std::fs::read_dir(dir.join("keys")).unwrap().collect();
    assert_eq!(keys.len(), 1, "only those of the other expert: {keys:?}");
    let left = office.told(&["--keys", "keys", "subject", "check"]);
    assert_eq!(left, "4 sealed values open with their keys, 5 erased lawfully\n");
    assert!(
        office.told(&["subject", "show", ADA.id]).contains("contact: erased lawfully 2029-12-11")
    );
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
    let copy = tranche(&dir, &["--data", "backup", "--keys", "keys", "subject", "check"]);
    assert_eq!(
        copy.status.code(),
        Some(1),
        "the copy knows nothing of the erasure: {}",
        said(&copy)
    );
    assert!(
        said(&copy).contains("its key is not here"),
        "and holds ciphertext only: {}",
        said(&copy)
    );
}

#[test]
fn an_erasure_that_a_crash_cut_short_is_finished_at_the_next_start() {
    let mut office = Office { scratch: Scratch::new(), said: String::new() };
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
    let mut office = Office { scratch: Scratch::new(), said: String::new() };
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
