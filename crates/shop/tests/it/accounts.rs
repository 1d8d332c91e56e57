//! Accounts, logins and tokens, over HTTP.

use std::time::Duration;

use runout_shop::accounts::{self, Actor, By};

use crate::on_both_engines;

on_both_engines! {
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
}
