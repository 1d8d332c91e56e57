//! Products and variants over HTTP: adding, changing, deleting, who sees what, ETags.

use axum::http::Method;
use serde_json::{Value, json};

use crate::on_both_engines;
use crate::support::{Client, TestShop};

/// Adds a product and gives its JSON.
pub async fn add(staff: &Client, body: Value) -> Value {
    staff.post("/api/v1/products", body).await.expect(201)
}

pub fn id(thing: &Value) -> i64 {
    thing["id"].as_i64().unwrap_or_else(|| panic!("no id: {thing}"))
}

/// How many rows of a table there are.
async fn count(shop: &TestShop, sql: &'static str) -> i64 {
    let statement = runout_store::Composer::new(sql).finish();
    shop.app.db.read_one(statement, |row| row.get(0)).await.expect("reads").expect("one row")
}

on_both_engines! {
    async fn a_simple_product_has_a_default_variant(shop: TestShop) {
        let staff = shop.staff().await;
        let answer = staff.post("/api/v1/products", json!({
            "title": "We are Reactive", "artist": "Hohpe", "release_year": 2026, "style": "Indie",
            "attributes": {"colour": "red", "tracks": [1, 2]},
            "price": {"currency": "EUR", "amount": "10.00"},
        })).await;
        let (location, etag) = (answer.headers["location"].clone(), answer.headers["etag"].clone());
        let made = answer.expect(201);
        let id = id(&made);
        assert_eq!(location, format!("/api/v1/products/{id}"));
        assert_eq!(etag, "\"1\"");
        let variant_id = &made["variants"][0]["id"];
        let expected = json!({
            "id": id, "kind": "disc", "title": "We are Reactive", "artist": "Hohpe",
            "release_year": 2026, "style": "Indie", "label": "", "catalogue_number": "",
            "description": "", "attributes": {"colour": "red", "tracks": [1, 2]}, "enabled": true,
            "release_at": null, "tax_class": "standard", "created_at": "2026-11-21T12:00:00Z",
            "updated_at": "2026-11-21T12:00:00Z",
            "variants": [{
                "id": variant_id, "sku": format!("R-{id}"), "title": "", "limit_per_order": null,
                "limit_per_customer": null, "hold_seconds": null, "available": 0,
                "price": {"amount_minor": 1000, "currency": "EUR", "amount": "10.00"},
            }],
        });
        assert_eq!(made, expected);
        let shown = shop.anonymous().get(&format!("/api/v1/products/{id}")).await;
        assert_eq!(shown.headers["etag"], "\"1\"");
        assert_eq!(shown.expect(200), expected);
        let listed = shop.anonymous().get("/api/v1/products").await.expect(200);
        assert_eq!(listed, json!({"items": [expected], "next": null}));
        let path = format!("/api/v1/variants/{variant_id}");
        assert_eq!(shop.anonymous().get(&path).await.expect(200), expected["variants"][0]);
        assert_eq!(
            count(&shop, "select count(*) from outbox where topic = 'product.created'").await,
            1
        );
        assert_eq!(
            count(&shop, "select count(*) from audit where action = 'price.create'").await,
            1
        );
    }

    async fn a_product_in_several_forms(shop: TestShop) {
        let staff = shop.staff().await;
        let made = add(
            &staff,
            json!({"title": "Blue", "kind": "merch", "variants": [
                {"sku": "BLUE-S", "title": "S", "limit_per_order": 2, "prices": [
                    {"currency": "EUR", "amount": "20"},
                    {"currency": "EUR", "amount": "15", "effective_from": "2026-01-01T00:00:00Z"},
                    {"currency": "EUR", "amount": "25", "effective_from": "2027-01-01T00:00:00Z"},
                    {"currency": "JPY", "amount": "3000"},
                ]},
                {"title": "M", "limit_per_customer": 5},
            ]}),
        )
        .await;
        let (small, medium) = (&made["variants"][0], &made["variants"][1]);
        assert_eq!((&small["sku"], &small["limit_per_order"]), (&json!("BLUE-S"), &json!(2)));
        assert_eq!(small["price"]["amount"], "20.00");
        assert_eq!(medium["sku"], format!("R-{}-{}", id(&made), id(medium)));
        assert_eq!(medium["price"], Value::Null);
        let path = format!("/api/v1/products/{}", id(&made));
        assert_eq!(staff.get(&path).await.expect(200), made);
        let yen = staff.get(&format!("{path}?currency=JPY")).await.expect(200);
        assert_eq!(yen["variants"][0]["price"]["amount"], "3000");

        let body = json!({"sku": "BLUE-L", "title": "L"});
        let more = staff.post(&format!("{path}/variants"), body).await.expect(201);
        let now = staff.get(&path).await;
        assert_eq!(now.headers["etag"], "\"2\"", "a variant is part of its product's answer");
        assert_eq!(now.expect(200)["variants"][2], more);

        let default = format!("/api/v1/variants/{}", id(small));
        staff.delete(&default).await.expect_problem(409, "default_variant");
        let last = format!("/api/v1/variants/{}", id(&more));
        staff.delete(&last).await.expect(204);
        staff.delete(&last).await.expect_problem(404, "not_found");
        staff.patch(&last, json!({"title": "XL"})).await.expect_problem(404, "not_found");
        assert_eq!(
            staff.get(&path).await.expect(200)["variants"].as_array().map(Vec::len),
            Some(2)
        );
        // Its SKU stays taken.
        staff
            .post(&format!("{path}/variants"), json!({"sku": "BLUE-L"}))
            .await
            .expect_problem(409, "sku_taken");
    }

    async fn skus_are_unique_and_generated_ones_give_way(shop: TestShop) {
        let staff = shop.staff().await;
        let first = add(&staff, json!({"title": "One", "sku": "R-2"})).await;
        let second = add(&staff, json!({"title": "Two"})).await;
        let variant = &second["variants"][0];
        assert_eq!(variant["sku"], format!("R-{}-{}", id(&second), id(variant)));
        let problem = staff
            .post("/api/v1/products", json!({"title": "Three", "sku": "R-2"}))
            .await
            .expect_problem(409, "sku_taken");
        assert_eq!(problem["sku"], "R-2");
        let path = format!("/api/v1/variants/{}", id(variant));
        staff.patch(&path, json!({"sku": "R-2"})).await.expect_problem(409, "sku_taken");
        // Its own SKU again is no change.
        let path = format!("/api/v1/variants/{}", id(&first["variants"][0]));
        let same = staff.patch(&path, json!({"sku": "R-2"})).await;
        assert_eq!(same.headers["etag"], "\"1\"");
        same.expect(200);
    }

    async fn a_patch_tells_absent_null_and_values_apart(shop: TestShop) {
        let staff = shop.staff().await;
        let made = add(
            &staff,
            json!({"title": "A", "artist": "B", "release_year": 1980,
            "release_at": "2026-12-01T00:00:00.123456789Z", "description": "x"}),
        )
        .await;
        assert_eq!(made["release_at"], "2026-12-01T00:00:00.123456Z");
        let path = format!("/api/v1/products/{}", id(&made));
        shop.clock.advance(std::time::Duration::from_secs(5));
        let answer = staff.patch(&path, json!({"release_year": null, "title": "C"})).await;
        assert_eq!(answer.headers["etag"], "\"2\"");
        let changed = answer.expect(200);
        assert_eq!(changed["release_year"], Value::Null);
        assert_eq!((&changed["title"], &changed["artist"]), (&json!("C"), &json!("B")));
        assert_eq!(changed["updated_at"], "2026-11-21T12:00:05Z");
        assert_eq!(changed["release_at"], made["release_at"]);
        assert_eq!(staff.get(&path).await.expect(200), changed);
        let all = staff
            .patch(
                &path,
                json!({"artist": null, "release_at": null, "kind": "other",
            "attributes": {"n": 1}, "enabled": false}),
            )
            .await
            .expect(200);
        assert_eq!((&all["artist"], &all["release_at"]), (&json!(""), &Value::Null));
        assert_eq!((&all["kind"], &all["attributes"]), (&json!("other"), &json!({"n": 1})));
        let events = "select count(*) from outbox where topic = 'product.updated'";
        assert_eq!(count(&shop, events).await, 2);
        for nothing in [json!({}), json!({"title": "C", "attributes": {"n": 1}})] {
            let answer = staff.patch(&path, nothing).await;
            assert_eq!(answer.headers["etag"], "\"3\"");
        }
        assert_eq!(count(&shop, events).await, 2, "what changes nothing writes nothing");
        for (body, pointer) in [
            (json!({"title": null}), "/title"),
            (json!({"title": "  "}), "/title"),
            (json!({"enabled": null}), "/enabled"),
            (json!({"release_year": 1859}), "/release_year"),
            (json!({"release_at": "9999-01-01T00:00:00Z"}), "/release_at"),
            (json!({"colour": "red"}), "/colour"),
        ] {
            let problem =
                staff.patch(&path, body.clone()).await.expect_problem(400, "invalid_body");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
        }
    }

    async fn products_have_a_tax_class_and_variants_a_time_to_be_held(shop: TestShop) {
        let staff = shop.staff().await;
        let made = add(&staff, json!({"title": "A book", "tax_class": "reduced", "variants": [
            {"sku": "B-1", "hold_seconds": 900}, {"sku": "B-2"},
        ]})).await;
        assert_eq!(made["tax_class"], "reduced");
        assert_eq!((&made["variants"][0]["hold_seconds"], &made["variants"][1]["hold_seconds"]),
            (&json!(900), &Value::Null));
        let path = format!("/api/v1/products/{}", id(&made));
        assert_eq!(shop.anonymous().get(&path).await.expect(200), made);
        let found = shop.anonymous().get("/api/v1/products?tax_class=reduced").await.expect(200);
        assert_eq!(found["items"], json!([made]));

        let changed = staff.patch(&path, json!({"tax_class": "books_0-a"})).await.expect(200);
        assert_eq!(changed["tax_class"], "books_0-a");
        let variant = format!("/api/v1/variants/{}", id(&made["variants"][0]));
        for (body, hold) in [
            (json!({"title": "x"}), json!(900)),
            (json!({"hold_seconds": 1}), json!(1)),
            (json!({"hold_seconds": 86_400}), json!(86_400)),
            (json!({"hold_seconds": null}), Value::Null),
        ] {
            assert_eq!(staff.patch(&variant, body).await.expect(200)["hold_seconds"], hold);
            assert_eq!(staff.get(&variant).await.expect(200)["hold_seconds"], hold);
        }
        for (path, body, pointer) in [
            (&path, json!({"tax_class": null}), "/tax_class"),
            (&path, json!({"tax_class": ""}), "/tax_class"),
            (&path, json!({"tax_class": "Books"}), "/tax_class"),
            (&path, json!({"tax_class": "x".repeat(65)}), "/tax_class"),
            (&variant, json!({"hold_seconds": 0}), "/hold_seconds"),
            (&variant, json!({"hold_seconds": 86_401}), "/hold_seconds"),
        ] {
            let problem = staff.patch(path, body.clone()).await.expect_problem(400, "invalid_body");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
        }
        for (body, pointer) in [
            (json!({"title": "A", "tax_class": "A"}), "/tax_class"),
            (json!({"title": "A", "variants": [{"hold_seconds": 0}]}), "/variants/0/hold_seconds"),
        ] {
            let answer = staff.post("/api/v1/products", body).await;
            let problem = answer.expect_problem(400, "invalid_body");
            assert_eq!(problem["errors"][0]["pointer"], pointer);
        }
    }

    async fn an_etag_guards_a_change(shop: TestShop) {
        let staff = shop.staff().await;
        let made = add(&staff, json!({"title": "A"})).await;
        let path = format!("/api/v1/products/{}", id(&made));
        let send = |method, body, tag: &'static str| {
            let (staff, path) = (staff.clone(), path.clone());
            async move { staff.send(method, &path, body, &[("if-match", tag)]).await }
        };
        let title = |title| Some(json!({"title": title}));
        send(Method::PATCH, title("B"), "\"1\"").await.expect(200);
        send(Method::PATCH, title("C"), "\"1\"").await.expect_problem(412, "precondition_failed");
        send(Method::DELETE, None, "\"1\"").await.expect_problem(412, "precondition_failed");
        send(Method::PATCH, title("D"), "\"1\", \"2\"").await.expect(200);
        send(Method::DELETE, None, "*").await.expect(204);
        let variant = add(&staff, json!({"title": "A"})).await["variants"][0].clone();
        let path = format!("/api/v1/variants/{}", id(&variant));
        let body = || Some(json!({"limit_per_order": 3}));
        staff
            .send(Method::PATCH, &path, body(), &[("if-match", "\"9\"")])
            .await
            .expect_problem(412, "precondition_failed");
        let changed = staff.send(Method::PATCH, &path, body(), &[("if-match", "\"1\"")]).await;
        assert_eq!(changed.headers["etag"], "\"2\"");
        assert_eq!(changed.expect(200)["limit_per_order"], 3);
    }

    async fn a_key_makes_a_call_repeatable(shop: TestShop) {
        let staff = shop.staff().await;
        let send = |title: &'static str| {
            let staff = staff.clone();
            async move {
                let (path, key) = ("/api/v1/products", [("idempotency-key", "k1")]);
                staff.send(Method::POST, path, Some(json!({"title": title})), &key).await
            }
        };
        let first = send("A").await.expect(201);
        let again = send("A").await;
        assert_eq!(again.headers["idempotency-replayed"], "true");
        assert_eq!(again.expect(201), first);
        send("B").await.expect_problem(422, "idempotency_key_reused");
        assert_eq!(count(&shop, "select count(*) from product").await, 1);
        let (path, key) = (format!("/api/v1/products/{}", id(&first)), [("idempotency-key", "k2")]);
        for _ in 0..2 {
            let gone = staff.send(Method::DELETE, &path, None, &key).await;
            assert!(gone.body.is_empty());
            gone.expect(204);
        }
    }

    async fn who_sees_what(shop: TestShop) {
        let (staff, ana, anyone) =
            (shop.staff().await, shop.customer("ana").await, shop.anonymous());
        let open = add(&staff, json!({"title": "Open"})).await;
        let hidden = add(&staff, json!({"title": "Hidden", "enabled": false})).await;
        let gone = add(&staff, json!({"title": "Gone", "sku": "GONE"})).await;
        staff.delete(&format!("/api/v1/products/{}", id(&gone))).await.expect(204);
        for (client, visible) in
            [(&anyone, vec![&open]), (&ana, vec![&open]), (&staff, vec![&hidden, &open])]
        {
            let listed = client.get("/api/v1/products").await.expect(200);
            assert_eq!(listed["items"], json!(visible));
            for product in [&open, &hidden, &gone] {
                let status = if visible.contains(&product) { 200 } else { 404 };
                client.get(&format!("/api/v1/products/{}", id(product))).await.expect(status);
                let variant = id(&product["variants"][0]);
                client.get(&format!("/api/v1/variants/{variant}")).await.expect(status);
            }
        }
        let path = format!("/api/v1/products/{}?deleted=true", id(&gone));
        let shown = staff.get(&path).await.expect(200);
        assert_eq!(shown["deleted_at"], "2026-11-21T12:00:00Z");
        assert_eq!(shown["variants"][0]["sku"], "GONE");
        let listed = staff.get("/api/v1/products?deleted=true").await.expect(200);
        assert_eq!(listed["items"], json!([shown]));
        for client in [&anyone, &ana] {
            client.get(&path).await.expect_problem(403, "forbidden");
            client.get("/api/v1/products?deleted=true").await.expect_problem(403, "forbidden");
        }
        let gone = format!("/api/v1/products/{}", id(&gone));
        staff.delete(&gone).await.expect_problem(404, "not_found");
        staff.patch(&gone, json!({"title": "Back"})).await.expect_problem(404, "not_found");
        staff.post(&format!("{gone}/variants"), json!({})).await.expect_problem(404, "not_found");
        staff
            .post("/api/v1/products", json!({"title": "New", "sku": "GONE"}))
            .await
            .expect_problem(409, "sku_taken");
    }

    async fn only_staff_write(shop: TestShop) {
        let (staff, ana, anyone) =
            (shop.staff().await, shop.customer("ana").await, shop.anonymous());
        let made = add(&staff, json!({"title": "A"})).await;
        let (product, variant) = (id(&made), id(&made["variants"][0]));
        for (method, path, body) in [
            (Method::POST, "/api/v1/products".to_owned(), Some(json!({"title": "B"}))),
            (Method::PATCH, format!("/api/v1/products/{product}"), Some(json!({"title": "B"}))),
            (Method::DELETE, format!("/api/v1/products/{product}"), None),
            (Method::POST, format!("/api/v1/products/{product}/variants"), Some(json!({}))),
            (Method::PATCH, format!("/api/v1/variants/{variant}"), Some(json!({"title": "B"}))),
            (Method::DELETE, format!("/api/v1/variants/{variant}"), None),
            (Method::GET, format!("/api/v1/variants/{variant}/prices"), None),
            (Method::POST, format!("/api/v1/variants/{variant}/prices"), Some(json!({}))),
            (Method::DELETE, "/api/v1/prices/1".to_owned(), None),
        ] {
            anyone.send(method.clone(), &path, body.clone(), &[]).await.expect(401);
            ana.send(method, &path, body, &[]).await.expect(403);
        }
        assert_eq!(staff.get(&format!("/api/v1/products/{product}")).await.expect(200), made);
    }

    async fn bad_products_are_refused_with_the_field(shop: TestShop) {
        let staff = shop.staff().await;
        let deep = (0..9).fold(json!(1), |inner, _| json!([inner]));
        let long = "x".repeat(301);
        for (body, pointer) in [
            (json!({}), "/title"),
            (json!({"title": ""}), "/title"),
            (json!({"title": long}), "/title"),
            (json!({"title": "a\u{0}b"}), "/title"),
            (json!({"title": "A", "release_year": 2101}), "/release_year"),
            (json!({"title": "A", "release_year": 19755}), "/release_year"),
            (json!({"title": "A", "release_year": "1980"}), "/release_year"),
            (json!({"title": "A", "kind": "tape"}), "/kind"),
            (json!({"title": "A", "attributes": {"deep": deep}}), "/attributes"),
            (json!({"title": "A", "attributes": {"long": "x".repeat(16 * 1024)}}), "/attributes"),
            (json!({"title": "A", "attributes": []}), "/attributes"),
            (json!({"title": "A", "sku": " "}), "/sku"),
            (json!({"title": "A", "sku": "x".repeat(65)}), "/sku"),
            (json!({"title": "A", "sku": "X", "variants": [{}]}), ""),
            (json!({"title": "A", "variants": [{"sku": "X"}, {"sku": "X"}]}), "/variants"),
            (
                json!({"title": "A", "variants": [{"limit_per_order": 0}]}),
                "/variants/0/limit_per_order",
            ),
            (json!({"title": "A", "price": {"currency": "EUR", "amount": 10}}), "/price/amount"),
            (
                json!({"title": "A", "price": {"currency": "EUR", "amount": "1.001"}}),
                "/price/amount",
            ),
            (json!({"title": "A", "price": {"currency": "XXQ", "amount": "1"}}), "/price/currency"),
            (
                json!({"title": "A", "variants": [{"prices": [
                {"currency": "EUR", "amount": "1"}, {"currency": "EUR", "amount": "2"}]}]}),
                "/variants/0/prices",
            ),
        ] {
            let problem = staff.post("/api/v1/products", body.clone()).await;
            let problem = problem.expect_problem(400, "invalid_body");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
        }
        assert_eq!(count(&shop, "select count(*) from product").await, 0);
    }

    async fn odd_text_comes_back_as_it_went_in(shop: TestShop) {
        let staff = shop.staff().await;
        let odd = "\u{202e}𝕸 \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467} ' \" \\ % _ ; -- \
            \u{feff}é\u{301}";
        let body = json!({"title": odd, "artist": odd, "description": "a\r\n\tb\u{1}",
            "attributes": {odd: odd, "n": [1.5, -0.001, 12_345_678_901_234_i64, null, true]},
            "sku": "a'b\"c"});
        let made = add(&staff, body.clone()).await;
        let shown = staff.get(&format!("/api/v1/products/{}", id(&made))).await.expect(200);
        for field in ["title", "artist", "description", "attributes"] {
            assert_eq!(shown[field], body[field], "{field}");
        }
        assert_eq!(shown["variants"][0]["sku"], body["sku"]);
        let listed = staff.get("/api/v1/products?sku=a'b%22c").await.expect(200);
        assert_eq!(listed["items"], json!([shown]));
    }

    async fn many_at_once_get_ids_of_their_own(shop: TestShop) {
        let staff = shop.staff().await;
        let all = (0..20).map(|n| {
            let staff = staff.clone();
            async move {
                let sku = format!("S{}", n / 2);
                staff.post("/api/v1/products", json!({"title": "T", "sku": sku})).await.status
            }
        });
        let statuses = futures::future::join_all(all).await;
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 10, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 10, "{statuses:?}");
    }
}
