//! What an instance counts beside its engine, for Prometheus.

use crate::engine::{Metrics, Receipt, SubmitError};
use crate::relay;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// The figures of one instance. Clones are the same figures.
#[derive(Clone)]
pub(super) struct NodeFigures {
    pub engine: Metrics,
    is_writer: IntGauge,
    lease_changes: IntCounter,
    forwarded: IntCounterVec,
    /// If it relays.
    pub relay: Option<relay::Metrics>,
}

impl NodeFigures {
    pub fn new(engine: Option<Metrics>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            engine: engine.map_or_else(Metrics::new, Ok)?,
            is_writer: IntGauge::new("tranche_is_writer", "1 while this instance writes the log")?,
            lease_changes: IntCounter::new(
                "tranche_lease_changes_total",
                "How often this instance began or ceased to write the log",
            )?,
            forwarded: IntCounterVec::new(
                Opts::new(
                    "tranche_commands_forwarded_total",
                    "Commands given to the instance that writes, by outcome",
                ),
                &["outcome"],
            )?,
            relay: None,
        })
    }

    pub fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        self.engine.register(registry)?;
        registry.register(Box::new(self.is_writer.clone()))?;
        registry.register(Box::new(self.lease_changes.clone()))?;
        registry.register(Box::new(self.forwarded.clone()))?;
        self.relay.as_ref().map_or(Ok(()), |relay| relay.register(registry))
    }

    pub fn writes(&self, is_writer: bool) {
        self.is_writer.set(i64::from(is_writer));
        self.lease_changes.inc();
    }

    pub fn forwarded(&self, result: &Result<Receipt, SubmitError>) {
        self.forwarded.with_label_values(&[Metrics::outcome(result)]).inc();
    }
}
