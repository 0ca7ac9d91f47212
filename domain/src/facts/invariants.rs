//! What must hold after every commit, summed again from the events alone and by other code than the
//! rules that decided: `verify` uses it to find what the rules should have refused.

use crate::facts::commit::Commit;
use crate::facts::event::Event;
use crate::facts::fund::Event as Booking;
use crate::kernel::ids::{BudgetLine, CommitmentKey, FundSource, GrantId, StreamId};
use crate::kernel::money::{Currency, Money};
use std::collections::BTreeMap;

/// Cents by currency: sums that no saturation can hide anything in.
#[derive(Clone, Debug, Default)]
struct Sum(BTreeMap<Currency, i128>);

impl Sum {
    fn add(&mut self, amount: Money, sign: i128) {
        *self.0.entry(amount.currency()).or_default() += sign * i128::from(amount.in_cents());
    }

    /// The first currency in which `self` is more than `limit`, in words.
    fn exceeds(&self, limit: &Self) -> Option<String> {
        self.0.iter().find_map(|(currency, cents)| {
            let most = limit.0.get(currency).copied().unwrap_or(0);
            (*cents > most).then(|| format!("{currency} {cents} cents exceed {most} cents"))
        })
    }
}

#[derive(Debug, Default)]
struct Global {
    amount: Sum,
    individual: Sum,
    line: Option<(BudgetLine, FundSource)>,
}

#[derive(Debug, Default)]
struct Grant {
    commitment: Option<CommitmentKey>,
    individual: Sum,
    legal: Sum,
    paid: Sum,
}

#[derive(Debug, Default)]
struct Fund {
    appropriated: BTreeMap<(BudgetLine, FundSource), Sum>,
    committed: BTreeMap<(BudgetLine, FundSource), Sum>,
    globals: BTreeMap<CommitmentKey, Global>,
    grants: BTreeMap<GrantId, Grant>,
}

/// The sums of all funds.
#[derive(Debug, Default)]
pub struct Invariants {
    funds: BTreeMap<StreamId, Fund>,
}

impl Invariants {
    /// Takes a commit in, and says what does not hold after it.
    pub fn apply(&mut self, commit: &Commit) -> Vec<String> {
        let mut touched: Vec<&StreamId> = Vec::new();
        for recorded in &commit.events {
            if let Event::Fund(booking) = &recorded.event {
                self.funds.entry(recorded.stream.clone()).or_default().book(booking);
                if !touched.contains(&&recorded.stream) {
                    touched.push(&recorded.stream);
                }
            }
        }
        touched
            .into_iter()
            .filter_map(|stream| Some((stream, self.funds.get(stream)?)))
            .flat_map(|(stream, fund)| {
                fund.broken().map(move |what| format!("{stream}: {what}")).collect::<Vec<_>>()
            })
            .collect()
    }
}

impl Fund {
    fn book(&mut self, booking: &Booking) {
        match booking {
            Booking::AppropriationVoted { amount, line, source }
            | Booking::AppropriationIncreased { amount, line, source, .. }
            | Booking::CarriedIn { amount, line, source, .. } => {
                self.appropriate(line, source, *amount, 1);
            }
            Booking::CarriedOver { amount, line, source, .. } => {
                self.appropriate(line, source, *amount, -1);
            }
            Booking::GloballyCommitted { amount, commitment, line, source, .. } => {
                let line = (line.clone(), source.clone());
                self.globals.entry(commitment.clone()).or_default().line = Some(line);
                self.commit(commitment, *amount, 1);
            }
            Booking::GlobalCommitmentIncreased { amount, commitment, .. } => {
                self.commit(commitment, *amount, 1);
            }
            Booking::GlobalDecommitted { amount, commitment, .. } => {
                self.commit(commitment, *amount, -1);
            }
            Booking::IndividuallyCommitted { amount, commitment, grant } => {
                let global = self.globals.entry(commitment.clone()).or_default();
                global.individual.add(*amount, 1);
                let grant = self.grants.entry(grant.clone()).or_default();
                grant.commitment = Some(commitment.clone());
                grant.individual.add(*amount, 1);
            }
            Booking::LegallyCommitted { amount, grant } => {
                self.grants.entry(grant.clone()).or_default().legal.add(*amount, 1);
            }
            Booking::Paid { amount, grant, .. } => {
                self.grants.entry(grant.clone()).or_default().paid.add(*amount, 1);
            }
            Booking::Returned { amount, grant, .. } => {
                self.grants.entry(grant.clone()).or_default().paid.add(*amount, -1);
            }
            Booking::GrantDecommitted { amount, grant, .. } => self.release(grant, *amount),
        }
    }

    fn appropriate(&mut self, line: &BudgetLine, source: &FundSource, amount: Money, sign: i128) {
        let key = (line.clone(), source.clone());
        self.appropriated.entry(key).or_default().add(amount, sign);
    }

    fn commit(&mut self, commitment: &CommitmentKey, amount: Money, sign: i128) {
        let global = self.globals.entry(commitment.clone()).or_default();
        global.amount.add(amount, sign);
        if let Some(line) = &global.line {
            self.committed.entry(line.clone()).or_default().add(amount, sign);
        }
    }

