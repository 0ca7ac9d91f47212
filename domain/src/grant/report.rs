//! Reports: what was spent, and how much of it is accepted.

use super::budget::{Cost, ITEMS_MAX, check_costs, sum};
use super::{APPLICANT, Event, Rejection, check_dates, check_other_person};
use crate::canonical::Sha256Hex;
use crate::command::{
    Actor, Command, Decision, Declaration, Meta, Need, NewEvent, Role, check_list, check_text,
};
use crate::ids::{GrantId, Key, StreamId, StreamKey};
use crate::money::Money;
use crate::rejection::{Refusal, Rule};
use crate::world::World;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportKind {
    /// At the end of a reporting period.
    Periodic,
    /// At the end of the action.
    Final,
}

/// One report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What was accepted, once it was assessed.
    pub accepted: Option<Vec<Cost>>,
    /// What was claimed.
    pub claimed: Vec<Cost>,
    /// First day of its period.
    pub from: Date,
    /// Which.
    pub kind: ReportKind,
    /// Who submitted it.
    pub submitted_by: Actor,
    /// Last day of its period.
    pub to: Date,
}

impl Report {
    /// The Union's part of what was accepted.
    #[must_use]
    pub fn accepted_union(&self) -> Money {
        sum(self.accepted.iter().flatten().map(|cost| cost.union))
    }
}

/// Hands in a report with its costs.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitReport {
    /// What is claimed.
    #[schemars(length(max = 50))]
    pub claimed: Vec<Cost>,
    /// Hash of the report.
    pub document: Sha256Hex,
    /// First day of its period.
    pub from: Date,
    /// The grant.
    pub grant: GrantId,
    /// Which.
    pub kind: ReportKind,
    /// Its key in this grant.
    pub report: Key,
    /// Last day of its period.
    pub to: Date,
}

impl Command for SubmitReport {
    const DECLARATION: Declaration = Declaration {
        name: "grant.submit_report",
        summary: "Hand in a periodic or final report with its costs",
        roles: APPLICANT,
        from: &["active", "suspended", "terminated"],
        needs: &[Need::Document],
        rule: Rule::of("EU model grant agreement", "Art. 21: reporting"),
    };

    fn subject(&self) -> StreamId {
        self.grant.stream()
    }

    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        check_list("claimed", &self.claimed, ITEMS_MAX)?;
        let grant = world.find(&world.grants, &self.grant)?;
        grant.check_applicant(meta)?;
        if grant.reports.contains_key(&self.report) {
            let key = self.report.clone();
            return Err(Rejection::KeyUsed { what: "report", key }.into());
        }
        check_dates(self.from, self.to).map_err(|refusal| refusal.at("/to"))?;
        let mut earlier = grant.reports.iter();
        if let Some((key, report)) =
            earlier.find(|(_, report)| self.from <= report.to && report.from <= self.to)
        {
            let (report, to) = (key.clone(), report.to);
            return Err(Refusal::from(Rejection::PeriodTaken { report, to }).at("/from"));
        }
        check_costs(&grant.terms(), &self.claimed).map_err(|refusal| refusal.at("/claimed"))?;
        let event = Event::ReportSubmitted {
            claimed: self.claimed.clone(),
            document: self.document,
            from: self.from,
            kind: self.kind,
            report: self.report.clone(),
            to: self.to,
        };
        Ok(vec![NewEvent::on(&self.grant, event)])
    }
}

/// Says which of the claimed costs are accepted.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AssessReport {
    /// What is accepted; an item that is absent is not.
    #[schemars(length(max = 50))]
    pub accepted: Vec<Cost>,
    /// Why.
    #[schemars(length(max = 2000))]
    pub comments: String,
    /// The grant.
    pub grant: GrantId,
    /// Which.
    pub report: Key,
}

impl Command for AssessReport {
    const DECLARATION: Declaration = Declaration {
        name: "grant.assess_report",
        summary: "Accept the costs of a report, or some of them",
        roles: &[Role::ProgrammeOfficer, Role::AuthorisingOfficer],
        from: &["active", "suspended", "terminated"],
        needs: &[Need::OtherPerson],
        rule: Rule::of("EU model grant agreement", "Art. 22 and 27: accepted and rejected costs"),
    };

    fn subject(&self) -> StreamId {
        self.grant.stream()
    }

    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        check_list("accepted", &self.accepted, ITEMS_MAX)?;
        check_text("comments", &self.comments)?;
        let grant = world.find(&world.grants, &self.grant)?;
        let key = self.report.clone();
        let Some(report) = grant.reports.get(&key) else {
            return Err(Rejection::UnknownKey { what: "report", key }.into());
        };
        if report.accepted.is_some() {
            return Err(Rejection::Decided { what: "report", key }.into());
        }
        check_other_person(meta, &report.submitted_by, "handed it in")?;
        let terms = grant.terms();
        check_costs(&terms, &self.accepted).map_err(|refusal| refusal.at("/accepted"))?;
        for (index, cost) in self.accepted.iter().enumerate() {
            cost.check_accepted(&terms, &report.claimed)
                .map_err(|refusal| refusal.at(format!("/accepted/{index}")))?;
        }
        let (accepted, comments) = (self.accepted.clone(), self.comments.clone());
        let event = Event::ReportAssessed { accepted, comments, report: key };
        Ok(vec![NewEvent::on(&self.grant, event)])
    }
}
