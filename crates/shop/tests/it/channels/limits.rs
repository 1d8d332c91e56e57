//! Every kind of limit, whatever the header fields tell of it: no call is refused.

use runout_sim::bol::{
    BolSim, Delay, Headers, Limit, LimitKind, Limits, Options, ResetField, RetryField, Settings,
};

use super::stage::{Stage, options};
use crate::on_both_engines;
use crate::support::TestShop;

const SHIPMENTS: u32 = 130;

fn limited(kind: LimitKind) -> Limits {
    let (list, detail) = match kind {
        LimitKind::Concurrency => (1, 1),
        _ => (25, 50),
    };
    Limits {
        list: Limit::per_minute(kind, list),
        detail: Limit::per_minute(kind, detail),
        ..Limits::default()
    }
}

async fn synced(shop: TestShop, options: Options) -> Stage {
    let stage = Stage::new(shop, options).await;
    let crawling = stage.crawl();
    stage.until_synced().await;
    crawling.stop().await;
    stage.assert_whole(1).await;
    stage
}

/// No refusal, whatever the network does.
async fn is_kept(shop: TestShop, kind: LimitKind, reset: ResetField) {
    let settings = Settings {
        limits: limited(kind),
        headers: Headers { reset, ..Headers::default() },
        delay: Delay { there_ms: [20, 80], back_ms: [20, 80] },
        ..Settings::default()
    };
    let stage = synced(shop, options(1, SHIPMENTS, settings)).await;
    let report = stage.sim.report();
    assert_eq!(report.refused, 0, "{kind:?} {reset:?} {report:#?}");
    assert_eq!(report.counts.unauthorised, 0, "{report:#?}");
    assert_eq!(report.counts.duplicates, 0, "{report:#?}");
    assert!(report.counts.token_calls <= report.counts.tokens_needed + 1, "{report:#?}");
}

on_both_engines! {
    async fn a_bucket_is_kept(shop: TestShop) {
        is_kept(shop, LimitKind::TokenBucket, ResetField::Seconds).await;
    }

    async fn fixed_windows_are_kept(shop: TestShop) {
        is_kept(shop, LimitKind::FixedWindow, ResetField::Seconds).await;
    }

    async fn a_sliding_window_is_kept(shop: TestShop) {
        is_kept(shop, LimitKind::SlidingWindow, ResetField::Epoch).await;
    }

    async fn calls_at_a_time_are_kept(shop: TestShop) {
        is_kept(shop, LimitKind::Concurrency, ResetField::Seconds).await;
    }

    async fn what_is_documented_is_kept_when_nothing_is_told(shop: TestShop) {
        is_kept(shop, LimitKind::TokenBucket, ResetField::Absent).await;
    }

    /// Each change may cost one refusal, in any form.
    async fn limits_are_lowered_and_raised_in_mid_run(shop: TestShop) {
        let settings = Settings {
            limits: limited(LimitKind::SlidingWindow),
            headers: Headers {
                retry_after: RetryField::Date, conflict_permille: 500, ..Headers::default()
            },
            skew_ms: -240_000,
            ..Settings::default()
        };
        let mut options = options(1, 200, settings);
        options.scale = 40;
        let mut stage = Stage::new(shop, options).await;
        stage.config.channels.conflict_is_limit = true;
        let app = stage.shop.node_at(&stage.config, Stage::clock(&stage.sim)).await;
        let crawling = stage.crawl_as(app);
        let changes = [30, 80, 20];
        for (nth, permits) in changes.into_iter().enumerate() {
            until_details(&stage.sim, 40 * (nth as u64 + 1)).await;
            stage.sim.change(|settings| {
                settings.limits.detail = Limit::per_minute(LimitKind::SlidingWindow, permits);
            });
        }
        stage.until_synced().await;
        crawling.stop().await;
        stage.assert_whole(1).await;
        let report = stage.sim.report();
        assert!(report.refused <= changes.len() as u64, "{report:#?}");
        assert_eq!(report.counts.duplicates, 0, "{report:#?}");
        let refused = stage.count("select cast(sum(refused) as bigint) from sync_run").await;
        assert_eq!(refused as u64, report.refused, "what is shown is what was");
    }

    /// Figures that mean nothing may cost calls, but neither a storm nor the end.
    async fn figures_that_are_made_up_lead_to_no_storm(shop: TestShop) {
        let settings = Settings {
            limits: limited(LimitKind::TokenBucket),
            headers: Headers {
                reset: ResetField::Wrong, retry_after: RetryField::Absent, ..Headers::default()
            },
            ..Settings::default()
        };
        let stage = synced(shop, options(1, 90, settings)).await;
        let report = stage.sim.report();
        println!("{} refused", report.refused);
        assert!(report.refused <= 10, "{report:#?}");
        assert_eq!(report.counts.duplicates, 0, "{report:#?}");
    }
}

async fn until_details(sim: &BolSim, count: u64) {
    let since = std::time::Instant::now();
    while sim.report().counts.details < count {
        assert!(since.elapsed() < super::stage::PATIENCE, "{:#?}", sim.report());
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
