//! The section about marketplace channels.

use serde::Deserialize;
use url::{Host, Url};

/// How marketplaces are called.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Channels {
    /// Where bol.com's Retailer API lies.
    pub bol_api_url: String,
    /// Where bol.com gives tokens: `/token` below this.
    pub bol_login_url: String,
    /// How often channels that are due are looked for; what this node is asked for begins at once.
    pub poll_ms: u64,
    /// After so long without a sign of life a node's channels go to others.
    pub lease_ms: u64,
    /// A marketplace must answer within this time.
    pub timeout_ms: u64,
    /// Calls under way, of all channels.
    pub calls_max: usize,
    /// Channels that one node has in hand.
    pub held_max: usize,
    /// A channel that says nothing else is synced every so many minutes; 0: only when asked.
    pub sync_minutes: u32,
    /// People's data of a shipment are erased after so many days, unless its channel says something
    /// else; 0: they are kept.
    pub keep_days: u32,
    /// 409 says that a limit is reached, as 429 does.
    pub conflict_is_limit: bool,
}

impl Default for Channels {
    fn default() -> Self {
        Self {
            bol_api_url: "https://api.bol.com".to_owned(),
            bol_login_url: "https://login.bol.com".to_owned(),
            poll_ms: 500,
            lease_ms: 15_000,
            timeout_ms: 30_000,
            calls_max: 64,
            held_max: 10_000,
            sync_minutes: 15,
            keep_days: 90,
            conflict_is_limit: false,
        }
    }
}

/// Bounds of the settings: smallest, largest.
const POLL_MS: (u64, u64) = (10, 60_000);
const LEASE_MS: (u64, u64) = (300, 600_000);
const TIMEOUT_MS: (u64, u64) = (10, 120_000);
const CALLS: (u64, u64) = (1, 10_000);
const HELD: (u64, u64) = (1, 1_000_000);
/// A year.
const SYNC_MINUTES: (u64, u64) = (0, 525_600);
/// A hundred years.
const KEEP_DAYS: (u64, u64) = (0, 36_500);

/// Flags of the section; each also has its environment variable.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ChannelsArgs {
    /// Where bol.com's Retailer API lies [default: https://api.bol.com]
    #[arg(long, global = true, env = "RUNOUT_BOL_API_URL", value_name = "URL")]
    pub bol_api_url: Option<String>,
    /// Where bol.com gives tokens, /token below this [default: https://login.bol.com]
    #[arg(long, global = true, env = "RUNOUT_BOL_LOGIN_URL", value_name = "URL")]
    pub bol_login_url: Option<String>,
    /// Milliseconds after which a silent node's channels go to others [default: 15000]
    #[arg(long, global = true, env = "RUNOUT_CHANNELS_LEASE_MS", value_name = "NUMBER")]
    pub channels_lease_ms: Option<u64>,
}

impl Channels {
    /// Lays flags and the environment over the settings.
    pub fn overlay(&mut self, args: &ChannelsArgs) {
        super::set(&mut self.bol_api_url, &args.bol_api_url);
        super::set(&mut self.bol_login_url, &args.bol_login_url);
        super::set(&mut self.lease_ms, &args.channels_lease_ms);
    }

    /// True if bol.com is somebody on this machine.
    pub fn is_bol_local(&self) -> bool {
        Url::parse(&self.bol_api_url).is_ok_and(|url| is_loopback(&url))
    }

    /// What types alone do not rule out.
    pub(super) fn check(&self) -> Result<(), String> {
        let urls = [("bol_api_url", &self.bol_api_url), ("bol_login_url", &self.bol_login_url)];
        for (name, text) in urls {
            check_url(text).map_err(|reason| format!("channels.{name} {reason}"))?;
        }
        for (name, value, (smallest, largest)) in [
            ("poll_ms", self.poll_ms, POLL_MS),
            ("lease_ms", self.lease_ms, LEASE_MS),
            ("timeout_ms", self.timeout_ms, TIMEOUT_MS),
            ("calls_max", self.calls_max as u64, CALLS),
            ("held_max", self.held_max as u64, HELD),
            ("sync_minutes", self.sync_minutes.into(), SYNC_MINUTES),
            ("keep_days", self.keep_days.into(), KEEP_DAYS),
        ] {
            if value < smallest || value > largest {
                return Err(format!("channels.{name} must be {smallest} to {largest}"));
            }
        }
        Ok(())
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Credentials go there: nobody on the way may read them.
fn check_url(text: &str) -> Result<(), String> {
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    match url.scheme() {
        "https" if url.host().is_some() => {}
        "http" if is_loopback(&url) => {}
        "http" => return Err("must be https: plain http is for this machine alone".to_owned()),
        _ => return Err("must begin with https://".to_owned()),
    }
    let plain = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if plain { Ok(()) } else { Err("must be a plain address, without user or query".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_go_nowhere_in_the_clear() {
        for (url, works) in [
            ("https://api.bol.com", true),
            ("http://127.0.0.1:8430", true),
            ("http://localhost:8430/", true),
            ("http://[::1]:8430", true),
            ("http://api.bol.com", false),
            ("http://127.0.0.1.example", false),
            ("https://user:pass@api.bol.com", false),
            ("https://api.bol.com?x=1", false),
            ("ftp://api.bol.com", false),
            ("api.bol.com", false),
        ] {
            let config = Channels { bol_api_url: url.to_owned(), ..Channels::default() };
            assert_eq!(config.check().is_ok(), works, "{url}");
        }
    }
}
