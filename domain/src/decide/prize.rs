//! Decides a contest: the ranking of the contestants, and the split of money and compute time among the
//! winners, to the cent and to the second.

use crate::decide::prelude::*;
use crate::facts::prize::{Contestant, Event, Part, Phase, Prize};
use crate::rulebook::{CallKind, Document};
use std::sync::Arc;

/// The most contestants that can be ranked or awarded at once.
pub const CONTESTANTS_MAX: usize = 200;

refusals! {
    Rejection of "prize"

    under OURS, "rules are data (rules.md#rules-are-data)" => {
        OtherRules = "the rules document is not for a prize" as Malformed;
    }

    under OURS, "a prize is split to the cent and the second (rules.md#prize-split)" => {
        NoWinners = "a prize must have 1 to {CONTESTANTS_MAX} winners";
        HalfABudget = "fund, line and source are named together or not at all" as Malformed;
        Negative(Money) = "an amount may not be negative; got {0}";
    }

    under OURS, "every input has a limit (rules.md#limits)" => {
        BadList(String)
            = "a list names 1 to {CONTESTANTS_MAX} different contestants; see {0}" as Malformed;
    }

    under OURS, "a prize is split to the cent and the second (rules.md#prize-split)" => {
        BadRank(u32) = "ranks begin at 1 and skip as many as are equal; got {0}";
        TooManyWinners { asked: usize, max: u32 }
            = "{asked} winners are more than the {max} that the prize has";
        NotRanked(ContestantKey) = "{0} is not in the ranking";
        PassedOver { skipped: ContestantKey, winner: ContestantKey }
            = "{skipped} ranks above {winner} and must win too";
        NotTheWhole { sum: String, whole: String }
            = "the parts add up to {sum}, but the prize is {whole}";
        EvenAndParts = "give either an even split or the parts, not both" as Malformed;
        ExtraForWinner(ContestantKey) = "{0} is a winner; an extra award is for those who are not";
        ExtraFromThePool = "an extra award comes from another pool than the prize";
    }
}

commands! {
    |it| it.prize, Phase;

    Open "prize.open" "Open a contest with its rules and its prize"
        by [ProgrammeOfficer] in [new] needs [Document]
        under FR, "prizes: rules of the contest first";
    Rank "prize.rank" "Record the ranking of the jury"
        by [PanelChair] in [Open] under OURS, "a prize follows its ranking (rules.md#prize-ranking)";
    Award "prize.award" "Split the prize among the winners, exactly"
        by [GoverningBoard] in [Ranked]
        under OURS, "a prize is split to the cent and the second (rules.md#prize-split)";
}

/// Opens a contest.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// Compute time to be shared, of a pool of machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute: Option<ComputeTime>,
    /// The fund that pays, with line and source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fund: Option<FundId>,
    /// Its budget line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<BudgetLine>,
    /// Money to be shared.
    pub money: Money,
    /// The prize.
    pub prize: PrizeId,
    /// The rules that it keeps, of kind `prize`.
    pub rules: Document,
    /// Whose money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<FundSource>,
    /// Full name.
    #[schemars(length(min = 1, max = 2000))]
    pub title: String,
    /// At most so many winners.
    #[schemars(range(min = 1, max = 200))]
    pub winners_max: u32,
}

impl Attached for Open {
    fn document(&self) -> &impl Written {
        &self.rules
    }
}

impl Decide for Open {
    fn decide(&self, _: &World, _: &Meta) -> Decision {
        check_text("title", &self.title)?;
        crate::decide::call::check_rules(&self.rules)?;
        if self.rules.kind != CallKind::Prize {
            return Err(Refusal::from(Rejection::OtherRules).at("/rules/kind"));
        }
        let winners = usize::try_from(self.winners_max).unwrap_or(usize::MAX);
        if winners == 0 || winners > CONTESTANTS_MAX {
            return Err(Refusal::from(Rejection::NoWinners).at("/winners_max"));
        }
        if self.money.is_negative() {
            return Err(Refusal::from(Rejection::Negative(self.money)).at("/money"));
        }
        if let Some(compute) = &self.compute {
            compute.check().map_err(|error| Refusal::from(error).at("/compute"))?;
        }
        let named = [self.fund.is_some(), self.line.is_some(), self.source.is_some()];
        if named.contains(&true) && named.contains(&false) {
            return Err(Refusal::from(Rejection::HalfABudget).at("/fund"));
        }
        let event = Event::Opened {
            compute: self.compute.clone(),
            fund: self.fund.clone(),
            line: self.line.clone(),
            money: self.money,
            rules: Arc::new(self.rules.clone()),
            source: self.source.clone(),
            title: self.title.clone(),
            winners_max: self.winners_max,
        };
        Ok(vec![NewEvent::on(&self.prize, event)])
    }
}

