//! Channels, runs and shipments as they are stored and answered.

use jiff::Timestamp;
use runout_core::channels::Method;
use runout_store::{Error, Result, Row};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Makes an enum of words that are stored and sent as they are.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// The words, as they are stored and sent.
            pub const WORDS: &'static [&'static str] = &[$($word),*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The inverse of `as_str`.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

words! {
    /// Whose marketplace it is.
    Provider {
        /// bol.com, its Retailer API of version 10.
        Bol = "bol",
    }
}

words! {
    /// How a channel is.
    ChannelState {
        /// Its credentials were not tried yet: the provider did not answer.
        Unverified = "unverified",
        Active = "active",
        /// Somebody paused it: it goes on where it was when it is resumed.
        Paused = "paused",
        /// The provider refuses its credentials, as `state_reason` says.
        Refused = "refused",
    }
}

impl Provider {
    /// As people call it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Bol => "bol.com",
        }
    }
}

impl ChannelState {
    /// True when it is synced.
    pub const fn works(self) -> bool {
        matches!(self, Self::Unverified | Self::Active)
    }
}

words! {
    /// What a sync reads.
    RunKind {
        /// Everything, for the first time.
        Initial = "initial",
        /// What is new, and what is still moving.
        Update = "update",
        /// Everything once more.
        Full = "full",
    }
}

words! {
    RunState {
        Running = "running",
        Done = "done",
        Canceled = "canceled",
    }
}

words! {
    /// What is known of a shipment.
    ShipmentState {
        /// It was listed; its detail was not fetched yet.
        Listed = "listed",
        Stored = "stored",
        /// What the provider says of it cannot be read, as `problem` says; what it said is kept.
        Quarantined = "quarantined",
        /// The provider does not know it any more.
        Gone = "gone",
    }
}

words! {
    /// How far something is that is shipped from here.
    ProcessState {
        Queued = "queued",
        /// It is being sent, or was when this process ended.
        Sending = "sending",
        /// The provider works on it.
        Pending = "pending",
        Success = "success",
        Failure = "failure",
        /// The provider gave it up.
        Timeout = "timeout",
        /// It was sent, and nobody knows what became of it: look at the provider's before sending
        /// it again.
        Unknown = "unknown",
    }
}

/// A word that the database may not hold.
pub(super) fn broken(column: usize, word: &str) -> Error {
    Error::Decode { column, reason: format!("an unknown word: {word}") }
}

/// Reads a column of words.
pub(super) fn word<T>(row: &Row<'_>, column: usize, parse: fn(&str) -> Option<T>) -> Result<T> {
    let word: String = row.get(column)?;
    parse(&word).ok_or_else(|| broken(column, &word))
}

/// Reads a column of JSON.
pub(super) fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| Error::Decode { column, reason: error.to_string() })
}

/// Who fulfils a shipment.
pub(super) fn method(row: &Row<'_>, column: usize) -> Result<Method> {
    word(row, column, Method::parse)
}

/// A channel as it is answered: its secret never is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Channel {
    #[schema(minimum = 1)]
    pub id: i64,
    /// Whose it is; null: the house's.
    #[schema(required = true)]
    pub account_id: Option<i64>,
    #[schema(example = "Plaatboef Rotterdam")]
    pub shop: String,
    #[schema(example = "plaatboef-bol")]
    pub name: String,
    pub provider: Provider,
    #[schema(example = "1d5c0e0a-6a6f-4b0e-8a8e-6d6f1f0c2b3a")]
    pub client_id: String,
    /// Whether it has a client secret, which is never shown.
    pub has_secret: bool,
    pub state: ChannelState,
    /// Why it is refused.
    #[schema(required = true)]
    pub state_reason: Option<String>,
    /// Minutes between two syncs; null: only when asked.
    #[schema(required = true, minimum = 1)]
    pub sync_minutes: Option<i64>,
    /// People's data are erased so many days after the shipment; null: they are kept.
    #[schema(required = true, minimum = 1)]
    pub keep_days: Option<i64>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    #[schema(minimum = 1)]
    pub version: i64,
}

impl Channel {
    /// Reads the columns of `queries::SHOW`.
    pub(super) fn read(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            account_id: row.get(1)?,
            shop: row.get(2)?,
            name: row.get(3)?,
            provider: word(row, 4, Provider::parse)?,
            client_id: row.get(5)?,
            has_secret: row.get(6)?,
            state: word(row, 7, ChannelState::parse)?,
            state_reason: row.get(8)?,
            sync_minutes: row.get(9)?,
            keep_days: row.get(10)?,
            created_at: row.get(11)?,
            updated_at: row.get(12)?,
            version: row.get(13)?,
        })
    }
}

