use crate::kernel::actor::Role;
use crate::testing::Scenario;
use crate::testing::grant::*;

const CLAUSE: &str = r#""clause":"Art. 22.2""#;
const REPORT: &str = r#""report":"R""#;

fn ask(scenario: Scenario, id: &str, kind: &str, euro: u32, basis: &str) -> Scenario {
    scenario.by(Role::InitiatingAgent).when("payment.initiate", &payment(id, kind, euro, basis))
}

fn ahead(scenario: Scenario, euro: u32) -> Scenario {
    initiated(scenario, "PF", "pre_financing", euro, CLAUSE)
}

fn accepted(scenario: Scenario, kind: &str, union: u32) -> Scenario {
    assessed(reported(scenario, "R", kind, 2 * union, union), "R", 2 * union, union)
}

#[test]
fn four_people_move_money_and_it_leaves_the_fund_once() {
    let scenario = paid(ahead(signed(), 700), "PF");
    let commit = scenario.commits.last().unwrap();
    let kinds: Vec<&str> = commit.events.iter().map(|e| e.event.kind()).collect();
    assert_eq!(kinds, ["payment.Executed", "fund.Paid"]);
    let payment = r#"{"payment":"PF","end_to_end_id":"again"}"#;
    scenario.when("payment.execute", payment).refused("command.wrong_state");
}

#[test]
fn nobody_does_two_of_the_four_steps() {
    let payment = r#"{"payment":"PF"}"#;
    let execute = r#"{"payment":"PF","end_to_end_id":"E"}"#;
    ahead(signed(), 700)
        .by_person("initiating_agent", Role::VerifyingAgent)
        .when("payment.verify", payment)
        .refused("payment.same_person")
        .by(Role::VerifyingAgent)
        .done("payment.verify", payment)
        .by_person("initiating_agent", Role::AuthorisingOfficer)
        .when("payment.authorise", payment)
        .refused("payment.same_person")
        .by_person("verifying_agent", Role::AuthorisingOfficer)
        .when("payment.authorise", payment)
        .refused("payment.same_person")
        .by(Role::AuthorisingOfficer)
        .done("payment.authorise", payment)
        .by_person("authorising_officer", Role::AccountingOfficer)
        .when("payment.execute", execute)
        .refused("payment.same_person")
        .by_person("initiating_agent", Role::AccountingOfficer)
        .when("payment.execute", execute)
        .refused("payment.same_person");
}

#[test]
fn money_goes_to_the_account_that_two_people_have_seen() {
    let scenario = ask(accountless(), "PF", "pre_financing", 700, CLAUSE);
    let scenario = scenario.refused("grant.no_account").by(Role::Applicant);
    let named = scenario.done("grant.name_account", &naming("A1"));
    let waits = ask(named, "PF", "pre_financing", 700, CLAUSE).refused("grant.account_waits");
    let confirmed =
        waits.by(Role::AccountingOfficer).done("grant.decide_account", &deciding("A1", true));
    let payee = the_payment(&ahead(confirmed, 700), "PF").order.clone().unwrap().payee;
    assert_eq!(payee.unwrap().account.as_str(), "A1");
}

