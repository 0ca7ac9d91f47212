//! Made-up commits for tests and measurements: every type of event, on few streams, in any order.
//! They need not make sense: a view takes what it is given.

use domain::Commit;
use jiff::Timestamp;

/// A document of rules, as short as it can be.
pub const RULES: &str = r#"{"id":"r","kind":"grant","eligibility":{"questions":[],"source":"s"},"deadlines":{"inform_days":150,"report_days":60,"review_request_days":30,"sign_days":240,"source":"s"},"legal":{"s":"s"},"retention":{"years":5},"submission":{"documents":[],"questions":[],"source":"s"},"title":"Rules","version":1,"zone":"Europe/Luxembourg"}"#;

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
    (
        "audit-U{a}",
        "Opened",
        r#"{"answer_days":30,"assurance":"95%","from":"2024-01-01","method":{"by":"monetary_unit","expected":"EUR 0","materiality":"EUR {n}"},"population":"payments","title":"t","to":"2025-12-31","zone":"UTC"}"#,
    ),
    (
        "audit-U{a}",
        "Opened",
        r#"{"answer_days":30,"assurance":"90%","from":"2024-01-01","method":{"by":"attribute","expected_rate":"0/1","tolerable":"1/20"},"population":"commitments","title":"t","to":"2025-12-31","zone":"UTC"}"#,
    ),
    ("audit-U{a}", "NonceCommitted", r#"{"commitment":"HASH"}"#),
    (
        "audit-U{a}",
        "SampleDrawn",
        r#"{"checkpoint":{"root":"HASH","size":1},"count":{b},"items":[{"book":"EUR {n}","item":"Y{b}","top":false}],"nonce":"HASH","population_sha256":"HASH","seed":"HASH","size":{b},"total":"EUR {n}"}"#,
    ),
    (
        "audit-U{a}",
        "ItemTested",
        r#"{"audited":"EUR {b}","book":"EUR {n}","error":"accuracy","item":"Y{b}","note":"n"}"#,
    ),
    (
        "audit-U{a}",
        "FindingRaised",
        r#"{"answer_by":"2025-01-0{b}T00:00:00Z","finding":"{b}","holds":{"amount":"EUR {n}","evidence":"HASH","item":"Y{b}","rule":"r","what":"w"}}"#,
    ),
    ("audit-U{a}", "Answered", r#"{"accepts":true,"answer":"a","finding":"{b}"}"#),
    ("audit-U{a}", "FindingConfirmed", r#"{"amount":"EUR {n}","finding":"{b}","reason":"r"}"#),
    ("audit-U{a}", "FindingWithdrawn", r#"{"finding":"{b}","reason":"r"}"#),
    ("audit-U{a}", "Corrected", r#"{"amount":"EUR {n}","finding":"{b}","payment":"Y{b}"}"#),
    ("audit-U{a}", "FollowedUp", r#"{"finding":"{b}","note":"n","outcome":"implemented"}"#),
    ("audit-U{a}", "Closed", r#"{"conclusion":"c"}"#),
    (
        "subject-p{a}",
        "Registered",
        r#"{"contact":{"affiliation":{"ciphertext":"CIPHER","commitment":"HASH","nonce":"NONCE","person":"p{a}","purpose":"contact"},"email":{"ciphertext":"CIPHER","commitment":"HASH","nonce":"NONCE","person":"p{a}","purpose":"contact"},"name":{"ciphertext":"CIPHER","commitment":"HASH","nonce":"NONCE","person":"p{a}","purpose":"contact"}},"expertise":{"ciphertext":"CIPHER","commitment":"HASH","nonce":"NONCE","person":"p{a}","purpose":"expertise"}}"#,
    ),
    (
        "subject-p{a}",
        "Corrected",
        r#"{"expertise":{"ciphertext":"CIPHER","commitment":"HASH","nonce":"NONCE","person":"p{a}","purpose":"expertise"},"replaced":["HASH"]}"#,
    ),
    ("subject-p{a}", "HoldSet", r#"{"case":"c","ground":"audit","hold":"H{b}"}"#),
    ("subject-p{a}", "HoldLifted", r#"{"case":"c","hold":"H{b}"}"#),
    (
        "subject-p{a}",
        "Erased",
        r#"{"basis":"objection","case":"c","commitments":["HASH"],"purposes":["expertise"]}"#,
    ),
    (
        "subject-p{a}",
        "OpeningRequested",
        r#"{"case":"c","ground":"audit","opening":"O{b}","purposes":["contact"]}"#,
    ),
    ("subject-p{a}", "OpeningApproved", r#"{"opening":"O{b}","until":"2025-01-0{b}T00:00:00Z"}"#),
    ("subject-p{a}", "Opened", r#"{"opening":"O{b}"}"#),
    ("timer-T{a}", "Set", r#"{"due":"2025-01-0{b}T00:00:00Z","wish":{"command":"c.x","data":{}}}"#),
    (
        "timer-T{a}",
        "Fired",
        r#"{"due":"2025-01-0{b}T00:00:00Z","refused":{"code":"c","message":"m"}}"#,
    ),
    ("timer-T{a}", "Acknowledged", r#"{"reason":"r"}"#),
    ("timer-T{a}", "Cancelled", r#"{"reason":"r"}"#),
    (
        "process-p{a}",
        "Parked",
        r#"{"reaction":"p/{b}","refused":{"code":"c","message":"m"},"wish":{"command":"c.x","data":{}}}"#,
    ),
    ("process-p{a}", "Resolved", r#"{"how":"h","reaction":"p/{b}"}"#),
    (
        "call-C{a}",
        "Opened",
        r#"{"budget":{"envelope":"EUR {n}","fund":"F1","line":"L1","source":"S"},"cut_offs":[{"at":{"local":"2025-02-0{b}T17:00:00","zone":"Europe/Luxembourg"},"key":"{b}"}],"rules":RULES,"rules_sha256":"HASH","title":"t"}"#,
    ),
    (
        "call-C{a}",
        "CutOffAdded",
        r#"{"at":{"local":"2025-02-0{b}T17:00:00","zone":"Europe/Luxembourg"},"cut_off":"{b}","reason":"r"}"#,
    ),
    (
        "call-C{a}",
        "CutOffMoved",
        r#"{"at":{"local":"2025-02-0{b}T17:00:00","zone":"Europe/Luxembourg"},"cut_off":"{b}","from":{"local":"2025-02-0{b}T17:00:00","zone":"Europe/Luxembourg"},"reason":"r"}"#,
    ),
    ("call-C{a}", "CutOffCancelled", r#"{"cut_off":"{b}","reason":"r"}"#),
    (
        "call-C{a}",
        "CutOffClosed",
        r#"{"admitted":["P1"],"at":{"local":"2025-02-0{b}T17:00:00","zone":"Europe/Luxembourg"},"cut_off":"{b}"}"#,
    ),
    ("call-C{a}", "AdmittedAfterClosing", r#"{"cut_off":"{b}","proposal":"P{a}"}"#),
    ("call-C{a}", "ReexaminationDue", r#"{"cut_off":"{b}","proposal":"P{a}"}"#),
    ("call-C{a}", "Reexamined", r#"{"cut_off":"{b}","reason":"r"}"#),
    ("call-C{a}", "BudgetRaised", r#"{"by":"EUR {n}","reason":"r"}"#),
    (
        "call-C{a}",
        "RoundAwarded",
        r#"{"cut_off":"{b}","funded":[{"grant":"G{b}","proposal":"P{b}","union":"EUR {n}"}],"rejected":[],"reserve":["P9"]}"#,
    ),
    ("call-C{a}", "ReserveActivated", r#"{"cut_off":"{b}","grant":"G9","proposal":"P9"}"#),
    ("call-C{a}", "Exhausted", r#"{"reason":"r"}"#),
    ("call-C{a}", "Closed", r#"{"reason":"r"}"#),
    (
        "proposal-P{a}",
        "Drafted",
        r#"{"applicant":"a","call":"C{b}","content":{"acronym":"A{n}","country":"FI","partners":["EE"],"requested":"EUR {n}","sectors":["health"],"title":"t","type":"new"}}"#,
    ),
    (
        "proposal-P{a}",
        "Revised",
        r#"{"content":{"acronym":"A{n}","country":"FI","partners":["EE"],"requested":"EUR {n}","sectors":["health"],"title":"t","type":"new"}}"#,
    ),
    (
        "proposal-P{a}",
        "Submitted",
        r#"{"content_sha256":"HASH","cut_off":"{b}","documents":[],"number":1,"pages":5,"received_at":"2025-01-0{b}T00:00:00Z"}"#,
    ),
    ("proposal-P{a}", "Withdrawn", r#"{"reason":"r"}"#),
    ("proposal-P{a}", "Admitted", r#"{"cut_off":"{b}"}"#),
    ("proposal-P{a}", "Admissible", r#"{"answers":[]}"#),
    ("proposal-P{a}", "Inadmissible", r#"{"answers":[],"reason":"r"}"#),
    ("proposal-P{a}", "Eligible", r#"{"answers":[]}"#),
    ("proposal-P{a}", "Ineligible", r#"{"answers":[],"reason":"r"}"#),
    ("proposal-P{a}", "Awarded", r#"{"cut_off":"{b}","grant":"G{a}"}"#),
    ("proposal-P{a}", "Reserved", r#"{"cut_off":"{b}","place":1}"#),
    ("proposal-P{a}", "Rejected", r#"{"cut_off":"{b}","reason":"r"}"#),
    ("evaluation-E{a}", "Opened", r#"{"call":"C1","cut_off":"{b}","stage":"s"}"#),
    ("evaluation-E{a}", "ExpertAppointed", r#"{"expert":"x{b}","proposals":["P{a}","P{b}"]}"#),
    (
        "evaluation-E{a}",
        "ConflictDeclared",
        r#"{"expert":"x{b}","kind":"involved","learnt":"l","proposal":"P{a}","void_consensus":true,"void_ranking":true,"void_reports":[1]}"#,
    ),
    (
        "evaluation-E{a}",
        "ReportSubmitted",
        r#"{"expert":"x{b}","number":{b},"proposal":"P{a}","scores":[]}"#,
    ),
    (
        "evaluation-E{a}",
        "ConsensusReached",
        r#"{"proposal":"P{b}","rapporteur":"x","reports":[1],"scores":[{"comment":"c","criterion":"impact","tenths":45}]}"#,
    ),
    (
        "evaluation-E{a}",
        "Ranked",
        r#"{"ranking":[{"passed":true,"proposal":"P{b}","rank":1,"total_tenths":135,"weighted_thousandths":14250}],"ties":[{"comparator":{"by":"sme_share"},"evidence":"e","group":["P1","P2"],"winner":"P{b}"}]}"#,
    ),
    ("evaluation-E{a}", "Reopened", r#"{"proposal":"P{b}"}"#),
    (
        "prize-Z{a}",
        "Opened",
        r#"{"compute":{"partition":"L","seconds":{n}00,"unit":"gpu"},"money":"EUR {n}","rules":RULES,"title":"t","winners_max":4}"#,
    ),
    ("prize-Z{a}", "Ranked", r#"{"ranking":[{"contestant":"W{b}","country":"FI","rank":1}]}"#),
    (
        "prize-Z{a}",
        "Awarded",
        r#"{"split":[{"compute":{"partition":"L","seconds":{n}00,"unit":"gpu"},"contestant":"W{b}","money":"EUR {n}"}]}"#,
    ),
    (
        "prize-Z{a}",
        "ExtraAwarded",
        r#"{"compute":{"partition":"L","seconds":{n}00,"unit":"gpu"},"contestant":"W{b}"}"#,
    ),
    (
        "grant-G{a}",
        "Prepared",
        r#"{"applicant":"a","call":"C{b}","country":"FI","proposal":"P{a}","rules":{"deadlines":{"inform_days":150,"report_days":60,"review_request_days":30,"sign_days":240,"source":"s"},"payments":{"before_balance_max":"9/10","insurance":"1/20","payment_days":90,"prefinancing_days":30,"prefinancing_max":"1/2","source":"s"}},"title":"t"}"#,
    ),
    ("grant-G{a}", "BudgetSet", r#"{"beneficiaries":[],"items":[]}"#),
    ("grant-G{a}", "HostingAgreed", r#"{"document":"HASH"}"#),
    ("grant-G{a}", "ProcurementStarted", r#"{"procurement":"m","tender":"t"}"#),
    ("grant-G{a}", "ContractSigned", r#"{"fund":"F1","procurement":"m","union":"EUR {n}"}"#),
    ("grant-G{a}", "Accepted", r#"{}"#),
    (
        "grant-G{a}",
        "Signed",
        r#"{"ends":"2027-12-1{b}","fund":"F1","starts":"2025-01-01","total":"EUR {n}","union":"EUR {n}"}"#,
    ),
    (
        "grant-G{a}",
        "AmendmentRequested",
        r#"{"amendment":"M{b}","change":{"kind":"dates","ends":"2028-01-01","starts":"2025-01-01"},"reason":"r"}"#,
    ),
    (
        "grant-G{a}",
        "Amended",
        r#"{"amendment":"M{b}","budget":{"beneficiaries":[],"items":[]},"ends":"2028-01-0{b}","reason":"r","starts":"2025-01-01"}"#,
    ),
    ("grant-G{a}", "AmendmentRefused", r#"{"amendment":"M{b}","reason":"r"}"#),
    ("grant-G{a}", "AccountNamed", r#"{"account":"A{n}","document":"HASH","reason":"r"}"#),
    ("grant-G{a}", "AccountConfirmed", r#"{"account":"A{n}","document":"HASH","reason":"r"}"#),
    ("grant-G{a}", "AccountRefused", r#"{"account":"A{n}","document":"HASH","reason":"r"}"#),
    ("grant-G{a}", "Suspended", r#"{"reason":"r"}"#),
    ("grant-G{a}", "Resumed", r#"{"reason":"r"}"#),
    ("grant-G{a}", "Terminated", r#"{"by":"authority","reason":"r"}"#),
    (
        "grant-G{a}",
        "ReportSubmitted",
        r#"{"claimed":[],"document":"HASH","from":"2025-01-01","kind":"periodic","report":"{b}","to":"2025-06-30"}"#,
    ),
    ("grant-G{a}", "ReportAssessed", r#"{"accepted":[],"comments":"c","report":"{b}"}"#),
    ("grant-G{a}", "Closed", r#"{}"#),
    (
        "payment-Y{a}",
        "Initiated",
        r#"{"amount":"EUR {n}","fund":"F1","grant":"G{b}","kind":"interim","net":"EUR {n}","payee":{"account":"A{n}","confirmed_at":{n}},"report":"{b}"}"#,
    ),
    ("payment-Y{a}", "Verified", r#"{}"#),
    ("payment-Y{a}", "Authorised", r#"{}"#),
    ("payment-Y{a}", "Executed", r#"{"end_to_end_id":"e"}"#),
    ("payment-Y{a}", "Rejected", r#"{"reason":"r"}"#),
    ("payment-Y{a}", "Returned", r#"{"reason":"r"}"#),
    (
        "pledge-L{a}",
        "Made",
        r#"{"amount":"EUR {n}","call":"C{b}","grant":"G{b}","kind":"cash","round":"{b}","state":"FI"}"#,
    ),
    ("pledge-L{a}", "Made", r#"{"amount":"EUR {n}","call":"C{b}","kind":"cash","part_of":"L{b}"}"#),
    ("pledge-L{a}", "Made", r#"{"amount":"EUR {n}","call":"C{b}","kind":"rrf"}"#),
    ("pledge-L{a}", "Raised", r#"{"amount":"EUR {n}","reason":"r"}"#),
    ("pledge-L{a}", "Signed", r#"{"amount":"EUR {n}"}"#),
    ("pledge-L{a}", "Reported", r#"{"amount":"EUR {n}"}"#),
    ("pledge-L{a}", "Certified", r#"{"amount":"EUR {n}"}"#),
    ("pledge-L{a}", "Counted", r#"{"amount":"EUR {n}"}"#),
    ("pledge-L{a}", "Withdrawn", r#"{"reason":"r"}"#),
    (
        "statement-B{a}",
        "Imported",
        r#"{"account":"A","closing":"EUR 0","document":"HASH","entries":[],"from":"2025-01-01","number":1,"opening":"EUR 0","to":"2025-01-31"}"#,
    ),
    ("statement-B{a}", "Matched", r#"{"entry":"e","payment":"Y{b}"}"#),
    ("statement-B{a}", "Unmatched", r#"{"entry":"e","payment":"Y{b}","reason":"r"}"#),
    ("system-S{a}", "Registered", r#"{"country":"FI","partitions":[]}"#),
    (
        "system-S{a}",
        "ConversionSet",
        r#"{"conversion":{"gpus_per_node":8},"partition":"L","version":{b}}"#,
    ),
    (
        "system-S{a}",
        "Offered",
        r#"{"min_seconds":0,"offer":"O{b}","partition":"L","seconds":{n},"unit":"node"}"#,
    ),
    (
        "system-S{a}",
        "OfferAmended",
        r#"{"min_seconds":0,"offer":"O{b}","partition":"L","reason":"r","seconds":{n}}"#,
    ),
    (
        "system-S{a}",
        "OfferDrawn",
        r#"{"allocation":"N{b}","offer":"O{b}","partition":"L","seconds":{n}}"#,
    ),
    (
        "system-S{a}",
        "OfferReturned",
        r#"{"allocation":"N{b}","offer":"O{b}","partition":"L","seconds":{n}}"#,
    ),
    ("system-S{a}", "Retired", r#"{"reason":"r"}"#),
    (
        "allocation-N{a}",
        "Requested",
        r#"{"applicant":"a","call":"C{b}","decide_by":"2025-01-0{b}T00:00:00Z","mode":"M{b}","months":3,"place":{"conversion":1,"partition":"L","system":"S{b}"},"purpose":"p","time":{"partition":"L","seconds":{n}00,"unit":"gpu"}}"#,
    ),
    ("allocation-N{a}", "Checked", r#"{"comment":"c","feasible":true}"#),
    (
        "allocation-N{a}",
        "Awarded",
        r#"{"ends":"2025-12-31","place":{"conversion":1,"partition":"L","system":"S{b}"},"starts":"2025-01-01","time":{"partition":"L","seconds":{n}00,"unit":"gpu"}}"#,
    ),
    (
        "allocation-N{a}",
        "GrantedDirectly",
        r#"{"basis":"b","ends":"2025-12-31","holder":"W","places":[{"conversion":1,"partition":"L","system":"S{b}"}],"starts":"2025-01-01","time":{"partition":"L","seconds":{n}00,"unit":"gpu"}}"#,
    ),
    ("allocation-N{a}", "Rejected", r#"{"reason":"r"}"#),
    ("allocation-N{a}", "Withdrawn", r#"{"reason":"r"}"#),
    ("allocation-N{a}", "Provisioned", r#"{"account":"x"}"#),
    (
        "allocation-N{a}",
        "UsageRecorded",
        r#"{"period":"p{b}","reported":{"partition":"L","seconds":{n}00,"unit":"gpu"},"source":"HASH","time":{"partition":"L","seconds":{n}00,"unit":"gpu"}}"#,
    ),
    (
        "allocation-N{a}",
        "UsageCorrected",
        r#"{"period":"p{b}","reason":"r","reported":{"partition":"L","seconds":{n}00,"unit":"gpu"},"time":{"partition":"L","seconds":{n}00,"unit":"gpu"},"was":{"partition":"L","seconds":{n}00,"unit":"gpu"}}"#,
    ),
    (
        "allocation-N{a}",
        "Overrun",
        r#"{"by":{"partition":"L","seconds":{n}00,"unit":"gpu"},"reason":"r","tolerance":{"partition":"L","seconds":{n}00,"unit":"gpu"}}"#,
    ),
    (
        "allocation-N{a}",
        "Extended",
        r#"{"added":{"partition":"L","seconds":{n}00,"unit":"gpu"},"ends":"2026-01-0{b}","reason":"r"}"#,
    ),
    (
        "allocation-N{a}",
        "Ended",
        r#"{"on":"2025-12-31","report_by":"2026-02-0{b}","unused":{"partition":"L","seconds":{n}00,"unit":"gpu"}}"#,
    ),
    ("allocation-N{a}", "FinalReported", r#"{"late":false,"sha256":"HASH","summary":"s"}"#),
    ("checkpoint-log", "KeyAdded", r#"{"key":"log.example+0000000{a}+AAAA"}"#),
    ("checkpoint-log", "Requested", r#"{"reason":"a visit"}"#),
    ("checkpoint-log", "Recorded", r#"{"note":"log.example\n{n}\n","root":"HASH","size":{n}}"#),
    ("checkpoint-log", "KeyRetired", r#"{"key":"log.example+0000000{b}+AAAA","reason":"lost"}"#),
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
    let zeros = "0".repeat(64);
    let fill = |text: &str| {
        text.replace("{a}", &pick.a.to_string())
            .replace("{b}", &pick.b.to_string())
            .replace("{n}", &pick.n.to_string())
            .replace("RULES", RULES)
            .replace("HASH", &zeros)
            .replace("CIPHER", &"0".repeat(160))
            .replace("NONCE", &zeros[..48])
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
