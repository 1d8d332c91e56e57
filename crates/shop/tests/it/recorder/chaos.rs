//! What happens to Redis while nodes use it.

use std::time::{Duration, Instant};

use super::Stage;
use crate::support::TestShop;
use crate::support::proxy::Network;
use crate::support::redis::RedisServer;

/// How long a fault lasts.
const FAULT: Duration = Duration::from_millis(200);
/// How long writers go on after it.
const HEALED: Duration = Duration::from_millis(120);
/// How often each fault comes at most when not enough has happened yet.
const ROUNDS_MAX: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Killed, and back as it was saved at last.
    Killed,
    /// Killed, and back without anything.
    Emptied,
    /// Killed, and back with what it held long ago.
    OldDump,
    /// It stands still, and later does all that it was asked.
    Paused,
    Flushed,
    /// Every value is spoilt, over and over.
    Corrupted,
    /// One node does not reach it for a while; its questions arrive later.
    Partitioned,
    Slow,
    /// Bytes are lost: replies answer other questions.
    Lossy,
    /// No node reaches it.
    Cut,
}

/// The order in which they come; the old dump is far behind then.
pub const FAULTS: [Fault; 10] = [
    Fault::Flushed,
    Fault::Paused,
    Fault::Corrupted,
    Fault::Partitioned,
    Fault::Killed,
    Fault::Lossy,
    Fault::Emptied,
    Fault::Slow,
    Fault::Cut,
    Fault::OldDump,
];

/// One fault after the other, until the time is over, each came once and enough has happened.
pub async fn rage(stage: &Stage, shop: &TestShop, redis: &mut RedisServer, lasts: Duration) {
    let since = Instant::now();
    tokio::time::sleep(HEALED).await;
    let mut dump = redis.dump().await;
    for (n, fault) in FAULTS.iter().cycle().enumerate() {
        let enough = stage.has_seen_enough() || n >= FAULTS.len() * ROUNDS_MAX;
        if n >= FAULTS.len() && since.elapsed() >= lasts && enough {
            return;
        }
        strike(stage, redis, *fault, &dump).await;
        tokio::time::sleep(HEALED).await;
        // What is stale stays so, as long as nobody writes.
        let again = async || match fault {
            Fault::Corrupted => spoil(redis).await,
            Fault::Flushed => redis.flush().await,
            _ => {}
        };
        stage.rest(shop, again).await;
        if *fault == Fault::OldDump {
            dump = redis.dump().await;
        }
    }
}

async fn strike(stage: &Stage, redis: &mut RedisServer, fault: Fault, dump: &[u8]) {
    let network = |network: Network| stage.proxies.iter().for_each(|proxy| proxy.set(network));
    match fault {
        Fault::Killed => {
            redis.kill();
            tokio::time::sleep(FAULT).await;
            redis.start_again().await;
        }
        Fault::Emptied => redis.restart_empty().await,
        Fault::OldDump => redis.restart_from(dump).await,
        Fault::Paused => {
            redis.pause();
            tokio::time::sleep(FAULT).await;
            redis.resume();
        }
        Fault::Flushed => repeatedly(async || redis.flush().await).await,
        Fault::Corrupted => repeatedly(async || spoil(redis).await).await,
        Fault::Partitioned => {
            stage.proxies[0].set(Network::Held);
            tokio::time::sleep(FAULT).await;
        }
        Fault::Slow => {
            network(Network::Slow(Duration::from_millis(80)));
            tokio::time::sleep(FAULT).await;
        }
        Fault::Lossy => {
            for _ in 0..3 {
                network(Network::Lossy);
                tokio::time::sleep(FAULT / 30).await;
                network(Network::Whole);
                tokio::time::sleep(FAULT / 3).await;
            }
        }
        Fault::Cut => {
            network(Network::Cut);
            tokio::time::sleep(FAULT).await;
        }
    }
    network(Network::Whole);
}

async fn spoil(redis: &RedisServer) {
    let _keys = redis.corrupt().await;
}

async fn repeatedly(strike: impl AsyncFn()) {
    let since = Instant::now();
    while since.elapsed() < FAULT {
        strike().await;
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}