#[test]
fn an_order_is_for_one_account_and_does_not_follow_a_change() {
    let payment = r#"{"payment":"PF"}"#;
    let verified = ahead(signed(), 700).by(Role::VerifyingAgent).done("payment.verify", payment);
    let named = verified.by(Role::Applicant).done("grant.name_account", &naming("A2"));
    let authorise = |scenario: Scenario| {
        scenario.by(Role::AuthorisingOfficer).when("payment.authorise", payment)
    };
    let scenario = authorise(named).refused("grant.account_waits").by(Role::AccountingOfficer);
    // Back and forth: the same account is another payee.
    let changed = scenario.done("grant.decide_account", &deciding("A2", true));
    let changed = authorise(changed).refused("payment.other_account");
    authorise(with_account(changed, "A1"))
        .refused("payment.other_account")
        .when("payment.reject", r#"{"payment":"PF","reason":"another account"}"#)
        .then(&["payment.Rejected"]);
}

#[test]
fn while_the_bank_may_pay_the_account_stays() {
    let payment = r#"{"payment":"PF"}"#;
    let execute = r#"{"payment":"PF","end_to_end_id":"E"}"#;
    let verified = ahead(signed(), 700).by(Role::VerifyingAgent).done("payment.verify", payment);
    let ordered = verified.by(Role::AuthorisingOfficer).done("payment.authorise", payment);
    let kept = ordered.by(Role::Applicant).when("grant.name_account", &naming("A2"));
    kept.refused("grant.payment_ordered")
        .by(Role::AccountingOfficer)
        .done("payment.execute", execute)
        .by(Role::Applicant)
        .when("grant.name_account", &naming("A2"))
        .then(&["grant.AccountNamed"]);
}

#[test]
fn an_order_is_not_older_than_its_account() {
    let asked = signed().by(Role::InitiatingAgent).effective_at("2020-01-01T00:00:00Z");
    let asked = asked.when("payment.initiate", &payment("PF", "pre_financing", 700, CLAUSE));
    asked.refused("payment.before_account").at("/effective_at");
}

#[test]
fn money_that_comes_back_needs_no_account_of_theirs() {
    let ahead = paid(ahead(signed(), 700), "PF").by(Role::Applicant);
    let named = ahead.done("grant.name_account", &naming("A2"));
    let back = initiated(named, "R", "recovery", 100, CLAUSE);
    assert_eq!(the_payment(&back, "R").order.as_ref().unwrap().payee, None);
    paid(back, "R");
}

#[test]
fn an_order_from_before_there_were_accounts_can_be_carried_out() {
    use crate::facts::payment::Event;
    let old = r#"{"amount":"EUR 700","clause":"Art. 22.2","fund":"F","grant":"G","kind":"pre_financing","net":"EUR 650"}"#;
    let order = Event::Initiated(serde_json::from_str(old).unwrap());
    let asked = accountless().by(Role::InitiatingAgent).happened("payment-PF", order);
    let waits = asked.by(Role::Applicant).done("grant.name_account", &naming("A1"));
    let verify = waits.by(Role::VerifyingAgent).when("payment.verify", r#"{"payment":"PF"}"#);
    let seen = verify.refused("grant.account_waits").by(Role::AccountingOfficer);
    paid(seen.done("grant.decide_account", &deciding("A1", true)), "PF");
}

#[test]
fn a_stand_in_is_the_person_that_it_stands_in_for() {
    let mut actor = the_payment(&ahead(signed(), 700), "PF").hands[0].clone();
    let initiator = actor.clone();
    actor.on_behalf_of = Some(std::mem::replace(&mut actor.id, "deputy".parse().unwrap()));
    assert!(actor.may_be(&initiator) && initiator.may_be(&actor));
}

#[test]
fn pre_financing_has_a_ceiling_and_rests_on_a_clause() {
    let scenario = ask(signed(), "PF", "pre_financing", 700, r#""clause":" ""#);
    let scenario = scenario.refused("payment.no_basis").at("/clause");
    let scenario = ask(scenario, "PF", "pre_financing", 701, CLAUSE);
    let scenario = scenario.refused("payment.pre_financing_exceeded").at("/amount");
    let scenario = ask(scenario, "PF", "pre_financing", 0, CLAUSE);
    let scenario = scenario.refused("payment.not_positive");
    let scenario = ask(scenario, "PF", "pre_financing", 700, CLAUSE);
    let scenario = scenario.recorded(&["payment.Initiated"]);
    // What is asked for counts as gone.
    let scenario = ask(scenario, "PF2", "pre_financing", 1, CLAUSE);
    scenario.refused("payment.pre_financing_exceeded");
}

#[test]
fn the_insurance_keeps_its_part_of_the_first_pre_financing() {
    let scenario = ahead(signed(), 400);
    let scenario = initiated(scenario, "PF2", "pre_financing", 300, CLAUSE);
    let net = |id: &str| {
        let payment = the_payment(&scenario, id);
        payment.order.as_ref().unwrap().net.to_string()
    };
    assert_eq!((net("PF"), net("PF2")), ("EUR 350.00".to_owned(), "EUR 300.00".to_owned()));
}

#[test]
fn the_insurance_is_not_passed_by_when_the_first_pre_financing_is_stopped() {
    let reject = |scenario: Scenario, id: &str| {
        let stop = format!(r#"{{"payment":"{id}","reason":"wrong payee"}}"#);
        scenario.by(Role::VerifyingAgent).done("payment.reject", &stop)
    };
    let both = initiated(ahead(signed(), 300), "PF2", "pre_financing", 100, CLAUSE);
    let second = r#"{"payment":"PF2"}"#;
    let scenario = reject(both, "PF")
        .by(Role::VerifyingAgent)
        .done("payment.verify", second)
        .by(Role::AuthorisingOfficer)
        .done("payment.authorise", second)
        .by(Role::AccountingOfficer)
        .when("payment.execute", r#"{"payment":"PF2","end_to_end_id":"E"}"#)
        .refused("payment.insurance_first");
    let scenario = initiated(scenario, "PF3", "pre_financing", 300, CLAUSE);
    assert_eq!(the_payment(&scenario, "PF3").order.as_ref().unwrap().net.to_string(), "EUR 250.00");
    // With the third one out, the insurance has its part, and the second may follow.
    let scenario = paid(scenario, "PF3").by(Role::AccountingOfficer);
    let scenario = scenario.when("payment.execute", r#"{"payment":"PF2","end_to_end_id":"E"}"#);
    scenario.then(&["payment.Executed", "fund.Paid"]);
}

#[test]
fn nine_tenths_at_most_are_paid_before_the_balance() {
    let scenario = accepted(paid(ahead(signed(), 700), "PF"), "periodic", 500);
    let scenario = ask(scenario, "I", "interim", 201, REPORT);
    let scenario = scenario.refused("payment.before_balance_exceeded");
    ask(scenario, "I", "interim", 200, REPORT).then(&["payment.Initiated"]);
}

#[test]
fn an_interim_payment_is_within_what_was_accepted() {
    let scenario = ask(signed(), "I", "interim", 1, CLAUSE).refused("payment.no_basis");
    let scenario = reported(scenario, "R", "periodic", 200, 100);
    let scenario = ask(scenario, "I", "interim", 1, REPORT).refused("payment.no_basis");
    let scenario = assessed(scenario, "R", 200, 100).by(Role::InitiatingAgent);
    let scenario = ask(scenario, "I", "interim", 101, REPORT);
    let scenario = scenario.refused("payment.accepted_exceeded");
    let scenario = initiated(scenario, "I", "interim", 100, REPORT);
    ask(scenario, "J", "interim", 1, REPORT).refused("payment.accepted_exceeded");
}

#[test]
fn the_balance_is_what_is_accepted_and_not_yet_paid_and_releases_the_insurance() {
    let scenario = paid(ahead(signed(), 700), "PF");
    let scenario = ask(scenario, "B", "balance", 1, CLAUSE).refused("payment.no_basis");
    let scenario = accepted(scenario, "final", 900);
    let scenario = ask(scenario, "B", "balance", 201, REPORT);
    let scenario = scenario.refused("payment.accepted_exceeded");
    let scenario = initiated(scenario, "B", "balance", 200, REPORT);
    let order = the_payment(&scenario, "B").order.clone().unwrap();
    assert_eq!(order.net.to_string(), "EUR 250.00");
    ask(scenario, "B2", "balance", 0, REPORT).refused("payment.not_positive");
}

#[test]
fn there_is_one_balance() {
    let scenario = accepted(signed(), "final", 900);
    let scenario = initiated(scenario, "B", "balance", 100, REPORT);
    ask(scenario, "B2", "balance", 100, REPORT).refused("payment.balance_exists");
}

#[test]
fn a_payment_comes_out_of_a_fund_that_has_signed() {
    let other = payment("PF", "pre_financing", 100, CLAUSE).replace("\"F\"", "\"X\"");
    let scenario = signed().by(Role::InitiatingAgent).when("payment.initiate", &other);
    scenario.refused("payment.other_fund").at("/fund");
}

#[test]
fn each_fund_pays_within_its_own_legal_commitment() {
    const LINE: &str = r#""fund":"X","line":"02 04","source":"HE","amount":"EUR 100""#;
    let hosting = format!(r#"{{"grant":"G","document":"{}"}}"#, "0".repeat(64));
    let both = signed()
        .by(Role::GoverningBoard)
        .done("fund.vote_appropriation", &format!("{{{LINE}}}"))
        .by(Role::AuthorisingOfficer)
        .done("fund.commit_globally", &format!(r#"{{{LINE},"call":"C","commitment":"K"}}"#))
        .done(
            "fund.commit_individually",
            r#"{"fund":"X","commitment":"K","grant":"G","amount":"EUR 100"}"#,
        )
        .done("grant.conclude_hosting_agreement", &hosting)
        .done("grant.start_procurement", r#"{"grant":"G","procurement":"m","tender":"a machine"}"#)
        .done(
            "grant.sign_contract",
            r#"{"grant":"G","fund":"X","procurement":"m","union":"EUR 100"}"#,
        );
    let out_of_x = payment("PF", "pre_financing", 101, CLAUSE).replace("\"F\"", "\"X\"");
    let asked = both.by(Role::InitiatingAgent).when("payment.initiate", &out_of_x);
    asked.refused("payment.commitment_exceeded").at("/amount");
}

#[test]
fn what_is_signed_or_under_way_is_not_released() {
    let release = |scenario: Scenario, euro: u32| {
        scenario.by(Role::AuthorisingOfficer).when(
            "fund.decommit_grant",
            &format!(r#"{{"fund":"F","grant":"G","amount":"EUR {euro}","reason":"r"}}"#),
        )
    };
    // 1500 are committed to the grant, and its agreement is for 1000.
    let scenario = release(ahead(signed(), 700), 501);
    let scenario = scenario.refused("fund.individual_commitment_exceeded");
    let scenario = release(scenario, 500).recorded(&["fund.GrantDecommitted"]);
    // So what is due can be paid, and the grant closes.
    let scenario = accepted(paid(scenario, "PF"), "final", 1000);
    let scenario = paid(initiated(scenario, "B", "balance", 300, REPORT), "B");
    scenario.by(Role::AuthorisingOfficer).when("grant.close", GRANT).then(&["grant.Closed"]);
}

#[test]
fn a_recovery_that_the_bank_returns_is_not_paid_beyond_the_legal_commitment() {
    let scenario = paid(ahead(signed(), 700), "PF");
    let scenario = paid(initiated(scenario, "RO", "recovery", 200, CLAUSE), "RO");
    let scenario = accepted(scenario, "final", 1000);
    let scenario = paid(initiated(scenario, "B", "balance", 500, REPORT), "B");
    let undone = r#"{"payment":"RO","reason":"account closed"}"#;
    scenario.when("payment.return", undone).refused("fund.legal_commitment_exceeded");
}

#[test]
fn a_suspended_grant_is_not_paid() {
    let suspend = |scenario: Scenario| {
        scenario
            .by(Role::AuthorisingOfficer)
            .done("grant.suspend", r#"{"grant":"G","reason":"audit"}"#)
    };
    let asked = ask(suspend(signed()), "PF", "pre_financing", 700, CLAUSE);
    asked.refused("payment.not_payable");
    let verified =
        ahead(signed(), 700).by(Role::VerifyingAgent).done("payment.verify", r#"{"payment":"PF"}"#);
    let stopped = suspend(verified).when("payment.authorise", r#"{"payment":"PF"}"#);
    stopped.refused("payment.not_payable");
}

#[test]
fn a_call_without_payment_rules_pays_nothing_ahead() {
    let mut scenario = signed();
    let id: crate::kernel::ids::GrantId = "G".parse().unwrap();
    let grant = scenario.world.grants.get_mut(&id).unwrap();
    std::sync::Arc::make_mut(grant).origin.as_mut().unwrap().rules.payments = None;
    ask(scenario, "PF", "pre_financing", 1, CLAUSE).refused("payment.no_payment_rules");
}

#[test]
fn what_was_paid_too_much_comes_back() {
    let scenario = paid(ahead(signed(), 700), "PF");
    let scenario = ask(scenario, "RO", "recovery", 701, CLAUSE);
    let scenario = scenario.refused("payment.recovery_exceeded");
    let scenario = ask(scenario, "RO", "recovery", 700, r#""clause":"""#);
    let scenario = scenario.refused("payment.no_basis");
    let scenario = paid(initiated(scenario, "RO", "recovery", 200, CLAUSE), "RO");
    assert_eq!(scenario.commits.last().unwrap().events[1].event.kind(), "fund.Returned");
    assert_eq!(commitment(&scenario).paid.to_string(), "EUR 500.00");
}

#[test]
fn a_returned_payment_can_be_made_again() {
    let scenario = paid(ahead(signed(), 700), "PF")
        .when("payment.return", r#"{"payment":"PF","reason":"account closed"}"#)
        .recorded(&["payment.Returned", "fund.Returned"]);
    paid(initiated(scenario, "PF2", "pre_financing", 700, CLAUSE), "PF2");
}

#[test]
fn a_rejected_payment_frees_its_money() {
    let rejected = ahead(signed(), 700)
        .by(Role::VerifyingAgent)
        .when("payment.reject", r#"{"payment":"PF","reason":"wrong payee"}"#)
        .recorded(&["payment.Rejected"]);
    ask(rejected, "PF2", "pre_financing", 700, CLAUSE).then(&["payment.Initiated"]);
}

#[test]
fn an_end_to_end_id_names_one_payment() {
    let authorised = |id: &str, scenario: Scenario| {
        let payment = format!(r#"{{"payment":"{id}"}}"#);
        scenario
            .by(Role::VerifyingAgent)
            .done("payment.verify", &payment)
            .by(Role::AuthorisingOfficer)
            .done("payment.authorise", &payment)
            .by(Role::AccountingOfficer)
    };
    let scenario = authorised("PF", ahead(signed(), 300));
    let scenario = scenario
        .when("payment.execute", r#"{"payment":"PF","end_to_end_id":"E*E"}"#)
        .refused("payment.end_to_end_id")
        .at("/end_to_end_id")
        .done("payment.execute", r#"{"payment":"PF","end_to_end_id":"E2E"}"#);
    let second = initiated(scenario, "PF2", "pre_financing", 300, CLAUSE);
    authorised("PF2", second)
        .when("payment.execute", r#"{"payment":"PF2","end_to_end_id":"E2E"}"#)
        .refused("payment.end_to_end_id_used");
}
