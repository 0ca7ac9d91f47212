//! The story of the AI Factories call, in the order in which it happened.

use super::facts::{Claim, Contestant, Round, derived, facts, fixture, published, slug, sourced};
use super::player::{ACCESS, AUTHORISING, BOARD, DemoError, OFFICER, Person, Player};
use super::round::{self, Entrant, Stageplay};
use domain::kernel::actor::{Confidence, Role};
use domain::kernel::money::{Money, Rate};
use serde_json::{Map, Value, json};

const CALL: &str = "EUROHPC-2024-CEI-AI";
const ANTENNAS: &str = "HORIZON-JU-EUROHPC-2025-AIFA-01";
const FUND: &str = "EUROHPC-AI";
const LINE: &str = "AI Factories";
const ANTENNA_LINE: &str = "AI Factory Antennas";
/// Digital Europe and Horizon Europe together: their split was never published.
const UNION: &str = "Union";

/// Tells it all.
///
/// # Errors
/// When a command is refused that the story needs, or the log fails.
pub async fn tell(player: &mut Player) -> Result<(), DemoError> {
    machines(player).await?;
    grand_challenge(player).await?;
    opening(player).await?;
    first_round(player).await?;
    second_round(player).await?;
    access(player).await?;
    calendar_and_antennas(player).await?;
    third_round(player).await?;
    antennas_decided(player).await?;
    contracts(player).await
}

async fn machines(player: &mut Player) -> Result<(), DemoError> {
    player.until("2023-11-16T09:00:00").await?;
    let note = "in service by then; the day of its registration is not a published fact";
    let mut systems: Vec<&str> = Vec::new();
    for partition in &facts().partitions {
        if !systems.contains(&partition.system.as_str()) {
            systems.push(&partition.system);
        }
    }
    for system in systems {
        let rows: Vec<_> = facts().partitions.iter().filter(|row| row.system == system).collect();
        let partitions: Vec<Value> = rows
            .iter()
            .map(|row| {
                let mut partition = json!({
                    "partition": row.partition, "nodes": row.nodes, "gpus_per_node": row.gpus_per_node,
                });
                if !row.gpu.is_empty() {
                    partition["gpu"] = json!(row.gpu);
                }
                partition
            })
            .collect();
        let data =
            json!({"system": slug(system), "country": rows[0].country, "partitions": partitions});
        player.tell(ACCESS, "system.register", data, published(&rows[0].source, note)).await?;
    }
    Ok(())
}

async fn grand_challenge(player: &mut Player) -> Result<(), DemoError> {
    let prize = "AI-GRAND-CHALLENGE";
    let winners: Vec<_> = facts().challenge.iter().filter(|row| row.rank == 1).collect();
    let hours: i64 = winners.iter().map(|row| row.compute_hours).sum();
    let money = Money::euro(1_000_000);
    let open = json!({
        "prize": prize, "title": "Large AI Grand Challenge", "rules": round::shipped("grand-challenge"),
        "money": money, "compute": pool(&winners[0].systems, hours), "winners_max": winners.len(),
    });
    player.tell(OFFICER, "prize.open", open, published("ehpc-gc", "")).await?;
    player.until("2024-04-17T10:00:00").await?;
    offers(player, "Extreme 2024").await?;
    player.until("2024-06-26T12:00:00").await?;
    let ranking: Vec<Value> = facts()
        .challenge
        .iter()
        .map(|row| json!({"contestant": slug(&row.winner), "country": row.country, "rank": row.rank}))
        .collect();
    let rank = json!({"prize": prize, "ranking": ranking});
    player
        .tell(Person("jury", Role::PanelChair), "prize.rank", rank, published("ehpc-gc", ""))
        .await?;
    let part = |row: &Contestant| json!({"contestant": slug(&row.winner), "compute": pool(&row.systems, row.compute_hours)});
    let split: Vec<Value> = winners
        .iter()
        .map(|row| {
            let mut part = part(row);
            part["money"] = json!(row.prize_eur);
            part
        })
        .collect();
    let extra: Vec<Value> = facts().challenge.iter().filter(|row| row.rank > 1).map(part).collect();
    let award = json!({"prize": prize, "split": split, "extra": extra});
    let note = "the even split over the four winners is unconfirmed";
    let receipt = player.tell(BOARD, "prize.award", award, sourced("ehpc-gc", "m", note)).await?;
    player.milestone(
        receipt.position,
        Confidence::Unconfirmed,
        "AI Grand Challenge: EUR 1 000 000 and 8 000 000 GPU-hours over four winners; a fifth gets 800 000 h",
    );
    Ok(())
}

