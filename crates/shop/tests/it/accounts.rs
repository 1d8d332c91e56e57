//! Accounts over HTTP: fields, roles, versions, lists, and what is recorded.

use axum::http::Method;
use runout_shop::App;
use runout_shop::accounts::{self, Actor, By, Role};
use runout_shop::platform::command::Outcome;
use runout_store::Composer;
use serde_json::{Value, json};

use crate::on_both_engines;
use crate::support::actors::PASSWORD;
use crate::support::{Answer, Client, TestShop};

pub fn new_account(username: &str) -> Value {
    json!({
        "username": username, "email": format!("{username}@example.com"), "password": PASSWORD
    })
}

pub async fn log_in(shop: &TestShop, username: &str, password: &str) -> Answer {
    let body = json!({"username": username, "password": password});
    shop.anonymous().post("/api/v1/tokens", body).await
}

pub async fn logged_in(shop: &TestShop, username: &str) -> Client {
    let token = log_in(shop, username, PASSWORD).await.expect(201);
    shop.anonymous().with_token(token["token"].as_str().expect("a token"))
}

pub async fn works(client: &Client) -> bool {
    client.get("/api/v1/accounts/me").await.status == 200
}

/// The first column of a query, as text.
pub async fn texts(app: &App, sql: &'static str) -> Vec<String> {
    let rows = app.db.read(Composer::new(sql).finish(), |row| row.get::<String>(0)).await;
    rows.expect("reads")
}

pub fn path(client: &Client) -> String {
    format!("/api/v1/accounts/{}", client.account_id)
}

