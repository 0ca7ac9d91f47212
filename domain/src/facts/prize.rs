//! Holds what is known of a prize contest: its events, stored for ever, and what they add up to.

use crate::facts::stream::{At, Decider, phases};
use crate::kernel::compute::ComputeTime;
use crate::kernel::ids::{BudgetLine, ContestantKey, Country, FundId, FundSource, PrizeId};
use crate::kernel::money::Money;
use crate::rulebook::Document;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What happens to a prize. Stored for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr)]
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
        line: Option<BudgetLine>,
        money: Money,
        rules: Arc<Document>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<FundSource>,
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
    ExtraAwarded { compute: ComputeTime, contestant: ContestantKey },
}

/// A contestant and the jury's rank; equal ranks are possible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contestant {
    /// The contestant.
    pub contestant: ContestantKey,
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
    pub contestant: ContestantKey,
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
    pub paid_from: Option<(FundId, BudgetLine, FundSource)>,
    /// At most so many winners.
    pub winners_max: u32,
    /// The jury's ranking.
    pub ranking: Vec<Contestant>,
    /// What the winners get; empty until it is decided.
    pub split: Vec<Part>,
    /// What others get, from other pools.
    pub extra: Vec<Part>,
}

phases! {
    /// Where it is in its life.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Phase {
        Open = "open",
        Ranked = "ranked",
        Awarded = "awarded",
    }
}

impl Decider for Prize {
    type Id = PrizeId;
    type Event = Event;
    type Phase = Phase;

    fn phase(&self) -> Phase {
        match (self.ranking.is_empty(), self.split.is_empty()) {
            (true, _) => Phase::Open,
            (false, true) => Phase::Ranked,
            (false, false) => Phase::Awarded,
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