/// Hours of a pool of machines.
fn pool(systems: &str, hours: i64) -> Value {
    json!({"partition": systems.replace(' ', "+"), "unit": "gpu", "seconds": hours * 3600})
}

async fn offers(player: &mut Player, call: &str) -> Result<(), DemoError> {
    for row in facts().offers.iter().filter(|row| row.call == call) {
        let system = facts().partitions.iter().find(|p| p.partition == row.partition);
        let Some(system) = system else { continue };
        let mut data = json!({
            "system": slug(&system.system), "offer": row.call, "partition": row.partition,
            "unit": "node", "seconds": row.offered_node_h * 3600,
        });
        if let Some(hours) = row.min_node_h {
            data["min_seconds"] = json!(hours * 3600);
        }
        if let Some(hours) = row.max_node_h {
            data["max_seconds"] = json!(hours * 3600);
        }
        player.tell(ACCESS, "system.offer", data, published(&row.source, "")).await?;
    }
    Ok(())
}

async fn opening(player: &mut Player) -> Result<(), DemoError> {
    player.until("2024-09-10T10:00:00").await?;
    let envelope = Money::euro(1_000_000_000);
    let vote = json!({"fund": FUND, "line": LINE, "source": UNION, "amount": envelope});
    let evidence = published(
        "seed",
        "nearly a billion from Digital Europe and Horizon Europe; their split was not published",
    );
    player.tell(BOARD, "fund.vote_appropriation", vote, evidence).await?;
    let open = json!({
        "call": CALL, "title": "AI Factories", "rules": round::shipped("ai-factories"),
        "cut_offs": [
            {"key": "R1", "at": luxembourg("2024-11-04T17:00:00")},
            {"key": "R2", "at": luxembourg("2025-02-01T17:00:00")},
            {"key": "R3", "at": luxembourg("2025-05-02T17:00:00")},
        ],
        "opens_until": luxembourg("2025-12-31T17:00:00"),
        "budget": {"fund": FUND, "line": LINE, "source": UNION, "envelope": envelope},
    });
    let note = "first cut-off 4 November 2024, then every three months; 1 February 2025 as published later; 2 May 2025 is from memory";
    let receipt = player.tell(OFFICER, "call.open", open, published("ehpc-launch", note)).await?;
    player.milestone(
        receipt.position,
        Confidence::Published,
        "the call opens; the Union brings EUR 1 000 000 000, the Member States as much",
    );
    Ok(())
}

fn luxembourg(local: &str) -> Value {
    json!({"local": local, "zone": "Europe/Luxembourg"})
}

fn entrants(round: &str) -> Vec<Entrant> {
    let rows = facts().factories.iter().filter(|row| row.round == round);
    rows.map(|row| Entrant {
        acronym: row.acronym.clone(),
        country: Some(row.country.clone()),
        partners: row.partner_countries.split_whitespace().map(str::to_owned).collect(),
        kind: Some(row.kind.to_ascii_lowercase()),
        experimental: row.experimental_platform,
    })
    .collect()
}

async fn first_round(player: &mut Player) -> Result<(), DemoError> {
    let play = Stageplay {
        call: CALL,
        rules: "ai-factories",
        cut_off: "R1",
        submitted: "2024-10-28T11:00:00",
        closed: "2024-11-05T09:00:00",
        ranked: "2024-12-02T16:00:00",
        below: 0,
    };
    let entrants = entrants("1");
    round::submit(player, &play, &entrants).await?;
    round::evaluate(player, &play, &entrants).await?;
    player.until("2024-12-10T12:00:00").await?;
    let row = the_round("1");
    award(player, row, "R1", &entrants).await?;
    claims(player, "2024-12-10").await
}

