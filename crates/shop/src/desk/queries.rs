//! What the desk reads.

pub(super) mod board;
pub(super) mod orders;
pub(super) mod runs;
pub(super) mod trail;
