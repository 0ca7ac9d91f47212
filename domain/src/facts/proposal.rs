//! Holds what is known of a proposal: its events, stored for ever, and what they add up to.

use crate::facts::call::Call;
use crate::facts::stream::{At, Decider, phases};
use crate::kernel::canonical::Sha256Hex;
use crate::kernel::ids::{
    ActorId, AspectKey, CallId, Country, CutOffKey, DocumentKey, GrantId, ProjectKind, ProposalId,
    QuestionKey, SectorKey,
};
use crate::kernel::money::{Money, Rate};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to a proposal. Stored for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr)]
#[serde(tag = "type", content = "data")]
#[strum(prefix = "proposal.")]
#[expect(missing_docs, reason = "fields say by name and type what they are")]
pub enum Event {
    /// An applicant began it.
    #[serde(rename = "proposal.Drafted")]
    Drafted { applicant: ActorId, call: CallId, content: Content },
    /// The applicant changed it.
    #[serde(rename = "proposal.Revised")]
    Revised { content: Content },
    /// It was received: this is the receipt.
    #[serde(rename = "proposal.Submitted")]
    Submitted(Submission),
    /// The applicant withdrew it.
    #[serde(rename = "proposal.Withdrawn")]
    Withdrawn { reason: String },
    /// It is in the round of this cut-off.
    #[serde(rename = "proposal.Admitted")]
    Admitted { cut_off: CutOffKey },
    /// It is complete and in form.
    #[serde(rename = "proposal.Admissible")]
    Admissible { answers: Vec<Answer> },
    /// It is not.
    #[serde(rename = "proposal.Inadmissible")]
    Inadmissible { answers: Vec<Answer>, reason: String },
    /// The applicants may take part.
    #[serde(rename = "proposal.Eligible")]
    Eligible { answers: Vec<Answer> },
    /// They may not.
    #[serde(rename = "proposal.Ineligible")]
    Ineligible { answers: Vec<Answer>, reason: String },
    /// It becomes a grant.
    #[serde(rename = "proposal.Awarded")]
    Awarded {
        cut_off: CutOffKey,
        grant: GrantId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        union: Option<Money>,
    },
    /// It is on the reserve list.
    #[serde(rename = "proposal.Reserved")]
    Reserved { cut_off: CutOffKey, place: u32 },
    /// It was not selected.
    #[serde(rename = "proposal.Rejected")]
    Rejected { cut_off: CutOffKey, reason: String },
}

/// What a proposal says. Names of people never: opaque ids only.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Short name.
    #[schemars(length(min = 1, max = 200))]
    pub acronym: String,
    /// Where the applicant is established.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
    /// The aspects of the call that it covers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covers: Vec<AspectKey>,
    /// With an experimental platform.
    #[serde(default)]
    pub experimental: bool,
    /// Where the partners are established.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partners: Vec<Country>,
    /// What it asks of the Union; unknown when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested: Option<Money>,
    /// The sectors that it serves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sectors: Vec<SectorKey>,
    /// Share of small and medium enterprises in its budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sme_share: Option<Rate>,
    /// Full name.
    #[schemars(length(min = 1, max = 2000))]
    pub title: String,
    /// What it costs in all; unknown when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Money>,
    /// What kind of project, for example `new`, `upgrade` or `services_only`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<ProjectKind>,
    /// Share of women among the researchers named in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub women_share: Option<Rate>,
}

/// A submission: what was received, when, and for which round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Submission {
    /// SHA-256 of the canonical content and documents.
    pub content_sha256: Sha256Hex,
    /// The cut-off that it goes into, as the calendar stood.
    pub cut_off: CutOffKey,
    /// The documents, by hash.
    pub documents: Vec<DocumentHash>,
    /// First, second, … submission of this proposal.
    pub number: u32,
    /// Pages of its main part.
    pub pages: u32,
    /// When it reached us: decides.
    pub received_at: Timestamp,
}

/// A document by its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DocumentHash {
    /// Which of the documents that the rules ask for.
    pub key: DocumentKey,
    /// SHA-256 of its bytes.
    pub sha256: Sha256Hex,
}

