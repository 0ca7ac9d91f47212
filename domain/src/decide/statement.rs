//! Decides whether a bank statement proves its own cash, and which entry is which payment.

use crate::decide::prelude::*;
use crate::facts::payment::Stage;
use crate::facts::statement::{Booking, Event, Phase, Sheet, Statement};
use crate::{decide, facts};

/// The most entries of one statement: it must fit into one commit.
pub const ENTRIES_MAX: usize = 150;

/// The longest description of an entry, in characters (unstructured remittance, ISO 20022).
pub const DESCRIPTION_CHARS_MAX: usize = 140;

refusals! {
    Rejection of "statement"

    under OURS, "a statement proves its cash and follows the one before it (rules.md#cash)" => {
        Backwards { from: Date, to: Date } = "{to} lies before {from}";
        EntryTwice(EntryKey) = "two entries are called {0}";
        OutsidePeriod { entry: EntryKey, booked_on: Date }
            = "entry {entry} was booked on {booked_on}, outside the statement";
        ProofOfCash { opening: Money, sum: Money, closing: Money }
            = "opening balance {opening} plus entries of {sum} is not the closing balance \
               {closing}";
        FileTwice(StatementId) = "this file was already imported, as {0}";
        NumberGap { expected: u32, got: u32 } = "statement {expected} comes next, not {got}";
        BalanceGap { closing: Money, opening: Money }
            = "the last statement closed with {closing}, this one opens with {opening}";
    }

    under OURS, "one payment is one entry of the bank, to the cent (rules.md#one-entry)" => {
        NoEntry(EntryKey) = "there is no entry {0}";
        EntryMatched { entry: EntryKey, payment: PaymentId }
            = "entry {entry} is already matched to payment {payment}" as Conflict;
        PaymentMatched { payment: PaymentId, entry: EntryKey, statement: StatementId }
            = "payment {payment} is already matched to entry {entry} of {statement}" as Conflict;
        NotExecuted { payment: PaymentId, phase: &'static str }
            = "payment {payment} is {phase}, not executed";
        AmountDiffers { entry: Money, expected: Money }
            = "the entry is {entry}, but the payment is {expected}";
        NotMatched(EntryKey) = "entry {0} is not matched";
    }

    under FR, "Art. 73-77: segregation of duties" => {
        SamePerson = "this needs someone other than the person who made the match" as Forbidden;
    }
}

impl Sheet {
    /// The opening balance and the entries make the closing balance.
    fn check(&self) -> Result<(), Refusal> {
        check_list("entries", &self.entries, ENTRIES_MAX)?;
        let (from, to) = (self.from, self.to);
        if to < from {
            return Err(Refusal::from(Rejection::Backwards { from, to }).at("/to"));
        }
        let mut keys = BTreeSet::new();
        let mut sum = Money::new(self.opening.currency(), 0)?;
        for (index, booking) in self.entries.iter().enumerate() {
            let field = |name: &str| format!("/entries/{index}/{name}");
            booking.check_texts(&field)?;
            let entry = booking.entry.clone();
            if !keys.insert(&booking.entry) {
                return Err(Refusal::from(Rejection::EntryTwice(entry)).at(field("entry")));
            }
            let booked_on = booking.booked_on;
            if booked_on < from || booked_on > to {
                let rejection = Rejection::OutsidePeriod { entry, booked_on };
                return Err(Refusal::from(rejection).at(field("booked_on")));
            }
            sum = sum.plus(booking.amount)?;
        }
        if self.opening.plus(sum)? != self.closing {
            let (opening, closing) = (self.opening, self.closing);
            return Err(
                Refusal::from(Rejection::ProofOfCash { opening, sum, closing }).at("/closing")
            );
        }
        Ok(())
    }

    /// It follows the last statement of its account without a gap.
    fn check_follows(&self, last: &Self) -> Result<(), Refusal> {
        let new_year = self.number == 1 && self.from.year() > last.from.year();
        let expected = last.number.saturating_add(1);
        if self.number != expected && !new_year {
            let rejection = Rejection::NumberGap { expected, got: self.number };
            return Err(Refusal::from(rejection).at("/number"));
        }
        if self.from < last.to {
            let rejection = Rejection::Backwards { from: last.to, to: self.from };
            return Err(Refusal::from(rejection).at("/from"));
        }
        if self.opening != last.closing {
            let (closing, opening) = (last.closing, self.opening);
            return Err(Refusal::from(Rejection::BalanceGap { closing, opening }).at("/opening"));
        }
        Ok(())
    }
}

impl Booking {
    fn check_texts(&self, field: &impl Fn(&str) -> String) -> Result<(), Refusal> {
        let id = self.end_to_end_id.as_deref().unwrap_or_default();
        for (name, text, limit) in [
            ("description", self.description.as_str(), DESCRIPTION_CHARS_MAX),
            ("end_to_end_id", id, decide::payment::END_TO_END_ID_MAX),
        ] {
            if text.chars().count() > limit {
                let refusal = Refusal::from(Common::TooLong { field: name, limit });
                return Err(refusal.at(field(name)));
            }
        }
        Ok(())
    }
}

/// Every statement, with its sheet.
fn sheets(world: &World) -> impl Iterator<Item = (&StatementId, &Sheet)> {
    world.statements.iter().filter_map(|(id, statement)| Some((id, statement.sheet.as_ref()?)))
}

/// A payment goes out once and, when the bank returns it, comes back once: the entry tells which.
fn check_amount(world: &World, id: &PaymentId, entry: Money) -> Result<(), Refusal> {
    let payment = world.find(&world.payments, id)?;
    let order = payment.order(id)?;
    let nil = order.net.minus(order.net)?;
    let there = if order.kind == facts::payment::PaymentKind::Recovery {
        order.net
    } else {
        nil.minus(order.net)?
    };
    let back = nil.minus(there)?;
    match payment.stage {
        Stage::Executed if entry == there => Ok(()),
        Stage::Returned if entry == there || entry == back => Ok(()),
        Stage::Executed | Stage::Returned => {
            Err(Rejection::AmountDiffers { entry, expected: there }.into())
        }
        stage => Err(Rejection::NotExecuted { payment: id.clone(), phase: stage.into() }.into()),
    }
}

commands! {
    |it| it.statement, Phase;

    Import "statement.import" "Take in a bank statement that proves its cash"
        by [AccountingOfficer] in [new] needs [Document]
        under FR, "Art. 77: the accounting officer keeps the accounts";
    Match "statement.match" "Say which payment an entry of the bank is"
        by [AccountingOfficer, InitiatingAgent] in [Imported]
        under OURS, "one payment is one entry of the bank, to the cent (rules.md#one-entry)";
    Unmatch "statement.unmatch" "Undo a match that someone else made"
        by [AccountingOfficer, InitiatingAgent] in [Imported, Reconciled] needs [OtherPerson]
        under OURS, "one payment is one entry of the bank, to the cent (rules.md#one-entry)";
}

/// Takes a bank statement in.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// What it says.
    pub sheet: Sheet,
    /// The statement.
    pub statement: StatementId,
}

