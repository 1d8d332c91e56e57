//! The predecessors' requests, as their READMEs show them, and their defects, which must not
//! come back.

mod events;
mod lea;
mod mattshop;
mod rindus;
mod simba;

use std::collections::HashSet;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use runout_shop::accounts;
use runout_shop::platform::config::Config;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::on_both_engines;
use crate::support::{Answer, Client, TestShop};

/// Sends exactly these header fields and this body, as `curl -X METHOD PATH -H ... -d BODY` does.
pub async fn curl(shop: &TestShop, request: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let (method, path) = request.split_once(' ').expect("a method and a path");
    let mut built = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        built = built.header(*name, *value);
    }
    let request = built.body(Body::from(body.to_owned())).expect("a well-formed request");
    // A router of its own: the rates of one client are no matter here.
    let router = runout_shop::app::router(shop.app.clone(), &Config::default());
    let (parts, body) = router.oneshot(request).await.expect("never fails").into_parts();
    let body = to_bytes(body, 32 << 20).await.expect("a body that ends");
    Answer { status: parts.status, headers: parts.headers, body: body.to_vec() }
}

/// The field that MattShop's clients send.
pub fn token_of(client: &Client) -> String {
    format!("Token {}", client.token.as_deref().expect("logged in"))
}

/// A product at 10 EUR with so many units, made as the shop's staff makes it.
pub async fn record(shop: &TestShop, title: &str, units: i64) -> i64 {
    let staff = shop.staff().await;
    let new = json!({"title": title, "price": {"currency": "EUR", "amount": "10.00"}});
    let product = staff.post("/api/v1/products", new).await.expect(201);
    if units > 0 {
        let receipt = json!({"variant_id": product["variants"][0]["id"], "quantity": units});
        staff.post("/api/v1/stock/receipts", receipt).await.expect(201);
    }
    product["id"].as_i64().expect("an id")
}

/// What of a product can be bought.
pub async fn available(shop: &TestShop, product: i64) -> i64 {
    let path = format!("/api/v1/products/{product}");
    let product = shop.anonymous().get(&path).await.expect(200);
    product["variants"][0]["available"].as_i64().expect("a number")
}

/// How many orders there are.
pub async fn orders(shop: &TestShop) -> usize {
    let page = shop.staff().await.get("/api/v1/orders?limit=100").await.expect(200);
    page["items"].as_array().expect("a list").len()
}

/// Every route, with the least role that may use it: nobody, a customer, staff.
const ROUTES: [(&str, &str, Least); 17] = [
    ("POST", "/auth/login/", Least::Nobody),
    ("GET", "/products/list/", Least::Nobody),
    ("PUT", "/orders/create/", Least::Customer),
    ("POST", "/orders/create/", Least::Customer),
    ("PUT", "/order/create/", Least::Customer),
    ("POST", "/order/create/", Least::Customer),
    ("GET", "/orders/history/", Least::Customer),
    ("GET", "/order/history/", Least::Customer),
    ("POST", "/ecommerce/create_disc", Least::Staff),
    ("GET", "/ecommerce/get_disc", Least::Nobody),
    ("PUT", "/ecommerce/put_disc/{id}", Least::Staff),
    ("DELETE", "/ecommerce/delete_disc/{id}", Least::Staff),
    ("POST", "/ecommerce/create_client", Least::Staff),
    ("GET", "/ecommerce/get_clients", Least::Staff),
    ("PUT", "/ecommerce/put_client/{id}", Least::Staff),
    ("DELETE", "/ecommerce/delete_client/{id}", Least::Staff),
    ("POST", "/ecommerce/create_request", Least::Customer),
];
const GET_REQUESTS: (&str, &str, Least) = ("GET", "/ecommerce/get_requests", Least::Customer);