/// An answer to a question of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Key of the question.
    pub key: QuestionKey,
    /// Yes.
    pub yes: bool,
}

/// One proposal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// Where it is in its life.
    pub phase: Phase,
    /// Its call; there from the first event on.
    pub call: Option<CallId>,
    /// Who applies; there from the first event on.
    pub applicant: Option<ActorId>,
    /// What it says: as submitted, once it was.
    pub content: Content,
    /// A change since the submission; it counts when it is submitted.
    pub revision: Option<Content>,
    /// The current submission.
    pub submission: Option<Submission>,
    /// The cut-off in whose round it is.
    pub cut_off: Option<CutOffKey>,
    /// Whether it has passed the admissibility check.
    pub admissible: bool,
    /// The grant that it became.
    pub grant: Option<GrantId>,
    /// What the Union gives, if it is known.
    pub union: Option<Money>,
    /// Why it went no further.
    pub reason: Option<String>,
}

phases! {
    /// Where a proposal is in its life.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Phase {
        /// Not yet submitted.
        #[default]
        Draft = "draft",
        /// Submitted; its cut-off has not closed.
        Submitted = "submitted",
        /// In a round, not yet found eligible.
        Admitted = "admitted",
        /// Not in form.
        Inadmissible = "inadmissible",
        /// Of applicants who may not take part.
        Ineligible = "ineligible",
        /// To be evaluated and decided.
        Eligible = "eligible",
        /// Became a grant.
        Awarded = "awarded",
        /// On the reserve list.
        Reserved = "reserved",
        /// Not selected.
        Rejected = "rejected",
        /// Withdrawn by the applicant.
        Withdrawn = "withdrawn",
    }
}

impl Decider for Proposal {
    type Id = ProposalId;
    type Event = Event;
    type Phase = Phase;

    fn phase(&self) -> Phase {
        self.phase
    }

    fn evolve(&mut self, event: &Event, _: &At<'_>) {
        match event {
            Event::Drafted { applicant, call, content } => {
                self.applicant = Some(applicant.clone());
                self.call = Some(call.clone());
                self.content = content.clone();
            }
            Event::Revised { content } if self.submission.is_none() => {
                self.content = content.clone();
            }
            Event::Revised { content } => self.revision = Some(content.clone()),
            Event::Submitted(submission) => {
                if let Some(revision) = self.revision.take() {
                    self.content = revision;
                }
                self.submission = Some(submission.clone());
                self.phase = Phase::Submitted;
            }
            Event::Withdrawn { reason } => self.end(Phase::Withdrawn, reason),
            Event::Admitted { cut_off } => {
                self.cut_off = Some(cut_off.clone());
                self.phase = Phase::Admitted;
            }
            Event::Admissible { .. } => self.admissible = true,
            Event::Inadmissible { reason, .. } => self.end(Phase::Inadmissible, reason),
            Event::Eligible { .. } => self.phase = Phase::Eligible,
            Event::Ineligible { reason, .. } => self.end(Phase::Ineligible, reason),
            Event::Awarded { grant, union, .. } => {
                self.grant = Some(grant.clone());
                self.union = *union;
                self.phase = Phase::Awarded;
            }
            Event::Reserved { .. } => self.phase = Phase::Reserved,
            Event::Rejected { reason, .. } => self.end(Phase::Rejected, reason),
        }
    }
}

impl Proposal {
    /// What the applicant wrote last, submitted or not.
    #[must_use]
    pub fn latest(&self) -> &Content {
        self.revision.as_ref().unwrap_or(&self.content)
    }

    /// The cut-off into whose round it goes, or went.
    #[must_use]
    pub fn destination<'a>(&'a self, call: &'a Call) -> Option<&'a CutOffKey> {
        let open = self.submission.as_ref().filter(|_| self.phase == Phase::Submitted);
        match open {
            Some(submission) => call.cut_off_for(submission.received_at).map(|(key, _)| key),
            None => self.cut_off.as_ref(),
        }
    }

    fn end(&mut self, phase: Phase, reason: &str) {
        self.phase = phase;
        self.reason = Some(reason.to_owned());
    }
}