impl Attached for Import {
    fn document(&self) -> &impl Written {
        &self.sheet.document
    }
}

impl Decide for Import {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let sheet = &self.sheet;
        if let Some((twin, _)) = sheets(world).find(|(_, other)| other.document == sheet.document) {
            return Err(Refusal::from(Rejection::FileTwice(twin.clone())).at("/document"));
        }
        sheet.check()?;
        let account = sheets(world).filter(|(_, other)| other.account == sheet.account);
        let last = account.max_by_key(|(_, other)| (other.to, other.from, other.number));
        if let Some((_, last)) = last {
            sheet.check_follows(last)?;
        }
        Ok(vec![NewEvent::on(&self.statement, Event::Imported(Box::new(sheet.clone())))])
    }
}

/// Says which payment an entry is.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Which entry.
    pub entry: EntryKey,
    /// Which payment.
    pub payment: PaymentId,
    /// The statement.
    pub statement: StatementId,
}

impl Decide for Match {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let statement = world.find(&world.statements, &self.statement)?;
        let booking = statement.booking(&self.entry).map_err(|refusal| refusal.at("/entry"))?;
        if let Some((payment, _)) = statement.matches.get(&self.entry) {
            let (entry, payment) = (self.entry.clone(), payment.clone());
            return Err(Rejection::EntryMatched { entry, payment }.into());
        }
        check_amount(world, &self.payment, booking.amount)
            .map_err(|refusal| refusal.at("/payment"))?;
        check_unmatched(world, &self.payment, booking.amount)?;
        let (entry, payment) = (self.entry.clone(), self.payment.clone());
        Ok(vec![NewEvent::on(&self.statement, Event::Matched { entry, payment })])
    }
}

