//! Decides when a call takes proposals: it opens with its rules, keeps a calendar of cut-offs, and each
//! cut-off closes at its instant over exactly the proposals received by then. Awards are in `round.rs`.

pub mod award;
pub(crate) mod checks;
pub mod refusals;

use crate::decide::call::award::{ActivateReserve, AwardRound, Reexamine};
use crate::decide::call::refusals::CUT_OFFS_MAX;
pub(crate) use crate::decide::call::refusals::Rejection;
use crate::decide::prelude::*;
use crate::decide::timer;
use crate::facts::call::{Budget, Call, CutOff, CutOffAt, CutOffStatus, Event, Phase};
use crate::facts::proposal;
use crate::kernel::canonical;
use crate::rulebook::Document;
use std::sync::Arc;

commands! {
    |it| it.call, Phase;

    Open "call.open" "Open a call with its rules, calendar and budget"
        by [ProgrammeOfficer] in [new] needs [Document]
        under OURS, "a call keeps the rules that it opened with (rules.md#rules-kept)";
    AmendCalendar "call.amend_calendar" "Add, move or cancel a cut-off that has not closed"
        by [ProgrammeOfficer] in [Open, Exhausted]
        under OURS, "cut-offs are a calendar, never a formula (rules.md#no-formula)";
    CloseCutOff "call.close_cut_off" "Close a cut-off over the proposals received by its instant"
        by [System] in [Open, Exhausted, Closed]
        under OURS, "received by the cut-off, in the round (rules.md#received)";
    AwardRound "call.award_round" "Decide what a round funds, reserves and rejects"
        by [GoverningBoard] in [Open, Exhausted, Closed]
        under "Reg. (EU) 2021/1173", "Art. 12a: the Governing Board selects";
    ActivateReserve "call.activate_reserve"
        "Award the next proposal of the reserve list when money is free"
        by [GoverningBoard] in [Open, Exhausted, Closed]
        under RULES, "evaluation: the reserve list in rank order";
    Reexamine "call.reexamine"
        "Say what became of a decision in which a conflict of interest was learnt"
        by [GoverningBoard] in [Open, Exhausted, Closed] under FR, "Art. 61: conflict of interests";
    RaiseBudget "call.raise_budget" "Raise the envelope of a call"
        by [GoverningBoard] in [Open, Exhausted]
        under OURS, "the envelope is never overspent (rules.md#envelope)";
    AnnounceExhausted "call.announce_exhausted"
        "Say that the money of a call is used up and take no more proposals"
        by [ProgrammeOfficer] in [Open]
        under OURS, "a call takes proposals while funds last (rules.md#funds-last)";
    Close "call.close" "Close a call for good, when no cut-off is still to come"
        by [ProgrammeOfficer] in [Open, Exhausted]
        under OURS, "the calendar of cut-offs (rules.md#calendar)";
}

/// Opens a call with its rules, its calendar and its budget.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// Where the money comes from; absent when no money is given or known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// The call.
    pub call: CallId,
    /// The calendar, which can be amended.
    #[schemars(length(max = 200))]
    pub cut_offs: Vec<CutOffAt>,
    /// When it stops taking proposals, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens_until: Option<LocalTime>,
    /// The rules that it keeps.
    pub rules: Document,
    /// Full name.
    #[schemars(length(min = 1, max = 2000))]
    pub title: String,
}

impl Attached for Open {
    fn document(&self) -> &impl Written {
        &self.rules
    }
}

