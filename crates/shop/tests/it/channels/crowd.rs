//! Many channels at once.
//!
//! `RUNOUT_CROWD_CHANNELS` and `RUNOUT_CROWD_SHIPMENTS` make it larger; both are then printed with
//! what a channel keeps.

use super::stage::{Stage, options};
use crate::on_both_engines;

/// How many, unless the environment says otherwise.
const CHANNELS: u32 = 150;
/// Shipments of each.
const SHIPMENTS: u32 = 60;
/// What a channel may keep in memory while it waits, in bytes.
const KEPT_MAX: f64 = 20.0 * 1024.0;

/// Threads of this process.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").expect("Linux tells").count()
}

/// Channels in the hands of a node.
const HELD: &str = "select count(*) from channel_sync where holder is not null";

fn number(variable: &str, default: u32) -> u32 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

/// Bytes of the heap in use. What the libraries in C keep (SQLite its pages) is not in it: it
/// belongs to no channel, and has bounds of its own.
fn heap() -> f64 {
    let stats = crate::HEAP.stats();
    stats.bytes_allocated as f64 - stats.bytes_deallocated as f64
}

on_both_engines! {
    /// All of them make the same progress, on as many threads as before, and none keeps much.
    async fn channels_wait_for_their_limits_alone(shop: TestShop) {
        let channels = number("RUNOUT_CROWD_CHANNELS", CHANNELS);
        let shipments = number("RUNOUT_CROWD_SHIPMENTS", SHIPMENTS);
        let stage = Stage::new(shop, options(channels, shipments, Default::default())).await;
        let before = threads();
        let crawling = stage.crawl();
        stage.until_some("select count(*) from shipment where state = 'stored'").await;
        let (during, mut in_use) = (threads(), vec![heap()]);
        while stage.count(HELD).await == i64::from(channels) {
            in_use.push(heap());
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        stage.until_synced().await;
        // What remains is shared by all of them, or the stand-in's: connections, what was learned.
        let remains = heap();
        crawling.stop().await;
        in_use.sort_by(f64::total_cmp);
        // At most moments calls are under way as well; a quarter of them is quiet enough.
        let kept = (in_use[in_use.len() / 4] - remains) / f64::from(channels);
        eprintln!("{channels} channels, {shipments} shipments: a channel keeps {kept:.0} bytes");
        assert!(kept < KEPT_MAX, "a channel keeps {kept:.0} bytes");
        stage.assert_whole(channels).await;
        // Blocking calls of the runtime (names, files) may have added a few.
        assert!(during <= before + 8, "{before} threads, then {during}");
        let report = stage.sim.report();
        assert_eq!((report.refused, report.counts.unauthorised), (0, 0), "{report:#?}");
        assert_eq!(report.counts.duplicates, 0, "{report:#?}");
        let mut taken: Vec<u64> = (0..channels)
            .map(|channel| stage.sim.client(channel))
            .map(|client| client.last_us.expect("it called") - client.first_us.expect("it called"))
            .collect();
        taken.sort_unstable();
        let (median, most) = (taken[taken.len() / 2], taken[taken.len() - 1]);
        assert!(most <= median * 3 / 2, "the slowest took {most} us, the median {median} us");
    }
}
