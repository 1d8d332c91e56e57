//! What is measured: each figure against another of the same run, medians of several rounds.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
use runout_store::{DatabaseUrl, Db, Engine};

use super::pages::{self, Size};
use super::report::{self, Asked, Line};
use super::wrk::{self, Load, Run};
use super::{channels, delivery, events, seed};

/// How long a server may take to listen.
const START_MAX: Duration = Duration::from_secs(20);

/// Orders of the shop that large lists are compared with.
const SMALL_ORDERS: i64 = 1_000;

const HOLDS: &str = "holds, one hot record (each request puts one more unit into a guest's \
    basket) / durable orders of it";
const CHECKOUTS: &str = "full checkouts, one hot record (make a basket, put one in, check out: \
    three requests count as one, times are of one request) / durable orders of it";

#[derive(Args)]
pub struct Options {
    /// Rounds of every measurement; the median counts.
    #[arg(long, default_value_t = 3)]
    pub(super) rounds: usize,
    /// Seconds of one measurement.
    #[arg(long, default_value_t = 6)]
    pub(super) seconds: u32,
    /// Orders in the database for the figures at size.
    #[arg(long, default_value_t = 10_000_000)]
    orders: i64,
    /// Products in the database for the lists.
    #[arg(long, default_value_t = 100_000)]
    products: i64,
    /// Events in the database for the cached list.
    #[arg(long, default_value_t = 100_000)]
    pub(super) events: i64,
    /// Sign-ups for them.
    #[arg(long, default_value_t = 10_000_000)]
    pub(super) attendances: i64,
    /// Events of a backlog that is delivered.
    #[arg(long, default_value_t = 60_000)]
    pub(super) backlog: i64,
    /// How old a transaction is beside which a backlog is delivered, in seconds.
    #[arg(long, default_value_t = 1)]
    pub(super) open_s: u64,
    /// Channels of the crowd.
    #[arg(long, default_value_t = 1_000)]
    pub(super) channels: u32,
    /// Shipments that each of them has.
    #[arg(long, default_value_t = 200)]
    pub(super) shipments: u32,
    /// Of the channels only the crowd.
    #[arg(long)]
    pub(super) crowd: bool,
    /// Only a part: `events` (the cached list), `delivery` or `channels`.
    #[arg(long, default_value = "")]
    only: String,
    /// Only one engine: `sqlite` or `postgres`.
    #[arg(long, default_value = "", value_parser = ["", "sqlite", "postgres"])]
    engine: String,
    /// Only what pages cost; the results are printed, not written.
    #[arg(long)]
    pages: bool,
    /// A PostgreSQL server of which databases can be made.
    #[arg(long, env = "RUNOUT_BENCH_POSTGRES_URL")]
    postgres: Option<String>,
    #[arg(long, env = "RUNOUT_BENCH_PGBENCH", default_value = "pgbench")]
    pgbench: PathBuf,
    #[arg(long, env = "RUNOUT_BENCH_REDIS", default_value = "redis-server")]
    pub(super) redis: PathBuf,
    #[arg(long, default_value = "bench/results.md")]
    results: PathBuf,
}

/// Runs what the options ask for, prints and writes the table.
pub async fn run(options: Options) -> Result<()> {
    let parts = ["", EVENTS_ONLY, DELIVERY_ONLY, CHANNELS_ONLY];
    ensure!(
        parts.contains(&options.only.as_str()),
        "--only takes one of {}",
        parts[1..].join(", ")
    );
    let folder = tempfile::tempdir()?;
    let mut lines = Vec::new();
    if wanted(&options, "sqlite") {
        let url = |name: &str| format!("sqlite://{}", folder.path().join(name).display());
        engine(&options, folder.path(), "SQLite", &url, 0.6, &mut lines).await?;
    }
    if wanted(&options, "postgres") {
        let server = options.postgres.clone().context(
            "there is no PostgreSQL to measure: run make bench, or set RUNOUT_BENCH_POSTGRES_URL",
        )?;
        let url = |name: &str| make_database(&server, name);
        engine(&options, folder.path(), "PostgreSQL", &url, 0.35, &mut lines).await?;
    }
    let table = report::table(&lines);
    println!("{table}");
    if options.only.is_empty() && options.engine.is_empty() && !options.pages {
        report::write(&options.results, &table)?;
    }
    Ok(())
}

/// Runs the cached list of events alone.
const EVENTS_ONLY: &str = "events";
/// Runs deliveries alone.
const DELIVERY_ONLY: &str = "delivery";
/// Runs channels alone.
const CHANNELS_ONLY: &str = "channels";

fn wanted(options: &Options, name: &str) -> bool {
    options.engine.is_empty() || options.engine == name
}

