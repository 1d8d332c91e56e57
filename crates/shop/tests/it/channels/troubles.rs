//! Tokens that end early, revoked credentials, a provider that is down, clocks that differ.

use std::time::{Duration, Instant};

use runout_sim::bol::{Act, Delay, DownMode, Faults, Tokens};

use super::stage::{Stage, quick};
use crate::on_both_engines;

on_both_engines! {
    /// A token that is not taken is bought anew, once, and the call is made again.
    async fn tokens_may_end_early(shop: TestShop) {
        let mut options = quick(1, 300);
        options.settings.tokens = Tokens { seconds: 20, early_permille: 500 };
        let stage = Stage::new(shop, options).await;
        let crawling = stage.crawl();
        stage.until_synced().await;
        crawling.stop().await;
        stage.assert_whole(1).await;
        let report = stage.sim.report();
        assert_eq!((report.refused, report.counts.duplicates), (0, 0), "{report:#?}");
        // One refusal for each of the lanes that a token's end surprises.
        assert!(report.counts.unauthorised <= 2 * report.counts.token_calls, "{report:#?}");
    }

    async fn credentials_that_are_revoked_stop_the_channel_alone(shop: TestShop) {
        let stage = Stage::new(shop, quick(2, 400)).await;
        let crawling = stage.crawl();
        stage.until_some("select count(*) from shipment where state = 'stored'").await;
        stage.sim.act(0, &Act::LockOut { on: true });
        stage.sim.act(0, &Act::RevokeTokens);
        // However far it is: there is something to call for.
        stage.sim.act(0, &Act::Arrive { count: 50, late: false });
        stage.until_some_asked("select count(*) from channel where state = 'refused'").await;
        stage.until_none("select count(*) from channel_sync where holder is not null").await;
        let states = stage.texts("select state from channel order by id").await;
        assert_eq!(states, ["refused", "active"]);
        let reason = stage.texts("select state_reason from channel where id = 1").await;
        assert!(reason[0].contains("invalid_client"), "{reason:?}");
        let refused = stage.sim.client(0).counts.token_refused;
        assert_eq!(refused, 1, "nobody knocks at a closed door twice");
        // Let in again, it goes on where it was.
        stage.sim.act(0, &Act::LockOut { on: false });
        stage.script("update channel set state = 'unverified', credentials = credentials + 1
            where id = 1").await;
        stage.ask("look").await;
        stage.until_synced().await;
        // What came while its page had been read already is found by the next sync.
        stage.ask("sync").await;
        stage.until_synced().await;
        crawling.stop().await;
        stage.assert_whole(2).await;
        assert_eq!(stage.sim.report().counts.duplicates, 0);
    }

    /// For minutes nobody answers: few calls are made, nothing is lost, and what is wrong is said.
    async fn a_provider_may_be_down(shop: TestShop) {
        let mut options = quick(4, 150);
        options.scale = 60;
        let stage = Stage::new(shop, options).await;
        let crawling = stage.crawl();
        stage.until_some("select count(*) from shipment where state = 'stored'").await;
        for mode in [DownMode::Unavailable, DownMode::Cut] {
            let before = stage.sim.report().counts.while_down;
            let began = Instant::now();
            stage.sim.act(0, &Act::Down { seconds: 1_000_000, mode });
            // However far it is: there is something to call for.
            for channel in 0..4 {
                stage.sim.act(channel, &Act::Arrive { count: 20, late: false });
            }
            stage.until_some_asked("select case when count(*) = 4 then 1 else 0 end
                from channel_sync where problem is not null and failing_since is not null").await;
            tokio::time::sleep(Duration::from_secs(5)).await;
            let calls = stage.sim.report().counts.while_down - before;
            stage.sim.act(0, &Act::Down { seconds: 0, mode });
            // Four channels, two lanes; pauses double up to a minute, which is a second here.
            let minutes = began.elapsed().as_secs() + 1;
            assert!(calls <= 4 * 2 * (8 + minutes), "{calls} calls in {minutes} minutes");
            stage.until_none("select count(*) from channel_sync where problem is not null").await;
        }
        stage.until_synced().await;
        // What came while its page had been read already is found by the next sync.
        stage.ask("sync").await;
        stage.until_synced().await;
        crawling.stop().await;
        stage.assert_whole(4).await;
        assert_eq!(stage.sim.report().counts.duplicates, 0);
        let well = "select count(*) from channel_sync where problem is not null";
        assert_eq!(stage.count(well).await, 0);
    }

    async fn errors_and_silences_and_a_provider_with_another_time(shop: TestShop) {
        let mut options = quick(2, 200);
        options.scale = 60;
        options.settings.skew_ms = 7_200_000;
        options.settings.delay = Delay { there_ms: [20, 200], back_ms: [20, 200] };
        options.settings.faults = Faults {
            error_permille: 30, html_permille: 20, silence_permille: 5, cut_permille: 20,
            half_permille: 20, tokens_too: true,
        };
        let stage = Stage::new(shop, options).await;
        let crawling = stage.crawl();
        stage.until_synced().await;
        crawling.stop().await;
        stage.assert_whole(2).await;
        let report = stage.sim.report();
        assert_eq!(report.refused, 0, "{report:#?}");
        // What was answered with an error, or not at all, is asked again: that is no duplicate.
        assert_eq!(report.counts.duplicates, 0, "{report:#?}");
    }
}
