//! Which commits are about what: for each thing that money is told of, the positions of the commits that
//! name it, and the things that hang on it. A cache: made from the log, and from nothing else.

use domain::facts::commit::Recorded;
use domain::facts::{call, claim, fund, payment, pledge};
use domain::kernel::ids::{BudgetLine, CommitmentKey, FundId, FundSource, GrantId};
use domain::{Commit, Event};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};

/// The commits of each thing. Things are named `kind:name`, and all of a category by its name alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// The last commit that was taken in.
    pub position: u64,
    /// What hangs on a thing.
    below: BTreeMap<String, BTreeSet<String>>,
    #[serde(serialize_with = "as_steps", deserialize_with = "of_steps")]
    positions: BTreeMap<String, Vec<u64>>,
}

impl Index {
    /// Takes the next commit in.
    pub fn apply(&mut self, commit: &Commit) {
        for event in &commit.events {
            self.take(commit.position, event);
        }
        self.position = commit.position;
    }

    fn take(&mut self, position: u64, event: &Recorded) {
        let id = event.stream.id();
        match &event.event {
            Event::Fund(inner) => self.take_fund(position, id, inner),
            Event::Call(inner) => self.take_call(position, id, inner),
            Event::Pledge(inner) => {
                self.note(position, "pledge");
                self.note(position, &pledge(id));
                if let pledge::Event::Made(promise) = inner {
                    self.note(position, &call(&promise.call));
                    self.hang(call(&promise.call), pledge(id));
                    if let Some(grant) = &promise.grant {
                        self.hang(pledge(id), award(grant));
                    }
                }
            }
            Event::Payment(inner) => {
                self.note(position, "payment");
                self.note(position, &payment(id));
                if let payment::Event::Initiated(order) = inner {
                    self.hang(cash(&order.fund), payment(id));
                    self.hang(cash_of(&order.fund, &order.grant), payment(id));
                }
            }
            Event::Claim(inner) => {
                self.note(position, "claim");
                self.note(position, &claim(id));
                if let claim::Event::Published(figures) = inner {
                    self.hang(about(&figures.about), claim(id));
                }
            }
            _ => {}
        }
    }

    fn take_fund(&mut self, position: u64, id: &str, event: &fund::Event) {
        use fund::Event as E;
        let Ok(of) = id.parse::<FundId>() else { return };
        self.note(position, "fund");
        self.note(position, &fund(id));
        match event {
            E::AppropriationVoted { line, source, .. }
            | E::AppropriationIncreased { line, source, .. }
            | E::CarriedOver { line, source, .. }
            | E::CarriedIn { line, source, .. } => {
                self.note(position, &line_of(id, line, source));
            }
            E::GloballyCommitted { call: to, commitment, line, source, .. } => {
                let commitment = commitment_of(id, commitment);
                self.note(position, &commitment);
                self.hang(call(to), commitment.clone());
                self.hang(line_of(id, line, source), commitment);
            }
            E::GlobalCommitmentIncreased { commitment, .. }
            | E::GlobalDecommitted { commitment, .. } => {
                self.note(position, &commitment_of(id, commitment));
            }
            E::IndividuallyCommitted { commitment, grant, .. } => {
                let (commitment, grant) = (commitment_of(id, commitment), grant_of(&of, grant));
                self.note(position, &commitment);
                self.note(position, &grant);
                self.hang(draws(&grant), commitment.clone());
                self.hang(commitment, grant);
            }
            E::LegallyCommitted { grant, .. }
            | E::Paid { grant, .. }
            | E::Returned { grant, .. }
            | E::GrantDecommitted { grant, .. } => self.note(position, &grant_of(&of, grant)),
        }
    }

    fn take_call(&mut self, position: u64, id: &str, event: &call::Event) {
        self.note(position, "call");
        self.note(position, &call(id));
        match event {
            call::Event::RoundAwarded { funded, .. } => {
                funded.iter().for_each(|it| self.note(position, &award(&it.grant)));
            }
            call::Event::ReserveActivated { grant, .. } => self.note(position, &award(grant)),
            _ => {}
        }
    }

    fn note(&mut self, position: u64, thing: &str) {
        match self.positions.get_mut(thing) {
            Some(positions) if positions.last() == Some(&position) => {}
            Some(positions) => positions.push(position),
            None => drop(self.positions.insert(thing.to_owned(), vec![position])),
        }
    }

    fn hang(&mut self, thing: String, below: String) {
        self.below.entry(thing).or_default().insert(below);
    }

    /// What hangs on a thing.
    pub(super) fn below(&self, thing: &str) -> impl Iterator<Item = &String> {
        self.below.get(thing).into_iter().flatten()
    }

    /// The positions of all commits of some things, in order.
    pub(super) fn positions(&self, things: &BTreeSet<String>) -> Vec<u64> {
        let each = things.iter().filter_map(|thing| self.positions.get(thing));
        let mut all: Vec<u64> = each.flatten().copied().collect();
        // Sorted parts one after the other: the stable sort finds and merges them.
        all.sort();
        all.dedup();
        all
    }
}

macro_rules! things {
    ($($name:ident($($part:ident: $type:ty),*) = $form:literal;)*) => {$(
        pub(super) fn $name($($part: $type),*) -> String {
            format!($form)
        }
    )*};
}

things! {
    fund(id: &str) = "fund:{id}";
    line_of(fund: &str, line: &BudgetLine, source: &FundSource) = "line:{fund}:{line}:{source}";
    commitment_of(fund: &str, commitment: &CommitmentKey) = "commitment:{fund}:{commitment}";
    grant_of(fund: &FundId, grant: &GrantId) = "grant:{fund}:{grant}";
    draws(grant: &str) = "draws:{grant}";
    award(grant: &GrantId) = "award:{grant}";
    call(id: impl std::fmt::Display) = "call:{id}";
    pledge(id: &str) = "pledge:{id}";
    payment(id: &str) = "payment:{id}";
    cash(fund: &FundId) = "cash:{fund}";
    cash_of(fund: &FundId, grant: &GrantId) = "cash:{fund}:{grant}";
    claim(id: &str) = "claim:{id}";
    about(stream: impl std::fmt::Display) = "about:{stream}";
}

/// Positions only grow, so each is stored as its distance from the one before.
fn as_steps<S: Serializer>(
    positions: &BTreeMap<String, Vec<u64>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(positions.iter().map(|(thing, positions)| {
        let before = std::iter::once(0).chain(positions.iter().copied());
        let steps = positions.iter().zip(before).map(|(position, before)| position - before);
        (thing, steps.collect::<Vec<u64>>())
    }))
}

fn of_steps<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Vec<u64>>, D::Error> {
    let mut stored = BTreeMap::<String, Vec<u64>>::deserialize(deserializer)?;
    for steps in stored.values_mut() {
        let mut position: u64 = 0;
        for step in steps {
            position = position.saturating_add(*step);
            *step = position;
        }
    }
    Ok(stored)
}
