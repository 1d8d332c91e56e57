//! The shop: library behind the `runout` binary.

pub mod platform;
