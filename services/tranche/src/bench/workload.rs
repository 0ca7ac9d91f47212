//! The same commands for every contender: half of them record a published figure, half commit a cent
//! to one of a hundred grants, which moves the budget and checks the commitments' sums.

use bytes::Bytes;
use domain::command::{Actor, Confidence, Evidence, Meta, Role};
use domain::{Parsed, Refusal, World};
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

/// Over so many grants the work is spread.
const GRANTS: u64 = 100;

/// A command of the workload by its number: name, payload, role.
#[must_use]
pub fn command(number: u64) -> (&'static str, Vec<u8>, Role) {
    let grant = format!("G{}", number % GRANTS);
    let (name, data, role): (_, Value, _) = if number.is_multiple_of(2) {
        let figures = json!({
            "about": format!("grant-{grant}"), "published": "2025-03-12", "what": "announced",
            "total": "EUR 150000000.00", "union": "EUR 70000000.00",
        });
        let data = json!({"claim": format!("bench-{number}"), "figures": figures});
        ("claim.publish", data, Role::ProgrammeOfficer)
    } else {
        let data = json!({"fund": "BENCH", "commitment": "all", "grant": grant, "amount": "EUR 0.01"});
        ("fund.commit_individually", data, Role::AuthorisingOfficer)
    };
    (name, data.to_string().into_bytes(), role)
}

/// What must be there before the workload: name, payload, role.
#[must_use]
pub fn preparation() -> Vec<(&'static str, Vec<u8>, Role)> {
    let vote = json!({"fund": "BENCH", "line": "bench", "source": "Union", "amount": "EUR 1000000000.00"});
    let commit = json!({
        "fund": "BENCH", "line": "bench", "source": "Union", "amount": "EUR 1000000000.00",
        "call": "BENCH", "commitment": "all",
    });
    vec![
        ("fund.vote_appropriation", vote.to_string().into_bytes(), Role::GoverningBoard),
        ("fund.commit_globally", commit.to_string().into_bytes(), Role::AuthorisingOfficer),
    ]
}

/// Who gives the workload's commands.
///
/// # Panics
/// Never: a literal id.
#[must_use]
pub fn actor(role: Role) -> Actor {
    Actor { id: "bench".parse().expect("a literal id"), on_behalf_of: None, role }
}

/// Where its facts come from.
#[must_use]
pub fn evidence() -> Evidence {
    Evidence { confidence: Confidence::Fixture, note: None, source: "bench".to_owned() }
}

/// Decides the preparation and so many commands of the workload in memory, one a minute, and gives
/// their canonical bytes in order: a log of any length without the time of making it durable.
pub struct Fill {
    world: World,
    number: u64,
    now: Timestamp,
}

impl Default for Fill {
    fn default() -> Self {
        let now = "2015-01-01T00:00:00Z".parse().expect("a literal instant");
        Self { world: World::default(), number: 0, now }
    }
}

impl Fill {
    /// The next so many entries.
    ///
    /// # Errors
    /// When a command of the workload is refused.
    pub fn next(&mut self, count: usize) -> Result<Vec<Bytes>, Refusal> {
        (0..count).map(|_| self.one()).collect()
    }

    fn one(&mut self) -> Result<Bytes, Refusal> {
        let preparation = preparation();
        let index = usize::try_from(self.number).unwrap_or(usize::MAX);
        let (name, data, role) =
            preparation.into_iter().nth(index).unwrap_or_else(|| command(self.number));
        self.number += 1;
        self.now = self.now.checked_add(1.minute()).unwrap_or(self.now);
        let meta = Meta {
            actor: actor(role),
            command_id: format!("bench/{}", self.number).parse().expect("a literal id"),
            correlation_id: None,
            causation_id: None,
            received_at: self.now,
            recorded_at: self.now,
            effective_at: None,
            evidence: Some(evidence()),
        };
        let commit = self.world.commit(&Parsed::read(name, &data)?, &meta)?;
        let (commit, bytes) = commit.expect("every command of the workload records something");
        self.world.apply(&commit);
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_the_workload_is_accepted() {
        let entries = Fill::default().next(500).unwrap();
        assert_eq!(entries.len(), 500);
    }
}
