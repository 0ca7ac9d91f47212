//! Decides who may move which money to a grant and back, and that four different people do it.

use crate::decide::fund;
use crate::decide::prelude::*;
use crate::decide::standing::Standing;
use crate::facts::grant::account::Payee;
use crate::facts::grant::report::{PeriodReport, ReportKind};
use crate::facts::grant::{self, Grant};
use crate::facts::payment::{Event, Order, Payment, PaymentKind, STEPS, Stage};
use crate::rulebook;

/// The longest end-to-end id, in characters (ISO 20022).
pub const END_TO_END_ID_MAX: usize = 35;

refusals! {
    Rejection of "payment"

    under FR, "Art. 115: every payment rests on proof" => {
        NotPositive(Money) = "a payment moves more than nothing; got {0}";
    }

    under FR, "Art. 73-77: segregation of duties" => {
        SamePerson(&'static str) = "this needs someone other than the person who {0}" as Forbidden;
    }

    under MGA, "Art. 30-32: suspension, termination" => {
        NotPayable { kind: PaymentKind, grant: StreamId, phase: &'static str }
            = "no {kind} while {grant} is {phase}";
    }

    under FR, "Art. 116: payments within the legal commitment" => {
        OtherFund { fund: FundId, grant: GrantId } = "{fund} has no legal commitment to {grant}";
    }

    under FR, "Art. 115: every payment rests on proof" => {
        NoBasis { kind: PaymentKind, needs: &'static str } = "a {kind} rests on {needs}";
    }

    under "Rules document of the call", "payments" => {
        NoPaymentRules = "the rules of the call say nothing about payments";
    }

    under "Rules document of the call", "payments.prefinancing_max" => {
        PreFinancingExceeded { asked: Money, left: Money }
            = "{asked} is more than the {left} left of the pre-financing";
    }

    under "Rules document of the call", "payments.before_balance_max" => {
        BeforeBalanceExceeded { asked: Money, left: Money }
            = "{asked} is more than the {left} that may be paid before the balance";
    }

    under MGA, "Art. 22: payments" => {
        AcceptedExceeded { asked: Money, left: Money }
            = "{asked} is more than the {left} accepted and not yet paid";
        BalanceExists(PaymentId) = "the balance is payment {0}";
    }

    under FR, "Art. 116: payments within the legal commitment" => {
        CommitmentExceeded { asked: Money, left: Money }
            = "{asked} is more than the {left} left of the legal commitment";
    }

    under MGA, "Art. 22: payments" => {
        RecoveryExceeded { asked: Money, left: Money }
            = "{asked} is more than the {left} that can be recovered";
    }

    under "Rules document of the call", "payments.insurance" => {
        InsuranceFirst(GrantId)
            = "the insurance has nothing of grant {0} yet: the payment that it keeps its part of \
               is first";
    }

    under MGA, "Art. 22: payments to the coordinator's account" => {
        OtherAccount { ordered: Payee, now: Payee }
            = "the order is for account {}, confirmed at position {}, and payments go to {}, \
               confirmed at position {}: reject it, and ask again" with [ordered.account, ordered.confirmed_at, now.account, now.confirmed_at];
        BeforeAccount(Timestamp) = "the account is confirmed since {0}; no order to it is older";
    }

    under "ISO 20022", "pain.001: EndToEndId names one payment" => {
        EndToEndId(String)
            = "an end-to-end id is 1 to 35 letters, digits or /-?:().,'+ and space; got {0:?}";
        EndToEndIdUsed { id: String, payment: PaymentId }
            = "end-to-end id {id} belongs to payment {payment}";
    }
}

impl Payment {
    /// What is to be paid.
    ///
    /// # Errors
    /// Never for a payment that exists: its first event holds the order.
    pub fn order(&self, id: &PaymentId) -> Result<&Order, Refusal> {
        let missing = || Common::NotFound(id.stream().to_string()).into();
        self.order.as_ref().ok_or_else(missing)
    }
}

/// Who does a step of a payment has done none of the steps before it.
fn other_person(world: &World, meta: &Meta, payment: &PaymentId) -> Result<(), Refusal> {
    let hands = world.payments.get(payment).into_iter().flat_map(|payment| &payment.hands);
    let mut mine = hands.zip(STEPS).filter(|(hand, _)| meta.actor.may_be(hand));
    mine.next().map_or(Ok(()), |(_, step)| Err(Rejection::SamePerson(step).into()))
}

/// Whether money may move in this phase of the grant.
fn check_payable(world: &World, kind: PaymentKind, grant: &GrantId) -> Result<(), Refusal> {
    use grant::Phase::{Active, Closed, Suspended, Terminated};
    let phases: &[grant::Phase] = match kind {
        PaymentKind::PreFinancing | PaymentKind::Interim => &[Active],
        // A balance that the bank returns after closure is paid again.
        PaymentKind::Balance => &[Active, Terminated, Closed],
        PaymentKind::Recovery => &[Active, Suspended, Terminated, Closed],
    };
    if world.grants.get(grant).is_some_and(|known| phases.contains(&known.phase())) {
        return Ok(());
    }
    let grant = grant.stream();
    let phase = world.phase(&grant);
    Err(Rejection::NotPayable { kind, grant, phase }.into())
}

/// Whether the order still goes where the payments of its grant go.
fn check_account(world: &World, order: &Order) -> Result<(), Refusal> {
    if order.kind == PaymentKind::Recovery {
        return Ok(());
    }
    let accounts = &world.find(&world.grants, &order.grant)?.accounts;
    let Some(ordered) = &order.payee else { return accounts.check_none_waits() };
    let (now, _) = accounts.payee(&order.grant)?;
    if *ordered == now {
        return Ok(());
    }
    Err(Rejection::OtherAccount { ordered: ordered.clone(), now }.into())
}

fn check_left(
    asked: Money,
    limit: Money,
    used: Money,
    say: fn(Money, Money) -> Rejection,
) -> Result<(), Refusal> {
    let left = limit.minus(used)?;
    if asked > left { Err(Refusal::from(say(asked, left)).at("/amount")) } else { Ok(()) }
}

/// The money that moves in a fund when the bank moves it; none when only insurance is released.
fn book(world: &World, id: &PaymentId, order: &Order, back: bool) -> Decision {
    if !order.amount.is_positive() {
        return Ok(Vec::new());
    }
    let booking = if back { fund::take_back } else { fund::pay };
    Ok(vec![booking(world, &order.fund, &order.grant, id, order.amount)?])
}

commands! {
    |it| it.payment, Stage;

    Initiate "payment.initiate" "Ask for a payment or a recovery"
        by [InitiatingAgent] in [new] under FR, "Art. 73-77: initiation";
    Verify "payment.verify" "Check a payment that someone else initiated"
        by [VerifyingAgent] in [Initiated] needs [OtherPerson] under FR, "Art. 73-77: verification";
    Authorise "payment.authorise" "Order a payment that was verified"
        by [AuthorisingOfficer] in [Verified] needs [OtherPerson]
        under FR, "Art. 74: the authorising officer";
    Execute "payment.execute" "Carry out a payment that was authorised"
        by [AccountingOfficer] in [Authorised] needs [OtherPerson]
        under FR, "Art. 77: the accounting officer";
    Reject "payment.reject" "Stop a payment before it is carried out"
        by [VerifyingAgent, AuthorisingOfficer] in [Initiated, Verified, Authorised]
        under FR, "Art. 73-77: verification";
    Return "payment.return" "Record that the bank undid a payment"
        by [AccountingOfficer] in [Executed] under "ISO 20022", "pacs.004: payment return";
}

/// Asks for a payment or a recovery.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Initiate {
    /// What is booked against the commitment.
    pub amount: Money,
    /// The clause that it rests on, when that is not a report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2000))]
    pub clause: Option<String>,
    /// Whose money.
    pub fund: FundId,
    /// To or from which grant.
    pub grant: GrantId,
    /// Which kind.
    pub kind: PaymentKind,
    /// The payment.
    pub payment: PaymentId,
    /// The assessed report that it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<ReportKey>,
}

impl Decide for Initiate {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        if let Some(clause) = &self.clause {
            check_text("clause", clause)?;
        }
        let grant = world.find(&world.grants, &self.grant)?;
        check_payable(world, self.kind, &self.grant)?;
        if !grant.commitments.contains_key(&self.fund) {
            let (fund, grant) = (self.fund.clone(), self.grant.clone());
            return Err(Refusal::from(Rejection::OtherFund { fund, grant }).at("/fund"));
        }
        let standing = Standing::of(world, &self.grant);
        self.check_amount(&standing)?;
        self.check_basis(grant)?;
        let net = match self.kind {
            PaymentKind::PreFinancing => self.check_prefinancing(grant, &standing)?,
            PaymentKind::Interim => self.check_interim(grant, &standing)?,
            PaymentKind::Balance => self.check_balance(grant, &standing)?,
            PaymentKind::Recovery => self.check_recovery(world, &standing)?,
        };
        if self.kind != PaymentKind::Recovery {
            let individual = world.find(&world.funds, &self.fund)?.individual(&self.grant)?;
            let used = individual.paid.plus(standing.in_flight(Some(&self.fund))?)?;
            check_left(self.amount, individual.legal, used, |asked, left| {
                Rejection::CommitmentExceeded { asked, left }
            })?;
        }
        let payee = match self.kind {
            PaymentKind::Recovery => None,
            _ => Some(self.payee(grant, meta)?),
        };
        let order = Order {
            amount: self.amount,
            clause: self.clause.clone(),
            fund: self.fund.clone(),
            grant: self.grant.clone(),
            kind: self.kind,
            net,
            payee,
            report: self.report.clone(),
        };
        Ok(vec![NewEvent::on(&self.payment, Event::Initiated(order))])
    }
}

impl Initiate {
    /// The account that is confirmed now, and was when the order is said to be true.
    fn payee(&self, grant: &Grant, meta: &Meta) -> Result<Payee, Refusal> {
        let (payee, confirmed) = grant.accounts.payee(&self.grant)?;
        if meta.effective() < confirmed.effective_at {
            let older = Rejection::BeforeAccount(confirmed.effective_at);
            return Err(Refusal::from(older).at("/effective_at"));
        }
        Ok(payee)
    }

    /// Nothing moves only when the balance is nil and the insurance has something to release.
    fn check_amount(&self, standing: &Standing<'_>) -> Result<(), Refusal> {
        self.amount.in_euro().map_err(|error| Refusal::from(error).at("/amount"))?;
        let releases = self.kind == PaymentKind::Balance && standing.withheld()?.is_positive();
        if self.amount.is_positive() || (releases && !self.amount.is_negative()) {
            return Ok(());
        }
        Err(Refusal::from(Rejection::NotPositive(self.amount)).at("/amount"))
    }

    fn check_basis(&self, grant: &Grant) -> Result<(), Refusal> {
        let no = |needs, field: &str| {
            Err(Refusal::from(Rejection::NoBasis { kind: self.kind, needs }).at(field))
        };
        let report = match &self.report {
            None => None,
            Some(key) => match grant.reports.get(key).filter(|report| report.accepted.is_some()) {
                None => return no("a report that has been assessed", "/report"),
                found => found,
            },
        };
        let clause = self.clause.as_ref().is_some_and(|clause| !clause.trim().is_empty());
        match (self.kind, report.map(|report| report.kind)) {
            (PaymentKind::PreFinancing, _) if !clause => {
                no("the clause of the agreement that provides for it", "/clause")
            }
            (PaymentKind::Interim, None) => no("a report that has been assessed", "/report"),
            (PaymentKind::Balance, None | Some(ReportKind::Periodic)) => {
                no("the final report, assessed", "/report")
            }
            (PaymentKind::Recovery, None) if !clause => no("a report or a clause", "/clause"),
            _ => Ok(()),
        }
    }

    /// What leaves the account: the insurance keeps what it has not got yet, of the first pre-financing.
    fn check_prefinancing(&self, grant: &Grant, standing: &Standing<'_>) -> Result<Money, Refusal> {
        let rules = payment_rules(grant)?;
        let (union, used) = (grant.union(), standing.of_kinds(&[PaymentKind::PreFinancing])?);
        check_left(self.amount, union.share(rules.prefinancing_max), used, |asked, left| {
            Rejection::PreFinancingExceeded { asked, left }
        })?;
        self.check_before_balance(&rules, union, standing)?;
        if standing.withheld()?.is_positive() {
            return Ok(self.amount);
        }
        let net = self.amount.minus(union.share(rules.insurance))?;
        if net.is_positive() { Ok(net) } else { Err(Rejection::NotPositive(net).into()) }
    }

    fn check_interim(&self, grant: &Grant, standing: &Standing<'_>) -> Result<Money, Refusal> {
        let report = self.report.as_ref().and_then(|key| grant.reports.get(key));
        let accepted = report.map_or(Money::ZERO, PeriodReport::accepted_union);
        let used = standing
            .sum(|_, order| order.kind == PaymentKind::Interim && order.report == self.report)?;
        check_left(self.amount, accepted, used, |asked, left| Rejection::AcceptedExceeded {
            asked,
            left,
        })?;
        self.check_before_balance(&payment_rules(grant)?, grant.union(), standing)?;
        Ok(self.amount)
    }

    fn check_before_balance(
        &self,
        rules: &rulebook::Payments,
        union: Money,
        standing: &Standing<'_>,
    ) -> Result<(), Refusal> {
        let used = standing.of_kinds(&[PaymentKind::PreFinancing, PaymentKind::Interim])?;
        check_left(self.amount, union.share(rules.before_balance_max), used, |asked, left| {
            Rejection::BeforeBalanceExceeded { asked, left }
        })
    }

    /// What leaves the account: the insurance releases what it kept.
    fn check_balance(&self, grant: &Grant, standing: &Standing<'_>) -> Result<Money, Refusal> {
        let mut live = standing.live.iter();
        if let Some((id, _, _)) = live.find(|(_, _, order)| order.kind == PaymentKind::Balance) {
            return Err(Rejection::BalanceExists((*id).clone()).into());
        }
        let used = standing.paid()?.plus(standing.in_flight(None)?)?;
        check_left(self.amount, grant.due(), used, |asked, left| Rejection::AcceptedExceeded {
            asked,
            left,
        })?;
        Ok(self.amount.plus(standing.withheld()?)?)
    }

    fn check_recovery(&self, world: &World, standing: &Standing<'_>) -> Result<Money, Refusal> {
        let paid = world.find(&world.funds, &self.fund)?.individual(&self.grant)?.paid;
        let used = standing.sum(|stage, order| {
            stage != Stage::Executed
                && order.kind == PaymentKind::Recovery
                && order.fund == self.fund
        })?;
        check_left(self.amount, paid, used, |asked, left| Rejection::RecoveryExceeded {
            asked,
            left,
        })?;
        Ok(self.amount)
    }
}

/// A pre-financing that was asked for while another was to feed the insurance waits for that one: if it
/// is stopped, the next that is asked for feeds the insurance.
fn check_insured(world: &World, order: &Order) -> Result<(), Refusal> {
    let grant = world.find(&world.grants, &order.grant)?;
    let insured = grant
        .terms()
        .payments
        .is_some_and(|rules| grant.union().share(rules.insurance).is_positive());
    if order.kind != PaymentKind::PreFinancing || !insured || order.net < order.amount {
        return Ok(());
    }
    let standing = Standing::of(world, &order.grant);
    let mut executed = standing.live.iter().filter(|(_, stage, _)| *stage == Stage::Executed);
    if executed.any(|(_, _, other)| other.net < other.amount) {
        return Ok(());
    }
    Err(Rejection::InsuranceFirst(order.grant.clone()).into())
}

fn payment_rules(grant: &Grant) -> Result<rulebook::Payments, Refusal> {
    grant.terms().payments.ok_or_else(|| Rejection::NoPaymentRules.into())
}

/// Checks a payment before it is authorised.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// The payment.
    pub payment: PaymentId,
}

