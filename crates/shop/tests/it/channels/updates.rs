//! After the first sync: what is new, what is late, what moves.

use std::time::Duration;

use runout_sim::bol::{Act, Arrivals, Goods, Settings};

use super::stage::{Stage, quick};
use crate::on_both_engines;

const LISTS: &str = "select pages from sync_run order by id desc limit 1";

async fn sync(stage: &Stage) {
    stage.ask("sync").await;
    stage.until_synced().await;
}

on_both_engines! {
    async fn nothing_new_costs_a_page_of_each_list(shop: TestShop) {
        let stage = Stage::new(shop, quick(1, 230)).await;
        let crawling = stage.crawl();
        stage.until_synced().await;
        stage.sim.reset_report();
        sync(&stage).await;
        let report = stage.sim.report();
        assert_eq!((report.accepted, stage.count(LISTS).await), (2, 2), "{report:#?}");
        crawling.stop().await;
    }

    async fn what_is_new_or_late_is_found(shop: TestShop) {
        let mut options = quick(1, 230);
        options.settings.arrivals = Arrivals { late_permille: 500, ..Arrivals::default() };
        let stage = Stage::new(shop, options).await;
        let crawling = stage.crawl();
        stage.until_synced().await;
        for count in [1, 7, 60] {
            stage.sim.act(0, &Act::Arrive { count, late: false });
            stage.sim.act(0, &Act::Arrive { count, late: true });
            sync(&stage).await;
            stage.assert_whole(1).await;
        }
        crawling.stop().await;
        let report = stage.sim.report();
        assert_eq!((report.refused, report.counts.duplicates), (0, 0), "{report:#?}");
    }

    /// Pages that move while they are read hide nothing, and nothing is fetched twice.
    async fn pages_that_move_hide_nothing(shop: TestShop) {
        let mut options = quick(1, 330);
        options.settings.arrivals =
            Arrivals { per_list_permille: 900, late_permille: 300, ..Arrivals::default() };
        let stage = Stage::new(shop, options).await;
        let crawling = stage.crawl();
        stage.until_synced().await;
        stage.sim.change(|settings: &mut Settings| settings.arrivals = Arrivals::default());
        sync(&stage).await;
        crawling.stop().await;
        stage.assert_whole(1).await;
        assert_eq!(stage.sim.report().counts.duplicates, 0);
    }

    /// A transport is followed until it has arrived, and no longer.
    async fn what_moves_is_looked_at_again(shop: TestShop) {
        let mut options = quick(1, 60);
        options.goods = Goods { event_seconds: 86_400, ..Goods::default() };
        let mut stage = Stage::new(shop, options).await;
        let crawling = stage.crawl();
        stage.until_synced().await;
        crawling.stop().await;
        let moving = "select count(*) from shipment where detail_due_at is not null";
        assert!(stage.count(moving).await > 0, "everything has arrived");
        for _ in 0..12 {
            stage.advance(Duration::from_secs(86_400)).await;
            let crawling = stage.crawl();
            sync(&stage).await;
            crawling.stop().await;
        }
        stage.assert_whole(1).await;
        assert_eq!(stage.count(moving).await, 0);
        let report = stage.sim.report();
        assert_eq!((report.refused, report.counts.duplicates), (0, 0), "{report:#?}");
        assert!(report.counts.refreshed > 0, "{report:#?}");
    }

    /// By itself, again and again.
    async fn a_schedule_syncs(shop: TestShop) {
        let mut options = quick(1, 60);
        options.scale = 600;
        let stage = Stage::new(shop, options).await;
        stage.script("update channel set sync_minutes = 10").await;
        let crawling = stage.crawl();
        stage.until_some("select case when count(*) >= 4 then 1 else 0 end from sync_run
            where state = 'done'").await;
        crawling.stop().await;
        let manual = "select count(*) from sync_run where asked_by is not null";
        assert_eq!(stage.count(manual).await, 0);
    }
}
