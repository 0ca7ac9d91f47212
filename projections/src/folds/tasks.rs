//! What waits for somebody. Events open and
//! close tasks; who may do one is what its command declares.

use crate::fold::{Fold, LARGE, confidence};
use domain::facts::commit::Recorded;
use domain::facts::{allocation, call, evaluation, payment, pledge, process, proposal, timer};
use domain::kernel::actor::{Confidence, Role};
use domain::kernel::ids::{ActorId, CallId, GrantId, ProposalId, ReportKey, StreamId, StreamKey};
use domain::kernel::money::Money;
use domain::rulebook::{Deadlines, Payments};
use domain::{Commit, Event, facts};
use imbl::{OrdMap, OrdSet};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

const NAME_ACCOUNT: &str = "grant.name_account";

/// The open tasks, and what is needed to say by when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tasks {
    /// By stream, oldest first; a stream has few.
    open: OrdMap<StreamId, Arc<Vec<Task>>>,
    /// Pledges that never count as co-funding.
    apart: OrdSet<StreamId>,
    /// Who asked for an allocation: the final report is theirs.
    applicants: OrdMap<StreamId, ActorId>,
    /// Days from a cut-off to the result.
    inform_days: OrdMap<CallId, u32>,
    grants: OrdMap<GrantId, Arc<Terms>>,
    /// The orders of payments that are under way.
    orders: OrdMap<StreamId, Arc<payment::Order>>,
    /// The streams that rest on something weaker than what was published.
    unsure: OrdMap<StreamId, Confidence>,
}

/// Something that somebody has to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Task {
    /// The command that does it.
    pub command: Cow<'static, str>,
    pub stream: StreamId,
    /// Who, when it is one person's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<ActorId>,
    /// Since when.
    pub since: Timestamp,
    /// By when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Due>,
    /// About what.
    pub about: String,
    /// How much, for what is done in steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// The least sure of what led to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
}

/// An event, and how sure all is that led to it.
struct Told<'a> {
    event: &'a Recorded,
    sure: Option<Confidence>,
}

impl Deref for Told<'_> {
    type Target = Recorded;

    fn deref(&self) -> &Recorded {
        self.event
    }
}

impl Task {
    fn is(&self, command: &str, about: &str) -> bool {
        self.command == command && self.about == about
    }
}

/// An instant, or the end of a day.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Due {
    At(Timestamp),
    On(Date),
}

impl Due {
    /// The last instant that is in time. A day ends at midnight UTC: a view has no zone.
    pub fn instant(self) -> Timestamp {
        match self {
            Self::At(instant) => instant,
            Self::On(date) => {
                let next = date.tomorrow().and_then(|next| next.to_zoned(TimeZone::UTC));
                next.map_or(Timestamp::MAX, |next| next.timestamp())
            }
        }
    }

    fn days_after(instant: Timestamp, days: u32) -> Option<Self> {
        let date = instant.to_zoned(TimeZone::UTC).date();
        Self::days_after_date(date, days)
    }

    fn days_after_date(date: Date, days: u32) -> Option<Self> {
        date.checked_add(i64::from(days).days()).ok().map(Self::On)
    }
}

/// What a grant says about time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Terms {
    account: AccountTask,
    applicant: Option<ActorId>,
    deadlines: Option<Deadlines>,
    payments: Option<Payments>,
    /// When each report came in.
    reports: OrdMap<ReportKey, Timestamp>,
    signed: Option<Timestamp>,
}

/// The account that an order goes to.
fn payee(order: &payment::Order) -> &str {
    order.payee.as_ref().map_or("", |payee| payee.account.as_str())
}

/// What is known of the bank account of a grant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct AccountTask {
    waits: bool,
    is_confirmed: bool,
}

/// The roles that may do a task, from the declaration of its command.
pub(crate) fn roles(command: &str) -> Vec<Role> {
    let entry = domain::catalogue::entry(command);
    let roles = entry.map_or(&[][..], |entry| entry.declaration.roles);
    roles.iter().copied().filter(|role| *role != Role::System).collect()
}

impl Fold for Tasks {
    const EVERY: u64 = LARGE;

