//! Logins, tokens and passwords over HTTP.

use std::time::Duration;

use axum::http::Method;
use runout_shop::App;
use runout_shop::accounts::password::PasswordCost;
use runout_shop::accounts::{self, Accounts, Actor, By, Credentials, NewAccount};
use serde_json::{Value, json};

use crate::accounts::{log_in, logged_in, new_account, path, texts, works};
use crate::on_both_engines;
use crate::support::actors::PASSWORD;

on_both_engines! {
    async fn somebody_signs_up_logs_in_and_logs_out(shop: TestShop) {
        let mut body = new_account("Ana");
        body["birth_date"] = json!("1990-12-31");
        body["phone"] = json!("+44 20 7946 0018");
        let answer = shop.anonymous().post("/api/v1/accounts", body).await;
        assert_eq!(answer.headers["etag"], "\"1\"");
        let address = answer.headers["location"].to_str().expect("text").to_owned();
        let account = answer.expect(201);
        assert_eq!(address, format!("/api/v1/accounts/{}", account["id"]));
        assert_eq!((&account["username"], &account["role"]), (&json!("Ana"), &json!("customer")));
        assert_eq!(account["birth_date"], "1990-12-31");

        let by_email = json!({"email": "ANA@example.com", "password": PASSWORD, "label": "phone"});
        let answer = shop.anonymous().post("/api/v1/tokens", by_email).await;
        assert_eq!(answer.headers["cache-control"], "no-store");
        let token = answer.expect(201);
        assert_eq!(token["expires_at"], "2027-02-19T12:00:00Z");
        let phone = shop.anonymous().with_token(token["token"].as_str().expect("text"));
        let laptop = logged_in(&shop, "aNA").await;
        assert_eq!(phone.get("/api/v1/accounts/me").await.expect(200), account);

        let tokens = laptop.get("/api/v1/tokens").await.expect(200);
        let labels: Vec<_> =
            tokens["items"].as_array().expect("a list").iter().map(|t| &t["label"]).collect();
        assert_eq!(labels, ["", "phone"]);
        assert_eq!(tokens["items"][0]["current"], true);
        assert_eq!(tokens["next"], Value::Null);

        let other = shop.customer("bia").await;
        let phone_path = format!("/api/v1/tokens/{}", token["id"]);
        other.delete(&phone_path).await.expect_problem(404, "not_found");
        laptop.delete(&phone_path).await.expect(204);
        phone.get("/api/v1/accounts/me").await.expect_problem(401, "unauthorized");
        laptop.delete(&phone_path).await.expect_problem(404, "not_found");
        laptop.delete("/api/v1/tokens/current").await.expect(204);
        assert!(!works(&laptop).await && works(&other).await);
    }

    async fn tokens_expire(shop: TestShop) {
        let ana = shop.customer("ana").await;
        shop.clock.advance(Duration::from_secs(90 * 24 * 3_600 - 1));
        assert!(works(&ana).await);
        shop.clock.advance(Duration::from_secs(1));
        assert!(!works(&ana).await);
    }

    async fn a_refused_login_does_not_tell_why(shop: TestShop) {
        let (ana, bia) = (shop.customer("ana").await, shop.customer("bia").await);
        let by = By::actor(Actor::System);
        accounts::deactivate(&shop.app, by, bia.account_id).await.expect("works");
        let mut problems = Vec::new();
        for (username, password) in
            [("ana", "not the password"), ("nobody", PASSWORD), ("bia", PASSWORD)]
        {
            let answer = log_in(&shop, username, password).await;
            assert!(answer.headers.contains_key("www-authenticate"));
            let mut problem = answer.expect_problem(401, "invalid_credentials");
            // The request's own id differs, as it should.
            problem.as_object_mut().expect("an object").remove("instance");
            problems.push(problem);
        }
        assert!(problems.iter().all(|problem| *problem == problems[0]), "{problems:?}");
        assert!(works(&ana).await);
    }

    async fn wrong_passwords_are_throttled_per_account(shop: TestShop) {
        shop.customer("ana").await;
        shop.customer("bia").await;
        for n in 0..10 {
            // Name and address are one account.
            let name = if n % 2 == 0 { "ana" } else { "ana@example.com" };
            log_in(&shop, name, "not the password").await.expect(401);
        }
        let answer = log_in(&shop, "ana", PASSWORD).await;
        assert_eq!(answer.headers["retry-after"], "6");
        answer.expect_problem(429, "login_throttled");
        log_in(&shop, "bia", PASSWORD).await.expect(201);
        shop.clock.advance(Duration::from_secs(6));
        for _ in 0..3 {
            log_in(&shop, "ana", PASSWORD).await.expect(201);
        }
    }

    async fn another_node_sees_a_revocation_within_a_second(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let token = ana.token.clone().expect("logged in");
        let other = shop.second_node().await;
        for app in [&shop.app, &other] {
            let found = accounts::auth::identify(app, token.as_bytes()).await.expect("reads");
            assert_eq!(found.expect("a working token").account_id, ana.account_id);
        }
        let by = By::actor(Actor::System);
        accounts::deactivate(&shop.app, by, ana.account_id).await.expect("works");
        let here = accounts::auth::identify(&shop.app, token.as_bytes()).await.expect("reads");
        assert!(here.is_none(), "this node knows at once");
        tokio::time::sleep(Duration::from_secs(1)).await;
        let there = accounts::auth::identify(&other, token.as_bytes()).await.expect("reads");
        assert!(there.is_none(), "the other node knows after a second");
    }

    async fn a_new_password_ends_the_other_tokens(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let thief = logged_in(&shop, "ana").await;
        let me = "/api/v1/accounts/me";
        let new = "a better password";
        ana.patch(me, json!({"password": new})).await.expect_problem(400, "invalid_body");
        let guess = json!({"password": new, "current_password": "a wrong guess"});
        thief.patch(me, guess).await.expect_problem(400, "wrong_password");
        let own = json!({"password": "ANA@example.com", "current_password": PASSWORD});
        ana.patch(me, own).await.expect_problem(400, "invalid_body");
        assert!(works(&thief).await);
        let right = json!({"password": new, "current_password": PASSWORD});
        let key = [("idempotency-key", "one")];
        let body = Some(right);
        let first = ana.send(Method::PATCH, me, body.clone(), &key).await.expect(200);
        assert!(works(&ana).await && !works(&thief).await);
        let again = ana.send(Method::PATCH, me, body.clone(), &key).await.expect(200);
        assert_eq!(first, again);
        ana.send(Method::PATCH, me, body, &[]).await.expect_problem(400, "wrong_password");
        log_in(&shop, "ana", PASSWORD).await.expect(401);
        log_in(&shop, "ana", new).await.expect(201);
    }

    async fn a_lost_password_is_reset_from_above(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let superuser = shop.superuser().await;
        let new = json!({"password": "a better password"});
        staff.patch(&path(&staff), new.clone()).await.expect_problem(403, "forbidden");
        superuser.patch(&path(&superuser), new.clone()).await.expect_problem(403, "forbidden");
        staff.patch(&path(&ana), json!({"password": "short"})).await.expect(400);
        staff.patch(&path(&ana), new.clone()).await.expect(200);
        assert!(!works(&ana).await);
        log_in(&shop, "ana", "a better password").await.expect(201);
        superuser.patch(&path(&staff), new).await.expect(200);
        assert!(!works(&staff).await);
        // An account that staff made without a password cannot be logged in to before.
        let kim = NewAccount {
            username: "kim".to_owned(),
            email: "kim@example.com".to_owned(),
            ..NewAccount::default()
        };
        let by = By::actor(Actor::System);
        accounts::sign_up(&shop.app, by, kim).await.expect("works");
        log_in(&shop, "kim", "!").await.expect_problem(401, "invalid_credentials");
    }

    async fn a_login_stores_a_hash_of_the_present_cost(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let cost = PasswordCost { memory_kib: 16, passes: 1, lanes: 1 };
        let accounts = Accounts::new(cost);
        let stronger = App::with_accounts(
            shop.app.db.clone(),
            shop.clock.clone(),
            &runout_shop::platform::config::Config::default(),
            shop.app.sealer.clone(),
            accounts,
        );
        let stored = "select password_hash from account";
        assert!(texts(&shop.app, stored).await[0].contains("m=8,"));
        let credentials = Credentials { identifier: "ana", password: PASSWORD, label: "" };
        let client = "192.0.2.1".parse().expect("an address");
        accounts::login(&stronger, credentials, None, client).await.expect("logs in");
        assert!(texts(&shop.app, stored).await[0].contains("m=16,"));
        accounts::login(&stronger, credentials, None, client).await.expect("logs in again");
        assert!(works(&ana).await);
    }
}
