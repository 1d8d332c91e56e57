//! Tokens: bought, used up, taken away.

use std::time::Duration;

use runout_sim::bol::Act;
use serde_json::json;

use super::client::Client;
use super::{options, stand_in};

const LIST: &str = "/retailer/shipments";

#[tokio::test]
async fn tokens_are_sold_for_credentials() {
    let sim = stand_in(options()).await;
    let client = Client::new(&sim);
    let (id, secret) = sim.credentials(0);
    let sold = client.buys(&id, &secret).await.json();
    let kind = (&sold["token_type"], &sold["expires_in"], &sold["scope"]);
    assert_eq!(kind, (&json!("Bearer"), &json!(299), &json!("RETAILER")));
    let bad = client.buys(&id, "nonsense").await;
    let error = json!({
        "error": "invalid_client", "error_description": "Bad client credentials",
    });
    assert_eq!((bad.status, bad.json()), (401, error));
    assert_eq!(client.buys("nobody", &secret).await.status, 401);
    let counts = sim.report().counts;
    assert_eq!((counts.token_calls, counts.token_refused), (1, 2));
    assert_eq!(client.get(LIST).await.status, 401, "without a token");
    assert_eq!(sim.report().counts.unauthorised, 1);
}

#[tokio::test]
async fn tokens_expire_by_simulated_time() {
    let sim = stand_in(options()).await;
    let client = Client::with_token(&sim, 0).await;
    sim.advance(Duration::from_secs(200));
    assert_eq!(client.get(LIST).await.status, 200);
    sim.advance(Duration::from_secs(100));
    let expired = client.get(LIST).await;
    let problem = expired.json();
    assert_eq!((expired.status, &problem["title"]), (401, &json!("Expired JWT")));
    assert!(problem["detail"].as_str().is_some_and(|text| text.starts_with("JWT expired at 2026")));
    let client = Client::with_token(&sim, 0).await;
    assert_eq!(client.get(LIST).await.status, 200);
    let counts = sim.client(0).counts;
    assert_eq!((counts.token_calls, counts.tokens_needed, counts.unauthorised), (2, 1, 1));
    // Those that live shorter than they say.
    sim.change(|settings| settings.tokens.early_permille = 1_000);
    let client = Client::with_token(&sim, 0).await;
    sim.advance(Duration::from_millis(298_500));
    assert_eq!(client.get(LIST).await.status, 401);
}

#[tokio::test]
async fn access_is_taken_away() {
    let sim = stand_in(options()).await;
    let (id, secret) = sim.credentials(0);
    let client = Client::with_token(&sim, 0).await;
    sim.act(0, &Act::LockOut { on: true });
    assert_eq!(client.get(LIST).await.status, 200, "the token lives on");
    assert_eq!(client.buys(&id, &secret).await.status, 401);
    sim.act(0, &Act::RevokeTokens);
    assert_eq!(client.get(LIST).await.status, 401);
    sim.act(0, &Act::LockOut { on: false });
    let client = Client::with_token(&sim, 0).await;
    sim.act(0, &Act::Deactivate { on: true });
    let forbidden = client.get(LIST).await;
    assert_eq!((forbidden.status, &forbidden.json()["title"]), (403, &json!("Forbidden")));
    sim.act(0, &Act::Deactivate { on: false });
    assert_eq!(client.get(LIST).await.status, 200);
    assert_eq!(sim.client(0).counts.forbidden, 1);
}
