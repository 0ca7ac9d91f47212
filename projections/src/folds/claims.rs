//! What was published about money: of the figures about one thing, the latest are shown.

use crate::fold::Fold;
use domain::facts::claim;
use domain::facts::commit::Recorded;
use domain::kernel::actor::Confidence;
use domain::kernel::ids::{ClaimId, StreamKey};
use domain::{Commit, Event};
use imbl::OrdMap;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Every published figure that was not withdrawn.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    all: OrdMap<ClaimId, Arc<Claim>>,
    /// The latest claim about each thing (see [`Claim::thing`]). One flat map, since every kept clone
    /// of the view holds on to the nodes that change after it.
    latest: OrdMap<String, ClaimId>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Claim {
    /// The next older claim about the same thing.
    pub older: Option<ClaimId>,
    pub confidence: Option<Confidence>,
    pub figures: claim::Figures,
    pub position: u64,
    pub source: Option<String>,
}

impl Fold for Claims {
    fn apply(&mut self, commit: &Commit, event: &Recorded) {
        let Event::Claim(inner) = &event.event else { return };
        let Some(id) = ClaimId::of_stream(&event.stream) else { return };
        match inner {
            claim::Event::Published(figures) => {
                let evidence = commit.evidence.as_ref();
                let claim = Claim {
                    older: None,
                    confidence: evidence.map(|evidence| evidence.confidence),
                    figures: figures.clone(),
                    position: commit.position,
                    source: evidence.map(|evidence| evidence.source.clone()),
                };
                self.forget(&id);
                self.keep(id, claim);
            }
            claim::Event::Withdrawn { .. } => self.forget(&id),
        }
    }
}

impl Claims {
    /// Claims mostly come in the order of their publication, so the place is found at once.
    fn keep(&mut self, id: ClaimId, mut claim: Claim) {
        let thing = claim.thing();
        let (newer, older) = self.place(&thing, |other| other.age() <= claim.age());
        claim.older = older;
        self.all.insert(id.clone(), Arc::new(claim));
        self.link(thing, newer, Some(id));
    }

    fn forget(&mut self, id: &ClaimId) {
        let Some(claim) = self.all.get(id).cloned() else { return };
        let thing = claim.thing();
        let (newer, _) = self.place(&thing, |other| other.position == claim.position);
        self.all.remove(id);
        self.link(thing, newer, claim.older.clone());
    }

    /// The first claim about a thing, from the latest on, that is wanted, and the one before it.
    fn place(
        &self,
        thing: &str,
        is_wanted: impl Fn(&Claim) -> bool,
    ) -> (Option<ClaimId>, Option<ClaimId>) {
        let (mut newer, mut next) = (None, self.latest.get(thing).cloned());
        while let Some(id) = next.take() {
            match self.all.get(&id) {
                Some(claim) if !is_wanted(claim) => {
                    next.clone_from(&claim.older);
                    newer = Some(id);
                }
                _ => return (newer, Some(id)),
            }
        }
        (newer, None)
    }

    /// Puts a claim, or none, behind another; without another it is the latest.
    fn link(&mut self, thing: String, newer: Option<ClaimId>, older: Option<ClaimId>) {
        match (newer.and_then(|newer| self.all.get_mut(&newer)), older) {
            (Some(newer), older) => Arc::make_mut(newer).older = older,
            (None, Some(latest)) => drop(self.latest.insert(thing, latest)),
            (None, None) => drop(self.latest.remove(&thing)),
        }
    }

    /// The latest claim about each thing.
    pub(crate) fn latest(&self) -> impl Iterator<Item = &Claim> {
        self.latest.values().filter_map(|id| self.all.get(id)).map(|claim| &**claim)
    }
}

impl Claim {
    /// What it is about, and what it says of it. A stream has no space in its name.
    fn thing(&self) -> String {
        format!("{} {}", self.figures.about, self.figures.what)
    }

    /// The day of publication decides, then the order in which it was recorded.
    fn age(&self) -> (Date, u64) {
        (self.figures.published, self.position)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::given::{GivenLine, report, rows};

    #[test]
    fn of_two_claims_the_latest_published_is_shown_with_its_source() {
        let claim = |stream, day: &str, total: &str, kind| {
            let data = format!(
                r#"{{"about":"grant-SLAIF","published":"{day}","total":"EUR {total}","what":"announced"}}"#
            );
            (day.to_owned(), stream, kind, data)
        };
        let later = claim("claim-B", "2026-02-09", "135000000", "Published");
        let first = claim("claim-A", "2025-03-12", "150000000", "?Published");
        // Recorded in the other order.
        let lines: Vec<GivenLine<'_>> = [&later, &first]
            .map(|(at, stream, kind, data)| (&**at, *stream, *kind, &**data))
            .into();
        let row = |total: &str, day: &str, mark: &str| {
            format!(
                "grant-SLAIF|announced|{day}|{total}|unknown|unknown|unknown|unknown|src|{mark}"
            )
        };
        let at = |day| rows(&report("budget", &lines, day), "claims");
        assert_eq!(at(None), [row("135 000 000.00", "2026-02-09", "")]);
        assert_eq!(at(Some("2025-12-31")), [row("150 000 000.00", "2025-03-12", "(fixture)")]);
    }

    #[test]
    fn a_claim_that_is_taken_back_gives_way_to_the_next_older_one() {
        let claim = |name: &str, day: &str| {
            let data = format!(
                r#"{{"about":"grant-G","published":"{day}","total":"EUR 1","what":"announced"}}"#
            );
            (format!("claim-{name}"), "Published", data)
        };
        let back =
            |name: &str| (format!("claim-{name}"), "Withdrawn", r#"{"reason":"r"}"#.to_owned());
        // B is the latest, A comes late and between the two others, D is of the day of C.
        let told = [
            claim("C", "2025-01-01"),
            claim("B", "2025-03-01"),
            claim("A", "2025-02-01"),
            claim("D", "2025-01-01"),
            back("B"),
            back("A"),
            back("D"),
            back("C"),
        ];
        let shown = |count: usize| {
            let lines: Vec<GivenLine<'_>> =
                told[..count].iter().map(|(s, k, d)| ("2025-06-01", &**s, *k, &**d)).collect();
            let rows = rows(&report("budget", &lines, None), "claims");
            rows.iter().map(|row| row.split('|').nth(2).unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(shown(4), ["2025-03-01"]);
        assert_eq!(shown(5), ["2025-02-01"]);
        assert_eq!(shown(6), ["2025-01-01"]);
        assert_eq!(shown(7), ["2025-01-01"]);
        assert!(shown(8).is_empty());
    }
}
