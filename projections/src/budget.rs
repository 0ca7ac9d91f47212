//! Where public money stands: appropriations, commitments and payments by line and source, what each
//! round of each call has, and what was published about it.

use crate::projection::{Projection, Query};
use crate::report::{Cell, Kind, Report, Table};
use domain::command::Confidence;
use domain::commit::Recorded;
use domain::ids::{CallId, ClaimId, FundId, GrantId, Key, StreamKey};
use domain::money::Money;
use domain::{Commit, Event, claim, fund};
use imbl::OrdMap;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Figures as they were recorded; sums are made when asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    funds: OrdMap<FundId, Fund>,
    claims: OrdMap<ClaimId, Arc<Claim>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Fund {
    /// Appropriations by line, then source.
    lines: OrdMap<Key, OrdMap<Key, Money>>,
    commitments: OrdMap<Key, Arc<Global>>,
    grants: OrdMap<GrantId, Arc<Individual>>,
}

/// A global commitment. What it is for is unknown while the event that says so is hidden.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Global {
    purpose: Option<Purpose>,
    amount: Money,
    decommitted: Money,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Purpose {
    call: CallId,
    line: Key,
    round: Option<Key>,
    source: Key,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Individual {
    commitment: Option<Key>,
    amount: Money,
    legal: Money,
    paid: Money,
    decommitted: Money,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Claim {
    confidence: Option<Confidence>,
    figures: claim::Figures,
    position: u64,
    source: Option<String>,
}

/// What became of some commitments.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    committed: Money,
    individual: Money,
    legal: Money,
    paid: Money,
    decommitted: Money,
}

impl Projection for Budget {
    const NAME: &'static str = "budget";
    const SUMMARY: &'static str =
        "Appropriations, commitments and payments by line, source and round";

    fn apply(&mut self, commit: &Commit, event: &Recorded) {
        match &event.event {
            Event::Fund(inner) => {
                if let Some(id) = FundId::of_stream(&event.stream) {
                    self.funds.entry(id).or_default().apply(inner);
                }
            }
            Event::Claim(inner) => {
                if let Some(id) = ClaimId::of_stream(&event.stream) {
                    self.apply_claim(id, inner, commit);
                }
            }
            _ => {}
        }
    }

    fn report(&self, _: &Query) -> Report {
        Report::new(Self::NAME, "Budget")
            .with(self.lines())
            .with(self.claims())
            .note("Open (RAL): globally committed, less what was released and what was paid.")
            .note("Of claims about one thing, the latest published is shown.")
    }
}

impl Fund {
    fn apply(&mut self, event: &fund::Event) {
        use fund::Event as E;
        match event {
            E::AppropriationVoted { amount, line, source }
            | E::AppropriationIncreased { amount, line, source, .. }
            | E::CarriedIn { amount, line, source, .. } => self.line(line, source).add(*amount),
            E::CarriedOver { amount, line, source, .. } => {
                self.line(line, source).subtract(*amount);
            }
            E::GloballyCommitted { amount, call, commitment, line, round, source } => {
                let (call, line) = (call.clone(), line.clone());
                let (round, source) = (round.clone(), source.clone());
                let global = self.global(commitment);
                global.amount.add(*amount);
                global.purpose = Some(Purpose { call, line, round, source });
            }
            E::GlobalCommitmentIncreased { amount, commitment, .. } => {
                self.global(commitment).amount.add(*amount);
            }
            E::GlobalDecommitted { amount, commitment, .. } => {
                let global = self.global(commitment);
                global.amount.subtract(*amount);
                global.decommitted.add(*amount);
            }
            E::IndividuallyCommitted { amount, commitment, grant } => {
                let individual = self.individual(grant);
                individual.amount.add(*amount);
                individual.commitment = Some(commitment.clone());
            }
            E::LegallyCommitted { amount, grant } => self.individual(grant).legal.add(*amount),
            E::Paid { amount, grant, .. } => self.individual(grant).paid.add(*amount),
            E::Returned { amount, grant, .. } => self.individual(grant).paid.subtract(*amount),
            E::GrantDecommitted { amount, grant, .. } => {
                let individual = self.individual(grant);
                individual.amount.subtract(*amount);
                individual.legal = individual.legal.min(individual.amount);
                individual.decommitted.add(*amount);
            }
        }
    }

    fn line(&mut self, line: &Key, source: &Key) -> &mut Money {
        self.lines.entry(line.clone()).or_default().entry(source.clone()).or_default()
    }

    fn global(&mut self, commitment: &Key) -> &mut Global {
        Arc::make_mut(self.commitments.entry(commitment.clone()).or_default())
    }

    fn individual(&mut self, grant: &GrantId) -> &mut Individual {
        Arc::make_mut(self.grants.entry(grant.clone()).or_default())
    }
}

impl Sums {
    fn open(&self) -> Money {
        let mut open = self.committed;
        open.subtract(self.paid);
        open
    }
}

impl Budget {
    fn apply_claim(&mut self, id: ClaimId, event: &claim::Event, commit: &Commit) {
        match event {
            claim::Event::Published(figures) => {
                let evidence = commit.evidence.as_ref();
                let claim = Claim {
                    confidence: evidence.map(|evidence| evidence.confidence),
                    figures: figures.clone(),
                    position: commit.position,
                    source: evidence.map(|evidence| evidence.source.clone()),
                };
                self.claims.insert(id, Arc::new(claim));
            }
            claim::Event::Withdrawn { .. } => {
                self.claims.remove(&id);
            }
        }
    }
}

impl Budget {
    /// The sums of every line and source of every fund. A commitment whose purpose is hidden has none.
    fn lines(&self) -> Table {
        let mut table = Table::new(
            "lines",
            "By fund, budget line and source",
            &[
                ("fund", "Fund", Kind::Text),
                ("line", "Line", Kind::Text),
                ("source", "Source", Kind::Text),
                ("appropriation", "Appropriation", Kind::Money),
                ("committed", "Committed", Kind::Money),
                ("individual", "Individual", Kind::Money),
                ("legal", "Legal", Kind::Money),
                ("paid", "Paid", Kind::Money),
                ("open", "Open (RAL)", Kind::Money),
                ("left", "Left", Kind::Money),
            ],
        );
        for (id, fund) in &self.funds {
            for (line, source, appropriation) in fund.all_lines() {
                let at = |purpose: &Purpose| purpose.line == *line && purpose.source == *source;
                let sums = fund.sums(at);
                let mut left = appropriation;
                left.subtract(sums.committed);
                table.push([
                    Cell::text(id),
                    Cell::text(line),
                    Cell::text(source),
                    appropriation.into(),
                    sums.committed.into(),
                    sums.individual.into(),
                    sums.legal.into(),
                    sums.paid.into(),
                    sums.open().into(),
                    left.into(),
                ]);
            }
        }
        table.total();
        table
    }

    /// The latest claim about each thing.
    fn claims(&self) -> Table {
        let mut table = Table::new(
            "claims",
            "Published figures",
            &[
                ("about", "About", Kind::Text),
                ("what", "What", Kind::Text),
                ("published", "Published", Kind::Date),
                ("total", "Total", Kind::Money),
                ("union", "Union", Kind::Money),
                ("national", "National", Kind::Money),
                ("regional", "Regional", Kind::Money),
                ("rrf", "RRF", Kind::Money),
                ("source", "Source", Kind::Text),
                ("confidence", "", Kind::Confidence),
            ],
        );
        let mut latest: std::collections::BTreeMap<_, &Claim> = std::collections::BTreeMap::new();
        for claim in self.claims.values() {
            let key = (&claim.figures.about, claim.figures.what.as_str());
            let newest = latest.entry(key).or_insert(claim);
            if claim.age() > newest.age() {
                *newest = claim;
            }
        }
        for claim in latest.values() {
            let figures = &claim.figures;
            table.push([
                Cell::text(&figures.about),
                figures.what.as_str().into(),
                figures.published.into(),
                Cell::known(figures.total),
                Cell::known(figures.union),
                Cell::known(figures.national),
                Cell::known(figures.regional),
                Cell::known(figures.rrf),
                Cell::maybe(claim.source.as_deref()),
                Cell::maybe(claim.confidence),
            ]);
        }
        table
    }
}

impl Claim {
    /// The day of publication decides, then the order in which it was recorded.
    fn age(&self) -> (jiff::civil::Date, u64) {
        (self.figures.published, self.position)
    }
}

impl Fund {
    fn all_lines(&self) -> impl Iterator<Item = (&Key, &Key, Money)> {
        self.lines.iter().flat_map(|(line, sources)| {
            sources.iter().map(move |(source, amount)| (line, source, *amount))
        })
    }

    fn sums(&self, of: impl Fn(&Purpose) -> bool) -> Sums {
        let mut sums = Sums::default();
        let mine = |global: &Global| global.purpose.as_ref().is_some_and(&of);
        for global in self.commitments.values().filter(|global| mine(global)) {
            sums.committed.add(global.amount);
            sums.decommitted.add(global.decommitted);
        }
        for individual in self.grants.values() {
            let global = individual.commitment.as_ref().and_then(|key| self.commitments.get(key));
            if global.is_some_and(|global| mine(global)) {
                sums.individual.add(individual.amount);
                sums.legal.add(individual.legal);
                sums.paid.add(individual.paid);
            }
        }
        sums
    }
}