on_both_engines! {
    async fn names_are_taken_whatever_their_case(shop: TestShop) {
        let mut ana = new_account("ana");
        ana["identity_document"] = json!("X1");
        shop.anonymous().post("/api/v1/accounts", ana).await.expect(201);
        for (change, status, code, pointer) in [
            (json!({"username": "ANA"}), 409, "username_taken", "/username"),
            (json!({"email": "Ana@Example.COM"}), 409, "email_taken", "/email"),
            (json!({"identity_document": "X1"}), 409, "identity_taken", "/identity_document"),
            (json!({"username": "ana@example.com"}), 400, "invalid_body", "/username"),
        ] {
            let mut body = new_account("bia");
            body.as_object_mut()
                .expect("an object")
                .extend(change.as_object().expect("an object").clone());
            let answer = shop.anonymous().post("/api/v1/accounts", body).await;
            let problem = answer.expect_problem(status, code);
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{change}");
        }
        let bia = shop.customer("bia").await;
        let email = json!({"email": "ANA@example.com"});
        bia.patch("/api/v1/accounts/me", email).await.expect_problem(409, "email_taken");
        // Only another account's name is in the way: one's own address may be written anew.
        let own = json!({"email": "Bia@Example.com"});
        assert_eq!(bia.patch("/api/v1/accounts/me", own).await.expect(200)["version"], 2);
    }

    async fn of_many_who_want_one_name_one_gets_it(shop: TestShop) {
        let client = shop.anonymous();
        let asked = (0..20).map(|n| {
            let mut body = new_account("ana");
            body["email"] = json!(format!("a{n}@example.com"));
            let client = client.clone();
            tokio::spawn(async move { client.post("/api/v1/accounts", body).await })
        });
        let mut created = 0;
        for answer in asked.collect::<Vec<_>>() {
            let answer = answer.await.expect("no panic");
            if answer.status == 201 {
                created += 1;
            } else {
                answer.expect_problem(409, "username_taken");
            }
        }
        assert_eq!(created, 1);
    }

    async fn wrong_fields_are_named(shop: TestShop) {
        for (change, pointer) in [
            (json!({"username": "a b"}), "/username"),
            (json!({"username": ""}), "/username"),
            (json!({"email": "nobody"}), "/email"),
            (json!({"password": "short"}), "/password"),
            (json!({"password": "Password123"}), "/password"),
            (json!({"password": "BIA@example.com"}), "/password"),
            (json!({"phone": "call me"}), "/phone"),
            (json!({"identity_document": ""}), "/identity_document"),
            (json!({"birth_date": "1990-02-30"}), "/birth_date"),
            (json!({"birth_date": "2026-11-21"}), "/birth_date"),
            (json!({"admin": true}), "/admin"),
            (json!({"username": "a\u{0}b"}), "/username"),
        ] {
            let mut body = new_account("bia");
            body.as_object_mut()
                .expect("an object")
                .extend(change.as_object().expect("an object").clone());
            let answer = shop.anonymous().post("/api/v1/accounts", body).await;
            let problem = answer.expect_problem(400, "invalid_body");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{change}");
        }
        for body in [
            json!({"password": PASSWORD}),
            json!({"password": PASSWORD, "username": "a", "email": "a@b"}),
        ] {
            let answer = shop.anonymous().post("/api/v1/tokens", body).await;
            answer.expect_problem(400, "invalid_body");
        }
    }

    async fn a_deactivated_account_stops_at_once(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        assert!(works(&ana).await, "and the token is in the cache");
        let answer = staff.post(&format!("{}/deactivate", path(&ana)), json!({})).await;
        assert_eq!(answer.expect(200)["active"], false);
        assert!(!works(&ana).await);
        log_in(&shop, "ana", PASSWORD).await.expect_problem(401, "invalid_credentials");
        staff.delete(&path(&ana)).await.expect(204);
        let answer = staff.post(&format!("{}/reactivate", path(&ana)), json!({})).await;
        assert_eq!(answer.expect(200)["version"], 3);
        assert!(!works(&ana).await, "its former tokens stay revoked");
        assert!(works(&logged_in(&shop, "ana").await).await);
        staff.delete(&path(&ana)).await.expect(204);
        assert_eq!(staff.get(&path(&ana)).await.expect(200)["active"], false);
    }

    async fn each_role_has_its_reach(shop: TestShop) {
        let (ana, bia) = (shop.customer("ana").await, shop.customer("bia").await);
        let (staff, superuser) = (shop.staff().await, shop.superuser().await);
        let anonymous = shop.anonymous();
        for (method, path) in [
            (Method::GET, "/api/v1/accounts".to_owned()),
            (Method::GET, path(&bia)),
            (Method::PATCH, path(&bia)),
            (Method::DELETE, path(&bia)),
            (Method::POST, format!("{}/deactivate", path(&bia))),
            (Method::POST, format!("{}/reactivate", path(&bia))),
        ] {
            let ask = |client: Client| {
                let (method, path) = (method.clone(), path.clone());
                async move { client.send(method, &path, Some(json!({})), &[]).await }
            };
            ask(anonymous.clone()).await.expect_problem(401, "unauthorized");
            ask(ana.clone()).await.expect_problem(403, "forbidden");
        }
        staff.patch(&path(&bia), json!({"name": "Bia"})).await.expect(200);
        staff.patch(&path(&superuser), json!({"name": "x"})).await.expect_problem(403, "forbidden");
        staff.delete(&path(&superuser)).await.expect_problem(403, "forbidden");
        for body in [json!({"role": "staff"}), json!({"role": "superuser"})] {
            staff.patch(&path(&bia), body.clone()).await.expect_problem(403, "forbidden");
            let mut new = new_account("eve");
            new["role"] = body["role"].clone();
            for client in [&anonymous, &ana, &staff] {
                let answer = client.post("/api/v1/accounts", new.clone()).await;
                answer.expect_problem(403, "forbidden");
            }
        }
        ana.patch("/api/v1/accounts/me", json!({"role": "staff"})).await.expect(400);

        assert_eq!(bia.get("/api/v1/accounts").await.status, 403);
        superuser.patch(&path(&bia), json!({"role": "staff"})).await.expect(200);
        assert_eq!(bia.get("/api/v1/accounts").await.status, 200, "the cache knows the new role");
        let mut new = new_account("eve");
        new["role"] = json!("staff");
        superuser.post("/api/v1/accounts", new).await.expect(201);
        staff.post("/api/v1/accounts", new_account("kim")).await.expect(201);
        staff.get("/api/v1/accounts/999").await.expect_problem(404, "not_found");
        staff.delete("/api/v1/accounts/999").await.expect_problem(404, "not_found");
    }

    async fn one_superuser_stays(shop: TestShop) {
        let root = shop.superuser().await;
        root.delete(&path(&root)).await.expect_problem(409, "last_superuser");
        let demote = json!({"role": "staff"});
        root.patch(&path(&root), demote.clone()).await.expect_problem(409, "last_superuser");
        let other = shop.account("second", Role::Superuser).await;
        let by = |client: &Client| {
            By::actor(Actor::Account { id: client.account_id, role: Role::Superuser })
        };
        for _ in 0..3 {
            let demotion = accounts::AccountPatch { role: Some(Role::Staff), ..Default::default() };
            let (one, two) = tokio::join!(
                accounts::deactivate(&shop.app, by(&root), other.account_id),
                accounts::update(&shop.app, by(&other), root.account_id, demotion),
            );
            let refused = [one.expect("decides"), two.expect("decides")]
                .iter()
                .filter(|outcome| matches!(outcome, Outcome::Refused(_)))
                .count();
            assert_eq!(refused, 1);
            let promotion =
                accounts::AccountPatch { role: Some(Role::Superuser), ..Default::default() };
            let system = || By::actor(Actor::System);
            accounts::reactivate(&shop.app, system(), other.account_id).await.expect("works");
            accounts::update(&shop.app, system(), root.account_id, promotion).await.expect("works");
        }
    }

    async fn a_change_of_an_old_version_is_refused(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let patch = async |name: &str, tag: &str| {
            let body = Some(json!({"name": name}));
            ana.send(Method::PATCH, "/api/v1/accounts/me", body, &[("if-match", tag)]).await
        };
        let changed = patch("Ana", "\"1\"").await;
        assert_eq!(changed.headers["etag"], "\"2\"");
        assert_eq!(changed.expect(200)["name"], "Ana");
        patch("Anna", "\"1\"").await.expect_problem(412, "precondition_failed");
        patch("Anna", "W/\"2\"").await.expect_problem(412, "precondition_failed");
        let same = patch("Ana", "\"2\"").await.expect(200);
        assert_eq!(same["version"], 2, "nothing changed");
        patch("Anna", "*").await.expect(200);
        let staff = shop.staff().await;
        let old = [("if-match", "\"1\"")];
        let answer = staff.send(Method::DELETE, &path(&ana), None, &old).await;
        answer.expect_problem(412, "precondition_failed");
        assert!(works(&ana).await);
    }

    async fn absent_fields_stay_and_null_empties_them(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let me = "/api/v1/accounts/me";
        let all = json!({
            "name": "Ana", "phone": "112", "identity_document": "X1", "birth_date": "1990-12-31"
        });
        ana.patch(me, all).await.expect(200);
        let account = ana.patch(me, json!({"phone": "113"})).await.expect(200);
        assert_eq!((&account["name"], &account["phone"]), (&json!("Ana"), &json!("113")));
        assert_eq!(account["identity_document"], "X1");
        let none = json!({"name": null, "identity_document": null, "birth_date": null});
        let account = ana.patch(me, none).await.expect(200);
        assert_eq!((&account["name"], &account["phone"]), (&json!(""), &json!("113")));
        assert_eq!(account["identity_document"], Value::Null);
        assert_eq!(account["birth_date"], Value::Null);
        let unborn = json!({"birth_date": "2026-11-22"});
        ana.patch(me, unborn).await.expect_problem(400, "invalid_body");
    }

    async fn a_repeated_call_is_answered_as_the_first(shop: TestShop) {
        let staff = shop.staff().await;
        let create = async |username: &str, password: &str| {
            let mut body = new_account(username);
            body["password"] = json!(password);
            let key = [("idempotency-key", "\"new-1\"")];
            staff.send(Method::POST, "/api/v1/accounts", Some(body), &key).await
        };
        let first = create("ana", PASSWORD).await.expect(201);
        let again = create("ana", PASSWORD).await;
        assert_eq!(again.headers["idempotency-replayed"], "true");
        assert_eq!(again.expect(201), first);
        // The fingerprint is a fast hash that is stored: the password is no part of it.
        assert_eq!(create("ana", "another password").await.expect(201), first);
        create("bia", PASSWORD).await.expect_problem(422, "idempotency_key_reused");

        let path = format!("/api/v1/accounts/{}/deactivate", first["id"]);
        let key = [("idempotency-key", "off")];
        let off = staff.send(Method::POST, &path, None, &key).await.expect(200);
        staff.post(&path.replace("deactivate", "reactivate"), json!({})).await.expect(200);
        assert_eq!(staff.send(Method::POST, &path, None, &key).await.expect(200), off);
        log_in(&shop, "ana", PASSWORD).await.expect(201);
    }

    async fn the_list_is_filtered_sorted_and_paged(shop: TestShop) {
        for name in ["cid", "ana", "bia"] {
            shop.customer(name).await;
        }
        let staff = shop.staff().await;
        let names = async |query: &str| {
            let page = staff.get(&format!("/api/v1/accounts?{query}")).await.expect(200);
            let items = page["items"].as_array().expect("a list").clone();
            let names: Vec<String> =
                items.iter().map(|a| a["username"].as_str().expect("text").to_owned()).collect();
            (names, page["next"].as_str().map(str::to_owned))
        };
        assert_eq!(names("").await.0, ["cid", "ana", "bia", "sam"]);
        assert_eq!(names("role=staff").await.0, ["sam"]);
        assert_eq!(names("email__icontains=IA%40EX").await.0, ["bia"]);
        let (first, next) = names("sort=username&limit=3&active=true").await;
        assert_eq!(first, ["ana", "bia", "cid"]);
        let cursor = next.expect("another page");
        let last = names(&format!("sort=username&limit=3&active=true&cursor={cursor}")).await;
        assert_eq!(last, (vec!["sam".to_owned()], None));
        assert_eq!(names("sort=-created_at").await.0.len(), 4);
        let answer = staff.get("/api/v1/accounts?password_hash=x").await;
        answer.expect_problem(400, "unknown_filter");
    }

    async fn no_secret_is_answered_or_recorded(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let change = json!({
            "name": "Ana", "password": "a better password", "current_password": PASSWORD
        });
        let mut told = Vec::new();
        told.push(ana.patch("/api/v1/accounts/me", change).await.expect(200).to_string());
        for path in ["/api/v1/accounts/me", "/api/v1/accounts", &path(&ana), "/api/v1/tokens"] {
            told.push(staff.get(path).await.expect(200).to_string());
        }
        let outbox = texts(&shop.app, "select payload from outbox order by id").await;
        let topics = texts(&shop.app, "select topic from outbox order by id").await;
        assert!(topics.ends_with(&["account.updated".to_owned()]), "{topics:?}");
        assert!(outbox.iter().all(|payload| !payload.contains("example.com")), "{outbox:?}");
        let audit = texts(&shop.app, "select changes from audit order by id").await;
        assert!(audit.last().expect("a row").contains("not recorded"), "{audit:?}");
        told.extend(outbox.into_iter().chain(audit));
        for text in told {
            for secret in ["argon2", "rt_", PASSWORD, "better password", "hash"] {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
        }
    }

    async fn the_command_line_makes_superusers(shop: TestShop) {
        let make = async |name: &str, password: &str| {
            accounts::create_superuser(&shop.app, name, "root@example.com", password).await
        };
        let account = make("root", PASSWORD).await.expect("is made");
        assert_eq!(account.role, Role::Superuser);
        for (name, password, says) in [
            ("root", PASSWORD, "username is taken"),
            ("other", PASSWORD, "e-mail address is taken"),
            ("a b", "short", "username: A username is made of"),
        ] {
            // As the command line prints it: with its causes.
            let error = anyhow::Error::new(make(name, password).await.expect_err("refused"));
            let error = format!("{error:#}");
            assert!(error.contains(says) && !error.contains('\n'), "{error}");
        }
    }
}
