//! The clock seam: the only place that asks the operating system for the time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Tells the time; cheap to clone. Tests set it by hand, or let it go faster.
#[derive(Debug, Clone, Default)]
pub struct Clock(Kind);

#[derive(Debug, Clone, Default)]
enum Kind {
    #[default]
    System,
    Manual(Arc<Mutex<Timestamp>>),
    Scaled {
        /// The operating system's time and ours, at one moment.
        real: Timestamp,
        ours: Timestamp,
        /// Our seconds in a real one.
        scale: u32,
    },
}

impl Clock {
    /// The operating system's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands still until it is moved. Its clones move with it.
    pub fn manual(start: Timestamp) -> Self {
        Self(Kind::Manual(Arc::new(Mutex::new(start))))
    }

    /// A clock that showed `ours` when the operating system's showed `real`, and goes `scale` times
    /// as fast: the same in every process that is told the same.
    pub fn scaled(real: Timestamp, ours: Timestamp, scale: u32) -> Self {
        Self(Kind::Scaled { real, ours, scale: scale.max(1) })
    }

    /// Now, to the microsecond, which is what both databases keep.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Kind::System => to_micros(system()),
            Kind::Manual(time) => *time.lock().expect("no holder of the clock's lock can panic"),
            Kind::Scaled { real, ours, scale } => {
                to_micros(*ours + system().duration_since(*real) * *scale as i32)
            }
        }
    }

    /// How long such a span of this clock's time takes.
    pub fn real(&self, span: Duration) -> Duration {
        match &self.0 {
            Kind::Scaled { scale, .. } => span / *scale,
            Kind::System | Kind::Manual(_) => span,
        }
    }

    /// A clock that goes on from now without ever being set.
    pub fn steady(&self) -> Steady {
        let scale = if let Kind::Scaled { scale, .. } = self.0 { scale } else { 1 };
        Steady { from: self.now(), since: Instant::now(), scale }
    }

    /// Moves a manual clock on.
    ///
    /// # Panics
    /// On another clock.
    pub fn advance(&self, by: Duration) {
        let Kind::Manual(time) = &self.0 else { panic!("only a manual clock can be moved") };
        let mut time = time.lock().expect("no holder of the clock's lock can panic");
        *time = to_micros(*time + by);
    }
}

/// Measures spans: the time of day when it began, and how long ago that was. When the operating
/// system's clock is corrected this one goes on as before.
#[derive(Debug, Clone, Copy)]
pub struct Steady {
    from: Timestamp,
    since: Instant,
    scale: u32,
}

impl Steady {
    /// Now, to the microsecond.
    pub fn now(&self) -> Timestamp {
        let passed = self.since.elapsed().saturating_mul(self.scale);
        to_micros(self.from + SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX))
    }

    /// How much of this clock's time passes in a real span.
    pub fn ours(&self, real: Duration) -> Duration {
        real.saturating_mul(self.scale)
    }

    /// When a moment of this clock comes.
    pub fn instant(&self, moment: Timestamp) -> Instant {
        let ahead = moment.duration_since(self.from);
        let ahead = Duration::try_from(ahead).unwrap_or(Duration::ZERO);
        // Rounded up: whoever waits for a moment must not wake before it.
        self.since + ahead / self.scale + Duration::from_nanos(1)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the seam")]
fn system() -> Timestamp {
    Timestamp::now()
}

fn to_micros(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).expect("the same moment, less precise")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn a_scaled_clock_goes_faster_and_is_the_same_for_all() {
        let real = system();
        let (one, other) = (Clock::scaled(real, at(1_000), 1_000), Clock::scaled(real, at(0), 1));
        assert!(one.now() >= at(1_000) && other.now() < at(3_600));
        std::thread::sleep(Duration::from_millis(5));
        assert!(one.now() >= at(1_005), "{}", one.now());
        assert_eq!(one.real(Duration::from_secs(1)), Duration::from_millis(1));
        assert_eq!(Clock::system().real(Duration::from_secs(1)), Duration::from_secs(1));
    }

    #[test]
    fn a_steady_clock_wakes_nobody_too_early() {
        let steady = Clock::scaled(system(), at(0), 7).steady();
        for micros in [1, 999, 12_345, 1_000_001] {
            let moment = steady.now() + Duration::from_micros(micros);
            let instant = steady.instant(moment);
            std::thread::sleep(instant.saturating_duration_since(Instant::now()));
            assert!(steady.now() >= moment, "{micros}");
        }
        assert!(steady.instant(at(-5)) <= Instant::now(), "what is past is not waited for");
    }
}
