//! One channel, whole, and what can be asked of it.

use runout_sim::bol::{Limit, LimitKind, Limits, Settings};
use serde_json::json;

use super::stage::{Stage, options, quick};
use crate::on_both_engines;

on_both_engines! {
    /// As fast as the limits allow: two minutes' worth of details take two minutes.
    async fn a_channel_is_synced_within_its_limits(shop: TestShop) {
        let kind = LimitKind::SlidingWindow;
        let limits = Limits {
            list: Limit::per_minute(kind, 25),
            detail: Limit::per_minute(kind, 50),
            ..Limits::default()
        };
        let settings = Settings { limits, ..Settings::default() };
        let stage = Stage::new(shop, options(1, 130, settings)).await;
        let crawling = stage.crawl();
        stage.until_synced().await;
        crawling.stop().await;
        stage.assert_whole(1).await;
        let report = stage.sim.report();
        assert_eq!((report.refused, report.counts.unauthorised), (0, 0), "{report:#?}");
        assert_eq!(report.counts.duplicates, 0, "{report:#?}");
        assert!(report.counts.token_calls <= report.counts.tokens_needed + 1, "{report:#?}");
        // What is shown of the run is what the referee saw.
        let calls = stage.count("select calls from sync_run").await;
        assert_eq!(calls as u64, report.accepted, "{report:#?}");
        let counted = "select count(*) from sync_run where state = 'done' and kind = 'initial'
            and found = 130 and details = 130 and refused = 0";
        assert_eq!(stage.count(counted).await, 1);
    }

    /// Every field has its column.
    async fn every_field_is_stored(shop: TestShop) {
        let stage = Stage::new(shop, quick(1, 40)).await;
        let crawling = stage.crawl();
        stage.until_synced().await;
        crawling.stop().await;
        let sql = "select remote_id || ' ' || coalesce(cast(pickup_point as text), '')
            || ' ' || order_id || ' ' || coalesce(track_and_trace, '') || ' '
            || coalesce(last_event, '') from shipment order by remote_id";
        let rows = stage.texts(sql).await;
        let mut ids = stage.sim.shipment_ids(0);
        ids.sort();
        assert_eq!(rows.len(), ids.len());
        for (row, id) in rows.iter().zip(&ids) {
            let there = stage.sim.shipment(id).expect("it is there");
            let text = |value: &serde_json::Value| value.as_str().unwrap_or("").to_owned();
            assert!(row.contains(&text(&there["order"]["orderId"])), "{row} {there}");
            assert!(row.contains(&text(&there["transport"]["trackAndTrace"])), "{row} {there}");
        }
        let (mut items, mut cents) = (0, 0);
        for id in &ids {
            let there = stage.sim.shipment(id).expect("it is there");
            for item in there["shipmentItems"].as_array().expect("items") {
                items += 1;
                cents += (item["unitPrice"].as_f64().expect("a price") * 100.0).round() as i64;
            }
        }
        assert_eq!(stage.count("select count(*) from shipment_item").await, items);
        let sum = "select cast(sum(unit_price_minor) as bigint) from shipment_item
            where currency = 'EUR'";
        assert_eq!(stage.count(sum).await, cents);
        let names = stage.texts("select cast(ship_to as text) from shipment").await;
        let first: serde_json::Value = serde_json::from_str(&names[0]).expect("JSON");
        assert!(first["surname"].is_string(), "{first}");
    }

    /// Paused in the middle, it goes on where it was.
    async fn a_sync_is_paused_and_resumed_and_canceled(shop: TestShop) {
        // Five windows of two seconds: there is time to pause.
        let kind = LimitKind::SlidingWindow;
        let limits = Limits { detail: Limit::per_minute(kind, 50), ..Limits::default() };
        let settings = Settings { limits, ..Settings::default() };
        let stage = Stage::new(shop, options(1, 250, settings)).await;
        let crawling = stage.crawl();
        stage.until_some("select count(*) from shipment where state = 'stored'").await;
        stage.script("update channel set state = 'paused'").await;
        stage.ask("look").await;
        stage.until_none("select count(*) from channel_sync where holder is not null").await;
        stage.until_none("select count(*) from channel_sync where due_at is not null").await;
        let calls = stage.sim.report().accepted;
        let left = "select count(*) from shipment where state = 'listed'";
        assert!(stage.count(left).await > 0, "it was over before it was paused");
        assert_eq!(stage.count("select count(*) from sync_run where state = 'running'").await, 1);
        stage.script("update channel set state = 'active'").await;
        stage.ask("look").await;
        stage.until_some_more(calls).await;
        stage.ask("cancel").await;
        stage.until_none("select count(*) from sync_run where state = 'running'").await;
        stage.until_synced().await;
        // What was listed is not lost.
        stage.ask("sync").await;
        stage.until_synced().await;
        crawling.stop().await;
        stage.assert_whole(1).await;
        let report = stage.sim.report();
        assert_eq!((report.refused, report.counts.duplicates), (0, 0), "{report:#?}");
        let states = stage.texts("select state from sync_run order by id").await;
        assert_eq!(json!(states), json!(["canceled", "done"]));
    }
}
