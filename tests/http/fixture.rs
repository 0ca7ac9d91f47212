//! A small log with the shape of the real call: published totals, invented recipients.

use domain::kernel::actor::{Actor, Confidence, Evidence, Role};
use domain::{Parsed, rulebook};
use serde_json::{Value, json};
use std::sync::Arc;
use tranche::clock::Clock;
use tranche::engine::{Engine, EngineOptions, Request};

/// An engine with the fixture in its log, in memory.
pub async fn engine() -> Engine {
    let engine = empty("2024-09-10T08:00:00Z").await;
    let mut count = 0;
    for (at, role, command, data) in story() {
        engine.advance_to(at.parse().unwrap()).await.unwrap();
        count += 1;
        give(&engine, &format!("fixture/{count}"), role, command, &data).await;
    }
    engine.settle().await.unwrap();
    engine
}

/// An engine with nothing in its log, whose clock stands still.
pub async fn empty(start: &str) -> Engine {
    let (clock, _) = Clock::manual(start.parse().unwrap());
    let log = Arc::new(eventlog::Memory::default());
    Engine::open(log, clock, EngineOptions::default()).await.unwrap()
}

/// Opens a call that states its times in that zone.
pub async fn open_in(engine: &Engine, call: &str, zone: &str) {
    let mut rules = rulebook::parse(rulebook::shipped("playground").unwrap()).unwrap();
    rules.zone = zone.to_owned();
    let data = json!({"call": call, "title": call, "rules": rules, "cut_offs": []});
    give(engine, &format!("open/{call}"), Role::ProgrammeOfficer, "call.open", &data).await;
}

async fn give(engine: &Engine, id: &str, role: Role, command: &str, data: &Value) {
    let parsed = Parsed::read(command, data.to_string().as_bytes()).expect(command);
    let actor = Actor { id: "fixture".parse().unwrap(), on_behalf_of: None, role };
    let mut request = Request::new(parsed, actor, id.parse().unwrap());
    request.envelope.evidence = Some(Evidence {
        confidence: Confidence::Fixture,
        note: None,
        source: "fixture".to_owned(),
    });
    engine.submit(request).await.expect(command);
}

const CALL: &str = "EUROHPC-2024-CEI-AI";
const FUND: &str = "EUROHPC-AI";
const LINE: &str = "AI Factories";

fn commit(round: &str, amount: &str) -> Value {
    json!({"amount": amount, "call": CALL, "commitment": round, "fund": FUND, "line": LINE,
        "round": round, "source": "Union"})
}

fn by_name(round: &str, grant: &str, amount: &str) -> Value {
    json!({"amount": amount, "commitment": round, "fund": FUND, "grant": grant})
}

fn pledge(round: &str, amount: &str) -> Value {
    json!({"amount": amount, "call": CALL, "kind": "cash", "pledge": format!("states-{round}"),
        "round": round})
}

fn sign(round: &str, amount: &str) -> Value {
    json!({"amount": amount, "pledge": format!("states-{round}")})
}

fn claim(id: &str, figures: &Value) -> Value {
    json!({"claim": id, "figures": figures})
}

type Step = (&'static str, Role, &'static str, Value);

const RECIPIENTS: &[(&str, &str)] = &[("IT4LIA", "IT"), ("LUMI-AIF", "FI")];

/// The opening, then two rounds, then the first contracts.
fn story() -> Vec<Step> {
    let mut steps = opening();
    steps.extend(proposals());
    steps.extend(rounds());
    steps.extend(contracts());
    steps
}

fn opening() -> Vec<Step> {
    let opened = "2024-09-10T08:00:00Z";
    // Rules without an evaluation: who judged the recipients is not what these tests are about.
    let rules = rulebook::parse(rulebook::shipped("playground").unwrap()).unwrap();
    let zone = "Europe/Luxembourg";
    let vote =
        json!({"amount": "EUR 1242500000.00", "fund": FUND, "line": LINE, "source": "Union"});
    let open = json!({
        "call": CALL, "title": "AI Factories", "rules": rules,
        "cut_offs": [
            {"key": "R1", "at": {"local": "2024-11-04T17:00:00", "zone": zone}},
            {"key": "R2", "at": {"local": "2025-02-01T17:00:00", "zone": zone}},
        ],
        "budget": {"envelope": "EUR 1242500000.00", "fund": FUND, "line": LINE, "source": "Union"},
    });
    vec![
        (opened, Role::GoverningBoard, "fund.vote_appropriation", vote),
        (opened, Role::ProgrammeOfficer, "call.open", open),
    ]
}

