use crate::catalogue::COMMANDS;
use crate::decide::command::{Entry, Parsed};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::LazyLock;

const VOTE: &str = r#"{"fund":"F","line":"L","source":"DEP","amount":"EUR 1.00"}"#;

/// So many payloads of each command.
const TURNS: usize = 24;

/// Payloads of every command, made from its schema, which together have every part of it.
static SAMPLES: LazyLock<Vec<(&'static str, Value)>> =
    LazyLock::new(|| COMMANDS.iter().flat_map(|table| table.iter()).flat_map(samples).collect());

fn samples(entry: &Entry) -> Vec<(&'static str, Value)> {
    let root = Value::from((entry.schema)());
    let mut sampler = Sampler { root: &root, state: 7, seen: BTreeSet::new() };
    let payloads = (0..TURNS).map(|_| (entry.declaration.name, sampler.value(&root))).collect();
    let parts = root["$defs"].as_object().map_or(0, Map::len);
    assert_eq!(sampler.seen.len(), parts, "{}: {:?}", entry.declaration.name, sampler.seen);
    payloads
}

struct Sampler<'a> {
    root: &'a Value,
    state: usize,
    seen: BTreeSet<&'a str>,
}

impl<'a> Sampler<'a> {
    /// One of so many choices.
    fn choose(&mut self, choices: usize) -> usize {
        self.state = (self.state * 1_103_515_245 + 12_345) % (1 << 31);
        (self.state >> 16) % choices
    }

    fn value(&mut self, schema: &'a Value) -> Value {
        if let Some(name) = schema["$ref"].as_str() {
            let root = self.root;
            self.seen.insert(name);
            return self.value(root.pointer(name.trim_start_matches('#')).unwrap());
        }
        if let Some(one) = schema.get("const").or_else(|| schema["examples"].get(0)) {
            return one.clone();
        }
        if let Some(choices) = ["oneOf", "anyOf"].iter().find_map(|name| schema[*name].as_array()) {
            let choice = self.choose(choices.len());
            return self.value(&choices[choice]);
        }
        if let Some(names) = schema["enum"].as_array() {
            return names[self.choose(names.len())].clone();
        }
        let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
        match (kind, schema["format"].as_str()) {
            (Some("object"), _) => self.object(schema),
            (Some("array"), _) => {
                (0..=self.choose(3)).map(|_| self.value(&schema["items"])).collect()
            }
            (Some("string"), Some("date")) => json!("2025-01-31"),
            (Some("string"), Some("date-time")) => json!("2025-01-31T12:00:00Z"),
            (Some("string"), Some("partial-date-time")) => json!("2025-01-31T12:00:00"),
            (Some("string"), _) => json!("\"é\n\\"),
            (Some("integer"), _) => json!(self.choose(100) + 1),
            (Some("boolean"), _) => json!(self.choose(2) == 0),
            (Some("null"), _) => Value::Null,
            _ => json!({"any/thing": {"~": [1, null, "x"]}}),
        }
    }

    fn object(&mut self, schema: &'a Value) -> Value {
        let mut members = Map::new();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let is_required = schema["required"]
                .as_array()
                .is_some_and(|list| list.iter().any(|required| required.as_str() == Some(name)));
            if is_required || self.choose(2) == 1 {
                members.insert(name.clone(), self.value(property));
            }
        }
        for value in schema["patternProperties"].as_object().into_iter().flat_map(Map::values) {
            members.insert("one".to_owned(), self.value(value));
            members.insert("two".to_owned(), self.value(value));
        }
        members.into()
    }
}

fn read(name: &str, payload: &[u8]) -> Result<Parsed, (String, String)> {
    Parsed::read(name, payload).map_err(|refusal| {
        assert_eq!(refusal.code, "command.malformed", "{name}: {refusal}");
        (refusal.field.expect("a place"), refusal.message)
    })
}

