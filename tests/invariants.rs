//! What must always hold (ADR/rules.md), checked from the stored JSON alone, with arithmetic
//! and bookkeeping of its own: it shares no code with the rules that it checks.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Folds stored commits in order and reports the first breach of every invariant.
#[derive(Default)]
pub struct Checker {
    position: u64,
    recorded_at: String,
    command_ids: BTreeSet<String>,
    versions: BTreeMap<String, u64>,
    funds: BTreeMap<(String, String, String), Sums>,
    commitments: BTreeMap<(String, String), Commitment>,
    grants: BTreeMap<(String, String), Individual>,
    payments: BTreeMap<String, Payment>,
    pledges: BTreeMap<String, Pledge>,
    hosted: BTreeSet<String>,
    grant_rules: BTreeMap<String, Value>,
    cut_offs: BTreeMap<(String, String), jiff::Timestamp>,
    submissions: BTreeMap<String, Submission>,
    actions: BTreeMap<String, Action>,
    envelopes: BTreeMap<String, (i128, i128)>,
    offers: BTreeMap<(String, String, String), (i128, i128)>,
    matched: BTreeSet<(String, bool)>,
    entries: BTreeMap<(String, String), (i128, Option<String>)>,
    prizes: BTreeMap<String, Prize>,
    conflicts: BTreeSet<(String, String, String)>,
    reports: BTreeMap<(String, String, u64), String>,
    consensus: BTreeMap<(String, String), Vec<u64>>,
    allocations: BTreeMap<String, Allocation>,
}

#[derive(Default)]
struct Sums {
    appropriated: i128,
    committed: i128,
}

struct Commitment {
    line: (String, String, String),
    amount: i128,
    individual: i128,
}

#[derive(Default)]
struct Individual {
    commitment: String,
    amount: i128,
    legal: i128,
    paid: i128,
    /// What the payments themselves say.
    moved: i128,
}

#[derive(Default)]
struct Payment {
    kind: String,
    grant: String,
    fund: String,
    amount: i128,
    people: BTreeSet<String>,
}

/// One grant over all funds.
#[derive(Default)]
struct Action {
    signed: i128,
    before_balance: i128,
}

/// One proposal: to which call, when received, whether it waits for its cut-off.
#[derive(Default)]
struct Submission {
    call: String,
    received: Option<jiff::Timestamp>,
    waits: bool,
}

#[derive(Default)]
struct Prize {
    money: i128,
    seconds: i128,
}

#[derive(Default)]
struct Pledge {
    kind: String,
    pledged: i128,
    signed: i128,
    reported: i128,
    certified: i128,
    counted: i128,
}

#[derive(Default)]
struct Allocation {
    awarded: i128,
    used: BTreeMap<String, i128>,
    overrun: i128,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn fraction(text: &str) -> Option<(i128, i128)> {
    let (num, den) = text.split_once('/')?;
    Some((num.parse().ok()?, den.parse().ok()?))
}

/// Cents of an amount like `EUR -12.34`, by hand.
fn cents(value: &Value) -> i128 {
    let Some(amount) = value.as_str().and_then(|text| text.strip_prefix("EUR ")) else { return 0 };
    let (sign, digits) = amount.strip_prefix('-').map_or((1, amount), |rest| (-1, rest));
    let digits: String = digits.chars().filter(|c| *c != '.').collect();
    sign * digits.parse::<i128>().expect("an amount with two decimals")
}

fn seconds(value: &Value) -> i128 {
    i128::from(value["seconds"].as_i64().unwrap_or(0))
}

impl Checker {
    /// Takes the next stored commit in.
    pub fn check(&mut self, line: &str) -> Result<(), String> {
        let commit: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let at = |what: String| format!("position {}: {what}", commit["position"]);
        self.frame(&commit).map_err(at)?;
        for event in commit["events"].as_array().expect("events") {
            self.event(&commit, event).map_err(at)?;
        }
        self.sums().map_err(at)
    }

