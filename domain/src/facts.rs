//! What is stored for ever: the events of each kind of stream and the state that they add up to.
//!
//! Nothing here judges: what is stored has happened. A shape that is stored changes only as a new
//! version with its upcaster (see `CONTRIBUTING.md`). Read [`commit`] (what is stored), then
//! [`stream`], any kind of stream, and [`world`].

pub mod commit;
pub mod documents;
pub mod event;
pub mod invariants;
pub mod personal;
pub mod schemas;
pub mod stored;
pub mod stream;
pub mod upcast;
pub mod world;

pub mod allocation;
pub mod audit;
pub mod call;
pub mod checkpoint;
pub mod claim;
pub mod evaluation;
pub mod fund;
pub mod grant;
pub mod payment;
pub mod pledge;
pub mod prize;
pub mod process;
pub mod proposal;
pub mod statement;
pub mod subject;
pub mod system;
pub mod timer;

/// The table of the kinds of stream, one line each: what is made from it is written by the macro whose
/// name is handed in.
macro_rules! streams {
    ($make:ident) => {
        $make! {
            Fund: fund::Fund in funds;
            Call: call::Call in calls;
            Proposal: proposal::Proposal in proposals;
            Evaluation: evaluation::Evaluation in evaluations;
            Prize: prize::Prize in prizes;
            Grant: grant::Grant in grants;
            Payment: payment::Payment in payments;
            Pledge: pledge::Pledge in pledges;
            Statement: statement::Statement in statements;
            Claim: claim::Claim in claims;
            Audit: audit::Audit in audits;
            Checkpoint: checkpoint::Checkpoints in checkpoints;
            Subject: subject::Subject in subjects;
            System: system::Machine in systems;
            Allocation: allocation::Allocation in allocations;
            Timer: timer::Timer in timers;
            Process: process::Process in processes;
        }
    };
}
pub(crate) use streams;
