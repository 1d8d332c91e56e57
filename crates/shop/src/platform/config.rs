//! The configuration: defaults, then `runout.toml`, then the environment, then flags.
//!
//! Every setting has a default that is safe to run with, and `runout.example.toml` shows them all.
//! Unknown keys are refused, so that a typing error cannot switch a limit off.

mod cache;
mod channels;
mod delivery;
mod network;
mod payments;
mod seal;
mod shop;

use std::fmt;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use runout_core::country::Country;
use runout_core::money::Currency;
use runout_store::DatabaseUrl;
use serde::{Deserialize, Deserializer};

use super::lookups::nearest;
use super::rate::RateQuota;

pub use cache::{Cache, CacheArgs};
pub use channels::{Channels, ChannelsArgs};
pub use delivery::{Delivery, DeliveryArgs};
pub use network::Network;
pub use payments::{Capture, Payments, PaymentsArgs, STRIPE_API_URL};
pub use seal::{KeySource, Seal, SealArgs, keys_of};
pub use shop::Shop;

/// Where the file is looked for when neither a flag nor RUNOUT_CONFIG names one.
pub const FILE_DEFAULT: &str = "runout.toml";

/// Every setting, with units last in the names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the server listens.
    pub listen: SocketAddr,
    /// `sqlite://PATH` or `postgres://...`.
    #[serde(deserialize_with = "from_text")]
    pub database_url: DatabaseUrl,
    /// The currency where a request names none (ISO 4217).
    #[serde(deserialize_with = "from_text")]
    pub currency: Currency,
    /// Whose tax rates apply when an order has no address (ISO 3166-1 alpha-2).
    #[serde(deserialize_with = "from_text")]
    pub country: Country,
    /// Proxies whose X-Forwarded-For is believed.
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<Network>,
    pub http: Http,
    pub rate_limit: RateLimit,
    pub stock: Stock,
    pub cache: Cache,
    pub delivery: Delivery,
    pub channels: Channels,
    pub payments: Payments,
    pub seal: Seal,
    pub shop: Shop,
    pub log: Log,
}

/// Limits of the server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Connections at a time; more wait to be accepted.
    pub connections_max: NonZeroUsize,
    /// A client must have sent a request's head within this time.
    pub header_read_timeout_ms: u64,
    /// A request must be answered within this time.
    pub request_timeout_ms: u64,
    /// After SIGTERM, requests under way get this much time.
    pub shutdown_grace_ms: u64,
    /// Bytes of a request's body.
    pub body_bytes_max: usize,
}

/// Requests of one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimit {
    pub per_second: NonZeroU32,
    pub burst: NonZeroU32,
}

/// The stock writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stock {
    /// Commands that may wait; more are refused with 503.
    pub queue_max: NonZeroUsize,
    /// Commands decided in one transaction.
    pub batch_max: NonZeroUsize,
    /// A command that waited longer is dropped undecided.
    pub order_deadline_ms: u64,
    /// A basket holds its stock for so long after its last activity.
    pub hold_seconds: NonZeroU32,
    /// Activity extends a hold up to this age; then others have their chance.
    pub hold_life_seconds: NonZeroU32,
    /// An order that was not paid gives its stock back after so long.
    pub unpaid_seconds: NonZeroU32,
}

/// What is written to standard error, and how.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, `trace`, or a list such as `info,runout_shop=debug`.
    pub level: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Json,
    Text,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8000)),
            database_url: "sqlite://data/runout.db".parse().expect("a well-formed URL"),
            currency: "EUR".parse().expect("the euro is a currency"),
            country: "DE".parse().expect("Germany is a country"),
            trusted_proxies: Vec::new(),
            http: Http::default(),
            rate_limit: RateLimit::default(),
            stock: Stock::default(),
            cache: Cache::default(),
            delivery: Delivery::default(),
            channels: Channels::default(),
            payments: Payments::default(),
            seal: Seal::default(),
            shop: Shop::default(),
            log: Log::default(),
        }
    }
}

const fn count(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).expect("defaults are not zero")
}

const fn count32(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("defaults are not zero")
}

impl Default for Http {
    fn default() -> Self {
        Self {
            connections_max: count(10_000),
            header_read_timeout_ms: 10_000,
            request_timeout_ms: 30_000,
            shutdown_grace_ms: 20_000,
            body_bytes_max: super::request::BODY_BYTES_MAX,
        }
    }
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { per_second: count32(1_000), burst: count32(5_000) }
    }
}

impl Default for Stock {
    fn default() -> Self {
        Self {
            queue_max: count(10_000),
            batch_max: count(1_000),
            order_deadline_ms: 10_000,
            hold_seconds: count32(300),
            hold_life_seconds: count32(1_800),
            unpaid_seconds: count32(86_400),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

impl Http {
    pub fn header_read_timeout(&self) -> Duration {
        Duration::from_millis(self.header_read_timeout_ms)
    }

    pub fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }

    pub fn shutdown_grace(&self) -> Duration {
        Duration::from_millis(self.shutdown_grace_ms)
    }
}

impl Stock {
    pub fn order_deadline(&self) -> Duration {
        Duration::from_millis(self.order_deadline_ms)
    }
}

impl From<RateLimit> for RateQuota {
    fn from(limit: RateLimit) -> Self {
        Self { per_second: limit.per_second, burst: limit.burst }
    }
}

fn from_text<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|error| serde::de::Error::custom(format!("{text:?}: {error}")))
}

fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Network>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| text.parse().map_err(serde::de::Error::custom)).collect()
}

/// Flags that set the configuration; each also has its environment variable.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ConfigArgs {
    /// The configuration file [default: runout.toml, if there is one]
    #[arg(long, global = true, env = "RUNOUT_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where to listen [default: 127.0.0.1:8000]
    #[arg(long, global = true, env = "RUNOUT_LISTEN", value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// sqlite://PATH or postgres://... [default: sqlite://data/runout.db]
    #[arg(long, global = true, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<DatabaseUrl>,
    /// The currency where a request names none [default: EUR]
    #[arg(long, global = true, env = "RUNOUT_CURRENCY", value_name = "CODE")]
    pub currency: Option<Currency>,
    /// Whose tax rates apply when an order has no address [default: DE]
    #[arg(long, global = true, env = "RUNOUT_COUNTRY", value_name = "CODE")]
    pub country: Option<Country>,
    /// A proxy whose X-Forwarded-For is believed; may be repeated
    #[arg(long, global = true, env = "RUNOUT_TRUSTED_PROXIES", value_delimiter = ',')]
    pub trusted_proxy: Vec<Network>,
    /// Requests per second of one client [default: 1000]
    #[arg(long, global = true, env = "RUNOUT_RATE_LIMIT_PER_SECOND", value_name = "NUMBER")]
    pub rate_limit_per_second: Option<NonZeroU32>,
    /// Requests of one client at once [default: 5000]
    #[arg(long, global = true, env = "RUNOUT_RATE_LIMIT_BURST", value_name = "NUMBER")]
    pub rate_limit_burst: Option<NonZeroU32>,
    /// Seconds that a basket holds its stock after its last activity.
    #[arg(long, global = true, env = "RUNOUT_HOLD_SECONDS", value_name = "NUMBER")]
    pub hold_seconds: Option<NonZeroU32>,
    /// Seconds that a hold can be extended to at most.
    #[arg(long, global = true, env = "RUNOUT_HOLD_LIFE_SECONDS", value_name = "NUMBER")]
    pub hold_life_seconds: Option<NonZeroU32>,
    /// Seconds after which an unpaid order gives its stock back.
    #[arg(long, global = true, env = "RUNOUT_UNPAID_SECONDS", value_name = "NUMBER")]
    pub unpaid_seconds: Option<NonZeroU32>,
    #[command(flatten)]
    pub cache: CacheArgs,
    #[command(flatten)]
    pub delivery: DeliveryArgs,
    #[command(flatten)]
    pub channels: ChannelsArgs,
    #[command(flatten)]
    pub payments: PaymentsArgs,
    #[command(flatten)]
    pub seal: SealArgs,
    /// How the log is written [default: text]
    #[arg(long, global = true, env = "RUNOUT_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
    /// How much is logged: error, warn, info, debug, trace [default: info]
    #[arg(long, global = true, env = "RUNOUT_LOG", value_name = "LEVEL")]
    pub log_level: Option<String>,
}

/// Why there is no configuration: one line that says what to do.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {reason}")]
pub struct ConfigError {
    file: String,
    reason: String,
}

impl Config {
    /// Reads the file, if there is one, and lays the environment and the flags over it.
    ///
    /// # Errors
    /// When the file cannot be read, or says something that makes no sense.
    pub fn load(args: &ConfigArgs) -> Result<Self, ConfigError> {
        let mut config = match &args.config {
            Some(path) => Self::read(path)?,
            None if Path::new(FILE_DEFAULT).exists() => Self::read(Path::new(FILE_DEFAULT))?,
            None => Self::default(),
        };
        config.overlay(args);
        config
            .check()
            .map_err(|reason| ConfigError { file: "configuration".to_owned(), reason })?;
        Ok(config)
    }

    fn read(path: &Path) -> Result<Self, ConfigError> {
        let error = |reason| ConfigError { file: path.display().to_string(), reason };
        let text = std::fs::read_to_string(path).map_err(|cause| error(cause.to_string()))?;
        Self::parse(&text).map_err(error)
    }

