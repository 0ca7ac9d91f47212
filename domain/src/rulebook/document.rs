//! The rules of a kind of call, as data: criteria, thresholds, ties, rates, payments, deadlines.
//! A call is opened with such a document and keeps it; a new kind of call is a new file in
//! `domain/rules`, not new code. Every section names the legal source of its numbers.

use super::comparator::Comparator;
use crate::kernel::ids::{
    Country, CriterionKey, DocumentKey, ItemKey, LegalKey, QuestionKey, RulesId, StageKey,
};
use crate::kernel::money::Rate;
use imbl::OrdMap;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The documents that come with the program: name and text. A starting point; others are files.
pub const SHIPPED: &[(&str, &str)] = &[
    ("ai-factories", include_str!("../../rules/ai-factories.toml")),
    ("ai-factory-antennas", include_str!("../../rules/ai-factory-antennas.toml")),
    ("fast-lane", include_str!("../../rules/fast-lane.toml")),
    ("grand-challenge", include_str!("../../rules/grand-challenge.toml")),
    ("horizon-two-stage", include_str!("../../rules/horizon-two-stage.toml")),
    ("large-scale", include_str!("../../rules/large-scale.toml")),
    ("playground", include_str!("../../rules/playground.toml")),
];

/// The text of a document that comes with the program.
#[must_use]
pub fn shipped(name: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// One thing that is wrong with a rules document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line of the text, when there is one.
    pub line: Option<usize>,
    /// Where in the document, for example `evaluation.stages[0].key`; empty: its syntax.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{}", self.message)
    }
}

/// A rules document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Access to compute time, when the call gives any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// Short name, for example `ai-factories`.
    pub id: RulesId,
    /// Which of the lives of a call it has.
    pub kind: CallKind,
    /// How proposals are evaluated; absent when there is nothing to evaluate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<Evaluation>,
    /// Who may take part.
    pub eligibility: Eligibility,
    /// Time limits.
    pub deadlines: Deadlines,
    /// What the Union pays of what; absent when no money is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub funding: Option<Funding>,
    /// The legal sources: key to citation. Every `source` below is one of these keys.
    #[schemars(with = "std::collections::BTreeMap<LegalKey, String>")]
    pub legal: OrdMap<LegalKey, String>,
    /// How money is paid; absent when none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payments: Option<Payments>,
    /// For how many years after the last payment records are kept.
    pub retention: Retention,
    /// What a proposal must come with.
    pub submission: Submission,
    /// Full name.
    #[schemars(length(min = 1, max = 200))]
    pub title: String,
    /// Version of this document, 1..n.
    pub version: u32,
    /// IANA name of the zone in which the call states its times.
    #[schemars(example = "Europe/Luxembourg")]
    pub zone: String,
}

/// The lives that a call can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallKind {
    /// Selects hosting entities; money flows by agreements and procurement afterwards.
    ExpressionOfInterest,
    /// Awards grants.
    Grant,
    /// Gives compute time.
    Access,
    /// Awards prizes.
    Prize,
}

/// Who may take part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Eligibility {
    /// Countries whose entities may apply; empty: any.
    #[serde(default)]
    pub countries: Vec<Country>,
    /// The questions of the eligibility check; each must be answered yes.
    pub questions: Vec<Question>,
    /// Key of the legal source.
    pub source: LegalKey,
}

/// A yes-or-no question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Its key.
    pub key: QuestionKey,
    /// The question.
    #[schemars(length(min = 1, max = 500))]
    pub text: String,
}

/// What a proposal must come with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// Keys of the documents that must be there (by hash).
    pub documents: Vec<DocumentKey>,
    /// The questions of the admissibility check; each must be answered yes.
    pub questions: Vec<Question>,
    /// At most so many pages; no limit when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages_max: Option<u32>,
    /// Key of the legal source.
    pub source: LegalKey,
}