/// Records the ranking of the jury.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rank {
    /// The prize.
    pub prize: PrizeId,
    /// The contestants; equal ranks are possible, as in 1, 1, 3.
    #[schemars(length(min = 1, max = 200))]
    pub ranking: Vec<Contestant>,
}

impl Decide for Rank {
    fn decide(&self, _: &World, _: &Meta) -> Decision {
        check_contestants("ranking", self.ranking.iter().map(|one| &one.contestant))?;
        let mut ranking = self.ranking.clone();
        ranking.sort_by(|a, b| (a.rank, &a.contestant).cmp(&(b.rank, &b.contestant)));
        let mut expected = 1;
        for (place, one) in (1..).zip(&ranking) {
            if one.rank != expected && one.rank != place {
                return Err(Refusal::from(Rejection::BadRank(one.rank)).at("/ranking"));
            }
            expected = one.rank;
        }
        Ok(vec![NewEvent::on(&self.prize, Event::Ranked { ranking })])
    }
}

fn check_contestants<'a>(
    field: &'static str,
    contestants: impl Iterator<Item = &'a ContestantKey>,
) -> Result<(), Refusal> {
    let bad = |what: String| Refusal::from(Rejection::BadList(what)).at(format!("/{field}"));
    let mut seen = BTreeSet::new();
    for contestant in contestants {
        if !seen.insert(contestant) {
            return Err(bad(contestant.to_string()));
        }
    }
    if seen.is_empty() || seen.len() > CONTESTANTS_MAX {
        return Err(bad(field.to_owned()));
    }
    Ok(())
}

/// Splits the prize among the winners.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Award {
    /// In equal parts; what does not divide goes to those named first.
    #[serde(default)]
    pub even: bool,
    /// What contestants beyond the winners get, from other pools than the prize.
    #[serde(default)]
    #[schemars(length(max = 200))]
    pub extra: Vec<Extra>,
    /// The prize.
    pub prize: PrizeId,
    /// The winners, each with its part unless the split is even.
    #[schemars(length(min = 1, max = 200))]
    pub split: Vec<Part>,
}

/// Compute time for a contestant beyond the winners.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Extra {
    /// Compute time of another pool.
    pub compute: ComputeTime,
    /// The contestant.
    pub contestant: ContestantKey,
}

impl Decide for Award {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let prize = world.find(&world.prizes, &self.prize)?;
        check_contestants("split", self.split.iter().map(|part| &part.contestant))?;
        self.check_winners(prize)?;
        let split = if self.even { self.even_split(prize)? } else { self.split.clone() };
        check_whole(prize, &split)?;
        let mut events = vec![NewEvent::on(&self.prize, Event::Awarded { split })];
        if !self.extra.is_empty() {
            check_contestants("extra", self.extra.iter().map(|extra| &extra.contestant))?;
        }
        for (index, extra) in self.extra.iter().enumerate() {
            self.check_extra(prize, extra)
                .map_err(|refusal| refusal.at(format!("/extra/{index}")))?;
            let (compute, contestant) = (extra.compute.clone(), extra.contestant.clone());
            let event = Event::ExtraAwarded { compute, contestant };
            events.push(NewEvent::on(&self.prize, event));
        }
        Ok(events)
    }
}

impl Award {
    fn wins(&self, contestant: &ContestantKey) -> bool {
        self.split.iter().any(|part| part.contestant == *contestant)
    }

    /// The winners are ranked, not too many, and nobody better ranked is passed over.
    fn check_winners(&self, prize: &Prize) -> Result<(), Refusal> {
        let at = |rejection: Rejection| Refusal::from(rejection).at("/split");
        let (asked, max) = (self.split.len(), prize.winners_max);
        if u32::try_from(asked).is_ok_and(|asked| asked > max) {
            return Err(at(Rejection::TooManyWinners { asked, max }));
        }
        let mut last: Option<&Contestant> = None;
        for part in &self.split {
            let winner = prize.place(&part.contestant).map_err(at)?;
            last = last.into_iter().chain([winner]).max_by_key(|one| one.rank);
        }
        let Some(last) = last else { return Ok(()) };
        let better = |one: &&Contestant| one.rank < last.rank && !self.wins(&one.contestant);
        match prize.ranking.iter().find(better) {
            Some(skipped) => {
                let (skipped, winner) = (skipped.contestant.clone(), last.contestant.clone());
                Err(at(Rejection::PassedOver { skipped, winner }))
            }
            None => Ok(()),
        }
    }

