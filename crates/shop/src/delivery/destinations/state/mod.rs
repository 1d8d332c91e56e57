//! Whether a destination is delivered to; and trying it out.

pub mod commands;
