//! Shipments that are not as they are described.

use runout_sim::bol::{Act, Goods};

use super::stage::{Stage, quick};
use crate::on_both_engines;

on_both_engines! {
    /// A wrong type keeps one shipment out; what nobody knows is kept and reported.
    async fn what_cannot_be_read_is_set_apart(shop: TestShop) {
        let mut options = quick(1, 300);
        options.goods = Goods {
            sparse_permille: 200, number_ids_permille: 300, extra_fields_permille: 200,
            wrong_types_permille: 100, ghosts_permille: 50, event_seconds: 0, ..Goods::default()
        };
        let stage = Stage::new(shop, options).await;
        let crawling = stage.crawl();
        stage.until_synced().await;
        crawling.stop().await;
        let of = |state: &str| match state {
            "quarantined" => "select count(*) from shipment where state = 'quarantined'
                and problem is not null and raw is not null",
            "gone" => "select count(*) from shipment where state = 'gone'",
            _ => "select count(*) from shipment where state = 'stored'",
        };
        let (quarantined, gone) =
            (stage.count(of("quarantined")).await, stage.count(of("gone")).await);
        let stored = stage.count(of("stored")).await;
        assert!(quarantined > 5 && gone > 2, "{quarantined} {gone}");
        assert_eq!(quarantined + gone + stored, 300);
        let unknown = stage.texts("select cast(unknown_fields as text) from channel_sync").await;
        assert!(unknown[0].len() > 4, "{unknown:?}");
        let kept = "select count(*) from shipment
            where state = 'stored' and length(cast(unknown_fields as text)) > 2";
        assert!(stage.count(kept).await > 5);
        let report = stage.sim.report();
        assert_eq!((report.refused, report.counts.duplicates), (0, 0), "{report:#?}");
    }

    /// What vanishes while it is listed pulls others to pages that were read already.
    async fn what_vanishes_hides_nothing(shop: TestShop) {
        let stage = Stage::new(shop, quick(1, 400)).await;
        let crawling = stage.crawl();
        for _ in 0..6 {
            stage.until_some_more(stage.sim.report().accepted + 20).await;
            stage.sim.act(0, &Act::Remove { count: 5 });
        }
        stage.until_synced().await;
        stage.ask("full").await;
        stage.until_synced().await;
        crawling.stop().await;
        stage.assert_has_all(1).await;
        assert_eq!(stage.sim.report().refused, 0);
    }
}
