//! Sessions: nobody can fix one in advance, take one over, or keep one that has ended.

use runout_shop::accounts::Role;

use super::is_known;
use crate::on_both_engines;
use crate::support::actors::PASSWORD;

const COOKIE: &str = "__Host-session";

on_both_engines! {
    async fn a_login_gives_a_session_that_nobody_could_have_fixed(shop: TestShop) {
        shop.account("ana", Role::Customer).await;
        let mut attacker = shop.visitor_as("eve", Role::Customer).await;
        let fixed = attacker.cookie(COOKIE).expect("a session").to_owned();
        for planted in [fixed.as_str(), "chosen-by-the-attacker"] {
            let mut victim = shop.visitor();
            victim.cookies.insert(COOKIE.to_owned(), planted.to_owned());
            victim.log_in("ana", PASSWORD).await;
            assert_ne!(victim.cookie(COOKIE), Some(planted));
            assert!(victim.cookie(COOKIE).expect("a session").len() >= 43, "256 bits");
        }
        // What the attacker has is still the attacker's own, or nobody's.
        let page = attacker.get("/account").await.html();
        assert!(!page.contains("ana"), "{page}");
        let mut chosen = shop.visitor();
        chosen.cookies.insert(COOKIE.to_owned(), "chosen-by-the-attacker".to_owned());
        assert!(!is_known(&mut chosen).await);
    }

    async fn the_cookie_is_kept_from_scripts_and_other_sites(shop: TestShop) {
        shop.account("ana", Role::Customer).await;
        let mut visitor = shop.visitor();
        let fields = [("username", "ana"), ("password", PASSWORD)];
        let answer = visitor.post("/accounts/login/", &fields).await;
        let given = answer.headers.get("set-cookie").expect("a cookie").to_str().expect("text");
        assert!(given.starts_with("__Host-session="), "{given}");
        for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age="] {
            assert!(given.contains(attribute), "{given} lacks {attribute}");
        }
        assert!(!given.contains("Domain"), "{given}");
        // The table has its hash, never the token.
        let token = visitor.cookie(COOKIE).expect("a session");
        let hex: String = token.bytes().map(|byte| format!("{byte:02x}")).collect();
        let stored = match shop.app.db.engine() {
            runout_store::Engine::Sqlite => "select lower(hex(hash)) from session",
            runout_store::Engine::Postgres => "select encode(hash, 'hex') from session",
        };
        let hashes = shop.texts(stored).await;
        assert!(!hashes.is_empty() && hashes.iter().all(|hash| hash.len() == 64), "{hashes:?}");
        assert!(!hashes.contains(&hex));
    }

    async fn a_session_that_was_logged_out_is_over(shop: TestShop) {
        let mut visitor = shop.visitor_as("ana", Role::Customer).await;
        let stolen = visitor.clone();
        visitor.post("/accounts/logout/", &[]).await;
        for mut again in [visitor, stolen] {
            assert!(!is_known(&mut again).await);
        }
    }

    async fn a_session_ends_by_time(shop: TestShop) {
        let mut customer = shop.visitor_as("ana", Role::Customer).await;
        let mut owner = shop.visitor_as("root", Role::Superuser).await;
        let hour = std::time::Duration::from_secs(3_600);
        shop.clock.advance(3 * hour);
        // Staff are asked again after two hours without use.
        assert!(!is_known(&mut owner).await);
        assert!(is_known(&mut customer).await);
        for _ in 0..9 {
            shop.clock.advance(10 * 24 * hour);
            customer.get("/account").await;
        }
        // Used all the time, but ninety days old.
        assert!(!is_known(&mut customer).await);
    }
}
