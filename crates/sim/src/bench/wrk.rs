//! Runs wrk against a server and reads its figures.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::seed::{ACCOUNTS, VARIANTS, token};

/// Connections that wrk keeps open; the writer's batches cannot be larger.
const CONNECTIONS: u32 = 256;

/// What one run measured.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    pub per_second: f64,
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
    /// Orders of one unit of the first variant.
    HotOrders,
    /// Orders of one unit, each of another of a thousand variants.
    SpreadOrders,
    /// Pages of 20 products by artist and year.
    Products,
}

impl Load {
    fn path(self) -> &'static str {
        match self {
            Load::NoopPost | Load::NoopGet => "/bench/noop",
            Load::HotOrders | Load::SpreadOrders => "/api/v1/orders",
            Load::Products => "/api/v1/products",
        }
    }

    /// A script that makes every request beforehand, so that wrk itself costs the same for all.
    fn script(self) -> String {
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
            Load::NoopGet => vec![get(path.to_owned())],
            Load::Products => (0..500)
                .map(|n| {
                    let (artist, year) = (n * 2, 1970 + n % 5);
                    get(format!("{path}?artist=Artist%20{artist}&release_year={year}&limit=20"))
                })
                .collect(),
        };
        format!(
            "requests = {{}}\nfunction init()\n{}\nmath.randomseed(os.time())\n\
            at = math.random(#requests)\nend\n\
            function request()\nat = at % #requests + 1\nreturn requests[at]\nend\n",
            requests.join("\n")
        )
    }
}

/// Loads the server for so many seconds.
///
/// # Errors
/// When wrk cannot be run, or any answer was not a success.
pub fn run(folder: &Path, port: u16, load: Load, seconds: u32) -> Result<Run> {
    let script: PathBuf = folder.join(format!("{load:?}.lua"));
    std::fs::write(&script, load.script())?;
    let output = Command::new("wrk")
        .args(["-t2", &format!("-c{CONNECTIONS}"), &format!("-d{seconds}s"), "--latency", "-s"])
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
        per_second: field("Requests/sec:")?.parse()?,
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
