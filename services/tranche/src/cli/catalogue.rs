//! What `tranche do` shows about the commands: everything is read from their declarations.

use super::failure::Failure;
use super::out::Out;
use super::schema;
use domain::catalogue::COMMANDS;
use domain::decide::command::{Declaration, Entry, Need};
use domain::facts::stream::NEW;
use domain::kernel::actor::Role;
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write;

/// Every command, in the order of the deciders.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    COMMANDS.iter().flat_map(|table| table.iter())
}

/// A command in `tranche do --list --json`.
#[derive(Serialize)]
struct Listed {
    name: &'static str,
    summary: &'static str,
    roles: &'static [Role],
    from: &'static [&'static str],
    needs: &'static [Need],
    rule: String,
    schema: Value,
}

/// Lists the commands: a line each, or with `--json` all that is declared about each.
pub fn list(json: bool) -> Result<(), Failure> {
    let mut out = Out::stdout();
    let width = entries().map(|entry| entry.declaration.name.len()).max().unwrap_or(0);
    for entry in entries() {
        let Declaration { name, summary, roles, from, needs, rule } = entry.declaration;
        if json {
            let schema = tranche::vault::schema(entry);
            let rule = rule.to_string();
            out.json(&Listed { name, summary, roles, from, needs, rule, schema })?;
        } else {
            out.line(format_args!("{name:width$}  {summary}"))?;
        }
    }
    out.finish()
}

/// What `tranche do COMMAND --help` says below the options.
pub fn help(entry: &Entry) -> String {
    let Declaration { name, roles, from, needs, rule, .. } = entry.declaration;
    let schema = tranche::vault::schema(entry);
    let states: Vec<&str> =
        from.iter().map(|state| if *state == NEW { "new (makes it)" } else { *state }).collect();
    let needs: Vec<&str> = needs.iter().map(need).collect();
    let mut help = format!("Who:     {}\nStates:  {}\n", roles_text(roles), states.join(", "));
    if !needs.is_empty() {
        help += &format!("Needs:   {}\n", needs.join(", "));
    }
    help += &format!("Rule:    {rule}\n\nFields (* must be there):\n");
    for field in schema::fields(&schema) {
        let mark = if field.required { '*' } else { ' ' };
        let example = field.example.map_or_else(String::new, |value| format!("  e.g. {value}"));
        // Writing to a string does not fail.
        let _ = writeln!(help, " {mark} {}: {}{example}", field.name, field.kind);
        if !field.about.is_empty() {
            let _ = writeln!(help, "     {}", field.about);
        }
    }
    let role = roles.first().map(ToString::to_string).unwrap_or_default();
    // Many short lines: a long one would be broken inside of a word.
    let sample = serde_json::to_string_pretty(&schema::sample(&schema)).unwrap_or_default();
    help += &format!(
        "\nExample (the values only show the form):\n  tranche do {name} --data DIR --actor \
         ID --role {role} '{sample}'"
    );
    for field in schema::documents(&schema) {
        help += &format!(
            " --set {field}=@RULES.toml\nRULES.toml is a rules document: begin with one of \
             `tranche rules list`, printed by\n`tranche rules show NAME > RULES.toml`."
        );
    }
    help
}

fn need(need: &Need) -> &'static str {
    match need {
        Need::OtherPerson => "another person than in the earlier steps",
        Need::Quorum => "as many people as the rules document asks for",
        Need::Document => "a document, by its hash",
    }
}

fn roles_text(roles: &[Role]) -> String {
    roles.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
