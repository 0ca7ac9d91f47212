//! Decides who may move which money to a grant and back, and that four different people do it.

use crate::command::{
    Actor, Command, Decision, Declaration, Entry, Meta, NEW, Need, NewEvent, Role, check_text,
    entry,
};
use crate::fund;
use crate::grant::account::Payee;
use crate::grant::{Grant, Report, ReportKind};
use crate::ids::{FundId, GrantId, Key, PaymentId, StreamId, StreamKey};
use crate::money::Money;
use crate::rejection::{self, Reason, Refusal, Rule};
use crate::rules;
use crate::text::check_reason;
use crate::upcast::{self, Upcaster};
use crate::world::{At, Decider, World};
use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest end-to-end id, in characters (ISO 20022).
pub const END_TO_END_ID_MAX: usize = 35;

/// The four steps, each done by somebody else.
const STEPS: [&str; 4] = ["initiated it", "verified it", "authorised it", "carried it out"];

/// What happens to a payment. Stored for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr)]
#[serde(tag = "type", content = "data")]
#[strum(prefix = "payment.")]
#[expect(missing_docs, reason = "fields say by name and type what they are")]
pub enum Event {
    /// Someone asked for it to be paid; from here on the money is spoken for.
    #[serde(rename = "payment.Initiated")]
    Initiated(Order),
    /// A second person checked it.
    #[serde(rename = "payment.Verified")]
    Verified {},
    /// The authorising officer ordered it.
    #[serde(rename = "payment.Authorised")]
    Authorised {},
    /// The accounting officer carried it out.
    #[serde(rename = "payment.Executed")]
    Executed {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        booked_on: Option<Date>,
        end_to_end_id: String,
    },
    /// It was stopped before it was carried out.
    #[serde(rename = "payment.Rejected")]
    Rejected { reason: String },
    /// The bank undid it.
    #[serde(rename = "payment.Returned")]
    Returned { reason: String },
}

/// What is to be paid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// What is booked against the commitment.
    pub amount: Money,
    /// The clause that it rests on, when that is not a report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clause: Option<String>,
    /// Whose money.
    pub fund: FundId,
    /// To or from which grant.
    pub grant: GrantId,
    /// Which kind.
    pub kind: Kind,
    /// What moves at the bank: `amount` less what the mutual insurance withholds, plus what it
    /// releases with the balance.
    pub net: Money,
    /// The bank account that it goes to; none for money that comes back, and for orders from before accounts
    /// were confirmed in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payee: Option<Payee>,
    /// The assessed report that it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Key>,
}

/// Which kind of payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// Before anything is spent; an asset until it is cleared.
    PreFinancing,
    /// For the accepted costs of a period.
    Interim,
    /// What is left to pay at the end.
    Balance,
    /// Money that comes back.
    Recovery,
}

/// One payment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Payment {
    /// When the bank booked it, if known.
    pub booked_on: Option<Date>,
    /// Its name at the bank, once carried out.
    pub end_to_end_id: Option<String>,
    /// Who did the steps so far: initiated, verified, authorised, executed.
    pub hands: Vec<Actor>,
    /// What is to be paid.
    pub order: Option<Order>,
    /// When it was carried out.
    pub paid_at: Option<Timestamp>,
    /// The commits of those steps.
    pub places: Vec<u64>,
    /// Where it is.
    pub stage: Stage,
}

/// Where a payment is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Stage {
    /// Asked for.
    #[default]
    Initiated,
    /// Checked.
    Verified,
    /// Ordered.
    Authorised,
    /// Carried out.
    Executed,
    /// Stopped.
    Rejected,
    /// Undone by the bank.
    Returned,
}

