//! What is wrong with a rules document beyond its shape: sums, references, missing sections.

use super::comparator::Comparator;
use super::document::{
    Access, CallKind, Criterion, Deadlines, Document, Eligibility, Evaluation, Funding, Mistake,
    Payments, Question, Retention, Scale, Stage, Submission,
};
use crate::kernel::ids::LegalKey;
use crate::kernel::money::Rate;
use imbl::OrdMap;
use std::collections::BTreeSet;
use std::fmt::Display;

/// The sections of a document that could be read: all of them, or what a broken one leaves.
#[derive(Default)]
pub(super) struct Parts {
    pub access: Option<Access>,
    pub deadlines: Option<Deadlines>,
    pub eligibility: Option<Eligibility>,
    pub evaluation: Option<Evaluation>,
    pub funding: Option<Funding>,
    pub kind: Option<CallKind>,
    pub legal: Option<OrdMap<LegalKey, String>>,
    pub payments: Option<Payments>,
    /// The sections that are in the document, readable or not.
    pub present: BTreeSet<&'static str>,
    pub retention: Option<Retention>,
    pub submission: Option<Submission>,
    pub title: Option<String>,
    pub version: Option<u32>,
    pub zone: Option<String>,
}

/// The sections that only some kinds of call have.
pub(super) const OPTIONAL: &[&str] = &["access", "evaluation", "funding", "payments"];

impl Document {
    /// Every mistake in it; none: a call can be opened with it.
    #[must_use]
    pub fn mistakes(&self) -> Vec<Mistake> {
        let given = [
            self.access.is_some(),
            self.evaluation.is_some(),
            self.funding.is_some(),
            self.payments.is_some(),
        ];
        let present = OPTIONAL.iter().zip(given).filter(|one| one.1).map(|one| *one.0).collect();
        Parts {
            access: self.access.clone(),
            deadlines: Some(self.deadlines.clone()),
            eligibility: Some(self.eligibility.clone()),
            evaluation: self.evaluation.clone(),
            funding: self.funding.clone(),
            kind: Some(self.kind),
            legal: Some(self.legal.clone()),
            payments: self.payments.clone(),
            present,
            retention: Some(self.retention),
            submission: Some(self.submission.clone()),
            title: Some(self.title.clone()),
            version: Some(self.version),
            zone: Some(self.zone.clone()),
        }
        .mistakes()
    }
}

/// Where mistakes are collected.
#[derive(Default)]
struct Found(Vec<Mistake>);

impl Found {
    fn say(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Mistake { line: None, path: path.into(), message: message.into() });
    }

    fn unless(&mut self, good: bool, path: impl Into<String>, message: impl Into<String>) {
        if !good {
            self.say(path, message);
        }
    }

    /// Names what is in a list twice.
    fn twice<'a, K: Ord + Display + 'a>(&mut self, path: &str, keys: impl Iterator<Item = &'a K>) {
        let mut seen = BTreeSet::new();
        for (index, key) in keys.enumerate() {
            self.unless(
                seen.insert(key),
                format!("{path}[{index}]"),
                format!("{key} is here twice"),
            );
        }
    }
}

impl Parts {
    /// Every mistake in the sections that could be read.
    pub(super) fn mistakes(&self) -> Vec<Mistake> {
        let mut found = Found::default();
        self.general(&mut found);
        self.kind(&mut found);
        self.sources(&mut found);
        if let Some(eligibility) = &self.eligibility {
            questions("eligibility.questions", &eligibility.questions, &mut found);
            let different: BTreeSet<_> = eligibility.countries.iter().collect();
            let good = different.len() == eligibility.countries.len();
            found.unless(good, "eligibility.countries", "a country is here twice");
        }
        if let Some(submission) = &self.submission {
            questions("submission.questions", &submission.questions, &mut found);
            found.twice("submission.documents", submission.documents.iter());
            found.unless(
                submission.pages_max != Some(0),
                "submission.pages_max",
                "no pages at all",
            );
        }
        if let Some(evaluation) = &self.evaluation {
            check_evaluation(evaluation, &mut found);
        }
        self.money(&mut found);
        if let Some(deadlines) = &self.deadlines {
            let days = [
                ("inform_days", deadlines.inform_days),
                ("report_days", deadlines.report_days),
                ("review_request_days", deadlines.review_request_days),
                ("sign_days", deadlines.sign_days),
            ];
            some_days("deadlines", &days, &mut found);
        }
        if let Some(access) = &self.access {
            check_access(access, &mut found);
        }
        found.0
    }

