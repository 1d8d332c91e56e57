//! Runout's rules. Pure and synchronous: no I/O, no clock, no randomness, no ids of its own.
//!
//! Whoever calls hands in a snapshot, the time and the ids to use, and gets outcomes and the
//! difference to store. The same inputs give the same outcome, on every engine, in every test.

pub mod admission;
pub mod channels;
pub mod country;
pub mod decimal;
pub mod delivery;
pub mod discount;
pub mod event;
pub mod ids;
pub mod money;
pub mod order;
pub mod stock;
pub mod tax;
