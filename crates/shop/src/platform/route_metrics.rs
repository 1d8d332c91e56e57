//! Metrics of one route, with their handles kept: counting a request looks nothing up.

use std::sync::OnceLock;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use metrics::{Counter, Histogram};

/// Answers by method, route and status.
pub(super) const REQUESTS_TOTAL: &str = "http_requests_total";
/// Seconds until an answer's head was ready, by method and route.
pub(super) const REQUEST_DURATION: &str = "http_request_duration_seconds";

/// Statuses with a handle of their own; the rest are counted as `other`.
const STATUSES: [u16; 22] = [
    200, 201, 202, 204, 206, 301, 302, 303, 304, 400, 401, 403, 404, 405, 409, 412, 413, 415, 422,
    429, 500, 503,
];
const METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];

/// The label of requests that no route takes. Their paths are the clients' invention.
const UNMATCHED: &str = "unmatched";

/// One route's handles, made when they are first needed.
#[derive(Debug, Default)]
pub(super) struct RouteMetrics {
    route: OnceLock<Route>,
    methods: [OnceLock<Box<PerMethod>>; METHODS.len() + 1],
}

#[derive(Debug)]
struct Route {
    label: String,
    rate_limited: bool,
}

#[derive(Debug)]
struct PerMethod {
    method: &'static str,
    duration: Histogram,
    statuses: [OnceLock<Counter>; STATUSES.len() + 1],
}

impl RouteMetrics {
    /// Notes the route's path; false for health checks and metrics, which are never refused.
    pub(super) fn is_rate_limited(&self, path: Option<&str>) -> bool {
        let make = || {
            let label = path.unwrap_or(UNMATCHED).to_owned();
            let rate_limited = !label.starts_with("/health") && label != "/metrics";
            Route { label, rate_limited }
        };
        self.route.get_or_init(make).rate_limited
    }

    pub(super) fn record(&self, method: &Method, status: StatusCode, took: Duration) {
        let label = self.route.get().map_or(UNMATCHED, |route| route.label.as_str());
        let at = METHODS.iter().position(|known| known == method).unwrap_or(METHODS.len());
        let per_method = self.methods[at].get_or_init(|| Box::new(PerMethod::new(at, label)));
        per_method.duration.record(took.as_secs_f64());
        per_method.count(status, label);
    }
}

impl PerMethod {
    fn new(at: usize, route: &str) -> Self {
        const NAMES: [&str; METHODS.len() + 1] =
            ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"];
        let method = NAMES[at];
        let duration =
            metrics::histogram!(REQUEST_DURATION, "method" => method, "route" => route.to_owned());
        Self { method, duration, statuses: Default::default() }
    }

    fn count(&self, status: StatusCode, route: &str) {
        let number = status.as_u16();
        let at = STATUSES.iter().position(|known| *known == number).unwrap_or(STATUSES.len());
        let counter = self.statuses[at].get_or_init(|| {
            let status = STATUSES.get(at).map_or("other".to_owned(), u16::to_string);
            metrics::counter!(REQUESTS_TOTAL,
                "method" => self.method, "route" => route.to_owned(), "status" => status)
        });
        counter.increment(1);
    }
}
