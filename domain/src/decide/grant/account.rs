//! Which bank account a grant is paid to: one person names it, another confirms it, and no payment leaves
//! while one waits. The log holds a key and the digest of the bank's form, not the number.

use crate::decide::grant::checks::check_other_person;
use crate::decide::grant::refusals::Rejection;
use crate::decide::prelude::*;
use crate::decide::standing::Standing;
use crate::facts::grant::Event;
use crate::facts::grant::account::{Accounts, Confirmed, Named, Payee};

/// How long a number by ISO 13616 is, in letters and digits.
const IBAN_LENGTH: std::ops::RangeInclusive<usize> = 15..=34;

impl Accounts {
    /// Where payments may go now, and what was confirmed.
    ///
    /// # Errors
    /// When none is confirmed, or another waits to be.
    pub fn payee(&self, grant: &GrantId) -> Result<(Payee, &Confirmed), Refusal> {
        self.check_none_waits()?;
        let Some((position, confirmed)) = self.confirmed.get_max() else {
            return Err(Rejection::NoAccount(grant.clone()).into());
        };
        let account = confirmed.named.account.clone();
        Ok((Payee { account, confirmed_at: *position }, confirmed))
    }

    /// # Errors
    /// When an account waits.
    pub fn check_none_waits(&self) -> Result<(), Refusal> {
        match &self.waiting {
            None => Ok(()),
            Some(named) => Err(Rejection::AccountWaits(named.account.clone()).into()),
        }
    }
}

/// Says to which account a grant is to be paid.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NameAccount {
    /// Its key in the books of the authority, which is not its number.
    pub account: AccountKey,
    /// The form that the bank has stamped: SHA-256 of its bytes.
    pub document: Sha256Hex,
    /// The grant.
    pub grant: GrantId,
    /// Why this one, or why another one.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Attached for NameAccount {
    fn document(&self) -> &impl Written {
        &self.document
    }
}

impl Decide for NameAccount {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        if holds_iban(self.account.as_str()) {
            return Err(Refusal::from(Rejection::AccountNumber).at("/account"));
        }
        let grant = world.find(&world.grants, &self.grant)?;
        if meta.actor.role == Role::Applicant {
            grant.check_applicant(meta)?;
        }
        grant.accounts.check_none_waits()?;
        // What was ordered may have left: its fact must find the account that it went to.
        if let Some(payment) = Standing::of(world, &self.grant).ordered() {
            return Err(Rejection::PaymentOrdered(payment.clone()).into());
        }
        let (account, document) = (self.account.clone(), self.document);
        let newest = grant.accounts.confirmed.get_max().map(|(_, newest)| &newest.named);
        if newest.is_some_and(|named| named.account.as_str().eq_ignore_ascii_case(account.as_str()))
        {
            return Err(Refusal::from(Rejection::AccountConfirmed(account)).at("/account"));
        }
        let event = Event::AccountNamed { account, document, reason: self.reason.clone() };
        Ok(vec![NewEvent::on(&self.grant, event)])
    }
}

/// Confirms an account, or not.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecideAccount {
    /// Which.
    pub account: AccountKey,
    /// Whether payments go there from now on.
    pub approved: bool,
    /// The form that was looked at: the one that it was named with.
    pub document: Sha256Hex,
    /// The grant.
    pub grant: GrantId,
    /// How it was checked that the account is the coordinator's, or why it is refused.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Attached for DecideAccount {
    fn document(&self) -> &impl Written {
        &self.document
    }
}

impl Meets<needs::OtherPerson> for DecideAccount {
    fn check(&self, world: &World, meta: &Meta) -> Result<(), Refusal> {
        let Some(grant) = world.grants.get(&self.grant) else { return Ok(()) };
        let waiting = grant.accounts.waiting.as_ref();
        let named = waiting
            .filter(|named| named.account == self.account && named.document == self.document);
        named.map_or(Ok(()), |named| check_other_person(meta, &named.by, "named it"))
    }
}

impl Decide for DecideAccount {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        let grant = world.find(&world.grants, &self.grant)?;
        let (account, document) = (self.account.clone(), self.document);
        let is_this = |named: &&Named| named.account == account && named.document == document;
        let Some(named) = grant.accounts.waiting.as_ref().filter(is_this) else {
            return Err(Rejection::AccountNotWaiting { account, document }.into());
        };
        if meta.effective() < named.effective_at {
            let older = Rejection::BeforeNaming(named.effective_at);
            return Err(Refusal::from(older).at("/effective_at"));
        }
        let reason = self.reason.clone();
        let event = if self.approved {
            Event::AccountConfirmed { account, document, reason }
        } else {
            Event::AccountRefused { account, document, reason }
        };
        Ok(vec![NewEvent::on(&self.grant, event)])
    }
}

/// Whether a key is the number of an account, or has it between its separators: ISO 13616, with the check
/// digits of ISO 7064, MOD 97-10.
fn holds_iban(key: &str) -> bool {
    let parts: Vec<&str> = key.split(|it: char| !it.is_ascii_alphanumeric()).collect();
    let runs = (0..parts.len()).flat_map(|from| (from + 1..=parts.len()).map(move |to| from..to));
    runs.into_iter().any(|run| is_iban(&parts[run].concat().to_ascii_uppercase()))
}

