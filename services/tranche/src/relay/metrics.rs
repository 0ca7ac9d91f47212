//! What a relay counts, for Prometheus.

use prometheus::{IntCounter, IntGauge, Registry};

/// The figures of one relay. Clones are the same figures.
#[derive(Clone)]
pub struct Metrics {
    /// The position of the last commit that was relayed.
    pub position: IntGauge,
    /// Commits that are in the log, and not relayed.
    pub lag: IntGauge,
    /// Events that this relay has stored.
    pub events: IntCounter,
    /// Tries that did not succeed, and the end of a relay that cannot go on.
    pub failures: IntCounter,
}

impl Metrics {
    /// Figures at zero.
    ///
    /// # Errors
    /// Never: the names are valid.
    pub fn new() -> Result<Self, prometheus::Error> {
        Ok(Self {
            position: IntGauge::new(
                "tranche_relay_position",
                "The position of the last commit that was relayed",
            )?,
            lag: IntGauge::new(
                "tranche_relay_lag_commits",
                "Commits that are in the log, and not relayed",
            )?,
            events: IntCounter::new(
                "tranche_relay_events_total",
                "Events that this relay has stored",
            )?,
            failures: IntCounter::new(
                "tranche_relay_failures_total",
                "Tries of the relay that did not succeed",
            )?,
        })
    }

    /// Makes them known to a registry.
    ///
    /// # Errors
    /// When the registry has figures of these names.
    pub fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.position.clone()))?;
        registry.register(Box::new(self.lag.clone()))?;
        registry.register(Box::new(self.events.clone()))?;
        registry.register(Box::new(self.failures.clone()))
    }

    #[cfg(feature = "nats")]
    pub(super) fn reached(&self, position: u64, head: u64) {
        let figure = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.position.set(figure(position));
        self.lag.set(figure(head.saturating_sub(position)));
    }
}