/// Pointers to the objects of a payload whose fields are declared.
fn structs(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        // What a timer or a process will do is free: it is read when it is decided.
        Value::Object(_) if at == "/wish/data" => {}
        Value::Object(members) => {
            if !members.contains_key("two") {
                found.push(at.to_owned());
            }
            for (key, member) in members {
                structs(member, &format!("{at}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                structs(item, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// Every object of every sample, changed.
fn for_every_struct(mut change: impl FnMut(&str, &str, &Value)) {
    let mut count = 0;
    for (name, payload) in SAMPLES.iter() {
        let mut found = Vec::new();
        structs(payload, "", &mut found);
        count += found.len();
        for at in found {
            change(name, &at, payload);
        }
    }
    assert!(count > SAMPLES.len() * 3 / 2, "too few objects in objects: {count}");
}

#[test]
fn every_command_reads_what_its_schema_describes() {
    for (name, payload) in SAMPLES.iter() {
        let parsed = read(name, payload.to_string().as_bytes());
        let parsed = parsed.unwrap_or_else(|error| panic!("{name} {payload}: {error:?}"));
        assert_same_wish(name, &parsed);
    }
}

fn assert_same_wish(name: &str, parsed: &Parsed) {
    let written = parsed.command.payload().expect("a canonical form");
    let again = read(name, &written).expect("what is written can be read");
    assert_eq!(again.hash, parsed.hash, "{name} {}", String::from_utf8_lossy(&written));
}

#[test]
fn an_array_is_never_an_object() {
    for_every_struct(|name, at, payload| {
        let mut payload = payload.clone();
        let place = payload.pointer_mut(at).unwrap();
        let members = std::mem::take(place.as_object_mut().unwrap());
        *place = members.into_iter().map(|(_, member)| member).collect();
        let (pointer, message) = read(name, payload.to_string().as_bytes()).unwrap_err();
        assert_eq!(pointer, at, "{name} {payload}: {message}");
        assert!(message.starts_with("invalid type: sequence, expected a"), "{name} {message}");
    });
}

#[test]
fn an_unknown_field_is_pointed_to_at_every_depth() {
    for_every_struct(|name, at, payload| {
        let mut payload = payload.clone();
        payload.pointer_mut(at).unwrap()["un/kno~wn"] = json!(1);
        let (pointer, message) = read(name, payload.to_string().as_bytes()).unwrap_err();
        assert_eq!(pointer, format!("{at}/un~1kno~0wn"), "{name} {payload}: {message}");
        assert!(message.starts_with("unknown field `un/kno~wn`, expected"), "{name} {message}");
    });
}

#[test]
fn a_missing_field_is_named_at_the_object_that_lacks_it() {
    let mut refused = 0;
    for_every_struct(|name, at, payload| {
        for field in payload.pointer(at).unwrap().as_object().unwrap().keys() {
            let mut payload = payload.clone();
            payload.pointer_mut(at).unwrap().as_object_mut().unwrap().remove(field);
            if let Err((pointer, message)) = read(name, payload.to_string().as_bytes()) {
                refused += 1;
                assert_eq!(pointer, at, "{name} {payload}: {message}");
                assert!(message.contains(&format!("`{field}`")), "{name} {payload}: {message}");
            }
        }
    });
    assert!(refused > SAMPLES.len(), "{refused}");
}

/// What is wrong, where, and what is said of it.
type Mistake = (&'static str, String, &'static str, &'static str);

fn plain_mistakes() -> Vec<Mistake> {
    let bad = |payload: String, at, said| ("fund.vote_appropriation", payload, at, said);
    vec![
        bad(String::new(), "", "EOF while parsing a value at line 1 column 0"),
        bad("null".into(), "", "invalid type: null, expected an object"),
        bad(
            r#"["EUR 1.00","F","L","DEP"]"#.into(),
            "",
            "invalid type: sequence, expected an object",
        ),
        bad(r#"{"fund":"F""#.into(), "", "EOF while parsing an object at line 1 column 11"),
        bad(format!("{VOTE} {VOTE}"), "", "trailing characters at line 1 column 60"),
        bad(VOTE.replace(r#","source":"DEP""#, ""), "", "missing field `source`"),
        bad(VOTE.replace("line", "fund"), "/fund", "duplicate field `fund`"),
        bad(VOTE.replace("\"L\"", "7"), "/line", "invalid type: integer `7`, expected a string"),
        bad(
            VOTE.replace("source", "a~b/c"),
            "/a~0b~1c",
            "unknown field `a~b/c`, expected one of `amount`, `fund`, `line`, `source`",
        ),
        bad(VOTE.replace("source", "\\u002f"), "/~1", "unknown field `/`, expected one of"),
        bad(
            VOTE.replace("DEP", "\u{1}"),
            "/source",
            "control character (\\u0000-\\u001F) found while parsing a string at line 1",
        ),
        bad(VOTE.replace("DEP", "\\ud800"), "/source", "unexpected end of hex escape at line 1"),
        bad(
            VOTE.replace("1.00", "1.001"),
            "/amount",
            "an amount is written like \"EUR 1234.56\", with at most two decimals; got \"EUR 1.001\"",
        ),
    ]
}

fn deep_mistakes() -> Vec<Mistake> {
    let change = |change: &str, at, said| {
        let payload = format!(r#"{{"grant":"G","amendment":"A","reason":"r","change":{change}}}"#);
        ("grant.request_amendment", payload, at, said)
    };
    let item = |second: &str, at, said| {
        let first =
            r#"{"item":"a","national":"EUR 1","other":"EUR 1","total":"EUR 3","union":"EUR 1"}"#;
        let payload = format!(r#"{{"grant":"G","items":[{first},{second}]}}"#);
        ("grant.set_budget", payload, at, said)
    };
    let rate = |rates: &str, at, said| {
        let payload = format!(r#"{{"call":"C","rules":{{"funding":{{"ceilings":{{{rates}}}}}}}}}"#);
        ("call.open", payload, at, said)
    };
    let wish = |data: &str, at, said| {
        let payload = format!(r#"{{"timer":"T","wish":{{"command":"c","data":{data}}}}}"#);
        ("timer.set", payload, at, said)
    };
    vec![
        change(
            r#"["dates","2025-01-01"]"#,
            "/change",
            "invalid type: sequence, expected an object",
        ),
        change(r#"{"ends":"2025-01-01"}"#, "/change", "missing field `kind`"),
        change(
            r#"{"kind":"dates"}"#,
            "/change",
            "a change of kind `dates` has `ends` and `starts`, and no other fields",
        ),
        change(r#"{"kind":1}"#, "/change/kind", "integer `1`, expected one of `budget`, `dates`"),
        change(r#"{"kind":{"dates":null}}"#, "/change/kind", "invalid type: map, expected one of"),
        change(r#"{"kind":"date"}"#, "/change/kind", "unknown variant `date`, expected one of"),
        change(
            r#"{"beneficiary":["B"]}"#,
            "/change/beneficiary",
            "a beneficiary or the key of one",
        ),
        change(
            r#"{"beneficiary":{"role":"x"}}"#,
            "/change/beneficiary/role",
            "unknown variant `x`",
        ),
        item("7", "/items/1", "invalid type: integer `7`, expected an object"),
        item(r#"{"item":"/"}"#, "/items/1/item", "Key is 1 to 64 characters"),
        item(r#"{"item":"b""#, "/items/1", "expected `,` or `}` at line 1"),
        item("", "/items", "trailing comma at line 1"),
        rate(r#""a":"1/2","a":"1/2""#, "/rules/funding/ceilings/a", "duplicate key `a`"),
        rate(r#""a/b":"1/2""#, "/rules/funding/ceilings/a~1b", "Key is 1 to 64 characters"),
        rate(r#""a":"2""#, "/rules/funding/ceilings/a", "a rate is a fraction"),
        wish(r#"{"a":[0,{"b":1.5}]}"#, "/wish/data/a/1/b", "expected a whole number"),
        wish("9007199254740992", "/wish/data", "expected a whole number of at most 2^53 - 1"),
        wish(r#"{"a":1,"\u0061":2}"#, "/wish/data/a", "duplicate key `a`"),
    ]
}

#[test]
fn a_mistake_is_named_and_its_place_is_a_json_pointer() {
    for (name, payload, at, said) in [plain_mistakes(), deep_mistakes()].concat() {
        let (pointer, message) = read(name, payload.as_bytes()).expect_err(&payload);
        assert_eq!(pointer, at, "{payload}: {message}");
        assert!(message.contains(said), "{payload}: {message}");
        assert_eq!(message.contains(" at line "), said.contains(" at line "), "{message}");
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_counted() {
    let refused = read("fund.vote_appropriation", b"{\"fund\":\"F\",\"line\":\"\xff\"}");
    let said = "a payload is UTF-8, and byte 21 of it is not";
    assert_eq!(refused.unwrap_err(), ("/line".to_owned(), said.to_owned()));
}

#[test]
fn depth_and_messages_have_limits() {
    let deep = format!(r#"{{"timer":"T","wish":{{"data":{}"#, "[".repeat(1_000));
    let (pointer, message) = read("timer.set", deep.as_bytes()).unwrap_err();
    assert!(pointer.starts_with("/wish/data/0/0/0") && pointer.len() < 300, "{pointer}");
    assert!(message.starts_with("recursion limit exceeded"), "{message}");
    let long = format!(r#"{{"{}":1}}"#, "é".repeat(9_000));
    let (_, message) = read("timer.fire", long.as_bytes()).unwrap_err();
    assert_eq!(message.chars().count(), super::MESSAGE_CHARS_MAX + 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_is_read_is_refused_or_means_one_thing(
        turn in 0..TURNS,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_usize..5), 1..4),
    ) {
        for (name, payload) in SAMPLES.iter().skip(turn).step_by(TURNS) {
            let mut bytes = payload.to_string().into_bytes();
            for (at, byte, how) in &changes {
                if bytes.is_empty() {
                    continue;
                }
                let at = at.index(bytes.len());
                match how {
                    0 => bytes.truncate(at),
                    1 => bytes[at] = *byte,
                    2 => drop(bytes.remove(at)),
                    3 => bytes.insert(at, b"{}[]\",:0\\\xff\x00e-"[usize::from(*byte) % 13]),
                    _ => bytes.extend_from_within(at..),
                }
            }
            if let Ok(parsed) = read(name, &bytes) {
                assert_same_wish(name, &parsed);
            }
        }
    }
}
