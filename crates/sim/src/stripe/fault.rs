//! What can go wrong between a client and a provider.

use std::time::Duration;

/// One misfortune, which one request meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection is cut before anything is done.
    CutBefore,
    /// It is done, and the connection is cut before a byte of the answer.
    CutAfter,
    /// It is done, and the answer does not come while the client waits.
    SilentAfter,
    /// It is done, and the connection is cut in the middle of the answer.
    HalfAnswer,
    /// It is done, and the answer comes a few bytes at a time, with this long between them.
    SlowAnswer(Duration),
    /// An error of the provider's, before anything is done.
    ErrorBefore,
    /// It is done, and the answer is an error of the provider's; the idempotency key keeps it, as
    /// Stripe's do.
    ErrorAfter,
    /// Turned away: come back later.
    TooMany,
    /// Another request with the same key is said to be under way.
    InFlight,
    /// It is done, and the answer is a page for people.
    NotJson,
    /// It is done, and the answer has no end within reason.
    EndlessAnswer,
    /// The payment is made of another amount.
    WrongAmount,
    /// The payment is made in another currency.
    WrongCurrency,
}

impl Fault {
    /// Those that lose answers and leave payments as they were meant.
    pub(super) const TRANSIENT: [Fault; 8] = [
        Fault::CutBefore,
        Fault::CutAfter,
        Fault::HalfAnswer,
        Fault::SlowAnswer(Duration::from_millis(1)),
        Fault::ErrorBefore,
        Fault::ErrorAfter,
        Fault::TooMany,
        Fault::InFlight,
    ];

    /// True if it strikes before anything is done.
    pub(super) fn is_before(self) -> bool {
        matches!(self, Fault::CutBefore | Fault::ErrorBefore | Fault::TooMany | Fault::InFlight)
    }
}
