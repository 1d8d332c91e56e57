//! Development tools for Runout: the benchmark.
#![expect(unreachable_pub, reason = "a program has no outside")]

mod bench;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

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
    },
}

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match Cli::parse().command {
        Command::Bench(options) => runtime.block_on(bench::scenarios::run(options)),
        Command::Serve { database_url, port_file } => {
            runtime.block_on(bench::server::serve(&database_url, &port_file))
        }
    }
}
