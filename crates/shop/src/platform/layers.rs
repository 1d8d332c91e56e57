//! The one layer that every request passes: it knows the request before any handler and the answer
//! after all of them.
//!
//! It gives the request its id and its context, counts it against the client's rate, bounds its
//! time and its body, turns panics and the router's bare refusals into problems, and adds the
//! fields, metrics and log lines that every answer has. One future, no boxes, no locks but the
//! rate's.

use std::any::Any;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request};
use axum::http::header::{
    self, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue,
};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tokio::time::Sleep;
use tower::{Layer, Service};

use super::config::{Config, Network};
use super::problem::{Problem, Rendered};
use super::rate::{Admission, RateLimits, TokenKey, Verdict, bearer_token};
use super::request::{Peer, RequestContext, RequestId, RequestIds};
use super::route_metrics::RouteMetrics;
use super::telemetry;

/// Answers that took longer are logged as warnings.
const SLOW: Duration = Duration::from_secs(1);
/// Where files come up: larger bodies, which take longer.
const UPLOADS: &str = "/admin/import";
/// Bytes of an uploaded file, and of its body with what is around it.
pub const UPLOAD_BYTES_MAX: usize = 100 << 20;
const UPLOAD_BODY_BYTES_MAX: usize = UPLOAD_BYTES_MAX + (1 << 20);
/// An upload may take so long.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(600);
/// When to try again after a request timed out.
const RETRY_TIMED_OUT: Duration = Duration::from_secs(1);

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What the layer needs to know, shared by all routes.
#[derive(Debug)]
pub struct Layers {
    ids: RequestIds,
    rates: RateLimits,
    trusted_proxies: Vec<Network>,
    request_timeout: Duration,
    body_bytes_max: usize,
}

impl Layers {
    /// Also installs the metrics recorder, if nobody has, because handles are kept.
    pub fn new(config: &Config) -> Arc<Self> {
        telemetry::metrics();
        Arc::new(Self {
            ids: RequestIds::new(),
            rates: RateLimits::new(config.rate_limit.into()),
            trusted_proxies: config.trusted_proxies.clone(),
            request_timeout: config.http.request_timeout(),
            body_bytes_max: config.http.body_bytes_max,
        })
    }

    /// The client's address: the peer's, or the last one in X-Forwarded-For that no trusted proxy
    /// has, if the peer is a trusted proxy.
    fn client(&self, peer: Option<Peer>, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Peer(peer)| peer.ip());
        if self.trusted_proxies.is_empty() {
            return client;
        }
        let values = headers.get_all(X_FORWARDED_FOR).iter();
        let texts: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
        let mut hops = texts.iter().rev().flat_map(|text| text.rsplit(','));
        while self.trusted_proxies.iter().any(|network| network.contains(client)) {
            let Some(hop) = hops.next().and_then(address_of_hop) else { break };
            client = hop;
        }
        client
    }
}

/// Reads `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`.
fn address_of_hop(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let socket = || hop.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    hop.parse().ok().or_else(socket)
}

/// Puts the layer around every route of a router, its fallback included.
pub fn wrap(router: Router, layers: &Arc<Layers>) -> Router {
    router.layer(EdgeLayer(Arc::clone(layers)))
}

#[derive(Clone)]
struct EdgeLayer(Arc<Layers>);

impl<S> Layer<S> for EdgeLayer {
    type Service = Edge<S>;

    fn layer(&self, inner: S) -> Edge<S> {
        // Called once for each method of each route, so that each has its own metrics.
        Edge { inner, layers: Arc::clone(&self.0), metrics: Arc::new(RouteMetrics::default()) }
    }
}

#[derive(Clone)]
struct Edge<S> {
    inner: S,
    layers: Arc<Layers>,
    metrics: Arc<RouteMetrics>,
}

impl<S> Service<Request> for Edge<S>
where
    S: Service<Request, Error = Infallible>,
    S::Response: IntoResponse,
    S::Future: Unpin,
{
    type Response = Response;
    type Error = Infallible;
    type Future = EdgeFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let layers = &self.layers;
        let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        let upload = route == Some(UPLOADS);
        let limited = self.metrics.is_rate_limited(route);
        let headers = request.headers();
        let given = headers.get(X_REQUEST_ID).and_then(RequestId::from_header);
        let id = given.unwrap_or_else(|| layers.ids.next());
        let client = layers.client(request.extensions().get::<Peer>().copied(), headers);
        let token = bearer_token(headers).map(|token| layers.rates.token_key(token));
        let mut admission = None;
        let (remaining, refused) = match limited.then(|| layers.rates.check(token, client)) {
            None => (None, None),
            Some(Verdict::Allowed { remaining, admission: possible }) => {
                admission = possible;
                (Some(remaining), self.too_large(&request, upload))
            }
            Some(Verdict::Refused { retry_after }) => {
                (Some(0), Some(Problem::too_many(retry_after)))
            }
        };
        let known = Known {
            started: Instant::now(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            id: id.clone(),
            token,
            remaining,
            timeout: if upload { UPLOAD_TIMEOUT } else { layers.request_timeout },
        };
        let step = match refused {
            Some(problem) => Step::Refused(Some(problem)),
            None => {
                request.extensions_mut().insert(self.context(id, client, admission));
                Step::Running(self.inner.call(request))
            }
        };
        let (layers, metrics) = (Arc::clone(layers), Arc::clone(&self.metrics));
        EdgeFuture { step, deadline: None, known, layers, metrics }
    }
}