/// Why a payment is not made.
#[derive(Clone, Debug, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "fields are the figures of the sentence")]
pub enum Rejection {
    /// Zero or less.
    #[error("a payment moves more than nothing; got {0}")]
    NotPositive(Money),
    /// One person, two of the four steps.
    #[error("another person must do this than the one who {0}")]
    SamePerson(&'static str),
    /// Not in this phase of the grant.
    #[error("no {kind} while {grant} is {phase}")]
    NotPayable { kind: Kind, grant: StreamId, phase: &'static str },
    /// The grant draws on other funds.
    #[error("{fund} has no legal commitment to {grant}")]
    OtherFund { fund: FundId, grant: GrantId },
    /// It rests on nothing.
    #[error("a {kind} rests on {needs}")]
    NoBasis { kind: Kind, needs: &'static str },
    /// The rules know no payments.
    #[error("the rules of the call say nothing about payments")]
    NoPaymentRules,
    /// More than the rules pay ahead.
    #[error("{asked} is more than the {left} left of the pre-financing")]
    PreFinancingExceeded { asked: Money, left: Money },
    /// More than the rules pay before the balance.
    #[error("{asked} is more than the {left} that may be paid before the balance")]
    BeforeBalanceExceeded { asked: Money, left: Money },
    /// More than was accepted.
    #[error("{asked} is more than the {left} accepted and not yet paid")]
    AcceptedExceeded { asked: Money, left: Money },
    /// A second balance.
    #[error("the balance is payment {0}")]
    BalanceExists(PaymentId),
    /// More than the legal commitment has left.
    #[error("{asked} is more than the {left} left of the legal commitment")]
    CommitmentExceeded { asked: Money, left: Money },
    /// More than was paid.
    #[error("{asked} is more than the {left} that can be recovered")]
    RecoveryExceeded { asked: Money, left: Money },
    /// The insurance would get nothing.
    #[error(
        "the insurance has nothing of grant {0} yet: the payment that it keeps its part of is first"
    )]
    InsuranceFirst(GrantId),
    /// The account changed under it.
    #[error(
        "the order is for account {}, confirmed at position {}, and payments go to {}, confirmed at \
         position {}: reject it, and ask again", ordered.account, ordered.confirmed_at, now.account, now.confirmed_at
    )]
    OtherAccount { ordered: Payee, now: Payee },
    /// Older than the account.
    #[error("the account is confirmed since {0}; no order to it is older")]
    BeforeAccount(Timestamp),
    /// Not a name that banks pass on.
    #[error("an end-to-end id is 1 to 35 letters, digits or /-?:().,'+ and space; got {0:?}")]
    EndToEndId(String),
    /// A name that is in use.
    #[error("end-to-end id {id} belongs to payment {payment}")]
    EndToEndIdUsed { id: String, payment: PaymentId },
}

impl Reason for Rejection {
    const CATEGORY: &'static str = PaymentId::CATEGORY;

    fn rule(&self) -> Rule {
        const FINANCIAL_REGULATION: &str = "Reg. (EU, Euratom) 2024/2509";
        const AGREEMENT: &str = "EU model grant agreement";
        const RULES: &str = "Rules document of the call";
        match self {
            Self::SamePerson(_) => {
                Rule::of(FINANCIAL_REGULATION, "Art. 73-77: segregation of duties")
            }
            Self::NotPositive(_) | Self::NoBasis { .. } => {
                Rule::of(FINANCIAL_REGULATION, "Art. 115: every payment rests on proof")
            }
            Self::OtherAccount { .. } | Self::BeforeAccount(_) => {
                Rule::of(AGREEMENT, "Art. 22: payments to the coordinator's account")
            }
            Self::NotPayable { .. } => Rule::of(AGREEMENT, "Art. 30-32: suspension, termination"),
            Self::OtherFund { .. } | Self::CommitmentExceeded { .. } => {
                Rule::of(FINANCIAL_REGULATION, "Art. 116: payments within the legal commitment")
            }
            Self::NoPaymentRules => Rule::of(RULES, "payments"),
            Self::PreFinancingExceeded { .. } => Rule::of(RULES, "payments.prefinancing_max"),
            Self::InsuranceFirst(_) => Rule::of(RULES, "payments.insurance"),
            Self::BeforeBalanceExceeded { .. } => Rule::of(RULES, "payments.before_balance_max"),
            Self::AcceptedExceeded { .. }
            | Self::BalanceExists(_)
            | Self::RecoveryExceeded { .. } => Rule::of(AGREEMENT, "Art. 22: payments"),
            Self::EndToEndId(_) | Self::EndToEndIdUsed { .. } => {
                Rule::of("ISO 20022", "pain.001: EndToEndId names one payment")
            }
        }
    }

