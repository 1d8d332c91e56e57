//! The second factor: codes of a device at the login, through pages and through the API.

use std::time::Duration;

use runout_shop::accounts::Role;
use runout_shop::platform::config::Config;
use serde_json::{Value, json};
use totp_rs::Builder;

use crate::on_both_engines;
use crate::support::actors::PASSWORD;
use crate::support::{Answer, TestShop, Visitor};

const PLACE: &str = "/account/second_factor";
const VERIFY: &str = "/accounts/second_factor/";
const SESSION: &str = "__Host-session";
const TOKENS: &str = "/api/v1/tokens";
const STEP: Duration = Duration::from_secs(30);

/// A device that has read the picture's text.
pub struct Device(pub [u8; 20]);

impl Device {
    pub fn reads(page: &str) -> Self {
        let (_, rest) = page.split_once("Or type the key: <code>").expect("a key");
        let text = rest.split_once('<').expect("more").0.replace(' ', "");
        let mut bits = text.bytes().flat_map(|c| {
            let value = match c {
                b'A'..=b'Z' => c - b'A',
                _ => c - b'2' + 26,
            };
            (0..5).rev().map(move |bit| value >> bit & 1)
        });
        let mut byte = || (0..8).fold(0, |byte, _| byte << 1 | bits.next().expect("160 bits"));
        Self(std::array::from_fn(|_| byte()))
    }

    /// The code that it shows now, or so many steps later.
    pub fn code(&self, shop: &TestShop, steps: i64) -> String {
        self.code_at(shop.clock.now().as_second() + 30 * steps)
    }

    /// The code that it shows at a second since 1970.
    pub fn code_at(&self, second: i64) -> String {
        let totp = Builder::new().with_secret(self.0).build_noncompliant();
        totp.generate(u64::try_from(second).expect("after 1970")).to_string()
    }
}

/// Sets the second factor up; gives the device and the recovery codes.
pub async fn enrol(shop: &TestShop, visitor: &mut Visitor) -> (Device, Vec<String>) {
    let begun = visitor.submit("/account/second_factor/begin", &[("current_password", PASSWORD)]);
    let page = begun.await.expect(200);
    assert!(page.contains("<svg width=\"224\"") && !page.contains("style="), "{page}");
    let device = Device::reads(&page);
    let fields = [("code", device.code(shop, 0))];
    let fields = fields.each_ref().map(|(name, code)| (*name, code.as_str()));
    let page = visitor.post("/account/second_factor/confirm", &fields).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.headers["cache-control"], "no-store");
    let codes = codes_in(&page.html());
    // The code that switched it on works no more.
    shop.clock.advance(STEP);
    (device, codes)
}

fn codes_in(page: &str) -> Vec<String> {
    let parts = page.split("<li><code>").skip(1);
    let codes: Vec<String> =
        parts.map(|part| part.split_once('<').expect("more").0.to_owned()).collect();
    assert_eq!(codes.len(), 10, "{page}");
    codes
}

/// The password, which leads to the second factor.
async fn half_in(shop: &TestShop, username: &str, next: &str) -> Visitor {
    let mut visitor = shop.visitor();
    let fields = [("username", username), ("password", PASSWORD), ("next", next)];
    let answer = visitor.post("/accounts/login/", &fields).await;
    assert!(answer.location().starts_with(VERIFY), "{}", answer.location());
    visitor
}

async fn show(visitor: &mut Visitor, code: &str) -> Answer {
    visitor.post(VERIFY, &[("code", code), ("next", "/account")]).await
}

async fn is_in(visitor: &mut Visitor) -> bool {
    visitor.open("/account").await.path == "/account"
}

async fn token(shop: &TestShop, body: Value) -> Answer {
    shop.anonymous().post(TOKENS, body).await
}

