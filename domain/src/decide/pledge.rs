//! Decides how far a Member State's contribution has come: pledged >= signed >= reported >=
//! certified >= counted. Union money in other clothes is recorded, and never counted as a match.

use crate::decide::prelude::*;
use crate::facts::pledge::{Event, Phase, Pledge, PledgeKind, Promise};

refusals! {
    Rejection of "pledge"

    under OURS, "the parts of a contribution add up to no more than the whole (rules.md#parts)" => {
        NotPositive(Money) = "a contribution is more than nothing; got {0}";
        Nested(PledgeId) = "{0} is itself a part: parts have no parts";
        OtherUmbrella(PledgeId) = "{0} is for another call, form or grant, or was withdrawn";
        UmbrellaExceeded { asked: Money, left: Money, umbrella: PledgeId }
            = "{asked} is more than the {left} left of {umbrella}";
    }

    under OURS, "pledged >= signed >= reported >= certified >= counted (rules.md#counted)" => {
        StepExceeded { step: &'static str, asked: Money, left: Money, before: &'static str }
            = "{asked} more cannot be {step}: only {left} is {before} and not yet {step}";
    }

    under "Council Reg. (EU) 2021/1173", "contributions are certified by an independent auditor" => {
        SamePerson = "this needs someone other than the person who reported it" as Forbidden;
    }

    under "Reg. (EU) 2021/241", "Art. 9: no double funding of the same cost" => {
        UnionMoney
            = "money of the Recovery and Resilience Facility is Union money: it matches nothing";
    }

    under OURS, "pledged >= signed >= reported >= certified >= counted (rules.md#counted)" => {
        AlreadyCounted(Money) = "{0} has been counted as a match already";
        HasParts(PledgeId) = "{0} is a part of it: withdraw the parts first";
    }
}

/// What participating states have signed for a grant and may be counted. An umbrella and its parts
/// are the same money: the larger of the two counts, once.
///
/// # Errors
/// When amounts do not add up.
pub fn signed_for(world: &World, grant: &GrantId) -> Result<Money, Refusal> {
    let mut total = Money::ZERO;
    for (id, pledge) in world.pledges.iter().filter(|(_, pledge)| pledge.matches(grant)) {
        let part_of = pledge.promise.as_ref().and_then(|promise| promise.part_of.as_ref());
        let umbrella = part_of.and_then(|umbrella| world.pledges.get(umbrella));
        if umbrella.is_some_and(|umbrella| umbrella.matches(grant)) {
            continue;
        }
        let parts = parts(world, id).filter(|(_, part)| part.matches(grant));
        let parts = parts.map(|(_, part)| part.signed).try_fold(Money::ZERO, Money::plus)?;
        total = total.plus(parts.max(pledge.signed))?;
    }
    Ok(total)
}

fn parts<'a>(
    world: &'a World,
    umbrella: &'a PledgeId,
) -> impl Iterator<Item = (&'a PledgeId, &'a std::sync::Arc<Pledge>)> {
    world.pledges.iter().filter(move |(_, pledge)| pledge.is_part_of(umbrella))
}

fn positive(amount: Money) -> Result<Money, Refusal> {
    let amount = amount.in_euro().map_err(|error| Refusal::from(error).at("/amount"))?;
    if amount.is_positive() {
        Ok(amount)
    } else {
        Err(Refusal::from(Rejection::NotPositive(amount)).at("/amount"))
    }
}

/// Refuses more than is left of an umbrella.
fn check_umbrella(world: &World, umbrella: &PledgeId, asked: Money) -> Result<(), Refusal> {
    let pledged = world.find(&world.pledges, umbrella)?.pledged();
    let mut parts = parts(world, umbrella).map(|(_, part)| part.pledged());
    let left = pledged.minus(parts.try_fold(Money::ZERO, Money::plus)?)?;
    if asked > left {
        let umbrella = umbrella.clone();
        return Err(Rejection::UmbrellaExceeded { asked, left, umbrella }.into());
    }
    Ok(())
}