    fn kind(&self) -> rejection::Kind {
        match self {
            Self::SamePerson(_) => rejection::Kind::Forbidden,
            _ => rejection::Kind::Rule,
        }
    }
}

impl Decider for Payment {
    type Id = PaymentId;
    type Event = Event;

    const UPCASTERS: &'static [Upcaster] = &[Upcaster {
        event: "payment.Initiated",
        from: 1,
        schema: include_str!("../schemas/payment/Initiated.v1.json"),
        // It names no account.
        up: upcast::same,
    }];

    fn phase(&self) -> &'static str {
        self.stage.into()
    }

    fn evolve(&mut self, event: &Event, at: &At<'_>) {
        match event {
            Event::Initiated(order) => {
                self.order = Some(order.clone());
                self.touched(at);
            }
            Event::Verified {} => {
                self.stage = Stage::Verified;
                self.touched(at);
            }
            Event::Authorised {} => {
                self.stage = Stage::Authorised;
                self.touched(at);
            }
            Event::Executed { booked_on, end_to_end_id } => {
                self.stage = Stage::Executed;
                self.touched(at);
                self.paid_at = Some(at.effective_at);
                self.booked_on = *booked_on;
                self.end_to_end_id = Some(end_to_end_id.clone());
            }
            Event::Rejected { .. } => self.stage = Stage::Rejected,
            Event::Returned { .. } => self.stage = Stage::Returned,
        }
    }
}
/// What has become of the money of one grant: its payments that were neither rejected nor returned.
#[derive(Clone, Debug)]
pub struct Standing<'a> {
    live: Vec<(&'a PaymentId, Stage, &'a Order)>,
}

impl<'a> Standing<'a> {
    /// Of a grant.
    #[must_use]
    pub fn of(world: &'a World, grant: &GrantId) -> Self {
        let live = world.payments.iter().filter_map(|(id, payment)| {
            let order = payment.order.as_ref().filter(|order| order.grant == *grant)?;
            let ended = matches!(payment.stage, Stage::Rejected | Stage::Returned);
            (!ended).then_some((id, payment.stage, order))
        });
        Self { live: live.collect() }
    }

    fn sum(&self, which: impl Fn(Stage, &Order) -> bool) -> Result<Money, Refusal> {
        let chosen = self.live.iter().filter(|(_, stage, order)| which(*stage, order));
        Ok(chosen.map(|(_, _, order)| order.amount).try_fold(Money::ZERO, Money::plus)?)
    }