impl Decide for Open {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        check_text("title", &self.title)?;
        check_rules(&self.rules)?;
        if let Some(budget) = &self.budget {
            self.check_budget(world, budget)?;
        }
        let end = self.opens_until.as_ref().map(LocalTime::instant).transpose();
        let end = end.map_err(|error| Refusal::from(error).at("/opens_until"))?;
        let instants = self.check_calendar(end, meta)?;
        let opened = Event::Opened {
            budget: self.budget.clone(),
            cut_offs: self.cut_offs.clone(),
            opens_until: self.opens_until.clone(),
            rules: Arc::new(self.rules.clone()),
            rules_sha256: canonical::digest(&self.rules)
                .map_err(|error| Common::Malformed(error.to_string()))?,
            title: self.title.clone(),
        };
        let mut events = vec![NewEvent::on(&self.call, opened)];
        for (cut_off, instant) in self.cut_offs.iter().zip(instants) {
            events.push(set_timer(&self.call, &cut_off.key, instant)?);
        }
        Ok(events)
    }
}

impl Open {
    /// An envelope that holds what was committed ahead of the opening, out of a line that has an
    /// appropriation. It may be larger than that: the appropriations of later years are yet to be
    /// voted, and what is committed never exceeds what was.
    fn check_budget(&self, world: &World, budget: &Budget) -> Result<(), Refusal> {
        let at = |refusal: Refusal| refusal.at("/budget/envelope");
        budget.envelope.in_euro().map_err(|error| at(error.into()))?;
        if !budget.envelope.is_positive() {
            return Err(at(Rejection::NotPositive(budget.envelope).into()));
        }
        let fund = world.find(&world.funds, &budget.fund);
        let fund = fund.map_err(|refusal| refusal.at("/budget/fund"))?;
        let line = fund.available(&budget.line, &budget.source);
        line.map_err(|refusal| refusal.at("/budget/line"))?;
        let (asked, left) = (fund.committed_to(&self.call), budget.envelope);
        if asked > left {
            Err(at(Rejection::EnvelopeExceeded { asked, left }.into()))
        } else {
            Ok(())
        }
    }

    /// The instants of the cut-offs, all different, in the future and before the end.
    fn check_calendar(
        &self,
        end: Option<Timestamp>,
        meta: &Meta,
    ) -> Result<Vec<Timestamp>, Refusal> {
        if self.cut_offs.len() > CUT_OFFS_MAX {
            return Err(Refusal::from(Rejection::TooManyCutOffs).at("/cut_offs"));
        }
        let mut instants: Vec<Timestamp> = Vec::with_capacity(self.cut_offs.len());
        for (index, cut_off) in self.cut_offs.iter().enumerate() {
            let at = |refusal: Refusal| refusal.at(format!("/cut_offs/{index}"));
            let instant = cut_off.at.instant().map_err(|error| at(error.into()))?;
            let before = &self.cut_offs[..index];
            if instants.contains(&instant) || before.iter().any(|other| other.key == cut_off.key) {
                return Err(at(Rejection::CutOffTwice(cut_off.key.clone()).into()));
            }
            check_instant(&cut_off.key, instant, end, meta).map_err(at)?;
            instants.push(instant);
        }
        Ok(instants)
    }
}

/// Refuses a rules document with mistakes, and lists them all.
///
/// # Errors
/// [`Rejection::BadRules`].
pub fn check_rules(rules: &Document) -> Result<(), Refusal> {
    let mistakes = rules.mistakes();
    if mistakes.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    let (count, list) = (list.len(), list.join("; "));
    Err(Refusal::from(Rejection::BadRules { count, list }).at("/rules"))
}

fn check_instant(
    cut_off: &CutOffKey,
    at: Timestamp,
    end: Option<Timestamp>,
    meta: &Meta,
) -> Result<(), Refusal> {
    // By the clock of the log: a calendar cannot be made for a past that has had its receipts.
    let now = meta.recorded_at;
    if at <= now {
        return Err(Rejection::CutOffInThePast { cut_off: cut_off.clone(), at, now }.into());
    }
    if end.is_some_and(|end| at > end) {
        return Err(Rejection::CutOffAfterEnd(cut_off.clone()).into());
    }
    Ok(())
}

