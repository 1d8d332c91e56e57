//! Simba: registering, the profile, shipments, and what it got wrong.

use serde_json::{Value, json};

use crate::channels_api::Desk;
use crate::on_both_engines;
use crate::support::Client;

/// What a seller sends to register.
fn seller(desk: &Desk, number: u32, username: &str) -> Value {
    let (client_id, client_secret) = desk.sim.credentials(number);
    json!({
        "username": username, "email": format!("{username}@shop.example"),
        "password1": "nine blue herons", "password2": "nine blue herons",
        "first_name": "Ana", "last_name": "de Vries", "shop_name": "Plaatboef",
        "bol_client_id": client_id, "bol_client_secret": client_secret,
    })
}

async fn register(desk: &Desk, number: u32, username: &str) -> Client {
    let anybody = desk.at(&desk.shop.anonymous());
    let made = anybody.post("/api/v1/seller/register/", seller(desk, number, username)).await;
    let made = made.expect(201);
    assert_eq!(made.as_object().expect("an object").len(), 1);
    anybody.with_token(made["key"].as_str().expect("a key"))
}

on_both_engines! {
    async fn a_seller_registers_syncs_and_reads(shop: TestShop) {
        let desk = Desk::new(shop, 2, 12).await;
        let ana = register(&desk, 0, "ana").await;
        let bob = register(&desk, 1, "bob").await;
        let crawling = desk.crawl();
        desk.until_synced(&ana, 1).await;
        desk.until_synced(&bob, 2).await;
        let asked = ana.post("/api/v1/shipment/refresh/", Value::Null).await.expect(200);
        assert_eq!(asked["status_code"], 200);
        assert_eq!(asked["result"]["channels"], json!(["ana"]));
        crawling.stop().await;

        let first = ana.get("/api/v1/shipment/").await.expect(200);
        assert_eq!(first["count"], 12);
        assert_eq!(first["previous"], Value::Null);
        let rows = first["results"].as_array().expect("rows");
        assert_eq!(rows.len(), 5);
        assert_eq!(rows[0].as_object().expect("a row").len(), 2);
        assert!(rows[0]["shipment_id"].is_i64() && rows[0]["shipment_date"].is_string());
        let last = ana.get("/api/v1/shipment/?page=3").await.expect(200);
        assert_eq!(last["results"].as_array().expect("rows").len(), 2);
        assert_eq!(last["next"], Value::Null);
        ana.get("/api/v1/shipment/?page=4").await.expect(404);
        ana.get("/api/v1/shipment").await.expect(200);

        let id = &rows[0]["shipment_id"];
        let one = ana.get(&format!("/api/v1/shipment/{id}/")).await.expect(200);
        assert_eq!((&one["status_code"], &one["result"]["shipment_id"]), (&json!(200), id));
        assert_eq!(one["result"]["shop_client_id"], desk.sim.credentials(0).0);
        assert!(one["result"]["zip_code"].is_string(), "{one}");
        assert!(one["result"]["country_code"].is_string(), "{one}");
        bob.get(&format!("/api/v1/shipment/{id}/")).await.expect(404);
        ana.delete(&format!("/api/v1/shipment/{id}/")).await.expect(405);
        desk.at(&desk.shop.anonymous()).get("/api/v1/shipment/").await.expect(401);
    }

    async fn the_profile_never_shows_the_secret(shop: TestShop) {
        let desk = Desk::new(shop, 2, 3).await;
        let anybody = desk.at(&desk.shop.anonymous());
        let mut wrong = seller(&desk, 0, "ana");
        wrong["password2"] = "ten blue herons".into();
        let problem = anybody.post("/api/v1/seller/register/", wrong).await.expect(400);
        assert_eq!(problem["errors"][0]["pointer"], "/password2");
        let mut wrong = seller(&desk, 0, "ana");
        wrong["bol_client_secret"] = "not-the-secret".into();
        let problem = anybody.post("/api/v1/seller/register/", wrong).await.expect(422);
        assert_eq!(problem["errors"][0]["pointer"], "/bol_client_secret");
        assert_eq!(desk.shop.number("select count(*) from account").await, 0);

        let ana = register(&desk, 0, "ana").await;
        let (_, secret) = desk.sim.credentials(0);
        let profile = ana.get("/api/v1/seller/").await.expect(200);
        assert_eq!(profile["shop_name"], "Plaatboef");
        assert_eq!(
            (&profile["first_name"], &profile["last_name"]),
            (&json!("Ana"), &json!("de Vries"))
        );
        assert_eq!(profile["has_bol_client_secret"], true);
        assert!(!profile.to_string().contains(&secret));
        let patch = json!({"shop_name": "Boef", "username": "other", "email": "x@y.example"});
        let profile = ana.patch("/api/v1/seller/", patch).await.expect(200);
        assert_eq!((&profile["shop_name"], &profile["username"]), (&json!("Boef"), &json!("ana")));
        assert_eq!(profile["email"], "ana@shop.example");
        let (other_id, other_secret) = desk.sim.credentials(1);
        let half = json!({"bol_client_id": other_id});
        ana.patch("/api/v1/seller/", half).await.expect(422);
        let whole = json!({
            "first_name": "Ana", "last_name": "Vries", "shop_name": "Boef",
            "bol_client_id": other_id, "bol_client_secret": other_secret,
        });
        let profile = ana.put("/api/v1/seller/", whole).await.expect(200);
        assert_eq!(profile["bol_client_id"], other_id);
        assert_eq!(profile["state"], "active");
        ana.put("/api/v1/seller/", json!({"shop_name": "Boef"})).await.expect(400);

        let login = json!({"email": "ana@shop.example", "password": "nine blue herons"});
        let key = anybody.post("/api/v1/seller/account/login/", login).await.expect(200);
        let again = anybody.with_token(key["key"].as_str().expect("a key"));
        let user = again.get("/api/v1/seller/account/user/").await.expect(200);
        assert_eq!(user["username"], "ana");
        let change = json!({
            "old_password": "wrong", "new_password1": "ten red herons",
            "new_password2": "ten red herons",
        });
        again.post("/api/v1/seller/account/password/change/", change).await.expect(400);
        let change = json!({
            "old_password": "nine blue herons", "new_password1": "ten red herons",
            "new_password2": "ten red herons",
        });
        again.post("/api/v1/seller/account/password/change/", change).await.expect(200);
        again.post("/api/v1/seller/account/logout/", Value::Null).await.expect(200);
        again.get("/api/v1/seller/").await.expect(401);
        let login = json!({"username": "ana", "password": "ten red herons"});
        let key = anybody.post("/api/v1/seller/account/login/", login).await.expect(200);
        let ana = anybody.with_token(key["key"].as_str().expect("a key"));
        ana.delete("/api/v1/seller/").await.expect(204);
        assert_eq!(desk.shop.number("select count(*) from channel").await, 0);
        ana.get("/api/v1/seller/").await.expect(401);
    }
}
