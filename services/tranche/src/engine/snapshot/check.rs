//! Snapshots held against the log: each must be what a replay gives at its position.

use super::{Content, Shelf, TailLost, Unfit, files};
use crate::engine::replay::{Loaded, OpenError, blocking, fold};
use domain::kernel::canonical;
use eventlog::Log;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Holds the findings of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotCheck {
    /// So many snapshots of this build were replayed.
    pub compared: usize,
    /// Lists what is wrong, with its position when that is known.
    pub findings: Vec<(Option<u64>, String)>,
}

/// Holds the snapshots in a directory against a replay of the log.
///
/// # Errors
/// When the log cannot be read up to the newest of them.
pub async fn check_snapshots(log: Arc<dyn Log>, dir: PathBuf) -> Result<SnapshotCheck, OpenError> {
    blocking(move |runtime| check(&Shelf { dir, log, runtime: runtime.clone() })).await
}

/// Checks every snapshot. Blocks.
fn check(shelf: &Shelf) -> Result<SnapshotCheck, OpenError> {
    let mut report = SnapshotCheck::default();
    let mut kept: BTreeMap<u64, (PathBuf, Content)> = BTreeMap::new();
    for file in files(&shelf.dir).unwrap_or_default() {
        let shown = file.display().to_string();
        match shelf.read(&file) {
            Ok(content) => drop(kept.insert(content.world.position, (file, content))),
            Err(Unfit::Past(_)) => {}
            Err(Unfit::Damaged(why)) => report.findings.push((None, format!("{shown}: {why}"))),
            Err(Unfit::NotOfThisLog(position, why)) => {
                let what = TailLost { position, file, why }.to_string();
                // The position goes in front of it already.
                let what = what.split_once(": ").map_or(what.as_str(), |(_, rest)| rest);
                report.findings.push((Some(position), what.to_owned()));
            }
        }
    }
    let Some(last) = kept.keys().next_back().copied() else { return Ok(report) };
    let mut loaded = Loaded::resume(None, domain::process::react::react);
    let mut failed = None;
    fold(
        &*shelf.log,
        &shelf.runtime,
        0,
        |_| {},
        |decoded| {
            if loaded.state.world.position >= last {
                return;
            }
            loaded.take(decoded);
            let position = loaded.state.world.position;
            let Some((file, content)) = kept.get(&position) else { return };
            report.compared += 1;
            match differences(content, &loaded) {
                Ok(differences) if differences.is_empty() => {}
                Ok(differences) => {
                    let what = differences.join(", ");
                    let shown = file.display();
                    let what = format!("{shown}: a replay up to here gives another {what}");
                    report.findings.push((Some(position), what));
                }
                Err(error) => failed = Some(error),
            }
        },
    )?;
    failed.map_or(Ok(report), |error| Err(error.into()))
}

/// The names of the parts in which a snapshot is not what was replayed.
fn differences(content: &Content, loaded: &Loaded) -> Result<Vec<String>, serde_json::Error> {
    let mut names = Vec::new();
    if canonical::digest(&content.world)? != canonical::digest(&loaded.state.world)? {
        names.push("world".to_owned());
    }
    let replayed = loaded.history.views().digests()?;
    for (view, digest) in content.views.digests()? {
        if replayed.get(view) != Some(&digest) {
            names.push(format!("view {view}"));
        }
    }
    if content.reactions != loaded.state.reactions {
        names.push("list of reactions".to_owned());
    }
    if content.lines != loaded.lines {
        names.push("list of command ids".to_owned());
    }
    Ok(names)
}
