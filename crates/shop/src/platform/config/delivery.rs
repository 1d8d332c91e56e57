//! The section about changes that reach other systems.

use serde::Deserialize;

/// How destinations are told of changes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Delivery {
    /// How often other nodes' changes are looked for; what this node changes is sent at once.
    pub poll_ms: u64,
    /// After so long without a sign of life a node's share of the deliveries goes to others.
    pub lease_ms: u64,
    /// A receiver must answer within this time.
    pub timeout_ms: u64,
    /// Attempts under way at one destination.
    pub concurrency_max: u32,
    /// Attempts under way at all destinations.
    pub attempts_max: usize,
    /// Quick attempts after a failure, and the first pause before one; it doubles.
    pub quick_retries: u32,
    pub quick_pause_ms: u64,
    pub quick_pause_ms_max: u64,
    /// Slow attempts after those, and the pause before each.
    pub slow_retries: u32,
    pub slow_pause_ms: u64,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            poll_ms: 250,
            lease_ms: 6_000,
            timeout_ms: 15_000,
            concurrency_max: 64,
            attempts_max: 256,
            quick_retries: 10,
            quick_pause_ms: 500,
            quick_pause_ms_max: 300_000,
            slow_retries: 24,
            slow_pause_ms: 10_800_000,
        }
    }
}

/// Bounds of the settings: smallest, largest.
const POLL_MS: (u64, u64) = (10, 60_000);
const LEASE_MS: (u64, u64) = (300, 600_000);
const TIMEOUT_MS: (u64, u64) = (10, 120_000);
/// Bound of everything that is a number of attempts.
const ATTEMPTS_MAX: u64 = 10_000;
/// The longest pause: a month.
const PAUSE_MS_MAX: u64 = 2_592_000_000;

/// Flags of the section; each also has its environment variable.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct DeliveryArgs {
    /// Milliseconds after which a silent node's deliveries go to others [default: 6000]
    #[arg(long, global = true, env = "RUNOUT_DELIVERY_LEASE_MS", value_name = "NUMBER")]
    pub delivery_lease_ms: Option<u64>,
    /// Milliseconds within which a receiver must answer [default: 15000]
    #[arg(long, global = true, env = "RUNOUT_DELIVERY_TIMEOUT_MS", value_name = "NUMBER")]
    pub delivery_timeout_ms: Option<u64>,
    /// Attempts under way at one destination [default: 64]
    #[arg(long, global = true, env = "RUNOUT_DELIVERY_CONCURRENCY_MAX", value_name = "NUMBER")]
    pub delivery_concurrency_max: Option<u32>,
    /// Quick attempts after a failed delivery [default: 10]
    #[arg(long, global = true, env = "RUNOUT_DELIVERY_QUICK_RETRIES", value_name = "NUMBER")]
    pub delivery_quick_retries: Option<u32>,
    /// Milliseconds before the first of them, doubling [default: 500]
    #[arg(long, global = true, env = "RUNOUT_DELIVERY_QUICK_PAUSE_MS", value_name = "NUMBER")]
    pub delivery_quick_pause_ms: Option<u64>,
    /// Milliseconds between them at most [default: 300000]
    #[arg(long, global = true, env = "RUNOUT_DELIVERY_QUICK_PAUSE_MS_MAX", value_name = "NUMBER")]
    pub delivery_quick_pause_ms_max: Option<u64>,
}

impl Delivery {
    /// Lays flags and the environment over the settings.
    pub fn overlay(&mut self, args: &DeliveryArgs) {
        super::set(&mut self.lease_ms, &args.delivery_lease_ms);
        super::set(&mut self.timeout_ms, &args.delivery_timeout_ms);
        super::set(&mut self.concurrency_max, &args.delivery_concurrency_max);
        super::set(&mut self.quick_retries, &args.delivery_quick_retries);
        super::set(&mut self.quick_pause_ms, &args.delivery_quick_pause_ms);
        super::set(&mut self.quick_pause_ms_max, &args.delivery_quick_pause_ms_max);
    }

    /// What types alone do not rule out.
    pub(super) fn check(&self) -> Result<(), String> {
        let attempts_max = self.attempts_max as u64;
        let bounds = [
            ("poll_ms", self.poll_ms, POLL_MS),
            ("lease_ms", self.lease_ms, LEASE_MS),
            ("timeout_ms", self.timeout_ms, TIMEOUT_MS),
            ("concurrency_max", self.concurrency_max.into(), (1, ATTEMPTS_MAX)),
            ("attempts_max", attempts_max, (1, ATTEMPTS_MAX)),
            ("quick_retries", self.quick_retries.into(), (0, ATTEMPTS_MAX)),
            ("quick_pause_ms", self.quick_pause_ms, (1, PAUSE_MS_MAX)),
            ("quick_pause_ms_max", self.quick_pause_ms_max, (1, PAUSE_MS_MAX)),
            ("slow_retries", self.slow_retries.into(), (0, ATTEMPTS_MAX)),
            ("slow_pause_ms", self.slow_pause_ms, (1, PAUSE_MS_MAX)),
        ];
        for (name, value, (smallest, largest)) in bounds {
            if value < smallest || value > largest {
                return Err(format!("delivery.{name} must be {smallest} to {largest}"));
            }
        }
        Ok(())
    }
}