    /// A payment that is under way.
    #[must_use]
    pub fn open(&self) -> Option<&'a PaymentId> {
        self.live.iter().find(|(_, stage, _)| *stage != Stage::Executed).map(|(id, _, _)| *id)
    }

    /// A payment that the bank was ordered to make, and that may have left.
    #[must_use]
    pub fn ordered(&self) -> Option<&'a PaymentId> {
        let ordered =
            |stage, order: &Order| stage == Stage::Authorised && order.kind != Kind::Recovery;
        self.live.iter().find(|(_, stage, order)| ordered(*stage, order)).map(|(id, _, _)| *id)
    }

    /// Paid and not recovered.
    ///
    /// # Errors
    /// When amounts do not add up.
    pub fn paid(&self) -> Result<Money, Refusal> {
        let executed = |stage, out: bool, order: &Order| {
            stage == Stage::Executed && (order.kind != Kind::Recovery) == out
        };
        let paid = self.sum(|stage, order| executed(stage, true, order))?;
        Ok(paid.minus(self.sum(|stage, order| executed(stage, false, order))?)?)
    }

    /// What the mutual insurance withholds and has not released.
    ///
    /// # Errors
    /// When amounts do not add up.
    pub fn withheld(&self) -> Result<Money, Refusal> {
        let mut withheld = Money::ZERO;
        for (_, _, order) in &self.live {
            withheld = withheld.plus(order.amount.minus(order.net)?)?;
        }
        Ok(withheld)
    }

    /// On its way out of a fund; out of any when none is named. Pessimistic: money that is asked for
    /// counts as gone until the payment is rejected.
    ///
    /// # Errors
    /// When amounts do not add up.
    pub fn in_flight(&self, fund: Option<&FundId>) -> Result<Money, Refusal> {
        self.sum(|stage, order| {
            stage != Stage::Executed
                && order.kind != Kind::Recovery
                && fund.is_none_or(|fund| order.fund == *fund)
        })
    }

    fn of_kinds(&self, kinds: &[Kind]) -> Result<Money, Refusal> {
        self.sum(|_, order| kinds.contains(&order.kind))
    }
}

impl Payment {
    fn touched(&mut self, at: &At<'_>) {
        self.hands.push(at.actor.clone());
        self.places.push(at.position);
    }

    /// The step that this person may have done, with its commit: one of the four, or that of the bank
    /// account that it goes to.
    #[must_use]
    pub fn step_of(&self, world: &World, actor: &Actor) -> Option<(&'static str, u64)> {
        let steps = STEPS.iter().zip(self.hands.iter().zip(&self.places));
        let mut mine = steps.filter(|(_, (hand, _))| actor.may_be(hand));
        let own = mine.next().map(|(step, (_, place))| (*step, *place));
        own.or_else(|| {
            let order = self.order.as_ref()?;
            world.grants.get(&order.grant)?.accounts.step_of(order.payee.as_ref()?, actor)
        })
    }

    /// What is to be paid.
    ///
    /// # Errors
    /// Never for a payment that exists: its first event holds the order.
    pub fn order(&self, id: &PaymentId) -> Result<&Order, Refusal> {
        let missing = || rejection::Common::NotFound(id.stream().to_string()).into();
        self.order.as_ref().ok_or_else(missing)
    }

    fn check_other_person(&self, meta: &Meta) -> Result<(), Refusal> {
        for (hand, step) in self.hands.iter().zip(STEPS) {
            if meta.actor.may_be(hand) {
                return Err(Rejection::SamePerson(step).into());
            }
        }
        Ok(())
    }
}

/// Whether money may move in this phase of the grant.
fn check_payable(world: &World, kind: Kind, grant: &GrantId) -> Result<(), Refusal> {
    let stream = grant.stream();
    let phase = world.phase(&stream);
    let phases: &[&str] = match kind {
        Kind::PreFinancing | Kind::Interim => &["active"],
        // A balance that the bank returns after closure is paid again.
        Kind::Balance => &["active", "terminated", "closed"],
        Kind::Recovery => &["active", "suspended", "terminated", "closed"],
    };
    if phases.contains(&phase) {
        Ok(())
    } else {
        Err(Rejection::NotPayable { kind, grant: stream, phase }.into())
    }
}

