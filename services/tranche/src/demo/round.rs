//! One round of a call, from drafts to the ranked list. Nobody published drafts, scores or reports, so
//! every commit in here is marked as a fixture; only who was selected is a fact, and comes later.

use super::facts::{fixture, slug};
use super::player::{DemoError, OFFICER, Person, Player};
use domain::kernel::actor::Role;
use domain::rulebook;
use domain::rulebook::Stage;
use serde_json::{Value, json};

/// A proposal of the story.
pub struct Entrant {
    /// Short name.
    pub acronym: String,
    /// Country of the applicant.
    pub country: Option<String>,
    /// Countries of the partners.
    pub partners: Vec<String>,
    /// What the applicant offers, for example `new`.
    pub kind: Option<String>,
    /// Whether it has an experimental platform.
    pub experimental: bool,
}

impl Entrant {
    /// Its proposal in a round.
    #[must_use]
    pub fn proposal(&self, round: &str) -> String {
        format!("{round}-{}", slug(&self.acronym))
    }

    /// The grant that it becomes.
    #[must_use]
    pub fn grant(&self) -> String {
        slug(&self.acronym)
    }
}

/// Where a round happens.
pub struct Stageplay<'a> {
    /// The call.
    pub call: &'a str,
    /// Its rules document, by name.
    pub rules: &'a str,
    /// The cut-off.
    pub cut_off: &'a str,
    /// When the proposals come in.
    pub submitted: &'a str,
    /// Just after the cut-off has closed by itself.
    pub closed: &'a str,
    /// When the panel has ranked.
    pub ranked: &'a str,
    /// How many stand below the threshold: the last ones.
    pub below: usize,
}

const NEVER_PUBLISHED: &str = "how proposals were written and evaluated was never published";

/// Drafts and submits every proposal; the cut-off then closes by itself.
///
/// # Errors
/// When a command is refused.
pub async fn submit(
    player: &mut Player,
    play: &Stageplay<'_>,
    entrants: &[Entrant],
) -> Result<(), DemoError> {
    let document = shipped(play.rules);
    player.until(play.submitted).await?;
    for entrant in entrants {
        let id = format!("applicant-{}", entrant.grant());
        let applicant = Person(&id, Role::Applicant);
        let proposal = entrant.proposal(play.cut_off);
        let mut content = json!({
            "acronym": entrant.acronym,
            "title": entrant.acronym,
            "experimental": entrant.experimental,
            "partners": entrant.partners,
        });
        if let Some(country) = &entrant.country {
            content["country"] = json!(country);
        }
        if let Some(kind) = &entrant.kind {
            content["type"] = json!(kind);
        }
        let draft = json!({
            "proposal": proposal, "call": play.call, "applicant": id, "content": content,
        });
        player.tell(applicant, "proposal.draft", draft, fixture(NEVER_PUBLISHED)).await?;
        let documents: Vec<Value> = document
            .submission
            .documents
            .iter()
            .map(|key| {
                let text = super::documents::of_proposal(proposal.as_str(), key.as_str());
                json!({"key": key, "sha256": domain::kernel::canonical::Sha256Hex::of(text.as_bytes())})
            })
            .collect();
        let submit = json!({"proposal": proposal, "documents": documents, "pages": 1});
        player.tell(applicant, "proposal.submit", submit, fixture(NEVER_PUBLISHED)).await?;
    }
    player.until(play.closed).await
}