async fn second_round(player: &mut Player) -> Result<(), DemoError> {
    let play = Stageplay {
        call: CALL,
        rules: "ai-factories",
        cut_off: "R2",
        submitted: "2025-01-27T11:00:00",
        closed: "2025-02-03T09:00:00",
        ranked: "2025-03-03T16:00:00",
        below: 0,
    };
    let entrants = entrants("2");
    round::submit(player, &play, &entrants).await?;
    round::evaluate(player, &play, &entrants).await?;
    player.until("2025-03-12T12:00:00").await?;
    award(player, the_round("2"), "R2", &entrants).await?;
    claims(player, "2025-03-12").await
}

async fn access(player: &mut Player) -> Result<(), DemoError> {
    player.until("2025-03-24T10:00:00").await?;
    let letter = json!({
        "allocation": "LEONARDO-BOOSTER-2025-03-24", "holder": "not published", "system": "Leonardo",
        "time": {"partition": "Leonardo Booster", "unit": "node", "seconds": 4_500 * 3600},
        "starts": "2025-03-24", "ends": "2026-03-24", "basis": "award letter of 4 500 node-hours",
    });
    player.tell(ACCESS, "allocation.grant_directly", letter, published("code-award", "")).await?;
    player.until("2025-03-28T10:00:00").await?;
    offers(player, "Regular 2025").await?;
    for (call, title, rules) in [
        ("AIF-PLAYGROUND", "AI Factories Playground access", "playground"),
        ("AIF-FAST-LANE", "AI Factories Fast Lane access", "fast-lane"),
        ("AIF-LARGE-SCALE", "AI Factories Large Scale access", "large-scale"),
    ] {
        let open =
            json!({"call": call, "title": title, "rules": round::shipped(rules), "cut_offs": []});
        let note = "the access mode is published; the day of its opening is not";
        player.tell(OFFICER, "call.open", open, fixture(note)).await?;
    }
    player.until("2025-04-18T10:00:00").await?;
    offers(player, "Extreme 2025").await
}

async fn calendar_and_antennas(player: &mut Player) -> Result<(), DemoError> {
    player.until("2025-04-25T12:00:00").await?;
    let amend = json!({
        "call": CALL, "cut_off": "R3", "at": luxembourg("2025-06-30T17:00:00"),
        "reason": "the third cut-off moves to mid-2025",
    });
    let note =
        "the exact date of the third cut-off, and the day on which it was moved, are not confirmed";
    let receipt =
        player.tell(OFFICER, "call.amend_calendar", amend, sourced("spaineng", "m", note)).await?;
    player.milestone(
        receipt.position,
        Confidence::Unconfirmed,
        "the third cut-off moves from 2 May to 30 June 2025",
    );

    let budget = Money::euro(35_000_000);
    let vote = json!({"fund": FUND, "line": ANTENNA_LINE, "source": UNION, "amount": budget});
    player.tell(BOARD, "fund.vote_appropriation", vote, published("grantalist", "")).await?;
    let brussels = |local: &str| json!({"local": local, "zone": "Europe/Brussels"});
    let open = json!({
        "call": ANTENNAS, "title": "AI Factory Antennas", "rules": round::shipped("ai-factory-antennas"),
        "cut_offs": [{"key": "A", "at": brussels("2025-07-09T17:00:00")}],
        "budget": {"fund": FUND, "line": ANTENNA_LINE, "source": UNION, "envelope": budget},
    });
    let note = "budget EUR 35 000 000 and deadline are published; the day of the opening is not";
    let receipt = player.tell(OFFICER, "call.open", open, published("grantalist", note)).await?;
    player.milestone(
        receipt.position,
        Confidence::Published,
        "the call for antennas opens with EUR 35 000 000",
    );
    player.until("2025-06-16T12:00:00").await?;
    let amend = json!({
        "call": ANTENNAS, "cut_off": "A", "at": brussels("2025-08-21T17:00:00"),
        "reason": "the deadline moves from 9 July to 21 August 2025",
    });
    let note = "both deadlines are published; the day on which it was moved is not";
    let receipt =
        player.tell(OFFICER, "call.amend_calendar", amend, published("devaid", note)).await?;
    player.milestone(
        receipt.position,
        Confidence::Published,
        "the antennas' deadline moves from 9 July to 21 August 2025",
    );
    Ok(())
}