    fn general(&self, found: &mut Found) {
        found.unless(self.version != Some(0), "version", "versions begin at 1");
        let blank = self.title.as_ref().is_some_and(|title| title.trim().is_empty());
        found.unless(!blank, "title", "is empty");
        if let Some(Err(error)) = self.zone.as_ref().map(|zone| crate::kernel::time::zone(zone)) {
            found.say("zone", error.to_string());
        }
        let years = self.retention.is_none_or(|retention| retention.years > 0);
        found.unless(years, "retention.years", "records are kept for at least a year");
    }

    /// The sections that a kind of call cannot do without.
    fn kind(&self, found: &mut Found) {
        let Some(kind) = self.kind else { return };
        let (name, needed): (_, &[&str]) = match kind {
            CallKind::ExpressionOfInterest => ("expression_of_interest", &["evaluation"]),
            CallKind::Grant => ("grant", &["evaluation", "funding", "payments"]),
            CallKind::Access => ("access", &["access"]),
            CallKind::Prize => ("prize", &["evaluation"]),
        };
        for section in needed.iter().filter(|section| !self.present.contains(*section)) {
            found.say(*section, format!("is missing: a call of kind {name} needs it"));
        }
        let paid = self.present.contains("payments") && !self.present.contains("funding");
        found.unless(!paid, "funding", "is missing: payments need it");
    }

    /// Every `source` is a key of `legal`.
    fn sources(&self, found: &mut Found) {
        let Some(legal) = &self.legal else { return };
        found.unless(!legal.is_empty(), "legal", "names no source");
        let sources = [
            ("access", self.access.as_ref().map(|section| &section.source)),
            ("deadlines", self.deadlines.as_ref().map(|section| &section.source)),
            ("eligibility", self.eligibility.as_ref().map(|section| &section.source)),
            ("evaluation", self.evaluation.as_ref().map(|section| &section.source)),
            ("funding", self.funding.as_ref().map(|section| &section.source)),
            ("payments", self.payments.as_ref().map(|section| &section.source)),
            ("submission", self.submission.as_ref().map(|section| &section.source)),
        ];
        for (section, source) in sources {
            if let Some(source) = source.filter(|source| !legal.contains_key(*source)) {
                let message = format!("{source} is not a key of legal");
                found.say(format!("{section}.source"), message);
            }
        }
    }

    fn money(&self, found: &mut Found) {
        if let Some(funding) = &self.funding {
            found.unless(!funding.ceilings.is_empty(), "funding.ceilings", "names no cost item");
            for (item, rate) in &funding.ceilings {
                let path = format!("funding.ceilings.{item}");
                found.unless(*rate != Rate::ZERO, path, "a ceiling of nothing funds nothing");
            }
        }
        if let Some(payments) = &self.payments {
            let at_most = |small: Rate, large: Rate| {
                let ((a, b), (c, d)) = (small.parts(), large.parts());
                u64::from(a) * u64::from(d) <= u64::from(c) * u64::from(b)
            };
            found.unless(
                at_most(payments.prefinancing_max, payments.before_balance_max),
                "payments.prefinancing_max",
                format!("is more than before_balance_max, {}", payments.before_balance_max),
            );
            found.unless(
                at_most(payments.insurance, payments.prefinancing_max),
                "payments.insurance",
                format!("is withheld from prefinancing_max, {}", payments.prefinancing_max),
            );
            let days = [
                ("payment_days", payments.payment_days),
                ("prefinancing_days", payments.prefinancing_days),
            ];
            some_days("payments", &days, found);
        }
    }
}

fn some_days(section: &str, days: &[(&str, u32)], found: &mut Found) {
    for (name, days) in days {
        found.unless(*days > 0, format!("{section}.{name}"), "a time limit has at least one day");
    }
}

fn questions(path: &str, questions: &[Question], found: &mut Found) {
    found.twice(path, questions.iter().map(|question| &question.key));
    for (index, question) in questions.iter().enumerate() {
        let good = !question.text.trim().is_empty();
        found.unless(good, format!("{path}[{index}].text"), "is empty");
    }
}

