//! Logging in and out.

use super::{OWNER, PASSWORD, Stage, journey, log_in};
use crate::on_both_engines;

on_both_engines! {
    async fn a_person_logs_in_and_comes_back_to_where_they_were(shop: TestShop) {
        let stage = Stage::set(&shop, &[]).await;
        let name = format!("login-{:?}", shop.app.db.engine());
        journey(&name, &stage, async |window| {
            window.goto("/account/password").await;
            window.arrives("/accounts/login/?next=").await;
            window.types("username", OWNER).await;
            window.types("password", "not the password").await;
            window.presses_in("//main", "Log in").await;
            window.sees_in("[role=alert]", "do not belong together").await;
            window.types("password", PASSWORD).await;
            window.presses_in("//main", "Log in").await;
            window.arrives("/account/password").await;
            window.sees_in("header", "Log out").await;
            // The cookie is Secure, which the browser takes from the machine itself without TLS.
            window.presses_in("//header", "Log out").await;
            window.sees_in("header", "Log in").await;
            window.without_script().await;
            log_in(window, OWNER).await;
            let refused = window.console().await;
            let expected = |line: &String| line.contains("422") || line.contains("404");
            assert!(refused.iter().all(expected), "{refused:#?}");
        })
        .await;
    }
}