async fn third_round(player: &mut Player) -> Result<(), DemoError> {
    let play = Stageplay {
        call: CALL,
        rules: "ai-factories",
        cut_off: "R3",
        submitted: "2025-06-23T11:00:00",
        closed: "2025-07-01T09:00:00",
        ranked: "2025-08-18T16:00:00",
        below: 0,
    };
    let entrants = entrants("3");
    round::submit(player, &play, &entrants).await?;
    round::evaluate(player, &play, &entrants).await?;

    let play = Stageplay {
        call: ANTENNAS,
        rules: "ai-factory-antennas",
        cut_off: "A",
        submitted: "2025-08-19T11:00:00",
        closed: "2025-08-22T09:00:00",
        ranked: "2025-10-06T16:00:00",
        below: 1,
    };
    let antennas = antennas();
    round::submit(player, &play, &antennas).await?;
    round::evaluate(player, &play, &antennas).await?;

    player.until("2025-10-10T12:00:00").await?;
    let row = the_round("3");
    let refusal = award_in_vain(player, row, "R3", &entrants).await?;
    player.milestone(None, half_of_total(row).confidence, format!("refused: {refusal}"));
    let missing = Money::cents(24_250_000_000);
    let reason = "three rounds of 750, 242.5 and at least 250 million exceed the first billion";
    let note =
        "750 + 242.5 + 250 - 1 000 million: the least increase that the published totals imply";
    let rise = Rise { call: CALL, line: LINE, by: missing, reason, note };
    let position = raise(player, &rise).await?;
    player.milestone(
        position,
        Confidence::Derived,
        format!("the Union's envelope rises by {missing}"),
    );
    award(player, row, "R3", &entrants).await?;
    claims(player, "2025-10-10").await
}

fn antennas() -> Vec<Entrant> {
    let mut all: Vec<Entrant> = facts()
        .antennas
        .iter()
        .map(|row| Entrant {
            acronym: format!("Antenna {}", row.country),
            country: Some(row.country.clone()),
            partners: Vec::new(),
            kind: None,
            experimental: false,
        })
        .collect();
    // 14 were submitted and 13 passed; who the fourteenth was is not published.
    all.push(Entrant {
        acronym: "Antenna fourteenth".to_owned(),
        country: None,
        partners: Vec::new(),
        kind: None,
        experimental: false,
    });
    all
}

async fn antennas_decided(player: &mut Player) -> Result<(), DemoError> {
    player.until("2025-10-13T12:00:00").await?;
    let row = the_round("A");
    let all = antennas();
    let refusal = award_in_vain(player, row, "A", &all).await?;
    player.milestone(None, half_of_total(row).confidence, format!("refused: {refusal}"));
    let asked = union_part(row);
    let missing = asked.minus(Money::euro(35_000_000)).unwrap_or(asked);
    let reason = "all 13 proposals above the threshold are funded";
    let note = "55 043 220.29 - 35 000 000: the budget was raised after the fact";
    let rise = Rise { call: ANTENNAS, line: ANTENNA_LINE, by: missing, reason, note };
    let position = raise(player, &rise).await?;
    player.milestone(
        position,
        Confidence::Derived,
        format!("the antennas' budget rises by {missing} to {asked}"),
    );
    award(player, row, "A", &all).await
}

/// More money for a call.
struct Rise<'a> {
    call: &'a str,
    line: &'a str,
    by: Money,
    reason: &'a str,
    note: &'a str,
}