/// How proposals are evaluated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// At least so many experts per proposal.
    pub experts_min: u32,
    /// How a score is written.
    pub scale: Scale,
    /// Stages in order; one unless the call has two.
    pub stages: Vec<Stage>,
    /// What decides between equal totals, in order.
    pub tie_break: Vec<Comparator>,
    /// How proposals are selected.
    pub selection: Selection,
    /// Key of the legal source.
    pub source: LegalKey,
}

/// How a score is written: tenths of a point, so that half marks are exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// The highest score, in tenths (50 is 5 points).
    pub max_tenths: u32,
    /// The smallest step, in tenths (5 is a half mark).
    pub step_tenths: u32,
}

/// One stage of an evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// What is scored, in order.
    pub criteria: Vec<Criterion>,
    /// Its key, for example `full`.
    pub key: StageKey,
    /// The least sum of unweighted scores, in tenths.
    pub threshold_tenths: u32,
}

/// One criterion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// Its key, for example `impact`.
    pub key: CriterionKey,
    /// Its name.
    #[schemars(length(min = 1, max = 200))]
    pub name: String,
    /// The least score, unweighted, in tenths.
    pub threshold_tenths: u32,
    /// Weight for ranking only, never for thresholds: in hundredths (150 is 1.5).
    pub weight_hundredths: u32,
}

/// How proposals are selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// By rank.
    Ranked,
    /// First come, first served among those that pass.
    FirstComeFirstServed,
    /// Every proposal that passes a technical check.
    Technical,
}

/// What the Union pays of what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Funding {
    /// Cost item to the ceiling of the Union's share of it.
    #[schemars(with = "std::collections::BTreeMap<ItemKey, Rate>")]
    pub ceilings: OrdMap<ItemKey, Rate>,
    /// Whether the national side must match the Union's euro for euro at signature.
    pub matched: bool,
    /// Key of the legal source.
    pub source: LegalKey,
}

/// How money is paid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Payments {
    /// Pre-financing and interim payments together may reach this share of the grant.
    pub before_balance_max: Rate,
    /// What the mutual insurance mechanism withholds from the first pre-financing.
    pub insurance: Rate,
    /// Days to pay an interim or a balance from the receipt of the report.
    pub payment_days: u32,
    /// Days to pay the pre-financing.
    pub prefinancing_days: u32,
    /// Pre-financing may reach this share of the grant.
    pub prefinancing_max: Rate,
    /// Key of the legal source.
    pub source: LegalKey,
}

/// Time limits, in days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deadlines {
    /// From the cut-off to the result.
    pub inform_days: u32,
    /// From the end of a period to its report.
    pub report_days: u32,
    /// From the result letter to a request for review of the procedure.
    pub review_request_days: u32,
    /// From the result to the signature of the agreement.
    pub sign_days: u32,
    /// Key of the legal source.
    pub source: LegalKey,
}

/// How long records are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Years after the payment of the balance.
    pub years: u32,
}

/// Access to compute time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// From when working days to the decision are counted.
    pub counted_from: CountedFrom,
    /// Working days to the decision; not published when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision_working_days: Option<u32>,
    /// Days from the end of the allocation to its final report.
    pub final_report_days: u32,
    /// Days on which nobody works, in the call's zone.
    #[serde(default)]
    #[schemars(with = "Vec<Date>")]
    pub holidays: Vec<Date>,
    /// GPU-hours that a request may ask for at most; no limit when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_gpu_hours: Option<i64>,
    /// GPU-hours that a request must ask for at least.
    #[serde(default)]
    pub min_gpu_hours: i64,
    /// Durations that can be asked for, in months.
    pub months: Vec<u32>,
    /// Overrun that is borne without a new decision, as a share of the award.
    pub overrun_tolerance: Rate,
    /// Key of the legal source.
    pub source: LegalKey,
}

/// From when working days are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CountedFrom {
    /// From the submission.
    Submission,
    /// From the cut-off.
    CutOff,
}