/// Refuses a step beyond the one before it.
fn check_step(
    asked: Money,
    (before, reached): (&'static str, Money),
    (step, done): (&'static str, Money),
) -> Result<(), Refusal> {
    let (asked, left) = (positive(asked)?, reached.minus(done)?);
    if asked > left {
        let rejection = Rejection::StepExceeded { step, asked, left, before };
        return Err(Refusal::from(rejection).at("/amount"));
    }
    Ok(())
}

commands! {
    |it| it.pledge, Phase;

    Make "pledge.make" "Promise a contribution to a call or a grant"
        by [NationalAuthority, ProgrammeOfficer] in [new]
        under "Council Reg. (EU) 2021/1173", "Art. 7-8: contributions of participating states";
    Raise "pledge.raise" "Raise a promised contribution"
        by [NationalAuthority, ProgrammeOfficer] in [Pledged, Signed, Reported, Certified, Counted]
        under "Council Reg. (EU) 2021/1173", "Art. 7-8: contributions of participating states";
    Sign "pledge.sign" "Bind a contribution by signature"
        by [NationalAuthority, AuthorisingOfficer]
        in [Pledged, Signed, Reported, Certified, Counted]
        under OURS, "pledged >= signed >= reported >= certified >= counted (rules.md#counted)";
    Report "pledge.report" "Report a signed contribution as spent"
        by [NationalAuthority] in [Pledged, Signed, Reported, Certified, Counted]
        under OURS, "pledged >= signed >= reported >= certified >= counted (rules.md#counted)";
    Certify "pledge.certify" "Certify a reported contribution, as another person than who reported"
        by [Certifier] in [Pledged, Signed, Reported, Certified, Counted] needs [OtherPerson]
        under OURS, "pledged >= signed >= reported >= certified >= counted (rules.md#counted)";
    Count "pledge.count" "Count a certified contribution as a match"
        by [AuthorisingOfficer] in [Pledged, Signed, Reported, Certified, Counted]
        under OURS, "pledged >= signed >= reported >= certified >= counted (rules.md#counted)";
    Withdraw "pledge.withdraw" "Take a contribution back, before it is counted"
        by [NationalAuthority, ProgrammeOfficer] in [Pledged, Signed, Reported, Certified, Counted]
        under OURS, "pledged >= signed >= reported >= certified >= counted (rules.md#counted)";
}

/// Promises a contribution.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Make {
    /// How much.
    pub amount: Money,
    /// To which call.
    pub call: CallId,
    /// To which grant, when it is for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    /// In what form.
    pub kind: PledgeKind,
    /// The umbrella that it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_of: Option<PledgeId>,
    /// The pledge.
    pub pledge: PledgeId,
    /// To which round, when it is for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<CutOffKey>,
    /// By which state; absent when the participating states promise together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Country>,
}

impl Decide for Make {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        positive(self.amount)?;
        world.find(&world.calls, &self.call).map_err(|refusal| refusal.at("/call"))?;
        let promise = Promise {
            amount: self.amount,
            call: self.call.clone(),
            grant: self.grant.clone(),
            kind: self.kind,
            part_of: self.part_of.clone(),
            round: self.round.clone(),
            state: self.state,
        };
        if let Some(id) = &self.part_of {
            promise.check_part(world, id).map_err(|refusal| refusal.at("/part_of"))?;
        }
        Ok(vec![NewEvent::on(&self.pledge, Event::Made(promise))])
    }
}

impl Promise {
    fn check_part(&self, world: &World, id: &PledgeId) -> Result<(), Refusal> {
        let umbrella = world.find(&world.pledges, id)?;
        let Some(whole) = umbrella.promise.as_ref().filter(|_| !umbrella.withdrawn) else {
            return Err(Rejection::OtherUmbrella(id.clone()).into());
        };
        if whole.part_of.is_some() {
            return Err(Rejection::Nested(id.clone()).into());
        }
        let same_grant = whole.grant.is_none() || whole.grant == self.grant;
        if whole.call != self.call || whole.kind != self.kind || !same_grant {
            return Err(Rejection::OtherUmbrella(id.clone()).into());
        }
        check_umbrella(world, id, self.amount)
    }
}

/// Promises more.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Raise {
    /// How much more.
    pub amount: Money,
    /// The pledge.
    pub pledge: PledgeId,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Decide for Raise {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let amount = positive(self.amount)?;
        check_reason("reason", &self.reason)?;
        let pledge = world.find(&world.pledges, &self.pledge)?;
        pledge.pledged().plus(amount)?;
        if let Some(umbrella) = pledge.promise.as_ref().and_then(|promise| promise.part_of.as_ref())
        {
            check_umbrella(world, umbrella, amount).map_err(|refusal| refusal.at("/amount"))?;
        }
        Ok(vec![NewEvent::on(&self.pledge, Event::Raised { amount, reason: self.reason.clone() })])
    }
}

/// Binds a contribution by signature.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sign {
    /// How much more.
    pub amount: Money,
    /// Hash of the document, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Sha256Hex>,
    /// The pledge.
    pub pledge: PledgeId,
}

impl Decide for Sign {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let pledge = world.find(&world.pledges, &self.pledge)?;
        check_step(self.amount, ("pledged", pledge.pledged()), ("signed", pledge.signed))?;
        let event = Event::Signed { amount: self.amount, document: self.document };
        Ok(vec![NewEvent::on(&self.pledge, event)])
    }
}

