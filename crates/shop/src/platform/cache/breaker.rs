//! A circuit breaker that keeps the connection it guards.
//!
//! After some failures in a row the connection is given up: what fails is left alone for a while,
//! and answers that were lost or late on it cannot be taken for later ones. Then one caller at a
//! time is asked to connect anew; nobody else waits for that.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Failures in a row that open it.
const FAILURES_MAX: u32 = 3;
/// How long after a failure, or after the beginning of an attempt to connect, the next one begins.
pub(super) const PAUSE: Duration = Duration::from_millis(500);

enum State<C> {
    /// Closed: calls are made.
    Up { connection: C, failures: u32 },
    /// Open: from this moment on somebody may connect.
    Down { from: Instant },
}

/// What a caller is to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn<C> {
    /// Make the call, and tell how it ended, with this number.
    Call(u64, C),
    /// Do without, and connect in the background.
    Connect,
    /// Do without.
    Leave,
}

/// See the module.
pub(super) struct Breaker<C>(Mutex<Inner<C>>);

struct Inner<C> {
    state: State<C>,
    /// Connections so far: the end of a call on an earlier one says nothing about this one.
    number: u64,
}

impl<C: Clone> Breaker<C> {
    /// Open, and ready to connect.
    pub(super) fn new(now: Instant) -> Self {
        Self(Mutex::new(Inner { state: State::Down { from: now }, number: 0 }))
    }

    fn inner(&self) -> MutexGuard<'_, Inner<C>> {
        self.0.lock().expect("no holder of this lock can panic")
    }

    pub(super) fn turn(&self, now: Instant) -> Turn<C> {
        let mut inner = self.inner();
        match &mut inner.state {
            State::Up { connection, .. } => {
                let connection = connection.clone();
                Turn::Call(inner.number, connection)
            }
            State::Down { from } if now < *from => Turn::Leave,
            State::Down { from } => {
                // Should that caller never tell how it ended, another one connects after the pause.
                *from = now + PAUSE;
                Turn::Connect
            }
        }
    }

    pub(super) fn connected(&self, connection: C) {
        let mut inner = self.inner();
        inner.number += 1;
        inner.state = State::Up { connection, failures: 0 };
    }

    /// The call on this connection has succeeded.
    pub(super) fn succeeded(&self, number: u64) {
        let mut inner = self.inner();
        let current = inner.number == number;
        if let State::Up { failures, .. } = &mut inner.state
            && current
        {
            *failures = 0;
        }
    }

    /// The call on this connection has failed. True if this was one too many: the connection is
    /// gone.
    pub(super) fn failed(&self, number: u64, now: Instant) -> bool {
        let mut inner = self.inner();
        let current = inner.number == number;
        match &mut inner.state {
            State::Up { failures, .. } if current && *failures + 1 < FAILURES_MAX => {
                *failures += 1;
                false
            }
            State::Up { .. } if current => {
                inner.state = State::Down { from: now + PAUSE };
                true
            }
            _ => false,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.inner().state, State::Up { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_and_lets_one_connect() {
        let start = Instant::now();
        let breaker = Breaker::new(start);
        assert_eq!(breaker.turn(start), Turn::Connect);
        assert_eq!(breaker.turn(start), Turn::Leave, "one connects, nobody waits");
        breaker.connected('a');
        assert_eq!(breaker.turn(start), Turn::Call(1, 'a'));
        for _ in 1..FAILURES_MAX {
            assert!(!breaker.failed(1, start));
        }
        breaker.succeeded(1);
        for _ in 1..FAILURES_MAX {
            assert!(!breaker.failed(1, start), "a success forgives");
        }
        assert!(breaker.is_up() && breaker.failed(1, start) && !breaker.is_up());
        assert_eq!(breaker.turn(start + PAUSE / 2), Turn::Leave);
        assert_eq!(breaker.turn(start + PAUSE), Turn::Connect);
        assert_eq!(breaker.turn(start + PAUSE), Turn::Leave, "only one at a time");
        assert_eq!(breaker.turn(start + PAUSE * 2), Turn::Connect, "the next one after the pause");
        breaker.connected('b');
        assert_eq!(breaker.turn(start), Turn::Call(2, 'b'));
    }

    #[test]
    fn calls_on_an_earlier_connection_do_not_count() {
        let start = Instant::now();
        let breaker = Breaker::new(start);
        breaker.connected('a');
        breaker.connected('b');
        for _ in 0..FAILURES_MAX {
            assert!(!breaker.failed(1, start));
        }
        for _ in 1..FAILURES_MAX {
            breaker.failed(2, start);
        }
        breaker.succeeded(1);
        assert!(breaker.failed(2, start), "a success of an earlier connection forgives nothing");
        breaker.succeeded(2);
        assert!(!breaker.is_up(), "nor does it bring one back");
    }
}
