//! Runs wrk against a server and reads its figures.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::seed::{ACCOUNTS, BASKET_DIGITS, BASKET_TOKEN, BASKETS, VARIANTS, token};

/// Connections that wrk keeps open; the writer's batches cannot be larger.
const CONNECTIONS: u32 = 256;
const THREADS: u32 = 2;

/// What one run measured.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Of what the load counts.
    pub per_second: f64,
    /// Of one request.
    pub p50_ms: f64,
    pub p99_ms: f64,
}

/// What wrk sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// The authenticated JSON POST that does nothing.
    NoopPost,
    /// The GET that does nothing.
    NoopGet,
    /// The GET that says that the process lives: it does not even count against the rate.
    Live,
    /// Orders of one unit of the first variant.
    HotOrders,
    /// Orders of one unit, each of another of a thousand variants.
    SpreadOrders,
    /// Guests who each put one more unit of the first variant into a basket that is there.
    Holds,
    /// Guests who make a basket, put one unit of the first variant into it, and check out.
    Checkouts,
    /// Lists of 20 products by artist and year.
    Products,
    /// The first 20 events: every other request; and the first 20 of one of [`ORGANISERS`].
    Events,
    /// The pages of 500 products.
    ProductPages,
    /// Pages of the catalogue, of 500 artists.
    CataloguePages,
    /// The front page.
    Home,
}

/// Organisers whose events are listed.
const ORGANISERS: i64 = 50;

impl Load {
    fn path(self) -> &'static str {
        match self {
            Load::NoopPost | Load::NoopGet => "/bench/noop",
            Load::HotOrders | Load::SpreadOrders => "/api/v1/orders",
            Load::Holds | Load::Checkouts => "/api/v1/baskets",
            Load::Products => "/api/v1/products",
            Load::Live => "/health/live",
            Load::Events => "/api/v1/events",
            Load::ProductPages => "/products",
            Load::CataloguePages => "/catalogue",
            Load::Home => "/",
        }
    }

    /// Requests that make one of what is counted.
    fn requests(self) -> f64 {
        if self == Load::Checkouts { 3.0 } else { 1.0 }
    }

    /// The script of the run `turn`, which begins with 0. It makes its requests beforehand, as far
    /// as it can, so that wrk itself costs the same for all; checkouts are made of answers.
    fn script(self, turn: usize) -> String {
        match self {
            Load::Holds => {
                let first = turn as i64 * BASKETS + 1;
                format!(
                    "first, baskets, threads = {first}, {BASKETS}, {THREADS}\n\
                    token_prefix, token_digits = '{BASKET_TOKEN}', {BASKET_DIGITS}\n{}",
                    include_str!("lua/holds.lua")
                )
            }
            Load::Checkouts => include_str!("lua/checkouts.lua").to_owned(),
            _ => self.repeating(),
        }
    }

    /// A script that sends a list of requests over and over.
    fn repeating(self) -> String {
        let path = self.path();
        let order =
            |variant: i64| format!(r#"{{"lines":[{{"variant_id":{variant},"quantity":1}}]}}"#);
        let post = |n: i64, variant: i64| {
            format!(
                "requests[#requests + 1] = wrk.format('POST', '{path}', \
                {{['Content-Type'] = 'application/json', ['Authorization'] = 'Bearer {}'}}, '{}')",
                token(n % ACCOUNTS + 1),
                order(variant)
            )
        };
        let get = |path: String| format!("requests[#requests + 1] = wrk.format('GET', '{path}')");
        let requests: Vec<String> = match self {
            Load::NoopPost => (0..VARIANTS).map(|n| post(n, n + 1)).collect(),
            Load::SpreadOrders => (0..VARIANTS).map(|n| post(n, n + 1)).collect(),
            Load::HotOrders => (0..VARIANTS).map(|n| post(n, 1)).collect(),
            Load::Events => (1..=ORGANISERS)
                .flat_map(|n| {
                    let of_one = format!("{path}?organiser_id={n}&limit=20");
                    [get(format!("{path}?limit=20")), get(of_one)]
                })
                .collect(),
            Load::NoopGet | Load::Live | Load::Home => vec![get(path.to_owned())],
            Load::ProductPages => (1..=500).map(|n| get(format!("{path}/{n}"))).collect(),
            Load::CataloguePages => {
                (0..500).map(|n| get(format!("{path}?artist=Artist%20{}", n * 2))).collect()
            }
            Load::Products => (0..500)
                .map(|n| {
                    let (artist, year) = (n * 2, 1970 + n % 5);
                    get(format!("{path}?artist=Artist%20{artist}&release_year={year}&limit=20"))
                })
                .collect(),
            Load::Holds | Load::Checkouts => unreachable!("no request of theirs can be repeated"),
        };
        format!(
            "requests = {{}}\nfunction init()\n{}\nmath.randomseed(os.time())\n\
            at = math.random(#requests)\nend\n\
            function request()\nat = at % #requests + 1\nreturn requests[at]\nend\n",
            requests.join("\n")
        )
    }
}

/// Loads the server for so many seconds, for the `turn`th time.
///
/// # Errors
/// When wrk cannot be run, or any answer was not a success.
pub fn run(folder: &Path, port: u16, load: Load, turn: usize, seconds: u32) -> Result<Run> {
    let script: PathBuf = folder.join(format!("{load:?}.lua"));
    std::fs::write(&script, load.script(turn))?;
    let output = Command::new("wrk")
        .args([&format!("-t{THREADS}"), &format!("-c{CONNECTIONS}"), &format!("-d{seconds}s")])
        .args(["--latency", "-s"])
        .arg(&script)
        .arg(format!("http://127.0.0.1:{port}{}", load.path()))
        .output()
        .context("wrk cannot be run: apt-get install wrk")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "wrk failed: {text}");
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        bail!("{load:?}: some answers were not successes:\n{text}");
    }
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.trim().strip_prefix(name))
            .map(|rest| rest.trim().to_owned())
            .with_context(|| format!("wrk printed no {name}:\n{text}"))
    };
    Ok(Run {
        per_second: field("Requests/sec:")?.parse::<f64>()? / load.requests(),
        p50_ms: milliseconds(&field("50%")?)?,
        p99_ms: milliseconds(&field("99%")?)?,
    })
}

fn milliseconds(text: &str) -> Result<f64> {
    for (unit, factor) in [("us", 0.001), ("ms", 1.0), ("s", 1_000.0)] {
        if let Some(number) = text.strip_suffix(unit) {
            return Ok(number.trim().parse::<f64>()? * factor);
        }
    }
    bail!("{text:?} is no time")
}