/// Checks, evaluates and ranks every proposal of a round that has closed.
///
/// # Errors
/// When a command is refused.
pub async fn evaluate(
    player: &mut Player,
    play: &Stageplay<'_>,
    entrants: &[Entrant],
) -> Result<(), DemoError> {
    let document = shipped(play.rules);
    check(player, play, entrants, &document).await?;
    let Some(rules) = &document.evaluation else { return Ok(()) };
    let stage = &rules.stages[0];
    let evaluation = format!("{}-{}", play.call, play.cut_off);
    let open = json!({
        "evaluation": evaluation, "call": play.call, "cut_off": play.cut_off, "stage": stage.key,
    });
    player.tell(OFFICER, "evaluation.open", open, fixture(NEVER_PUBLISHED)).await?;
    let proposals: Vec<String> = entrants.iter().map(|e| e.proposal(play.cut_off)).collect();
    let experts: Vec<String> =
        (1..=rules.experts_min).map(|n| format!("expert-{}-{n}", play.cut_off)).collect();
    for expert in &experts {
        let appoint = json!({"evaluation": evaluation, "expert": expert, "proposals": proposals});
        player.tell(OFFICER, "evaluation.appoint", appoint, fixture(NEVER_PUBLISHED)).await?;
    }
    for (index, entrant) in entrants.iter().enumerate() {
        let below = index + play.below >= entrants.len();
        let scores = scores(stage, index, below);
        let report = json!({
            "evaluation": evaluation, "proposal": entrant.proposal(play.cut_off), "scores": scores,
        });
        for expert in &experts {
            let expert = Person(expert, Role::Expert);
            let evidence = fixture(NEVER_PUBLISHED);
            player.tell(expert, "evaluation.submit_report", report.clone(), evidence).await?;
        }
        let rapporteur = format!("rapporteur-{}", play.cut_off);
        let rapporteur = Person(&rapporteur, Role::Rapporteur);
        let evidence = fixture(NEVER_PUBLISHED);
        player.tell(rapporteur, "evaluation.submit_consensus", report, evidence).await?;
    }
    player.until(play.ranked).await?;
    let chair = format!("chair-{}", play.cut_off);
    let rank = json!({"evaluation": evaluation});
    let chair = Person(&chair, Role::PanelChair);
    player.tell(chair, "evaluation.rank", rank, fixture(NEVER_PUBLISHED)).await?;
    Ok(())
}

async fn check(
    player: &mut Player,
    play: &Stageplay<'_>,
    entrants: &[Entrant],
    document: &rulebook::Document,
) -> Result<(), DemoError> {
    let yes = |questions: &[rulebook::Question]| -> Vec<Value> {
        questions.iter().map(|question| json!({"key": question.key, "yes": true})).collect()
    };
    for entrant in entrants {
        let proposal = entrant.proposal(play.cut_off);
        for (command, questions) in [
            ("proposal.check_admissibility", &document.submission.questions),
            ("proposal.check_eligibility", &document.eligibility.questions),
        ] {
            let data = json!({"proposal": proposal, "answers": yes(questions)});
            player.tell(OFFICER, command, data, fixture(NEVER_PUBLISHED)).await?;
        }
    }
    Ok(())
}

/// Fixture scores: every second proposal half a mark less in all, and the two of a pair apart on the
/// first criterion, so that ties happen and are decided by the rules.
fn scores(stage: &Stage, index: usize, below: bool) -> Vec<Value> {
    const FULL_TENTHS: u32 = 50;
    const HALF_MARK: u32 = 5;
    let count = stage.criteria.len();
    let step = index / 2;
    let mut tenths: Vec<u32> = (0..count)
        .map(|criterion| {
            let steps = (step + count - 1 - criterion) / count;
            let lost = HALF_MARK * u32::try_from(steps).unwrap_or(0);
            if below { 2 * HALF_MARK } else { FULL_TENTHS - HALF_MARK - lost }
        })
        .collect();
    if index.is_multiple_of(2) && count > 1 && !below {
        tenths[0] += HALF_MARK;
        tenths[1] -= HALF_MARK;
    }
    let comment = "fixture: not a real score";
    let score = |(criterion, tenths): (&rulebook::Criterion, u32)| json!({"criterion": criterion.key, "tenths": tenths, "comment": comment});
    stage.criteria.iter().zip(tenths).map(score).collect()
}

/// A rules document that is compiled in.
///
/// # Panics
/// When a shipped document has mistakes; a test of `domain` reads them all.
#[must_use]
pub fn shipped(name: &str) -> rulebook::Document {
    let text = rulebook::shipped(name).expect("a shipped rules document");
    rulebook::parse(text).expect("a shipped rules document has no mistakes")
}
