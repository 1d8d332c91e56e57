//! The Lea Record Shop: its requests, its lookups, and what it got wrong.

use axum::http::Method;
use runout_shop::accounts::{self, Actor, By};
use runout_shop::catalog::input::{NewProduct, VariantSpec};
use runout_shop::catalog::products::{self, CreateProduct};
use runout_shop::catalog::queries::View;
use runout_shop::platform::command::{Caller, Key};
use serde::Serialize;
use serde_json::{Value, json};

use super::{available, curl, orders, record};
use crate::on_both_engines;
use crate::support::actors::PASSWORD;
use crate::support::{Answer, Client, TestShop};

fn disc(name: &str, year: i64, amount: i64) -> Value {
    json!({
        "name": name, "artist": "Hohpe", "release_year": year, "style": "Indie", "amount": amount,
    })
}

fn client(name: &str) -> Value {
    json!({
        "name": name, "email": format!("{name}@example.com"), "phone_number": "+55 11 91234-5678",
        "identity": format!("id-{name}"), "birth_day": "1990-12-31", "password": PASSWORD,
    })
}

fn id(thing: &Value) -> i64 {
    thing["id"].as_i64().expect("an id")
}

async fn new_disc(shop: &TestShop, disc: Value) -> i64 {
    let answer = shop.staff().await.post("/ecommerce/create_disc", disc).await;
    id(&answer.expect(201))
}

/// A GET with lookups in its body, and no content type, as Lea's README shows them.
async fn find(shop: &TestShop, as_whom: &Client, path: &str, lookups: Value) -> Answer {
    let bearer = as_whom.token.as_ref().map(|token| format!("Bearer {token}"));
    let headers: Vec<_> = bearer.iter().map(|text| ("authorization", text.as_str())).collect();
    curl(shop, &format!("GET {path}"), &headers, &lookups.to_string()).await
}

async fn found(shop: &TestShop, as_whom: &Client, path: &str, lookups: Value) -> Vec<Value> {
    let list = find(shop, as_whom, path, lookups).await.expect(200);
    list.as_array().expect("an array").clone()
}

fn names(discs: &[Value]) -> Vec<&str> {
    discs.iter().map(|disc| disc["name"].as_str().expect("text")).collect()
}

