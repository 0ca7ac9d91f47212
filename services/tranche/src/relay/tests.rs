//! The mapping of events to messages.

use super::message::{ALWAYS, PREFIX, SOMETIMES, messages, token};
use domain::Commit;

const HISTORY: &str = include_str!("../../../../tests/history/0.1.0.jsonl");

fn decoded(token: &str) -> String {
    if token == "%" {
        return String::new();
    }
    let (mut bytes, mut rest) = (Vec::new(), token.as_bytes());
    while let [first, others @ ..] = rest {
        if *first == b'%' {
            let hex = str::from_utf8(&others[..2]).unwrap();
            bytes.push(u8::from_str_radix(hex, 16).unwrap());
            rest = &others[2..];
        } else {
            bytes.push(*first);
            rest = others;
        }
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn every_text_is_one_token_and_comes_back() {
    // Every character of the first planes, alone and between others; no two tokens are the same.
    let mut seen = std::collections::BTreeSet::new();
    let texts = (0..0x2_0000).filter_map(char::from_u32).map(String::from);
    for text in texts.chain(["", "%", "%%", "a.b", "%2E", ".", "a b", "*", ">"].map(String::from)) {
        let token = token(&text);
        assert!(!token.is_empty());
        assert!(!token.contains(['.', '*', '>', ' ', '\r', '\n', '\t']), "{token}");
        assert_eq!(decoded(&token), text);
        seen.insert(token);
    }
    assert!(seen.len() > 0x1_0000);
}

#[test]
fn attributes_have_the_names_that_cloudevents_allows_and_are_all_documented() {
    let named = |name: &str| ALWAYS.iter().chain(SOMETIMES).any(|(known, _)| *known == name);
    for (name, _) in ALWAYS.iter().chain(SOMETIMES) {
        assert!(name.len() <= 20, "{name}");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
    }
    for line in HISTORY.lines() {
        for message in messages("tranche", &Commit::decode(line.as_bytes()).unwrap()).unwrap() {
            for (name, _) in ALWAYS {
                let header = format!("{PREFIX}{name}");
                assert!(message.headers.iter().any(|(known, _)| *known == header), "{header}");
            }
            for (header, value) in &message.headers {
                let name = header.strip_prefix(PREFIX);
                assert!(name.is_some_and(named) || header == "content-type", "{header}");
                assert!(value.bytes().all(|byte| byte.is_ascii_graphic()), "{header}: {value}");
            }
        }
    }
}

#[cfg(feature = "nats")]
#[test]
fn the_file_for_people_is_what_a_relay_makes() {
    let file = include_str!("../../../../deploy/nats/events-stream.json");
    let settings: serde_json::Value = serde_json::from_str(file).unwrap();
    assert_eq!(settings, super::stream_settings("tranche", 3), "deploy/nats/events-stream.json");
}