    /// 1: no gaps, nothing twice, time goes on; and versions of every stream.
    fn frame(&mut self, commit: &Value) -> Result<(), String> {
        self.position += 1;
        if commit["position"] != self.position {
            return Err(format!("a gap: expected {}", self.position));
        }
        let recorded_at = text(&commit["recorded_at"]);
        let instant = |text: &str| text.parse::<jiff::Timestamp>().expect("an instant");
        if !self.recorded_at.is_empty() && instant(&recorded_at) <= instant(&self.recorded_at) {
            return Err(format!("{recorded_at} is not after {}", self.recorded_at));
        }
        self.recorded_at = recorded_at;
        if !self.command_ids.insert(text(&commit["command_id"])) {
            return Err(format!("command {} decided twice", commit["command_id"]));
        }
        for event in commit["events"].as_array().expect("events") {
            let version = self.versions.entry(text(&event["stream"])).or_default();
            *version += 1;
            if event["version"] != *version {
                return Err(format!("{} has a gap at version {version}", event["stream"]));
            }
        }
        Ok(())
    }

    fn event(&mut self, commit: &Value, event: &Value) -> Result<(), String> {
        let stream = text(&event["stream"]);
        let id = stream.split_once('-').expect("category and id").1.to_owned();
        let (kind, data) = (text(&event["type"]), &event["data"]);
        let actor = &commit["actor"];
        match kind.split_once('.').expect("category and name").0 {
            "fund" => self.fund(&id, &kind, data),
            "payment" => self.payment(&id, &kind, data, actor),
            "pledge" => self.pledge(&id, &kind, data),
            "grant" => self.grant(&id, &kind, data),
            "call" | "proposal" => self.call(&id, &kind, commit, event),
            "evaluation" => self.evaluation(&id, &kind, data, &text(&actor["id"])),
            "allocation" => self.allocation(&id, &kind, data),
            "system" => self.system(&id, &kind, data),
            "statement" => self.statement(&id, &kind, data),
            "prize" => self.prize(&id, &kind, data),
            _ => Ok(()),
        }
    }

    fn fund(&mut self, id: &str, kind: &str, data: &Value) -> Result<(), String> {
        if !text(&data["amount"]).starts_with("EUR ") {
            return Err(format!("2: fund {id} books {}", data["amount"]));
        }
        let amount = cents(&data["amount"]);
        let line = (id.to_owned(), text(&data["line"]), text(&data["source"]));
        let key = (id.to_owned(), text(&data["commitment"]));
        let grant = (id.to_owned(), text(&data["grant"]));
        match kind {
            "fund.AppropriationVoted" | "fund.AppropriationIncreased" | "fund.CarriedIn" => {
                self.funds.entry(line).or_default().appropriated += amount;
            }
            "fund.CarriedOver" => self.funds.entry(line).or_default().appropriated -= amount,
            "fund.GloballyCommitted" => {
                self.funds.entry(line.clone()).or_default().committed += amount;
                self.commitments.insert(key, Commitment { line, amount, individual: 0 });
            }
            "fund.GlobalCommitmentIncreased" | "fund.GlobalDecommitted" => {
                let change = if kind.ends_with("Increased") { amount } else { -amount };
                let commitment = self.commitments.get_mut(&key).ok_or("no such commitment")?;
                commitment.amount += change;
                self.funds.entry(commitment.line.clone()).or_default().committed += change;
            }
            "fund.IndividuallyCommitted" => {
                let commitment =
                    self.commitments.get_mut(&key).ok_or("individual before global")?;
                commitment.individual += amount;
                let individual = self.grants.entry(grant).or_default();
                individual.commitment = key.1;
                individual.amount += amount;
            }
            "fund.LegallyCommitted" => {
                let individual = self.grants.get_mut(&grant).ok_or("7: legal before budgetary")?;
                individual.legal += amount;
            }
            "fund.Paid" => self.grants.get_mut(&grant).ok_or("paid, not committed")?.paid += amount,
            "fund.Returned" => self.grants.get_mut(&grant).ok_or("returned")?.paid -= amount,
            "fund.GrantDecommitted" => {
                let individual = self.grants.get_mut(&grant).ok_or("decommitted")?;
                individual.amount -= amount;
                individual.legal = individual.legal.min(individual.amount);
                let key = (grant.0, individual.commitment.clone());
                self.commitments.get_mut(&key).ok_or("commitment")?.individual -= amount;
            }
            other => return Err(format!("the checker does not know {other}")),
        }
        Ok(())
    }

