//! Accounts that act in tests, made without the cost of a real password.

use runout_shop::accounts::password::PasswordCost;
use runout_shop::accounts::{self, Actor, By, NewAccount, Role};
use runout_shop::platform::command::Outcome;

use super::{Client, TestShop};

/// What every test account's password is.
pub const PASSWORD: &str = "a password for tests";

/// Argon2's least cost: some microseconds.
pub const CHEAP: PasswordCost = PasswordCost { memory_kib: 8, passes: 1, lanes: 1 };

impl TestShop {
    /// A customer who is logged in. The e-mail address is `{username}@example.com`.
    pub async fn customer(&self, username: &str) -> Client {
        self.account(username, Role::Customer).await
    }

    /// The member of staff `sam`, logged in; made at the first call.
    pub async fn staff(&self) -> Client {
        self.account("sam", Role::Staff).await
    }

    /// The superuser `root`, logged in; made at the first call.
    pub async fn superuser(&self) -> Client {
        self.account("root", Role::Superuser).await
    }

    /// An account of any role, logged in. An account that exists already gets another token.
    pub async fn account(&self, username: &str, role: Role) -> Client {
        if let Some(known) = self.actors.lock().expect("no panic").get(username) {
            return known.clone();
        }
        let new = NewAccount {
            username: username.to_owned(),
            email: format!("{username}@example.com"),
            password: Some(PASSWORD.to_owned()),
            role: Some(role),
            ..NewAccount::default()
        };
        let by = By::actor(Actor::System);
        let created = accounts::sign_up(&self.app, by, new).await.expect("the database works");
        let Outcome::Accepted(account) = created else { panic!("{username} cannot be made") };
        let login = accounts::issue_token(&self.app, account.id, "test").await;
        let client = self.anonymous().logged_in(account.id, &login.expect("a token").token);
        self.actors.lock().expect("no panic").insert(username.to_owned(), client.clone());
        client
    }
}
