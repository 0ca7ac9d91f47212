//! The documents that the story names. Nobody has published one: each is a line that says so by its name.

use domain::Commit;
use domain::facts::event::Event;
use domain::facts::{call, grant, proposal};

/// The documents that a commit of the story names.
///
/// # Errors
/// When a rules document has no canonical form.
pub fn documents(commit: &Commit) -> Result<Vec<Vec<u8>>, serde_json::Error> {
    let mut found = Vec::new();
    for recorded in &commit.events {
        let id = recorded.stream.id();
        match &recorded.event {
            Event::Call(call::Event::Opened { rules, .. }) => {
                found.push(domain::facts::documents::rules_bytes(rules)?);
            }
            Event::Grant(grant::Event::HostingAgreed { .. }) => {
                found.push(hosting_agreement(id).into_bytes());
            }
            Event::Proposal(proposal::Event::Submitted(submission)) => {
                let keys = submission.documents.iter().map(|document| &document.key);
                found.extend(keys.map(|key| of_proposal(id, key.as_str()).into_bytes()));
            }
            _ => {}
        }
    }
    Ok(found)
}

/// A document of a proposal.
pub(super) fn of_proposal(proposal: &str, key: &str) -> String {
    format!("{proposal} {key}")
}

/// The hosting agreement of a grant.
pub(super) fn hosting_agreement(grant: &str) -> String {
    format!("hosting agreement {grant}")
}
