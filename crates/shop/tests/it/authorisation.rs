//! Who may do what: every operation of the API's description has a row here, and is called as
//! everybody. An operation without a row fails the test, so that nobody forgets to decide.

use std::collections::BTreeSet;

use axum::http::Method;
use runout_shop::accounts::{self, Actor, By, Permissions, Role, Wanted};
use runout_shop::platform::command::Outcome;
use serde_json::{Value, json};

use crate::on_both_engines;
use crate::openapi::{document, operations};
use crate::support::{Client, TestShop};

/// The least that a caller must be. That superusers alone set roles is decided within operations
/// and tested with the accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Public,
    Customer,
    Staff,
    Superuser,
}

use Who::{Customer, Public, Staff, Superuser};

const ROWS: &[(&str, &str, Who)] = &[
    ("POST", "/api/v1/accounts", Public),
    ("GET", "/api/v1/accounts", Staff),
    ("GET", "/api/v1/accounts/me", Customer),
    ("PATCH", "/api/v1/accounts/me", Customer),
    ("GET", "/api/v1/accounts/{id}", Staff),
    ("PATCH", "/api/v1/accounts/{id}", Staff),
    ("DELETE", "/api/v1/accounts/{id}", Staff),
    ("POST", "/api/v1/accounts/{id}/deactivate", Staff),
    ("POST", "/api/v1/accounts/{id}/reactivate", Staff),
    ("POST", "/api/v1/accounts/{id}/second_factor/reset", Staff),
    ("GET", "/api/v1/accounts/{id}/permissions", Superuser),
    ("PUT", "/api/v1/accounts/{id}/permissions", Superuser),
    ("POST", "/api/v1/tokens", Public),
    ("GET", "/api/v1/tokens", Customer),
    ("DELETE", "/api/v1/tokens/current", Customer),
    ("DELETE", "/api/v1/tokens/{id}", Customer),
    ("GET", "/api/v1/products", Public),
    ("POST", "/api/v1/products", Staff),
    ("GET", "/api/v1/products/{id}", Public),
    ("PATCH", "/api/v1/products/{id}", Staff),
    ("DELETE", "/api/v1/products/{id}", Staff),
    ("POST", "/api/v1/products/{id}/prices", Staff),
    ("POST", "/api/v1/products/{id}/variants", Staff),
    ("GET", "/api/v1/variants/{id}", Public),
    ("PATCH", "/api/v1/variants/{id}", Staff),
    ("DELETE", "/api/v1/variants/{id}", Staff),
    ("GET", "/api/v1/variants/{id}/prices", Staff),
    ("POST", "/api/v1/variants/{id}/prices", Staff),
    ("DELETE", "/api/v1/prices/{id}", Staff),
    ("GET", "/api/v1/locations", Staff),
    ("POST", "/api/v1/locations", Staff),
    ("GET", "/api/v1/locations/{id}", Staff),
    ("PATCH", "/api/v1/locations/{id}", Staff),
    ("GET", "/api/v1/stock/levels", Staff),
    ("GET", "/api/v1/stock/movements", Staff),
    ("POST", "/api/v1/stock/receipts", Staff),
    ("POST", "/api/v1/stock/adjustments", Staff),
    ("POST", "/api/v1/stock/transfers", Staff),
    ("GET", "/api/v1/orders", Customer),
    ("POST", "/api/v1/orders", Customer),
    ("GET", "/api/v1/orders/{id}", Customer),
    ("POST", "/api/v1/orders/{id}/cancel", Customer),
    ("POST", "/api/v1/orders/{id}/payments", Customer),
    ("POST", "/api/v1/orders/{id}/payments/{payment_id}/sync", Customer),
    ("POST", "/api/v1/orders/{id}/payments/{payment_id}/capture", Staff),
    ("POST", "/api/v1/orders/{id}/refunds", Staff),
    ("POST", "/api/v1/orders/{id}/fulfilments", Staff),
    ("POST", "/api/v1/orders/{id}/returns", Staff),
    ("POST", "/api/v1/orders/{id}/close", Staff),
    ("GET", "/api/v1/orders/{id}/tickets", Customer),
    ("GET", "/api/v1/events/{id}/admissions", Staff),
    ("POST", "/api/v1/events/{id}/admissions", Staff),
    ("POST", "/api/v1/events/{id}/admissions/undo", Staff),
    ("PUT", "/api/v1/events/{id}/product", Staff),
    ("POST", "/api/v1/webhooks/stripe", Public),
    // A guest needs the token of their basket instead of an account's.
    ("POST", "/api/v1/baskets", Public),
    ("POST", "/api/v1/baskets/merge", Customer),
    ("GET", "/api/v1/baskets/{id}", Customer),
    ("PUT", "/api/v1/baskets/{id}/lines", Customer),
    ("POST", "/api/v1/baskets/{id}/extend", Customer),
    ("PUT", "/api/v1/baskets/{id}/discount", Customer),
    ("DELETE", "/api/v1/baskets/{id}/discount", Customer),
    ("POST", "/api/v1/baskets/{id}/checkout", Customer),
    ("GET", "/api/v1/discounts", Staff),
    ("POST", "/api/v1/discounts", Staff),
    ("GET", "/api/v1/discounts/{id}", Staff),
    ("PATCH", "/api/v1/discounts/{id}", Staff),
    ("DELETE", "/api/v1/discounts/{id}", Staff),
    ("GET", "/api/v1/tax_rates", Public),
    ("GET", "/api/v1/tax_rates/{class}/{country}", Public),
    ("PUT", "/api/v1/tax_rates/{class}/{country}", Staff),
    ("DELETE", "/api/v1/tax_rates/{class}/{country}", Staff),
    ("GET", "/api/v1/addresses", Customer),
    ("POST", "/api/v1/addresses", Customer),
    ("GET", "/api/v1/addresses/{id}", Customer),
    ("PUT", "/api/v1/addresses/{id}", Customer),
    ("DELETE", "/api/v1/addresses/{id}", Customer),
    ("GET", "/api/v1/events", Public),
    ("POST", "/api/v1/events", Customer),
    ("GET", "/api/v1/events/{id}", Public),
    // Its organiser or staff, which is decided within.
    ("PATCH", "/api/v1/events/{id}", Customer),
    ("POST", "/api/v1/events/{id}/cancel", Customer),
    ("GET", "/api/v1/events/{id}/attendances", Customer),
    ("GET", "/api/v1/events/{id}/attendance", Customer),
    ("POST", "/api/v1/events/{id}/attendance", Customer),
    ("DELETE", "/api/v1/events/{id}/attendance", Customer),
    ("GET", "/api/v1/attendances", Customer),
    ("GET", "/api/v1/destinations", Staff),
    ("POST", "/api/v1/destinations", Staff),
    ("GET", "/api/v1/destinations/{id}", Staff),
    ("PATCH", "/api/v1/destinations/{id}", Staff),
    ("DELETE", "/api/v1/destinations/{id}", Staff),
    ("POST", "/api/v1/destinations/{id}/pause", Staff),
    ("POST", "/api/v1/destinations/{id}/resume", Staff),
    ("POST", "/api/v1/destinations/{id}/test", Staff),
    ("GET", "/api/v1/destinations/{id}/secrets", Staff),
    ("POST", "/api/v1/destinations/{id}/secrets", Staff),
    ("DELETE", "/api/v1/destinations/{id}/secrets/{number}", Staff),
    ("GET", "/api/v1/destinations/{id}/dead_letters", Staff),
    ("POST", "/api/v1/destinations/{id}/dead_letters/replay", Staff),
    ("POST", "/api/v1/destinations/{id}/dead_letters/{letter_id}/replay", Staff),
    ("POST", "/api/v1/destinations/{id}/dead_letters/{letter_id}/discard", Staff),
    ("GET", "/api/v1/dead_letters/{id}", Staff),
    ("PATCH", "/api/v1/dead_letters/{id}", Staff),
    ("GET", "/api/v1/posts", Public),
    ("POST", "/api/v1/posts", Customer),
    ("GET", "/api/v1/posts/{id}", Public),
    // Whoever wrote it or staff, which is decided within.
    ("PATCH", "/api/v1/posts/{id}", Customer),
    ("DELETE", "/api/v1/posts/{id}", Customer),
    ("GET", "/api/v1/users/{id}/posts", Public),
    ("GET", "/api/v1/posts/{id}/comments", Public),
    ("POST", "/api/v1/posts/{id}/comments", Customer),
    ("GET", "/api/v1/comments", Public),
    ("GET", "/api/v1/comments/{id}", Public),
    ("PATCH", "/api/v1/comments/{id}", Customer),
    ("DELETE", "/api/v1/comments/{id}", Customer),
    ("GET", "/api/v1/journal/authors/{id}", Staff),
    ("PUT", "/api/v1/journal/authors/{id}", Staff),
    ("GET", "/api/v1/channels", Customer),
    ("POST", "/api/v1/channels", Customer),
    ("GET", "/api/v1/channels/{id}", Customer),
    ("PATCH", "/api/v1/channels/{id}", Customer),
    ("DELETE", "/api/v1/channels/{id}", Customer),
    ("POST", "/api/v1/channels/{id}/sync", Customer),
    ("POST", "/api/v1/channels/{id}/pause", Customer),
    ("POST", "/api/v1/channels/{id}/resume", Customer),
    ("POST", "/api/v1/channels/{id}/cancel", Customer),
    ("GET", "/api/v1/channels/{id}/progress", Customer),
    ("GET", "/api/v1/channels/{id}/runs", Customer),
    ("POST", "/api/v1/channels/{id}/shipments", Customer),
    ("GET", "/api/v1/channels/{id}/processes", Customer),
    ("GET", "/api/v1/channels/{id}/processes/{process_id}", Customer),
    ("GET", "/api/v1/shipments", Customer),
    ("GET", "/api/v1/shipments/{id}", Customer),
    // The predecessors' requests.
    ("POST", "/api/auth-token/", Public),
    ("GET", "/api/posts/", Customer),
    ("POST", "/api/posts/", Customer),
    ("GET", "/api/posts/{id}/", Customer),
    ("PUT", "/api/posts/{id}/", Customer),
    ("PATCH", "/api/posts/{id}/", Customer),
    ("DELETE", "/api/posts/{id}/", Customer),
    ("GET", "/api/comments/", Customer),
    ("POST", "/api/comments/", Customer),
    ("GET", "/api/comments/{id}/", Customer),
    ("PUT", "/api/comments/{id}/", Customer),
    ("PATCH", "/api/comments/{id}/", Customer),
    ("DELETE", "/api/comments/{id}/", Customer),
    ("POST", "/auth/login/", Public),
    ("GET", "/products/list/", Public),
    ("PUT", "/orders/create/", Customer),
    ("POST", "/orders/create/", Customer),
    ("PUT", "/order/create/", Customer),
    ("POST", "/order/create/", Customer),
    ("GET", "/orders/history/", Customer),
    ("GET", "/order/history/", Customer),
    ("GET", "/ecommerce/get_disc", Public),
    ("POST", "/ecommerce/create_disc", Staff),
    ("PUT", "/ecommerce/put_disc/{id}", Staff),
    ("DELETE", "/ecommerce/delete_disc/{id}", Staff),
    ("GET", "/ecommerce/get_clients", Staff),
    ("POST", "/ecommerce/create_client", Staff),
    ("PUT", "/ecommerce/put_client/{id}", Staff),
    ("DELETE", "/ecommerce/delete_client/{id}", Staff),
    ("POST", "/ecommerce/create_request", Customer),
    ("GET", "/ecommerce/get_requests", Customer),
    ("GET", "/api/v1/payment_methods", Customer),
    ("POST", "/api/v1/payment_methods", Customer),
    ("DELETE", "/api/v1/payment_methods/{id}", Customer),
    ("POST", "/api/v1/seller/register/", Public),
    ("POST", "/api/v1/seller/account/login/", Public),
    ("POST", "/api/v1/seller/account/logout/", Customer),
    ("GET", "/api/v1/seller/account/user/", Customer),
    ("POST", "/api/v1/seller/account/password/change/", Customer),
    ("GET", "/api/v1/seller/", Customer),
    ("PUT", "/api/v1/seller/", Customer),
    ("PATCH", "/api/v1/seller/", Customer),
    ("GET", "/api/v1/shipment/", Customer),
    ("GET", "/api/v1/shipment/{id}/", Customer),
    ("POST", "/api/v1/shipment/refresh/", Customer),
    // The last one: the account is gone then.
    ("DELETE", "/api/v1/seller/", Customer),
];