/// Whether the order still goes where the payments of its grant go.
fn check_account(world: &World, order: &Order) -> Result<(), Refusal> {
    if order.kind == Kind::Recovery {
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

/// The commands of a payment.
pub const COMMANDS: &[Entry] = &[
    entry::<Initiate>(),
    entry::<Verify>(),
    entry::<Authorise>(),
    entry::<Execute>(),
    entry::<Reject>(),
    entry::<Return>(),
];

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
    pub kind: Kind,
    /// The payment.
    pub payment: PaymentId,
    /// The assessed report that it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Key>,
}

impl Command for Initiate {
    const DECLARATION: Declaration = Declaration {
        name: "payment.initiate",
        summary: "Ask for a payment or a recovery",
        roles: &[Role::InitiatingAgent],
        from: &[NEW],
        needs: &[],
        rule: Rule::of("Reg. (EU, Euratom) 2024/2509", "Art. 73-77: initiation"),
    };

    fn subject(&self) -> StreamId {
        self.payment.stream()
    }

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
            Kind::PreFinancing => self.check_prefinancing(grant, &standing)?,
            Kind::Interim => self.check_interim(grant, &standing)?,
            Kind::Balance => self.check_balance(grant, &standing)?,
            Kind::Recovery => self.check_recovery(world, &standing)?,
        };
        if self.kind != Kind::Recovery {
            let individual = world.find(&world.funds, &self.fund)?.individual(&self.grant)?;
            let used = individual.paid.plus(standing.in_flight(Some(&self.fund))?)?;
            check_left(self.amount, individual.legal, used, |asked, left| {
                Rejection::CommitmentExceeded { asked, left }
            })?;
        }
        let payee = match self.kind {
            Kind::Recovery => None,
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
        let releases = self.kind == Kind::Balance && standing.withheld()?.is_positive();
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
            (Kind::PreFinancing, _) if !clause => {
                no("the clause of the agreement that provides for it", "/clause")
            }
            (Kind::Interim, None) => no("a report that has been assessed", "/report"),
            (Kind::Balance, None | Some(ReportKind::Periodic)) => {
                no("the final report, assessed", "/report")
            }
            (Kind::Recovery, None) if !clause => no("a report or a clause", "/clause"),
            _ => Ok(()),
        }
    }

    /// What leaves the account: the insurance keeps what it has not got yet, of the first pre-financing.
    fn check_prefinancing(&self, grant: &Grant, standing: &Standing<'_>) -> Result<Money, Refusal> {
        let rules = payment_rules(grant)?;
        let (union, used) = (grant.union(), standing.of_kinds(&[Kind::PreFinancing])?);
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
        let accepted = report.map_or(Money::ZERO, Report::accepted_union);
        let used =
            standing.sum(|_, order| order.kind == Kind::Interim && order.report == self.report)?;
        check_left(self.amount, accepted, used, |asked, left| Rejection::AcceptedExceeded {
            asked,
            left,
        })?;
        self.check_before_balance(&payment_rules(grant)?, grant.union(), standing)?;
        Ok(self.amount)
    }

    fn check_before_balance(
        &self,
        rules: &rules::Payments,
        union: Money,
        standing: &Standing<'_>,
    ) -> Result<(), Refusal> {
        let used = standing.of_kinds(&[Kind::PreFinancing, Kind::Interim])?;
        check_left(self.amount, union.share(rules.before_balance_max), used, |asked, left| {
            Rejection::BeforeBalanceExceeded { asked, left }
        })
    }

    /// What leaves the account: the insurance releases what it kept.
    fn check_balance(&self, grant: &Grant, standing: &Standing<'_>) -> Result<Money, Refusal> {
        let mut live = standing.live.iter();
        if let Some((id, _, _)) = live.find(|(_, _, order)| order.kind == Kind::Balance) {
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
            stage != Stage::Executed && order.kind == Kind::Recovery && order.fund == self.fund
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
    if order.kind != Kind::PreFinancing || !insured || order.net < order.amount {
        return Ok(());
    }
    let standing = Standing::of(world, &order.grant);
    let mut executed = standing.live.iter().filter(|(_, stage, _)| *stage == Stage::Executed);
    if executed.any(|(_, _, other)| other.net < other.amount) {
        return Ok(());
    }
    Err(Rejection::InsuranceFirst(order.grant.clone()).into())
}

fn payment_rules(grant: &Grant) -> Result<rules::Payments, Refusal> {
    grant.terms().payments.ok_or_else(|| Rejection::NoPaymentRules.into())
}

/// Checks a payment before it is authorised.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// The payment.
    pub payment: PaymentId,
}

