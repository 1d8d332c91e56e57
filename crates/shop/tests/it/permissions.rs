//! What restricted staff may do, through the API.

use axum::http::Method;
use runout_shop::accounts::{Permission, Role};
use serde_json::{Value, json};

use crate::on_both_engines;
use crate::support::{Client, TestShop};

fn path(account: &Client) -> String {
    format!("/api/v1/accounts/{}/permissions", account.account_id)
}

async fn restrict(shop: &TestShop, account: &Client, permissions: &[&str]) -> Value {
    let body = json!({"restricted": true, "permissions": permissions});
    shop.superuser().await.put(&path(account), body).await.expect(200)
}

/// An operation that is there for one permission alone.
const OPERATIONS: &[(&str, &str, &str)] = &[
    ("catalog.view", "GET", "/api/v1/variants/1/prices"),
    ("catalog.create", "POST", "/api/v1/products"),
    ("catalog.change", "PATCH", "/api/v1/products/1"),
    ("catalog.delete", "DELETE", "/api/v1/products/1"),
    ("stock.view", "GET", "/api/v1/stock/levels"),
    ("stock.create", "POST", "/api/v1/locations"),
    ("stock.change", "POST", "/api/v1/stock/receipts"),
    ("orders.change", "POST", "/api/v1/orders/1/close"),
    ("discounts.view", "GET", "/api/v1/discounts"),
    ("discounts.create", "POST", "/api/v1/discounts"),
    ("discounts.change", "PATCH", "/api/v1/discounts/1"),
    ("discounts.delete", "DELETE", "/api/v1/discounts/1"),
    ("taxes.change", "PUT", "/api/v1/tax_rates/standard/DE"),
    ("taxes.delete", "DELETE", "/api/v1/tax_rates/standard/DE"),
    ("accounts.view", "GET", "/api/v1/accounts"),
    ("accounts.change", "POST", "/api/v1/accounts/999999/deactivate"),
    ("accounts.delete", "DELETE", "/api/v1/accounts/999999"),
];

async fn is_forbidden(staff: &Client, method: &str, path: &str) -> bool {
    let method: Method = method.parse().expect("a method");
    let body = (method != Method::GET && method != Method::DELETE).then(|| json!({}));
    staff.send(method, path, body, &[]).await.status == 403
}

on_both_engines! {
    async fn each_permission_opens_its_own_doors_only(shop: TestShop) {
        let sam = shop.staff().await;
        for (_, method, place) in OPERATIONS {
            assert!(!is_forbidden(&sam, method, place).await, "unrestricted: {method} {place}");
        }
        for permission in Permission::all() {
            let name = permission.to_string();
            let rights = restrict(&shop, &sam, &[&name]).await;
            assert_eq!(rights["permissions"], json!([name]));
            for (needed, method, place) in OPERATIONS {
                let forbidden = is_forbidden(&sam, method, place).await;
                assert_eq!(forbidden, name != *needed, "{name}: {method} {place}");
            }
        }
    }

    async fn staff_without_orders_see_their_own_only(shop: TestShop) {
        let (sam, ana) = (shop.staff().await, shop.customer("ana").await);
        let variant = crate::orders::on_sale(&sam, "Both", "10", 5).await;
        let line = json!({"currency": "EUR", "lines": [{"variant_id": variant, "quantity": 1}]});
        let order = ana.post("/api/v1/orders", line.clone()).await.expect(201)["id"].clone();
        sam.post("/api/v1/orders", line).await.expect(201);
        let seen = async || {
            let page = sam.get("/api/v1/orders").await.expect(200);
            page["items"].as_array().expect("a list").len()
        };
        assert_eq!(seen().await, 2);
        let one = format!("/api/v1/orders/{order}");
        let cancel = format!("{one}/cancel");
        restrict(&shop, &sam, &["orders.view"]).await;
        assert_eq!(seen().await, 2);
        sam.get(&one).await.expect(200);
        let refused = sam.send(Method::POST, &cancel, None, &[]).await;
        assert_eq!(refused.status, 404, "another's order is not theirs to cancel");
        restrict(&shop, &sam, &["stock.view"]).await;
        assert_eq!(seen().await, 1);
        sam.get(&one).await.expect_problem(404, "not_found");
        restrict(&shop, &sam, &["orders.change"]).await;
        assert_eq!(sam.send(Method::POST, &cancel, None, &[]).await.status, 200);
    }

    async fn superusers_set_permissions_of_staff(shop: TestShop) {
        let (sam, root) = (shop.staff().await, shop.superuser().await);
        let ana = shop.customer("ana").await;
        let rights = root.get(&path(&sam)).await.expect(200);
        assert_eq!(rights["restricted"], false);
        assert_eq!(rights["permissions"].as_array().expect("a list").len(), 44);
        assert_eq!(root.get(&path(&ana)).await.expect(200)["permissions"], json!([]));
        let body = |names: &[&str]| json!({"restricted": true, "permissions": names});
        sam.put(&path(&sam), body(&["accounts.change"])).await.expect_problem(403, "forbidden");
        root.put(&path(&ana), body(&[])).await.expect_problem(409, "not_staff");
        root.put(&path(&root), body(&[])).await.expect_problem(409, "not_staff");
        root.put("/api/v1/accounts/999999/permissions", body(&[])).await.expect(404);
        let problem = root.put(&path(&sam), body(&["stock.view", "stock.sell"])).await;
        let problem = problem.expect_problem(400, "invalid_body");
        assert_eq!(problem["errors"][0]["pointer"], "/permissions/1");
        let set = root.put(&path(&sam), body(&["stock.view", "catalog.view"])).await.expect(200);
        assert_eq!(set["permissions"], json!(["catalog.view", "stock.view"]));
        assert_eq!(root.get(&path(&sam)).await.expect(200), set);
        let stale = [("if-match", "\"1\"")];
        let answer = root.send(Method::PUT, &path(&sam), Some(body(&[])), &stale).await;
        answer.expect_problem(412, "precondition_failed");
        let audited = shop
            .texts("select cast(changes as text) from audit where action = 'account.permissions'")
            .await;
        let change: Value = serde_json::from_str(&audited[0]).expect("JSON");
        assert_eq!((audited.len(), &change["restricted"]), (1, &json!([false, true])));
        assert_eq!(change["permissions"][1], json!(["catalog.view", "stock.view"]));
        let open = json!({"restricted": false, "permissions": []});
        let rights = root.put(&path(&sam), open).await.expect(200);
        assert_eq!(rights["permissions"].as_array().expect("a list").len(), 44);
        assert_eq!(shop.number("select count(*) from staff_permission").await, 0);
    }

    async fn a_list_survives_the_role_but_gives_a_customer_nothing(shop: TestShop) {
        let (sam, root) = (shop.staff().await, shop.superuser().await);
        restrict(&shop, &sam, &["stock.view"]).await;
        let account = format!("/api/v1/accounts/{}", sam.account_id);
        root.patch(&account, json!({"role": "customer"})).await.expect(200);
        sam.get("/api/v1/stock/levels").await.expect_problem(403, "forbidden");
        root.patch(&account, json!({"role": "staff"})).await.expect(200);
        sam.get("/api/v1/stock/levels").await.expect(200);
        sam.get("/api/v1/accounts").await.expect_problem(403, "forbidden");
        assert!(shop.visitor_as("sam", Role::Staff).await.cookie("__Host-session").is_some());
    }
}
