//! Decides what becomes of a proposal: drafted, submitted against a receipt, admitted to the round of
//! the cut-off by which it was received, checked, and in the end awarded, reserved or rejected.

use crate::decide::evaluation;
use crate::decide::prelude::*;
use crate::facts::call;
use crate::facts::call::{Call, CutOffStatus};
use crate::facts::proposal::{Answer, Content, DocumentHash, Event, Phase, Proposal, Submission};
use crate::kernel::canonical;
use crate::rulebook::{Document, Question};

/// The most entries in each list of a proposal.
pub const LIST_MAX: usize = 64;

refusals! {
    Rejection of "proposal"

    under OURS, "who may what (rules.md#who-may)" => {
        NotTheApplicant
            = "only the applicant, or someone acting on their behalf, may do this" as Forbidden;
    }

    under OURS, "the calendar of cut-offs (rules.md#calendar)" => {
        CallTakesNone { call: CallId, phase: &'static str }
            = "call {call} is {phase}: it takes no proposals";
        AfterTheEnd { call: CallId, until: Timestamp, received_at: Timestamp }
            = "call {call} took proposals until {until}; this was received at {received_at}";
        NoCutOffLeft(CallId)
            = "call {0} has no later cut-off: a proposal that is received now is in no round";
        CutOffPassed { cut_off: CutOffKey, at: Timestamp }
            = "the proposal is in the round of cut-off {cut_off}, which closed at {at}";
        RoundDecided(CutOffKey) = "the round of cut-off {0} has been decided";
    }

    under OURS, "every input has a limit (rules.md#limits)" => {
        RoundFull(CutOffKey)
            = "cut-off {0} has its {max} proposals: the programme officer must add a cut-off" with [max = call::PROPOSALS_PER_ROUND_MAX];
        Empty(&'static str) = "{0} is empty" as Malformed;
        BadList(&'static str)
            = "{0} has more than {LIST_MAX} entries, or one of them twice" as Malformed;
    }

    under OURS, "money is integer cents of one currency (rules.md#money)" => {
        Negative(Money) = "an amount may not be negative; got {0}";
        MoreThanTotal { requested: Money, total: Money }
            = "{requested} is requested from the Union, more than the total cost of {total}";
    }

    under RULES, "submission.documents" => {
        DocumentMissing(DocumentKey) = "the call's rules ask for document {0}, which is missing";
    }

    under RULES, "submission.pages_max" => {
        TooManyPages { pages: u32, max: u32 }
            = "{pages} pages are more than the {max} that the rules allow";
    }

    under RULES, "submission.questions, eligibility.questions" => {
        CheckedAlready = "the proposal has been found admissible already" as Conflict;
        NotYetAdmissible = "admissibility is checked before eligibility";
        NotAnswered(QuestionKey) = "question {0} must be answered exactly once";
        NoQuestion(QuestionKey) = "the call's rules have no question {0}";
    }
}

commands! {
    |it| it.proposal, Phase;

    Draft "proposal.draft" "Begin a proposal to a call"
        by [Applicant] in [new] under OURS, "the life of a proposal (rules.md#proposal)";
    Revise "proposal.revise"
        "Change a proposal before its cut-off; submit it again to send the change"
        by [Applicant] in [Draft, Submitted]
        under OURS, "the calendar of cut-offs (rules.md#calendar)";
    Submit "proposal.submit" "Submit a proposal; the receipt names the cut-off that it goes into"
        by [Applicant] in [Draft, Submitted] needs [Document]
        under OURS, "received by the cut-off, in the round (rules.md#received)";
    Withdraw "proposal.withdraw" "Withdraw a proposal that has not been awarded"
        by [Applicant] in [Draft, Submitted, Admitted, Eligible, Reserved]
        under OURS, "the life of a proposal (rules.md#proposal)";
    CheckAdmissibility "proposal.check_admissibility"
        "Say whether a proposal is complete and in form"
        by [ProgrammeOfficer] in [Admitted] under RULES, "submission.questions";
    CheckEligibility "proposal.check_eligibility"
        "Say whether the applicant of an admissible proposal may take part"
        by [ProgrammeOfficer] in [Admitted] under RULES, "eligibility";
}

/// Begins a proposal.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// Who applies: an opaque id, the actor or on whose behalf the actor acts.
    pub applicant: ActorId,
    /// The call.
    pub call: CallId,
    /// What it says.
    pub content: Content,
    /// The proposal.
    pub proposal: ProposalId,
}

impl Decide for Draft {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        check_applicant(&self.applicant, meta)?;
        check_open(&self.call, world.find(&world.calls, &self.call)?)?;
        self.content.check()?;
        let event = Event::Drafted {
            applicant: self.applicant.clone(),
            call: self.call.clone(),
            content: self.content.clone(),
        };
        Ok(vec![NewEvent::on(&self.proposal, event)])
    }
}

fn check_applicant(applicant: &ActorId, meta: &Meta) -> Result<(), Refusal> {
    let actor = &meta.actor;
    if actor.id == *applicant || actor.on_behalf_of.as_ref() == Some(applicant) {
        return Ok(());
    }
    Err(Rejection::NotTheApplicant.into())
}

fn check_open(id: &CallId, call: &Call) -> Result<(), Refusal> {
    if call.phase == call::Phase::Open {
        return Ok(());
    }
    Err(Rejection::CallTakesNone { call: id.clone(), phase: call.phase.into() }.into())
}

impl Content {
    /// Texts that say something, lists within their limits, amounts that make sense.
    fn check(&self) -> Result<(), Refusal> {
        let within = |refusal: Refusal, field: &str| refusal.at(format!("/content/{field}"));
        for (field, text) in [("acronym", &self.acronym), ("title", &self.title)] {
            check_text(field, text).map_err(|refusal| within(refusal, field))?;
            if text.trim().is_empty() {
                return Err(within(Rejection::Empty(field).into(), field));
            }
        }
        check_set("covers", &self.covers).map_err(|refusal| within(refusal, "covers"))?;
        check_set("sectors", &self.sectors).map_err(|refusal| within(refusal, "sectors"))?;
        check_set("partners", &self.partners).map_err(|refusal| within(refusal, "partners"))?;
        for (field, amount) in [("requested", self.requested), ("total", self.total)] {
            if let Some(amount) = amount.filter(|amount| amount.is_negative()) {
                return Err(within(Rejection::Negative(amount).into(), field));
            }
        }
        match (self.requested, self.total) {
            (Some(requested), Some(total)) if total.minus(requested)?.is_negative() => {
                Err(within(Rejection::MoreThanTotal { requested, total }.into(), "requested"))
            }
            _ => Ok(()),
        }
    }
}

/// A list within its limit, without an entry twice.
fn check_set<T: Ord>(field: &'static str, list: &[T]) -> Result<(), Refusal> {
    let different: BTreeSet<&T> = list.iter().collect();
    if list.len() > LIST_MAX || different.len() < list.len() {
        return Err(Refusal::from(Rejection::BadList(field)).at(format!("/{field}")));
    }
    Ok(())
}

impl Proposal {
    /// The call that it is for.
    ///
    /// # Errors
    /// Never, once it is drafted.
    pub fn call_of<'a>(&self, world: &'a World) -> Result<(CallId, &'a Call), Refusal> {
        let id = self.call.clone().ok_or_else(|| Common::NotFound("the proposal's call".into()))?;
        let call = world.find(&world.calls, &id)?;
        Ok((id, call))
    }

    fn check_applicant(&self, meta: &Meta) -> Result<(), Refusal> {
        match &self.applicant {
            Some(applicant) => check_applicant(applicant, meta),
            None => Err(Rejection::NotTheApplicant.into()),
        }
    }

    /// What was submitted for a cut-off stays as it is once the instant of the cut-off has passed,
    /// even if the cut-off has not been closed yet.
    fn check_not_locked(&self, call: &Call, received_at: Timestamp) -> Result<(), Refusal> {
        let submitted = self.submission.as_ref();
        let goes_into = submitted.and_then(|one| call.cut_off_for(one.received_at));
        match goes_into {
            Some((key, cut_off)) if cut_off.instant < received_at => {
                Err(Rejection::CutOffPassed { cut_off: key.clone(), at: cut_off.instant }.into())
            }
            _ => Ok(()),
        }
    }
}

