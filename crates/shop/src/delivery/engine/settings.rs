//! How the engine behaves.

use std::time::Duration;

use runout_core::delivery::Retries;

use crate::platform::config::Delivery;

/// Longest pause that a receiver can ask for.
const AFTER_MAX: Duration = Duration::from_secs(3_600);
/// At the end, what is under way is given so long.
const FINISH_MAX: Duration = Duration::from_secs(10);

/// See the fields.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How often others' changes are looked for; changes of this process ring a bell.
    pub poll: Duration,
    /// After so long without a sign of life a node's lanes go to others.
    pub lease: Duration,
    pub retries: Retries,
    /// Attempts under way at one destination.
    pub concurrency_max: u32,
    /// Attempts under way at all destinations.
    pub attempts_max: usize,
    /// Until an answer must have come.
    pub timeout: Duration,
    /// Longest pause that a receiver can ask for.
    pub after_max: Duration,
    /// At the end, what is under way is given so long.
    pub finish_max: Duration,
}

impl From<&Delivery> for Settings {
    fn from(config: &Delivery) -> Self {
        Self {
            poll: Duration::from_millis(config.poll_ms),
            lease: Duration::from_millis(config.lease_ms),
            retries: Retries {
                quick: config.quick_retries,
                quick_ms: config.quick_pause_ms,
                quick_ms_max: config.quick_pause_ms_max,
                slow: config.slow_retries,
                slow_ms: config.slow_pause_ms,
            },
            concurrency_max: config.concurrency_max,
            attempts_max: config.attempts_max,
            timeout: Duration::from_millis(config.timeout_ms),
            after_max: AFTER_MAX,
            finish_max: FINISH_MAX,
        }
    }
}
