//! `tranche document`: the documents beside the log, which events name by their SHA-256.

use super::failure::Failure;
use super::out::{Out, progress};
use super::source::{Source, each_entry};
use super::words::counted;
use clap::{Args, Subcommand};
use domain::facts::documents;
use domain::kernel::canonical::Sha256Hex;
use serde_json::json;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use tranche::clock::Clock;
use tranche::documents::check::{self, DAYS_MIN, Orphan, Stays};
use tranche::documents::{DOCUMENT_BYTES_MAX, Documents, Put};
use tranche::engine::decode;
use tranche_proof::documents::Census;

/// Where documents are kept.
#[derive(Args, Clone, Debug)]
pub struct DocumentsArgs {
    /// Keeps documents here: a directory, nats://HOST[:PORT]/BUCKET or s3://BUCKET[/PREFIX]
    #[arg(
        long = "documents",
        value_name = "DIR|URL",
        env = "TRANCHE_DOCUMENTS",
        hide_env_values = true
    )]
    place: Option<String>,
}

impl DocumentsArgs {
    /// The store, if the call names one.
    pub async fn open(&self) -> Result<Option<Documents>, Failure> {
        match &self.place {
            Some(place) => Ok(Some(Documents::open(place).await?)),
            None => Ok(None),
        }
    }

    /// The store, if the call names one; a directory must be there, since all that is named would be
    /// missing in another.
    pub async fn open_existing(&self) -> Result<Option<Documents>, Failure> {
        if let Some(place) = self.place.as_deref().filter(|place| !place.contains("://")) {
            let path = Path::new(place);
            let is_dir = std::fs::metadata(path).map(|meta| meta.is_dir());
            if !is_dir.map_err(|error| Failure::file(path, error))? {
                let what = format!("--documents {place}: it is no directory");
                return Err(Failure::Usage(what));
            }
        }
        self.open().await
    }

    async fn required(&self) -> Result<Documents, Failure> {
        self.open().await?.ok_or_else(none_named)
    }
}

fn none_named() -> Failure {
    Failure::Usage("which documents? --documents DIR, or a URL".to_owned())
}

/// Holds the arguments of `tranche document`.
#[derive(Subcommand)]
pub enum DocumentTask {
    /// Keeps files, and prints the hashes by which a command names them
    Add {
        /// Keeps these files; - is standard input
        #[arg(required_unless_present = "rules")]
        files: Vec<PathBuf>,
        /// Keeps the rules documents of all calls, which are in the log
        #[arg(long)]
        rules: bool,
        #[command(flatten)]
        documents: DocumentsArgs,
    },
    /// Prints a document, after a check that it is unchanged
    Get {
        /// Prints the document with this SHA-256, in hexadecimal digits
        sha256: Sha256Hex,
        /// Writes it to this new file; by default to standard output
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        #[command(flatten)]
        documents: DocumentsArgs,
    },
    /// Lists the documents that are kept: hash, size and time
    List {
        #[command(flatten)]
        documents: DocumentsArgs,
    },
    /// Reads every document that the log names, and reports what is missing or changed
    Check {
        #[command(flatten)]
        documents: DocumentsArgs,
    },
    /// Lists the documents that no event names; with --really removes them
    Collect {
        /// Takes only documents that are at least this many days old
        #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = days)]
        older_than: u32,
        /// Removes them; by default they are only listed
        #[arg(long)]
        really: bool,
        #[command(flatten)]
        documents: DocumentsArgs,
    },
}

fn days(text: &str) -> Result<u32, String> {
    let days = text.parse().ok().filter(|days| *days >= DAYS_MIN);
    days.ok_or_else(|| format!("a whole number of days from {DAYS_MIN} on"))
}

/// Does what is to be done with documents.
pub async fn document(
    source: &Source,
    task: &DocumentTask,
    clock: &Clock,
    json: bool,
) -> Result<(), Failure> {
    match task {
        DocumentTask::Add { files, rules, documents } => {
            add(source, files, *rules, &documents.required().await?, json).await
        }
        DocumentTask::Get { sha256, to, documents } => {
            let document = documents.required().await?.get(*sha256).await?;
            let none = || Failure::NotFound(format!("there is no document {sha256}"));
            let document = document.ok_or_else(none)?;
            let mut out = Out::to(to.as_deref())?;
            out.bytes(&document)?;
            out.finish()
        }
        DocumentTask::List { documents } => list(&documents.required().await?, json).await,
        DocumentTask::Check { documents } => {
            let store = documents.open_existing().await?.ok_or_else(none_named)?;
            check(source, &store, json).await
        }
        DocumentTask::Collect { older_than, really, documents } => {
            let store = documents.required().await?;
            collect(source, &store, (*older_than, *really), clock, json).await
        }
    }
}

