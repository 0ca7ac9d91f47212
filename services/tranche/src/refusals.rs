//! Explains the codes of answers that say no: what each says and means, the rule it rests on, the status
//! and the exit code that it comes with, and the commands that can answer it.

mod page;

use crate::http::problem::{self, OWN};
use domain::catalogue::{self, COMMANDS};
use domain::kernel::refusal::{About, RefusalKind, Rule};
use serde::Serialize;
use std::borrow::Cow;
use tranche_proof::Exit;

pub use page::rule as rule_text;

/// The commands that have answered each code in the tests: a line each, the code first. Written by
/// `tests/properties.rs`.
pub const MEASURED: &str = include_str!("../assets/refused.txt");

/// How many similar codes are named when a code is unknown.
const SIMILAR_MAX: usize = 3;
/// What stands for a figure without a name. A sentence of nothing else says nothing in general.
const BLANK: &str = "<...>";
/// The category of the refusals that every command shares.
const SHARED: &str = "command";

/// Where the commands of an explanation come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Every command shares the refusal.
    Every,
    /// These commands answered it in the tests; another one may too.
    Measured,
    /// No test brings it about from outside: these are the commands of its category.
    Category,
}

/// Holds what there is to say about a code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// The address of its page.
    pub r#type: String,
    /// The code.
    pub code: String,
    /// The code in words.
    pub title: String,
    /// Tells what happened, in general.
    pub meaning: Cow<'static, str>,
    /// Its sentence, with `<name>` for what differs from case to case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentence: Option<String>,
    /// The rule that it rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
    /// The meaning of the rule and its reason, if it is one of our own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule_text: Option<String>,
    /// The status over HTTP.
    pub status: u16,
    /// The exit code on the command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<u8>,
    /// The commands that can answer it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<&'static str>,
    /// Where the commands come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commands_are: Option<Basis>,
}

/// Lists every code that an answer can have: those of the rules, then those of the server itself.
#[must_use]
pub fn codes() -> Vec<String> {
    let own = OWN.iter().map(|(code, ..)| (*code).to_owned());
    catalogue::refusals().into_iter().map(|(code, _)| code).chain(own).collect()
}

/// Explains every code, in the order of [`codes`].
pub fn all() -> impl Iterator<Item = Explained> {
    catalogue::refusals().into_iter().map(of_rules).chain(OWN.iter().map(of_server))
}

/// Explains a code. `None`: no answer has it.
#[must_use]
pub fn explain(code: &str) -> Option<Explained> {
    all().find(|explained| explained.code == code)
}

/// Explains the codes that rest on a rule of our own, given by its anchor in `ADR/rules.md`.
#[must_use]
pub fn resting_on(anchor: &str) -> Vec<Explained> {
    let end = format!("(rules.md#{anchor})");
    let rests = |rule: &Rule| rule.clause.ends_with(&end);
    all().filter(|explained| explained.rule.as_ref().is_some_and(rests)).collect()
}

/// Names the commands that carry out a rule of our own, given by its anchor.
#[must_use]
pub fn carrying_out(anchor: &str) -> Vec<&'static str> {
    let end = format!("(rules.md#{anchor})");
    let declared = COMMANDS.iter().flat_map(|table| table.iter()).map(|entry| entry.declaration);
    let carrying = declared.filter(|declaration| declaration.rule.clause.ends_with(&end));
    carrying.map(|declaration| declaration.name).collect()
}

/// Finds the codes that are spelled most like this one, the most similar first.
#[must_use]
pub fn similar(code: &str) -> Vec<String> {
    let far = code.len() / 3 + 1;
    let mut near: Vec<(usize, String)> = codes()
        .into_iter()
        .map(|known| {
            // Who knows the reason but not the category wrote only the second part.
            let reason = known.rsplit('.').next().unwrap_or(&known);
            let distance = strsim::osa_distance(code, &known);
            (distance.min(strsim::osa_distance(code, reason)), known)
        })
        .filter(|(distance, _)| *distance <= far)
        .collect();
    near.sort();
    near.into_iter().take(SIMILAR_MAX).map(|(_, code)| code).collect()
}

/// Says that no answer has a code, and which codes are spelled like it.
#[must_use]
pub fn unknown(code: &str) -> String {
    let code: String = code.chars().take(80).collect();
    let similar = similar(&code);
    if similar.is_empty() {
        format!("no answer has the code {code:?}; `tranche explain` lists them")
    } else {
        format!("no answer has the code {code:?}; similar: {}", similar.join(", "))
    }
}

