//! The same commands for every contender: half of them record a published figure, half raise a global
//! commitment by a cent, which moves the budget and checks the commitments' sums.

use crate::engine::Request;
use domain::decide::command::Meta;
use domain::kernel::actor::{Actor, Confidence, Evidence, Role};
use domain::{Commit, Parsed, Refusal, World};
use jiff::{Timestamp, ToSpan};

/// Over so many grants the figures are spread.
const GRANTS: u64 = 100;
/// More than all that is committed.
const PLENTY: &str =
    r#"{"fund":"BENCH","line":"bench","source":"Union","amount":"EUR 1000000000.00"}"#;

/// A command as a caller has it.
pub struct Given {
    /// Its name.
    pub name: &'static str,
    /// Its payload in JSON.
    pub payload: String,
    /// In which role it is given.
    pub role: Role,
    /// Names it for ever.
    pub id: String,
}

/// A command of the workload by its number.
#[must_use]
pub fn command(number: u64) -> Given {
    let grant = number % GRANTS;
    let (name, payload, role) = if number.is_multiple_of(2) {
        let payload = format!(
            r#"{{"claim":"bench-{number}","figures":{{"about":"grant-G{grant}","published":"2025-03-12","what":"announced","total":"EUR 150000000.00","union":"EUR 70000000.00"}}}}"#
        );
        ("claim.publish", payload, Role::ProgrammeOfficer)
    } else {
        let payload =
            r#"{"fund":"BENCH","commitment":"all","amount":"EUR 0.01","reason":"a cent"}"#;
        ("fund.increase_commitment", payload.to_owned(), Role::AuthorisingOfficer)
    };
    Given { name, payload, role, id: format!("bench/{number}") }
}

/// What must be there before the workload.
#[must_use]
pub fn preparation() -> [Given; 2] {
    let given = |name, payload, role| {
        let id = format!("bench/{name}");
        Given { name, payload, role, id }
    };
    let commit = r#"{"fund":"BENCH","line":"bench","source":"Union","amount":"EUR 1.00","call":"BENCH","commitment":"all"}"#;
    [
        given("fund.vote_appropriation", PLENTY.to_owned(), Role::GoverningBoard),
        given("fund.commit_globally", commit.to_owned(), Role::AuthorisingOfficer),
    ]
}

impl Given {
    /// The request, read as every caller of an engine does it.
    ///
    /// # Errors
    /// When the payload does not fit its command.
    pub fn read(&self) -> Result<Request, Refusal> {
        let parsed = Parsed::read(self.name, self.payload.as_bytes())?;
        let id = self.id.parse().expect("a literal and a number");
        let evidence = Some(evidence());
        Ok(Request { evidence, ..Request::new(parsed, actor(self.role), id) })
    }
}

fn actor(role: Role) -> Actor {
    Actor { id: "bench".parse().expect("a literal id"), on_behalf_of: None, role }
}

fn evidence() -> Evidence {
    Evidence { confidence: Confidence::Fixture, note: None, source: "bench".to_owned() }
}

/// Decides the preparation and the workload in memory, one command a minute: a log of any length
/// without the time of making it durable.
pub struct Fill {
    world: World,
    preparation: std::array::IntoIter<Given, 2>,
    number: u64,
}

impl Default for Fill {
    fn default() -> Self {
        Self { world: World::default(), preparation: preparation().into_iter(), number: 0 }
    }
}

/// When the first commit of a [`Fill`] is recorded.
#[must_use]
pub fn first_instant() -> Timestamp {
    "2015-01-01T00:00:00Z".parse().expect("a literal instant")
}

impl Fill {
    /// The next commit, and its canonical bytes.
    ///
    /// # Errors
    /// When a command of the workload is refused.
    pub fn next(&mut self) -> Result<(Commit, Vec<u8>), Refusal> {
        let given = self.preparation.next().unwrap_or_else(|| {
            self.number += 1;
            command(self.number)
        });
        let Request { parsed, actor, command_id, evidence, .. } = given.read()?;
        let minutes = i64::try_from(self.world.position).unwrap_or(i64::MAX).minutes();
        let now = first_instant().checked_add(minutes).unwrap_or(Timestamp::MAX);
        let meta = Meta {
            actor,
            command_id,
            correlation_id: None,
            causation_id: None,
            received_at: now,
            recorded_at: now,
            effective_at: None,
            evidence,
        };
        let made = self.world.commit(&parsed, &meta)?;
        let (commit, bytes) = made.expect("every command of the workload records something");
        self.world.apply(&commit);
        Ok((commit, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_the_workload_is_accepted() {
        let mut fill = Fill::default();
        for position in 1..=500 {
            assert_eq!(fill.next().unwrap().0.position, position);
        }
    }
}
