//! Nodes that die in the middle, again and again, and others that take over.

use super::stage::{Stage, options, quick};
use crate::crash::remote::Server;
use crate::on_both_engines;

/// Calls that a node may have under way for one channel: one for each endpoint of a sync.
const UNDER_WAY_MAX: u64 = 2;

on_both_engines! {
    /// What a kill costs is what was under way.
    async fn a_node_is_killed_again_and_again(shop: TestShop) {
        let stage = Stage::new(shop, quick(1, 500)).await;
        let mut kills = 0;
        while stage.is_under_way().await {
            let app = stage.node().await;
            let crawling = stage.crawl_as(app);
            stage.until_some_more(stage.sim.report().accepted + 35).await;
            crawling.kill().await;
            stage.end_leases().await;
            kills += 1;
        }
        assert!(kills > 5, "only {kills} kills struck");
        stage.assert_whole(1).await;
        let report = stage.sim.report();
        let counts = &report.counts;
        assert_eq!((report.refused, counts.unauthorised), (0, 0), "{report:#?}");
        assert!(counts.duplicates <= kills * UNDER_WAY_MAX, "{kills} kills: {report:#?}");
        // Tokens outlive the nodes that have bought them.
        assert!(counts.token_calls <= 1 + counts.tokens_needed, "{report:#?}");
    }

    /// The program itself, by SIGKILL.
    async fn the_program_is_killed_again_and_again(shop: TestShop) {
        let stage = Stage::new(shop, quick(2, 600)).await;
        let url = stage.sim.url();
        let settings = [("RUNOUT_BOL_API_URL", &*url), ("RUNOUT_BOL_LOGIN_URL", &*url)];
        let mut kills = 0;
        while stage.is_under_way().await {
            let server = Server::start_with(&stage.shop.database_url(), &settings).await;
            stage.until_some_more(stage.sim.report().accepted + 150).await;
            // Killed and gone.
            drop(server);
            stage.end_leases().await;
            kills += 1;
        }
        assert!(kills > 2, "only {kills} kills struck");
        stage.assert_whole(2).await;
        let report = stage.sim.report();
        let counts = &report.counts;
        assert_eq!((report.refused, counts.unauthorised), (0, 0), "{kills} kills: {report:#?}");
        assert!(counts.duplicates <= 2 * kills * UNDER_WAY_MAX, "{kills} kills: {report:#?}");
        assert!(counts.token_calls <= 2 + counts.tokens_needed, "{report:#?}");
    }

    /// Within limits that are met: whoever takes over does not call too early.
    async fn whoever_takes_over_keeps_the_limit(shop: TestShop) {
        let options = options(1, 110, Default::default());
        let stage = Stage::new(shop, options).await;
        let mut kills = 0;
        while stage.is_under_way().await {
            let app = stage.node().await;
            let crawling = stage.crawl_as(app);
            stage.until_some_more(stage.sim.report().accepted + 20).await;
            crawling.kill().await;
            stage.end_leases().await;
            kills += 1;
        }
        stage.assert_whole(1).await;
        let report = stage.sim.report();
        assert_eq!(report.refused, 0, "{kills} kills: {report:#?}");
        assert!(report.counts.duplicates <= kills * UNDER_WAY_MAX, "{report:#?}");
    }

    /// Two nodes share the channels. One dies; when its lease has ended the other has them all.
    async fn two_nodes_share_and_one_dies(shop: TestShop) {
        let channels = 120;
        let mut stage = Stage::new(shop, options(channels, 60, Default::default())).await;
        stage.config.channels.lease_ms = 3_000 * u64::from(stage.sim.scale());
        stage.script("update channel_sync set asked = null, due_at = null").await;
        let first = stage.crawl_as(stage.node().await);
        let second = stage.crawl_as(stage.node().await);
        stage.until_some("select case when count(*) = 2 then 1 else 0 end from channel_node").await;
        stage.ask("sync").await;
        stage.until_some("select case when count(distinct holder) = 2 then 1 else 0 end
            from channel_sync").await;
        first.kill().await;
        stage.until_synced().await;
        second.stop().await;
        stage.assert_whole(channels).await;
        let report = stage.sim.report();
        let most = u64::from(channels) * UNDER_WAY_MAX;
        assert!(report.counts.duplicates <= most, "{report:#?}");
        assert_eq!(report.refused, 0, "{report:#?}");
    }

    /// A node that is stopped calmly repeats nothing, and leaves nothing in hand.
    async fn a_node_that_is_stopped_costs_nothing(shop: TestShop) {
        let stage = Stage::new(shop, quick(3, 200)).await;
        for _ in 0..4 {
            let crawling = stage.crawl_as(stage.node().await);
            stage.until_some_more(stage.sim.report().accepted + 60).await;
            crawling.stop().await;
            let held = "select count(*) from channel_sync where holder is not null";
            assert_eq!(stage.count(held).await, 0);
            assert_eq!(stage.count("select count(*) from channel_node").await, 0);
        }
        let crawling = stage.crawl();
        stage.until_synced().await;
        crawling.stop().await;
        stage.assert_whole(3).await;
        let report = stage.sim.report();
        assert_eq!((report.refused, report.counts.duplicates), (0, 0), "{report:#?}");
        assert!(report.counts.token_calls <= 3, "{report:#?}");
    }
}