/// The timer of a cut-off: `<call>-<key>`. A key that is not alphanumeric goes in by digest, since
/// cut-off `B-C` of call `A` and cut-off `C` of call `A-B` must not share a timer.
///
/// # Errors
/// Never: the name is made of the letters of an id.
pub fn timer_of(call: &CallId, cut_off: &CutOffKey) -> Result<TimerId, Refusal> {
    let (call, key) = (call.as_str(), cut_off.as_str());
    let mut name = format!("{call}-{key}");
    if name.len() > ID_BYTES_MAX || !key.bytes().all(|b| b.is_ascii_alphanumeric()) {
        let digest = Sha256Hex::of(format!("{call}\n{key}").as_bytes()).to_string();
        let start: String = call.chars().take(40).collect();
        name = format!("{start}-x{}", &digest[..16]);
    }
    name.parse().map_err(|error| Common::Malformed(format!("{error}")).into())
}

fn set_timer(call: &CallId, cut_off: &CutOffKey, instant: Timestamp) -> Result<NewEvent, Refusal> {
    let wish = CloseCutOff { call: call.clone(), cut_off: cut_off.clone() };
    timer::set(&timer_of(call, cut_off)?, instant, &wish)
}

/// Adds, moves or cancels a cut-off that has not closed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AmendCalendar {
    /// When it closes; absent: it is cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<LocalTime>,
    /// The call.
    pub call: CallId,
    /// The cut-off, known or new.
    pub cut_off: CutOffKey,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Decide for AmendCalendar {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        let call = world.find(&world.calls, &self.call)?;
        let known = call.cut_offs.get(&self.cut_off);
        let key = || self.cut_off.clone();
        match known.map(|known| &known.status) {
            Some(CutOffStatus::Closed(_)) => return Err(Rejection::CutOffClosed(key()).into()),
            Some(CutOffStatus::Cancelled) if self.at.is_none() => return Ok(Vec::new()),
            Some(CutOffStatus::Cancelled) => return Err(Rejection::CutOffCancelled(key()).into()),
            Some(CutOffStatus::Open) | None => {}
        }
        // Once its instant has passed a cut-off has closed by right, even if its timer is late.
        if known.is_some_and(|known| known.instant <= meta.recorded_at) {
            return Err(Rejection::CutOffClosed(key()).into());
        }
        match (&self.at, known) {
            (None, None) => Err(Refusal::from(Rejection::NoCutOff(key())).at("/cut_off")),
            (None, Some(_)) => {
                let cancelled =
                    Event::CutOffCancelled { cut_off: key(), reason: self.reason.clone() };
                let timer = timer::cancel(&timer_of(&self.call, &self.cut_off)?, &self.reason);
                Ok(vec![NewEvent::on(&self.call, cancelled), timer])
            }
            (Some(at), Some(known)) if *at == known.at => Ok(Vec::new()),
            (Some(at), known) => self.put(call, at, known, meta),
        }
    }
}

impl AmendCalendar {
    fn put(&self, call: &Call, at: &LocalTime, known: Option<&CutOff>, meta: &Meta) -> Decision {
        let refuse = |refusal: Refusal| refusal.at("/at");
        let instant = at.instant().map_err(|error| refuse(error.into()))?;
        check_instant(&self.cut_off, instant, call.end()?, meta).map_err(refuse)?;
        let clash = |other: (&CutOffKey, &CutOff)| {
            *other.0 != self.cut_off
                && other.1.instant == instant
                && other.1.status != CutOffStatus::Cancelled
        };
        if call.cut_offs.iter().any(clash) {
            return Err(refuse(Rejection::CutOffTwice(self.cut_off.clone()).into()));
        }
        let (at, cut_off, reason) = (at.clone(), self.cut_off.clone(), self.reason.clone());
        let event = match known {
            Some(known) => Event::CutOffMoved { at, cut_off, from: known.at.clone(), reason },
            None if call.cut_offs.len() >= CUT_OFFS_MAX => {
                return Err(Rejection::TooManyCutOffs.into());
            }
            None => Event::CutOffAdded { at, cut_off, reason },
        };
        Ok(vec![NewEvent::on(&self.call, event), set_timer(&self.call, &self.cut_off, instant)?])
    }
}

