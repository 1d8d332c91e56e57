//! What every capability stands on: configuration, the clock, HTTP, problems, recorded writes.

pub mod clock;
pub mod command;