impl Meets<needs::OtherPerson> for Verify {
    fn check(&self, world: &World, meta: &Meta) -> Result<(), Refusal> {
        other_person(world, meta, &self.payment)
    }
}

impl Decide for Verify {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let payment = world.find(&world.payments, &self.payment)?;
        check_account(world, payment.order(&self.payment)?)?;
        Ok(vec![NewEvent::on(&self.payment, Event::Verified {})])
    }
}

/// Orders the payment.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Authorise {
    /// The payment.
    pub payment: PaymentId,
}

impl Meets<needs::OtherPerson> for Authorise {
    fn check(&self, world: &World, meta: &Meta) -> Result<(), Refusal> {
        other_person(world, meta, &self.payment)
    }
}

impl Decide for Authorise {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let payment = world.find(&world.payments, &self.payment)?;
        let order = payment.order(&self.payment)?;
        check_payable(world, order.kind, &order.grant)?;
        check_account(world, order)?;
        Ok(vec![NewEvent::on(&self.payment, Event::Authorised {})])
    }
}

/// Carries the payment out.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Execute {
    /// When the bank booked it, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub booked_on: Option<Date>,
    /// Our name for it at the bank.
    #[schemars(length(min = 1, max = 35))]
    pub end_to_end_id: String,
    /// The payment.
    pub payment: PaymentId,
}

