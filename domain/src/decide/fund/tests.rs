use crate::kernel::actor::Role;
use crate::testing::round::{ANTENNAS, opened, opening, ranked, rules};
use crate::testing::{Scenario, given};

const LINE: &str = r#""fund":"F","line":"02 04","source":"DEP""#;

fn voted(euro: u32) -> Scenario {
    given()
        .by(Role::GoverningBoard)
        .done("fund.vote_appropriation", &format!(r#"{{{LINE},"amount":"EUR {euro}"}}"#))
}

fn global(scenario: Scenario, key: &str, euro: u32) -> Scenario {
    scenario.by(Role::AuthorisingOfficer).when(
        "fund.commit_globally",
        &format!(r#"{{{LINE},"call":"C","commitment":"{key}","amount":"EUR {euro}"}}"#),
    )
}

#[test]
fn global_commitments_stay_within_the_appropriation() {
    let scenario = global(voted(100), "R1", 60).then(&["fund.GloballyCommitted"]);
    let scenario = global(scenario, "R2", 41).refused("fund.appropriation_exceeded");
    global(scenario, "R2", 40).then(&["fund.GloballyCommitted"]);
}

#[test]
fn money_of_another_currency_is_not_compared_with_the_appropriation() {
    for amount in ["CHF 1", "USD 1"] {
        let wish = format!(r#"{{{LINE},"call":"C","commitment":"R1","amount":"{amount}"}}"#);
        let scenario = voted(100).by(Role::AuthorisingOfficer);
        scenario.when("fund.commit_globally", &wish).refused("command.amount").at("/amount");
    }
}

#[test]
fn what_is_carried_over_must_fit_into_the_other_fund() {
    let huge = r#""line":"02 04","source":"DEP","amount":"EUR 90071992547409.91""#;
    let both = ["F", "G"].iter().fold(given().by(Role::GoverningBoard), |scenario, fund| {
        scenario.done("fund.vote_appropriation", &format!(r#"{{"fund":"{fund}",{huge}}}"#))
    });
    let carry = format!(r#"{{{LINE},"to":"G","amount":"EUR 1"}}"#);
    both.by(Role::AuthorisingOfficer).when("fund.carry_over", &carry).refused("command.amount");
}

#[test]
fn commitments_for_a_call_stay_within_its_envelope() {
    // The fund of the fixture holds 2000, the envelope of its call is 1000.
    let scenario = global(opened(), "R1", 1000);
    let scenario = scenario.recorded(&["fund.GloballyCommitted"]);
    let scenario = global(scenario, "R2", 1).refused("fund.envelope_exceeded");
    let more = r#"{"fund":"F","commitment":"R1","amount":"EUR 1","reason":"more"}"#;
    scenario.when("fund.increase_commitment", more).refused("fund.envelope_exceeded");
}

#[test]
fn an_increase_makes_room() {
    let scenario = global(voted(100), "R1", 101).refused("fund.appropriation_exceeded");
    let scenario = scenario.by(Role::GoverningBoard).done(
        "fund.increase_appropriation",
        &format!(r#"{{{LINE},"amount":"EUR 1","reason":"amending budget"}}"#),
    );
    global(scenario, "R1", 101).then(&["fund.GloballyCommitted"]);
}

fn individually(scenario: Scenario, commitment: &str, grant: &str, amount: &str) -> Scenario {
    let wish = format!(
        r#"{{"fund":"F","commitment":"{commitment}","grant":"{grant}","amount":"EUR {amount}"}}"#
    );
    scenario.by(Role::AuthorisingOfficer).when("fund.commit_individually", &wish)
}

/// Proposals A and B of call C were awarded as grants GA and GB, out of EUR 900 committed as K1.
fn awarded() -> Scenario {
    let award = r#"{"call":"C","cut_off":"R1","commitment":"K1","union":"EUR 900","funded":
        [{"proposal":"A","grant":"GA"},{"proposal":"B","grant":"GB"}],"reserve":["D"],
        "rejected":[{"proposal":"G","reason":"below the threshold"}]}"#;
    ranked().by(Role::GoverningBoard).done("call.award_round", award)
}

#[test]
fn individual_commitments_stay_within_the_global_one() {
    let scenario = individually(awarded(), "K1", "GA", "600");
    let scenario = scenario.recorded(&["fund.IndividuallyCommitted"]);
    let scenario = individually(scenario, "K1", "GB", "301");
    let release = r#"{"fund":"F","grant":"GA","amount":"EUR 1","reason":"rest"}"#;
    let scenario = scenario
        .refused("fund.global_commitment_exceeded")
        .when("fund.decommit_grant", release)
        .recorded(&["fund.GrantDecommitted"]);
    individually(scenario, "K1", "GB", "301").then(&["fund.IndividuallyCommitted"]);
}

#[test]
fn money_is_committed_individually_to_an_awarded_grant_of_the_same_call() {
    // A grant that is awarded and waits for its preparation is known; a name is not.
    let scenario = individually(awarded(), "K1", "G1", "1");
    let scenario = scenario.refused("fund.unknown_grant").at("/grant");
    let other = format!(r#"{{{LINE},"call":"X","commitment":"K2","amount":"EUR 1"}}"#);
    let scenario = scenario.done("fund.commit_globally", &other);
    let scenario = individually(scenario, "K2", "GA", "1");
    let scenario = scenario.refused("fund.other_call").at("/commitment");
    let scenario = individually(scenario, "K1", "GA", "1");
    scenario.then(&["fund.IndividuallyCommitted"]);
}

#[test]
fn nothing_is_committed_to_a_closed_grant() {
    let closed = crate::testing::grant::prepared()
        .by(Role::AuthorisingOfficer)
        .done("grant.terminate", r#"{"grant":"G","by":"authority","reason":"no match"}"#)
        .done("grant.close", r#"{"grant":"G"}"#);
    individually(closed, "R1", "G", "1").refused("fund.grant_closed").at("/grant");
}

#[test]
fn money_may_be_committed_before_its_call_opens_and_then_binds_the_opening() {
    let ahead = |scenario: Scenario, more: &str| {
        let wish = format!(r#"{{{LINE},"call":"C","commitment":"K1","amount":"EUR 1001"{more}}}"#);
        scenario.by(Role::AuthorisingOfficer).when("fund.commit_globally", &wish)
    };
    let scenario = ahead(voted(2000), r#","round":"R1""#).recorded(&["fund.GloballyCommitted"]);
    // The envelope of the call would be 1000.
    let opening = opening(&rules(ANTENNAS));
    let scenario = scenario.by(Role::ProgrammeOfficer).when("call.open", &opening);
    scenario.refused("call.envelope_exceeded").at("/budget/envelope");
    for round in ["R9", "R2"] {
        let cancel = r#"{"call":"C","cut_off":"R2","reason":"holidays"}"#;
        let scenario = opened().done("call.amend_calendar", cancel);
        let scenario = ahead(scenario, &format!(r#","round":"{round}""#));
        scenario.refused("fund.unknown_round").at("/round");
    }
}

#[test]
fn only_the_authorising_officer_commits() {
    voted(100)
        .by(Role::Applicant)
        .when(
            "fund.commit_globally",
            &format!(r#"{{{LINE},"call":"C","commitment":"R1","amount":"EUR 1"}}"#),
        )
        .refused("command.role_not_allowed");
}

#[test]
fn a_commitment_of_nothing_names_the_field() {
    global(voted(100), "R1", 0).refused("fund.not_positive").at("/amount");
}

#[test]
fn unused_money_moves_to_the_next_year_once() {
    let carry = |scenario: Scenario| {
        scenario
            .by(Role::AuthorisingOfficer)
            .when("fund.carry_over", &format!(r#"{{{LINE},"to":"G","amount":"EUR 60"}}"#))
    };
    let scenario = carry(voted(100)).then(&["fund.CarriedOver", "fund.CarriedIn"]);
    carry(scenario).refused("fund.appropriation_exceeded");
}