impl Command for Verify {
    const DECLARATION: Declaration = Declaration {
        name: "payment.verify",
        summary: "Check a payment, as another person than its initiator",
        roles: &[Role::VerifyingAgent],
        from: &["initiated"],
        needs: &[Need::OtherPerson],
        rule: Rule::of("Reg. (EU, Euratom) 2024/2509", "Art. 73-77: verification"),
    };

    fn subject(&self) -> StreamId {
        self.payment.stream()
    }

    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        let payment = world.find(&world.payments, &self.payment)?;
        payment.check_other_person(meta)?;
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

impl Command for Authorise {
    const DECLARATION: Declaration = Declaration {
        name: "payment.authorise",
        summary: "Order a payment that was verified",
        roles: &[Role::AuthorisingOfficer],
        from: &["verified"],
        needs: &[Need::OtherPerson],
        rule: Rule::of("Reg. (EU, Euratom) 2024/2509", "Art. 74: the authorising officer"),
    };

    fn subject(&self) -> StreamId {
        self.payment.stream()
    }

    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        let payment = world.find(&world.payments, &self.payment)?;
        payment.check_other_person(meta)?;
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

impl Command for Execute {
    const DECLARATION: Declaration = Declaration {
        name: "payment.execute",
        summary: "Carry out a payment that was authorised",
        roles: &[Role::AccountingOfficer],
        from: &["authorised"],
        needs: &[Need::OtherPerson],
        rule: Rule::of("Reg. (EU, Euratom) 2024/2509", "Art. 77: the accounting officer"),
    };

    fn subject(&self) -> StreamId {
        self.payment.stream()
    }

    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        check_end_to_end_id(world, &self.end_to_end_id)
            .map_err(|refusal| refusal.at("/end_to_end_id"))?;
        let payment = world.find(&world.payments, &self.payment)?;
        payment.check_other_person(meta)?;
        let order = payment.order(&self.payment)?;
        check_payable(world, order.kind, &order.grant)?;
        check_account(world, order)?;
        check_insured(world, order)?;
        let (booked_on, end_to_end_id) = (self.booked_on, self.end_to_end_id.clone());
        let executed = Event::Executed { booked_on, end_to_end_id };
        let mut events = vec![NewEvent::on(&self.payment, executed)];
        events.extend(book(world, &self.payment, order, order.kind == Kind::Recovery)?);
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

impl Command for Reject {
    const DECLARATION: Declaration = Declaration {
        name: "payment.reject",
        summary: "Stop a payment before it is carried out",
        roles: &[Role::VerifyingAgent, Role::AuthorisingOfficer],
        from: &["initiated", "verified", "authorised"],
        needs: &[],
        rule: Rule::of("Reg. (EU, Euratom) 2024/2509", "Art. 73-77: verification"),
    };

    fn subject(&self) -> StreamId {
        self.payment.stream()
    }

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

impl Command for Return {
    const DECLARATION: Declaration = Declaration {
        name: "payment.return",
        summary: "Record that the bank undid a payment",
        roles: &[Role::AccountingOfficer],
        from: &["executed"],
        needs: &[],
        rule: Rule::of("ISO 20022", "pacs.004: payment return"),
    };

    fn subject(&self) -> StreamId {
        self.payment.stream()
    }

    fn decide(&self, world: &World, _: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        let order = world.find(&world.payments, &self.payment)?.order(&self.payment)?;
        let returned = Event::Returned { reason: self.reason.clone() };
        let mut events = vec![NewEvent::on(&self.payment, returned)];
        events.extend(book(world, &self.payment, order, order.kind != Kind::Recovery)?);
        Ok(events)
    }
}

#[cfg(test)]
mod tests;