impl Meets<needs::OtherPerson> for Execute {
    fn check(&self, world: &World, meta: &Meta) -> Result<(), Refusal> {
        other_person(world, meta, &self.payment)
    }
}

impl Decide for Execute {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        check_end_to_end_id(world, &self.end_to_end_id)
            .map_err(|refusal| refusal.at("/end_to_end_id"))?;
        let payment = world.find(&world.payments, &self.payment)?;
        let order = payment.order(&self.payment)?;
        check_payable(world, order.kind, &order.grant)?;
        check_account(world, order)?;
        check_insured(world, order)?;
        let (booked_on, end_to_end_id) = (self.booked_on, self.end_to_end_id.clone());
        let executed = Event::Executed { booked_on, end_to_end_id };
        let mut events = vec![NewEvent::on(&self.payment, executed)];
        events.extend(book(world, &self.payment, order, order.kind == PaymentKind::Recovery)?);
        Ok(events)
    }
}

fn check_end_to_end_id(world: &World, id: &str) -> Result<(), Refusal> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"/-?:().,'+ ".contains(&byte);
    if id.trim().is_empty() || id.len() > END_TO_END_ID_MAX || !id.bytes().all(good) {
        let start = id.chars().take(END_TO_END_ID_MAX + 1).collect();
        return Err(Rejection::EndToEndId(start).into());
    }
    let mut payments = world.payments.iter();
    match payments.find(|(_, payment)| payment.end_to_end_id.as_deref() == Some(id)) {
        None => Ok(()),
        Some((payment, _)) => {
            let (id, payment) = (id.to_owned(), payment.clone());
            Err(Rejection::EndToEndIdUsed { id, payment }.into())
        }
    }
}

/// Stops a payment before it is carried out.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reject {
    /// The payment.
    pub payment: PaymentId,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Decide for Reject {
    fn decide(&self, _: &World, _: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        Ok(vec![NewEvent::on(&self.payment, Event::Rejected { reason: self.reason.clone() })])
    }
}

/// Records that the bank undid a payment.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Return {
    /// The payment.
    pub payment: PaymentId,
    /// Why, as the bank says.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Decide for Return {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        let order = world.find(&world.payments, &self.payment)?.order(&self.payment)?;
        let returned = Event::Returned { reason: self.reason.clone() };
        let mut events = vec![NewEvent::on(&self.payment, returned)];
        events.extend(book(world, &self.payment, order, order.kind != PaymentKind::Recovery)?);
        Ok(events)
    }
}

#[cfg(test)]
mod tests;
