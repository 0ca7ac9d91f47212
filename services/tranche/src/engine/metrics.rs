//! What an engine counts, for Prometheus.

use super::request::{Receipt, SubmitError};
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
    exponential_buckets,
};
use std::time::Duration;

/// The figures of one engine. Clones are the same figures.
#[derive(Clone)]
pub struct Metrics {
    /// Commands by outcome.
    pub commands: IntCounterVec,
    /// Commits of a group.
    pub group_commits: Histogram,
    /// Time until a group was durable.
    pub append_seconds: Histogram,
    /// Appends that did not succeed at once.
    pub append_failures: IntCounter,
    /// Appends that were refused because another has written.
    pub fence_conflicts: IntCounter,
    /// Requests without an answer.
    pub queue_depth: IntGauge,
    /// The last durable position.
    pub durable_position: IntGauge,
    /// The last position that the views show.
    pub shown_position: IntGauge,
    /// Reactions and timers that could not be carried out and were set aside.
    pub parked: IntCounter,
}

impl Metrics {
    /// Figures at zero.
    ///
    /// # Errors
    /// Never: the names are valid.
    pub fn new() -> Result<Self, prometheus::Error> {
        let sizes = exponential_buckets(1.0, 2.0, 13)?;
        let seconds = exponential_buckets(0.000_1, 2.0, 16)?;
        let histogram = |name, help, buckets| {
            Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))
        };
        Ok(Self {
            commands: IntCounterVec::new(
                Opts::new("tranche_commands_total", "Commands by outcome"),
                &["outcome"],
            )?,
            group_commits: histogram("tranche_group_commits", "Commits of a group", sizes)?,
            append_seconds: histogram(
                "tranche_append_seconds",
                "Time until a group was durable",
                seconds,
            )?,
            append_failures: IntCounter::new(
                "tranche_append_failures_total",
                "Appends that did not succeed at once",
            )?,
            fence_conflicts: IntCounter::new(
                "tranche_fence_conflicts_total",
                "Appends that were refused because another has written the log",
            )?,
            queue_depth: IntGauge::new("tranche_queue_depth", "Requests without an answer")?,
            durable_position: IntGauge::new(
                "tranche_durable_position",
                "The last durable position",
            )?,
            shown_position: IntGauge::new(
                "tranche_shown_position",
                "The last position that the views show",
            )?,
            parked: IntCounter::new(
                "tranche_reactions_parked_total",
                "Reactions and timers that could not be carried out and were set aside",
            )?,
        })
    }

    /// Makes them known to a registry.
    ///
    /// # Errors
    /// When the registry has figures of these names.
    pub fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.commands.clone()))?;
        registry.register(Box::new(self.group_commits.clone()))?;
        registry.register(Box::new(self.append_seconds.clone()))?;
        registry.register(Box::new(self.append_failures.clone()))?;
        registry.register(Box::new(self.fence_conflicts.clone()))?;
        registry.register(Box::new(self.queue_depth.clone()))?;
        registry.register(Box::new(self.durable_position.clone()))?;
        registry.register(Box::new(self.shown_position.clone()))?;
        registry.register(Box::new(self.parked.clone()))
    }

    pub(crate) fn answered(&self, result: &Result<Receipt, SubmitError>) {
        self.commands.with_label_values(&[Self::outcome(result)]).inc();
    }

    /// The label of an outcome.
    pub(crate) fn outcome(result: &Result<Receipt, SubmitError>) -> &'static str {
        match result {
            Ok(receipt) if receipt.replayed => "replayed",
            Ok(receipt) if receipt.position.is_none() => "nothing",
            Ok(_) => "accepted",
            Err(SubmitError::Refused(_)) => "refused",
            Err(SubmitError::Unavailable { .. }) => "unavailable",
            Err(SubmitError::Busy) => "busy",
            Err(SubmitError::Stopping) => "stopping",
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a group has some thousand entries at most")]
    pub(crate) fn appended(&self, commits: usize, took: Duration) {
        self.group_commits.observe(commits as f64);
        self.append_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn known_durable(&self) -> u64 {
        u64::try_from(self.durable_position.get()).unwrap_or(0)
    }

    pub(crate) fn durable(&self, position: u64) {
        self.durable_position.set(i64::try_from(position).unwrap_or(i64::MAX));
    }

    pub(crate) fn shown(&self, position: u64) {
        self.shown_position.set(i64::try_from(position).unwrap_or(i64::MAX));
    }
}
