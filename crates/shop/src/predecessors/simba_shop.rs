//! A seller's shop: the account's first channel, in Simba's words.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::fields::{Names, checked};
use crate::App;
use crate::accounts::Account;
use crate::catalog::input::value;
use crate::channels::access::Scope;
use crate::channels::commands::{self, ChannelRefused, NewSettings};
use crate::channels::input::{ChannelPatch, NewChannel};
use crate::channels::model::{Channel, ChannelState, Provider};
use crate::channels::verification::Verified;
use crate::channels::{queries, setting};
use crate::platform::answer::key_reused;
use crate::platform::command::{Caller, Outcome};
use crate::platform::etag::IfMatch;
use crate::platform::problem::{FieldError, Problem};
use crate::platform::secret::Secret;

/// What Simba calls the fields of a channel.
const NAMES: &Names = &[
    ("shop", "shop_name"),
    ("client_id", "bol_client_id"),
    ("client_secret", "bol_client_secret"),
    ("name", "username"),
];

/// A seller's shop.
#[derive(Serialize, ToSchema)]
#[schema(as = SimbaShop)]
pub(super) struct Shop {
    #[schema(required = true)]
    shop_name: Option<String>,
    #[schema(required = true)]
    bol_client_id: Option<String>,
    /// Whether there is a client secret. It is never shown.
    has_bol_client_secret: bool,
    /// How the channel is; null if there is none.
    #[schema(required = true)]
    state: Option<ChannelState>,
}

/// The shop's fields of a request.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = SimbaShopFields)]
pub(super) struct ShopFields {
    #[serde(default, deserialize_with = "value")]
    #[schema(nullable = false, min_length = 1, max_length = 100)]
    pub shop_name: Option<String>,
    #[serde(default, deserialize_with = "value")]
    #[schema(nullable = false, min_length = 1, max_length = 200)]
    pub bol_client_id: Option<String>,
    #[serde(default, deserialize_with = "value")]
    #[schema(nullable = false, min_length = 1, max_length = 500)]
    pub bol_client_secret: Option<String>,
}

fn missing(field: &str) -> FieldError {
    FieldError::new(format!("/{field}"), "missing", "This field is needed for a shop.")
}

impl ShopFields {
    /// The channel that these make, if any is given.
    ///
    /// # Errors
    /// 400 that names what is missing or wrong.
    pub(super) fn checked(&self, username: &str) -> Result<Option<NewChannel>, Problem> {
        let Self { shop_name, bol_client_id, bol_client_secret } = self;
        if shop_name.is_none() && bol_client_id.is_none() && bol_client_secret.is_none() {
            return Ok(None);
        }
        let (Some(client_id), Some(secret)) = (bol_client_id, bol_client_secret) else {
            let fields = [
                ("bol_client_id", bol_client_id.is_none()),
                ("bol_client_secret", bol_client_secret.is_none()),
            ];
            let absent = fields.iter().filter(|(_, absent)| *absent);
            return Err(Problem::validation(absent.map(|(field, _)| missing(field)).collect()));
        };
        let name: String = username.chars().take(crate::channels::input::NAME_CHARS_MAX).collect();
        let new = NewChannel {
            shop: shop_name.clone().unwrap_or_else(|| name.clone()),
            name,
            provider: Provider::Bol,
            client_id: client_id.clone(),
            client_secret: Secret::new(secret.as_str()),
            sync_minutes: None,
            keep_days: None,
            account_id: None,
        };
        checked(&new, NAMES)?;
        Ok(Some(new))
    }
}

/// The pointer of a problem about credentials, in Simba's words.
fn renamed(problem: Problem) -> Problem {
    let errors = problem.field_errors();
    let known = |error: &FieldError| error.pointer == "/client_secret";
    if !errors.iter().any(known) {
        return problem;
    }
    let words = problem.words().to_owned();
    problem.errors(vec![FieldError::new("/bol_client_secret", "refused", words)])
}

/// Verifies the credentials of a shop; `account_id` is none while there is no account yet.
///
/// # Errors
/// 422 when bol.com refuses them; 429.
pub(super) async fn verified(
    app: &App,
    account_id: Option<i64>,
    new: &NewChannel,
    client: IpAddr,
) -> Result<Verified, Problem> {
    let settings = NewSettings::new(new.clone(), account_id, app);
    let caller = Caller { account_id, key: None };
    setting::verified(app, &caller, &settings, client).await.map_err(renamed)
}