    fn even_split(&self, prize: &Prize) -> Result<Vec<Part>, Refusal> {
        if self.split.iter().any(|part| part.money.is_some() || part.compute.is_some()) {
            return Err(Refusal::from(Rejection::EvenAndParts).at("/split"));
        }
        let weights = vec![1; self.split.len()];
        let money = prize.money.split(&weights);
        let seconds = prize.compute.as_ref().map(|whole| even_parts(whole.seconds, weights.len()));
        let parts = self.split.iter().enumerate().map(|(index, part)| {
            let compute = prize.compute.as_ref().zip(seconds.as_ref());
            Part {
                compute: compute.map(|(whole, seconds)| ComputeTime {
                    seconds: seconds[index],
                    ..whole.clone()
                }),
                contestant: part.contestant.clone(),
                money: money.get(index).copied().filter(|money| money.is_positive()),
            }
        });
        Ok(parts.collect())
    }

    fn check_extra(&self, prize: &Prize, extra: &Extra) -> Result<(), Refusal> {
        extra.compute.check()?;
        prize.place(&extra.contestant)?;
        if self.wins(&extra.contestant) {
            return Err(Rejection::ExtraForWinner(extra.contestant.clone()).into());
        }
        let own = prize.compute.as_ref();
        if own.is_some_and(|own| own.partition == extra.compute.partition) {
            return Err(Rejection::ExtraFromThePool.into());
        }
        Ok(())
    }
}

/// Parts that differ by at most one and add up; the larger ones first.
fn even_parts(whole: i64, count: usize) -> Vec<i64> {
    let count = i64::try_from(count).unwrap_or(i64::MAX).max(1);
    (0..count).map(|index| whole / count + i64::from(index < whole % count)).collect()
}

/// The parts make the whole, in money and in compute time.
fn check_whole(prize: &Prize, split: &[Part]) -> Result<(), Refusal> {
    let not = |sum: String, whole: String| {
        Refusal::from(Rejection::NotTheWhole { sum, whole }).at("/split")
    };
    let mut money = Money::new(prize.money.currency(), 0)?;
    for amount in split.iter().filter_map(|part| part.money) {
        if amount.is_negative() {
            return Err(Refusal::from(Rejection::Negative(amount)).at("/split"));
        }
        money = money.plus(amount)?;
    }
    if money != prize.money {
        return Err(not(money.to_string(), prize.money.to_string()));
    }
    let parts: Vec<&ComputeTime> = split.iter().filter_map(|part| part.compute.as_ref()).collect();
    let Some(whole) = &prize.compute else {
        return match parts.first() {
            Some(part) => Err(not(part.to_string(), "without compute time".to_owned())),
            None => Ok(()),
        };
    };
    let mut sum = ComputeTime { seconds: 0, ..whole.clone() };
    for part in parts {
        part.check()?;
        sum = sum.plus(part)?;
    }
    if sum == *whole { Ok(()) } else { Err(not(sum.to_string(), whole.to_string())) }
}

