//! A buyer with a basket: a guest with the basket's token, or an account with its own.

use axum::http::Method;
use runout_store::Composer;
use serde_json::{Value, json};

use super::{Answer, Client, TestShop};

pub const BASKETS: &str = "/api/v1/baskets";

/// A basket and whoever opens it.
#[derive(Clone)]
pub struct Basket {
    client: Client,
    /// `Basket TOKEN`; none for an account, whose own token is sent.
    authorization: Option<String>,
    pub id: i64,
}

/// Where a guest's goods go.
pub fn address() -> Value {
    json!({
        "name": "Bia Lea", "line1": "Rillengasse 33", "postal_code": "10115", "city": "Berlin",
        "country": "DE",
    })
}

impl TestShop {
    /// A guest with an empty basket in euros.
    pub async fn guest(&self) -> Basket {
        self.guest_in("EUR").await
    }

    pub async fn guest_in(&self, currency: &str) -> Basket {
        let client = self.anonymous();
        let made = client.post(BASKETS, json!({"currency": currency})).await.expect(201);
        let authorization = Some(format!("Basket {}", made["token"].as_str().expect("a token")));
        Basket { client, authorization, id: made["id"].as_i64().expect("an id") }
    }

    /// The first column of a statement's only row.
    pub async fn number(&self, sql: &'static str) -> i64 {
        let found = self.app.db.read_one(Composer::new(sql).finish(), |row| row.get(0)).await;
        found.expect("reads").expect("one row")
    }

    /// The first column of every row.
    pub async fn texts(&self, sql: &'static str) -> Vec<String> {
        self.app.db.read(Composer::new(sql).finish(), |row| row.get(0)).await.expect("reads")
    }
}

impl Basket {
    /// The account's open basket in euros.
    pub async fn of(account: &Client) -> Self {
        let answer = account.post(BASKETS, json!({"currency": "EUR"})).await;
        assert!([200, 201].contains(&answer.status.as_u16()), "{answer:?}");
        let id = answer.json()["id"].as_i64().expect("an id");
        Self { client: account.clone(), authorization: None, id }
    }

    /// The guest's token.
    pub fn token(&self) -> &str {
        let sent = self.authorization.as_deref().expect("a guest");
        sent.strip_prefix("Basket ").expect("a basket's token")
    }

    /// The same buyer at another node.
    pub fn at(&self, client: &Client) -> Self {
        let mut client = client.clone();
        // A guest sends the basket's token, and no other.
        client.token.clone_from(&self.client.token);
        Self { client, ..self.clone() }
    }

    /// The same buyer, on another basket's number.
    pub fn on(&self, id: i64) -> Self {
        Self { id, ..self.clone() }
    }

    /// Any request of this buyer.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        key: Option<&str>,
    ) -> Answer {
        let mut headers = Vec::new();
        headers.extend(self.authorization.as_deref().map(|value| ("authorization", value)));
        headers.extend(key.map(|key| ("idempotency-key", key)));
        self.client.send(method, path, body, &headers).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, None).await
    }

    pub async fn post(&self, path: &str, body: Option<Value>) -> Answer {
        self.send(Method::POST, path, body, None).await
    }

    fn path(&self, rest: &str) -> String {
        format!("{BASKETS}/{}{rest}", self.id)
    }

    pub async fn look(&self) -> Answer {
        self.get(&self.path("")).await
    }

    /// The basket as it is shown.
    pub async fn shown(&self) -> Value {
        self.look().await.expect(200)
    }

    /// Makes the line hold so many units.
    pub async fn set(&self, variant: i64, quantity: i64) -> Answer {
        self.set_body(json!({"variant_id": variant, "quantity": quantity})).await
    }

    pub async fn set_body(&self, body: Value) -> Answer {
        self.send(Method::PUT, &self.path("/lines"), Some(body), None).await
    }

    pub async fn extend(&self) -> Answer {
        self.post(&self.path("/extend"), None).await
    }

    pub async fn discount(&self, code: &str) -> Answer {
        let body = Some(json!({"code": code}));
        self.send(Method::PUT, &self.path("/discount"), body, None).await
    }

    pub async fn no_discount(&self) -> Answer {
        self.send(Method::DELETE, &self.path("/discount"), None, None).await
    }

    pub async fn check_out(&self, body: Value) -> Answer {
        self.check_out_keyed(body, None).await
    }

    pub async fn check_out_keyed(&self, body: Value, key: Option<&str>) -> Answer {
        self.send(Method::POST, &self.path("/checkout"), Some(body), key).await
    }

    /// Checks out as the guest under this e-mail address.
    pub async fn buys_as(&self, email: &str) -> Answer {
        self.check_out(json!({"email": email, "address": address()})).await
    }
}

/// The only line of a basket that is shown.
#[track_caller]
pub fn line(basket: &Value) -> &Value {
    let lines = basket["lines"].as_array().expect("lines");
    assert_eq!(lines.len(), 1, "{basket}");
    &lines[0]
}