fn is_iban(text: &str) -> bool {
    let number = text.strip_prefix("IBAN").unwrap_or(text).as_bytes();
    let begins = |byte: &[u8]| {
        byte[..2].iter().all(u8::is_ascii_alphabetic) && byte[2..4].iter().all(u8::is_ascii_digit)
    };
    if !IBAN_LENGTH.contains(&number.len()) || !begins(number) {
        return false;
    }
    let turned = number[4..].iter().chain(&number[..4]);
    let digits = turned.filter_map(|byte| char::from(*byte).to_digit(36));
    let rest =
        digits.fold(0, |rest, digit| (rest * if digit < 10 { 10 } else { 100 } + digit) % 97);
    rest == 1
}

#[cfg(test)]
mod tests {
    use crate::decide::grant::account::holds_iban;
    use crate::kernel::actor::Role;
    use crate::testing::Scenario;
    use crate::testing::grant::*;

    fn name(scenario: Scenario, account: &str) -> Scenario {
        scenario.by(Role::Applicant).when("grant.name_account", &naming(account))
    }

    fn decide(scenario: Scenario, account: &str, approved: bool) -> Scenario {
        scenario
            .by(Role::AccountingOfficer)
            .when("grant.decide_account", &deciding(account, approved))
    }

    #[test]
    fn one_person_names_an_account_and_another_confirms_it() {
        let scenario = decide(prepared(), "A1", true).refused("grant.account_not_waiting");
        let scenario = name(scenario, "A1").recorded(&["grant.AccountNamed"]);
        let scenario = name(scenario, "A2").refused("grant.account_waits");
        let scenario = decide(scenario, "A2", true).refused("grant.account_not_waiting");
        let same = scenario.by_person("applicant", Role::AccountingOfficer);
        let scenario =
            same.when("grant.decide_account", &deciding("A1", true)).refused("grant.same_person");
        let scenario = decide(scenario, "A1", true).recorded(&["grant.AccountConfirmed"]);
        let scenario = decide(scenario, "A1", true).refused("grant.account_not_waiting");
        let scenario = name(scenario, "A1").refused("grant.account_confirmed").at("/account");
        name(scenario, "a1").refused("grant.account_confirmed");
    }

    #[test]
    fn nobody_decides_before_the_account_is_named() {
        let scenario = name(prepared(), "A1").recorded(&["grant.AccountNamed"]);
        let early = scenario.by(Role::AccountingOfficer).effective_at("2020-01-01T00:00:00Z");
        let early = early.when("grant.decide_account", &deciding("A1", true));
        early.refused("grant.before_naming").at("/effective_at");
    }

    #[test]
    fn what_is_confirmed_is_the_form_that_was_looked_at() {
        let scenario = name(prepared(), "A1").recorded(&["grant.AccountNamed"]);
        let other = deciding("A1", true).replace(&"0".repeat(64), &"1".repeat(64));
        let scenario = scenario.by(Role::AccountingOfficer).when("grant.decide_account", &other);
        let scenario = scenario.refused("grant.account_not_waiting");
        decide(scenario, "A1", true).then(&["grant.AccountConfirmed"]);
    }

    #[test]
    fn a_refused_account_leaves_the_one_before() {
        let scenario = name(signed(), "A2").recorded(&["grant.AccountNamed"]);
        let scenario = decide(scenario, "A2", false).recorded(&["grant.AccountRefused"]);
        let id = "G".parse().unwrap();
        let (payee, confirmed) = the_grant(&scenario).accounts.payee(&id).unwrap();
        assert_eq!(
            (payee.account.as_str(), confirmed.by.id.as_str()),
            ("A1", "accounting_officer")
        );
        // It may be named again, with a better form.
        name(scenario, "A2").then(&["grant.AccountNamed"]);
    }

    #[test]
    fn a_grant_does_not_close_while_an_account_waits() {
        let waits = name(budgeted(), "A1").recorded(&["grant.AccountNamed"]);
        let ended = waits
            .by(Role::AuthorisingOfficer)
            .done("grant.terminate", r#"{"grant":"G","by":"authority","reason":"no match"}"#)
            .when("grant.close", GRANT)
            .refused("grant.account_waits");
        decide(ended, "A1", false)
            .recorded(&["grant.AccountRefused"])
            .by(Role::AuthorisingOfficer)
            .when("grant.close", GRANT)
            .then(&["grant.Closed", "fund.GrantDecommitted"]);
    }

    #[test]
    fn only_the_coordinator_or_an_officer_names_an_account() {
        let stranger = prepared().by_person("stranger", Role::Applicant);
        let scenario = stranger.when("grant.name_account", &naming("A1"));
        let scenario = scenario.refused("grant.not_applicant").by(Role::ProgrammeOfficer);
        scenario.when("grant.name_account", &naming("A1")).then(&["grant.AccountNamed"]);
    }

    #[test]
    fn the_number_of_an_account_is_not_its_key() {
        // The examples of the registry of ISO 13616 for Finland, Belgium and Malta.
        let numbers = [
            "FI2112345600000785",
            "BE68-5390-0754-7034",
            "IBAN.MT84MALT011000012345MTLCAST001S",
            "iban-FI2112345600000785",
            "BA-FI2112345600000785-EUR",
        ];
        for number in numbers {
            name(prepared(), number).refused("grant.account_number").at("/account");
        }
        name(prepared(), "FI21 1234 5600 0007 85").refused("command.malformed").at("/account");
        assert!(holds_iban("be68539007547034"));
        for key in ["FI2112345600000786", "BA-2024-000117", "A1", "", "FI21", "12345678901234567"] {
            assert!(!holds_iban(key), "{key}");
        }
    }
}
