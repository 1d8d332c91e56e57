//! Telling other systems what changed: which lane a thing belongs to, when to try again, how many
//! at once, which numbers of a sequence were not seen yet, and what a mirror has to be told.
//!
//! All of it is pure: time and randomness come in.

mod gaps;
mod lane;
mod mirror;
mod pace;
mod retry;

pub use gaps::{GAPS_MAX, Gap, Gaps};
pub use lane::{LANES, Lane, lane_of, share};
pub use mirror::{Next, Parent, Remote, Surroundings, next};
pub use pace::{Breaker, Pace};
pub use retry::{Retries, Verdict, verdict};
