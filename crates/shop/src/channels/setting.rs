//! Credentials on their way in: verified first, outside of any transaction, then stored.

use std::net::IpAddr;

use super::access::Scope;
use super::commands::{self, Changed, ChannelRefused, Checked, NewSettings};
use super::input::ChannelPatch;
use super::verification::{Verified, verify};
use super::{queries, secret_place};
use crate::App;
use crate::platform::command::{Caller, Outcome};
use crate::platform::etag::IfMatch;
use crate::platform::problem::{FieldError, Problem};
use crate::platform::secret::Secret;

/// Verifies the credentials of a channel that is to be added.
///
/// # Errors
/// 422 when the provider refuses them; 429.
pub async fn verified(
    app: &App,
    caller: &Caller,
    new: &NewSettings,
    client: IpAddr,
) -> Result<Verified, Problem> {
    let who = (caller.account_id, client);
    let verified = verify(app, new.provider, &new.client_id, &new.secret, who).await;
    verified.map_err(|refused| refused.problem(new.provider))
}

/// Changes a channel; new credentials are verified first.
///
/// # Errors
/// 422 when the provider refuses them; 429; the database's.
pub async fn change(
    app: &App,
    caller: Caller,
    scope: Scope,
    id: i64,
    patch: ChannelPatch,
    if_match: IfMatch,
    client: IpAddr,
) -> Result<Outcome<super::model::Channel, ChannelRefused>, Problem> {
    let checked = match patch.has_credentials() {
        true => Some(checked(app, &caller, scope, id, &patch, client).await?),
        false => None,
    };
    let changed: Changed = commands::change(app, caller, scope, id, patch, checked, if_match).await;
    Ok(changed?)
}

async fn checked(
    app: &App,
    caller: &Caller,
    scope: Scope,
    id: i64,
    patch: &ChannelPatch,
    client: IpAddr,
) -> Result<Checked, Problem> {
    let stored = queries::sealed(app, scope, id).await?;
    let stored = stored.ok_or_else(|| Problem::not_found("channel"))?;
    let secret = match &patch.client_secret {
        Some(secret) => secret.clone(),
        None => opened(app, id, stored.secret.as_deref())?,
    };
    let client_id = patch.client_id.as_ref().unwrap_or(&stored.client_id);
    let who = (caller.account_id, client);
    let verified = verify(app, stored.provider, client_id, &secret, who).await;
    let verified = verified.map_err(|refused| refused.problem(stored.provider))?;
    Ok(Checked { verified, credentials: stored.version })
}

/// The secret that belongs to a client id that changes.
fn opened(app: &App, id: i64, sealed: Option<&str>) -> Result<Secret, Problem> {
    let missing = || {
        let detail = "Give the client secret as well: there is none that could be used.";
        Problem::validation(vec![FieldError::new("/client_secret", "missing", detail)])
    };
    let opened = app.sealer.open(&secret_place(id), sealed.ok_or_else(missing)?);
    let opened = opened.map_err(|error| missing().context(error))?;
    let text = opened.text().map_err(|error| missing().context(error))?;
    Ok(Secret::new(text))
}
