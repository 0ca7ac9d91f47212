//! Golden lists of what clients and auditors rely on: every command with who may give it and when,
//! every refusal with its rule and its sentence, and which refusal wins when several would do.
//!
//! A line that changes is a change for everybody outside. `UPDATE_EXPECT=1` writes the lists of
//! commands and of precedence; the list of refusals is written by hand, so that the tables of the
//! code are held against something else.

mod lives;
mod mistakes;
mod order;

use domain::kernel::refusal::Refusal;
use std::collections::BTreeMap;
use std::path::Path;

/// One line of the list of refusals.
pub struct Listed {
    kind: String,
    document: String,
    clause: String,
    sentence: String,
}

/// Compares a list with the committed one, or writes it.
fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    if committed != text {
        let mut difference = String::new();
        let (old, new): (Vec<_>, Vec<_>) = (committed.lines().collect(), text.lines().collect());
        for line in old.iter().filter(|line| !new.contains(line)).take(20) {
            difference.push_str(&format!("- {line}\n"));
        }
        for line in new.iter().filter(|line| !old.contains(line)).take(20) {
            difference.push_str(&format!("+ {line}\n"));
        }
        panic!("golden/{name} has changed (UPDATE_EXPECT=1 accepts it):\n{difference}");
    }
}

fn listed() -> Vec<(&'static str, Listed)> {
    let lines = include_str!("golden/refusals.txt").lines();
    let parsed = lines.map(|line| {
        let parts: Vec<&str> = line.split('\t').collect();
        assert!((5..=6).contains(&parts.len()), "five columns, or six: {line}");
        let of = |index: usize| parts[index].to_owned();
        let listed = Listed { kind: of(1), document: of(2), clause: of(3), sentence: of(4) };
        (parts[0], listed)
    });
    parsed.collect()
}

/// Whether a sentence can come of a template: each `{…}` stands for any text.
fn comes_of(template: &str, sentence: &str) -> bool {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        parts.push(before);
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    let Some(mut left) = sentence.strip_prefix(parts.first().copied().unwrap_or(rest)) else {
        return false;
    };
    if parts.is_empty() {
        return left.is_empty();
    }
    for part in &parts[1..] {
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    left.ends_with(rest)
}

/// Holds a refusal that was given against its line in the list.
pub fn check_listed(list: &BTreeMap<&str, Listed>, refusal: &Refusal) {
    let line = list.get(&*refusal.code).unwrap_or_else(|| panic!("{} is not listed", refusal.code));
    let kind = serde_json::to_value(refusal.kind).unwrap();
    assert_eq!(kind, *line.kind, "{}", refusal.code);
    assert_eq!(
        (&*refusal.rule.document, &*refusal.rule.clause),
        (&*line.document, &*line.clause),
        "{}",
        refusal.code
    );
    assert!(
        comes_of(&line.sentence, &refusal.message),
        "{}: {:?} does not come of {:?}",
        refusal.code,
        refusal.message,
        line.sentence
    );
}

#[test]
fn every_command_says_who_may_give_it_in_which_state_and_by_which_rule() {
    let mut text = String::new();
    for entry in domain::catalogue::COMMANDS.iter().flat_map(|table| table.iter()) {
        let declared = entry.declaration;
        let roles: Vec<&str> = declared.roles.iter().map(Into::into).collect();
        let needs: Vec<String> = (declared.needs.iter())
            .map(|need| serde_json::to_value(need).unwrap().as_str().unwrap().to_owned())
            .collect();
        let list = |names: String| if names.is_empty() { "-".to_owned() } else { names };
        text.push_str(&format!(
            "{}\t{}\t{}\t{}\t{}\t{}\n",
            declared.name,
            list(roles.join(" ")),
            list(declared.from.join(" ")),
            list(needs.join(" ")),
            declared.rule.document,
            declared.rule.clause
        ));
    }
    golden("commands.txt", &text);
}

#[test]
fn every_refusal_has_the_kind_the_rule_and_the_sentence_of_0_1_0_in_the_order_of_precedence() {
    let listed = listed();
    let now = domain::catalogue::refusals();
    let codes: Vec<&str> = now.iter().map(|(code, _)| code.as_str()).collect();
    assert_eq!(listed.iter().map(|(code, _)| *code).collect::<Vec<_>>(), codes);
    let distinct: std::collections::BTreeSet<_> = codes.iter().collect();
    assert_eq!(distinct.len(), codes.len());
    for ((code, line), (_, about)) in listed.iter().zip(&now) {
        assert_eq!(serde_json::to_value(about.kind).unwrap(), *line.kind, "{code}");
        let rule = (&*about.rule.document, &*about.rule.clause, about.sentence);
        assert_eq!(rule, (&*line.document, &*line.clause, &*line.sentence), "{code}");
    }
}

#[test]
fn a_sentence_comes_of_its_template_or_not() {
    assert!(comes_of("{0}", "whatever"));
    assert!(comes_of("{asked} is more than the {left} left", "EUR 1 is more than the EUR 0 left"));
    assert!(!comes_of("{asked} is more than the {left} left", "EUR 1 is less than the EUR 0 left"));
    assert!(!comes_of("no stage {0}", "a stage 1"));
    assert!(!comes_of("nothing to correct", "nothing to correct here"));
    assert!(!comes_of("{0} is empty", "it is empty too"));
}
