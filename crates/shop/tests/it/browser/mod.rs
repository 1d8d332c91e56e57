//! The pages in a real browser: Debian's Chromium, headless, driven through its chromedriver,
//! against the real program. A test here is a whole journey, since browsers start slowly; nextest
//! runs two at a time (`.config/nextest.toml`).

mod driver;
mod events;
mod inspection;
mod login;
mod owner;
mod shopper;
mod steps;
mod sweep;
mod tickets;
mod window;

use std::panic::{AssertUnwindSafe, resume_unwind};

use futures::FutureExt;
use serde_json::{Value, json};

use crate::support::TestShop;
use crate::support::furnish::Api;
use crate::support::server::{Server, runout};

use window::Window;

/// Where pictures and sources of failed journeys go, below target.
const FAILURES: &str = "browser-failures";
pub const OWNER: &str = "olga";
pub const CUSTOMER: &str = "ana";
pub const PASSWORD: &str = "twelve inches of vinyl";

/// A running shop, and its owner's token for what a test needs beside the browser.
pub struct Stage {
    pub server: Server,
    token: String,
}

impl Stage {
    /// Starts the program on the test's database, with these settings in its environment.
    pub async fn set(shop: &TestShop, settings: &[(&str, &str)]) -> Self {
        shop.app.stop().await;
        let url = shop.database_url();
        let owner = ["createsuperuser", "--username", OWNER, "--email", "olga@shop.test"];
        let made = runout(&url, &[&owner[..], &["--password-stdin"]].concat(), PASSWORD);
        assert!(made.status.success(), "{made:?}");
        let server = Server::start_with(&url, &[], settings).await;
        let mut stage = Self { server, token: String::new() };
        stage.token = stage.log_in(OWNER).await.token;
        stage
    }

    /// The shop's address for a browser.
    pub fn base(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// Somebody with this account's token.
    pub async fn log_in(&self, username: &str) -> Person<'_> {
        let body = json!({"username": username, "password": PASSWORD});
        let nobody = Person { server: &self.server, token: String::new() };
        let answer = nobody.call("POST", "/api/v1/tokens", body).await;
        let token = answer["token"].as_str().expect("a token").to_owned();
        Person { token, ..nobody }
    }

    pub fn as_owner(&self) -> Person<'_> {
        Person { server: &self.server, token: self.token.clone() }
    }

    /// A customer with [`PASSWORD`], made now.
    pub async fn customer(&self, username: &str) -> Person<'_> {
        let email = format!("{username}@example.com");
        let body = json!({"username": username, "email": email, "password": PASSWORD});
        let nobody = Person { server: &self.server, token: String::new() };
        nobody.call("POST", "/api/v1/accounts", body).await;
        self.log_in(username).await
    }

    /// A record at 19.90 EUR with so many copies; gives the product.
    pub async fn record(&self, artist: &str, title: &str, copies: i64) -> Value {
        let body = json!({
            "title": title, "artist": artist, "release_year": 1994, "style": "Dub",
            "price": {"currency": "EUR", "amount": "19.90"},
        });
        let owner = self.as_owner();
        let product = owner.call("POST", "/api/v1/products", body).await;
        let receipt = json!({"variant_id": product["variants"][0]["id"], "quantity": copies});
        owner.call("POST", "/api/v1/stock/receipts", receipt).await;
        product
    }
}

/// Somebody who uses the API of a running shop.
pub struct Person<'a> {
    server: &'a Server,
    token: String,
}

impl Api for Person<'_> {
    async fn call(&self, method: &str, path: &str, body: Value) -> Value {
        let mut connection = self.server.connect().await;
        let reply = connection.send(method, path, &self.token, "", &body).await;
        let reply = reply.unwrap_or_else(|| panic!("{method} {path}: no answer"));
        assert!((200..300).contains(&reply.status), "{method} {path}: {}", reply.body);
        reply.body
    }
}

/// Runs a journey in a browser of its own. When it fails, the page is kept and its place is told.
pub async fn journey(name: &str, stage: &Stage, walk: impl AsyncFnOnce(&Window)) {
    let window = Window::open(&stage.base()).await;
    let walked = AssertUnwindSafe(walk(&window)).catch_unwind().await;
    if let Err(panic) = walked {
        let kept = window.keep(FAILURES, name).await;
        let source = kept.with_extension("html");
        std::fs::write(&source, window.source().await).expect("written");
        eprintln!("the page at the end: {} and .png", source.display());
        eprintln!("the browser's console: {:#?}", window.console().await);
        resume_unwind(panic);
    }
    window.close().await;
}

/// Logs in by the form.
pub async fn log_in(window: &Window, username: &str) {
    window.goto("/accounts/login/").await;
    window.types("username", username).await;
    window.types("password", PASSWORD).await;
    window.presses_in("//main", "Log in").await;
    window.sees_in("header", "Log out").await;
}
