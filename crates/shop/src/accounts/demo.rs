//! The demo customer, whom a predecessor's documentation logs in as.

use super::commands::{Create, taken};
use super::{Account, AccountsError, NewAccount};
use crate::App;
use crate::platform::command::{Caller, Outcome};

/// As in the predecessor's README; the password is shorter than [`super::rules`] would take.
pub const USERNAME: &str = "matt";
pub const PASSWORD: &str = "jackson";
const EMAIL: &str = "matt@example.com";

/// Adds the demo customer, unless somebody has the name.
///
/// # Errors
/// See [`AccountsError`].
pub async fn add_customer(app: &App) -> Result<Option<Account>, AccountsError> {
    let passwords = &app.accounts.passwords;
    let password_hash = passwords.hash(passwords.turn().await?, PASSWORD).await?;
    let new = NewAccount {
        username: USERNAME.to_owned(),
        email: EMAIL.to_owned(),
        name: "Matt".to_owned(),
        ..NewAccount::default()
    };
    let created = taken(app.run(Caller::default(), Create { new, password_hash }).await)?;
    Ok(match created {
        Outcome::Accepted(account) => Some(account),
        _ => None,
    })
}
