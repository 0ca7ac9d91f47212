//! `tranche explain`: tells what the code of a refusal means.

use super::failure::Failure;
use super::out::Out;
use clap::Args;
use tranche::refusals::{self, Basis, Explained};

/// Holds the arguments of `tranche explain`.
#[derive(Args)]
pub struct ExplainArgs {
    /// Explains this code, or the codes of a rule such as rules.md#add-up; lists all by default
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

/// Explains a code, the codes of a rule, or lists every code.
pub fn explain(args: &ExplainArgs, json: bool) -> Result<(), Failure> {
    let mut out = Out::stdout();
    let Some(asked) = &args.code else {
        list(&mut out, refusals::all(), json)?;
        return out.finish();
    };
    if let Some((_, anchor)) = asked.split_once('#') {
        let text = refusals::rule_text(anchor)
            .ok_or_else(|| Failure::NotFound(format!("no rule of Tranche is called {asked:?}")))?;
        if !json {
            paragraph(&mut out, "", &text)?;
        }
        list(&mut out, refusals::resting_on(anchor), json)?;
        return out.finish();
    }
    let found =
        refusals::explain(asked).ok_or_else(|| Failure::NotFound(refusals::unknown(asked)))?;
    if json {
        out.json(&found)?;
    } else {
        tell(&mut out, &found)?;
    }
    out.finish()
}

fn list(
    out: &mut Out,
    codes: impl IntoIterator<Item = Explained>,
    json: bool,
) -> Result<(), Failure> {
    let codes: Vec<Explained> = codes.into_iter().collect();
    let width = codes.iter().map(|explained| explained.code.len()).max().unwrap_or(0);
    for explained in &codes {
        if json {
            out.json(explained)?;
            continue;
        }
        let says = explained.sentence.as_deref().unwrap_or(&explained.meaning);
        out.line(format_args!("{:width$}  {says}", explained.code))?;
    }
    Ok(())
}

fn tell(out: &mut Out, found: &Explained) -> Result<(), Failure> {
    out.line(format_args!("{}: {}", found.code, found.meaning))?;
    if let Some(sentence) = &found.sentence {
        paragraph(out, "  Says      ", sentence)?;
    }
    if let Some(rule) = &found.rule {
        paragraph(out, "  Rule      ", &rule.to_string())?;
    }
    if let Some(text) = &found.rule_text {
        paragraph(out, "            ", text)?;
    }
    let ends = [
        found.status.map(|status| format!("HTTP status {status}")),
        found.exit.map(|exit| format!("exit code {exit}")),
    ];
    let ends: Vec<String> = ends.into_iter().flatten().collect();
    if !ends.is_empty() {
        paragraph(out, "  Ends with ", &ends.join(", "))?;
    }
    let names = found.commands.join(", ");
    match found.commands_are {
        None => Ok(()),
        Some(Basis::Every) => paragraph(out, "  Answers   ", "every command"),
        Some(Basis::Measured) => {
            paragraph(out, "  Answers   ", &format!("{names} (as seen in the tests)"))
        }
        Some(Basis::Category) => {
            paragraph(out, "  Answers   ", &format!("{names} (the commands of its category)"))
        }
    }
}

/// Writes a text in lines of a width that can be read; later lines are indented as the first.
fn paragraph(out: &mut Out, label: &str, text: &str) -> Result<(), Failure> {
    const WIDTH: usize = 90;
    let mut line = label.to_owned();
    let mut is_empty = true;
    for word in text.split_whitespace() {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.line(format_args!("{line}"))?;
            line = " ".repeat(label.len());
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    out.line(format_args!("{line}"))
}
