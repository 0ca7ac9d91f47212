//! A grant on its way, for tests: 2 000 in all, half of it from the Union, out of a commitment of 1 500.

use crate::facts::fund::Individual;
use crate::facts::grant::Grant;
use crate::facts::payment::Payment;
use crate::facts::proposal;
use crate::kernel::actor::Role;
use crate::kernel::ids::{FundId, GrantId, PaymentId};
use crate::testing::{Scenario, given};

pub const GRANT: &str = r#"{"grant":"G"}"#;

pub const PREPARE: &str = r#"{"grant":"G","proposal":"P"}"#;

pub const SIGN: &str = r#"{"grant":"G","union":"EUR 1000","total":"EUR 2000","starts":"2025-01-01","ends":"2027-12-31"}"#;

fn event(json: &str) -> proposal::Event {
    serde_json::from_str(json).expect("a literal event")
}

/// A call with money, and a proposal for it.
pub fn drafted() -> Scenario {
    let text = crate::rulebook::shipped("ai-factories").expect("a shipped document");
    let rules = crate::rulebook::parse(text).expect("a correct document");
    let rules = serde_json::to_string(&rules).expect("rules are JSON");
    const LINE: &str = r#""fund":"F","line":"02 04","source":"DEP""#;
    given()
        .by(Role::GoverningBoard)
        .done("fund.vote_appropriation", &format!(r#"{{{LINE},"amount":"EUR 5000"}}"#))
        .by(Role::ProgrammeOfficer)
        .done(
            "call.open",
            &format!(
                r#"{{"call":"C","title":"Call","rules":{rules},"budget":{{"envelope":"EUR 5000",{LINE}}},
                "cut_offs":[{{"key":"R1","at":{{"local":"2024-11-04T17:00:00","zone":"Europe/Luxembourg"}}}}]}}"#
            ),
        )
        .by(Role::AuthorisingOfficer)
        .done(
            "fund.commit_globally",
            &format!(r#"{{{LINE},"call":"C","commitment":"R1","amount":"EUR 2000"}}"#),
        )
        .happened(
            "proposal-P",
            event(
                r#"{"type":"proposal.Drafted","data":{"applicant":"applicant","call":"C","content":{"acronym":"P","country":"FI","title":"Proposal"}}}"#,
            ),
        )
}

/// The proposal is awarded.
pub fn awarded() -> Scenario {
    let awarded = r#"{"type":"proposal.Awarded","data":{"cut_off":"R1","grant":"G"}}"#;
    drafted().happened("proposal-P", event(awarded)).by(Role::System)
}

/// The proposal became a grant.
pub fn prepared() -> Scenario {
    awarded().done("grant.prepare", PREPARE)
}

/// The grant has a budget, and money is committed to it individually.
pub fn budgeted() -> Scenario {
    let scenario = prepared().by(Role::Applicant).done("grant.set_budget", &budget(1000, 2000));
    scenario.by(Role::AuthorisingOfficer).done(
        "fund.commit_individually",
        r#"{"fund":"F","commitment":"R1","grant":"G","amount":"EUR 1500"}"#,
    )
}

/// A budget of one item and two beneficiaries.
pub fn budget(union: u32, total: u32) -> String {
    let (most, national) = (union - 100, total - union);
    format!(
        r#"{{"grant":"G","items":[{{"item":"services","total":"EUR {total}","union":"EUR {union}","national":"EUR {national}","other":"EUR 0"}}],
        "beneficiaries":[{{"beneficiary":"host","country":"FI","union":"EUR {most}","role":"coordinator"}},
        {{"beneficiary":"lab","country":"SE","union":"EUR 100","role":"beneficiary"}}]}}"#
    )
}