const RINDUS: [(&str, &str, Least); 13] = [
    ("POST", "/api/auth-token/", Least::Nobody),
    ("GET", "/api/posts/", Least::Customer),
    ("POST", "/api/posts/", Least::Customer),
    ("GET", "/api/posts/{id}/", Least::Customer),
    ("PUT", "/api/posts/{id}/", Least::Customer),
    ("PATCH", "/api/posts/{id}/", Least::Customer),
    ("DELETE", "/api/posts/{id}/", Least::Customer),
    ("GET", "/api/comments/", Least::Customer),
    ("POST", "/api/comments/", Least::Customer),
    ("GET", "/api/comments/{id}/", Least::Customer),
    ("PUT", "/api/comments/{id}/", Least::Customer),
    ("PATCH", "/api/comments/{id}/", Least::Customer),
    ("DELETE", "/api/comments/{id}/", Least::Customer),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Least {
    Nobody,
    Customer,
    Staff,
}

/// Simba's. The last one erases whoever asks.
const SIMBA: [(&str, &str, Least); 12] = [
    ("POST", "/api/v1/seller/register/", Least::Nobody),
    ("POST", "/api/v1/seller/account/login/", Least::Nobody),
    ("POST", "/api/v1/seller/account/logout/", Least::Customer),
    ("GET", "/api/v1/seller/account/user/", Least::Customer),
    ("POST", "/api/v1/seller/account/password/change/", Least::Customer),
    ("GET", "/api/v1/seller/", Least::Customer),
    ("PUT", "/api/v1/seller/", Least::Customer),
    ("PATCH", "/api/v1/seller/", Least::Customer),
    ("GET", "/api/v1/shipment/", Least::Customer),
    ("GET", "/api/v1/shipment/{id}/", Least::Customer),
    ("POST", "/api/v1/shipment/refresh/", Least::Customer),
    ("DELETE", "/api/v1/seller/", Least::Customer),
];

fn routes() -> impl Iterator<Item = (&'static str, &'static str, Least)> {
    ROUTES.into_iter().chain([GET_REQUESTS]).chain(RINDUS).chain(SIMBA)
}

/// A token of its own, which a request may revoke.
async fn fresh(shop: &TestShop, client: &Client) -> String {
    let login = accounts::issue_token(&shop.app, client.account_id, "test").await;
    format!("Token {}", login.expect("a token").token)
}

on_both_engines! {
    async fn each_route_asks_for_its_role(shop: TestShop) {
        let (ana, clerk) = (shop.customer("ana").await, shop.staff().await);
        for (method, path, least) in routes() {
            let (customer, staff) = (fresh(&shop, &ana).await, fresh(&shop, &clerk).await);
            let senders = [
                (Least::Nobody, None),
                (Least::Customer, Some(customer.as_str())),
                (Least::Staff, Some(staff.as_str())),
            ];
            let request = format!("{method} {}", path.replace("{id}", "999999"));
            for (role, token) in senders {
                let headers: Vec<_> = token.iter().map(|token| ("authorization", *token)).collect();
                let status = curl(&shop, &request, &headers, "").await.status.as_u16();
                let refused = match role {
                    Least::Nobody if least > role => 401,
                    Least::Customer if least > role => 403,
                    _ => 0,
                };
                if refused > 0 {
                    assert_eq!(status, refused, "{request} as {role:?}");
                } else {
                    assert!(![401, 403].contains(&status) && status < 500, "{request}: {status}");
                }
            }
            if least > Least::Nobody {
                let foreign = [("authorization", "Token 3aa905c8b99b518e889df6fc02ec80dca142054e")];
                curl(&shop, &request, &foreign, "").await.expect_problem(401, "unauthorized");
            }
        }
    }

    async fn the_heart_beats_for_everybody(shop: TestShop) {
        let answer = curl(&shop, "GET /healthcheck/heartbeat/", &[], "").await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
        let answer = curl(&shop, "POST /healthcheck/heartbeat/", &[], "").await;
        answer.expect_problem(405, "method_not_allowed");
    }

    async fn other_verbs_are_refused_with_those_allowed(shop: TestShop) {
        let verbs = ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"];
        for (_, path, _) in routes() {
            let known: HashSet<&str> =
                routes().filter(|route| route.1 == path).map(|route| route.0).collect();
            for verb in verbs.iter().filter(|verb| !known.contains(*verb)) {
                let request = format!("{verb} {}", path.replace("{id}", "1"));
                let answer = curl(&shop, &request, &[], "").await;
                let allow = answer.headers.get("allow").cloned().unwrap_or_else(|| {
                    panic!("{request}: {}", answer.status)
                });
                answer.expect_problem(405, "method_not_allowed");
                let allow = allow.to_str().expect("text");
                let allowed: HashSet<&str> =
                    allow.split(',').map(str::trim).filter(|verb| *verb != "HEAD").collect();
                assert_eq!(allowed, known, "{request}");
            }
        }
    }
}

#[test]
fn every_route_is_described_under_a_name_of_its_own() {
    let (_, document) = runout_shop::app::routes().split_for_parts();
    let document: Value =
        serde_json::from_str(&document.to_json().expect("plain data")).expect("JSON");
    let mut ids = HashSet::new();
    for (method, path, least) in routes() {
        let operation = &document["paths"][path][method.to_lowercase()];
        assert_eq!(operation["tags"], json!(["predecessors"]), "{method} {path}");
        let id = operation["operationId"].as_str().expect("an id").to_owned();
        assert!(ids.insert(id.clone()), "{id} stands twice");
        let public = operation["security"].as_array().expect("told").contains(&json!({}));
        assert_eq!(public, least == Least::Nobody, "{method} {path}");
        let statuses = operation["responses"].as_object().expect("told");
        for status in ["400", "429", "500", "503"] {
            assert!(statuses.contains_key(status), "{method} {path}: {status}");
        }
    }
    let described = document["paths"].as_object().expect("paths").values();
    let operations = described.flat_map(|item| item.as_object().expect("an item").values());
    let ours = operations.filter(|operation| operation["tags"] == json!(["predecessors"]));
    assert_eq!(ours.count(), routes().count(), "a route without a row in the table");
}