fn check_evaluation(evaluation: &Evaluation, found: &mut Found) {
    let Evaluation { experts_min, scale, stages, tie_break, .. } = evaluation;
    found.unless(*experts_min > 0, "evaluation.experts_min", "somebody must evaluate");
    let scale_path = "evaluation.scale";
    found.unless(scale.max_tenths > 0, format!("{scale_path}.max_tenths"), "is nothing");
    let divides = scale.step_tenths > 0 && scale.max_tenths.is_multiple_of(scale.step_tenths);
    let message = "the highest score is not a number of steps";
    found.unless(divides, format!("{scale_path}.step_tenths"), message);
    found.unless(!stages.is_empty(), "evaluation.stages", "names no stage");
    found.twice("evaluation.stages", stages.iter().map(|stage| &stage.key));
    for (index, stage) in stages.iter().enumerate() {
        check_stage(&format!("evaluation.stages[{index}]"), stage, *scale, found);
    }
    let criteria: Vec<&Criterion> = stages.iter().flat_map(|stage| &stage.criteria).collect();
    for (index, comparator) in tie_break.iter().enumerate() {
        let path = format!("evaluation.tie_break[{index}]");
        if let Comparator::Criterion { criterion } = comparator {
            let known = criteria.iter().any(|known| known.key == *criterion);
            let message = format!("no stage has a criterion {criterion}");
            found.unless(known, format!("{path}.criterion"), message);
        }
        found.unless(!tie_break[..index].contains(comparator), path, "is here twice");
    }
}

fn check_stage(path: &str, stage: &Stage, scale: Scale, found: &mut Found) {
    let on_scale = |tenths: u32| scale.step_tenths > 0 && tenths.is_multiple_of(scale.step_tenths);
    found.unless(!stage.criteria.is_empty(), format!("{path}.criteria"), "names no criterion");
    found.twice(&format!("{path}.criteria"), stage.criteria.iter().map(|one| &one.key));
    for (index, criterion) in stage.criteria.iter().enumerate() {
        let path = format!("{path}.criteria[{index}]");
        let weight = format!("{path}.weight_hundredths");
        found.unless(criterion.weight_hundredths > 0, weight, "a weight of nothing");
        let good = !criterion.name.trim().is_empty();
        found.unless(good, format!("{path}.name"), "is empty");
        let threshold = criterion.threshold_tenths;
        let path = format!("{path}.threshold_tenths");
        let (max, step) = (scale.max_tenths, scale.step_tenths);
        found.unless(threshold <= max, path.clone(), format!("is above the highest score, {max}"));
        let message = format!("{threshold} is not a number of steps of {step}");
        found.unless(on_scale(threshold), path, message);
    }
    let path = format!("{path}.threshold_tenths");
    let count = u64::try_from(stage.criteria.len()).unwrap_or(u64::MAX);
    let sum = u64::from(scale.max_tenths).saturating_mul(count);
    let within = u64::from(stage.threshold_tenths) <= sum;
    found.unless(within, path.clone(), format!("is above the highest sum, {sum}"));
    let message =
        format!("{} is not a number of steps of {}", stage.threshold_tenths, scale.step_tenths);
    found.unless(on_scale(stage.threshold_tenths), path, message);
}

fn check_access(access: &Access, found: &mut Found) {
    found.unless(!access.months.is_empty(), "access.months", "names no duration");
    let different: BTreeSet<_> = access.months.iter().collect();
    let good = different.len() == access.months.len() && !access.months.contains(&0);
    found.unless(good, "access.months", "a duration of nothing, or one twice");
    found.unless(access.min_gpu_hours >= 0, "access.min_gpu_hours", "is less than nothing");
    if let Some(max) = access.max_gpu_hours {
        let good = access.min_gpu_hours <= max && max > 0;
        found.unless(good, "access.max_gpu_hours", "is less than the minimum, or nothing");
    }
    let days = [
        ("final_report_days", access.final_report_days),
        ("decision_working_days", access.decision_working_days.unwrap_or(1)),
    ];
    some_days("access", &days, found);
    let holidays: BTreeSet<_> = access.holidays.iter().collect();
    let good = holidays.len() == access.holidays.len();
    found.unless(good, "access.holidays", "a day is here twice");
}