/// Changes a proposal before its cut-off.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Revise {
    /// What it says from now on.
    pub content: Content,
    /// The proposal.
    pub proposal: ProposalId,
}

impl Decide for Revise {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        let proposal = world.find(&world.proposals, &self.proposal)?;
        proposal.check_applicant(meta)?;
        let (_, call) = proposal.call_of(world)?;
        proposal.check_not_locked(call, meta.received_at)?;
        self.content.check()?;
        if self.content == *proposal.latest() {
            return Ok(Vec::new());
        }
        Ok(vec![NewEvent::on(&self.proposal, Event::Revised { content: self.content.clone() })])
    }
}

/// Submits a proposal; again before the cut-off replaces what was submitted.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Submit {
    /// The documents, by hash.
    #[schemars(length(max = 64))]
    pub documents: Vec<DocumentHash>,
    /// Pages of the main part.
    pub pages: u32,
    /// The proposal.
    pub proposal: ProposalId,
}

impl Meets<needs::Document> for Submit {
    fn check(&self, world: &World, _: &Meta) -> Result<(), Refusal> {
        let proposal = world.proposals.get(&self.proposal);
        let call = proposal.and_then(|proposal| proposal.call_of(world).ok());
        let Some(Ok(rules)) = call.map(|(_, call)| call.document()) else { return Ok(()) };
        let given = |key: &DocumentKey| self.documents.iter().any(|document| document.key == *key);
        let missing = rules.submission.documents.iter().find(|key| !given(key));
        missing.map_or(Ok(()), |key| {
            Err(Refusal::from(Rejection::DocumentMissing(key.clone())).at("/documents"))
        })
    }
}

