//! `tranche schema`: the shapes of the events, for programs that read a log.

use super::failure::Failure;
use super::out::{Out, counted, say};
use clap::Subcommand;
use domain::facts::schemas::{EventSchema, all};
use domain::kernel::canonical::Sha256Hex;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The list of all files with their SHA-256, as `sha256sum -c` reads it.
const SUMS: &str = "SHA256SUMS";

/// What is done with schemas.
#[derive(Subcommand)]
pub enum SchemaTask {
    /// Lists the types of events with their versions
    List,
    /// Prints the schema of the data of an event
    Show {
        /// Its type, for example fund.Paid
        event: String,
        /// Its version; without it, the newest
        #[arg(long = "schema-version", value_name = "N")]
        version: Option<u32>,
    },
    /// Writes all of them, as DIR/CATEGORY/EVENT.vN.json, and DIR/SHA256SUMS
    Write {
        /// A directory, made if it is not there
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
}

/// A schema in the list, as JSON.
#[derive(Serialize)]
struct Listed<'a> {
    event: &'a str,
    /// Of the text that `write` writes.
    sha256: Sha256Hex,
    version: u32,
}

/// Does it.
pub fn schemas(task: &SchemaTask, json: bool) -> Result<(), Failure> {
    match task {
        SchemaTask::List => list(json),
        SchemaTask::Show { event, version } => show(event, *version),
        SchemaTask::Write { dir } => write(dir),
    }
}

fn list(json: bool) -> Result<(), Failure> {
    let mut out = Out::stdout();
    for schema in all() {
        let EventSchema { event, version, .. } = &schema;
        if json {
            let sha256 = Sha256Hex::of(schema.to_string().as_bytes());
            out.json(&Listed { event, sha256, version: *version })?;
        } else {
            out.line(format_args!("{event} v{version}"))?;
        }
    }
    out.finish()
}

fn show(event: &str, version: Option<u32>) -> Result<(), Failure> {
    let is_asked = |schema: &EventSchema| {
        schema.event == event && version.is_none_or(|version| schema.version == version)
    };
    let found = all().into_iter().filter(is_asked).max_by_key(|schema| schema.version);
    let found = found.ok_or_else(|| {
        let version = version.map_or_else(String::new, |version| format!(" in version {version}"));
        Failure::NotFound(format!(
            "there is no event {event:?}{version}; see `tranche schema list`"
        ))
    })?;
    let mut out = Out::stdout();
    out.bytes(found.to_string().as_bytes())?;
    out.finish()
}

fn write(dir: &Path) -> Result<(), Failure> {
    let schemas = all();
    let mut sums = BTreeMap::new();
    for schema in &schemas {
        let (path, text) = (dir.join(schema.path()), schema.to_string());
        let parent = path.parent().unwrap_or(dir);
        std::fs::create_dir_all(parent).map_err(|error| Failure::file(parent, error))?;
        std::fs::write(&path, &text).map_err(|error| Failure::file(&path, error))?;
        sums.insert(schema.path(), Sha256Hex::of(text.as_bytes()));
    }
    let lines: String = sums.iter().map(|(path, sha256)| format!("{sha256}  {path}\n")).collect();
    let path = dir.join(SUMS);
    std::fs::write(&path, lines).map_err(|error| Failure::file(&path, error))?;
    say(format_args!("{}: wrote {}", dir.display(), counted(schemas.len(), "schema")));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_committed() {
        let scratch = eventlog::contract::Scratch::new();
        write(scratch.path()).unwrap();
        let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../domain/schemas");
        let list = std::fs::read_to_string(committed.join(SUMS)).unwrap();
        assert_eq!(std::fs::read_to_string(scratch.path().join(SUMS)).unwrap(), list);
        for line in list.lines() {
            let (hash, path) = line.split_once("  ").unwrap();
            let written = std::fs::read(scratch.path().join(path)).unwrap();
            assert_eq!(Sha256Hex::of(&written).to_string(), hash, "{path}");
        }
    }

    #[test]
    fn an_event_that_is_not_there_is_said() {
        let error = show("fund.Melted", Some(2)).unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no event \"fund.Melted\" in version 2; see `tranche schema list`"
        );
    }
}