impl<S> Edge<S> {
    fn context(
        &self,
        id: RequestId,
        client: IpAddr,
        admission: Option<Arc<Admission>>,
    ) -> RequestContext {
        RequestContext { id, client, body_bytes_max: self.layers.body_bytes_max, admission }
    }

    /// A body that says that it is too large need not be read.
    fn too_large(&self, request: &Request, upload: bool) -> Option<Problem> {
        let bytes_max = if upload { UPLOAD_BODY_BYTES_MAX } else { self.layers.body_bytes_max };
        let too_large = request.body().size_hint().lower() > bytes_max as u64;
        too_large.then(|| Problem::too_large(bytes_max))
    }
}

/// What the answer's fields, metrics and log line need to know of the request.
struct Known {
    started: Instant,
    method: Method,
    uri: Uri,
    id: RequestId,
    token: Option<TokenKey>,
    remaining: Option<u32>,
    timeout: Duration,
}

enum Step<F> {
    Refused(Option<Problem>),
    Running(F),
}

struct EdgeFuture<F> {
    step: Step<F>,
    /// Made when the handler first has to wait: most never do.
    deadline: Option<Pin<Box<Sleep>>>,
    known: Known,
    layers: Arc<Layers>,
    metrics: Arc<RouteMetrics>,
}

impl<F, R> Future for EdgeFuture<F>
where
    F: Future<Output = Result<R, Infallible>> + Unpin,
    R: IntoResponse,
{
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let response = match &mut this.step {
            Step::Refused(problem) => {
                problem.take().expect("not polled after it was ready").into_response()
            }
            // The future is dropped after a panic, so nothing half done is seen again.
            Step::Running(inner) => {
                match catch_unwind(AssertUnwindSafe(|| Pin::new(inner).poll(cx))) {
                    Ok(Poll::Ready(Ok(response))) => response.into_response(),
                    Ok(Poll::Pending) => match this.poll_deadline(cx) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(problem) => problem.into_response(),
                    },
                    Err(panic) => Problem::internal(panic_text(&*panic)).into_response(),
                }
            }
        };
        Poll::Ready(Ok(this.finish(response)))
    }
}

impl<F> EdgeFuture<F> {
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<Problem> {
        let timeout = self.known.timeout;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        deadline.as_mut().poll(cx).map(|()| {
            Problem::unavailable(RETRY_TIMED_OUT).code("timeout").detail(
                "This took too long and was given up. If it was a change, repeat it with the same \
                 Idempotency-Key.",
            )
        })
    }

    fn finish(&self, response: Response) -> Response {
        let mut response = self.in_house_style(response);
        let rendered = response.extensions_mut().remove::<Rendered>();
        if let Some(rendered) = rendered.as_ref().filter(|rendered| !rendered.body().is_empty()) {
            self.send_problem(&mut response, rendered);
        }
        if let (StatusCode::UNAUTHORIZED, Some(token)) = (response.status(), self.known.token) {
            self.layers.rates.forget(token);
        }
        self.write_fields(response.headers_mut());
        let took = self.known.started.elapsed();
        self.metrics.record(&self.known.method, response.status(), took);
        self.log(response.status(), took, rendered.as_ref());
        response
    }

    /// The router strips bodies off answers to HEAD on its routes only, not on its fallback.
    fn send_problem(&self, response: &mut Response, problem: &Rendered) {
        let body = problem.body_for(self.known.id.as_str());
        response.headers_mut().insert(CONTENT_LENGTH, body.len().into());
        let wanted = self.known.method != Method::HEAD;
        *response.body_mut() = if wanted { Body::from(body) } else { Body::empty() };
    }

    /// Turns the router's own bare answers into problems, and answers OPTIONS; the router adds
    /// Allow afterwards.
    fn in_house_style(&self, response: Response) -> Response {
        let bare =
            !response.headers().contains_key(CONTENT_TYPE) && response.body().is_end_stream();
        match response.status() {
            StatusCode::METHOD_NOT_ALLOWED if bare && self.known.method == Method::OPTIONS => {
                StatusCode::NO_CONTENT.into_response()
            }
            StatusCode::METHOD_NOT_ALLOWED if bare => {
                Problem::method_not_allowed(&[]).into_response()
            }
            StatusCode::NOT_FOUND if bare => Problem::not_found("address").into_response(),
            _ => response,
        }
    }

    fn write_fields(&self, headers: &mut HeaderMap) {
        const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
        const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
        const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
        headers.reserve(8);
        headers.insert(X_REQUEST_ID, self.known.id.header_value());
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        headers.entry(header::REFERRER_POLICY).or_insert(SAME_ORIGIN);
        headers.entry(CACHE_CONTROL).or_insert(NO_STORE);
        if let Some(remaining) = self.known.remaining {
            self.layers.rates.write_fields(headers, remaining);
        }
    }

    fn log(&self, status: StatusCode, took: Duration, problem: Option<&Rendered>) {
        let Known { method, uri, id, .. } = &self.known;
        let (id, path, status, ms) = (id.as_str(), uri.path(), status.as_u16(), took.as_millis());
        let code = problem.map(|problem| problem.code);
        let context = problem.and_then(|problem| problem.context.as_deref());
        if status >= 500 || took >= SLOW {
            tracing::warn!(id, %method, path, status, ms, code, context, "request");
        } else {
            tracing::debug!(id, %method, path, status, ms, code, context, "request");
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("a handler panicked: {}", text.unwrap_or("no message"))
}

#[cfg(test)]
#[path = "layers_tests.rs"]
mod tests;
