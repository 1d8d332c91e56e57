//! A client that sends what it is told and tells what comes back.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use reqwest::header::HeaderMap;
use runout_sim::bol::BolSim;
use serde_json::Value;

const V10: &str = "application/vnd.retailer.v10+json";
/// Longer than any answer takes that is meant to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
    accept: String,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// A header field; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}

impl Client {
    /// Somebody without a token.
    pub fn new(sim: &BolSim) -> Self {
        Self { http: http(PATIENCE), base: sim.url(), token: String::new(), accept: V10.to_owned() }
    }

    /// The same, who waits no longer than this.
    pub fn impatient(&self, timeout: Duration) -> Self {
        Self { http: http(timeout), ..self.clone() }
    }

    /// An account's client, with a new token.
    pub async fn with_token(sim: &BolSim, channel: u32) -> Self {
        let mut client = Self::new(sim);
        let (id, secret) = sim.credentials(channel);
        let answer = client.buys(&id, &secret).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        client.token = answer.json()["access_token"].as_str().expect("a token").to_owned();
        client
    }

    /// Asks for a token.
    pub async fn buys(&self, id: &str, secret: &str) -> Answer {
        let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")));
        let request = self.http.post(format!("{}/token", self.base));
        let request = request
            .header("authorization", basic)
            .header("accept", "application/json")
            .header("content-type", "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials");
        answer(request).await.expect("an answer")
    }

    pub fn accepting(&self, kind: &str) -> Self {
        Self { accept: kind.to_owned(), ..self.clone() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    pub async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.tries(method, path, body).await.expect("an answer")
    }

    /// As [`Client::send`]; none if no whole answer came.
    pub async fn tries(&self, method: &str, path: &str, body: Option<&Value>) -> Option<Answer> {
        let method: Method = method.parse().expect("a method");
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        request = request.header("accept", &self.accept);
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        if let Some(body) = body {
            request = request.header("content-type", V10).body(body.to_string());
        }
        answer(request).await
    }

    /// The ids of a page.
    pub async fn ids(&self, method: &str, page: usize) -> Vec<String> {
        let path = format!("/retailer/shipments?page={page}&fulfilment-method={method}");
        let shown = self.get(&path).await.json();
        let rows = shown["shipments"].as_array().cloned().unwrap_or_default();
        rows.iter().map(|row| row["shipmentId"].as_str().expect("text").to_owned()).collect()
    }

    /// How many rows a page has.
    pub async fn rows(&self, method: &str, page: usize) -> usize {
        self.ids(method, page).await.len()
    }
}

fn http(timeout: Duration) -> reqwest::Client {
    runout_shop::platform::tls::install_provider();
    let http = reqwest::Client::builder().tls_certs_only([]).timeout(timeout).build();
    http.expect("a client without TLS can always be made")
}

async fn answer(request: reqwest::RequestBuilder) -> Option<Answer> {
    let response = request.send().await.ok()?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.ok()?;
    Some(Answer { status, headers, text })
}