    fn apply(&mut self, commit: &Commit, event: &Recorded) {
        let mut sure = confidence(commit);
        // A grant rests on its proposal, although it has a stream of its own.
        if let Event::Grant(facts::grant::Event::Prepared(origin)) = &event.event {
            sure = sure.max(self.unsure.get(&origin.proposal.stream()).copied());
        }
        let event = &Told { event, sure: self.unsure(&event.stream, sure) };
        match &event.event.event {
            Event::Call(inner) => self.call(event, inner),
            Event::Proposal(inner) => self.proposal(event, inner),
            Event::Evaluation(inner) => self.evaluation(event, inner),
            Event::Grant(inner) => self.grant(event, inner),
            Event::Payment(inner) => self.payment(event, inner),
            Event::Pledge(inner) => self.pledge(event, inner),
            Event::Allocation(inner) => self.allocation(event, inner),
            Event::Timer(inner) => self.timer(event, inner),
            Event::Process(inner) => self.process(event, inner),
            _ => {}
        }
    }
}

impl Tasks {
    /// How sure all is that led a stream to where it is, the engine's own steps included.
    fn unsure(&mut self, stream: &StreamId, sure: Option<Confidence>) -> Option<Confidence> {
        let before = self.unsure.get(stream).copied();
        if let Some(weaker) = sure.filter(|it| *it > before.unwrap_or(Confidence::Published)) {
            self.unsure.insert(stream.clone(), weaker);
        }
        sure.max(before)
    }

