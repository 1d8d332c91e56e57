//! Reading what is known of secrets, but not the secrets.

use jiff::Timestamp;
use runout_store::{Error, Result, Row, Statement, statements};
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::delivery::destinations::model::SigningKind;
use crate::delivery::signing::Secret;

statements! {
    SECRETS = "select number, kind, created_at, ends_at, secret from destination_secret
        where destination_id = $1 and (ends_at is null or ends_at > $2) order by number desc";
}

/// A secret of a webhook, without the secret itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct KnownSecret {
    #[schema(minimum = 1)]
    pub number: i64,
    pub kind: SigningKind,
    /// Of `ed25519`: what the receiver verifies with.
    #[schema(required = true)]
    pub public_key: Option<String>,
    pub created_at: Timestamp,
    /// It signs until then; null: for good.
    #[schema(required = true)]
    pub ends_at: Option<Timestamp>,
}

impl KnownSecret {
    fn read(app: &App, destination_id: i64, row: &Row<'_>) -> Result<Self> {
        let (number, kind) = (row.get(0)?, kind(row, 1)?);
        let public_key = match kind {
            SigningKind::Hmac => None,
            SigningKind::Ed25519 => {
                let broken = |_| Error::Decode { column: 4, reason: "no secret".to_owned() };
                let place = super::place(destination_id, number);
                let opened = app.sealer.open(&place, &row.get::<String>(4)?)?;
                let secret: Secret = opened.text()?.parse().map_err(broken)?;
                secret.public_key().map(|key| key.to_string())
            }
        };
        let (created_at, ends_at) = (row.get(2)?, row.get(3)?);
        Ok(Self { number, kind, public_key, created_at, ends_at })
    }
}

pub(super) fn kind(row: &Row<'_>, column: usize) -> Result<SigningKind> {
    match row.get::<String>(column)?.as_str() {
        "hmac" => Ok(SigningKind::Hmac),
        "ed25519" => Ok(SigningKind::Ed25519),
        other => Err(Error::Decode { column, reason: format!("{other:?} is no kind of secret") }),
    }
}

/// The secrets that sign now, newest first.
///
/// # Errors
/// The database's.
pub async fn all(app: &App, destination_id: i64) -> Result<Vec<KnownSecret>> {
    let params = vec![destination_id.into(), app.clock.now().into()];
    let read = |row: &Row<'_>| KnownSecret::read(app, destination_id, row);
    app.db.read(Statement::new(&SECRETS, params), read).await
}
