//! `tranche rules`: reads rules documents and names all their mistakes.

use super::failure::Failure;
use super::out::{Out, counted, say};
use clap::Subcommand;
use domain::kernel::canonical;
use domain::kernel::canonical::Sha256Hex;
use domain::rulebook::{Document, Mistake, SHIPPED, parse, shipped};
use serde::Serialize;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The longest document that is read, in bytes: far more than an entry of the log may have.
const DOCUMENT_BYTES_MAX: u64 = 1 << 20;

/// What is done with rules documents.
#[derive(Subcommand)]
pub enum RulesTask {
    /// Reads rules documents and reports all mistakes, each with its line
    Check {
        /// TOML files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Lists the documents that come with the program
    List,
    /// Prints a document that comes with the program (with --json as a call keeps it)
    Show {
        /// Its name
        name: String,
    },
}

/// A mistake, as JSON.
#[derive(Serialize)]
struct Found<'a> {
    file: String,
    line: Option<usize>,
    message: &'a str,
    path: &'a str,
}

/// A shipped document in the list, as JSON.
#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    sha256: Sha256Hex,
    title: &'a str,
    version: u32,
}

/// Does it.
pub fn rules(task: &RulesTask, json: bool) -> Result<(), Failure> {
    match task {
        RulesTask::Check { files } => check(files, json),
        RulesTask::List => list(json),
        RulesTask::Show { name } => show(name, json),
    }
}

fn check(files: &[PathBuf], json: bool) -> Result<(), Failure> {
    let mut out = Out::stdout();
    let (mut count, mut failed) = (0, None);
    for file in files {
        // A file that cannot be read does not hide what is wrong with the next one.
        let checked = match read(file) {
            Ok(bytes) => check_bytes(bytes),
            Err(failure) => {
                if let Some(earlier) = failed.replace(failure) {
                    say(format_args!("{earlier}"));
                }
                continue;
            }
        };
        match checked {
            Ok(document) => {
                let Document { id, version, .. } = &document;
                let digest = canonical::digest(&document)?;
                say(format_args!("{}: {id} version {version}, sha256 {digest}", file.display()));
            }
            Err(mistakes) => {
                count += mistakes.len();
                mistakes.iter().try_for_each(|mistake| tell(&mut out, file, mistake, json))?;
            }
        }
    }
    out.finish()?;
    match (failed, count) {
        (Some(failure), 0) => Err(failure),
        (Some(failure), _) => {
            say(format_args!("{}", counted(count, "mistake")));
            Err(failure)
        }
        (None, 0) => Ok(()),
        (None, _) => Err(Failure::Found(counted(count, "mistake"))),
    }
}

/// What is not UTF-8 is a mistake on its line, and hides none of the others.
fn check_bytes(bytes: Vec<u8>) -> Result<Document, Vec<Mistake>> {
    let error = match String::from_utf8(bytes) {
        Ok(text) => return parse(&text),
        Err(error) => error,
    };
    let good = error.utf8_error().valid_up_to();
    let lines = error.as_bytes().iter().take(good).filter(|byte| **byte == b'\n').count();
    let mut mistakes = parse(&String::from_utf8_lossy(error.as_bytes())).err().unwrap_or_default();
    let message = format!("is not UTF-8: {}", error.utf8_error());
    mistakes.push(Mistake { line: Some(lines + 1), path: String::new(), message });
    mistakes.sort_by(|a, b| (a.line, &a.path).cmp(&(b.line, &b.path)));
    Err(mistakes)
}

fn tell(out: &mut Out, file: &Path, mistake: &Mistake, json: bool) -> Result<(), Failure> {
    if json {
        let Mistake { line, path, message } = mistake;
        let file = file.display();
        return out.json(&Found { file: file.to_string(), line: *line, message, path });
    }
    out.line(format_args!("{}", Told { path: file, mistake }))
}

/// A mistake on one line: the file, where in it, what.
struct Told<'a> {
    path: &'a Path,
    mistake: &'a Mistake,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mistake { line, path, message } = self.mistake;
        let line = line.map_or_else(String::new, |line| format!(":{line}"));
        let path = if path.is_empty() { String::new() } else { format!("{path}: ") };
        write!(f, "{}{line}: {path}{message}", self.path.display())
    }
}

/// Reads a file of limited length.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let file = File::open(path).map_err(|error| Failure::file(path, error))?;
    let mut bytes = Vec::new();
    file.take(DOCUMENT_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::file(path, error))?;
    if bytes.len() as u64 > DOCUMENT_BYTES_MAX {
        let limit = DOCUMENT_BYTES_MAX;
        return Err(Failure::Usage(format!("{} is longer than {limit} bytes", path.display())));
    }
    Ok(bytes)
}

fn list(json: bool) -> Result<(), Failure> {
    let mut out = Out::stdout();
    let width = SHIPPED.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, text) in SHIPPED {
        let document = shipped_document(name, text)?;
        let Document { title, version, .. } = &document;
        if json {
            let sha256 = canonical::digest(&document)?;
            out.json(&Listed { name, sha256, title, version: *version })?;
        } else {
            out.line(format_args!("{name:width$}  v{version}  {title}"))?;
        }
    }
    out.finish()
}

fn show(name: &str, json: bool) -> Result<(), Failure> {
    let text = shipped(name).ok_or_else(|| {
        let names: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        Failure::NotFound(format!("no rules document is called {name:?}; there are {names}"))
    })?;
    let mut out = Out::stdout();
    if json {
        out.bytes(&canonical::to_bytes(&shipped_document(name, text)?)?)?;
        out.bytes(b"\n")?;
    } else {
        out.bytes(text.as_bytes())?;
    }
    out.finish()
}

/// Reads a document of this program; a mistake in it is a fault of the build.
fn shipped_document(name: &str, text: &str) -> Result<Document, Failure> {
    parse(text).map_err(|mistakes| {
        let first = mistakes.first().map(|mistake| mistake.message.as_str()).unwrap_or_default();
        Failure::Corrupt(format!("the shipped document {name} has mistakes: {first}"))
    })
}

/// A rules document in a file as JSON, for a field of a command.
pub fn document(path: &Path) -> Result<serde_json::Value, Failure> {
    let document = check_bytes(read(path)?).map_err(|mistakes| {
        let count = counted(mistakes.len(), "mistake");
        let lines: Vec<String> =
            mistakes.iter().map(|mistake| format!("\n  {}", Told { path, mistake })).collect();
        Failure::Usage(format!("{} has {count}{}", path.display(), lines.concat()))
    })?;
    Ok(serde_json::to_value(document)?)
}