on_both_engines! {
    async fn a_disc_is_added_changed_and_deleted(shop: TestShop) {
        let staff = shop.staff().await;
        let made = staff.post("/ecommerce/create_disc", disc("We are Reactive", 2026, 500)).await;
        let made = made.expect(201);
        let id = id(&made);
        assert_eq!(made, json!({
            "id": id, "name": "We are Reactive", "artist": "Hohpe", "release_year": "2026",
            "style": "Indie", "amount": 500, "price": "0.00",
        }));
        // Lea's release year was text.
        let mut texts = disc("Priced", 0, 0);
        texts["release_year"] = json!("1999");
        texts["amount"] = json!("7");
        texts["price"] = json!("12.50");
        let priced = staff.post("/ecommerce/create_disc", texts).await.expect(201);
        assert_eq!((&priced["release_year"], &priced["price"]), (&json!("1999"), &json!("12.50")));
        assert_eq!(priced["amount"], 7);

        let path = format!("/ecommerce/put_disc/{id}");
        let changed = staff.put(&path, disc("Reactive", 2025, 20)).await.expect(200);
        assert_eq!(changed["name"], "Reactive");
        assert_eq!((&changed["release_year"], &changed["amount"]), (&json!("2025"), &json!(20)));
        assert_eq!(available(&shop, id).await, 20);

        // A sale stays in the history when its disc is deleted.
        let ana = shop.customer("ana").await;
        let wanted = json!({"client": ana.account_id, "disc": id, "amount": 2});
        ana.post("/ecommerce/create_request", wanted.clone()).await.expect(201);
        let gone = staff.delete(&format!("/ecommerce/delete_disc/{id}")).await.expect(200);
        assert_eq!(gone["amount"], 18);
        for (method, path) in [(Method::DELETE, "delete_disc"), (Method::PUT, "put_disc")] {
            for id in [id, 999_999] {
                let body = (method == Method::PUT).then(|| disc("x", 2000, 1));
                let path = format!("/ecommerce/{path}/{id}");
                let answer = staff.send(method.clone(), &path, body, &[]).await;
                answer.expect_problem(404, "not_found");
            }
        }
        let answer = ana.post("/ecommerce/create_request", wanted).await;
        answer.expect_problem(409, "not_for_sale");
        let all = found(&shop, &shop.anonymous(), "/ecommerce/get_disc", json!({})).await;
        assert_eq!(names(&all), ["Priced"]);
        let sold = found(&shop, &ana, "/ecommerce/get_requests", json!({"disc": id})).await;
        assert_eq!(sold.len(), 1);
        shop.verify().await;
    }

    async fn wrong_discs_are_refused_with_the_field(shop: TestShop) {
        let staff = shop.staff().await;
        let kept = new_disc(&shop, disc("kept", 2000, 5)).await;
        for (field, value) in [
            ("name", json!("")),
            ("name", json!("x".repeat(301))),
            ("name", json!(null)),
            ("artist", json!("x\u{0}")),
            ("release_year", json!("19755")),
            ("release_year", json!("soon")),
            ("amount", json!(-1)),
            ("amount", json!("many")),
            ("amount", json!(1_000_000_001)),
            ("amonut", json!(1)),
        ] {
            let mut body = disc("fine", 2000, 5);
            body[field] = value;
            let path = format!("/ecommerce/put_disc/{kept}");
            for answer in [
                staff.post("/ecommerce/create_disc", body.clone()).await,
                staff.put(&path, body.clone()).await,
            ] {
                let problem = answer.expect_problem(400, "invalid_body");
                assert_eq!(problem["errors"][0]["pointer"], format!("/{field}"), "{body}");
            }
        }
        for price in [json!("-1"), json!("1.005"), json!(12.5)] {
            let mut body = disc("fine", 2000, 5);
            body["price"] = price;
            let answer = staff.post("/ecommerce/create_disc", body).await;
            let problem = answer.expect_problem(400, "invalid_body");
            assert_eq!(problem["errors"][0]["pointer"], "/price");
        }
        for missing in ["name", "artist", "release_year", "style", "amount"] {
            let mut body = disc("fine", 2000, 5);
            body.as_object_mut().expect("an object").remove(missing);
            staff.post("/ecommerce/create_disc", body).await.expect_problem(400, "invalid_body");
        }
        let all = found(&shop, &staff, "/ecommerce/get_disc", json!({})).await;
        assert_eq!(names(&all), ["kept"]);
        assert_eq!(all[0]["amount"], 5);
    }

    async fn lookups_stand_in_the_body_or_in_the_query(shop: TestShop) {
        let nobody = shop.anonymous();
        for (name, year, amount) in [("one", 1986, 1), ("two", 1999, 0), ("three", 2026, 500)] {
            new_disc(&shop, disc(name, year, amount)).await;
        }
        let shirt = json!({"title": "shirt", "kind": "merch"});
        shop.staff().await.post("/api/v1/products", shirt).await.expect(201);
        let path = "/ecommerce/get_disc";
        let all = json!({
            "name": "three", "artist": "Hohpe", "release_year": "2026", "style": "Indie"
        });
        for (lookups, expected) in [
            (all, vec!["three"]),
            (json!({}), vec!["one", "two", "three"]),
            (json!({"release_year__gte": "1999"}), vec!["two", "three"]),
            (json!({"release_year__lte": 1999}), vec!["one", "two"]),
            (json!({"release_year__in": ["1986", 2026]}), vec!["one", "three"]),
            (json!({"name__in": "one,two"}), vec!["one", "two"]),
            (json!({"name__startswith": "t"}), vec!["two", "three"]),
            (json!({"amount__gte": 1}), vec!["one", "three"]),
            (json!({"amount": 0}), vec!["two"]),
            (json!({"amount__in": [0, 1]}), vec!["one", "two"]),
            (json!({"artist": "Nobody"}), vec![]),
        ] {
            assert_eq!(names(&found(&shop, &nobody, path, lookups.clone()).await), expected);
            let query: Vec<String> = lookups.as_object().expect("an object").iter()
                .map(|(key, value)| match value {
                    Value::String(text) => format!("{key}={text}"),
                    Value::Array(_) => format!("{key}={value}").replace(['[', ']', '"'], ""),
                    other => format!("{key}={other}"),
                })
                .collect();
            let list = nobody.get(&format!("{path}?{}", query.join("&"))).await.expect(200);
            assert_eq!(names(list.as_array().expect("an array")), expected, "{query:?}");
        }
        let both = find(&shop, &nobody, "/ecommerce/get_disc/?name=one", json!({"amount": 1}));
        assert_eq!(names(both.await.expect(200).as_array().expect("an array")), ["one"]);
        for (lookups, code) in [
            (json!({"title": "one"}), "unknown_filter"),
            (json!({"name__regex": ".*"}), "unknown_filter"),
            (json!({"request__client__password__startswith": "p"}), "unknown_filter"),
            (json!({"release_year": "soon"}), "invalid_filter"),
            (json!([1]), "invalid_body"),
        ] {
            find(&shop, &nobody, path, lookups).await.expect_problem(400, code);
        }
        nobody.get(&format!("{path}?sort=name")).await.expect_problem(400, "unknown_sort");
    }

    async fn long_lists_go_on_by_cursor(shop: TestShop) {
        let (staff, nobody) = (shop.staff().await, shop.anonymous());
        for number in 0..103 {
            let product = json!({"title": format!("{number}"), "artist": "Hohpe"});
            staff.post("/api/v1/products", product).await.expect(201);
        }
        let first = nobody.get("/ecommerce/get_disc?artist=Hohpe").await;
        let cursor = first.headers["x-next-cursor"].to_str().expect("text").to_owned();
        let link = first.headers["link"].to_str().expect("text").to_owned();
        let next = format!("/ecommerce/get_disc?artist=Hohpe&cursor={cursor}");
        assert_eq!(link, format!("<{next}>; rel=\"next\""));
        assert_eq!(first.expect(200).as_array().expect("an array").len(), 100);
        let last = nobody.get(&next).await;
        assert!(!last.headers.contains_key("link"));
        let rest = last.expect(200);
        assert_eq!(names(rest.as_array().expect("an array")), ["100", "101", "102"]);

        // Lines of one order that fall on two pages.
        let mut lines = Vec::new();
        for number in 0..3 {
            let id = record(&shop, &format!("sold {number}"), 9).await;
            lines.push(json!({"product_id": id, "quantity": 1}));
        }
        for _ in 0..2 {
            let order = json!({"lines": lines});
            staff.post("/api/v1/orders", order).await.expect(201);
        }
        let (mut path, mut seen) = ("/ecommerce/get_requests?limit=2".to_owned(), Vec::new());
        loop {
            let page = staff.get(&path).await;
            let cursor = page.headers.get("x-next-cursor").cloned();
            let rows = page.expect(200);
            seen.extend(rows.as_array().expect("an array").iter().map(|row| {
                (id(row), row["disc"].as_i64().expect("an id"))
            }));
            let Some(cursor) = cursor else { break };
            let cursor = cursor.to_str().expect("text");
            path = format!("/ecommerce/get_requests?limit=2&cursor={cursor}");
        }
        let discs = || lines.iter().map(|line| line["product_id"].as_i64().expect("an id"));
        let orders: Vec<i64> = vec![seen[0].0, seen[5].0];
        let expected: Vec<_> =
            orders.iter().flat_map(|order| discs().map(|disc| (*order, disc))).collect();
        assert_eq!(seen, expected);
        staff.get("/ecommerce/get_requests?sort=id").await.expect_problem(400, "unknown_sort");
    }

    async fn a_client_is_added_changed_and_deactivated(shop: TestShop) {
        let staff = shop.staff().await;
        let made = staff.post("/ecommerce/create_client", client("ana")).await.expect(201);
        let ana = id(&made);
        assert_eq!(made, json!({
            "id": ana, "name": "ana", "email": "ana@example.com",
            "phone_number": "+55 11 91234-5678", "identity": "id-ana", "birth_day": "1990-12-31",
            "is_active": true,
        }));
        for (field, value, status, code) in [
            ("email", json!("ANA@example.com"), 409, "email_taken"),
            ("identity", json!("id-ana"), 409, "identity_taken"),
            ("email", json!("nobody"), 400, "invalid_body"),
            ("phone_number", json!("call me"), 400, "invalid_body"),
            ("identity", json!(""), 400, "invalid_body"),
            ("birth_day", json!("31/12/1990"), 400, "invalid_body"),
            ("password", json!("short"), 400, "invalid_body"),
            ("is_superuser", json!(true), 400, "invalid_body"),
        ] {
            let mut body = client("bia");
            body[field] = value;
            let answer = staff.post("/ecommerce/create_client", body).await;
            let problem = answer.expect_problem(status, code);
            assert_eq!(problem["errors"][0]["pointer"], format!("/{field}"), "{problem}");
        }

        let change =
            json!({"name": "Ana Souza", "phone_number": "112", "birth_day": "1991-01-01"});
        let path = format!("/ecommerce/put_client/{ana}");
        let changed = staff.put(&path, change.clone()).await.expect(200);
        assert_eq!((&changed["name"], &changed["birth_day"]), (
            &json!("Ana Souza"), &json!("1991-01-01")
        ));
        let nobody = staff.put("/ecommerce/put_client/999999", change).await;
        nobody.expect_problem(404, "not_found");

        // Nothing of a password comes out, nor can it be asked about.
        let list = find(&shop, &staff, "/ecommerce/get_clients", json!({"id": ana})).await;
        let text = String::from_utf8(list.body.clone()).expect("text");
        assert!(!text.contains("password") && !text.contains("argon2"), "{text}");
        assert_eq!(list.expect(200), json!([changed]));
        for lookup in ["password", "password__startswith", "username", "client__password"] {
            let answer = find(&shop, &staff, "/ecommerce/get_clients", json!({lookup: "a"})).await;
            answer.expect_problem(400, "unknown_filter");
        }

        let body = json!({"username": "ana@example.com", "password": PASSWORD});
        shop.anonymous().post("/auth/login/", body.clone()).await.expect(200);
        let gone = staff.delete(&format!("/ecommerce/delete_client/{ana}")).await.expect(200);
        assert_eq!(gone["is_active"], false);
        shop.anonymous().post("/auth/login/", body).await.expect(400);
        let active = json!({"is_active": true, "id": ana});
        assert!(found(&shop, &staff, "/ecommerce/get_clients", active).await.is_empty());
        // Its address and its document stay taken.
        let again = staff.post("/ecommerce/create_client", client("ana")).await;
        again.expect_problem(409, "email_taken");
        let nobody = staff.delete("/ecommerce/delete_client/999999").await;
        nobody.expect_problem(404, "not_found");
        let root = shop.superuser().await.account_id;
        let answer = staff.delete(&format!("/ecommerce/delete_client/{root}")).await;
        answer.expect_problem(403, "forbidden");
    }

    async fn requests_are_placed_or_refused_for_a_reason(shop: TestShop) {
        let staff = shop.staff().await;
        let (ana, bia) = (shop.customer("ana").await, shop.customer("bia").await);
        let disc = new_disc(&shop, disc("We are Reactive", 2026, 5)).await;
        let request = |client: Value, disc: Value, amount: Value| {
            json!({"client": client, "disc": disc, "amount": amount})
        };
        let path = "/ecommerce/create_request";
        let wanted = request(json!(ana.account_id), json!(disc), json!(2));
        let placed = ana.post(path, wanted.clone()).await.expect(201);
        assert_eq!(placed, json!({
            "id": placed["id"], "client": ana.account_id, "disc": disc, "amount": 2,
            "operation_date": "2026-11-21T12:00:00Z", "status": "placed",
        }));
        let texts = request(json!(bia.account_id.to_string()), json!(disc.to_string()), json!("1"));
        staff.post(path, texts).await.expect(201);
        bia.post(path, wanted).await.expect_problem(403, "forbidden");

        let own = json!(ana.account_id);
        for (body, status, code) in [
            (request(own.clone(), json!(disc), json!(0)), 400, "invalid_body"),
            (request(own.clone(), json!(disc), json!(-5)), 400, "invalid_body"),
            (request(own.clone(), json!(disc), json!("some")), 400, "invalid_body"),
            (request(own.clone(), json!(disc), json!(1.5)), 400, "invalid_body"),
            (request(own.clone(), json!(999_999), json!(1)), 409, "not_for_sale"),
            (request(own.clone(), json!(disc), json!(3)), 409, "out_of_stock"),
        ] {
            ana.post(path, body.clone()).await.expect_problem(status, code);
        }
        let nobody = request(json!(999_999), json!(disc), json!(1));
        let problem = staff.post(path, nobody).await.expect_problem(400, "invalid_body");
        assert_eq!(problem["errors"][0]["pointer"], "/client");
        let by = By::actor(Actor::System);
        accounts::deactivate(&shop.app, by, bia.account_id).await.expect("works");
        let inactive = request(json!(bia.account_id), json!(disc), json!(1));
        staff.post(path, inactive).await.expect_problem(409, "account_inactive");
        assert_eq!((available(&shop, disc).await, orders(&shop).await), (2, 2));
        shop.verify().await;
    }

    async fn requests_are_found_by_client_disc_and_period(shop: TestShop) {
        let staff = shop.staff().await;
        let (ana, bia) = (shop.customer("ana").await, shop.customer("bia").await);
        let (one, two) = (record(&shop, "one", 9).await, record(&shop, "two", 9).await);
        for (client, disc, amount) in [(&ana, one, 1), (&bia, one, 2), (&bia, two, 3)] {
            let body = json!({"client": client.account_id, "disc": disc, "amount": amount});
            staff.post("/ecommerce/create_request", body).await.expect(201);
            shop.clock.advance(std::time::Duration::from_secs(24 * 3_600));
        }
        let (ana_id, bia_id) = (ana.account_id, bia.account_id);
        for (lookups, expected) in [
            (json!({}), vec![1, 2, 3]),
            (json!({"client": ana_id.to_string()}), vec![1]),
            (json!({"client__in": bia_id.to_string()}), vec![2, 3]),
            (json!({"client__in": format!("{ana_id},{bia_id}")}), vec![1, 2, 3]),
            (json!({"client__in": [ana_id, bia_id], "disc": one}), vec![1, 2]),
            (json!({"Disc": two}), vec![3]),
            (json!({"operation_date__gte": "2026-11-22"}), vec![2, 3]),
            (json!({
                "operation_date__gte": "2026-11-22T00:00:00Z",
                "operation_date__lte": "2026-11-23T00:00:00Z",
            }), vec![2]),
            (json!({"amount__lte": 2}), vec![1, 2]),
            (json!({"status": "cancelled"}), vec![]),
        ] {
            let rows = found(&shop, &staff, "/ecommerce/get_requests", lookups.clone()).await;
            let amounts: Vec<_> = rows.iter().map(|row| row["amount"].clone()).collect();
            assert_eq!(json!(amounts), json!(expected), "{lookups}");
        }
        // Clients see their own, whatever they ask for.
        assert_eq!(found(&shop, &bia, "/ecommerce/get_requests", json!({})).await.len(), 2);
        let others = json!({"client": ana_id});
        assert!(found(&shop, &bia, "/ecommerce/get_requests", others).await.is_empty());
        for lookup in ["client__password__startswith", "client__email", "Disc__name"] {
            let answer = find(&shop, &staff, "/ecommerce/get_requests", json!({lookup: "p"})).await;
            answer.expect_problem(400, "unknown_filter");
        }
    }

    async fn a_disc_is_made_once_under_one_key(shop: TestShop) {
        /// What the route makes its fingerprint of.
        #[derive(Serialize)]
        struct NewDisc {
            name: &'static str,
            artist: &'static str,
            release_year: i64,
            style: &'static str,
            amount: i64,
            price: Option<String>,
        }
        let staff = shop.staff().await;
        let key = [("idempotency-key", "half")];
        // As if the server had died between the disc and its stock.
        let new = NewDisc {
            name: "Half",
            artist: "Hohpe",
            release_year: 2026,
            style: "Indie",
            amount: 5,
            price: None,
        };
        let half = Key::new("half".to_owned(), "POST /ecommerce/create_disc", &new);
        let caller = Caller { account_id: Some(staff.account_id), key: Some(half) };
        let fields = NewProduct { title: "Half".to_owned(), ..NewProduct::default() }.fields();
        let view = View { currency: shop.app.currency, now: shop.app.clock.now() };
        let variants = vec![VariantSpec::default()];
        let command = CreateProduct { fields, variants, view, created_by: None };
        products::create(&shop.app, caller, command).await.expect("stored");

        for _ in 0..3 {
            let body = Some(disc("Half", 2026, 5));
            let answer = staff.send(Method::POST, "/ecommerce/create_disc", body, &key).await;
            assert_eq!(answer.headers["idempotency-replayed"], "true");
            assert_eq!(answer.expect(201)["amount"], 5);
        }
        let all = found(&shop, &staff, "/ecommerce/get_disc", json!({})).await;
        assert_eq!((names(&all), &all[0]["amount"]), (vec!["Half"], &json!(5)));
        let other = Some(disc("Half", 2026, 6));
        let answer = staff.send(Method::POST, "/ecommerce/create_disc", other, &key).await;
        answer.expect_problem(422, "idempotency_key_reused");

        let path = format!("/ecommerce/put_disc/{}", all[0]["id"]);
        let key = [("idempotency-key", "put")];
        for _ in 0..2 {
            let body = Some(disc("Whole", 2026, 9));
            let answer = staff.send(Method::PUT, &path, body, &key).await;
            assert_eq!(answer.expect(200)["amount"], 9);
            let sale = json!({"client": staff.account_id, "disc": all[0]["id"], "amount": 0});
            staff.post("/ecommerce/create_request", sale).await.expect(400);
        }
        shop.verify().await;
    }

    async fn the_amount_counts_other_locations(shop: TestShop) {
        let staff = shop.staff().await;
        let id = new_disc(&shop, disc("spread", 2026, 5)).await;
        let product = staff.get(&format!("/api/v1/products/{id}")).await.expect(200);
        let new = json!({"code": "floor", "name": "Shop floor", "priority": 200});
        let floor = staff.post("/api/v1/locations", new).await.expect(201);
        let receipt = json!({
            "variant_id": product["variants"][0]["id"], "location_id": floor["id"], "quantity": 3,
        });
        staff.post("/api/v1/stock/receipts", receipt).await.expect(201);
        let path = format!("/ecommerce/put_disc/{id}");
        let changed = staff.put(&path, disc("spread", 2026, 10)).await.expect(200);
        assert_eq!(changed["amount"], 10);
        let answer = staff.put(&path, disc("renamed", 2026, 2)).await;
        answer.expect_problem(409, "stock_elsewhere");
        let all = found(&shop, &staff, "/ecommerce/get_disc", json!({})).await;
        assert_eq!((names(&all), &all[0]["amount"]), (vec!["spread"], &json!(10)));
        shop.verify().await;
    }

    async fn the_hohpe_case_in_small(shop: TestShop) {
        let id = new_disc(&shop, disc("We are Reactive", 2026, 50)).await;
        let mut clients = Vec::new();
        for number in 0..10 {
            clients.push(shop.customer(&format!("buyer{number}")).await);
        }
        let buyers = (0..300).map(|number| {
            let client = clients[number % clients.len()].clone();
            let body = json!({"client": client.account_id, "disc": id, "amount": 1});
            tokio::spawn(async move { client.post("/ecommerce/create_request", body).await })
        });
        let mut sold = 0;
        for buyer in buyers.collect::<Vec<_>>() {
            let answer = buyer.await.expect("no panic");
            match answer.status.as_u16() {
                201 => sold += 1,
                _ => _ = answer.expect_problem(409, "out_of_stock"),
            }
        }
        assert_eq!((sold, available(&shop, id).await), (50, 0));
        shop.verify().await;
    }
}
