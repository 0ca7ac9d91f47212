//! The published facts of the AI Factories call, read from the files in `services/tranche/demo`.
//! An empty amount is unknown and stays so.

use domain::kernel::actor::{Confidence, Evidence};
use domain::kernel::money::Money;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use std::sync::LazyLock;

/// Everything that the demo plays.
#[derive(Debug)]
pub struct Facts {
    /// Cut-offs, decisions and published totals.
    pub rounds: Vec<Round>,
    /// The 19 selected factories.
    pub factories: Vec<Factory>,
    /// What was published about money, dated.
    pub claims: Vec<Claim>,
    /// The 13 antennas.
    pub antennas: Vec<Antenna>,
    /// The winners of the AI Grand Challenge, and the fifth.
    pub challenge: Vec<Contestant>,
    /// Node-hours offered per partition.
    pub offers: Vec<Offer>,
    /// Partitions of the machines.
    pub partitions: Vec<Partition>,
    /// What each source key stands for.
    pub sources: Vec<Source>,
}

/// One round of a call.
#[derive(Debug, Deserialize)]
pub struct Round {
    /// `1`, `2`, `3` or `A` for the antennas.
    pub round: String,
    /// The call.
    pub call: String,
    /// The cut-off on the wall clock of `time_zone`.
    pub cut_off_local: String,
    /// IANA name of the zone.
    pub time_zone: String,
    /// Day of the decision.
    pub decided: String,
    /// How many were selected.
    pub factories: usize,
    /// Union and national money together.
    #[serde(deserialize_with = "amount")]
    pub published_total_eur: Option<Money>,
    /// `h` or `m`.
    pub confidence: String,
    /// What else there is to say.
    pub note: String,
    /// Key of the source.
    pub source: String,
}

/// One selected factory.
#[derive(Debug, Deserialize)]
pub struct Factory {
    /// Number of its round.
    pub round: String,
    /// Short name.
    pub acronym: String,
    /// Country of the host.
    pub country: String,
    /// The host.
    pub host: String,
    /// `NEW`, `UPGRADE` or `SERVICES_ONLY`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Partner countries, separated by spaces.
    pub partner_countries: String,
    /// Whether it has an experimental platform.
    pub experimental_platform: bool,
    /// Key of the source.
    pub source: String,
}

/// One published set of figures.
#[derive(Debug, Deserialize)]
pub struct Claim {
    /// The factory.
    pub acronym: String,
    /// Day of publication.
    pub published: String,
    /// What the figures are for.
    pub what: String,
    /// Total.
    #[serde(deserialize_with = "amount")]
    pub total_eur: Option<Money>,
    /// The Union's share.
    #[serde(deserialize_with = "amount")]
    pub eu_eur: Option<Money>,
    /// The national share.
    #[serde(deserialize_with = "amount")]
    pub national_eur: Option<Money>,
    /// The regional share.
    #[serde(deserialize_with = "amount")]
    pub regional_eur: Option<Money>,
    /// The share of the Recovery and Resilience Facility.
    #[serde(deserialize_with = "amount")]
    pub rrf_eur: Option<Money>,
    /// `h` or `m`.
    pub confidence: String,
    /// What else there is to say.
    pub note: String,
    /// Key of the source.
    pub source: String,
}

/// One antenna.
#[derive(Debug, Deserialize)]
pub struct Antenna {
    /// Its country.
    pub country: String,
    /// The factories that it is linked to.
    pub linked_factories: String,
    /// Key of the source.
    pub source: String,
}

/// One contestant of the Grand Challenge.
#[derive(Debug, Deserialize)]
pub struct Contestant {
    /// Its rank; the four winners share the first.
    pub rank: u32,
    /// Its name.
    pub winner: String,
    /// Its country.
    pub country: String,
    /// Its part of the prize.
    #[serde(deserialize_with = "amount")]
    pub prize_eur: Option<Money>,
    /// Its hours.
    pub compute_hours: i64,
    /// The machines.
    pub systems: String,
    /// `h` or `m`.
    pub confidence: String,
    /// Key of the source.
    pub source: String,
}

/// What a call for access offers on one partition.
#[derive(Debug, Deserialize)]
pub struct Offer {
    /// The call.
    pub call: String,
    /// The partition.
    pub partition: String,
    /// Node-hours in all.
    pub offered_node_h: i64,
    /// The least that a project may ask for.
    pub min_node_h: Option<i64>,
    /// The most that a project may ask for.
    pub max_node_h: Option<i64>,
    /// Key of the source.
    pub source: String,
}

