//! What is known of a channel's limits: a limiter for each endpoint.

use jiff::Timestamp;
use runout_core::channels::limiter::{Assumed, Limiter, Next};
use serde::{Deserialize, Serialize};

use crate::channels::model::Provider;
use crate::channels::provider::Endpoint;

/// Calls that each endpoint of a dead node's channel may have had under way: see `held`.
const UNDER_WAY_MAX: u32 = 1;

/// As it is stored; an endpoint that was never called is absent.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Stored {
    #[serde(skip_serializing_if = "Option::is_none")]
    list: Option<Limiter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Limiter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ship: Option<Limiter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<Limiter>,
}

/// See the module.
#[derive(Debug, Clone)]
pub(in crate::channels) struct Limits {
    provider: Provider,
    limiters: [Option<Box<Limiter>>; 4],
}

impl Limits {
    /// Reads what is stored. What cannot be read (of another version) is learned anew.
    pub(in crate::channels) fn read(provider: Provider, json: &str) -> Self {
        let stored: Stored = serde_json::from_str(json).unwrap_or_default();
        let limiters = [stored.list, stored.detail, stored.ship, stored.process];
        Self { provider, limiters: limiters.map(|limiter| limiter.map(Box::new)) }
    }

    pub(super) fn to_json(&self) -> String {
        let [list, detail, ship, process] =
            self.limiters.clone().map(|limiter| limiter.map(|limiter| *limiter));
        let stored = Stored { list, detail, ship, process };
        serde_json::to_string(&stored).expect("limiters are plain data")
    }

    /// When the endpoint may be called next.
    pub(in crate::channels) fn next(&self, endpoint: Endpoint, now: Timestamp) -> Next {
        let now_us = now.as_microsecond();
        self.of(endpoint).map_or(Next::At(now_us), |limiter| limiter.next(now_us))
    }

    /// What is known of an endpoint that was called.
    pub(in crate::channels) fn of(&self, endpoint: Endpoint) -> Option<&Limiter> {
        self.limiters[endpoint as usize].as_deref()
    }

    /// What is assumed of an endpoint.
    pub(in crate::channels) fn assumed(&self, endpoint: Endpoint) -> Assumed {
        match self.provider {
            Provider::Bol => crate::channels::bol::assumed(endpoint),
        }
    }

    pub(super) fn of_mut(&mut self, endpoint: Endpoint) -> &mut Limiter {
        let assumed = self.assumed(endpoint);
        self.limiters[endpoint as usize].get_or_insert_with(|| Box::new(Limiter::new(assumed)))
    }

    /// Somebody died with these limits in hand, and with calls under way of which nobody knows.
    pub(super) fn taken_over(&mut self, now: Timestamp) {
        // An endpoint that was never called, as far as is stored, may have been called once.
        for endpoint in Endpoint::ALL {
            self.of_mut(endpoint).taken_over(now.as_microsecond(), UNDER_WAY_MAX);
        }
    }
}
