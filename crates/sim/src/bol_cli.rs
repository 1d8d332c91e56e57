//! `runout-sim bol`: the stand-in for bol.com as a program of its own.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use clap::ValueEnum;
use runout_sim::bol::{BolSim, Goods, Limit, LimitKind, Options, Settings};

/// Accounts whose credentials are shown at the start; `GET /_channels` has all.
const SHOWN: u32 = 3;

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Limiter {
    TokenBucket,
    FixedWindow,
    SlidingWindow,
    Concurrency,
}

#[derive(clap::Args)]
pub struct BolOptions {
    #[arg(long, default_value = "127.0.0.1:8430")]
    listen: SocketAddr,
    /// The same seed gives the same accounts, shipments and misfortunes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Accounts.
    #[arg(long, default_value_t = 1)]
    channels: u32,
    /// Shipments of each account.
    #[arg(long, default_value_t = 1_000)]
    shipments: u32,
    /// Simulated seconds per real second; 0: time stands still until it is advanced.
    #[arg(long, default_value_t = 1)]
    scale: u32,
    #[arg(long, value_enum, default_value = "token-bucket")]
    limiter: Limiter,
    /// Calls of the list per account and minute (at a time, with `--limiter concurrency`).
    #[arg(long, default_value_t = 25)]
    list: u32,
    /// Calls of details per account and minute (at a time, with `--limiter concurrency`).
    #[arg(long, default_value_t = 50)]
    detail: u32,
    /// Other settings, as `POST /_control` takes them:
    /// `{"delay": {"there_ms": [20, 80]}, "faults": {"error_permille": 50}}`.
    #[arg(long, default_value = "{}")]
    set: String,
    /// What shipments are like: `{"sparse_permille": 50, "number_ids_permille": 20}`.
    #[arg(long, default_value = "{}")]
    goods: String,
}

impl BolOptions {
    fn options(&self) -> Result<Options> {
        let kind = match self.limiter {
            Limiter::TokenBucket => LimitKind::TokenBucket,
            Limiter::FixedWindow => LimitKind::FixedWindow,
            Limiter::SlidingWindow => LimitKind::SlidingWindow,
            Limiter::Concurrency => LimitKind::Concurrency,
        };
        let goods: Goods = serde_json::from_str(&self.goods).context("--goods")?;
        let mut settings = Settings::default();
        settings.limits.list = Limit::per_minute(kind, self.list);
        settings.limits.detail = Limit::per_minute(kind, self.detail);
        let part = serde_json::from_str(&self.set).context("--set")?;
        let settings = settings.with(part).context("--set")?;
        let Self { seed, channels, shipments, scale, .. } = *self;
        Ok(Options { seed, channels, shipments, scale, now: None, goods, settings })
    }
}

/// Serves until the process ends.
pub async fn stand_in(given: BolOptions) -> Result<()> {
    let sim = BolSim::listen(given.listen, given.options()?).await?;
    println!("{}", sim.url());
    for channel in 0..given.channels.min(SHOWN) {
        let (id, secret) = sim.credentials(channel);
        println!("channel {channel}: client id {id}, client secret {secret}");
    }
    sim.run().await;
    Ok(())
}