/// One partition of a machine.
#[derive(Debug, Deserialize)]
pub struct Partition {
    /// The machine.
    pub system: String,
    /// Its country.
    pub country: String,
    /// The partition.
    pub partition: String,
    /// How many nodes.
    pub nodes: u32,
    /// How many GPUs in each.
    pub gpus_per_node: u32,
    /// Which GPU.
    pub gpu: String,
    /// Key of the source.
    pub source: String,
}

/// What a source key stands for.
#[derive(Debug, Deserialize)]
pub struct Source {
    /// The key.
    pub key: String,
    /// Where it was read.
    #[serde(rename = "where")]
    pub place: String,
}

static FACTS: LazyLock<Facts> = LazyLock::new(|| Facts {
    rounds: rows(include_str!("../../demo/rounds.csv")),
    factories: rows(include_str!("../../demo/factories.csv")),
    claims: rows(include_str!("../../demo/claims.csv")),
    antennas: rows(include_str!("../../demo/antennas.csv")),
    challenge: rows(include_str!("../../demo/grand_challenge.csv")),
    offers: rows(include_str!("../../demo/access_offers.csv")),
    partitions: rows(include_str!("../../demo/systems.csv")),
    sources: rows(include_str!("../../demo/sources.csv")),
});

/// The facts that are compiled into this program.
///
/// # Panics
/// When a file of this repository is damaged.
#[must_use]
pub fn facts() -> &'static Facts {
    &FACTS
}

fn rows<T: DeserializeOwned>(text: &str) -> Vec<T> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.deserialize().collect::<Result<_, _>>().expect("a file of facts of this repository")
}

fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Money>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    format!("EUR {text}").parse().map(Some).map_err(serde::de::Error::custom)
}

/// An identifier made of a name: `BRAIN++` becomes `BRAIN`, `AI:AT` becomes `AI-AT`.
#[must_use]
pub fn slug(name: &str) -> String {
    let dashed: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let words: Vec<&str> = dashed.split('-').filter(|word| !word.is_empty()).collect();
    words.join("-")
}

/// Evidence for a row with a source key and a confidence mark.
#[must_use]
pub fn sourced(source: &str, confidence: &str, note: &str) -> Evidence {
    let confidence =
        if confidence == "h" { Confidence::Published } else { Confidence::Unconfirmed };
    evidence(source, confidence, note)
}

/// Evidence for a fact that was read in a source.
#[must_use]
pub fn published(source: &str, note: &str) -> Evidence {
    evidence(source, Confidence::Published, note)
}

/// Evidence for a figure that was computed from published ones.
#[must_use]
pub fn derived(note: &str) -> Evidence {
    evidence("derived", Confidence::Derived, note)
}

/// Marks a step that nobody published: invented to show the work.
#[must_use]
pub fn fixture(note: &str) -> Evidence {
    evidence("fixture", Confidence::Fixture, note)
}

fn evidence(source: &str, confidence: Confidence, note: &str) -> Evidence {
    let note = if note.is_empty() { None } else { Some(note.to_owned()) };
    Evidence { confidence, note, source: source.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_facts_add_up_as_published() {
        let facts = facts();
        let of_round = |round: &str| facts.factories.iter().filter(|f| f.round == round).count();
        assert_eq!((of_round("1"), of_round("2"), of_round("3")), (7, 6, 6));
        let mut states: Vec<&str> = facts.factories.iter().map(|f| f.country.as_str()).collect();
        states.sort_unstable();
        states.dedup();
        assert_eq!(states.len(), 16);
        let hours = |call: &str| -> i64 {
            facts.offers.iter().filter(|o| o.call == call).map(|o| o.offered_node_h).sum()
        };
        assert_eq!(hours("Regular 2025"), 13_663_229);
        assert_eq!(hours("Extreme 2025"), 16_791_427);
        assert_eq!(hours("Extreme 2024"), 13_696_275);
        assert_eq!(facts.antennas.len(), 13);
    }

    #[test]
    fn every_fact_has_a_source_that_is_listed() {
        let facts = facts();
        let known: Vec<&str> = facts.sources.iter().map(|source| source.key.as_str()).collect();
        let used = (facts.rounds.iter().map(|row| &row.source))
            .chain(facts.factories.iter().map(|row| &row.source))
            .chain(facts.claims.iter().map(|row| &row.source))
            .chain(facts.antennas.iter().map(|row| &row.source))
            .chain(facts.challenge.iter().map(|row| &row.source))
            .chain(facts.offers.iter().map(|row| &row.source))
            .chain(facts.partitions.iter().map(|row| &row.source));
        for source in used {
            assert!(known.contains(&source.as_str()), "{source} is not in sources.csv");
        }
    }

    #[test]
    fn names_become_identifiers() {
        assert_eq!((slug("BRAIN++").as_str(), slug("AI:AT").as_str()), ("BRAIN", "AI-AT"));
    }
}
