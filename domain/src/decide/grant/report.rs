//! Reports: what was spent, and how much of it is accepted.

use crate::decide::grant::budget::check_costs;
use crate::decide::grant::checks::{check_dates, check_other_person};
use crate::decide::grant::refusals::Rejection;
use crate::decide::prelude::*;
use crate::facts::grant::Event;
use crate::facts::grant::budget::{Cost, ITEMS_MAX};
use crate::facts::grant::report::ReportKind;

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
    pub report: ReportKey,
    /// Last day of its period.
    pub to: Date,
}

impl Attached for SubmitReport {
    fn document(&self) -> &impl Written {
        &self.document
    }
}

impl Decide for SubmitReport {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        check_list("claimed", &self.claimed, ITEMS_MAX)?;
        let grant = world.find(&world.grants, &self.grant)?;
        grant.check_applicant(meta)?;
        if grant.reports.contains_key(&self.report) {
            let key = self.report.clone();
            return Err(Rejection::KeyUsed { what: "report", key: key.to_string() }.into());
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
    pub report: ReportKey,
}

impl Meets<needs::OtherPerson> for AssessReport {
    fn check(&self, world: &World, meta: &Meta) -> Result<(), Refusal> {
        let Some(grant) = world.grants.get(&self.grant) else { return Ok(()) };
        let report = grant.reports.get(&self.report);
        report
            .map_or(Ok(()), |report| check_other_person(meta, &report.submitted_by, "handed it in"))
    }
}

impl Decide for AssessReport {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        check_list("accepted", &self.accepted, ITEMS_MAX)?;
        check_text("comments", &self.comments)?;
        let grant = world.find(&world.grants, &self.grant)?;
        let key = self.report.clone();
        let Some(report) = grant.reports.get(&key) else {
            return Err(Rejection::UnknownKey { what: "report", key: key.to_string() }.into());
        };
        if report.accepted.is_some() {
            return Err(Rejection::Decided { what: "report", key: key.to_string() }.into());
        }
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

#[cfg(test)]
mod tests {
    use crate::kernel::actor::Role;
    use crate::testing::Scenario;
    use crate::testing::grant::*;

    fn report(key: &str, from: &str, to: &str, item: &str) -> String {
        format!(
            r#"{{"grant":"G","report":"{key}","kind":"periodic","from":"{from}","to":"{to}","document":"{}",
            "claimed":[{{"item":"{item}","total":"EUR 2","union":"EUR 1"}}]}}"#,
            "0".repeat(64)
        )
    }

    #[test]
    fn reports_follow_each_other() {
        let submit = |scenario: Scenario, key: &str, from: &str, to: &str| {
            let payload = report(key, from, to, "services");
            scenario.by(Role::Applicant).when("grant.submit_report", &payload)
        };
        let scenario = submit(signed(), "R1", "2025-01-01", "2024-12-31");
        let scenario = scenario.refused("grant.backwards").at("/to");
        let scenario = submit(scenario, "R1", "2025-01-01", "2025-12-31");
        let scenario = scenario.recorded(&["grant.ReportSubmitted"]);
        let scenario = submit(scenario, "R1", "2026-01-01", "2026-12-31").refused("grant.key_used");
        let scenario = submit(scenario, "R2", "2025-12-31", "2026-12-31");
        let scenario = scenario.refused("grant.period_taken").at("/from");
        submit(scenario, "R2", "2026-01-01", "2026-12-31").then(&["grant.ReportSubmitted"]);
    }

    #[test]
    fn only_what_the_rules_fund_is_claimed() {
        let travel = report("R", "2025-01-01", "2025-12-31", "travel");
        let claimed = signed().by(Role::Applicant).when("grant.submit_report", &travel);
        claimed.refused("grant.not_funded").at("/claimed");
    }

    #[test]
    fn no_more_is_accepted_than_was_claimed_and_half_of_it_at_most() {
        let assess = |scenario: Scenario, total: u32, union: u32| {
            scenario
                .by(Role::ProgrammeOfficer)
                .when("grant.assess_report", &assessment("R", total, union))
        };
        let scenario = assess(signed(), 1, 0).refused("grant.unknown_key");
        let scenario = reported(scenario, "R", "periodic", 1000, 500);
        let scenario = assess(scenario, 1001, 500).refused("grant.more_than_claimed");
        let scenario = assess(scenario, 999, 500).refused("grant.ceiling_exceeded");
        let scenario = scenario.at("/accepted/0");
        let scenario = assess(scenario, 900, 450).recorded(&["grant.ReportAssessed"]);
        assert_eq!(the_grant(&scenario).due().to_string(), "EUR 450.00");
        assess(scenario, 900, 450).refused("grant.decided");
    }

    #[test]
    fn who_hands_a_report_in_does_not_assess_it() {
        reported(signed(), "R", "periodic", 1000, 500)
            .by_person("applicant", Role::ProgrammeOfficer)
            .when("grant.assess_report", &assessment("R", 900, 450))
            .refused("grant.same_person");
    }

    #[test]
    fn the_union_never_owes_more_than_it_signed_for() {
        let scenario = assessed(reported(signed(), "R", "final", 9000, 4500), "R", 9000, 4500);
        assert_eq!(the_grant(&scenario).due().to_string(), "EUR 1000.00");
    }
}
