//! Many channels at once.

use super::stage::{Stage, options};
use crate::on_both_engines;

const CHANNELS: u32 = 150;

/// Threads of this process.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").expect("Linux tells").count()
}

on_both_engines! {
    /// All of them make the same progress, on as many threads as before.
    async fn channels_wait_for_their_limits_alone(shop: TestShop) {
        let stage = Stage::new(shop, options(CHANNELS, 60, Default::default())).await;
        let before = threads();
        let crawling = stage.crawl();
        stage.until_some("select count(*) from shipment where state = 'stored'").await;
        let during = threads();
        stage.until_synced().await;
        crawling.stop().await;
        stage.assert_whole(CHANNELS).await;
        // Blocking calls of the runtime (names, files) may have added a few.
        assert!(during <= before + 8, "{before} threads, then {during}");
        let report = stage.sim.report();
        assert_eq!((report.refused, report.counts.unauthorised), (0, 0), "{report:#?}");
        assert_eq!(report.counts.duplicates, 0, "{report:#?}");
        let mut taken: Vec<u64> = (0..CHANNELS)
            .map(|channel| stage.sim.client(channel))
            .map(|client| client.last_us.expect("it called") - client.first_us.expect("it called"))
            .collect();
        taken.sort_unstable();
        let (median, most) = (taken[taken.len() / 2], taken[taken.len() - 1]);
        assert!(most <= median * 3 / 2, "the slowest took {most} us, the median {median} us");
    }
}