    /// 2 and 3: sums, after every commit.
    fn sums(&self) -> Result<(), String> {
        for (line, sums) in &self.funds {
            let within: i128 =
                self.commitments.values().filter(|c| &c.line == line).map(|c| c.amount).sum();
            if within != sums.committed || sums.committed > sums.appropriated {
                return Err(format!(
                    "2: {line:?} committed {} of {}",
                    sums.committed, sums.appropriated
                ));
            }
        }
        for (key, commitment) in &self.commitments {
            let of = |(grant, i): (&(String, String), &Individual)| {
                if grant.0 == key.0 && i.commitment == key.1 { i.amount } else { 0 }
            };
            let individual: i128 = self.grants.iter().map(of).sum();
            if individual != commitment.individual || individual > commitment.amount {
                return Err(format!("2: {key:?} individual {individual} of {}", commitment.amount));
            }
        }
        for (grant, individual) in &self.grants {
            if individual.legal > individual.amount || individual.paid > individual.legal {
                return Err(format!(
                    "2, 3: {grant:?}: paid {}, legal {}, individual {}",
                    individual.paid, individual.legal, individual.amount
                ));
            }
            let (paid, moved) = (individual.paid, individual.moved);
            if paid < 0 || paid != moved {
                return Err(format!(
                    "3, 5: {grant:?}: the fund paid {paid}, payments moved {moved}"
                ));
            }
        }
        for (id, allocation) in &self.allocations {
            let used: i128 = allocation.used.values().sum();
            if used - allocation.awarded > allocation.overrun {
                return Err(format!("11: {id} used {used} of {}", allocation.awarded));
            }
        }
        for (offer, (offered, drawn)) in &self.offers {
            if drawn > offered || *drawn < 0 {
                return Err(format!("11: {drawn} of the {offered} of offer {offer:?} are awarded"));
            }
        }
        for (call, (envelope, awarded)) in &self.envelopes {
            if awarded > envelope {
                return Err(format!("2: call {call} awarded {awarded} of {envelope}"));
            }
        }
        Ok(())
    }

    /// 3, 5 and 6: advance payments below the limit, money booked where it moves, four people.
    fn payment(&mut self, id: &str, kind: &str, data: &Value, actor: &Value) -> Result<(), String> {
        let payment = self.payments.entry(id.to_owned()).or_default();
        if kind == "payment.Initiated" {
            payment.kind = text(&data["kind"]);
            payment.grant = text(&data["grant"]);
            payment.fund = text(&data["fund"]);
            payment.amount = cents(&data["amount"]);
        }
        let moves = match kind {
            "payment.Executed" => 1,
            "payment.Returned" => -1,
            "payment.Rejected" => return Ok(()),
            _ => 0,
        };
        if moves >= 0 {
            let [actor, other] = [&actor["id"], &actor["on_behalf_of"]];
            let other = Some(other).filter(|id| id.is_string() && *id != actor);
            for person in [actor].into_iter().chain(other) {
                if !payment.people.insert(text(person)) {
                    return Err(format!("6: {person} had two hands in payment {id}"));
                }
            }
        }
        let key = (payment.fund.clone(), payment.grant.clone());
        let out = if payment.kind == "recovery" { -1 } else { 1 };
        if moves != 0 && payment.amount != 0 {
            self.grants.entry(key).or_default().moved += moves * out * payment.amount;
        }
        if moves == 0 || !matches!(payment.kind.as_str(), "pre_financing" | "interim") {
            return Ok(());
        }
        let action = self.actions.entry(payment.grant.clone()).or_default();
        action.before_balance += moves * payment.amount;
        let rules = self.grant_rules.get(&payment.grant);
        let limit = rules.and_then(|rules| rules["payments"]["before_balance_max"].as_str());
        let (num, den) = limit.and_then(fraction).ok_or("3: paid without payment rules")?;
        if action.before_balance * den > action.signed * num {
            let (grant, paid) = (&payment.grant, action.before_balance);
            return Err(format!("3: grant {grant} has {paid} before its balance"));
        }
        Ok(())
    }