impl Prize {
    /// The place of a contestant in the ranking.
    fn place(&self, contestant: &ContestantKey) -> Result<&Contestant, Rejection> {
        self.ranking
            .iter()
            .find(|one| one.contestant == *contestant)
            .ok_or_else(|| Rejection::NotRanked(contestant.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::actor::Role;
    use crate::testing::round::rules;
    use crate::testing::{Scenario, given};

    const WINNERS: [&str; 4] = ["Lingua Custodia", "Tilde", "Textgain", "Unbabel"];

    fn opening() -> String {
        let rules = rules("grand-challenge");
        let seconds = 8_000_000_i64 * 3600;
        format!(
            r#"{{"prize":"P","title":"A prize","rules":{rules},"money":"EUR 1000000","winners_max":4,
                "compute":{{"partition":"LUMI+LEONARDO","seconds":{seconds},"unit":"gpu"}}}}"#
        )
    }

    /// The published ranking: four winners of equal rank, and a fifth.
    fn ranking(last: u32) -> String {
        let place = |name: &str, rank: u32| {
            format!(r#"{{"contestant":"{name}","country":"FR","rank":{rank}}}"#)
        };
        let mut places: Vec<String> = WINNERS.iter().map(|name| place(name, 1)).collect();
        places.push(place("Multiverse Computing", last));
        format!(r#"{{"prize":"P","ranking":[{}]}}"#, places.join(","))
    }

    fn ranked() -> Scenario {
        given()
            .done("prize.open", &opening())
            .by(Role::PanelChair)
            .done("prize.rank", &ranking(5))
            .by(Role::GoverningBoard)
    }

    fn award(even: bool, names: &[&str], part: &str, extra: &str) -> String {
        let parts: Vec<String> =
            names.iter().map(|name| format!(r#"{{"contestant":"{name}"{part}}}"#)).collect();
        let split = parts.join(",");
        format!(r#"{{"prize":"P","even":{even},"split":[{split}],"extra":[{extra}]}}"#)
    }

    fn extra(name: &str, pool: &str) -> String {
        let compute = format!(r#"{{"partition":"{pool}","seconds":2880000000,"unit":"gpu"}}"#);
        format!(r#"{{"contestant":"{name}","compute":{compute}}}"#)
    }

    #[test]
    fn the_grand_challenge_is_split_evenly_and_the_fifth_has_another_pool() {
        let extra = extra("Multiverse Computing", "MareNostrum 5");
        let scenario = ranked().when("prize.award", &award(true, &WINNERS, "", &extra));
        let scenario = scenario.recorded(&["prize.Awarded", "prize.ExtraAwarded"]);
        let prize = scenario.world.prizes.values().next().unwrap();
        for part in &prize.split {
            assert_eq!(part.money, Some(Money::euro(250_000)));
            assert_eq!(part.compute.as_ref().unwrap().seconds, 2_000_000 * 3600);
        }
        assert_eq!(prize.extra[0].compute.as_ref().unwrap().seconds, 800_000 * 3600);
    }

    #[test]
    fn what_does_not_divide_goes_to_those_named_first() {
        assert_eq!(even_parts(10, 4), [3, 3, 2, 2]);
        let names = &WINNERS[..3];
        let scenario = ranked().when("prize.award", &award(true, names, "", ""));
        let scenario = scenario.recorded(&["prize.Awarded"]);
        let prize = scenario.world.prizes.values().next().unwrap();
        let cents: Vec<i64> =
            prize.split.iter().map(|part| part.money.unwrap().in_cents()).collect();
        assert_eq!(cents, [33_333_334, 33_333_333, 33_333_333]);
    }

    #[test]
    fn the_parts_make_the_whole() {
        let seconds = 2_000_000_i64 * 3600;
        let part = |euro: u32, seconds: i64| {
            format!(
                r#","money":"EUR {euro}","compute":
                    {{"partition":"LUMI+LEONARDO","seconds":{seconds},"unit":"gpu"}}"#
            )
        };
        for (euro, seconds) in [(249_999, seconds), (250_000, seconds - 1)] {
            let payload = award(false, &WINNERS, &part(euro, seconds), "");
            ranked().when("prize.award", &payload).refused("prize.not_the_whole").at("/split");
        }
        let other = part(250_000, seconds).replace("gpu", "node");
        let scenario = ranked().when("prize.award", &award(false, &WINNERS, &other, ""));
        let exact = award(false, &WINNERS, &part(250_000, seconds), "");
        let scenario = scenario.refused("command.amount").when("prize.award", &exact);
        scenario
            .then(&["prize.Awarded"])
            .when("prize.award", &exact)
            .refused("command.wrong_state");
    }

    #[test]
    fn winners_follow_the_ranking() {
        let five = [&WINNERS[..], &["Multiverse Computing"]].concat();
        let cases = [
            (award(true, &five, "", ""), "prize.too_many_winners"),
            (award(true, &["Nobody"], "", ""), "prize.not_ranked"),
            (award(true, &["Multiverse Computing"], "", ""), "prize.passed_over"),
            (award(true, &["Tilde", "Tilde"], "", ""), "prize.bad_list"),
            (award(true, &WINNERS, r#","money":"EUR 1""#, ""), "prize.even_and_parts"),
            (award(true, &WINNERS, "", &extra("Tilde", "MareNostrum 5")), "prize.extra_for_winner"),
            (
                award(true, &WINNERS, "", &extra("Multiverse Computing", "LUMI+LEONARDO")),
                "prize.extra_from_the_pool",
            ),
        ];
        for (payload, code) in cases {
            ranked().when("prize.award", &payload).refused(code);
        }
    }

    #[test]
    fn ranks_skip_as_many_as_are_equal() {
        let opened = || given().done("prize.open", &opening()).by(Role::PanelChair);
        for last in [2, 4, 6] {
            opened().when("prize.rank", &ranking(last)).refused("prize.bad_rank").at("/ranking");
        }
        opened().when("prize.rank", &ranking(5)).then(&["prize.Ranked"]);
    }

    #[test]
    fn a_contest_opens_with_rules_of_a_prize_and_a_whole_budget() {
        let cases = [
            (opening().replace(r#""kind":"prize""#, r#""kind":"access""#), "call.bad_rules"),
            (
                opening().replace(r#""kind":"prize""#, r#""kind":"expression_of_interest""#),
                "prize.other_rules",
            ),
            (opening().replace(r#""winners_max":4"#, r#""winners_max":0"#), "prize.no_winners"),
            (opening().replace("EUR 1000000", "EUR -1"), "prize.negative"),
            (
                opening().replace(r#""prize":"P""#, r#""prize":"P","fund":"F""#),
                "prize.half_a_budget",
            ),
        ];
        for (payload, code) in cases {
            given().when("prize.open", &payload).refused(code);
        }
    }
}