async fn engine(
    options: &Options,
    folder: &Path,
    name: &str,
    url: &dyn Fn(&str) -> String,
    asked: f64,
    lines: &mut Vec<Line>,
) -> Result<()> {
    let bench = Bench { options, folder, name };
    let only = options.only.as_str();
    let wants = |part: &str| match only {
        EVENTS_ONLY | DELIVERY_ONLY | CHANNELS_ONLY => part == only,
        _ => true,
    };
    if wants("orders") {
        orders_and_products(&bench, url, asked, lines).await?;
    }
    if options.pages {
        return Ok(());
    }
    if wants(EVENTS_ONLY) {
        events::run(&bench, &url("bench_events"), lines).await?;
    }
    if wants(DELIVERY_ONLY) {
        delivery::run(&bench, &url("bench_delivery"), lines).await?;
    }
    if wants(CHANNELS_ONLY) {
        channels::run(&bench, url, lines).await?;
    }
    Ok(())
}

async fn orders_and_products(
    bench: &Bench<'_>,
    url: &dyn Fn(&str) -> String,
    asked: f64,
    lines: &mut Vec<Line>,
) -> Result<()> {
    let options = bench.options;
    let hot = match options.pages {
        true => None,
        false => Some(stock(bench, url, asked, lines).await?),
    };
    let stocked = url("bench_products");
    let db = open(&stocked).await?;
    seed::shop(&db).await?;
    seed::catalogue(&db, options.products).await?;
    if !options.pages {
        let [noop_get, list] = bench.medians(&stocked, [Load::NoopGet, Load::Products])?;
        lines.push(bench.line("no-op GET", noop_get, None));
        let what = format!("20 of {} products by artist and year / no-op GET", options.products);
        let to_noop = Some((noop_get, Some(Asked::AtLeast(0.3))));
        lines.push(bench.line(&what, list, to_noop));
    }
    pages::rates(bench, &stocked, lines)?;
    let large = lists(bench, url, lines).await?;
    if let Some(hot) = hot {
        let [sized] = bench.medians(&large, [Load::HotOrders])?;
        let what = format!("with {} orders in the database / empty", options.orders);
        lines.push(bench.line(&what, sized, Some((hot, Some(Asked::AtLeast(0.8))))));
    }
    Ok(())
}

/// What orders cost, and what holds and checkouts do; gives the orders of one hot record.
async fn stock(
    bench: &Bench<'_>,
    url: &dyn Fn(&str) -> String,
    asked: f64,
    lines: &mut Vec<Line>,
) -> Result<Run> {
    let (options, folder) = (bench.options, bench.folder);
    let empty = url("bench_empty");
    let db = open(&empty).await?;
    seed::shop(&db).await?;
    seed::baskets(&db, options.rounds + 1).await?;
    let loads = [Load::NoopPost, Load::HotOrders, Load::SpreadOrders, Load::Holds, Load::Checkouts];
    let [noop, hot, spread, holds, checkouts] = bench.medians(&empty, loads)?;
    lines.push(bench.line("authenticated no-op POST", noop, None));
    let to_noop = Some((noop, Some(Asked::AtLeast(asked))));
    lines.push(bench.line("durable orders, one hot record / no-op", hot, to_noop));
    lines.push(bench.line("durable orders, 1,000 records / no-op", spread, to_noop));
    lines.push(bench.line(
        "one hot record / 1,000 records",
        hot,
        Some((spread, Some(Asked::AtLeast(0.9)))),
    ));
    lines.push(bench.line(HOLDS, holds, Some((hot, Some(Asked::AtLeast(0.8))))));
    lines.push(bench.line(CHECKOUTS, checkouts, Some((hot, None))));
    if db.engine() == Engine::Postgres {
        let classic = pgbench(options, folder, &empty)?;
        lines.push(Line {
            what: "PostgreSQL: orders over HTTP / pgbench lock-check-update-insert".to_owned(),
            measured: format!("{:.0}/s against {classic:.0}/s", hot.per_second),
            ratio: Some(hot.per_second / classic),
            asked: Some(Asked::AtLeast(12.0)),
        });
    }
    Ok(hot)
}

/// Lists of a large shop against those of a small one; gives the large one's database.
async fn lists(
    bench: &Bench<'_>,
    url: &dyn Fn(&str) -> String,
    lines: &mut Vec<Line>,
) -> Result<String> {
    let Options { orders, products, .. } = *bench.options;
    let small = Size { orders: SMALL_ORDERS, products: 0 };
    let (small_url, large_url) = (url("bench_small"), url("bench_large"));
    for (size, url) in [(small, &small_url), (Size { orders, products }, &large_url)] {
        let db = open(url).await?;
        seed::shop(&db).await?;
        seed::sessions(&db).await?;
        if size.products > 0 {
            seed::catalogue(&db, size.products).await?;
        }
        eprintln!("{}: writing {} orders", bench.name, size.orders);
        seed::orders(&db, size.orders).await?;
    }
    let large = (large_url.as_str(), Size { orders, products });
    pages::lists(bench, (&small_url, small), large, lines)?;
    Ok(large_url)
}

/// What the measurements of one engine share.
pub(super) struct Bench<'a> {
    pub(super) options: &'a Options,
    pub(super) folder: &'a Path,
    pub(super) name: &'a str,
}