/// An id that nothing has: what is allowed finds nothing, and nothing is broken.
const NOBODY: &str = "999999";

/// The path to a thing that is not there.
fn concrete(path: &str) -> String {
    path.replace("{id}", NOBODY)
        .replace("{payment_id}", NOBODY)
        .replace("{letter_id}", NOBODY)
        .replace("{process_id}", NOBODY)
        .replace("{number}", NOBODY)
        .replace("{class}", "nothing")
        .replace("{country}", "AQ")
}

#[test]
fn every_operation_has_a_row_and_every_row_an_operation() {
    let document = document();
    let rows: BTreeSet<(String, String)> =
        ROWS.iter().map(|(method, path, _)| (method.to_string(), path.to_string())).collect();
    assert_eq!(rows.len(), ROWS.len(), "a row stands here twice");
    let described: BTreeSet<(String, String)> =
        operations(&document).map(|(method, path, _)| (method, path.to_owned())).collect();
    let undecided: Vec<_> = described.difference(&rows).collect();
    let gone: Vec<_> = rows.difference(&described).collect();
    assert!(undecided.is_empty(), "operations without a row: {undecided:?}");
    assert!(gone.is_empty(), "rows without an operation: {gone:?}");
}

#[test]
fn the_description_tells_who_needs_a_token() {
    let document = document();
    for (method, path, operation) in operations(&document) {
        let row = ROWS.iter().find(|row| row.0 == method && row.1 == path);
        let needs_token = row.expect("a row").2 > Public;
        let ways = operation["security"].as_array().expect("every operation tells");
        assert_eq!(needs_token, !ways.contains(&json!({})), "{method} {path}: {ways:?}");
        assert!(!needs_token || ways.contains(&json!({"token": []})), "{method} {path}: {ways:?}");
    }
}

