//! What can go wrong between a sender and a receiver.

use std::time::Duration;

/// One misfortune, which one request meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Status 500; nothing was applied.
    ErrorBefore,
    /// Status 500, although it was applied.
    ErrorAfter,
    /// Status 429 with Retry-After; nothing was applied.
    TooMany,
    /// No answer for as long as [`Faults::silence`]; nothing was applied.
    SilentBefore,
    /// No answer, although it was applied.
    SilentAfter,
    /// The connection is reset; nothing was applied.
    ResetBefore,
    /// The connection is reset, although it was applied.
    ResetAfter,
    /// It was applied; the head says so, and the body breaks off.
    HalfAnswer,
    /// It was applied; the body comes a byte at a time.
    SlowAnswer,
}

impl Fault {
    pub const ALL: [Self; 9] = [
        Self::ErrorBefore,
        Self::ErrorAfter,
        Self::TooMany,
        Self::SilentBefore,
        Self::SilentAfter,
        Self::ResetBefore,
        Self::ResetAfter,
        Self::HalfAnswer,
        Self::SlowAnswer,
    ];

    /// True if it strikes before anything is applied.
    pub(super) fn is_before(self) -> bool {
        use Fault::*;
        matches!(self, ErrorBefore | TooMany | SilentBefore | ResetBefore)
    }
}

/// How often which misfortune strikes.
#[derive(Debug, Clone)]
pub struct Faults {
    /// Of a thousand requests so many meet one.
    pub permille: u32,
    /// Each as likely as the others.
    pub kinds: Vec<Fault>,
    /// How long a silent receiver stays silent before it hangs up.
    pub silence: Duration,
    /// Between two bytes of a slow answer.
    pub pause: Duration,
    /// What Retry-After asks for, in seconds.
    pub retry_after_s: u64,
}

impl Faults {
    /// Everything goes well.
    pub fn none() -> Self {
        Self::some(0)
    }

    /// Every kind, for so many of a thousand requests.
    pub fn some(permille: u32) -> Self {
        Self {
            permille,
            kinds: Fault::ALL.to_vec(),
            silence: Duration::from_secs(60),
            pause: Duration::from_millis(20),
            retry_after_s: 0,
        }
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self::none()
    }
}
