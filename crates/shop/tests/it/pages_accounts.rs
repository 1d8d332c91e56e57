//! The pages where people sign up, log in and out, and look after their account.

use std::time::Duration;

use axum::http::Method;
use runout_shop::accounts::Role;
use serde_json::json;

use crate::on_both_engines;
use crate::orders::on_sale;
use crate::support::Basket;
use crate::support::actors::PASSWORD;

const LOGIN: &str = "/accounts/login/";
const SIGN_UP: &str = "/accounts/sign_up/";
const SESSION: &str = "__Host-session";
const BASKET: &str = "__Host-basket";
const HOUR: Duration = Duration::from_secs(3_600);

fn new_account<'a>(username: &'a str, email: &'a str) -> Vec<(&'a str, &'a str)> {
    let password = [("password", PASSWORD), ("password_again", PASSWORD)];
    [[("username", username), ("email", email)], password].concat()
}

on_both_engines! {
    async fn login_leads_back_to_pages_of_this_shop_only(shop: TestShop) {
        shop.customer("ana").await;
        for (n, (next, place)) in [
            ("/orders/7?x=1", "/orders/7?x=1"),
            ("", "/"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example/", "/"),
            ("javascript:alert(1)", "/"),
            ("/x\r\nSet-Cookie: a=b", "/"),
        ]
        .into_iter()
        .enumerate()
        {
            for name in ["ANA", "Ana@example.com"] {
                let fields = [("username", name), ("password", PASSWORD), ("next", next)];
                let mut visitor = shop.visitor();
                let answer = visitor.post(LOGIN, &fields).await;
                assert_eq!((answer.status.as_u16(), answer.location()), (303, place), "{next:?}");
                assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 1);
                // Whoever is logged in already goes on at once, and to no other place either.
                let next = serde_urlencoded::to_string([("next", next)]).expect("text");
                let again = visitor.get(&format!("{LOGIN}?{next}")).await;
                assert_eq!((again.status.as_u16(), again.location()), (303, place));
            }
            let (name, email) = (format!("new{n}"), format!("new{n}@example.com"));
            let mut fields = new_account(&name, &email);
            fields.push(("next", next));
            let answer = shop.visitor().post(SIGN_UP, &fields).await;
            assert_eq!((answer.status.as_u16(), answer.location()), (303, place), "{next:?}");
        }
    }

    async fn signing_up_logs_in_and_errors_stand_beside_their_fields(shop: TestShop) {
        let mut eva = shop.visitor();
        let page = eva.open(&format!("{SIGN_UP}?next=/orders")).await.expect(200);
        assert!(page.contains(r#"<input type="hidden" name="next" value="/orders">"#), "{page}");
        let done = eva.submit(SIGN_UP, &new_account("eva", "eva@example.com")).await;
        assert_eq!(done.path, "/");
        assert!(eva.open("/account").await.expect(200).contains("<dd>eva</dd>"));
        for (username, email, password, again, field, reason) in [
            ("EVA", "e@example.com", PASSWORD, PASSWORD, "username", "This username is taken."),
            ("bia", "Eva@example.com", PASSWORD, PASSWORD, "email", "address is taken."),
            ("b a", "b@example.com", PASSWORD, PASSWORD, "username", "A username is made of"),
            ("bia", "nowhere", PASSWORD, PASSWORD, "email", "has one @"),
            ("bia", "b@example.com", "short", "short", "password", "8 to 128"),
            ("bia", "b@example.com", PASSWORD, "another one", "password_again", "not the same"),
        ] {
            let fields = [
                ("username", username),
                ("email", email),
                ("password", password),
                ("password_again", again),
            ];
            let page = shop.visitor().submit(SIGN_UP, &fields).await.expect(422);
            let note = format!(r#"<span class="field-error" id="{field}-note">"#);
            let (_, beside) = page.split_once(&note).unwrap_or_else(|| panic!("{field}: {page}"));
            assert!(beside.split_once('<').expect("more").0.contains(reason), "{field}: {page}");
            let typed = format!("value=\"{email}\"");
            assert!(page.contains(r#"role="alert""#) && page.contains(&typed));
            assert!(!page.contains(password), "a password is never sent back");
        }
        assert_eq!(shop.number("select count(*) from account").await, 1);
    }

    async fn a_session_begins_at_login_and_ends_at_logout(shop: TestShop) {
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        let mut stolen = ana.clone();
        let page = ana.open("/accounts/logout/").await.expect(200);
        assert!(page.contains("<button>Log out</button>"), "{page}");
        ana.open("/account").await.expect(200);
        let home = ana.submit("/accounts/logout/", &[]).await;
        assert_eq!(home.path, "/");
        assert!(ana.cookie(SESSION).is_none());
        let page = stolen.open("/account").await;
        assert_eq!(page.path, "/accounts/login/?next=%2Faccount", "the old cookie is nobody's");
    }

    async fn nobody_can_fix_a_session_in_advance(shop: TestShop) {
        shop.customer("ana").await;
        let mut ana = shop.visitor();
        let planted = "A".repeat(43);
        ana.cookies.insert(SESSION.to_owned(), planted.clone());
        ana.log_in("ana", PASSWORD).await;
        let first = ana.cookie(SESSION).expect("a session").to_owned();
        assert_ne!(first, planted);
        // Nor does a login go on with the session before it: that one ends.
        let mut before = ana.clone();
        ana.log_in("ana", PASSWORD).await;
        assert_ne!(ana.cookie(SESSION), Some(first.as_str()));
        assert!(before.open("/account").await.path.starts_with(LOGIN));
    }

    async fn the_cookie_is_for_this_host_and_no_script(shop: TestShop) {
        shop.customer("ana").await;
        let fields = [("username", "ana"), ("password", PASSWORD)];
        let answer = shop.visitor().post(LOGIN, &fields).await;
        let field = answer.headers["set-cookie"].to_str().expect("text");
        let (name, rest) = field.split_once('=').expect("a cookie");
        let (value, attributes) = rest.split_once("; ").expect("attributes");
        assert_eq!((name, value.len()), (SESSION, 43));
        let ninety_days = 90 * 24 * 3_600;
        let wanted = format!("Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={ninety_days}");
        assert_eq!(attributes, wanted);
    }

    async fn sessions_end_without_use_and_in_the_end_with_it(shop: TestShop) {
        for (name, role, idle_h, life_h) in
            [("ana", Role::Customer, 14 * 24, 90 * 24), ("sam", Role::Staff, 2, 12)]
        {
            let mut unused = shop.visitor_as(name, role).await;
            shop.clock.advance(HOUR * idle_h - Duration::from_secs(1));
            unused.open("/account").await.expect(200);
            shop.clock.advance(HOUR * idle_h + Duration::from_secs(1));
            assert!(unused.open("/account").await.path.starts_with(LOGIN), "{name}: idle");
            let mut used = shop.visitor_as(name, role).await;
            for _ in 0..(life_h - 1) {
                shop.clock.advance(HOUR);
                used.open("/account").await.expect(200);
            }
            shop.clock.advance(HOUR);
            assert!(used.open("/account").await.path.starts_with(LOGIN), "{name}: too old");
        }
    }

    async fn a_guests_basket_goes_into_the_accounts(shop: TestShop) {
        let variant = on_sale(&shop.staff().await, "Both", "10", 5).await;
        let guest = shop.guest().await;
        guest.set(variant, 2).await.expect(200);
        let mut eva = shop.visitor();
        eva.cookies.insert(BASKET.to_owned(), guest.token().to_owned());
        eva.submit(SIGN_UP, &new_account("eva", "eva@example.com")).await;
        assert!(eva.cookie(BASKET).is_none() && eva.cookie(SESSION).is_some());
        let ana = shop.customer("ana").await;
        let guest = shop.guest().await;
        guest.set(variant, 1).await.expect(200);
        let mut visitor = shop.visitor();
        visitor.cookies.insert(BASKET.to_owned(), guest.token().to_owned());
        visitor.log_in("ana", PASSWORD).await;
        assert!(visitor.cookie(BASKET).is_none());
        assert_eq!(Basket::of(&ana).await.shown().await["lines"][0]["quantity"], 1);
        // A basket that is not there is no reason to keep anybody out.
        let mut visitor = shop.visitor();
        visitor.cookies.insert(BASKET.to_owned(), "rb_nobody".to_owned());
        visitor.log_in("ana", PASSWORD).await;
        assert!(visitor.cookie(BASKET).is_none() && visitor.cookie(SESSION).is_some());
        shop.verify().await;
    }

    async fn a_profile_is_changed_once_per_version(shop: TestShop) {
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        let profile = [("name", "Ana Lea"), ("phone", "+49 30 123"), ("version", "1")];
        let page = ana.submit("/account", &profile).await.expect(200);
        assert!(page.contains("role=\"status\"") && page.contains("value=\"Ana Lea\""), "{page}");
        let page = ana.submit("/account", &profile).await.expect(422);
        assert!(page.contains("changed elsewhere"), "{page}");
        let wrong = [("name", "Ana"), ("phone", "letters"), ("version", "2")];
        assert!(ana.submit("/account", &wrong).await.expect(422).contains("id=\"phone-note\""));
        let email = |email, password| {
            [("email", email), ("current_password", password), ("version", "2")]
        };
        let path = "/account/email";
        let page = ana.submit(path, &email("new@example.com", "wrong")).await.expect(422);
        assert!(page.contains("The current password is wrong."));
        shop.customer("bia").await;
        let page = ana.submit(path, &email("bia@example.com", PASSWORD)).await.expect(422);
        assert!(page.contains("This e-mail address is taken."));
        let page = ana.submit(path, &email("new@example.com", PASSWORD)).await.expect(200);
        assert!(page.contains("new@example.com"));
    }

    async fn a_new_password_ends_everything_else(shop: TestShop) {
        let token = shop.customer("ana").await;
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        let mut elsewhere = shop.visitor_as("ana", Role::Customer).await;
        let new = |current, password, again| {
            [("current_password", current), ("password", password), ("password_again", again)]
        };
        let (path, good) = ("/account/password", "nine blue herons");
        for (fields, reason) in [
            (new("wrong", good, good), "The current password is wrong."),
            (new(PASSWORD, good, "another"), "not the same"),
            (new(PASSWORD, "short", "short"), "8 to 128"),
            (new(PASSWORD, "Ana@example.com", "Ana@example.com"), "must not be the username"),
        ] {
            assert!(ana.submit(path, &fields).await.expect(422).contains(reason), "{reason}");
        }
        token.get("/api/v1/accounts/me").await.expect(200);
        let page = ana.submit(path, &new(PASSWORD, good, good)).await.expect(200);
        assert!(page.contains("Your password is changed"));
        ana.open("/account").await.expect(200);
        assert!(elsewhere.open("/account").await.path.starts_with(LOGIN));
        token.get("/api/v1/accounts/me").await.expect_problem(401, "unauthorized");
        shop.visitor().log_in("ana", good).await;
    }

    async fn sessions_and_tokens_are_listed_and_ended(shop: TestShop) {
        let token = shop.customer("ana").await;
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        let mut first = shop.visitor_as("ana", Role::Customer).await;
        let mut second = shop.visitor_as("ana", Role::Customer).await;
        let mut bia = shop.visitor_as("bia", Role::Customer).await;
        let page = ana.open("/account/sessions").await.expect(200);
        assert_eq!(page.matches("/end\"").count(), 3, "{page}");
        assert_eq!(page.matches("This browser").count(), 1);
        let ids = shop.texts("select cast(id as text) from session order by id").await;
        // Another's are not there.
        let path = format!("/account/sessions/{}/end", ids[1]);
        assert_eq!(bia.post(&path, &[]).await.status, 404);
        first.open("/account").await.expect(200);
        assert_eq!(ana.post(&path, &[]).await.status, 303);
        assert!(first.open("/account").await.path.starts_with(LOGIN));
        assert_eq!(ana.post("/account/sessions/end_others", &[]).await.status, 303);
        assert!(second.open("/account").await.path.starts_with(LOGIN));
        let page = ana.open("/account/sessions").await.expect(200);
        assert_eq!(page.matches("/end\"").count(), 1);
        let tokens = shop.texts("select cast(id as text) from token order by id").await;
        let path = format!("/account/tokens/{}/revoke", tokens[0]);
        assert_eq!(bia.post(&path, &[]).await.status, 404);
        token.get("/api/v1/accounts/me").await.expect(200);
        assert_eq!(ana.post(&path, &[]).await.status, 303);
        token.get("/api/v1/accounts/me").await.expect_problem(401, "unauthorized");
    }

    async fn nothing_that_somebody_types_becomes_markup(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let evil = "\"><script>alert(1)</script>";
        let login = json!({"username": "ana", "password": PASSWORD, "label": evil});
        shop.anonymous().post("/api/v1/tokens", login).await.expect(201);
        let mut visitor = shop.visitor();
        let headers = [("user-agent", evil), ("sec-fetch-site", "same-origin")];
        let fields = [("username", "ana"), ("password", PASSWORD)];
        visitor.send(Method::POST, LOGIN, Some(&fields), &headers).await;
        ana.patch("/api/v1/accounts/me", json!({"name": evil})).await.expect(200);
        let mut address = crate::support::address();
        for field in ["name", "line1", "line2", "city", "region"] {
            address[field] = evil.into();
        }
        ana.post("/api/v1/addresses", address).await.expect(201);
        for (path, times) in [
            ("/account", 1),
            ("/account/sessions", 2),
            ("/account/addresses", 5),
            ("/account/addresses/1", 5),
        ] {
            let page = visitor.open(path).await.expect(200);
            assert!(!page.contains("<script>alert"), "{path}: {page}");
            assert!(page.matches("alert(1)").count() >= times, "{path}: {page}");
        }
        // What is shown again because it was wrong, and what came in the address.
        let fields = [("username", evil), ("password", "x"), ("next", evil)];
        let page = shop.visitor().submit(LOGIN, &fields).await.expect(422);
        assert!(page.contains("alert(1)") && !page.contains("<script>alert"), "{page}");
        let query = serde_urlencoded::to_string([("next", format!("/{evil}"))]).expect("text");
        let page = shop.visitor().open(&format!("{SIGN_UP}?{query}")).await.expect(200);
        assert!(!page.contains("<script>alert"), "{page}");
    }

    async fn addresses_are_kept_by_their_owner(shop: TestShop) {
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        let mut bia = shop.visitor_as("bia", Role::Customer).await;
        let address = |line1, country, version| {
            [
                ("name", "Ana Lea"),
                ("line1", line1),
                ("postal_code", "10115"),
                ("city", "Berlin"),
                ("country", country),
                ("version", version),
            ]
        };
        let new = "/account/addresses/new";
        let page = ana.submit(new, &address("", "XX", "0")).await.expect(422);
        for note in ["line1-note", "country-note"] {
            assert!(page.contains(&format!("id=\"{note}\"")), "{page}");
        }
        let page = ana.submit(new, &address("<b>Gasse</b> 3", "de", "0")).await.expect(200);
        assert!(page.contains("&#60;b&#62;Gasse") && !page.contains("<b>Gasse"), "{page}");
        let path = "/account/addresses/1";
        assert_eq!(bia.get(path).await.status, 404);
        assert_eq!(bia.post(path, &address("Weg 4", "DE", "1")).await.status, 404);
        ana.submit(path, &address("Weg 4", "DE", "1")).await.expect(200);
        let page = ana.submit(path, &address("Weg 5", "DE", "1")).await.expect(422);
        assert!(page.contains("changed elsewhere"), "{page}");
        assert_eq!(ana.post(&format!("{path}/delete"), &[("version", "1")]).await.status, 412);
        let page = ana.submit(&format!("{path}/delete"), &[("version", "2")]).await.expect(200);
        assert!(page.contains("not stored an address"));
    }

    async fn other_sites_pages_cannot_post(shop: TestShop) {
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        for path in POSTS {
            let elsewhere = [("sec-fetch-site", "cross-site")];
            let answer = ana.send(Method::POST, path, Some(&[]), &elsewhere).await;
            assert_eq!(answer.status, 403, "{path}");
            assert!(answer.html().contains("another site"), "{path}");
            assert!(answer.headers.get("set-cookie").is_none(), "{path}");
            // An older browser names only the page's origin.
            let origin = [("origin", "https://evil.example")];
            let answer = ana.send(Method::POST, path, Some(&[]), &origin).await;
            assert_eq!(answer.status, 403, "{path}");
        }
        ana.open("/account").await.expect(200);
    }

    async fn pages_of_an_account_lead_strangers_to_the_login(shop: TestShop) {
        let mut stranger = shop.visitor();
        for path in GETS {
            let answer = stranger.get(path).await;
            assert_eq!(answer.status, 303, "{path}");
            let next = serde_urlencoded::to_string([("next", path)]).expect("text");
            assert_eq!(answer.location(), format!("{LOGIN}?{next}"));
        }
        let mine = POSTS.iter().filter(|path| path.starts_with("/account/"));
        for path in mine.chain(&["/account"]) {
            let answer = stranger.post(path, &[]).await;
            assert!(answer.location().starts_with(LOGIN), "{path}");
        }
    }
}

/// Pages of one's own account.
const GETS: &[&str] = &[
    "/account",
    "/account/email",
    "/account/password",
    "/account/sessions",
    "/account/addresses",
    "/account/addresses/new",
    "/account/addresses/1",
    "/account/second_factor",
    "/account/data",
    "/account/data/download",
];

/// Everything that these pages post to.
const POSTS: &[&str] = &[
    LOGIN,
    SIGN_UP,
    "/accounts/logout/",
    "/account",
    "/account/email",
    "/account/password",
    "/account/sessions/end_others",
    "/account/sessions/1/end",
    "/account/tokens/1/revoke",
    "/account/addresses/new",
    "/account/addresses/1",
    "/account/addresses/1/delete",
    "/accounts/second_factor/",
    "/account/second_factor/begin",
    "/account/second_factor/confirm",
    "/account/second_factor/codes",
    "/account/second_factor/off",
    "/account/data/erase",
];
