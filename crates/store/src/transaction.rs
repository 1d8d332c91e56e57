//! A write is a value: statements to load, a pure decision, statements to store.
//!
//! SQLite runs the three in one hop on its writer thread, PostgreSQL pipelines the loads and the
//! stores. No code outside this crate ever holds an open transaction.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{Error, Result, Rows, Statement};

/// A write transaction. It may run more than once (conflicts are retried), so it decides by
/// `&self`.
pub trait Transaction: Send + Sync + 'static {
    /// What the decision came to; answered after the commit, never before.
    type Output: Send + 'static;

    /// Names the transaction in logs and metrics.
    fn name(&self) -> &'static str;

    /// The statements that read (and on PostgreSQL lock) what the decision needs.
    fn load(&self) -> Vec<Statement>;

    /// Decides from the rows, one [`Rows`] per statement loaded so far. Pure: no I/O.
    ///
    /// # Errors
    /// An error rolls the transaction back. Refusals are outputs, not errors.
    fn decide(&self, loaded: &[Rows]) -> Result<Step<Self::Output>>;
}

/// What a decision asks for next.
pub enum Step<T> {
    /// More rows are needed; they are appended to those loaded before.
    Load(Vec<Statement>),
    /// Store these, commit, and answer with the output.
    Store(Vec<Statement>, T),
}

/// Rounds of loading that a decision may ask for, the first one included.
pub(crate) const LOAD_ROUNDS_MAX: usize = 4;

/// Runs the decision; a panic in it (a failed assertion) becomes an error, so that it can neither
/// commit nor take the writer down.
pub(crate) fn decide<T: Transaction>(tx: &T, loaded: &[Rows]) -> Result<Step<T::Output>> {
    catch_unwind(AssertUnwindSafe(|| tx.decide(loaded))).unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("panic without a message");
        Err(Error::Panicked(format!("{}: {message}", tx.name())))
    })
}