    /// Reads a file's text.
    fn parse(text: &str) -> Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|cause| explain(&cause, text))?;
        config.check()?;
        Ok(config)
    }

    fn overlay(&mut self, args: &ConfigArgs) {
        set(&mut self.listen, &args.listen);
        set(&mut self.database_url, &args.database_url);
        set(&mut self.currency, &args.currency);
        set(&mut self.country, &args.country);
        if !args.trusted_proxy.is_empty() {
            self.trusted_proxies.clone_from(&args.trusted_proxy);
        }
        set(&mut self.rate_limit.per_second, &args.rate_limit_per_second);
        set(&mut self.rate_limit.burst, &args.rate_limit_burst);
        set(&mut self.stock.hold_seconds, &args.hold_seconds);
        set(&mut self.stock.hold_life_seconds, &args.hold_life_seconds);
        set(&mut self.stock.unpaid_seconds, &args.unpaid_seconds);
        self.cache.overlay(&args.cache);
        self.delivery.overlay(&args.delivery);
        self.channels.overlay(&args.channels);
        self.payments.overlay(&args.payments);
        self.seal.overlay(&args.seal);
        set(&mut self.log.format, &args.log_format);
        set(&mut self.log.level, &args.log_level);
    }

    /// What types alone do not rule out.
    fn check(&self) -> Result<(), String> {
        for (name, value) in [
            ("http.header_read_timeout_ms", self.http.header_read_timeout_ms),
            ("http.request_timeout_ms", self.http.request_timeout_ms),
            ("stock.order_deadline_ms", self.stock.order_deadline_ms),
            ("http.body_bytes_max", self.http.body_bytes_max as u64),
        ] {
            if value == 0 {
                return Err(format!("{name} must be at least 1"));
            }
        }
        self.cache.check()?;
        self.delivery.check()?;
        self.channels.check()?;
        self.payments.check()?;
        self.seal.check()
    }
}

fn set<T: Clone>(setting: &mut T, given: &Option<T>) {
    if let Some(given) = given {
        *setting = given.clone();
    }
}

/// toml's error as one line, with the nearest key where a key is unknown.
fn explain(error: &toml::de::Error, text: &str) -> String {
    let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
    let message = error.message();
    let mut names = message.split('`').skip(1).step_by(2);
    match (message.starts_with("unknown field"), names.next()) {
        (true, Some(key)) => match nearest(key, names.map(str::to_owned)) {
            Some(known) => format!("line {line}: unknown key {key:?}; did you mean {known:?}?"),
            None => format!("line {line}: unknown key {key:?}"),
        },
        _ => format!("line {line}: {}", message.replace('\n', " ")),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    const EXAMPLE: &str = include_str!("../../../../runout.example.toml");

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        config: ConfigArgs,
    }

    #[test]
    fn the_example_shows_every_default() {
        assert_eq!(Config::parse(EXAMPLE).expect("valid"), Config::default());
        // Every setting stands in the example: with its lines left out, keys are missing.
        let shown: toml::Table = EXAMPLE.parse().expect("TOML");
        for (table, keys) in [
            ("http", 5),
            ("rate_limit", 2),
            ("stock", 6),
            ("cache", 3),
            ("delivery", 10),
            ("channels", 10),
            ("payments", 2),
            ("seal", 0),
            ("shop", 5),
            ("log", 2),
        ] {
            assert_eq!(shown[table].as_table().map(toml::Table::len), Some(keys), "{table}");
        }
        assert_eq!(shown.len(), 15);
        let unset = ["redis_url", "stripe_secret_key", "stripe_webhook_secret", "key", "key_file"];
        assert!(unset.iter().all(|key| EXAMPLE.contains(&format!("\n# {key} ="))));
    }

    #[test]
    fn mistakes_are_told_in_one_line() {
        for (text, wanted) in [
            ("lissten = 1", "line 1: unknown key \"lissten\"; did you mean \"listen\"?"),
            (
                "\n[http]\nbody_byte_max = 1",
                "line 3: unknown key \"body_byte_max\"; did you mean \"body_bytes_max\"?",
            ),
            ("currency = \"EURO\"", "\"EURO\": is not an ISO 4217 currency"),
            ("country = \"UK\"", "\"UK\": is not an ISO 3166-1 country"),
            ("[http]\nrequest_timeout_ms = 0", "http.request_timeout_ms must be at least 1"),
            ("database_url = \"mysql://\"", "sqlite:// or postgres://"),
            ("trusted_proxies = [\"10.0.0.0/33\"]", "is no network"),
            ("[stock]\nbatch_max = 0", "line 2: invalid value"),
            ("listen = ", "line 1: "),
        ] {
            let error = Config::parse(text).expect_err(text);
            assert!(error.contains(wanted) && !error.contains('\n'), "{error}");
        }
        let path = Some(PathBuf::from("/nowhere/runout.toml"));
        let error = Config::load(&ConfigArgs { config: path, ..ConfigArgs::default() });
        assert!(error.expect_err("no file").to_string().starts_with("/nowhere/runout.toml: "));
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("runout.toml");
        std::fs::write(&path, "listen = \"0.0.0.0:1\"\ncurrency = \"GBP\"\n").expect("written");
        let flags = ["runout", "--listen", "[::1]:2", "--trusted-proxy", "10.0.0.1,fd00::/8"];
        let mut args = Cli::try_parse_from(flags).expect("valid flags").config;
        args.config = Some(path);
        let config = Config::load(&args).expect("valid");
        assert_eq!(config.listen, "[::1]:2".parse().expect("an address"));
        assert_eq!(config.currency.code(), "GBP");
        assert_eq!(config.http, Http::default());
        assert_eq!(config.trusted_proxies.len(), 2);
    }
}
