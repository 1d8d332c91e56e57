//! bol.com: its Retailer API, version 10.

mod client;
pub mod problem;
pub mod shapes;

use runout_core::channels::limiter::Assumed;

pub(super) use client::Client;

use super::provider::Endpoint;

/// What bol.com has published of its limits (<https://api.bol.com/retailer/public/ratelimits>,
/// November 2025). Answers tell the truth; this is what is assumed before the first one.
pub(super) const fn assumed(endpoint: Endpoint) -> Assumed {
    match endpoint {
        Endpoint::List => Assumed::per_minute(25),
        Endpoint::Detail => Assumed::per_minute(50),
        // 25 a second are allowed; nobody ships that fast, and a crowd of processes must not be
        // asked about faster either.
        Endpoint::Ship | Endpoint::Process => Assumed { permits: 25, period_us: 1_000_000 },
    }
}