/// The governing board raises appropriation and envelope.
async fn raise(player: &mut Player, rise: &Rise<'_>) -> Result<Option<u64>, DemoError> {
    let Rise { call, line, by, reason, note } = rise;
    let increase =
        json!({"fund": FUND, "line": line, "source": UNION, "amount": by, "reason": reason});
    player.tell(BOARD, "fund.increase_appropriation", increase, derived(note)).await?;
    let envelope = json!({"call": call, "by": by, "reason": reason});
    let receipt = player.tell(BOARD, "call.raise_budget", envelope, derived(note)).await?;
    Ok(receipt.position)
}

fn the_round(name: &str) -> &'static Round {
    facts().rounds.iter().find(|row| row.round == name).expect("a round of the facts")
}

/// The Union's half of the published total.
fn union_part(row: &Round) -> Money {
    row.published_total_eur.unwrap_or_default().share(Rate::HALF)
}

fn award_command(row: &Round, cut_off: &str, entrants: &[Entrant]) -> Value {
    let funded: Vec<Value> = entrants
        .iter()
        .take(row.factories)
        .map(|entrant| {
            let mut award =
                json!({"proposal": entrant.proposal(cut_off), "grant": entrant.grant()});
            if let Some(union) = known_at_award(&entrant.acronym, &row.decided) {
                award["union"] = json!(union);
            }
            award
        })
        .collect();
    let rejected: Vec<Value> = entrants
        .iter()
        .skip(row.factories)
        .map(|entrant| json!({"proposal": entrant.proposal(cut_off), "reason": "below the threshold"}))
        .collect();
    json!({
        "call": row.call, "cut_off": cut_off, "commitment": cut_off, "union": union_part(row),
        "funded": funded, "reserve": [], "rejected": rejected,
    })
}

/// The Union's part of one factory, if it was published with the decision.
fn known_at_award(acronym: &str, decided: &str) -> Option<Money> {
    let mut of_that_day =
        facts().claims.iter().filter(|c| c.acronym == acronym && c.published == decided);
    of_that_day.find_map(|claim| claim.eu_eur)
}

async fn award_in_vain(
    player: &mut Player,
    row: &Round,
    cut_off: &str,
    entrants: &[Entrant],
) -> Result<domain::Refusal, DemoError> {
    let command = award_command(row, cut_off, entrants);
    player.tell_in_vain(BOARD, "call.award_round", command, half_of_total(row)).await
}

/// Awards a round and records the national half of its published total.
async fn award(
    player: &mut Player,
    row: &Round,
    cut_off: &str,
    entrants: &[Entrant],
) -> Result<(), DemoError> {
    let command = award_command(row, cut_off, entrants);
    let receipt = player.tell(BOARD, "call.award_round", command, half_of_total(row)).await?;
    let total = row.published_total_eur.unwrap_or_default();
    let national = total.minus(union_part(row)).unwrap_or(total);
    let pledge = json!({
        "pledge": format!("{}-{cut_off}", row.call), "call": row.call, "round": cut_off,
        "kind": "cash", "amount": national,
    });
    let states = Person("participating-states", Role::NationalAuthority);
    player.tell(states, "pledge.make", pledge, half_of_total(row)).await?;
    let what = if cut_off == "A" { "antennas" } else { "factories" };
    let total = format!("{} {total}", limit(row));
    let total = total.trim_start();
    let line = format!("{} {what} selected at {cut_off}; joint funding {total}", row.factories);
    player.milestone(receipt.position, half_of_total(row).confidence, line);
    Ok(())
}

/// How the source itself limits the total, for example "about".
fn limit(row: &Round) -> &str {
    let first = row.note.split(';').next().unwrap_or("");
    ["about", "more than"].into_iter().find(|word| *word == first).unwrap_or("")
}

fn half_of_total(row: &Round) -> domain::Evidence {
    let note = format!(
        "published: {} in all, matched equally; the half is computed. {}",
        row.published_total_eur.unwrap_or_default(),
        row.note
    );
    sourced(&row.source, &row.confidence, &note)
}

async fn claims(player: &mut Player, day: &str) -> Result<(), DemoError> {
    for row in facts().claims.iter().filter(|row| row.published == day) {
        claim(player, row).await?;
    }
    Ok(())
}