/// A state has signed for so much.
pub fn matched(scenario: Scenario, euro: u32) -> Scenario {
    scenario
        .by(Role::NationalAuthority)
        .done(
            "pledge.make",
            r#"{"pledge":"FI","call":"C","grant":"G","state":"FI","kind":"cash","amount":"EUR 1000"}"#,
        )
        .done("pledge.sign", &format!(r#"{{"pledge":"FI","amount":"EUR {euro}"}}"#))
}

/// The bank account is confirmed.
pub fn with_account(scenario: Scenario, account: &str) -> Scenario {
    scenario
        .by(Role::Applicant)
        .done("grant.name_account", &naming(account))
        .by(Role::AccountingOfficer)
        .done("grant.decide_account", &deciding(account, true))
}

pub fn naming(account: &str) -> String {
    let document = "0".repeat(64);
    format!(r#"{{"grant":"G","account":"{account}","document":"{document}","reason":"our bank"}}"#)
}

pub fn deciding(account: &str, approved: bool) -> String {
    let document = "0".repeat(64);
    format!(
        r#"{{"grant":"G","account":"{account}","document":"{document}","approved":{approved},"reason":"the bank was called"}}"#
    )
}

/// The grant agreement is in force, and there is an account to pay to: A1.
pub fn signed() -> Scenario {
    with_account(accountless(), "A1").by(Role::AuthorisingOfficer)
}

/// The grant agreement is in force, and there is no account to pay to.
pub fn accountless() -> Scenario {
    matched(budgeted(), 1000)
        .by(Role::Applicant)
        .done("grant.accept", GRANT)
        .by(Role::AuthorisingOfficer)
        .done("grant.sign", SIGN)
}

/// A report on 2025 claims so much.
pub fn reported(scenario: Scenario, key: &str, kind: &str, total: u32, union: u32) -> Scenario {
    scenario.by(Role::Applicant).done(
        "grant.submit_report",
        &format!(
            r#"{{"grant":"G","report":"{key}","kind":"{kind}","from":"2025-01-01","to":"2025-12-31","document":"{}",
            "claimed":[{{"item":"services","total":"EUR {total}","union":"EUR {union}"}}]}}"#,
            "0".repeat(64)
        ),
    )
}

/// So much of it is accepted.
pub fn assessed(scenario: Scenario, key: &str, total: u32, union: u32) -> Scenario {
    scenario.by(Role::ProgrammeOfficer).done("grant.assess_report", &assessment(key, total, union))
}

pub fn assessment(key: &str, total: u32, union: u32) -> String {
    format!(
        r#"{{"grant":"G","report":"{key}","comments":"","accepted":[{{"item":"services","total":"EUR {total}","union":"EUR {union}"}}]}}"#
    )
}

/// A payment is asked for.
pub fn initiated(scenario: Scenario, id: &str, kind: &str, euro: u32, basis: &str) -> Scenario {
    scenario.by(Role::InitiatingAgent).done("payment.initiate", &payment(id, kind, euro, basis))
}

pub fn payment(id: &str, kind: &str, euro: u32, basis: &str) -> String {
    format!(
        r#"{{"payment":"{id}","grant":"G","fund":"F","kind":"{kind}","amount":"EUR {euro}",{basis}}}"#
    )
}

/// It goes through the hands of three more people.
pub fn paid(scenario: Scenario, id: &str) -> Scenario {
    let payment = format!(r#"{{"payment":"{id}"}}"#);
    scenario
        .by(Role::VerifyingAgent)
        .done("payment.verify", &payment)
        .by(Role::AuthorisingOfficer)
        .done("payment.authorise", &payment)
        .by(Role::AccountingOfficer)
        .done("payment.execute", &format!(r#"{{"payment":"{id}","end_to_end_id":"E2E-{id}"}}"#))
}

pub fn the_grant(scenario: &Scenario) -> &Grant {
    let id: GrantId = "G".parse().expect("a literal grant");
    &scenario.world.grants[&id]
}

pub fn the_payment<'a>(scenario: &'a Scenario, id: &str) -> &'a Payment {
    let id: PaymentId = id.parse().expect("a literal payment");
    &scenario.world.payments[&id]
}

pub fn commitment(scenario: &Scenario) -> &Individual {
    let fund: FundId = "F".parse().expect("a literal fund");
    let grant: GrantId = "G".parse().expect("a literal grant");
    &scenario.world.funds[&fund].grants[&grant]
}
