//! From outcomes to answers: which refusal becomes which problem.

use std::time::Duration;

use axum::http::header::{CACHE_CONTROL, ETAG, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use super::password::{PasswordError, RETRY_BUSY};
use super::second_factor::FactorRefused;
use super::{Account, AccountRefused, AccountsError, Invalid, LoginRefused, PasswordRefused};
use crate::platform::answer::json;
use crate::platform::etag::etag;
use crate::platform::problem::{FieldError, Problem};

impl From<Invalid> for FieldError {
    fn from(invalid: Invalid) -> Self {
        FieldError::new(format!("/{}", invalid.field), "invalid", invalid.reason)
    }
}

impl From<AccountRefused> for Problem {
    fn from(refused: AccountRefused) -> Self {
        let taken = |code, field: &str, detail: &str| {
            let error = FieldError::new(format!("/{field}"), code, detail);
            Problem::conflict(code, detail).errors(vec![error])
        };
        match refused {
            AccountRefused::Invalid(wrong) => {
                Problem::validation(wrong.into_iter().map(FieldError::from).collect())
            }
            AccountRefused::UsernameTaken => {
                taken("username_taken", "username", "This username is taken.")
            }
            AccountRefused::EmailTaken => {
                taken("email_taken", "email", "This e-mail address is taken.")
            }
            AccountRefused::IdentityTaken => taken(
                "identity_taken",
                "identity_document",
                "This identity document belongs to another account.",
            ),
            AccountRefused::NotFound => Problem::not_found("account"),
            AccountRefused::Forbidden => Problem::forbidden(),
            AccountRefused::RoleForbidden => {
                Problem::forbidden().detail("Only superusers set roles.")
            }
            AccountRefused::LastSuperuser => Problem::conflict(
                "last_superuser",
                "This is the last active superuser; make another one first.",
            ),
            AccountRefused::OwnAccount => Problem::conflict(
                "own_account",
                "Nobody deactivates or demotes themselves by mistake: ask another superuser.",
            ),
            AccountRefused::VersionChanged => {
                Problem::precondition_failed("The account has changed since you read it.")
            }
            AccountRefused::WrongPassword => wrong_password(),
        }
    }
}

fn wrong_password() -> Problem {
    let detail = "The current password is wrong.";
    let error = FieldError::new("/current_password", "wrong_password", detail);
    Problem::bad_request("wrong_password", detail).errors(vec![error])
}

pub(super) fn throttled(retry_after: Duration) -> Problem {
    Problem::too_many(retry_after)
        .code("login_throttled")
        .detail("Too many wrong passwords; wait as long as Retry-After says.")
}

impl From<AccountsError> for Problem {
    fn from(error: AccountsError) -> Self {
        match error {
            AccountsError::Store(error) => error.into(),
            AccountsError::Password(PasswordError::Busy) => Problem::unavailable(RETRY_BUSY)
                .code("overloaded")
                .detail("Too many passwords are being checked; nothing was changed. Try again."),
            AccountsError::Password(error) => Problem::internal(error),
        }
    }
}

impl From<LoginRefused> for Problem {
    fn from(refused: LoginRefused) -> Self {
        match refused {
            LoginRefused::WrongCredentials => Problem::unauthorized()
                .code("invalid_credentials")
                .detail("No active account has this name and password."),
            LoginRefused::SecondFactorRequired => Problem::unauthorized()
                .code("second_factor_required")
                .detail("This account needs a second factor: send its `code` as well."),
            LoginRefused::WrongSecondFactor => FactorRefused::WrongCode.into(),
            LoginRefused::Throttled { retry_after } => throttled(retry_after),
            LoginRefused::Failed(error) => error.into(),
        }
    }
}

impl From<PasswordRefused> for Problem {
    fn from(refused: PasswordRefused) -> Self {
        match refused {
            PasswordRefused::Wrong => wrong_password(),
            PasswordRefused::Throttled { retry_after } => throttled(retry_after),
            PasswordRefused::Failed(error) => error.into(),
        }
    }
}

/// 200 with the account and its ETag.
pub(super) fn shown(account: &Account) -> Response {
    let mut response = json(StatusCode::OK, account);
    response.headers_mut().insert(ETAG, etag(account.version));
    response
}

/// 201 with the new account, its ETag and its address.
pub(super) fn created(account: &Account) -> Response {
    let mut response = shown(account);
    *response.status_mut() = StatusCode::CREATED;
    let address = HeaderValue::try_from(format!("/api/v1/accounts/{}", account.id));
    response.headers_mut().insert(LOCATION, address.expect("ASCII letters and digits"));
    response
}

/// Marks an answer that holds a secret: nothing on the way may keep it.
pub(super) fn not_stored(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
