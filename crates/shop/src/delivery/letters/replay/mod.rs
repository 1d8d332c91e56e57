//! Replaying dead letters: one, or many by what they have in common.

pub mod commands;

use garde::Validate;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::LetterReason;
use crate::platform::lookups::VALUE_BYTES_MAX;
use crate::pricing::sane_time;

/// Letters that one request may replay.
pub const REPLAY_MAX: i64 = 1_000;

/// Which dead letters are replayed: those that fit everything that is said; all, if nothing is.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Range {
    /// The first letter.
    #[garde(range(min = 1))]
    #[schema(minimum = 1)]
    pub from_id: Option<i64>,
    /// The last letter.
    #[garde(range(min = 1))]
    #[schema(minimum = 1)]
    pub to_id: Option<i64>,
    #[garde(inner(length(max = VALUE_BYTES_MAX)))]
    #[schema(max_length = 500, example = "order.placed")]
    pub topic: Option<String>,
    #[garde(inner(length(max = VALUE_BYTES_MAX)))]
    #[schema(max_length = 500, example = "order")]
    pub entity: Option<String>,
    #[garde(skip)]
    pub reason: Option<LetterReason>,
    /// Given up at this moment or later.
    #[garde(inner(custom(sane_time)))]
    pub died_after: Option<Timestamp>,
    /// Given up before this moment.
    #[garde(inner(custom(sane_time)))]
    pub died_before: Option<Timestamp>,
    /// At most so many, the oldest first; 1000, if absent.
    #[garde(range(min = 1, max = REPLAY_MAX))]
    #[schema(minimum = 1, maximum = 1000, default = 1000)]
    pub limit: Option<i64>,
}

/// What a request has replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Replayed {
    #[schema(minimum = 0, maximum = 1000)]
    pub replayed: i64,
    /// True if there are more that fit: ask again.
    pub more: bool,
}