/// What can be set of a channel, for the audit trail.
#[derive(Debug, Serialize)]
pub(super) struct Settings<'a> {
    name: &'a str,
    shop: &'a str,
    provider: Provider,
    client_id: &'a str,
    account_id: Option<i64>,
    sync_minutes: Option<i64>,
    keep_days: Option<i64>,
}

impl Channel {
    pub(super) fn settings(&self) -> Settings<'_> {
        Settings {
            name: &self.name,
            shop: &self.shop,
            provider: self.provider,
            client_id: &self.client_id,
            account_id: self.account_id,
            sync_minutes: self.sync_minutes,
            keep_days: self.keep_days,
        }
    }
}

/// A sync of a channel, with what was counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SyncRun {
    #[schema(minimum = 1)]
    pub id: i64,
    #[schema(minimum = 1)]
    pub channel_id: i64,
    pub kind: RunKind,
    /// The account that asked for it; null: the schedule.
    #[schema(required = true)]
    pub asked_by: Option<i64>,
    pub state: RunState,
    pub began_at: Timestamp,
    #[schema(required = true)]
    pub ended_at: Option<Timestamp>,
    /// Pages of the list that were read.
    pub pages: i64,
    /// Shipments that were not known before.
    pub found: i64,
    /// Details that were stored.
    pub details: i64,
    /// Shipments that could not be read.
    pub quarantined: i64,
    /// Shipments that the provider does not know any more.
    pub gone: i64,
    /// Calls, but for those for tokens.
    pub calls: i64,
    /// Calls that came too early.
    pub refused: i64,
    /// Calls whose token was not taken.
    pub unauthorised: i64,
    /// Calls without an answer that means something.
    pub failed: i64,
    /// Tokens that were bought.
    pub tokens: i64,
}

impl SyncRun {
    /// Reads the columns of a run, from the given one on.
    pub(super) fn read_from(row: &Row<'_>, from: usize) -> Result<Self> {
        let count = |column: usize| row.get::<i64>(from + column);
        Ok(Self {
            id: row.get(from)?,
            channel_id: row.get(from + 1)?,
            kind: word(row, from + 2, RunKind::parse)?,
            asked_by: row.get(from + 3)?,
            state: word(row, from + 4, RunState::parse)?,
            began_at: row.get(from + 5)?,
            ended_at: row.get(from + 6)?,
            pages: count(7)?,
            found: count(8)?,
            details: count(9)?,
            quarantined: count(10)?,
            gone: count(11)?,
            calls: count(12)?,
            refused: count(13)?,
            unauthorised: count(14)?,
            failed: count(15)?,
            tokens: count(16)?,
        })
    }
}

/// Something that is shipped from here, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChannelProcess {
    #[schema(minimum = 1)]
    pub id: i64,
    #[schema(minimum = 1)]
    pub channel_id: i64,
    #[schema(required = true)]
    pub asked_by: Option<i64>,
    /// The provider's number of the order.
    #[schema(required = true)]
    pub order_id: Option<String>,
    pub items: Vec<super::parcel::ParcelItem>,
    #[schema(required = true)]
    pub reference: Option<String>,
    #[schema(required = true)]
    pub shipping_label_id: Option<String>,
    #[schema(required = true)]
    pub transporter_code: Option<String>,
    #[schema(required = true)]
    pub track_and_trace: Option<String>,
    pub state: ProcessState,
    /// The provider's number of it.
    #[schema(required = true)]
    pub process_id: Option<String>,
    /// The provider's number of the shipment that came of it.
    #[schema(required = true)]
    pub shipment_id: Option<String>,
    #[schema(required = true)]
    pub error: Option<String>,
    /// When the provider is told or asked next; null: it has ended.
    #[schema(required = true)]
    pub due_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl ChannelProcess {
    /// Reads the columns of `queries::PROCESS`.
    pub(super) fn read(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            channel_id: row.get(1)?,
            asked_by: row.get(2)?,
            order_id: row.get(3)?,
            items: json(row, 4)?,
            reference: row.get(5)?,
            shipping_label_id: row.get(6)?,
            transporter_code: row.get(7)?,
            track_and_trace: row.get(8)?,
            state: word(row, 9, ProcessState::parse)?,
            process_id: row.get(10)?,
            shipment_id: row.get(11)?,
            error: row.get(12)?,
            due_at: row.get(13)?,
            created_at: row.get(14)?,
            updated_at: row.get(15)?,
        })
    }
}