impl Statement {
    fn booking(&self, entry: &EntryKey) -> Result<&Booking, Refusal> {
        let mut entries = self.sheet.iter().flat_map(|sheet| &sheet.entries);
        let found = entries.find(|booking| booking.entry == *entry);
        found.ok_or_else(|| Rejection::NoEntry(entry.clone()).into())
    }
}

/// A payment is one entry in each direction, on whatever statement.
fn check_unmatched(world: &World, payment: &PaymentId, amount: Money) -> Result<(), Refusal> {
    for (id, statement) in &world.statements {
        for (entry, (matched, _)) in &statement.matches {
            if matched == payment && statement.booking(entry)?.amount == amount {
                return Err(Rejection::PaymentMatched {
                    payment: payment.clone(),
                    entry: entry.clone(),
                    statement: id.clone(),
                }
                .into());
            }
        }
    }
    Ok(())
}

/// Undoes a match.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unmatch {
    /// Which entry.
    pub entry: EntryKey,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
    /// The statement.
    pub statement: StatementId,
}

impl Meets<needs::OtherPerson> for Unmatch {
    fn check(&self, world: &World, meta: &Meta) -> Result<(), Refusal> {
        let statement = world.statements.get(&self.statement);
        match statement.and_then(|statement| statement.matches.get(&self.entry)) {
            Some((_, by)) if meta.actor.may_be(by) => Err(Rejection::SamePerson.into()),
            _ => Ok(()),
        }
    }
}

impl Decide for Unmatch {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        let statement = world.find(&world.statements, &self.statement)?;
        statement.booking(&self.entry).map_err(|refusal| refusal.at("/entry"))?;
        let Some((payment, _)) = statement.matches.get(&self.entry) else {
            return Err(Rejection::NotMatched(self.entry.clone()).into());
        };
        let (entry, payment, reason) = (self.entry.clone(), payment.clone(), self.reason.clone());
        Ok(vec![NewEvent::on(&self.statement, Event::Unmatched { entry, payment, reason })])
    }
}

#[cfg(test)]
mod tests {
    use crate::kernel::actor::Role;
    use crate::testing::grant::*;
    use crate::testing::{Scenario, given};

