//! HTTP: a request in, a book entry, an answer out, and the misfortunes on the way.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use futures::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::book::Applied;
use super::io::{Connection, Reset};
use super::{Fault, Faults, Shared};

/// Longest body that is read, in bytes.
const BODY_BYTES_MAX: usize = 1 << 20;
/// What a receiver says that has applied a message.
const THANKS: &[u8] = br#"{"status":"applied"}"#;

type Body = UnsyncBoxBody<Bytes, Cut>;

/// Ends the connection without (the rest of) an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut")]
pub(super) struct Cut;

/// Serves until the listener is dropped; connections end with it.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _without_delay = stream.set_nodelay(true);
        let shared = shared.clone();
        connections.spawn(async move {
            let reset = Reset::default();
            let io = TokioIo::new(Connection::new(stream, reset.clone()));
            let service = service_fn(move |request| {
                let (shared, reset) = (shared.clone(), reset.clone());
                async move { handle(&shared, request, &reset).await }
            });
            let connection = hyper::server::conn::http1::Builder::new();
            // A connection that was cut on purpose ends with an error.
            let _ended = connection.serve_connection(io, service).await;
        });
    }
}

/// Counts a request as under way, as long as it lives.
struct UnderWay<'a>(&'a Shared);

impl<'a> UnderWay<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.received.fetch_add(1, Relaxed);
        let now = shared.in_flight.fetch_add(1, Relaxed) + 1;
        shared.in_flight_max.fetch_max(now, Relaxed);
        Self(shared)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

async fn handle(
    shared: &Shared,
    request: Request<Incoming>,
    reset: &Reset,
) -> Result<Response<Body>, Cut> {
    let _under_way = UnderWay::new(shared);
    let came = Instant::now();
    let (head, body) = request.into_parts();
    // A sender that was killed in the middle has sent nothing.
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await.map_err(|_| Cut)?.to_bytes();
    let id = id(&head.headers);
    if let Some(on_arrival) = &shared.on_arrival {
        on_arrival(id.unwrap_or_default(), &body, came);
    }
    if shared.plain {
        return Ok(respond(StatusCode::NO_CONTENT, Bytes::new()));
    }
    let Some(id) = id else {
        return Ok(respond(StatusCode::BAD_REQUEST, Bytes::from_static(b"no id")));
    };
    let dealt = shared.deal();
    if let Some((fault, faults)) = dealt.as_ref().filter(|(fault, _)| fault.is_before()) {
        return before(*fault, faults, reset).await;
    }
    if shared.book().apply(id, &body) == Applied::Unreadable {
        return Ok(respond(StatusCode::UNPROCESSABLE_ENTITY, Bytes::from_static(b"unreadable")));
    }
    match dealt {
        Some((fault, faults)) => after(fault, &faults, reset).await,
        None => Ok(respond(StatusCode::OK, Bytes::from_static(THANKS))),
    }
}

/// What names a message: its id, or else its idempotency key.
fn id(headers: &HeaderMap) -> Option<&str> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    text("webhook-id").or_else(|| Some(text("idempotency-key")?.trim_matches('"')))
}

async fn before(fault: Fault, faults: &Faults, reset: &Reset) -> Result<Response<Body>, Cut> {
    match fault {
        Fault::TooMany => {
            let mut response = respond(StatusCode::TOO_MANY_REQUESTS, Bytes::new());
            response.headers_mut().insert(RETRY_AFTER, faults.retry_after_s.into());
            Ok(response)
        }
        Fault::SilentBefore => silence(faults).await,
        Fault::ResetBefore => {
            reset.order();
            Err(Cut)
        }
        _ => Ok(respond(StatusCode::INTERNAL_SERVER_ERROR, Bytes::from_static(b"nothing done"))),
    }
}

async fn after(fault: Fault, faults: &Faults, reset: &Reset) -> Result<Response<Body>, Cut> {
    match fault {
        Fault::SilentAfter => silence(faults).await,
        Fault::ResetAfter => {
            reset.order();
            Err(Cut)
        }
        Fault::HalfAnswer => {
            let half = THANKS[..THANKS.len() / 2].to_vec();
            Ok(streamed(VecDeque::from([Some(half), None]), Duration::from_millis(1)))
        }
        Fault::SlowAnswer => {
            let pieces = THANKS.chunks(1).map(|piece| Some(piece.to_vec())).collect();
            Ok(streamed(pieces, faults.pause))
        }
        _ => Ok(respond(StatusCode::INTERNAL_SERVER_ERROR, Bytes::from_static(b"done, really"))),
    }
}

async fn silence(faults: &Faults) -> Result<Response<Body>, Cut> {
    tokio::time::sleep(faults.silence).await;
    Err(Cut)
}

/// A body in pieces with pauses; a piece that is missing cuts the connection.
fn streamed(pieces: VecDeque<Option<Vec<u8>>>, pause: Duration) -> Response<Body> {
    let frames = stream::unfold(pieces, move |mut pieces| async move {
        let piece = pieces.pop_front()?;
        tokio::time::sleep(pause).await;
        Some((piece.map(|bytes| Frame::data(bytes.into())).ok_or(Cut), pieces))
    });
    Response::new(StreamBody::new(frames).boxed_unsync())
}

fn respond(status: StatusCode, bytes: Bytes) -> Response<Body> {
    let mut response =
        Response::new(Full::new(bytes).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response
}