/// Whoever calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    Nobody,
    Role(Role),
    /// Staff whom a superuser has left no permission.
    Restricted,
}

/// Calls an operation with a token of its own, which it may revoke.
async fn call(shop: &TestShop, row: &(&str, &str, Who), caller: Caller, body: bool) -> u16 {
    let (method, path, _) = row;
    let client = match caller {
        Caller::Nobody => shop.anonymous(),
        Caller::Role(role) => fresh(shop, role.as_str(), role).await,
        Caller::Restricted => fresh(shop, "restricted", Role::Staff).await,
    };
    let path = concrete(path);
    let method: Method = method.parse().expect("a method");
    let answer = client.send(method, &path, body.then(|| json!({})), &[]).await;
    answer.status.as_u16()
}

async fn fresh(shop: &TestShop, name: &str, role: Role) -> Client {
    let account = shop.account(&format!("one-{name}"), role).await.account_id;
    let login = accounts::issue_token(&shop.app, account, "test").await.expect("a token");
    shop.anonymous().logged_in(account, &login.token)
}

on_both_engines! {
    async fn everybody_may_do_what_the_table_says(shop: TestShop) {
        let document = document();
        let restricted = shop.account("one-restricted", Role::Staff).await.account_id;
        let by = By::actor(Actor::System);
        let nothing = Wanted::Only(Permissions::NONE);
        let set = accounts::set_permissions(&shop.app, by, restricted, nothing).await;
        assert!(matches!(set, Ok(Outcome::Accepted(_))));
        let callers = [
            (Caller::Nobody, Public),
            (Caller::Role(Role::Customer), Customer),
            (Caller::Restricted, Customer),
            (Caller::Role(Role::Staff), Staff),
            (Caller::Role(Role::Superuser), Superuser),
        ];
        let mut wrong = Vec::new();
        for row in ROWS {
            let operation = &document["paths"][row.1][row.0.to_lowercase()];
            let body = operation["requestBody"] != Value::Null;
            for (caller, rank) in callers {
                let status = call(&shop, row, caller, body).await;
                let fits = match status {
                    401 => caller == Caller::Nobody && row.2 > Public,
                    403 => caller != Caller::Nobody && rank < row.2,
                    200..500 => rank >= row.2,
                    _ => false,
                };
                if !fits {
                    wrong.push(format!("{} {} as {caller:?}: {status}", row.0, row.1));
                }
                // What comes stands in the description.
                if operation["responses"].get(status.to_string()).is_none() {
                    wrong.push(format!("{} {} as {caller:?}: {status} undescribed", row.0, row.1));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    async fn a_token_that_does_not_work_is_refused_everywhere(shop: TestShop) {
        let document = document();
        let stranger = shop.anonymous().with_token("rt_nobody_has_this");
        for row in ROWS {
            let operation = &document["paths"][row.1][row.0.to_lowercase()];
            // Logging in works without regard to an old token.
            if operation["security"] == json!([{}]) {
                continue;
            }
            let body = (operation["requestBody"] != Value::Null).then(|| json!({}));
            let path = concrete(row.1);
            let method: Method = row.0.parse().expect("a method");
            let answer = stranger.send(method, &path, body, &[]).await;
            assert_eq!(answer.status, 401, "{} {}", row.0, row.1);
        }
    }
}
