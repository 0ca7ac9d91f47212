//! Made-up commits for tests and measurements: every type of event, on few streams, in any order.
//! They need not make sense: a view takes what it is given.

use domain::Commit;
use jiff::Timestamp;

/// Stream, type and data; `{a}` is a small number, `{b}` another, `{n}` an amount.
pub const TEMPLATES: &[(&str, &str, &str)] = &[
    ("fund-F{a}", "AppropriationVoted", r#"{"amount":"EUR {n}","line":"L{b}","source":"S"}"#),
    (
        "fund-F{a}",
        "AppropriationIncreased",
        r#"{"amount":"EUR {n}","line":"L{b}","reason":"r","source":"S"}"#,
    ),
    ("fund-F{a}", "CarriedOver", r#"{"amount":"EUR {n}","line":"L{b}","source":"S","to":"F9"}"#),
    ("fund-F{a}", "CarriedIn", r#"{"amount":"EUR {n}","from":"F9","line":"L{b}","source":"S"}"#),
    (
        "fund-F{a}",
        "GloballyCommitted",
        r#"{"amount":"EUR {n}","call":"C{a}","commitment":"R{b}","line":"L{b}","round":"{b}","source":"S"}"#,
    ),
    (
        "fund-F{a}",
        "GlobalCommitmentIncreased",
        r#"{"amount":"EUR {n}","commitment":"R{b}","reason":"r"}"#,
    ),
    ("fund-F{a}", "GlobalDecommitted", r#"{"amount":"EUR {n}","commitment":"R{b}","reason":"r"}"#),
    (
        "fund-F{a}",
        "IndividuallyCommitted",
        r#"{"amount":"EUR {n}","commitment":"R{b}","grant":"G{b}"}"#,
    ),
    ("fund-F{a}", "LegallyCommitted", r#"{"amount":"EUR {n}","grant":"G{b}"}"#),
    ("fund-F{a}", "Paid", r#"{"amount":"EUR {n}","grant":"G{b}","payment":"P{b}"}"#),
    ("fund-F{a}", "Returned", r#"{"amount":"EUR {n}","grant":"G{b}","payment":"P{b}"}"#),
    ("fund-F{a}", "GrantDecommitted", r#"{"amount":"EUR {n}","grant":"G{b}","reason":"r"}"#),
    (
        "claim-A{a}",
        "Published",
        r#"{"about":"grant-G{b}","published":"2025-03-1{b}","total":"EUR {n}","what":"w"}"#,
    ),
    ("claim-A{a}", "Withdrawn", r#"{"reason":"r"}"#),
    ("timer-T{a}", "Set", r#"{"due":"2025-01-0{b}T00:00:00Z","wish":{"command":"c.x","data":{}}}"#),
    (
        "timer-T{a}",
        "Fired",
        r#"{"due":"2025-01-0{b}T00:00:00Z","refused":{"code":"c","message":"m"}}"#,
    ),
    ("timer-T{a}", "Cancelled", r#"{"reason":"r"}"#),
    (
        "process-p{a}",
        "Parked",
        r#"{"reaction":"p/{b}","refused":{"code":"c","message":"m"},"wish":{"command":"c.x","data":{}}}"#,
    ),
    ("process-p{a}", "Resolved", r#"{"how":"h","reaction":"p/{b}"}"#),
];

/// One event to be: a line of [`TEMPLATES`] with its numbers (`a` and `b` from 1 to 9) and its instant.
#[derive(Clone, Copy, Debug)]
pub struct Pick {
    /// Line of [`TEMPLATES`]; counted round.
    pub template: usize,
    /// `{a}`.
    pub a: u8,
    /// `{b}`.
    pub b: u8,
    /// `{n}`.
    pub n: u16,
    /// When it is true.
    pub effective_at: Timestamp,
}

/// The stored form of a commit of these events.
pub fn encoded(position: u64, recorded_at: Timestamp, picks: &[Pick]) -> Vec<u8> {
    let events: Vec<String> = picks.iter().map(event).collect();
    let zeros = "0".repeat(64);
    let (actor, role) =
        if position.is_multiple_of(2) { ("a1", "programme_officer") } else { ("a2", "auditor") };
    let confidence = match position % 3 {
        0 => "published",
        1 => "fixture",
        _ => "unconfirmed",
    };
    format!(
        r#"{{"actor":{{"id":"{actor}","role":"{role}"}},"command":"test.do","command_hash":"{zeros}","command_id":"test/{position}","commit_id":"0191dbf2-3c00-7a1b-8000-000000000000","decided_on":{{}},"events":[{}],"evidence":{{"confidence":"{confidence}","source":"sample"}},"position":{position},"received_at":"{recorded_at}","recorded_at":"{recorded_at}"}}"#,
        events.join(",")
    )
    .into_bytes()
}

fn event(pick: &Pick) -> String {
    let (stream, kind, data) = TEMPLATES[pick.template % TEMPLATES.len()];
    let fill = |text: &str| {
        text.replace("{a}", &pick.a.to_string())
            .replace("{b}", &pick.b.to_string())
            .replace("{n}", &pick.n.to_string())
    };
    let (stream, data) = (fill(stream), fill(data));
    let category = stream.split('-').next().unwrap_or_default();
    format!(
        r#"{{"data":{data},"effective_at":"{}","schema_version":1,"stream":"{stream}","type":"{category}.{kind}","version":1}}"#,
        pick.effective_at
    )
}

/// A commit of these events.
pub fn commit(position: u64, recorded_at: Timestamp, picks: &[Pick]) -> Commit {
    let bytes = encoded(position, recorded_at, picks);
    match Commit::decode(&bytes) {
        Ok(commit) => commit,
        Err(error) => panic!("{error}: {}", String::from_utf8_lossy(&bytes)),
    }
}
