//! An office that works with the real program, and a round in it.

use crate::cli::program::{Scratch, command};
use serde_json::{Value, json};
use std::process::{Output, Stdio};

/// All that a program said.
pub fn said(output: &Output) -> String {
    let all = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&all).into_owned()
}

/// A desk with the real program. What it said is kept, as a log of the service would.
pub struct Office {
    pub scratch: Scratch,
    pub said: String,
}

/// Data about one expert; each part is searched for.
pub struct Expert {
    pub id: &'static str,
    pub parts: [&'static str; 5],
}

pub const ADA: Expert = Expert {
    id: "p11111111111111111111111111111111",
    parts: [
        "Ada Zyxwvut-Byron",
        "ada.zyxwvut@analytical.example",
        "Analytical Society of Qöln",
        "Bernoulli numbers of Zyxwvut",
        "she is Zyxwvut's cousin",
    ],
};
pub const BEA: Expert = Expert {
    id: "p22222222222222222222222222222222",
    parts: [
        "Bea Wvutsrq",
        "bea.wvutsrq@engines.example",
        "Engines of Wvutsrq",
        "looms of Wvutsrq",
        "an uncle of Wvutsrq",
    ],
};

impl Office {
    pub fn new() -> Self {
        Self { scratch: Scratch::new(), said: String::new() }
    }

    pub fn run(&mut self, args: &[&str], clear: Option<&Value>) -> Output {
        let mut program =
            command(crate::cli::program::directory().join("tranche"), self.scratch.path());
        program.args(["--data", "log"]).args(args).env("RUST_LOG", "debug");
        program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = program.spawn().expect("the program starts");
        let text = clear.map(Value::to_string).unwrap_or_default();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        self.said += &said(&output);
        output
    }

    /// Gives a command at an instant; the payload comes by standard input, since arguments can be seen.
    #[track_caller]
    pub fn give(
        &mut self,
        at: &str,
        (actor, role): (&str, &str),
        name: &str,
        data: &Value,
    ) -> String {
        let args =
            ["--keys", "keys", "--clock", at, "do", name, "-", "--actor", actor, "--role", role];
        let output = self.run(&args, Some(data));
        assert!(output.status.success(), "{name}: {}", said(&output));
        said(&output)
    }

    #[track_caller]
    pub fn told(&mut self, args: &[&str]) -> String {
        let output = self.run(args, None);
        assert!(output.status.success(), "{args:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn register(&mut self, expert: &Expert) {
        let [name, email, affiliation, expertise, _] = expert.parts;
        let data = json!({ "subject": expert.id, "expertise": expertise,
            "contact": { "name": name, "email": email, "affiliation": affiliation } });
        self.give("2024-09-10T08:00:00Z", OTTO, "subject.register", &data);
    }
}

pub const OTTO: (&str, &str) = ("otto", "programme_officer");
pub const BOARD: (&str, &str) = ("bea", "governing_board");
pub const DECIDED: &str = "2024-12-10T10:00:00Z";

fn rules() -> Value {
    let criteria = json!([{ "key": "merit", "name": "Merit", "threshold_tenths": 0,
        "weight_hundredths": 100 }]);
    let evaluation = json!({ "experts_min": 2, "selection": "ranked", "source": "call",
        "scale": { "max_tenths": 50, "step_tenths": 5 }, "tie_break": [],
        "stages": [{ "key": "full", "threshold_tenths": 0, "criteria": criteria }] });
    let ceilings = json!({ "acquisition": "1/2", "operating": "1/2" });
    crate::life::rules(json!({ "evaluation": evaluation,
        "funding": { "ceilings": ceilings, "matched": true, "source": "call" },
        "payments": { "before_balance_max": "9/10", "insurance": "1/20", "payment_days": 90,
            "prefinancing_days": 30, "prefinancing_max": "1/2", "source": "call" } }))
}

const OPEN: &str = "2024-09-20T08:00:00Z";
const CLOSED: &str = "2024-11-05T08:00:00Z";
const PROPOSALS: [&str; 3] = ["A", "B", "D"];
const EXPERTS: [&str; 3] = [ADA.id, BEA.id, "p33333333333333333333333333333333"];

/// A round of three proposals, which are found eligible.
pub fn round(office: &mut Office) {
    let vote = json!({ "fund": "F", "line": "02 04", "source": "DEP", "amount": "EUR 2000" });
    office.give(OPEN, BOARD, "fund.vote_appropriation", &vote);
    let at = json!({ "local": "2024-11-04T17:00:00", "zone": "Europe/Luxembourg" });
    let budget = json!({ "fund": "F", "line": "02 04", "source": "DEP", "envelope": "EUR 1000" });
    let open = json!({ "call": "C", "title": "A call", "rules": rules(),
        "cut_offs": [{ "key": "R1", "at": at }], "budget": budget });
    office.give(OPEN, OTTO, "call.open", &open);
    for name in PROPOSALS {
        let applicant = format!("of-{name}");
        let lead = (applicant.as_str(), "applicant");
        let content = json!({ "acronym": name, "title": name, "country": "FI",
            "requested": "EUR 600", "total": "EUR 1200" });
        let draft = json!({ "proposal": name, "call": "C", "applicant": applicant,
            "content": content });
        office.give(OPEN, lead, "proposal.draft", &draft);
        let documents = json!([{ "key": "part-b", "sha256": "0".repeat(64) }]);
        let submit = json!({ "proposal": name, "pages": 40, "documents": documents });
        office.give(OPEN, lead, "proposal.submit", &submit);
    }
    for name in PROPOSALS {
        let answers =
            |key: &str| json!({ "proposal": name, "answers": [{ "key": key, "yes": true }] });
        office.give(CLOSED, OTTO, "proposal.check_admissibility", &answers("complete"));
        office.give(CLOSED, OTTO, "proposal.check_eligibility", &answers("entity"));
    }
}

/// Three experts judge the round, one of them with a conflict; it is ranked, and decided without an award.
pub fn evaluated(office: &mut Office) {
    let open = json!({ "evaluation": "E", "call": "C", "cut_off": "R1", "stage": "full" });
    office.give(CLOSED, OTTO, "evaluation.open", &open);
    for id in EXPERTS {
        let appoint = json!({ "evaluation": "E", "expert": id, "proposals": PROPOSALS });
        office.give(CLOSED, OTTO, "evaluation.appoint", &appoint);
    }
    let conflict = json!({ "evaluation": "E", "expert": ADA.id, "proposal": "D", "kind": "family",
        "learnt": ADA.parts[4] });
    office.give(CLOSED, OTTO, "evaluation.declare_conflict", &conflict);
    for (name, tenths) in [("A", 30), ("B", 45), ("D", 40)] {
        let scores = json!([{ "criterion": "merit", "tenths": tenths, "comment": "because" }]);
        let report = json!({ "evaluation": "E", "proposal": name, "scores": scores });
        for id in EXPERTS.into_iter().filter(|id| (*id, name) != (ADA.id, "D")) {
            office.give(CLOSED, (id, "expert"), "evaluation.submit_report", &report);
        }
        office.give(CLOSED, ("ria", "rapporteur"), "evaluation.submit_consensus", &report);
    }
    let rank = json!({ "evaluation": "E" });
    office.give(CLOSED, ("carl", "panel_chair"), "evaluation.rank", &rank);
    let rejected = PROPOSALS.map(|name| json!({ "proposal": name, "reason": "no money is left" }));
    let award = json!({ "call": "C", "cut_off": "R1", "funded": [], "reserve": [],
        "rejected": rejected });
    office.give(DECIDED, BOARD, "call.award_round", &award);
}