    /// What is released comes off the individual commitment, and off the legal one as far as that
    /// is no longer covered.
    fn release(&mut self, grant: &GrantId, amount: Money) {
        let grant = self.grants.entry(grant.clone()).or_default();
        grant.individual.add(amount, -1);
        let covered = grant.individual.0.get(&amount.currency()).copied().unwrap_or(0);
        let legal = grant.legal.0.entry(amount.currency()).or_default();
        *legal = covered.min(*legal);
        if let Some(commitment) = &grant.commitment {
            let global = self.globals.entry(commitment.clone()).or_default();
            global.individual.add(amount, -1);
        }
    }

    fn broken(&self) -> impl Iterator<Item = String> {
        let nothing = Sum::default();
        let lines = self.committed.iter().filter_map(move |(line, committed)| {
            let appropriated = self.appropriated.get(line).unwrap_or(&nothing);
            let excess = committed.exceeds(appropriated)?;
            Some(format!("committed over appropriated on {} from {}: {excess}", line.0, line.1))
        });
        let globals = self.globals.iter().filter_map(|(key, global)| {
            let excess = global.individual.exceeds(&global.amount)?;
            Some(format!("individual over global commitment {key}: {excess}"))
        });
        let legal = self.grants.iter().filter_map(|(id, grant)| {
            let excess = grant.legal.exceeds(&grant.individual)?;
            Some(format!("legal over individual commitment to {id}: {excess}"))
        });
        let paid = self.grants.iter().filter_map(|(id, grant)| {
            let excess = grant.paid.exceeds(&grant.legal)?;
            Some(format!("paid over legal commitment to {id}: {excess}"))
        });
        lines.chain(globals).chain(legal).chain(paid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::ids::IdError;
    use crate::testing::{Scenario, given};
    use std::str::FromStr;

    /// A valid commit of a fund, whose events are then replaced: the rules would refuse these.
    fn after(bookings: Vec<Booking>) -> Vec<String> {
        let Scenario { mut commits, .. } =
            given().by(crate::kernel::actor::Role::GoverningBoard).done(
                "fund.vote_appropriation",
                r#"{"amount":"EUR 1.00","fund":"F","line":"L","source":"S"}"#,
            );
        let mut commit = commits.remove(0);
        let recorded = commit.events.remove(0);
        commit.events = bookings
            .into_iter()
            .map(|booking| crate::facts::commit::Recorded {
                event: booking.into(),
                ..recorded.clone()
            })
            .collect();
        Invariants::default().apply(&commit)
    }

    fn key<K: FromStr<Err = IdError>>(text: &str) -> K {
        text.parse().unwrap()
    }

    fn vote(cents: i64) -> Booking {
        let (line, source) = (key("L"), key("S"));
        Booking::AppropriationVoted { amount: Money::cents(cents), line, source }
    }

    fn global(cents: i64) -> Booking {
        Booking::GloballyCommitted {
            amount: Money::cents(cents),
            call: "C".parse().unwrap(),
            commitment: key("G"),
            line: key("L"),
            round: None,
            source: key("S"),
        }
    }

    fn individual(cents: i64) -> Booking {
        let (commitment, grant) = (key("G"), "X".parse().unwrap());
        Booking::IndividuallyCommitted { amount: Money::cents(cents), commitment, grant }
    }

    fn legal(cents: i64) -> Booking {
        Booking::LegallyCommitted { amount: Money::cents(cents), grant: "X".parse().unwrap() }
    }

    fn paid(cents: i64) -> Booking {
        let (grant, payment) = ("X".parse().unwrap(), "P".parse().unwrap());
        Booking::Paid { amount: Money::cents(cents), grant, payment }
    }

    fn released(cents: i64) -> Booking {
        let (grant, reason) = ("X".parse().unwrap(), "over".to_owned());
        Booking::GrantDecommitted { amount: Money::cents(cents), grant, reason }
    }

    #[test]
    fn a_sound_chain_of_commitments_holds_to_the_cent() {
        let bookings = vec![vote(9), global(9), individual(9), legal(9), paid(9)];
        assert_eq!(after(bookings), Vec::<String>::new());
    }

    #[test]
    fn each_step_is_held_against_the_one_before() {
        let broken = after(vec![vote(5), global(6), individual(7), legal(8), paid(9)]);
        let expected = [
            "fund-F: committed over appropriated on L from S: EUR 6 cents exceed 5 cents",
            "fund-F: individual over global commitment G: EUR 7 cents exceed 6 cents",
            "fund-F: legal over individual commitment to X: EUR 8 cents exceed 7 cents",
            "fund-F: paid over legal commitment to X: EUR 9 cents exceed 8 cents",
        ];
        assert_eq!(broken, expected);
    }

    #[test]
    fn what_was_paid_cannot_be_released() {
        let sound = after(vec![vote(9), global(9), individual(9), legal(9), paid(4), released(5)]);
        assert_eq!(sound, Vec::<String>::new());
        let broken = after(vec![vote(9), global(9), individual(9), legal(9), paid(5), released(5)]);
        assert_eq!(broken, ["fund-F: paid over legal commitment to X: EUR 5 cents exceed 4 cents"]);
    }
}