/// Reports a contribution as spent.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// How much more.
    pub amount: Money,
    /// The pledge.
    pub pledge: PledgeId,
}

impl Decide for Report {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let pledge = world.find(&world.pledges, &self.pledge)?;
        check_step(self.amount, ("signed", pledge.signed), ("reported", pledge.reported))?;
        Ok(vec![NewEvent::on(&self.pledge, Event::Reported { amount: self.amount })])
    }
}

/// Certifies a reported contribution.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Certify {
    /// How much more.
    pub amount: Money,
    /// Hash of the document, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Sha256Hex>,
    /// The pledge.
    pub pledge: PledgeId,
}

impl Meets<needs::OtherPerson> for Certify {
    fn check(&self, world: &World, meta: &Meta) -> Result<(), Refusal> {
        let Some(pledge) = world.pledges.get(&self.pledge) else { return Ok(()) };
        let me = [Some(&meta.actor.id), meta.actor.on_behalf_of.as_ref()];
        if me.into_iter().flatten().any(|id| pledge.reporters.contains(id)) {
            return Err(Rejection::SamePerson.into());
        }
        Ok(())
    }
}

impl Decide for Certify {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let pledge = world.find(&world.pledges, &self.pledge)?;
        check_step(self.amount, ("reported", pledge.reported), ("certified", pledge.certified))?;
        let event = Event::Certified { amount: self.amount, document: self.document };
        Ok(vec![NewEvent::on(&self.pledge, event)])
    }
}

/// Counts a certified contribution as a match.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// How much more.
    pub amount: Money,
    /// The pledge.
    pub pledge: PledgeId,
}

impl Decide for Count {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let pledge = world.find(&world.pledges, &self.pledge)?;
        if pledge.promise.as_ref().is_some_and(|promise| promise.kind == PledgeKind::Rrf) {
            return Err(Rejection::UnionMoney.into());
        }
        check_step(self.amount, ("certified", pledge.certified), ("counted", pledge.counted))?;
        Ok(vec![NewEvent::on(&self.pledge, Event::Counted { amount: self.amount })])
    }
}

/// Takes a contribution back.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Withdraw {
    /// The pledge.
    pub pledge: PledgeId,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Decide for Withdraw {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        let pledge = world.find(&world.pledges, &self.pledge)?;
        if pledge.counted.is_positive() {
            return Err(Rejection::AlreadyCounted(pledge.counted).into());
        }
        if let Some((part, _)) = parts(world, &self.pledge).next() {
            return Err(Rejection::HasParts(part.clone()).into());
        }
        Ok(vec![NewEvent::on(&self.pledge, Event::Withdrawn { reason: self.reason.clone() })])
    }
}

#[cfg(test)]
mod tests {
    use crate::kernel::actor::Role;
    use crate::kernel::money::Money;
    use crate::testing::Scenario;
    use crate::testing::grant::drafted;

