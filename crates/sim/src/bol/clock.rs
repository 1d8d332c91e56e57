//! The provider's clock: it goes faster than the real one, or stands still, and can leap ahead.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use jiff::Timestamp;
use runout_shop::platform::clock::Clock;
use tokio::time::Instant;

/// Tells simulated time, in microseconds since 1970.
#[derive(Debug)]
pub(super) struct SimClock {
    began: Instant,
    origin_us: u64,
    /// Simulated seconds per real second; 0: it stands still between two leaps.
    scale: u32,
    leapt_us: AtomicU64,
}

impl SimClock {
    /// Begins at `origin`, or at the real time.
    pub(super) fn start(origin: Option<Timestamp>, scale: u32) -> Self {
        let origin = origin.unwrap_or_else(|| Clock::system().now());
        Self {
            began: Instant::now(),
            origin_us: micros(origin),
            scale,
            leapt_us: AtomicU64::new(0),
        }
    }

    pub(super) fn now_us(&self) -> u64 {
        let real_us = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let passed_us = real_us.saturating_mul(u64::from(self.scale));
        self.origin_us + passed_us + self.leapt_us.load(Relaxed)
    }

    /// When it began.
    pub(super) fn origin_us(&self) -> u64 {
        self.origin_us
    }

    /// Simulated seconds per real second.
    pub(super) fn scale(&self) -> u32 {
        self.scale
    }

    /// Goes ahead at once.
    pub(super) fn leap(&self, by_us: u64) {
        self.leapt_us.fetch_add(by_us, Relaxed);
    }

    /// Waits so much simulated time; not at all on a clock that stands still.
    pub(super) async fn sleep(&self, simulated_us: u64) {
        if simulated_us > 0 && self.scale > 0 {
            let real = Duration::from_nanos(simulated_us * 1_000 / u64::from(self.scale));
            tokio::time::sleep(real).await;
        }
    }
}

fn micros(moment: Timestamp) -> u64 {
    u64::try_from(moment.as_microsecond()).unwrap_or(0)
}

/// The moment of so many microseconds since 1970.
pub(super) fn moment(micros: u64) -> Timestamp {
    let micros = i64::try_from(micros).unwrap_or(i64::MAX);
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
}
