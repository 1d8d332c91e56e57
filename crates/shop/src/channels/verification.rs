//! Asking a provider whether credentials work, before they are stored as working.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use runout_store::Error;

use super::model::Provider;
use super::provider::{Auth, Call, Came, Credentials};
use crate::App;
use crate::platform::secret::Secret;

/// What credentials turned out to be.
#[derive(Debug, Clone)]
pub enum Verified {
    /// They work: a token came.
    Works(NewToken),
    /// The provider did not answer, as the sentence says.
    Unanswered(String),
}

/// A token, until when.
#[derive(Debug, Clone)]
pub struct NewToken {
    pub text: Secret,
    pub ends_at: Timestamp,
}

/// Why credentials are not stored.
#[derive(Debug, thiserror::Error)]
pub enum VerifyRefused {
    /// The provider refuses them; its words.
    #[error("{0}")]
    Denied(String),
    #[error("too many credentials that do not work; try again in {retry_after:?}")]
    Throttled { retry_after: Duration },
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Asks the provider for a token with these credentials, once. Attempts that fail are counted for
/// the account, or for the client's network if there is none yet.
///
/// # Errors
/// [`VerifyRefused`].
pub async fn verify(
    app: &App,
    provider: Provider,
    client_id: &str,
    secret: &Secret,
    who: (Option<i64>, IpAddr),
) -> Result<Verified, VerifyRefused> {
    let began = app.clock.now();
    let attempt = app.accounts.attempt_verification(who.0, who.1, began);
    let attempt = attempt.map_err(|retry_after| VerifyRefused::Throttled { retry_after })?;
    let credentials = Credentials { client_id: client_id.to_owned(), secret: secret.clone() };
    let auth = Auth::Credentials(credentials);
    let (_, came) = match provider {
        Provider::Bol => app.channels.bol.call(&Call::Token, &auth, began).await,
    };
    match came {
        Came::Token { token, lives } => {
            attempt.succeeded();
            Ok(Verified::Works(NewToken { text: token, ends_at: began + lives }))
        }
        Came::Denied(words) | Came::Invalid(words) => {
            Err(VerifyRefused::Denied(hidden(&words, secret)))
        }
        Came::Failed { problem, .. } => {
            let problem = hidden(&problem, secret);
            Ok(Verified::Unanswered(format!("{} did not answer: {problem}", provider.title())))
        }
        _ => Ok(Verified::Unanswered(format!("{} answers in riddles.", provider.title()))),
    }
}

/// A provider's words, without the secret should it repeat it.
fn hidden(words: &str, secret: &Secret) -> String {
    words.replace(secret.expose(), "[hidden]")
}