async fn add(
    source: &Source,
    files: &[PathBuf],
    rules: bool,
    store: &Documents,
    json: bool,
) -> Result<(), Failure> {
    let mut out = Out::stdout();
    for path in files {
        let done = store.put(read(path)?).await?;
        tell(&mut out, done, &path.display().to_string(), json)?;
    }
    if rules {
        for (what, bytes) in rules_of(source).await? {
            let done = store.put(bytes).await?;
            tell(&mut out, done, &what, json)?;
        }
    }
    out.finish()
}

fn tell(
    out: &mut Out,
    (sha256, put): (Sha256Hex, Put),
    what: &str,
    json: bool,
) -> Result<(), Failure> {
    if json {
        return out.json(&json!({ "document": what, "put": put, "sha256": sha256 }));
    }
    let put = match put {
        Put::New => "",
        Put::Already => " (it was there)",
        Put::Mended => " (something else was there in its name)",
    };
    out.line(format_args!("{sha256}  {what}{put}"))
}

/// Reads one byte more than a document may have, so that a longer one is refused and not cut.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let limit = DOCUMENT_BYTES_MAX as u64 + 1;
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    read.map_err(|error| Failure::file(path, error))?;
    Ok(bytes)
}

/// The rules documents of a log, as their digests were recorded; one that is not what its digest says is
/// left to `verify`.
async fn rules_of(source: &Source) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let log = source.open_to_read().await?;
    let mut found = Vec::new();
    each_entry(&*log, 1, log.head().await?, |position, entry| {
        let rules = documents::rules(&decode(position, entry)?, entry)?;
        let whole = rules.into_iter().filter(documents::Rules::is_whole);
        found.extend(whole.map(|rules| (format!("the rules of {}", rules.stream), rules.bytes)));
        Ok(())
    })
    .await?;
    Ok(found)
}

async fn list(store: &Documents, json: bool) -> Result<(), Failure> {
    let mut out = Out::stdout();
    for stored in store.list().await? {
        if json {
            out.json(&stored)?;
        } else {
            out.line(format_args!("{}  {:>10}  {}", stored.sha256, stored.bytes, stored.put_at))?;
        }
    }
    out.finish()
}

async fn census(source: &Source) -> Result<Census, Failure> {
    let log = source.open_to_read().await?;
    let head = log.head().await?;
    let bar = progress("reading", head);
    let mut census = Census::default();
    each_entry(&*log, 1, head, |position, entry| {
        bar.inc(1);
        census.take(&decode(position, entry)?)?;
        Ok(())
    })
    .await?;
    bar.finish_and_clear();
    Ok(census)
}

async fn check(source: &Source, store: &Documents, json: bool) -> Result<(), Failure> {
    let census = census(source).await?;
    let findings = check::check(&census, store).await?;
    let documents = census.hashes().len();
    let mut out = Out::stdout();
    if json {
        out.json(&json!({ "documents": documents, "findings": findings }))?;
    } else {
        for finding in &findings {
            out.line(format_args!("position {}: {finding}", finding.position))?;
        }
        out.line(format_args!("checked {}", counted(documents, "document")))?;
    }
    out.finish()?;
    match findings.len() {
        0 => Ok(()),
        count => Err(Failure::Found(counted(count, "finding"))),
    }
}

async fn collect(
    source: &Source,
    store: &Documents,
    (days, really): (u32, bool),
    clock: &Clock,
    json: bool,
) -> Result<(), Failure> {
    // Before the log: what is named while this is read is not taken for what nobody names.
    let stored = store.list().await?;
    let shown = source.follow().await?.reader().now();
    let orphans =
        check::orphans(&census(source).await?, stored, shown.world(), (clock.now(), days));
    if really {
        check::collect(store, &orphans).await?;
    }
    let mut out = Out::stdout();
    if json {
        out.json(&json!({ "orphans": orphans, "removed": really }))?;
        return out.finish();
    }
    for Orphan { stored, stays } in &orphans {
        let what = match stays {
            None if really => "removed".to_owned(),
            None => "may go".to_owned(),
            Some(Stays::Young) => format!("stays: put {}", stored.put_at),
            Some(Stays::Held(stream)) => format!("stays: held by {stream}"),
        };
        out.line(format_args!("{}  {:>10}  {what}", stored.sha256, stored.bytes))?;
    }
    let going = orphans.iter().filter(|orphan| orphan.stays.is_none()).count();
    let (all, going) = (counted(orphans.len(), "document"), counted(going, "document"));
    if really {
        out.line(format_args!("no event names {all}; removed {going}"))?;
    } else {
        out.line(format_args!("no event names {all}; --really would remove {going}"))?;
    }
    out.finish()
}
