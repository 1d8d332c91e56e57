//! Development tools for Runout: the benchmark, and stand-ins for Stripe and bol.com.
#![expect(unreachable_pub, reason = "a program has no outside")]

mod bench;
mod bol_cli;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};
use runout_shop::platform::config::CacheArgs;
use runout_sim::stripe::{Destination, HostileStripe, Options};

#[derive(Parser)]
#[command(name = "runout-sim", about = "Measures Runout. Development only.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the benchmarks and writes bench/results.md.
    Bench(bench::scenarios::Options),
    /// Serves the shop with two endpoints that do nothing beside it (started by `bench`).
    Serve {
        #[arg(long)]
        database_url: String,
        #[arg(long)]
        port_file: PathBuf,
        #[command(flatten)]
        cache: CacheArgs,
    },
    /// Stands in for Stripe, unkindly; GET /_ledger tells what was really charged.
    Stripe(StripeOptions),
    /// Stands in for bol.com, with a referee; GET /_referee tells who called how often.
    Bol(bol_cli::BolOptions),
}

#[derive(clap::Args)]
struct StripeOptions {
    #[arg(long, default_value = "127.0.0.1:8420")]
    listen: SocketAddr,
    /// The same seed gives the same misfortunes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Of a thousand requests this many meet a misfortune.
    #[arg(long, default_value_t = 0)]
    fault_permille: u32,
    /// Where webhooks go: several times each, and in any order.
    #[arg(long, requires = "webhook_secret")]
    webhook_url: Option<String>,
    #[arg(long)]
    webhook_secret: Option<String>,
    #[arg(long, default_value_t = 2)]
    webhook_copies_max: u64,
    #[arg(long, default_value_t = 200)]
    webhook_delay_max_ms: u64,
}

async fn stand_in(options: StripeOptions) -> Result<()> {
    let destination = options.webhook_url.zip(options.webhook_secret).map(|(url, secret)| {
        let (copies_max, delay_max_ms) = (options.webhook_copies_max, options.webhook_delay_max_ms);
        Destination { url, secret, copies_max, delay_max: Duration::from_millis(delay_max_ms) }
    });
    let unkind = Options {
        seed: options.seed,
        fault_permille: options.fault_permille,
        destination,
        ..Options::default()
    };
    let server = HostileStripe::listen(options.listen, unkind).await?;
    println!("{}", server.url());
    server.run().await;
    Ok(())
}

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match Cli::parse().command {
        Command::Bench(options) => runtime.block_on(bench::scenarios::run(options)),
        Command::Serve { database_url, port_file, cache } => {
            runtime.block_on(bench::server::serve(&database_url, &port_file, &cache))
        }
        Command::Stripe(options) => runtime.block_on(stand_in(options)),
        Command::Bol(options) => runtime.block_on(bol_cli::stand_in(options)),
    }
}
