//! A destination as it is stored and as it is answered.

use std::collections::BTreeMap;

use jiff::Timestamp;
use runout_store::{Error, Result, Row};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::delivery::signing::SecretKind;

/// How a destination is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DestinationKind {
    /// A mirror: the shop's things are made, changed and deleted there too.
    Rest,
    /// Signed messages, after Standard Webhooks.
    Webhook,
    /// Messages to a topic exchange of RabbitMQ.
    Amqp,
}

impl DestinationKind {
    /// The words, as they are stored and sent.
    pub const WORDS: &'static [&'static str] = &["rest", "webhook", "amqp"];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Webhook => "webhook",
            Self::Amqp => "amqp",
        }
    }
}

/// Whether a destination is delivered to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DestinationState {
    Active,
    /// Somebody paused it: what it asks for is kept.
    Paused,
    /// The shop gave it up, as `state_reason` says: what it asks for is kept.
    Disabled,
}

impl DestinationState {
    /// The words, as they are stored and sent.
    pub const WORDS: &'static [&'static str] = &["active", "paused", "disabled"];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
        }
    }
}

/// How a secret signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SigningKind {
    /// `v1`: both sides know the secret.
    Hmac,
    /// `v1a`: the receiver knows the public key.
    Ed25519,
}

impl SigningKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hmac => "hmac",
            Self::Ed25519 => "ed25519",
        }
    }
}

impl From<SigningKind> for SecretKind {
    fn from(kind: SigningKind) -> Self {
        match kind {
            SigningKind::Hmac => Self::Hmac,
            SigningKind::Ed25519 => Self::Ed25519,
        }
    }
}

/// How one kind of thing is mirrored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceMapping {
    /// Where the collection lies, below the destination's address.
    #[schema(
        min_length = 2,
        max_length = 200,
        pattern = r"^(/[A-Za-z0-9._~-]+)+$",
        example = "/posts"
    )]
    pub path: String,
    /// What fields are called there, where it differs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(example = json!({"user_id": "userId"}))]
    pub fields: BTreeMap<String, String>,
    /// Changes are sent by PATCH instead of PUT.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schema(default = false)]
    pub patch: bool,
}

/// Kinds of things with how each is mirrored.
pub type Resources = BTreeMap<String, ResourceMapping>;

/// What can be changed of a destination, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = DestinationSettings)]
pub struct Settings {
    #[schema(min_length = 1, max_length = 100, example = "warehouse")]
    pub name: String,
    /// Without the password, if it has one: `amqp://user:***@host`.
    #[schema(example = "https://warehouse.example/hooks")]
    pub url: String,
    /// Topics, or beginnings of topics such as `order.*`; null: all.
    #[schema(required = true)]
    pub events: Option<Vec<String>>,
    /// What is mirrored, and how: only of `rest`.
    #[schema(required = true, value_type = Option<BTreeMap<String, ResourceMapping>>)]
    pub resources: Option<Resources>,
    /// Whether it may be in a private network, or on this machine.
    pub allow_private: bool,
}

/// A destination: the answer that the staff gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Destination {
    #[schema(minimum = 1)]
    pub id: i64,
    pub kind: DestinationKind,
    #[serde(flatten)]
    pub settings: Settings,
    /// The exchange: only of `amqp`.
    #[schema(required = true)]
    pub exchange: Option<String>,
    pub state: DestinationState,
    /// Why it was disabled, if nobody did it.
    #[schema(required = true)]
    pub state_reason: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Grows with every change; the ETag.
    #[serde(skip)]
    pub version: i64,
}

/// A destination with how it fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DestinationStatus {
    #[serde(flatten)]
    pub destination: Destination,
    /// Deliveries that are still to be made, those under way included; not counted beyond 10,001.
    #[schema(minimum = 0)]
    pub pending: i64,
    /// True if there are more than `pending` says.
    pub pending_is_at_least: bool,
    /// Attempts that the node that answers makes right now.
    #[schema(minimum = 0)]
    pub in_flight: i64,
    /// Deliveries that were made, since ever.
    #[schema(minimum = 0)]
    pub delivered: i64,
    /// Attempts that failed, since ever.
    #[schema(minimum = 0)]
    pub failed_attempts: i64,
    /// Dead letters that nobody has taken care of; not counted beyond 10,001.
    #[schema(minimum = 0)]
    pub dead: i64,
    /// Things whose delivery failed and waits for another attempt; not counted beyond 10,001.
    #[schema(minimum = 0)]
    pub retrying: i64,
    /// For how many seconds the oldest delivery has been waiting; null if none is.
    #[schema(required = true, minimum = 0)]
    pub oldest_pending_s: Option<i64>,
    #[schema(required = true)]
    pub last_success_at: Option<Timestamp>,
    #[schema(required = true)]
    pub last_failure_at: Option<Timestamp>,
    /// What went wrong last.
    #[schema(required = true)]
    pub last_error: Option<String>,
}

impl Destination {
    /// Reads `id, name, kind, shown_url, events, resources, exchange, allow_private, state,
    /// state_reason, created_at, updated_at, version`.
    pub(super) fn read(row: &Row<'_>) -> Result<Self> {
        let kind = match row.get::<String>(2)?.as_str() {
            "rest" => DestinationKind::Rest,
            "webhook" => DestinationKind::Webhook,
            "amqp" => DestinationKind::Amqp,
            other => return Err(broken(2, format!("{other:?} is no kind of destination"))),
        };
        let state = match row.get::<String>(8)?.as_str() {
            "active" => DestinationState::Active,
            "paused" => DestinationState::Paused,
            "disabled" => DestinationState::Disabled,
            other => return Err(broken(8, format!("{other:?} is no state of a destination"))),
        };
        let settings = Settings {
            name: row.get(1)?,
            url: row.get(3)?,
            events: json(row, 4)?,
            resources: json(row, 5)?,
            allow_private: row.get(7)?,
        };
        Ok(Self {
            id: row.get(0)?,
            kind,
            settings,
            exchange: row.get(6)?,
            state,
            state_reason: row.get(9)?,
            created_at: row.get(10)?,
            updated_at: row.get(11)?,
            version: row.get(12)?,
        })
    }
}

fn broken(column: usize, reason: String) -> Error {
    Error::Decode { column, reason }
}

fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<Option<T>> {
    let Some(value) = row.get::<Option<serde_json::Value>>(column)? else { return Ok(None) };
    serde_json::from_value(value).map(Some).map_err(|error| broken(column, error.to_string()))
}
