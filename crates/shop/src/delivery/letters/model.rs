//! A dead letter as it is stored and as it is answered.

use jiff::Timestamp;
use runout_store::{Error, Result, Row};
use serde::Serialize;
use utoipa::ToSchema;

/// Why a delivery was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LetterReason {
    /// The receiver will not have it.
    Refused,
    /// It was tried for as long as is tried.
    Exhausted,
    /// There is no way to send it.
    Unsendable,
}

impl LetterReason {
    /// The words, as they are stored and sent.
    pub const WORDS: &'static [&'static str] = &["refused", "exhausted", "unsendable"];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Exhausted => "exhausted",
            Self::Unsendable => "unsendable",
        }
    }
}

/// What becomes of a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LetterState {
    /// Nobody has taken care of it.
    Dead,
    /// It is on its way again.
    Replaying,
    /// It arrived after all.
    Delivered,
    /// Somebody decided that it need not arrive.
    Discarded,
}

impl LetterState {
    /// The words, as they are stored and sent.
    pub const WORDS: &'static [&'static str] = &["dead", "replaying", "delivered", "discarded"];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Replaying => "replaying",
            Self::Delivered => "delivered",
            Self::Discarded => "discarded",
        }
    }
}

/// A dead letter as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DeadLetter {
    #[schema(minimum = 1)]
    pub id: i64,
    #[schema(minimum = 1)]
    pub destination_id: i64,
    /// What it is known by at the receiver.
    #[schema(example = "evt_7")]
    pub event_id: String,
    #[schema(example = "order.placed")]
    pub topic: String,
    #[schema(example = "order")]
    pub entity: String,
    pub entity_id: i64,
    /// When the event happened.
    pub at: Timestamp,
    /// When its delivery was given up.
    pub died_at: Timestamp,
    pub reason: LetterReason,
    #[schema(minimum = 0)]
    pub attempts: i64,
    /// The status of the last answer; null if there was none.
    #[schema(required = true)]
    pub status: Option<i64>,
    pub state: LetterState,
    /// Why it was discarded.
    #[schema(required = true)]
    pub note: Option<String>,
    #[serde(skip)]
    pub outbox_id: i64,
    #[serde(skip)]
    pub lane: i64,
    /// Grows with every change; the ETag.
    #[serde(skip)]
    pub version: i64,
}

/// A dead letter with all that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = DeadLetterDetails)]
pub struct Details {
    #[serde(flatten)]
    pub letter: DeadLetter,
    /// What was to be told; a person may edit it.
    #[schema(value_type = Object)]
    pub payload: serde_json::Value,
    /// The last request, without secrets.
    pub request: String,
    /// The last answer, without secrets; null if there was none.
    #[schema(required = true)]
    pub response: Option<String>,
}

fn broken(column: usize, word: &str) -> Error {
    Error::Decode { column, reason: format!("{word:?} is no word of a dead letter") }
}

impl DeadLetter {
    /// Reads `id, destination_id, outbox_id, lane, topic, entity, entity_id, at, died_at, reason,
    /// attempts, status, state, note, version`.
    pub(super) fn read(row: &Row<'_>) -> Result<Self> {
        let reason = match row.get::<String>(9)?.as_str() {
            "refused" => LetterReason::Refused,
            "exhausted" => LetterReason::Exhausted,
            "unsendable" => LetterReason::Unsendable,
            other => return Err(broken(9, other)),
        };
        let state = match row.get::<String>(12)?.as_str() {
            "dead" => LetterState::Dead,
            "replaying" => LetterState::Replaying,
            "delivered" => LetterState::Delivered,
            "discarded" => LetterState::Discarded,
            other => return Err(broken(12, other)),
        };
        let outbox_id = row.get(2)?;
        Ok(Self {
            id: row.get(0)?,
            destination_id: row.get(1)?,
            event_id: crate::delivery::envelope::event_id(outbox_id),
            topic: row.get(4)?,
            entity: row.get(5)?,
            entity_id: row.get(6)?,
            at: row.get(7)?,
            died_at: row.get(8)?,
            reason,
            attempts: row.get(10)?,
            status: row.get(11)?,
            state,
            note: row.get(13)?,
            outbox_id,
            lane: row.get(3)?,
            version: row.get(14)?,
        })
    }
}

impl Details {
    /// Reads the columns of [`DeadLetter::read`], then `payload, request, response`.
    pub(super) fn read(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            letter: DeadLetter::read(row)?,
            payload: row.get(15)?,
            request: row.get(16)?,
            response: row.get(17)?,
        })
    }
}