fn proposals() -> Vec<Step> {
    let (drafted, checked) = ("2024-10-01T08:00:00Z", "2024-11-05T08:00:00Z");
    let rules = rulebook::parse(rulebook::shipped("playground").unwrap()).unwrap();
    let sha256 = domain::kernel::canonical::Sha256Hex::of(b"fixture");
    let documents = rules.submission.documents.iter();
    let documents: Vec<Value> =
        documents.map(|key| json!({"key": key, "sha256": sha256})).collect();
    let yes = |questions: &[rulebook::Question]| -> Vec<Value> {
        questions.iter().map(|one| json!({"key": one.key, "yes": true})).collect()
    };
    let form = yes(&rules.submission.questions);
    let place = yes(&rules.eligibility.questions);
    let mut steps = Vec::new();
    for (name, country) in RECIPIENTS {
        let draft = json!({"proposal": name, "call": CALL, "applicant": "fixture",
            "content": {"acronym": name, "title": name, "country": country}});
        let submit = json!({"proposal": name, "pages": 1, "documents": documents});
        steps.push((drafted, Role::Applicant, "proposal.draft", draft));
        steps.push((drafted, Role::Applicant, "proposal.submit", submit));
    }
    let officer = Role::ProgrammeOfficer;
    for (name, _) in RECIPIENTS {
        let form = json!({"proposal": name, "answers": form});
        let place = json!({"proposal": name, "answers": place});
        steps.push((checked, officer, "proposal.check_admissibility", form));
        steps.push((checked, officer, "proposal.check_eligibility", place));
    }
    steps
}

fn rounds() -> Vec<Step> {
    let funded: Vec<Value> =
        RECIPIENTS.iter().map(|(name, _)| json!({"proposal": name, "grant": name})).collect();
    let award = json!({"call": CALL, "cut_off": "R1", "commitment": "R1",
        "union": "EUR 750000000.00", "funded": funded});
    let antennas = json!({"amount": "EUR 55043220.29", "fund": FUND, "line": "Antennas",
        "source": "Union"});
    vec![
        ("2024-12-10T12:00:00Z", Role::GoverningBoard, "call.award_round", award),
        (
            "2024-12-10T12:00:00Z",
            Role::ProgrammeOfficer,
            "pledge.make",
            pledge("R1", "EUR 750000000.00"),
        ),
        (
            "2024-12-10T12:00:00Z",
            Role::ProgrammeOfficer,
            "claim.publish",
            claim(
                "LUMI-2024",
                &json!({"about": "grant-LUMI-AIF", "national": "EUR 250000000.00",
                "published": "2024-12-10", "what": "Finnish pledge"}),
            ),
        ),
        (
            "2025-03-12T12:00:00Z",
            Role::AuthorisingOfficer,
            "fund.commit_globally",
            commit("R2", "EUR 242500000.00"),
        ),
        (
            "2025-03-12T12:00:00Z",
            Role::ProgrammeOfficer,
            "pledge.make",
            pledge("R2", "EUR 242500000.00"),
        ),
        ("2025-06-16T12:00:00Z", Role::GoverningBoard, "fund.vote_appropriation", antennas),
    ]
}

fn contracts() -> Vec<Step> {
    vec![
        (
            "2026-04-22T12:00:00Z",
            Role::AuthorisingOfficer,
            "fund.commit_individually",
            by_name("R1", "IT4LIA", "EUR 145000000.00"),
        ),
        (
            "2026-04-22T12:00:00Z",
            Role::NationalAuthority,
            "pledge.sign",
            sign("R1", "EUR 145000000.00"),
        ),
        (
            "2026-04-22T12:00:00Z",
            Role::ProgrammeOfficer,
            "claim.publish",
            claim(
                "IT4LIA-2026",
                &json!({"about": "grant-IT4LIA", "national": "EUR 145000000.00",
                "published": "2026-04-22", "total": "EUR 290000000.00",
                "union": "EUR 145000000.00", "what": "machine contract"}),
            ),
        ),
        (
            "2026-08-31T12:00:00Z",
            Role::AuthorisingOfficer,
            "fund.commit_individually",
            by_name("R1", "LUMI-AIF", "EUR 193900000.00"),
        ),
        (
            "2026-08-31T12:00:00Z",
            Role::NationalAuthority,
            "pledge.sign",
            sign("R1", "EUR 193900000.00"),
        ),
    ]
}
