//! What this process has at hand for channels: whoever calls the marketplaces, and a bell.

use tokio::sync::watch;

use super::bol;
use crate::delivery::live::Bell;
use crate::platform::clock::Clock;
use crate::platform::config::Channels as Config;

/// See the module. Part of the application.
pub struct Channels {
    /// Rung when something was asked of a channel.
    bell: Bell,
    pub(super) bol: bol::Client,
    /// What a channel gets that says nothing else.
    pub(crate) config: Config,
}

impl Channels {
    pub fn new(config: &Config, clock: &Clock) -> Self {
        let timeout = clock.real(std::time::Duration::from_millis(config.timeout_ms));
        Self {
            bell: Bell::default(),
            bol: bol::Client::new(config, timeout),
            config: config.clone(),
        }
    }

    /// Something was asked of a channel.
    pub fn ring(&self) {
        self.bell.ring();
    }

    /// Hears every ring from now on.
    pub fn hear(&self) -> watch::Receiver<()> {
        self.bell.hear()
    }
}