impl Bench<'_> {
    /// The median run of each load; the loads take turns, so that drift hits all of them.
    pub(super) fn medians<const N: usize>(&self, url: &str, loads: [Load; N]) -> Result<[Run; N]> {
        self.medians_of(&Server::start(self.folder, url, &[])?, loads)
    }

    /// [`Bench::medians`] of a server that runs.
    pub(super) fn medians_of<const N: usize>(
        &self,
        server: &Server,
        loads: [Load; N],
    ) -> Result<[Run; N]> {
        for load in loads {
            wrk::run(self.folder, server.port, load, 0, 1)?;
        }
        let mut runs: [Vec<Run>; N] = std::array::from_fn(|_| Vec::new());
        for turn in 1..=self.options.rounds {
            for (load, runs) in loads.iter().zip(&mut runs) {
                let seconds = self.options.seconds;
                let run = wrk::run(self.folder, server.port, *load, turn, seconds)?;
                let (rate, p99) = (run.per_second, run.p99_ms);
                eprintln!("{}: {load:?} {rate:.0}/s, p99 {p99:.2} ms", self.name);
                runs.push(run);
            }
        }
        Ok(runs.map(|mut runs| {
            runs.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
            runs[runs.len() / 2]
        }))
    }

    pub(super) fn line(&self, what: &str, run: Run, against: Option<(Run, Option<Asked>)>) -> Line {
        Line {
            what: format!("{}: {what}", self.name),
            measured: format!(
                "{:.0}/s, p50 {:.1} ms, p99 {:.1} ms",
                run.per_second, run.p50_ms, run.p99_ms
            ),
            ratio: against.map(|(other, _)| run.per_second / other.per_second),
            asked: against.and_then(|(_, asked)| asked),
        }
    }
}

/// A server in a process of its own, killed when dropped.
pub(super) struct Server {
    process: Child,
    pub(super) port: u16,
}

impl Server {
    pub(super) fn start(folder: &Path, url: &str, settings: &[&str]) -> Result<Self> {
        let port_file = folder.join("port");
        let _absent = std::fs::remove_file(&port_file);
        let process = Command::new(std::env::current_exe()?)
            .args(["serve", "--database-url", url, "--port-file"])
            .arg(&port_file)
            .args(settings)
            .spawn()?;
        let mut server = Self { process, port: 0 };
        let started = Instant::now();
        while started.elapsed() < START_MAX {
            let port = std::fs::read_to_string(&port_file).ok();
            if let Some(port) = port.and_then(|port| port.parse().ok()) {
                server.port = port;
                return Ok(server);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(anyhow!("the server did not listen within {START_MAX:?}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _gone = self.process.wait();
    }
}

pub(super) async fn open(url: &str) -> Result<Db> {
    let url: DatabaseUrl = url.parse().map_err(|error| anyhow!("{error}"))?;
    let db = Db::open(&url)?;
    runout_store::migrate(&db).await?;
    Ok(db)
}

/// Makes an empty database on the server and gives its address.
fn make_database(server: &str, name: &str) -> String {
    let psql = |sql: String| Command::new("psql").args([server, "-qc", &sql]).status();
    let _absent = psql(format!("drop database if exists {name} with (force)"));
    psql(format!("create database {name}")).expect("psql comes with PostgreSQL");
    let (base, _) = server.rsplit_once('/').expect("the URL names a database");
    format!("{base}/{name}")
}

/// Orders per second of the classic transaction on one hot row, 64 clients.
fn pgbench(options: &Options, folder: &Path, url: &str) -> Result<f64> {
    let script = folder.join("classic.sql");
    std::fs::write(
        &script,
        "\\set account random(1, 200)\nbegin;\n\
        select on_hand - reserved from stock_level where id = 1 for update;\n\
        update stock_level set reserved = reserved + 1 where id = 1;\n\
        insert into orders (id, account_id, status, currency, total_minor, placed_at)\n\
        values (nextval('classic_order'), :account, 'placed', 'EUR', 1990, now());\n\
        insert into order_line (order_id, line_no, variant_id, sku, title, variant_title, quantity,\n\
        unit_price_minor) values (currval('classic_order'), 1, 1, 'BENCH-1', 'Bench 1', '', 1, 1990);\n\
        commit;\n",
    )?;
    let sequence = "create sequence if not exists classic_order start 1000000000 cache 1000";
    Command::new("psql").args([url, "-qc", sequence]).status()?;
    let mut rates = Vec::new();
    for _ in 0..options.rounds {
        let output = Command::new(&options.pgbench)
            .args([
                "-n",
                "-M",
                "prepared",
                "-c",
                "64",
                "-j",
                "2",
                "-T",
                &options.seconds.to_string(),
            ])
            .arg("-f")
            .arg(&script)
            .arg(url)
            .output()
            .context("pgbench cannot be run: apt-get install postgresql")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let rate = text.lines().find_map(|line| line.strip_prefix("tps = "));
        let rate = rate.and_then(|rest| rest.split(' ').next()?.parse::<f64>().ok());
        ensure!(output.status.success() && rate.is_some(), "pgbench failed: {output:?}");
        rates.extend(rate);
    }
    rates.sort_by(f64::total_cmp);
    Ok(rates[rates.len() / 2])
}
