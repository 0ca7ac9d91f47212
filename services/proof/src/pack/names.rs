//! What the commits of a pack name: rules, which they hold themselves, and other documents.

use domain::Commit;
use domain::kernel::canonical;
use domain::kernel::canonical::Sha256Hex;
use eventlog::Position;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What commits name.
#[derive(Debug, Default)]
pub struct Names {
    /// Rules by their digest, in canonical JSON.
    pub rules: BTreeMap<String, Vec<u8>>,
    /// The positions that name a document. Rules have a place of their own.
    pub documents: BTreeMap<Sha256Hex, BTreeSet<Position>>,
}

/// A document in the index of a pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Indexed {
    /// The positions that name it.
    pub named_by: BTreeSet<Position>,
    /// Its digest.
    pub sha256: Sha256Hex,
    /// Whether it is here.
    pub state: DocumentState,
}

/// Whether a document is in a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DocumentState {
    /// It is.
    #[serde(rename = "here")]
    Here,
    /// It was not in the store that was given.
    #[serde(rename = "missing")]
    Missing,
    /// No store was given.
    #[serde(rename = "not included")]
    NotIncluded,
}

impl Names {
    /// Takes in what the events of a commit name that count, by their time, from its stored bytes.
    ///
    /// # Errors
    /// When its rules are not what their digest says, or it cannot be read.
    pub fn take(
        &mut self,
        commit: &Commit,
        entry: &[u8],
        counts: impl Fn(Timestamp) -> bool,
    ) -> Result<(), String> {
        let counts =
            |event: usize| commit.events.get(event).is_some_and(|it| counts(it.effective_at));
        let stored: Value = serde_json::from_slice(entry).map_err(|error| error.to_string())?;
        let events = stored["events"].as_array().into_iter().flatten().enumerate();
        for (_, event) in events.filter(|(index, _)| counts(*index)) {
            let data = &event["data"];
            if let Some(hash) = data["rules_sha256"].as_str() {
                let rules =
                    canonical::to_bytes(&data["rules"]).map_err(|error| error.to_string())?;
                if Sha256Hex::of(&rules).to_string() != hash {
                    return Err("its rules are not what rules_sha256 says".to_owned());
                }
                self.rules.insert(hash.to_owned(), rules);
            }
        }
        let named = domain::facts::documents::named(commit).map_err(|error| error.to_string())?;
        for document in named.into_iter().filter(|document| counts(document.event)) {
            if !self.rules.contains_key(&document.sha256.to_string()) {
                self.documents.entry(document.sha256).or_default().insert(commit.position);
            }
        }
        Ok(())
    }

    /// What is wrong with an index of the documents; `is_here` says which are in the pack.
    #[must_use]
    pub fn check(&self, index: Option<&[u8]>, is_here: impl Fn(Sha256Hex) -> bool) -> Vec<String> {
        let Some(bytes) = index else { return vec!["there is no documents/index.json".to_owned()] };
        let Ok(index) = serde_json::from_slice::<Vec<Indexed>>(bytes) else {
            return vec!["documents/index.json cannot be read".to_owned()];
        };
        let mut rest = self.documents.clone();
        let mut findings = Vec::new();
        for Indexed { named_by, sha256, state } in index {
            if rest.remove(&sha256) != Some(named_by) {
                findings.push(format!("documents/index.json: other commits name {sha256}"));
            }
            if is_here(sha256) != (state == DocumentState::Here) {
                findings.push(format!(
                    "documents/index.json: {sha256} is here, or not, as it does not say"
                ));
            }
        }
        let missing = rest.keys().map(|sha256| {
            format!("documents/index.json: {sha256} is not in it, and a commit names it")
        });
        findings.extend(missing);
        findings
    }
}
