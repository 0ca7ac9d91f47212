//! Decides a contest: the ranking of the contestants, and the split of money and compute time among the
//! winners, to the cent and to the second.

use crate::command::Entry;
use crate::compute::ComputeTime;
use crate::ids::{Country, FundId, Key, PrizeId, StreamKey};
use crate::money::Money;
use crate::rejection::{Kind, Reason, Rule};
use crate::rules::Document;
use crate::world::{At, Decider};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The most contestants that can be ranked or awarded at once.
pub const CONTESTANTS_MAX: usize = 200;

/// What happens to a prize. Stored for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(tag = "type", content = "data")]
#[strum(prefix = "prize.")]
#[expect(missing_docs, reason = "fields say by name and type what they are")]
pub enum Event {
    /// A contest was opened.
    #[serde(rename = "prize.Opened")]
    Opened {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        compute: Option<ComputeTime>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fund: Option<FundId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        line: Option<Key>,
        money: Money,
        rules: Arc<Document>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<Key>,
        title: String,
        winners_max: u32,
    },
    /// The jury ranked the contestants.
    #[serde(rename = "prize.Ranked")]
    Ranked { ranking: Vec<Contestant> },
    /// The winners share the prize.
    #[serde(rename = "prize.Awarded")]
    Awarded { split: Vec<Part> },
    /// A contestant beyond the winners gets compute time from another pool.
    #[serde(rename = "prize.ExtraAwarded")]
    ExtraAwarded { compute: ComputeTime, contestant: Key },
}

/// A contestant and the jury's rank; equal ranks are possible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contestant {
    /// The contestant.
    pub contestant: Key,
    /// Where it is established.
    pub country: Country,
    /// 1..n.
    pub rank: u32,
}

/// What one winner gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Compute time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute: Option<ComputeTime>,
    /// The winner.
    pub contestant: Key,
    /// Money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub money: Option<Money>,
}

/// One contest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Prize {
    /// Full name.
    pub title: String,
    /// Its rules; there from the first event on.
    pub rules: Option<Arc<Document>>,
    /// Money to be shared.
    pub money: Money,
    /// Compute time to be shared.
    pub compute: Option<ComputeTime>,
    /// Fund, budget line and source that pay.
    pub paid_from: Option<(FundId, Key, Key)>,
    /// At most so many winners.
    pub winners_max: u32,
    /// The jury's ranking.
    pub ranking: Vec<Contestant>,
    /// What the winners get; empty until it is decided.
    pub split: Vec<Part>,
    /// What others get, from other pools.
    pub extra: Vec<Part>,
}

/// Why a prize says no.
#[derive(Clone, Debug, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "fields are the figures of the sentence")]
pub enum Rejection {
    /// Rules with mistakes, or of another kind of call.
    #[error("the rules document does not fit a prize: {0}")]
    BadRules(String),
    /// No winners.
    #[error("a prize has 1 to {CONTESTANTS_MAX} winners")]
    NoWinners,
    /// Half a budget.
    #[error("fund, line and source are named together or not at all")]
    HalfABudget,
    /// A negative amount.
    #[error("an amount may not be less than nothing; got {0}")]
    Negative(Money),
    /// An empty or too long list, or one named twice.
    #[error("a list names 1 to {CONTESTANTS_MAX} different contestants; see {0}")]
    BadList(String),
    /// Ranks with a gap.
    #[error("ranks begin at 1 and skip as many as are equal; got {0}")]
    BadRank(u32),
    /// More winners than foreseen.
    #[error("{asked} winners are more than the {max} that the prize has")]
    TooManyWinners { asked: usize, max: u32 },
    /// Not ranked.
    #[error("{0} is not in the ranking")]
    NotRanked(Key),
    /// Passed over.
    #[error("{skipped} ranks above {winner} and must win too")]
    PassedOver { skipped: Key, winner: Key },
    /// Not the whole.
    #[error("the parts make {sum}; the prize is {whole}")]
    NotTheWhole { sum: String, whole: String },
    /// Parts given together with an even split.
    #[error("an even split leaves no parts to be given")]
    EvenAndParts,
    /// An extra award to a winner.
    #[error("{0} is a winner; an extra award is for those who are not")]
    ExtraForWinner(Key),
    /// An extra award out of the prize itself.
    #[error("an extra award comes from another pool than the prize")]
    ExtraFromThePool,
}

impl Reason for Rejection {
    const CATEGORY: &'static str = PrizeId::CATEGORY;

    fn rule(&self) -> Rule {
        match self {
            Self::BadRules(_) => Rule::ours("rules are data (design.md, 5)"),
            Self::BadList(_) => Rule::ours("every input has a limit"),
            _ => Rule::ours("a prize is split to the cent and the second (design.md, 5)"),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::BadRules(_) | Self::BadList(_) | Self::HalfABudget | Self::EvenAndParts => {
                Kind::Malformed
            }
            _ => Kind::Rule,
        }
    }
}

impl Decider for Prize {
    type Id = PrizeId;
    type Event = Event;

    fn phase(&self) -> &'static str {
        match (self.ranking.is_empty(), self.split.is_empty()) {
            (true, _) => "open",
            (false, true) => "ranked",
            (false, false) => "awarded",
        }
    }

    fn evolve(&mut self, event: &Event, _: &At<'_>) {
        match event {
            Event::Opened { compute, fund, line, money, rules, source, title, winners_max } => {
                self.compute.clone_from(compute);
                self.money = *money;
                self.paid_from = match (fund, line, source) {
                    (Some(fund), Some(line), Some(source)) => {
                        Some((fund.clone(), line.clone(), source.clone()))
                    }
                    _ => None,
                };
                self.rules = Some(Arc::clone(rules));
                self.title.clone_from(title);
                self.winners_max = *winners_max;
            }
            Event::Ranked { ranking } => self.ranking.clone_from(ranking),
            Event::Awarded { split } => self.split.clone_from(split),
            Event::ExtraAwarded { compute, contestant } => self.extra.push(Part {
                compute: Some(compute.clone()),
                contestant: contestant.clone(),
                money: None,
            }),
        }
    }
}

/// The commands.
pub const COMMANDS: &[Entry] = &[];
