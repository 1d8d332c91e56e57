//! What signs a webhook's messages.
//!
//! What always holds:
//! - A secret is shown once, in the answer to whoever has it made; answers that are kept to be
//!   repeated, the audit trail and logs do not have it, and the database has it sealed.
//! - At least one secret of a webhook signs for good.

pub mod commands;
pub mod queries;

use jiff::Timestamp;
use runout_store::{Error, Result, Value};
use serde::Serialize;
use utoipa::ToSchema;

use super::model::SigningKind;
use crate::delivery::signing::Secret;
use crate::platform::seal::{Place, Sealer};

pub(super) use commands::INSERT_SECRET;

/// Secrets that one destination may have at the same time.
pub const SECRETS_MAX: usize = 8;

/// Where a sealed secret lies.
pub(in crate::delivery) fn place(destination_id: i64, number: i64) -> Place {
    Place::new("destination_secret", "secret", format_args!("{destination_id}/{number}"))
}

/// A secret that was made and is not stored yet.
#[derive(Clone)]
pub struct Made {
    pub number: i64,
    pub kind: SigningKind,
    pub secret: Secret,
}

/// A secret, shown this once.
#[derive(Clone, Serialize, ToSchema)]
pub struct ShownSecret {
    #[schema(minimum = 1)]
    pub number: i64,
    pub kind: SigningKind,
    /// `whsec_...`, which the receiver verifies with; or `whsk_...`, which only signs.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    pub secret: String,
    /// Of `ed25519`: what the receiver verifies with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub public_key: Option<String>,
}

impl Made {
    /// Makes a secret out of the operating system's randomness.
    ///
    /// # Errors
    /// When there is none to be had.
    pub fn generate(number: i64, kind: SigningKind) -> Result<Self> {
        let secret = Secret::generate(kind.into())
            .map_err(|error| Error::Panicked(format!("no entropy: {error}")))?;
        Ok(Self { number, kind, secret })
    }

    /// The row of [`INSERT_SECRET`].
    pub(super) fn row(&self, sealer: &Sealer, destination_id: i64, now: Timestamp) -> Vec<Value> {
        let place = place(destination_id, self.number);
        vec![
            destination_id.into(),
            self.number.into(),
            self.kind.as_str().into(),
            sealer.seal(&place, self.secret.expose().as_bytes()).into(),
            now.into(),
        ]
    }

    /// To be shown to whoever had it made.
    pub fn shown(&self) -> ShownSecret {
        ShownSecret {
            number: self.number,
            kind: self.kind,
            secret: self.secret.expose().to_string(),
            public_key: self.secret.public_key().map(|key| key.to_string()),
        }
    }
}

/// Makes the secrets that a new destination begins with.
///
/// # Errors
/// When there is no randomness to be had.
pub fn first(kinds: &[SigningKind]) -> Result<Vec<Made>> {
    (1..).zip(kinds).map(|(number, kind)| Made::generate(number, *kind)).collect()
}
