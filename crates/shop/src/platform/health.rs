//! Health checks and metrics, for load balancers and operators.

use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::time::{Duration, timeout};

use super::problem::Problem;
use super::telemetry;

/// A node whose check takes longer is not ready.
const READY_MAX: Duration = Duration::from_secs(2);
/// When to ask a node again that is not ready.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// The type of Prometheus' text format.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Routes that answer without a token:
///
/// - `/healthcheck/heartbeat/` (a predecessor's) and `/health/live`: 200 while the process runs;
/// - `/health/ready`: 200 while `is_ready` says so, else 503;
/// - `/metrics`: Prometheus' text format; `observe` hands in what is counted elsewhere.
pub fn router<S, C, F, O>(is_ready: C, observe: O) -> Router<S>
where
    O: Fn() + Clone + Send + Sync + 'static,
    S: Clone + Send + Sync + 'static,
    C: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = bool> + Send + 'static,
{
    let is_ready = Arc::new(is_ready);
    let ready = move || {
        let is_ready = Arc::clone(&is_ready);
        async move { ready(is_ready(), READY_MAX).await }
    };
    Router::new()
        .route("/healthcheck/heartbeat/", get(|| async {}))
        .route("/health/live", get(|| async {}))
        .route("/health/ready", get(ready))
        .route("/metrics", get(move || metrics(observe)))
}

async fn ready(is_ready: impl Future<Output = bool>, at_most: Duration) -> Response {
    if timeout(at_most, is_ready).await == Ok(true) {
        return ().into_response();
    }
    let problem = Problem::unavailable(RETRY_AFTER).code("not_ready");
    problem.detail("This node cannot serve at the moment.").into_response()
}

async fn metrics(observe: impl Fn()) -> Response {
    observe();
    ([(CONTENT_TYPE, PROMETHEUS_TEXT)], telemetry::render()).into_response()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    async fn ask(router: &Router, path: &str) -> (u16, String) {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let response = router.clone().oneshot(request).await.expect("infallible");
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 1 << 20).await.expect("a body");
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn alive_is_always_and_ready_is_asked() {
        static READY: AtomicBool = AtomicBool::new(true);
        let router: Router = router(|| async { READY.load(Ordering::Relaxed) }, || {});
        for path in ["/healthcheck/heartbeat/", "/health/live", "/health/ready"] {
            assert_eq!(ask(&router, path).await, (200, String::new()), "{path}");
        }
        READY.store(false, Ordering::Relaxed);
        let (status, body) = ask(&router, "/health/ready").await;
        assert!(status == 503 && body.contains("not_ready"));
        assert_eq!(ask(&router, "/health/live").await.0, 200);
        metrics::counter!("health_test_total").increment(1);
        telemetry::metrics();
        assert_eq!(ask(&router, "/metrics").await.0, 200);
    }

    #[tokio::test]
    async fn a_check_that_hangs_is_not_ready() {
        let answer = ready(std::future::pending(), Duration::from_millis(10)).await;
        assert_eq!(answer.status(), 503);
    }
}