impl Decide for Submit {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        let proposal = world.find(&world.proposals, &self.proposal)?;
        proposal.check_applicant(meta)?;
        let (id, call) = proposal.call_of(world)?;
        let received_at = meta.received_at;
        check_open(&id, call)?;
        if let Some(until) = call.end()?.filter(|until| *until < received_at) {
            return Err(Rejection::AfterTheEnd { call: id, until, received_at }.into());
        }
        proposal.check_not_locked(call, received_at)?;
        self.check_documents(call.document()?)?;
        let goes_into = call.cut_off_for(received_at);
        let (cut_off, status) = goes_into
            .map(|(key, cut_off)| (key.clone(), &cut_off.status))
            .ok_or_else(|| Rejection::NoCutOffLeft(id.clone()))?;
        self.check_room(world, &id, &cut_off)?;
        let submission = Submission {
            content_sha256: canonical::digest(&(proposal.latest(), &self.documents))
                .map_err(|error| Common::Malformed(error.to_string()))?,
            cut_off: cut_off.clone(),
            documents: self.documents.clone(),
            number: proposal.submission.as_ref().map_or(0, |before| before.number) + 1,
            pages: self.pages,
            received_at,
        };
        let mut events = vec![NewEvent::on(&self.proposal, Event::Submitted(submission))];
        // Received in time, but decided only after the cut-off closed: it is in the round.
        if let CutOffStatus::Closed(round) = status {
            if round.decision.is_some() {
                return Err(Rejection::RoundDecided(cut_off).into());
            }
            let admitted = call::Event::AdmittedAfterClosing {
                cut_off: cut_off.clone(),
                proposal: self.proposal.clone(),
            };
            events.push(NewEvent::on(&id, admitted));
            let reopened = evaluation::reopen(world, &id, &cut_off, &self.proposal);
            events.push(NewEvent::on(&self.proposal, Event::Admitted { cut_off }));
            events.extend(reopened);
        }
        Ok(events)
    }
}

impl Submit {
    fn check_documents(&self, rules: &Document) -> Result<(), Refusal> {
        let keys: Vec<&DocumentKey> = self.documents.iter().map(|document| &document.key).collect();
        check_set("documents", &keys)?;
        match rules.submission.pages_max {
            Some(max) if self.pages > max => {
                let pages = self.pages;
                Err(Refusal::from(Rejection::TooManyPages { pages, max }).at("/pages"))
            }
            _ => Ok(()),
        }
    }

