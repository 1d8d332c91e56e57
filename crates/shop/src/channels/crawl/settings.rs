//! How the crawler behaves.

use std::time::Duration;

use crate::platform::clock::Clock;
use crate::platform::config::Channels;

/// At the end, what is under way is given so long.
const FINISH_MAX: Duration = Duration::from_secs(10);

/// See the fields; all times are real ones.
#[derive(Debug, Clone)]
pub struct Settings {
    pub config: Channels,
    /// How often channels that are due are looked for; what this process asks for rings a bell.
    pub poll: Duration,
    /// After so long without a sign of life a node's channels go to others.
    pub lease: Duration,
    /// Until an answer must have come.
    pub timeout: Duration,
    /// Calls under way, of all channels.
    pub calls_max: usize,
    /// Channels in hand.
    pub held_max: usize,
    /// At the end, what is under way is given so long.
    pub finish_max: Duration,
}

impl Settings {
    /// With a clock that may go faster than the real one: the crawler's times follow it.
    pub fn new(config: &Channels, clock: &Clock) -> Self {
        let millis = |ms| clock.real(Duration::from_millis(ms));
        Self {
            poll: millis(config.poll_ms),
            lease: millis(config.lease_ms),
            timeout: millis(config.timeout_ms),
            calls_max: config.calls_max,
            held_max: config.held_max,
            finish_max: FINISH_MAX,
            config: config.clone(),
        }
    }
}