    fn make(scenario: Scenario, id: &str, euro: u32, rest: &str) -> Scenario {
        scenario.by(Role::NationalAuthority).when(
            "pledge.make",
            &format!(r#"{{"pledge":"{id}","call":"C","amount":"EUR {euro}",{rest}}}"#),
        )
    }

    const CASH: &str = r#""kind":"cash","grant":"G","state":"FI""#;

    fn made(id: &str, euro: u32, rest: &str) -> Scenario {
        make(drafted(), id, euro, rest).recorded(&["pledge.Made"])
    }

    fn step(scenario: Scenario, verb: &str, euro: u32) -> Scenario {
        let role = match verb {
            "certify" => Role::Certifier,
            "count" => Role::AuthorisingOfficer,
            _ => Role::NationalAuthority,
        };
        let payload = format!(r#"{{"pledge":"A","amount":"EUR {euro}"}}"#);
        scenario.by(role).when(&format!("pledge.{verb}"), &payload)
    }

    #[test]
    fn each_step_stays_within_the_one_before() {
        let mut scenario = made("A", 100, CASH);
        for (verb, event, most) in [
            ("sign", "pledge.Signed", 90),
            ("report", "pledge.Reported", 80),
            ("certify", "pledge.Certified", 70),
            ("count", "pledge.Counted", 60),
        ] {
            let before = most + 10;
            scenario =
                step(scenario, verb, before + 1).refused("pledge.step_exceeded").at("/amount");
            scenario = step(scenario, verb, 50).recorded(&[event]);
            scenario = step(scenario, verb, most - 50).recorded(&[event]);
        }
        assert_eq!(scenario.world.phase(&"pledge-A".parse().unwrap()), "counted");
        step(scenario, "count", 11).refused("pledge.step_exceeded");
    }

    #[test]
    fn a_promise_of_nothing_or_to_no_call_is_refused() {
        make(drafted(), "A", 0, CASH).refused("pledge.not_positive").at("/amount");
        let payload = r#"{"pledge":"A","call":"X","kind":"cash","amount":"EUR 1"}"#;
        let scenario = drafted().by(Role::NationalAuthority).when("pledge.make", payload);
        scenario.refused("command.not_found").at("/call");
    }

    #[test]
    fn who_reports_does_not_certify() {
        let scenario = step(made("A", 100, CASH), "sign", 100);
        let scenario =
            step(scenario, "report", 100).by_person("national_authority", Role::Certifier);
        let certify = r#"{"pledge":"A","amount":"EUR 100"}"#;
        scenario.when("pledge.certify", certify).refused("pledge.same_person");
    }

    #[test]
    fn union_money_is_recorded_and_never_counted() {
        let mut scenario = made("A", 100, r#""kind":"rrf","grant":"G","state":"IT""#);
        for verb in ["sign", "report", "certify"] {
            scenario = step(scenario, verb, 100);
        }
        let grant = "G".parse().unwrap();
        assert_eq!(super::signed_for(&scenario.world, &grant).unwrap(), Money::ZERO);
        step(scenario, "count", 100).refused("pledge.union_money");
    }

    #[test]
    fn the_parts_of_an_umbrella_do_not_exceed_it() {
        let part = r#""kind":"cash","state":"FI","part_of":"A""#;
        let scenario = made("A", 100, r#""kind":"cash","round":"R1""#);
        let scenario = make(scenario, "B", 60, part).recorded(&["pledge.Made"]);
        let scenario = make(scenario, "D", 41, part).refused("pledge.umbrella_exceeded");
        let scenario = make(scenario.at("/part_of"), "D", 40, part).recorded(&["pledge.Made"]);
        let raise = r#"{"pledge":"B","amount":"EUR 1","reason":"more"}"#;
        let scenario = scenario.when("pledge.raise", raise).refused("pledge.umbrella_exceeded");
        let scenario =
            scenario.done("pledge.raise", r#"{"pledge":"A","amount":"EUR 1","reason":"more"}"#);
        scenario.when("pledge.raise", raise).then(&["pledge.Raised"]);
    }

    #[test]
    fn a_part_is_of_one_kind_with_its_umbrella_and_has_no_parts() {
        let scenario = made("A", 100, r#""kind":"cash""#);
        let scenario = make(scenario, "B", 50, r#""kind":"in_kind","part_of":"A""#);
        let scenario = scenario.refused("pledge.other_umbrella");
        let scenario = make(scenario, "B", 50, r#""kind":"cash","part_of":"A""#);
        make(scenario, "D", 10, r#""kind":"cash","part_of":"B""#).refused("pledge.nested");
    }

    #[test]
    fn an_umbrella_and_its_parts_are_the_same_money() {
        let scenario = step(made("A", 100, r#""kind":"cash","grant":"G""#), "sign", 50);
        let part = r#""kind":"cash","grant":"G","state":"FI","part_of":"A""#;
        let scenario = make(scenario, "B", 80, part).recorded(&["pledge.Made"]);
        let scenario = scenario.done("pledge.sign", r#"{"pledge":"B","amount":"EUR 80"}"#);
        let signed = super::signed_for(&scenario.world, &"G".parse().unwrap()).unwrap();
        assert_eq!(signed, Money::euro(80));
    }

    #[test]
    fn what_was_counted_or_divided_is_not_withdrawn() {
        let withdraw = r#"{"pledge":"A","reason":"budget cut"}"#;
        let mut counted = made("A", 100, CASH);
        for verb in ["sign", "report", "certify", "count"] {
            counted = step(counted, verb, 100);
        }
        let counted = counted.by(Role::NationalAuthority).when("pledge.withdraw", withdraw);
        counted.refused("pledge.already_counted");
        let part = r#""kind":"cash","part_of":"A""#;
        let divided = make(made("A", 100, r#""kind":"cash""#), "B", 1, part);
        let scenario = divided.when("pledge.withdraw", withdraw).refused("pledge.has_parts");
        let scenario = scenario.done("pledge.withdraw", r#"{"pledge":"B","reason":"r"}"#);
        scenario
            .when("pledge.withdraw", withdraw)
            .recorded(&["pledge.Withdrawn"])
            .when("pledge.sign", r#"{"pledge":"A","amount":"EUR 1"}"#)
            .refused("command.wrong_state");
    }
}