/// Closes a cut-off at its instant.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseCutOff {
    /// The call.
    pub call: CallId,
    /// The cut-off.
    pub cut_off: CutOffKey,
}

impl Decide for CloseCutOff {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        let call = world.find(&world.calls, &self.call)?;
        let cut_off = call.cut_off(&self.cut_off)?;
        match cut_off.status {
            CutOffStatus::Open => {}
            CutOffStatus::Closed(_) => {
                return Err(Rejection::CutOffClosed(self.cut_off.clone()).into());
            }
            CutOffStatus::Cancelled => {
                return Err(Rejection::CutOffCancelled(self.cut_off.clone()).into());
            }
        }
        let (at, now) = (cut_off.instant, meta.recorded_at);
        if now < at {
            let cut_off = self.cut_off.clone();
            return Err(Rejection::CutOffNotDue { cut_off, at, now }.into());
        }
        let admitted = received_by(world, &self.call, at);
        let closed = Event::CutOffClosed {
            admitted: admitted.clone(),
            at: cut_off.at.clone(),
            cut_off: self.cut_off.clone(),
        };
        let mut events = vec![NewEvent::on(&self.call, closed)];
        for proposal in &admitted {
            let event = proposal::Event::Admitted { cut_off: self.cut_off.clone() };
            events.push(NewEvent::on(proposal, event));
        }
        for event in &mut events {
            event.effective_at = Some(at);
        }
        Ok(events)
    }
}

/// The submitted proposals of a call that were received by an instant, in order of receipt.
fn received_by(world: &World, call: &CallId, instant: Timestamp) -> Vec<ProposalId> {
    let mut found: Vec<(Timestamp, &ProposalId)> = world
        .proposals
        .iter()
        .filter(|(_, proposal)| proposal.phase == proposal::Phase::Submitted)
        .filter(|(_, proposal)| proposal.call.as_ref() == Some(call))
        .filter_map(|(id, proposal)| Some((proposal.submission.as_ref()?.received_at, id)))
        .filter(|(received_at, _)| *received_at <= instant)
        .collect();
    found.sort();
    found.into_iter().map(|(_, id)| id.clone()).collect()
}

/// Raises the envelope of a call.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RaiseBudget {
    /// By how much.
    pub by: Money,
    /// The call.
    pub call: CallId,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Decide for RaiseBudget {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        let call = world.find(&world.calls, &self.call)?;
        let budget = call.budget.as_ref().ok_or(Rejection::NoBudget)?;
        if !self.by.is_positive() {
            return Err(Refusal::from(Rejection::NotPositive(self.by)).at("/by"));
        }
        budget.envelope.plus(self.by)?;
        let event = Event::BudgetRaised { by: self.by, reason: self.reason.clone() };
        Ok(vec![NewEvent::on(&self.call, event)])
    }
}

/// Says that the money is used up.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnnounceExhausted {
    /// The call.
    pub call: CallId,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Decide for AnnounceExhausted {
    fn decide(&self, _: &World, _: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        let event = Event::Exhausted { reason: self.reason.clone() };
        Ok(vec![NewEvent::on(&self.call, event)])
    }
}

/// Closes a call for good.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Close {
    /// The call.
    pub call: CallId,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Decide for Close {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        let call = world.find(&world.calls, &self.call)?;
        let open = |one: &(&CutOffKey, &CutOff)| one.1.status == CutOffStatus::Open;
        if let Some((key, _)) = call.cut_offs.iter().find(open) {
            return Err(Rejection::CutOffOpen(key.clone()).into());
        }
        let event = Event::Closed { reason: self.reason.clone() };
        Ok(vec![NewEvent::on(&self.call, event)])
    }
}

#[cfg(test)]
mod tests;
