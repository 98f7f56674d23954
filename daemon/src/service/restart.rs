//! What of the configuration is in force only after a restart: the process has given up, or opened, what it would need.

use tidy_config::{LogConfig, MetricsConfig};
use tidy_protocol::TAKES_A_RESTART;

use super::configure::Configured;
use super::handler::Service;

/// That part of the configuration that the process was started with.
pub(super) struct AtStart {
    metrics: MetricsConfig,
    log: LogConfig,
}

impl AtStart {
    pub(super) fn new(configured: &Configured) -> Self {
        Self { metrics: configured.metrics.clone(), log: configured.log }
    }

    /// Says what waits for a restart, for as long as it does.
    pub(super) fn reloaded(&self, configured: &Configured, service: &Service) {
        let parts = [
            ("[metrics]", self.metrics != configured.metrics),
            ("log", self.log != configured.log),
        ];
        for (part, waits) in parts {
            let text = format!("{part} has changed{TAKES_A_RESTART}");
            match waits {
                true => service.warn(text),
                false => service.withdraw(&text),
            }
        }
    }
}