fn settled(outcome: Outcome<Channel, ChannelRefused>) -> Result<Channel, Problem> {
    match outcome {
        Outcome::Accepted(channel) => Ok(channel),
        Outcome::Refused(refused) => Err(refused.into()),
        Outcome::Replayed { .. } | Outcome::KeyReused => Err(key_reused()),
    }
}

/// Adds an account's channel under its name, or one like it if that is taken.
///
/// # Errors
/// The refusal as a problem; the database's.
pub(super) async fn add(
    app: &App,
    account_id: i64,
    new: NewChannel,
    verified: Verified,
) -> Result<Channel, Problem> {
    let mut settings = NewSettings::new(new, Some(account_id), app);
    let caller = Caller { account_id: Some(account_id), key: None };
    let added = commands::add(app, caller.clone(), settings.clone(), verified.clone()).await?;
    if !matches!(added, Outcome::Refused(ChannelRefused::NameTaken)) {
        return settled(added);
    }
    settings.name = format!("seller {account_id}");
    settled(commands::add(app, caller, settings, verified).await?)
}

/// The account's first channel.
///
/// # Errors
/// The database's.
pub(super) async fn first(app: &App, account_id: i64) -> Result<Option<Channel>, Problem> {
    Ok(queries::own(app, account_id, 1).await?.pop())
}

/// The account's shop.
///
/// # Errors
/// The database's.
pub(super) async fn shop(app: &App, account_id: i64) -> Result<Shop, Problem> {
    let channel = first(app, account_id).await?;
    Ok(Shop {
        has_bol_client_secret: channel.as_ref().is_some_and(|channel| channel.has_secret),
        state: channel.as_ref().map(|channel| channel.state),
        bol_client_id: channel.as_ref().map(|channel| channel.client_id.clone()),
        shop_name: channel.map(|channel| channel.shop),
    })
}

/// Changes the account's first channel, or adds it.
///
/// # Errors
/// 400, 409, 422 when bol.com refuses the credentials, 429; the database's.
pub(super) async fn change(
    app: &App,
    account: &Account,
    fields: ShopFields,
    client: IpAddr,
) -> Result<(), Problem> {
    let Some(channel) = first(app, account.id).await? else {
        let Some(new) = fields.checked(&account.username)? else { return Ok(()) };
        let verified = verified(app, Some(account.id), &new, client).await?;
        add(app, account.id, new, verified).await?;
        return Ok(());
    };
    let ShopFields { shop_name, bol_client_id, bol_client_secret } = fields;
    let patch = ChannelPatch {
        shop: shop_name,
        // What is the same already needs no verification.
        client_id: bol_client_id.filter(|id| *id != channel.client_id),
        client_secret: bol_client_secret.map(Secret::new),
        ..ChannelPatch::default()
    };
    checked(&patch, NAMES)?;
    let (caller, scope) =
        (Caller { account_id: Some(account.id), key: None }, Scope::Of(account.id));
    let changed =
        setting::change(app, caller, scope, channel.id, patch, IfMatch::Any, client).await;
    settled(changed.map_err(renamed)?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use garde::Validate;

    use super::*;

    #[test]
    fn a_shop_needs_both_halves_of_its_credentials() {
        let fields = |id: Option<&str>, secret: Option<&str>| ShopFields {
            shop_name: Some("Plaatboef".to_owned()),
            bol_client_id: id.map(str::to_owned),
            bol_client_secret: secret.map(str::to_owned),
        };
        assert!(matches!(ShopFields::default().checked("ana"), Ok(None)));
        for (id, secret, pointer) in
            [(None, Some("s"), "/bol_client_id"), (Some("i"), None, "/bol_client_secret")]
        {
            let problem = fields(id, secret).checked("ana").err().expect("one half");
            assert_eq!(problem.field_errors()[0].pointer, pointer);
        }
        let new = fields(Some("i"), Some("s")).checked("ana").ok().flatten().expect("a shop");
        assert_eq!((new.name.as_str(), new.shop.as_str()), ("ana", "Plaatboef"));
        assert!(new.validate().is_ok());
    }
}