on_both_engines! {
    async fn a_code_is_asked_for_after_the_password(shop: TestShop) {
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        let before = ana.cookie(SESSION).expect("a session").to_owned();
        let (device, _) = enrol(&shop, &mut ana).await;
        assert_ne!(ana.cookie(SESSION), Some(before.as_str()), "a new token");
        assert!(is_in(&mut ana).await);
        assert!(ana.open(PLACE).await.expect(200).contains("10 recovery codes left"));
        let mut old = ana.clone();
        old.cookies.insert(SESSION.to_owned(), before);
        assert!(!is_in(&mut old).await, "the former token is nobody's");

        let mut visitor = half_in(&shop, "ana", "/orders?x=1").await;
        let half = visitor.cookie(SESSION).expect("a session").to_owned();
        // Not signed in anywhere; whoever looks for the login comes to the second factor.
        let shown = visitor.open("/account").await;
        assert_eq!(shown.path, "/accounts/second_factor/?next=%2Faccount");
        assert!(shown.expect(200).contains("<a href=\"/accounts/login/\">Log in</a>"));
        assert_eq!(show(&mut visitor, "000000").await.status, 422);
        let fields = [("code", device.code(&shop, 0)), ("next", "/orders?x=1".to_owned())];
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        assert_eq!(visitor.post(VERIFY, &fields).await.location(), "/orders?x=1");
        assert!(is_in(&mut visitor).await);
        let mut thief = visitor.clone();
        thief.cookies.insert(SESSION.to_owned(), half);
        assert!(!is_in(&mut thief).await, "the token from before the second factor is nobody's");
        let audited = shop.texts("select action from audit order by id").await;
        for action in ["second_factor.on", "second_factor.failed", "session.verified"] {
            assert!(audited.iter().any(|audited| audited == action), "{action}: {audited:?}");
        }
    }

    async fn a_half_login_is_good_for_nothing_else(shop: TestShop) {
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        let (device, _) = enrol(&shop, &mut ana).await;
        let mut visitor = half_in(&shop, "ana", "").await;
        for path in ["/account", "/account/password", "/account/sessions", PLACE] {
            let answer = visitor.get(path).await;
            assert!(answer.location().starts_with("/accounts/login/"), "{path}");
        }
        let fields = [("current_password", PASSWORD), ("code", "000000")];
        let answer = visitor.post("/account/second_factor/off", &fields).await;
        assert!(answer.location().starts_with("/accounts/login/"));
        // It can be given up, and does not wait for ever.
        let mut gone = visitor.clone();
        assert_eq!(gone.submit("/accounts/logout/", &[]).await.path, "/");
        let answer = show(&mut visitor, &device.code(&shop, 0)).await;
        assert!(answer.location().starts_with("/accounts/login/"));
        let mut visitor = half_in(&shop, "ana", "").await;
        shop.clock.advance(Duration::from_secs(601));
        let answer = show(&mut visitor, &device.code(&shop, 0)).await;
        assert!(answer.location().starts_with("/accounts/login/"));
    }

    async fn a_code_works_once_and_one_step_around(shop: TestShop) {
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        let (device, _) = enrol(&shop, &mut ana).await;
        shop.clock.advance(STEP * 3);
        // Each with what it comes to; a later step makes the earlier ones worthless.
        for (steps, works) in [
            (-2, false),
            (2, false),
            (-1, true),
            (-1, false),
            (0, true),
            (-1, false),
            (0, false),
            (1, true),
            (1, false),
        ] {
            let mut visitor = half_in(&shop, "ana", "").await;
            let answer = show(&mut visitor, &device.code(&shop, steps)).await;
            assert_eq!(answer.status == 303, works, "{steps}");
            assert_eq!(is_in(&mut visitor).await, works, "{steps}");
        }
    }

    async fn two_at_once_cannot_use_one_code(shop: TestShop) {
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        let (device, _) = enrol(&shop, &mut ana).await;
        let code = device.code(&shop, 0);
        let mut visitors = Vec::new();
        for _ in 0..5 {
            visitors.push(half_in(&shop, "ana", "").await);
        }
        let tries = visitors.into_iter().map(|mut visitor| {
            let code = code.clone();
            tokio::spawn(async move { show(&mut visitor, &code).await.status.as_u16() })
        });
        let mut statuses = Vec::new();
        for tried in tries.collect::<Vec<_>>() {
            statuses.push(tried.await.expect("no panic"));
        }
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 422, 422, 422, 422]);
    }

    async fn recovery_codes_work_once_each(shop: TestShop) {
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        let (device, codes) = enrol(&shop, &mut ana).await;
        let stored = shop.texts("select cast(count(*) as text) from recovery_code").await;
        assert_eq!(stored, ["10"]);
        for (code, works) in [
            (codes[0].clone(), true),
            (codes[0].clone(), false),
            (codes[1].to_uppercase().replace('-', " "), true),
        ] {
            let mut visitor = half_in(&shop, "ana", "").await;
            assert_eq!(show(&mut visitor, &code).await.status == 303, works, "{code}");
        }
        assert!(ana.open(PLACE).await.expect(200).contains("8 recovery codes left"));
        let fields = [("renewing_code", "123")];
        let page = ana.submit("/account/second_factor/codes", &fields).await.expect(422);
        assert!(page.contains("id=\"renewing_code-note\""), "{page}");
        let code = device.code(&shop, 0);
        let fields = [("renewing_code", code.as_str())];
        let page = ana.submit("/account/second_factor/codes", &fields).await.expect(200);
        let renewed = codes_in(&page);
        for (code, works) in [(&codes[2], false), (&renewed[2], true)] {
            let mut visitor = half_in(&shop, "ana", "").await;
            assert_eq!(show(&mut visitor, code).await.status == 303, works, "{code}");
        }
    }

    async fn switching_off_needs_both(shop: TestShop) {
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        let page = ana.submit("/account/second_factor/begin", &[("current_password", "wrong")]);
        assert!(page.await.expect(422).contains("The current password is wrong."));
        let (device, _) = enrol(&shop, &mut ana).await;
        let begin = [("current_password", PASSWORD)];
        assert_eq!(ana.post("/account/second_factor/begin", &begin).await.status, 409);
        let code = device.code(&shop, 0);
        let off = "/account/second_factor/off";
        for (password, code) in [("wrong", code.as_str()), (PASSWORD, "000000")] {
            let fields = [("current_password", password), ("code", code)];
            ana.submit(off, &fields).await.expect(422);
        }
        let fields = [("current_password", PASSWORD), ("code", code.as_str())];
        let page = ana.submit(off, &fields).await.expect(200);
        assert!(page.contains("Set up"), "{page}");
        assert_eq!(shop.number("select count(*) from recovery_code").await, 0);
        assert!(is_in(&mut shop.visitor_as("ana", Role::Customer).await).await);
    }

    async fn wrong_codes_are_counted_wherever_they_come_from(shop: TestShop) {
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        let (device, codes) = enrol(&shop, &mut ana).await;
        let mut visitor = half_in(&shop, "ana", "").await;
        for _ in 0..5 {
            assert_eq!(show(&mut visitor, "000000").await.status, 422);
            let body = json!({"username": "ana", "password": PASSWORD, "code": "000000"});
            token(&shop, body).await.expect_problem(401, "wrong_second_factor");
        }
        let answer = show(&mut visitor, &device.code(&shop, 0)).await;
        assert_eq!((answer.status.as_u16(), &answer.headers["retry-after"]), (429, &60.into()));
        let body = json!({"username": "ana", "password": PASSWORD, "code": codes[0]});
        token(&shop, body).await.expect_problem(429, "login_throttled");
        let failures = "select count(*) from audit where action = 'second_factor.failed'";
        assert_eq!(shop.number(failures).await, 10);
        shop.clock.advance(Duration::from_secs(60));
        assert_eq!(show(&mut visitor, &device.code(&shop, 0)).await.status, 303);
    }

    async fn tokens_need_the_code_too(shop: TestShop) {
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        let (device, codes) = enrol(&shop, &mut ana).await;
        let body = json!({"username": "ana", "password": PASSWORD});
        token(&shop, body.clone()).await.expect_problem(401, "second_factor_required");
        // Who does not know the password learns nothing of it.
        let wrong = json!({"username": "ana", "password": "a wrong guess"});
        token(&shop, wrong).await.expect_problem(401, "invalid_credentials");
        let answer = shop.anonymous().post("/auth/login/", body.clone()).await;
        answer.expect_problem(401, "second_factor_required");
        let mut with_code = body;
        with_code["code"] = device.code(&shop, 0).into();
        token(&shop, with_code.clone()).await.expect(201);
        token(&shop, with_code.clone()).await.expect_problem(401, "wrong_second_factor");
        with_code["code"] = codes[3].clone().into();
        token(&shop, with_code.clone()).await.expect(201);
        token(&shop, with_code).await.expect_problem(401, "wrong_second_factor");
        // Accounts without one may send what they like.
        shop.customer("bia").await;
        let body = json!({"username": "bia", "password": PASSWORD, "code": "1"});
        token(&shop, body).await.expect(201);
    }

    async fn a_lost_device_is_reset_from_above(shop: TestShop) {
        let (staff, root) = (shop.staff().await, shop.superuser().await);
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        enrol(&shop, &mut ana).await;
        let reset = |id: i64| format!("/api/v1/accounts/{id}/second_factor/reset");
        let ana = shop.customer("ana").await;
        let bia = shop.customer("bia").await;
        let none = json!({});
        ana.post(&reset(ana.account_id), none.clone()).await.expect_problem(403, "forbidden");
        let answer = staff.post(&reset(bia.account_id), none.clone()).await;
        answer.expect_problem(409, "no_second_factor");
        staff.post(&reset(ana.account_id), none.clone()).await.expect(204);
        assert!(is_in(&mut shop.visitor_as("ana", Role::Customer).await).await);
        let mut sam = shop.visitor_as("sam", Role::Staff).await;
        enrol(&shop, &mut sam).await;
        staff.post(&reset(staff.account_id), none.clone()).await.expect_problem(403, "forbidden");
        root.post(&reset(staff.account_id), none).await.expect(204);
    }

    async fn staff_are_led_to_it_where_the_shop_demands_one(shop: TestShop) {
        let mut config = Config::default();
        config.shop.staff_second_factor = true;
        let shop = shop.with_config(&config).await;
        let mut sam = shop.visitor_as("sam", Role::Staff).await;
        let shown = sam.open("/admin/").await;
        assert_eq!(shown.path, "/account/second_factor?why=staff");
        assert!(shown.expect(200).contains("staff need a second factor"));
        enrol(&shop, &mut sam).await;
        assert_eq!(sam.open("/admin/").await.path, "/admin/");
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        assert_eq!(ana.open("/admin/").await.path, "/admin/", "refused, not led on");
        assert!(is_in(&mut ana).await);
    }
}