    /// 4: pledged >= signed >= reported >= certified >= counted; RRF money never counts.
    fn pledge(&mut self, id: &str, kind: &str, data: &Value) -> Result<(), String> {
        let pledge = self.pledges.entry(id.to_owned()).or_default();
        let amount = cents(&data["amount"]);
        match kind {
            "pledge.Made" => (pledge.kind, pledge.pledged) = (text(&data["kind"]), amount),
            "pledge.Raised" => pledge.pledged += amount,
            "pledge.Signed" => pledge.signed += amount,
            "pledge.Reported" => pledge.reported += amount,
            "pledge.Certified" => pledge.certified += amount,
            "pledge.Counted" => pledge.counted += amount,
            _ => {}
        }
        let steps =
            [pledge.pledged, pledge.signed, pledge.reported, pledge.certified, pledge.counted];
        if steps.windows(2).any(|pair| pair[0] < pair[1]) {
            return Err(format!("4: pledge {id} runs ahead: {steps:?}"));
        }
        if pledge.kind == "rrf" && pledge.counted > 0 {
            return Err(format!("4: pledge {id} counts Union money as national"));
        }
        Ok(())
    }

    /// 4 and 7: shares within their ceilings; hosting agreement before procurement.
    fn grant(&mut self, id: &str, kind: &str, data: &Value) -> Result<(), String> {
        match kind {
            "grant.Prepared" => {
                self.grant_rules.insert(id.to_owned(), data["rules"].clone());
            }
            "grant.HostingAgreed" => {
                self.hosted.insert(id.to_owned());
            }
            "grant.ProcurementStarted" if !self.hosted.contains(id) => {
                return Err(format!("7: grant {id} procures before its hosting agreement"));
            }
            "grant.Signed" | "grant.ContractSigned" => {
                let key = (text(&data["fund"]), id.to_owned());
                let individual = self.grants.get(&key).ok_or("7: signed before committed")?;
                if individual.legal > individual.amount {
                    return Err(format!("7: grant {id} is bound for more than is committed"));
                }
                self.actions.entry(id.to_owned()).or_default().signed += cents(&data["union"]);
            }
            "grant.BudgetSet" | "grant.Amended" | "grant.ReportAssessed" => {
                self.ceilings(id, data)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn ceilings(&self, id: &str, data: &Value) -> Result<(), String> {
        let items = [&data["items"], &data["budget"]["items"], &data["accepted"]];
        for item in items.into_iter().filter_map(Value::as_array).flatten() {
            let rules = self.grant_rules.get(id).cloned().unwrap_or_default();
            let Some(ceiling) = rules["funding"]["ceilings"][text(&item["item"])].as_str() else {
                continue;
            };
            let (num, den) = fraction(ceiling).expect("a fraction");
            if cents(&item["union"]) * den > cents(&item["total"]) * num {
                return Err(format!("4: grant {id}, item {}: beyond {ceiling}", item["item"]));
            }
        }
        Ok(())
    }

    /// 8: received by the cut-off's instant means in its round, and the other way round.
    fn call(&mut self, id: &str, kind: &str, commit: &Value, event: &Value) -> Result<(), String> {
        let data = &event["data"];
        let instant = |value: &Value| text(value).parse::<jiff::Timestamp>().expect("an instant");
        let submission = self.submissions.entry(id.to_owned()).or_default();
        match kind {
            "proposal.Drafted" => submission.call = text(&data["call"]),
            "proposal.Submitted" => {
                submission.received = Some(instant(&data["received_at"]));
                submission.waits = true;
            }
            "proposal.Withdrawn" | "proposal.Admitted" => submission.waits = false,
            "call.CutOffClosed" => {
                let at = instant(&event["effective_at"]);
                self.cut_offs.insert((id.to_owned(), text(&data["cut_off"])), at);
                let in_time = self.submissions.iter().filter(|(_, one)| {
                    one.call == id
                        && one.waits
                        && one.received.is_some_and(|received| received <= at)
                });
                let expected: BTreeSet<String> = in_time.map(|(id, _)| id.clone()).collect();
                let admitted = data["admitted"].as_array().expect("admitted").iter();
                let admitted: BTreeSet<String> = admitted.map(text).collect();
                if admitted != expected {
                    return Err(format!("8: {admitted:?} are admitted, {expected:?} were in time"));
                }
            }
            "call.AdmittedAfterClosing" => {
                let closed = &self.cut_offs[&(id.to_owned(), text(&data["cut_off"]))];
                let received = self.submissions[&text(&data["proposal"])].received;
                if received.is_none_or(|received| received > *closed) {
                    return Err(format!("8: {} was received after {closed}", data["proposal"]));
                }
            }
            "call.Opened" if data["budget"].is_object() => {
                let envelope = cents(&data["budget"]["envelope"]);
                self.envelopes.insert(id.to_owned(), (envelope, 0));
            }
            "call.BudgetRaised" => {
                self.envelopes.get_mut(id).ok_or("raised without a budget")?.0 +=
                    cents(&data["by"]);
            }
            "call.ReserveActivated" => self.spend(id, cents(&data["union"])),
            "call.RoundAwarded" => {
                let awarded = commit["events"].as_array().expect("events").iter();
                let funded = data["funded"].as_array().expect("funded");
                let awards = awarded.filter(|event| event["type"] == "proposal.Awarded").count();
                if awards != funded.len() {
                    return Err(format!("an award of {} touches {awards}", funded.len()));
                }
                self.spend(id, funded.iter().map(|one| cents(&one["union"])).sum());
            }
            _ => {}
        }
        Ok(())
    }

    fn spend(&mut self, call: &str, amount: i128) {
        if amount != 0 {
            self.envelopes.entry(call.to_owned()).or_default().1 += amount;
        }
    }

    /// 5 and 11: offers, statements and prizes add up.
    fn system(&mut self, id: &str, kind: &str, data: &Value) -> Result<(), String> {
        let key = (id.to_owned(), text(&data["offer"]), text(&data["partition"]));
        let amount = i128::from(data["seconds"].as_i64().unwrap_or(0));
        match kind {
            "system.Offered" | "system.OfferAmended" => {
                self.offers.entry(key).or_default().0 = amount;
            }
            "system.OfferDrawn" => self.offers.entry(key).or_default().1 += amount,
            "system.OfferReturned" => self.offers.entry(key).or_default().1 -= amount,
            _ => {}
        }
        Ok(())
    }

    fn statement(&mut self, id: &str, kind: &str, data: &Value) -> Result<(), String> {
        let key = (id.to_owned(), text(&data["entry"]));
        if kind == "statement.Imported" {
            let entries = data["entries"].as_array().expect("entries");
            let sum: i128 = entries.iter().map(|entry| cents(&entry["amount"])).sum();
            if cents(&data["opening"]) + sum != cents(&data["closing"]) {
                return Err(format!("5: statement {id} does not prove its cash"));
            }
            for entry in entries {
                let key = (id.to_owned(), text(&entry["entry"]));
                self.entries.insert(key, (cents(&entry["amount"]), None));
            }
            return Ok(());
        }
        let (amount, with) = self.entries.get_mut(&key).ok_or("5: no such entry")?;
        let hand = (text(&data["payment"]), *amount > 0);
        if kind == "statement.Matched" {
            if with.replace(hand.0.clone()).is_some() || !self.matched.insert(hand) {
                return Err(format!("5: {} of {id} is matched twice", key.1));
            }
        } else if with.take().is_none() || !self.matched.remove(&hand) {
            return Err(format!("5: {} of {id} was not matched", key.1));
        }
        Ok(())
    }

    fn prize(&mut self, id: &str, kind: &str, data: &Value) -> Result<(), String> {
        let prize = self.prizes.entry(id.to_owned()).or_default();
        if kind == "prize.Opened" {
            *prize = Prize { money: cents(&data["money"]), seconds: seconds(&data["compute"]) };
        }
        if kind == "prize.Awarded" {
            let split = data["split"].as_array().expect("parts");
            let money: i128 = split.iter().map(|part| cents(&part["money"])).sum();
            let time: i128 = split.iter().map(|part| seconds(&part["compute"])).sum();
            if (money, time) != (prize.money, prize.seconds) {
                return Err(format!("5: the parts of prize {id} make {money} and {time}"));
            }
        }
        Ok(())
    }

    /// 9: nothing of an expert in conflict counts, whenever it is learnt.
    fn evaluation(
        &mut self,
        id: &str,
        kind: &str,
        data: &Value,
        actor: &str,
    ) -> Result<(), String> {
        let (expert, proposal) = (text(&data["expert"]), text(&data["proposal"]));
        match kind {
            "evaluation.ConflictDeclared" => {
                for number in data["void_reports"].as_array().expect("numbers") {
                    self.reports.remove(&(
                        id.to_owned(),
                        proposal.clone(),
                        number.as_u64().expect("a number"),
                    ));
                }
                if data["void_consensus"] == true {
                    self.consensus.remove(&(id.to_owned(), proposal.clone()));
                }
                self.conflicts.insert((id.to_owned(), expert, proposal));
            }
            "evaluation.ReportSubmitted" => {
                if self.conflicts.contains(&(id.to_owned(), expert.clone(), proposal.clone())) {
                    return Err(format!("9: {expert} reports on {proposal} in conflict"));
                }
                let number = data["number"].as_u64().expect("a number");
                self.reports.insert((id.to_owned(), proposal, number), expert);
            }
            "evaluation.ConsensusReached" => {
                let rapporteur = (id.to_owned(), actor.to_owned(), proposal.clone());
                if self.conflicts.contains(&rapporteur) {
                    return Err(format!(
                        "9: {actor} writes the consensus on {proposal} in conflict"
                    ));
                }
                let numbers = data["reports"].as_array().expect("numbers");
                let numbers: Vec<u64> = numbers.iter().filter_map(Value::as_u64).collect();
                self.consensus.insert((id.to_owned(), proposal), numbers);
            }
            "evaluation.Ranked" => {
                for place in data["ranking"].as_array().expect("places") {
                    let chair = (id.to_owned(), actor.to_owned(), text(&place["proposal"]));
                    if self.conflicts.contains(&chair) {
                        return Err(format!("9: {actor} ranks {} in conflict", place["proposal"]));
                    }
                }
                for ((_, proposal), numbers) in self.consensus.iter().filter(|((e, _), _)| e == id)
                {
                    for number in numbers {
                        let key = (id.to_owned(), proposal.clone(), *number);
                        let expert = self.reports.get(&key).ok_or("9: a void report counts")?;
                        if self.conflicts.contains(&(
                            id.to_owned(),
                            expert.clone(),
                            proposal.clone(),
                        )) {
                            return Err(format!("9: {expert}'s report on {proposal} counts"));
                        }
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// 11: used <= awarded, or an overrun says by how much.
    fn allocation(&mut self, id: &str, kind: &str, data: &Value) -> Result<(), String> {
        let allocation = self.allocations.entry(id.to_owned()).or_default();
        match kind {
            "allocation.Awarded" | "allocation.GrantedDirectly" => {
                allocation.awarded = seconds(&data["time"]);
            }
            "allocation.Extended" => allocation.awarded += seconds(&data["added"]),
            "allocation.UsageRecorded" | "allocation.UsageCorrected" => {
                allocation.used.insert(text(&data["period"]), seconds(&data["time"]));
            }
            "allocation.Overrun" => allocation.overrun = seconds(&data["by"]),
            _ => {}
        }
        Ok(())
    }
}