fn of_rules((code, about): (String, &'static About)) -> Explained {
    let About { kind, rule, sentence } = about;
    let (commands, basis) = commands(&code);
    let anchor = rule.clause.split_once("(rules.md#");
    Explained {
        r#type: format!("/problems/{code}"),
        title: problem::title(&code),
        meaning: meaning(&code, *kind),
        sentence: Some(with_blanks(sentence)).filter(|sentence| sentence != BLANK),
        rule_text: anchor.and_then(|(_, anchor)| rule_text(anchor.trim_end_matches(')'))),
        status: problem::status(*kind).as_u16(),
        exit: Some(Exit::from(*kind) as u8),
        commands,
        commands_are: Some(basis),
        code,
        rule: Some(rule.clone()),
    }
}

fn of_server((code, status, meaning): &(&str, axum::http::StatusCode, &'static str)) -> Explained {
    Explained {
        r#type: format!("/problems/{code}"),
        code: (*code).to_owned(),
        title: problem::title(code),
        meaning: Cow::Borrowed(meaning),
        sentence: None,
        rule: None,
        rule_text: None,
        status: status.as_u16(),
        exit: None,
        commands: Vec::new(),
        commands_are: None,
    }
}

fn meaning(code: &str, kind: RefusalKind) -> Cow<'static, str> {
    let of_kind = match kind {
        RefusalKind::Malformed => "The command cannot be read as it is. Nothing was recorded.",
        RefusalKind::Forbidden => "This person, or this role, may not do it. Nothing was recorded.",
        RefusalKind::NotFound => "There is no such thing. Nothing was recorded.",
        RefusalKind::Conflict => {
            "It does not fit what was recorded before: a state, a version or an id. Nothing was \
             recorded."
        }
        RefusalKind::Rule => match code.split_once('.') {
            Some((SHARED, _)) | None => {
                "A refusal that every command shares. Nothing was recorded."
            }
            Some((category, _)) => {
                return format!("A rule of a {category} says no. Nothing was recorded.").into();
            }
        },
    };
    of_kind.into()
}

/// Shows what differs from case to case: `{asked}` as `<asked>`, a place without a name as `<...>`.
fn with_blanks(sentence: &str) -> String {
    let mut shown = String::with_capacity(sentence.len());
    let mut rest = sentence;
    while let Some((before, after)) = rest.split_once('{') {
        let (place, behind) = after.split_once('}').unwrap_or((after, ""));
        let name = place.split([':', ',']).next().unwrap_or_default().trim();
        let has_name = name.starts_with(|first: char| first.is_ascii_alphabetic());
        shown += before;
        shown += &if has_name { format!("<{name}>") } else { BLANK.to_owned() };
        rest = behind;
    }
    shown + rest
}

/// Finds the commands that can answer a code of the rules.
fn commands(code: &str) -> (Vec<&'static str>, Basis) {
    let category = code.split_once('.').map_or(code, |(category, _)| category);
    if category == SHARED {
        return (Vec::new(), Basis::Every);
    }
    let lines = MEASURED.lines().filter_map(|line| line.split_once(' '));
    if let Some((_, commands)) = lines.into_iter().find(|(measured, _)| *measured == code) {
        return (commands.split(' ').collect(), Basis::Measured);
    }
    let names = COMMANDS.iter().flat_map(|table| table.iter()).map(|entry| entry.declaration.name);
    let of_category = |name: &&str| name.split_once('.').is_some_and(|(own, _)| own == category);
    (names.filter(of_category).collect(), Basis::Category)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_with_those_who_can_answer_it() {
        for explained in all() {
            let code = &explained.code;
            assert!(explained.meaning.ends_with('.'), "{code}");
            assert_eq!(explained.commands_are.is_none(), code.starts_with("http."), "{code}");
            let every = explained.commands_are.is_none_or(|basis| basis == Basis::Every);
            assert_eq!(explained.commands.is_empty(), every, "{code}");
            assert_eq!(explain(code).as_ref(), Some(&explained));
        }
    }

    #[test]
    fn what_was_measured_is_of_codes_and_commands_that_there_are() {
        let codes = codes();
        for line in MEASURED.lines() {
            let (code, commands) = line.split_once(' ').expect("a code and its commands");
            assert!(codes.iter().any(|known| known == code), "{code} is no code");
            for command in commands.split(' ') {
                assert!(catalogue::entry(command).is_some(), "{command} is no command");
            }
        }
    }

    #[test]
    fn a_code_that_is_misspelled_finds_its_like() {
        assert_eq!(similar("fund.not_postive").first().unwrap(), "fund.not_positive");
        assert_eq!(similar("appropriation_exceeded")[0], "fund.appropriation_exceeded");
        let said = unknown("fund.not_postive");
        assert!(said.contains("similar: fund.not_positive, "), "{said}");
        assert!(similar("nothing like a code of anything").is_empty());
    }

    #[test]
    fn what_differs_is_left_blank() {
        assert_eq!(
            with_blanks("{asked} is more than {left:?} of {0}"),
            "<asked> is more than <left> of <...>"
        );
        assert_eq!(with_blanks("a fund"), "a fund");
    }
}