    fn check_room(&self, world: &World, id: &CallId, cut_off: &CutOffKey) -> Result<(), Refusal> {
        let call = world.find(&world.calls, id)?;
        let others = world.proposals.iter().filter(|(proposal, state)| {
            **proposal != self.proposal
                && state.call.as_ref() == Some(id)
                && state.destination(call) == Some(cut_off)
        });
        if others.count() >= call::PROPOSALS_PER_ROUND_MAX {
            return Err(Rejection::RoundFull(cut_off.clone()).into());
        }
        Ok(())
    }
}

/// Withdraws a proposal.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Withdraw {
    /// The proposal.
    pub proposal: ProposalId,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Decide for Withdraw {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        world.find(&world.proposals, &self.proposal)?.check_applicant(meta)?;
        let event = Event::Withdrawn { reason: self.reason.clone() };
        Ok(vec![NewEvent::on(&self.proposal, event)])
    }
}

/// Answers the questions of the admissibility check.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckAdmissibility {
    /// One answer to each question of the rules.
    #[schemars(length(max = 64))]
    pub answers: Vec<Answer>,
    /// The proposal.
    pub proposal: ProposalId,
}

impl Decide for CheckAdmissibility {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let proposal = world.find(&world.proposals, &self.proposal)?;
        if proposal.admissible {
            return Err(Rejection::CheckedAlready.into());
        }
        let (_, call) = proposal.call_of(world)?;
        let answers = self.answers.clone();
        let no = unmet(&call.document()?.submission.questions, &answers)?;
        let event = match no {
            None => Event::Admissible { answers },
            Some(reason) => Event::Inadmissible { answers, reason },
        };
        Ok(vec![NewEvent::on(&self.proposal, event)])
    }
}

/// Answers the questions of the eligibility check.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckEligibility {
    /// One answer to each question of the rules.
    #[schemars(length(max = 64))]
    pub answers: Vec<Answer>,
    /// The proposal.
    pub proposal: ProposalId,
}

impl Decide for CheckEligibility {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let proposal = world.find(&world.proposals, &self.proposal)?;
        if !proposal.admissible {
            return Err(Rejection::NotYetAdmissible.into());
        }
        let (_, call) = proposal.call_of(world)?;
        let rules = &call.document()?.eligibility;
        let answers = self.answers.clone();
        let no = unmet(&rules.questions, &answers)?;
        let no = no.or_else(|| not_from(&rules.countries, proposal.content.country));
        let event = match no {
            None => Event::Eligible { answers },
            Some(reason) => Event::Ineligible { answers, reason },
        };
        Ok(vec![NewEvent::on(&self.proposal, event)])
    }
}

/// The questions that were answered no, as a reason; none when all were answered yes.
fn unmet(questions: &[Question], answers: &[Answer]) -> Result<Option<String>, Refusal> {
    let at = |rejection: Rejection| Refusal::from(rejection).at("/answers");
    let unknown = |answer: &&Answer| !questions.iter().any(|question| question.key == answer.key);
    if let Some(answer) = answers.iter().find(unknown) {
        return Err(at(Rejection::NoQuestion(answer.key.clone())));
    }
    let mut no = Vec::new();
    for question in questions {
        let mut given = answers.iter().filter(|answer| answer.key == question.key);
        match (given.next(), given.next()) {
            (Some(answer), None) if answer.yes => {}
            (Some(_), None) => no.push(question.text.as_str()),
            _ => return Err(at(Rejection::NotAnswered(question.key.clone()))),
        }
    }
    Ok(if no.is_empty() { None } else { Some(format!("answered no: {}", no.join("; "))) })
}

/// Why an applicant from this country may not take part, if so.
fn not_from(countries: &[Country], country: Option<Country>) -> Option<String> {
    if countries.is_empty() || country.is_some_and(|country| countries.contains(&country)) {
        return None;
    }
    Some(match country {
        Some(country) => format!("entities from {country} may not apply"),
        None => "the proposal does not say where the applicant is established".to_owned(),
    })
}

#[cfg(test)]
mod tests;