async fn claim(player: &mut Player, row: &Claim) -> Result<(), DemoError> {
    let mut figures = Map::new();
    figures.insert("about".into(), json!(format!("grant-{}", slug(&row.acronym))));
    figures.insert("published".into(), json!(row.published));
    // "announced" and "at launch" are figures of one thing: the later replaces the earlier.
    let funding = matches!(row.what.as_str(), "announced" | "at launch");
    let what = if funding { "joint funding" } else { &row.what };
    figures.insert("what".into(), json!(what));
    for (name, amount) in [
        ("total", row.total_eur),
        ("union", row.eu_eur),
        ("national", row.national_eur),
        ("regional", row.regional_eur),
        ("rrf", row.rrf_eur),
    ] {
        if let Some(amount) = amount {
            figures.insert(name.into(), json!(amount));
        }
    }
    let id = format!("{}-{}-{}", slug(&row.acronym), row.published, slug(&row.what));
    let data = json!({"claim": id, "figures": figures});
    player
        .tell(OFFICER, "claim.publish", data, sourced(&row.source, &row.confidence, &row.note))
        .await?;
    Ok(())
}

/// What the year after the selections published: machine contracts and corrected figures.
async fn contracts(player: &mut Player) -> Result<(), DemoError> {
    player.until("2025-10-20T10:00:00").await?;
    let machine =
        |grant: &str| json!({"grant": grant, "procurement": "machine", "tender": "machine"});
    let (early, note) = (machine("LUMI-AIF"), "a try that shows the rule; nobody did this");
    let refusal =
        player.tell_in_vain(AUTHORISING, "grant.start_procurement", early, fixture(note)).await?;
    player.milestone(None, Confidence::Fixture, format!("refused: {refusal}"));
    for acronym in ["LUMI AIF", "IT4LIA", "BSC AIF"] {
        let grant = slug(acronym);
        let text = super::documents::hosting_agreement(&grant);
        let hash = domain::kernel::canonical::Sha256Hex::of(text.as_bytes());
        let hosting = json!({"grant": grant, "document": hash});
        let note =
            "Art. 10 puts the hosting agreement before the procurement; its day was not published";
        player
            .tell(AUTHORISING, "grant.conclude_hosting_agreement", hosting, fixture(note))
            .await?;
        let start = machine(&grant);
        let note = "that a tender was held is published; its day is not confirmed";
        player.tell(AUTHORISING, "grant.start_procurement", start, fixture(note)).await?;
    }
    let mut days: Vec<&str> = facts().claims.iter().map(|row| row.published.as_str()).collect();
    days.retain(|day| *day >= "2026-01-01");
    days.sort_unstable();
    days.dedup();
    for day in days {
        player.until(&format!("{day}T12:00:00")).await?;
        for row in facts().claims.iter().filter(|row| row.published == day) {
            contract(player, row).await?;
            claim(player, row).await?;
        }
    }
    Ok(())
}

/// A published machine contract with a known Union part: committed individually, then legally.
async fn contract(player: &mut Player, row: &Claim) -> Result<(), DemoError> {
    let evidence = || sourced(&row.source, &row.confidence, &row.note);
    let (Some(total), Some(union), Some(national)) = (row.total_eur, row.eu_eur, row.national_eur)
    else {
        let figure =
            row.total_eur.map_or_else(|| "an unknown amount".to_owned(), |m| m.to_string());
        let text = format!("{}, {}: {figure}", row.acronym, row.what);
        player.milestone(None, evidence().confidence, text);
        return Ok(());
    };
    let grant = slug(&row.acronym);
    let commit = json!({"fund": FUND, "commitment": "R1", "grant": grant, "amount": union});
    player.tell(AUTHORISING, "fund.commit_individually", commit, evidence()).await?;
    let sign = json!({
        "grant": grant, "fund": FUND, "procurement": "machine", "total": total, "union": union, "national": national,
    });
    let receipt = player.tell(AUTHORISING, "grant.sign_contract", sign, evidence()).await?;
    let line = format!("{}: {} over {total}, {union} of it from the Union", row.acronym, row.what);
    player.milestone(receipt.position, evidence().confidence, line);
    Ok(())
}
