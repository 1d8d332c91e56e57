//! What is done to accounts while they are used.

use serde::{Deserialize, Serialize};

use super::limit::Limit;
use super::market::SECOND_US;
use super::options::Endpoint;
use super::{Shared, UNPOISONED};

/// How a provider is down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DownMode {
    /// 503 with a page for people.
    #[default]
    Unavailable,
    /// Connections are reset.
    Cut,
}

/// Something that happens at the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "act", deny_unknown_fields)]
pub enum Act {
    /// No token that was sold is taken any more.
    RevokeTokens,
    /// The client's secret is not valid any more, or is again. Tokens stay as they are.
    LockOut { on: bool },
    /// The account is not let in any more, or is again.
    Deactivate { on: bool },
    /// Shipments come, with today's date or late with an older one.
    Arrive { count: u32, late: bool },
    /// The newest shipments that are there go away for good.
    Remove { count: u32 },
    /// Another limit for these accounts alone.
    Limit { endpoint: Endpoint, limit: Limit },
    /// The provider is down for so many simulated seconds, for everybody; 0: up again.
    Down {
        seconds: u64,
        #[serde(default)]
        mode: DownMode,
    },
    /// So many simulated seconds pass at once, for everybody.
    Advance { seconds: u64 },
}

impl Shared {
    /// Does it to these accounts.
    pub(super) fn act(&self, channels: &[u32], act: &Act) {
        match act {
            Act::Advance { seconds } => self.clock.leap(seconds * SECOND_US),
            Act::Down { seconds, mode } => {
                let until_us = self.clock.now_us() + seconds * SECOND_US;
                *self.down.lock().expect(UNPOISONED) = Some((until_us, *mode));
            }
            _ => channels.iter().for_each(|channel| self.act_on(*channel, act)),
        }
    }

    fn act_on(&self, number: u32, act: &Act) {
        let place = self.place(number);
        let mut channel = self.channel(number);
        let now_us = self.clock.now_us();
        match act {
            Act::RevokeTokens => channel.revoke_tokens(),
            Act::LockOut { on } => channel.locked_out = *on,
            Act::Deactivate { on } => channel.inactive = *on,
            Act::Arrive { count, late } => {
                for _ in 0..*count {
                    let _or_full = channel.stock.arrive(&place, now_us, *late);
                }
            }
            Act::Remove { count } => {
                let there = |index: &u32| channel.stock.date(&place, *index).is_some();
                let newest: Vec<u32> =
                    (0..channel.stock.count()).rev().filter(there).take(*count as usize).collect();
                newest.into_iter().for_each(|index| channel.stock.remove(index));
            }
            Act::Limit { endpoint, limit } => channel.change(*endpoint, *limit, now_us),
            Act::Down { .. } | Act::Advance { .. } => unreachable!("they concern everybody"),
        }
    }

    /// How the provider is down, if it is.
    pub(super) fn down(&self) -> Option<DownMode> {
        let (until_us, mode) = (*self.down.lock().expect(UNPOISONED))?;
        (self.clock.now_us() < until_us).then_some(mode)
    }
}
