//! Closes connections that make no progress.
//!
//! One timer per connection looks, twice per timeout, whether anything happened: a request under
//! way, or bytes written. So a busy connection pays two relaxed additions per request and no timer
//! reset, and every kind of stall is caught alike: a head that trickles in, a handshake that is
//! never finished, an idle client, a client that does not read.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// Looks without progress after which a connection is closed: at least one timeout has passed then.
const IDLE_LOOKS_MAX: u32 = 2;

/// Counts the requests under way on one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Activity(Arc<AtomicUsize>);

/// A request under way, until it is dropped.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<AtomicUsize>);

impl Activity {
    pub(super) fn begin(&self) -> UnderWay {
        self.0.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(&self.0))
    }

    fn is_busy(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A stream that fails with `TimedOut` when nothing happens on it.
#[derive(Debug)]
pub(super) struct StallGuard<S> {
    stream: S,
    activity: Activity,
    look: Pin<Box<Sleep>>,
    pause: Duration,
    wrote: bool,
    idle_looks: u32,
}

impl<S> StallGuard<S> {
    pub(super) fn new(stream: S, activity: Activity, timeout: Duration) -> Self {
        let pause = timeout / IDLE_LOOKS_MAX;
        let look = Box::pin(sleep(pause));
        Self { stream, activity, look, pause, wrote: false, idle_looks: 0 }
    }

    /// To be called when the stream has nothing to give or take: fails when that lasted too long.
    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            ready!(self.look.as_mut().poll(cx));
            if self.wrote || self.activity.is_busy() {
                self.wrote = false;
                self.idle_looks = 0;
            } else {
                self.idle_looks += 1;
            }
            if self.idle_looks >= IDLE_LOOKS_MAX {
                return Poll::Ready(ErrorKind::TimedOut.into());
            }
            let next = Instant::now() + self.pause;
            self.look.as_mut().reset(next);
        }
    }

    fn or_stalled<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match polled {
            Poll::Pending => self.poll_stalled(cx).map(Err),
            ready => ready,
        }
    }

    fn note_write(&mut self, written: &Poll<io::Result<usize>>) {
        self.wrote |= matches!(written, Poll::Ready(Ok(bytes)) if *bytes > 0);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for StallGuard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.or_stalled(cx, polled)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for StallGuard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note_write(&polled);
        self.or_stalled(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note_write(&polled);
        self.or_stalled(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.or_stalled(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