    /// One entry, numbered, with a hash of its own.
    fn sheet(number: u32, opening: u32, amount: i32, closing: u32) -> String {
        format!(
            r#"{{"statement":"S{number}","sheet":{{"account":"main","number":{number},"from":"2025-03-{number:02}","to":"2025-03-{number:02}",
            "opening":"EUR {opening}","closing":"EUR {closing}","document":"{number:064}","entries":[
            {{"entry":"e1","amount":"EUR {amount}","booked_on":"2025-03-{number:02}","description":"d"}}]}}}}"#
        )
    }

    fn import(scenario: Scenario, sheet: &str) -> Scenario {
        scenario.by(Role::AccountingOfficer).when("statement.import", sheet)
    }

    #[test]
    fn a_statement_proves_its_cash() {
        let wrong = import(given(), &sheet(1, 1000, -650, 351));
        let right = import(
            wrong.refused("statement.proof_of_cash").at("/closing"),
            &sheet(1, 1000, -650, 350),
        );
        right.then(&["statement.Imported"]);
    }

    #[test]
    fn statements_follow_each_other_without_a_gap() {
        let scenario = import(given(), &sheet(1, 1000, -650, 350));
        let scenario = import(scenario, &sheet(3, 350, -50, 300));
        let scenario = scenario.refused("statement.number_gap").at("/number");
        let scenario = import(scenario, &sheet(2, 351, -51, 300));
        let scenario = scenario.refused("statement.balance_gap").at("/opening");
        let twice = sheet(2, 350, -50, 300).replace(&format!("{:064}", 2), &format!("{:064}", 1));
        let scenario = import(scenario, &twice).refused("statement.file_twice");
        let earlier = sheet(2, 350, -50, 300).replace("2025-03-02", "2025-02-02");
        let scenario = import(scenario, &earlier).refused("statement.backwards").at("/from");
        let scenario = import(scenario, &sheet(2, 350, -50, 300)).recorded(&["statement.Imported"]);
        // Banks begin to count anew with the year.
        let new_year = sheet(1, 300, -50, 250)
            .replace("S1", "T1")
            .replace("2025-03", "2026-01")
            .replace(&format!("{:064}", 1), &format!("{:064}", 9));
        import(scenario, &new_year).then(&["statement.Imported"]);
    }

    #[test]
    fn an_entry_has_a_key_of_its_own_and_lies_within_the_statement() {
        let late = sheet(1, 1000, -650, 350)
            .replace(r#""booked_on":"2025-03-01""#, r#""booked_on":"2025-03-02""#);
        let scenario = import(given(), &late).refused("statement.outside_period");
        let entry =
            r#"{"entry":"e1","amount":"EUR 0","booked_on":"2025-03-01","description":"d"},"#;
        let twice =
            sheet(1, 1000, -650, 350).replace(r#""entries":["#, &format!(r#""entries":[{entry}"#));
        import(scenario.at("/entries/0/booked_on"), &twice).refused("statement.entry_twice");
        let long = sheet(1, 1000, -650, 350).replace("\"d\"", &format!("\"{}\"", "d".repeat(141)));
        import(given(), &long).refused("command.too_long").at("/entries/0/description");
    }

    const MATCH: &str = r#"{"statement":"S1","entry":"e1","payment":"PF"}"#;

    /// A pre-financing of 700, of which the insurance keeps 50.
    fn pre_financed() -> Scenario {
        paid(initiated(signed(), "PF", "pre_financing", 700, r#""clause":"Art. 22.2""#), "PF")
    }

    #[test]
    fn an_entry_is_a_payment_to_the_cent_and_only_once() {
        let scenario = import(pre_financed(), &sheet(1, 1000, -700, 300));
        scenario.when("statement.match", MATCH).refused("statement.amount_differs");
        let scenario = import(pre_financed(), &sheet(1, 1000, -650, 350));
        let scenario = scenario
            .when("statement.match", &MATCH.replace("e1", "e2"))
            .refused("statement.no_entry")
            .when("statement.match", MATCH)
            .recorded(&["statement.Matched"]);
        assert_eq!(scenario.world.phase(&"statement-S1".parse().unwrap()), "reconciled");
        let scenario =
            import(scenario, &sheet(2, 1350, -650, 700)).refused("statement.balance_gap");
        let scenario = import(scenario, &sheet(2, 350, -650, 0));
        let scenario = scenario.refused("statement.proof_of_cash");
        let again = sheet(2, 350, -650, 0).replace(r#""EUR 0""#, r#""EUR -300""#);
        import(scenario, &again)
            .when("statement.match", &MATCH.replace("S1", "S2"))
            .refused("statement.payment_matched");
    }

    #[test]
    fn an_entry_has_one_payment() {
        let entries =
            r#"{"entry":"e0","amount":"EUR 0","booked_on":"2025-03-01","description":"d"},"#;
        let sheet = sheet(1, 1000, -650, 350)
            .replace(r#""entries":["#, &format!(r#""entries":[{entries}"#));
        import(pre_financed(), &sheet)
            .done("statement.match", MATCH)
            .when("statement.match", MATCH)
            .refused("statement.entry_matched");
    }

    #[test]
    fn a_payment_that_has_not_left_matches_nothing() {
        let asked = initiated(signed(), "PF", "pre_financing", 700, r#""clause":"Art. 22.2""#);
        let scenario = import(asked, &sheet(1, 1000, -650, 350));
        scenario.when("statement.match", MATCH).refused("statement.not_executed").at("/payment");
    }

    #[test]
    fn a_returned_payment_is_an_entry_out_and_an_entry_in() {
        let returned =
            pre_financed().done("payment.return", r#"{"payment":"PF","reason":"account closed"}"#);
        let scenario = import(returned, &sheet(1, 1000, -650, 350)).done("statement.match", MATCH);
        import(scenario, &sheet(2, 350, 650, 1000))
            .when("statement.match", &MATCH.replace("S1", "S2"))
            .then(&["statement.Matched"]);
    }

    #[test]
    fn another_person_undoes_a_match() {
        let unmatch = r#"{"statement":"S1","entry":"e1","reason":"wrong grant"}"#;
        import(pre_financed(), &sheet(1, 1000, -650, 350))
            .when("statement.unmatch", unmatch)
            .refused("statement.not_matched")
            .done("statement.match", MATCH)
            .when("statement.unmatch", unmatch)
            .refused("statement.same_person")
            .by(Role::InitiatingAgent)
            .when("statement.unmatch", unmatch)
            .then(&["statement.Unmatched"]);
    }
}
