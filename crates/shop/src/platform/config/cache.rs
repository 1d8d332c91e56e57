//! The section about what is kept ready.

use std::time::Duration;

use serde::Deserialize;

use crate::platform::cache::redis_client;
use crate::platform::secret::Secret;

/// Answers that are kept ready.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cache {
    /// `redis://HOST:PORT/DB`: answers are shared between nodes; without it each node keeps its own.
    pub redis_url: Option<Secret>,
    /// A call to Redis that takes longer counts as failed.
    pub redis_budget_ms: u64,
    /// What other nodes change shows here after so long at the latest; 0: at once, at the price of
    /// a question to the database for every request. What this node changes always shows at once.
    pub stale_ms_max: u64,
    /// Megabytes of answers that this node keeps; 0: none.
    pub memory_mb_max: u64,
}

impl Default for Cache {
    fn default() -> Self {
        Self { redis_url: None, redis_budget_ms: 5, stale_ms_max: 100, memory_mb_max: 32 }
    }
}

/// The longest budget of a call to Redis: a request waits for it, before it does without.
const BUDGET_MS_MAX: u64 = 1_000;
/// The longest time for which another node's change may go unnoticed.
const STALE_MS_MAX: u64 = 60_000;
/// The most memory for answers: a terabyte is a typing error.
const MEMORY_MB_MAX: u64 = 1_000_000;

/// Flags of the section; each also has its environment variable.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct CacheArgs {
    /// redis://HOST:PORT/DB shares ready answers between nodes
    #[arg(
        long,
        global = true,
        env = "RUNOUT_REDIS_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub redis_url: Option<Secret>,
    /// Milliseconds after which a call to Redis counts as failed [default: 5]
    #[arg(long, global = true, env = "RUNOUT_REDIS_BUDGET_MS", value_name = "NUMBER")]
    pub redis_budget_ms: Option<u64>,
    /// Milliseconds after which another node's change shows here at the latest [default: 100]
    #[arg(long, global = true, env = "RUNOUT_STALE_MS_MAX", value_name = "NUMBER")]
    pub stale_ms_max: Option<u64>,
    /// Megabytes of ready answers that a node keeps; 0: none [default: 32]
    #[arg(long, global = true, env = "RUNOUT_CACHE_MEMORY_MB_MAX", value_name = "NUMBER")]
    pub cache_memory_mb_max: Option<u64>,
}

impl Cache {
    /// Lays flags and the environment over the settings.
    pub fn overlay(&mut self, args: &CacheArgs) {
        // An empty variable unsets what the file says.
        if let Some(given) = &args.redis_url {
            self.redis_url = (!given.is_empty()).then(|| given.clone());
        }
        super::set(&mut self.redis_budget_ms, &args.redis_budget_ms);
        super::set(&mut self.stale_ms_max, &args.stale_ms_max);
        super::set(&mut self.memory_mb_max, &args.cache_memory_mb_max);
    }

    /// What types alone do not rule out. No secret is part of the answer.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.redis_budget_ms == 0 || self.redis_budget_ms > BUDGET_MS_MAX {
            return Err(format!("cache.redis_budget_ms must be 1 to {BUDGET_MS_MAX}"));
        }
        if self.stale_ms_max > STALE_MS_MAX {
            return Err(format!("cache.stale_ms_max must be at most {STALE_MS_MAX}"));
        }
        if self.memory_mb_max > MEMORY_MB_MAX {
            return Err(format!("cache.memory_mb_max must be at most {MEMORY_MB_MAX}"));
        }
        match &self.redis_url {
            Some(url) => redis_client(url.expose()).map(drop),
            None => Ok(()),
        }
    }

    pub fn redis_budget(&self) -> Duration {
        Duration::from_millis(self.redis_budget_ms)
    }

    pub fn memory_bytes_max(&self) -> u64 {
        self.memory_mb_max * 1_000_000
    }

    pub fn stale_max(&self) -> Duration {
        Duration::from_millis(self.stale_ms_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_url(url: &str) -> Cache {
        Cache { redis_url: Some(Secret::new(url)), ..Cache::default() }
    }

    #[test]
    fn an_address_must_make_sense() {
        for (url, fine) in [
            ("redis://127.0.0.1:6379/0", true),
            ("redis://:hunter2@cache.example:6379/3", true),
            ("rediss://user:hunter2@cache.example:6380", true),
            ("", false),
            ("127.0.0.1:6379", false),
            ("http://127.0.0.1:6379", false),
            ("redis://hunter2@host:port", false),
            ("redis://:hunter2@127.0.0.1/first", false),
        ] {
            let told = with_url(url).check();
            assert_eq!(told.is_ok(), fine, "{url}: {told:?}");
            if let Err(told) = told {
                assert!(told.contains("redis://HOST") && !told.contains("hunter2"), "{told}");
            }
        }
    }

    #[test]
    fn bounds_are_kept() {
        let with = |redis_budget_ms, stale_ms_max| {
            Cache { redis_budget_ms, stale_ms_max, ..Cache::default() }.check().is_ok()
        };
        assert!(with(1, 0) && with(BUDGET_MS_MAX, STALE_MS_MAX));
        assert!(!with(0, 0) && !with(BUDGET_MS_MAX + 1, 0) && !with(1, STALE_MS_MAX + 1));
    }

    #[test]
    fn flags_win_and_an_empty_address_takes_redis_away() {
        let mut cache = with_url("redis://one:1");
        cache.overlay(&CacheArgs::default());
        assert_eq!(cache.redis_url, Some(Secret::new("redis://one:1")));
        cache.overlay(&CacheArgs { redis_url: Some(Secret::new("")), ..CacheArgs::default() });
        assert_eq!(cache.redis_url, None);
        let args = CacheArgs {
            redis_url: Some(Secret::new("redis://two:2")),
            redis_budget_ms: Some(7),
            stale_ms_max: Some(8),
            cache_memory_mb_max: Some(9),
        };
        cache.overlay(&args);
        let Cache { redis_budget_ms, stale_ms_max, memory_mb_max, .. } = cache;
        assert_eq!((redis_budget_ms, stale_ms_max, memory_mb_max), (7, 8, 9));
        assert_eq!(cache.redis_url, Some(Secret::new("redis://two:2")));
    }
}