    /// Every open task.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Task> {
        self.open.values().flat_map(|tasks| tasks.iter())
    }

    /// Opens a task; one that waits already stays.
    fn open(&mut self, event: &Told<'_>, command: &'static str, about: &str) -> &mut Task {
        let tasks = Arc::make_mut(self.open.entry(event.stream.clone()).or_default());
        let found = tasks.iter().position(|task| task.is(command, about));
        let index = found.unwrap_or_else(|| {
            tasks.push(Task {
                command: command.into(),
                stream: event.stream.clone(),
                person: None,
                since: event.effective_at,
                due: None,
                about: about.to_owned(),
                amount: None,
                confidence: event.sure,
            });
            tasks.len() - 1
        });
        &mut tasks[index]
    }

    fn close(&mut self, event: &Told<'_>, command: &str, about: &str) -> Option<Task> {
        let tasks = self.open.get_mut(&event.stream)?;
        let index = tasks.iter().position(|task| task.is(command, about))?;
        let task = Arc::make_mut(tasks).remove(index);
        if tasks.is_empty() {
            self.open.remove(&event.stream);
        }
        Some(task)
    }

    /// Closes every task of the stream.
    fn close_all(&mut self, event: &Told<'_>) {
        self.open.remove(&event.stream);
    }

    /// Closes the tasks of a command whose subject begins so.
    fn close_some(&mut self, event: &Told<'_>, command: &str, beginning: &str) {
        let Some(tasks) = self.open.get_mut(&event.stream) else { return };
        let other = |task: &Task| task.command != command || !task.about.starts_with(beginning);
        if !tasks.iter().all(other) {
            Arc::make_mut(tasks).retain(other);
        }
        if tasks.is_empty() {
            self.open.remove(&event.stream);
        }
    }

    fn call(&mut self, event: &Told<'_>, inner: &call::Event) {
        use call::Event as E;
        let Some(id) = CallId::of_stream(&event.stream) else { return };
        match inner {
            E::Opened { rules, .. } => {
                self.inform_days.insert(id, rules.deadlines.inform_days);
            }
            E::CutOffClosed { at, cut_off, .. } => {
                let days = self.inform_days.get(&id).copied();
                let closed = at.instant().ok();
                let due = closed.zip(days).and_then(|(at, days)| Due::days_after(at, days));
                self.open(event, "call.award_round", cut_off.as_str()).due = due;
            }
            E::RoundAwarded { cut_off, .. } => {
                self.close(event, "call.award_round", cut_off.as_str());
            }
            E::ReexaminationDue { cut_off, .. } => {
                self.open(event, "call.reexamine", cut_off.as_str());
            }
            E::Reexamined { cut_off, .. } => {
                self.close(event, "call.reexamine", cut_off.as_str());
            }
            E::CutOffAdded { .. }
            | E::CutOffMoved { .. }
            | E::CutOffCancelled { .. }
            | E::AdmittedAfterClosing { .. }
            | E::BudgetRaised { .. }
            | E::ReserveActivated { .. }
            | E::Exhausted { .. }
            | E::Closed { .. } => {}
        }
    }

    fn proposal(&mut self, event: &Told<'_>, inner: &proposal::Event) {
        use proposal::Event as E;
        match inner {
            E::Admitted { .. } => {
                self.open(event, "proposal.check_admissibility", "");
            }
            E::Admissible { .. } => {
                self.close_all(event);
                self.open(event, "proposal.check_eligibility", "");
            }
            E::Inadmissible { .. }
            | E::Eligible { .. }
            | E::Ineligible { .. }
            | E::Withdrawn { .. }
            | E::Awarded { .. }
            | E::Reserved { .. }
            | E::Rejected { .. } => self.close_all(event),
            E::Drafted { .. } | E::Revised { .. } | E::Submitted(_) => {}
        }
    }

    fn evaluation(&mut self, event: &Told<'_>, inner: &evaluation::Event) {
        use evaluation::Event as E;
        const REPORT: &str = "evaluation.submit_report";
        const CONSENSUS: &str = "evaluation.submit_consensus";
        const RANK: &str = "evaluation.rank";
        let of = |proposal: &ProposalId, expert: &ActorId| format!("{proposal} by {expert}");
        match inner {
            E::Opened { .. } | E::Reopened { .. } => {
                self.open(event, RANK, "");
            }
            E::ExpertAppointed { expert, proposals } => {
                for proposal in proposals {
                    let task = self.open(event, REPORT, &of(proposal, expert));
                    task.person = Some(expert.clone());
                    self.open(event, CONSENSUS, proposal.as_str());
                }
            }
            E::ConflictDeclared { expert, proposal, void_consensus, void_ranking, .. } => {
                self.close(event, REPORT, &of(proposal, expert));
                if *void_consensus {
                    self.open(event, CONSENSUS, proposal.as_str());
                }
                if *void_ranking {
                    self.open(event, RANK, "");
                }
            }
            E::ReportSubmitted { expert, proposal, .. } => {
                self.close(event, REPORT, &of(proposal, expert));
            }
            // Whose report is missing when the experts have agreed, need not write it any more.
            E::ConsensusReached { proposal, .. } => {
                self.close(event, CONSENSUS, proposal.as_str());
                self.close_some(event, REPORT, &format!("{proposal} by "));
            }
            E::Ranked { .. } => self.close_all(event),
        }
    }

    fn grant(&mut self, event: &Told<'_>, inner: &facts::grant::Event) {
        use facts::grant::Event as E;
        let Some(id) = GrantId::of_stream(&event.stream) else { return };
        match inner {
            E::Prepared(origin) => self.prepared(event, &id, origin),
            E::HostingAgreed { .. } => self.close_some(event, "grant.accept", ""),
            E::Accepted {} => {
                let accepted = self.close(event, "grant.accept", "");
                self.open(event, "grant.sign", "").due = accepted.and_then(|task| task.due);
            }
            E::Signed(agreement) => {
                self.close_some(event, "grant.accept", "");
                self.close_some(event, "grant.sign", "");
                self.terms(&id).signed = Some(event.effective_at);
                self.final_report(event, &id, agreement.ends);
                self.ask_for_account(event, &id);
            }
            E::ContractSigned(_) => self.ask_for_account(event, &id),
            E::AmendmentRequested { amendment, .. } => {
                self.open(event, "grant.decide_amendment", amendment.as_str());
            }
            E::Amended { amendment, ends, .. } => {
                self.close(event, "grant.decide_amendment", amendment.as_str());
                self.final_report(event, &id, *ends);
            }
            E::AmendmentRefused { amendment, .. } => {
                self.close(event, "grant.decide_amendment", amendment.as_str());
            }
            E::AccountNamed { account, .. } => {
                self.terms(&id).account.waits = true;
                self.close(event, NAME_ACCOUNT, "");
                self.open(event, "grant.decide_account", account.as_str());
            }
            E::AccountConfirmed { account, .. } => {
                self.terms(&id).account = AccountTask { waits: false, is_confirmed: true };
                self.close(event, "grant.decide_account", account.as_str());
                self.reject_orders(&id);
            }
            E::AccountRefused { account, .. } => {
                self.terms(&id).account.waits = false;
                self.close(event, "grant.decide_account", account.as_str());
                self.ask_for_account(event, &id);
            }
            E::ReportSubmitted { kind, report, .. } => {
                self.terms(&id).reports.insert(report.clone(), event.effective_at);
                self.open(event, "grant.assess_report", report.as_str());
                if *kind == facts::grant::report::ReportKind::Final {
                    self.close_some(event, "grant.submit_report", "");
                }
            }
            E::ReportAssessed { report, .. } => {
                self.close(event, "grant.assess_report", report.as_str());
            }
            E::Closed {} => self.close_all(event),
            E::Terminated { .. } => {
                self.close_some(event, "grant.accept", "");
                self.close_some(event, "grant.sign", "");
                self.close_some(event, "grant.decide_amendment", "");
            }
            E::BudgetSet(_)
            | E::ProcurementStarted { .. }
            | E::Suspended { .. }
            | E::Resumed { .. } => {}
        }
    }

    fn terms(&mut self, id: &GrantId) -> &mut Terms {
        Arc::make_mut(self.grants.entry(id.clone()).or_default())
    }

    fn prepared(&mut self, event: &Told<'_>, id: &GrantId, origin: &facts::grant::Origin) {
        let terms = self.terms(id);
        terms.applicant.clone_from(&origin.applicant);
        terms.deadlines.clone_from(&origin.rules.deadlines);
        terms.payments.clone_from(&origin.rules.payments);
        let days = terms.deadlines.as_ref().map(|deadlines| deadlines.sign_days);
        let task = self.open(event, "grant.accept", "");
        task.due = days.and_then(|days| Due::days_after(event.effective_at, days));
        task.person.clone_from(&origin.applicant);
    }

    /// Money is promised: without an account nothing can be paid.
    fn ask_for_account(&mut self, event: &Told<'_>, id: &GrantId) {
        let terms = self.terms(id);
        if !terms.account.waits && !terms.account.is_confirmed {
            let person = terms.applicant.clone();
            self.open(event, NAME_ACCOUNT, "").person = person;
        }
    }

    fn final_report(&mut self, event: &Told<'_>, id: &GrantId, ends: Date) {
        let terms = self.terms(id);
        let person = terms.applicant.clone();
        let days = terms.deadlines.as_ref().map(|deadlines| deadlines.report_days);
        let task = self.open(event, "grant.submit_report", "final");
        task.due = days.and_then(|days| Due::days_after_date(ends, days));
        task.person = person;
    }

    fn payment(&mut self, event: &Told<'_>, inner: &payment::Event) {
        use payment::Event as E;
        let step = |tasks: &mut Self, from: &str, to: &'static str| {
            let order = tasks.orders.get(&event.stream).cloned();
            let about = order.as_ref().map_or("", |order| payee(order));
            let before = tasks.close(event, from, about);
            let task = tasks.open(event, to, about);
            (task.due, task.amount) = before.map_or((None, None), |it| (it.due, it.amount));
        };
        match inner {
            E::Initiated(order) => {
                let due = self.payment_due(order);
                let task = self.open(event, "payment.verify", payee(order));
                (task.due, task.amount) = (due, Some(order.net));
                self.orders.insert(event.stream.clone(), Arc::new((*order).clone()));
            }
            E::Verified {} => step(self, "payment.verify", "payment.authorise"),
            E::Authorised {} => step(self, "payment.authorise", "payment.execute"),
            E::Executed { .. } | E::Rejected { .. } | E::Returned { .. } => {
                self.close_all(event);
                self.orders.remove(&event.stream);
            }
        }
    }

    /// An order does not follow a change of account: nothing else can be done with it.
    fn reject_orders(&mut self, grant: &GrantId) {
        let is_of_grant = |order: &payment::Order| order.grant == *grant && order.payee.is_some();
        for (stream, _) in self.orders.iter().filter(|(_, order)| is_of_grant(order)) {
            if let Some(tasks) = self.open.get_mut(stream) {
                for task in Arc::make_mut(tasks).iter_mut() {
                    task.command = "payment.reject".into();
                }
            }
        }
    }

    /// From the receipt of the report that it rests on, or from the signature of the grant.
    fn payment_due(&self, order: &payment::Order) -> Option<Due> {
        let terms = self.grants.get(&order.grant)?;
        let payments = terms.payments.as_ref()?;
        match (order.kind, &order.report) {
            (payment::PaymentKind::PreFinancing, _) => {
                Due::days_after(terms.signed?, payments.prefinancing_days)
            }
            (payment::PaymentKind::Interim | payment::PaymentKind::Balance, Some(report)) => {
                Due::days_after(*terms.reports.get(report)?, payments.payment_days)
            }
            (payment::PaymentKind::Interim | payment::PaymentKind::Balance, None)
            | (payment::PaymentKind::Recovery, _) => None,
        }
    }

    fn pledge(&mut self, event: &Told<'_>, inner: &pledge::Event) {
        use pledge::Event as E;
        match inner {
            E::Reported { amount } => self.owe(event, "pledge.certify", *amount),
            E::Certified { amount, .. } => {
                self.settle(event, "pledge.certify", *amount);
                if !self.apart.contains(&event.stream) {
                    self.owe(event, "pledge.count", *amount);
                }
            }
            E::Counted { amount } => self.settle(event, "pledge.count", *amount),
            E::Withdrawn { .. } => self.close_all(event),
            E::Made(promise) => {
                if matches!(promise.kind, pledge::PledgeKind::Regional | pledge::PledgeKind::Rrf) {
                    self.apart.insert(event.stream.clone());
                }
            }
            E::Raised { .. } | E::Signed { .. } => {}
        }
    }

    fn owe(&mut self, event: &Told<'_>, command: &'static str, amount: Money) {
        self.open(event, command, "").amount.get_or_insert_default().add(amount);
    }

    fn settle(&mut self, event: &Told<'_>, command: &'static str, amount: Money) {
        let Some(task) = self.close(event, command, "") else { return };
        let mut owed = task.amount.unwrap_or_default();
        owed.subtract(amount);
        if owed.is_positive() {
            let again = self.open(event, command, "");
            *again = Task { amount: Some(owed), ..task };
        }
    }

    fn allocation(&mut self, event: &Told<'_>, inner: &allocation::Event) {
        use allocation::Event as E;
        let id = &event.stream;
        match inner {
            E::Requested { applicant, decide_by, .. } => {
                self.applicants.insert(id.clone(), applicant.clone());
                self.open(event, "allocation.check", "").due = decide_by.map(Due::At);
            }
            E::Checked { .. } => {
                let checked = self.close(event, "allocation.check", "");
                self.open(event, "allocation.award", "").due = checked.and_then(|task| task.due);
            }
            E::Awarded { .. } | E::GrantedDirectly { .. } => {
                self.close_all(event);
                self.open(event, "allocation.provision", "");
            }
            E::Rejected { .. } | E::Withdrawn { .. } | E::FinalReported { .. } => {
                self.close_all(event);
                self.applicants.remove(id);
            }
            E::Provisioned { .. } => self.close_all(event),
            E::Ended { report_by, .. } => {
                self.close_all(event);
                if let Some(report_by) = report_by {
                    let person = self.applicants.get(id).cloned();
                    let task = self.open(event, "allocation.final_report", "");
                    task.due = Some(Due::On(*report_by));
                    task.person = person;
                }
            }
            E::UsageRecorded { .. }
            | E::UsageCorrected { .. }
            | E::Overrun { .. }
            | E::Extended { .. } => {}
        }
    }

    fn timer(&mut self, event: &Told<'_>, inner: &timer::Event) {
        match inner {
            // Set again, cancelled or acknowledged by a person who saw why it failed.
            timer::Event::Set { .. }
            | timer::Event::Cancelled { .. }
            | timer::Event::Acknowledged { .. } => self.close_all(event),
            timer::Event::Fired { refused, .. } => {
                self.close_all(event);
                if let Some(refused) = refused {
                    self.open(event, "timer.acknowledge", &refused.message);
                }
            }
        }
    }

    fn process(&mut self, event: &Told<'_>, inner: &process::Event) {
        match inner {
            process::Event::Parked { reaction, refused, .. } => {
                let about = format!("{reaction}: {}", refused.message);
                self.open(event, "process.resolve", &about);
            }
            process::Event::Resolved { reaction, .. } => {
                self.close_some(event, "process.resolve", &format!("{reaction}: "));
            }
        }
    }
}
