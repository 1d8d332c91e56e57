//! The accept loop: connections in, requests to the router, and an orderly end.
//!
//! Bounds: the number of connections, and how long a connection may make no progress (no request
//! under way, nothing written), which covers slow heads, half-open handshakes, idle clients and
//! clients that do not read their answers. How long a request may take is the layers' business.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::config::Http;
use super::request::Peer;
use super::stall::{Activity, StallGuard};

/// Connections that the kernel may hold for us before they are accepted.
const BACKLOG: u32 = 4_096;
/// Pause after an error of the listener itself, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Streams of one HTTP/2 connection.
const HTTP2_STREAMS_MAX: u32 = 200;
/// Bytes of a request's head, and of what HTTP/1 reads ahead.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Bounds of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub connections_max: NonZeroUsize,
    /// A connection without progress is closed after this time, or half as much more.
    pub stall_timeout: Duration,
    /// Requests under way get this much time after the end was asked for.
    pub shutdown_grace: Duration,
}

impl From<&Http> for Limits {
    fn from(http: &Http) -> Self {
        Self {
            connections_max: http.connections_max,
            stall_timeout: http.header_read_timeout(),
            shutdown_grace: http.shutdown_grace(),
        }
    }
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Every connection was closed in order.
    Drained,
    /// So many connections were still open when the grace was over.
    Aborted { connections: usize },
}

/// Listens on an address.
///
/// # Errors
/// When the address is taken, or not ours.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart must not wait for the old connections' TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until the token is cancelled, then stops accepting and drains.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    token: CancellationToken,
) -> Ended {
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(limits.connections_max.get().min(Semaphore::MAX_PERMITS)));
    let builder = Arc::new(builder());
    let mut connections = JoinSet::new();
    loop {
        let next = tokio::select! {
            () = token.cancelled() => break,
            next = accept(&listener, &slots) => next,
        };
        while connections.try_join_next().is_some() {}
        let Some((stream, peer, slot)) = next else { continue };
        let (builder, router) = (Arc::clone(&builder), router.clone());
        let (watcher, timeout) = (graceful.watcher(), limits.stall_timeout);
        connections.spawn(async move {
            connection(&builder, stream, Peer(peer), router, watcher, timeout).await;
            drop(slot);
        });
    }
    drop(listener);
    drain(graceful, connections, limits.shutdown_grace).await
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // The stall guard covers it, without resetting a timer for each request.
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX as u32);
    builder
}

/// The next connection, once there is a slot for it. None after an error: it never ends the loop.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.expect("the semaphore is never closed");
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, slot)),
        Err(error) => {
            if !is_of_one_connection(&error) {
                tracing::error!(%error, "cannot accept connections; trying again");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            None
        }
    }
}

/// True if the connection was lost before it was accepted: the next one may be fine.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
    )
}

async fn connection(
    builder: &auto::Builder<TokioExecutor>,
    stream: TcpStream,
    peer: Peer,
    router: Router,
    watcher: Watcher,
    stall_timeout: Duration,
) {
    // Answers are written whole; waiting to fill a packet would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "connection lost before its first request");
        return;
    }
    let activity = Activity::default();
    let guarded = StallGuard::new(stream, activity.clone(), stall_timeout);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        let under_way = activity.begin();
        let answer = router.clone().call(request);
        async move {
            let answer = answer.await;
            drop(under_way);
            answer
        }
    });
    let served = builder.serve_connection(TokioIo::new(guarded), service).into_owned();
    if let Err(error) = watcher.watch(served).await {
        tracing::debug!(%error, peer = %peer.0, "connection ended early");
    }
}

/// Lets connections finish what is under way, and aborts those that take longer than the grace.
async fn drain(graceful: GracefulShutdown, mut connections: JoinSet<()>, grace: Duration) -> Ended {
    tracing::info!(connections = connections.len(), "no longer accepting; draining");
    let all_ended = async {
        graceful.shutdown().await;
        while connections.join_next().await.is_some() {}
    };
    if tokio::time::timeout(grace, all_ended).await.is_ok() {
        return Ended::Drained;
    }
    let open = connections.len();
    tracing::warn!(connections = open, "connections were still open after the grace");
    connections.shutdown().await;
    Ended::Aborted { connections: open }
}

/// A token that SIGTERM or SIGINT cancels.
///
/// # Errors
/// When the signal handlers cannot be installed.
pub fn cancelled_by_signals() -> io::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        cancelled.cancel();
    });
    Ok(token)
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
