//! Pages that are live: server-sent events with the parts that have changed.
//!
//! Per page, one task of a node reads the numbers while anybody looks, for all streams together.
//! A stream ends when its session does or may not look any more, when the server is to end, and
//! when its reader is gone. Comments are sent in between, so that the connection never stands still
//! for long; streams are few, by [`STREAMS_MAX`].

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use futures::stream::unfold;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::board::Board;
use crate::App;
use crate::accounts::{Capability, Role, Verb, sessions};
use crate::delivery;
use crate::platform::problem::Problem;

/// Pages that are live at the same time on one node.
const STREAMS_MAX: usize = 64;
/// How often the numbers are read while somebody looks.
const READ_EVERY: Duration = Duration::from_millis(1_500);
/// How often a stream asks whether its session still holds.
const CHECK_EVERY: Duration = Duration::from_secs(5);
/// A comment is sent at least so often.
const PING_EVERY_MAX: Duration = Duration::from_secs(10);
/// When to try again when there are too many streams.
const RETRY_FULL: Duration = Duration::from_secs(30);

/// The parts of a page, each with a name under which a browser finds its place, as HTML.
pub(crate) type Parts = Vec<(&'static str, String)>;

/// A page that is live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scene {
    Dashboard,
    /// How destinations fare.
    Delivery,
}

impl Scene {
    /// Whose permission to view it needs.
    const fn capability(self) -> Capability {
        match self {
            Self::Dashboard => Capability::Orders,
            Self::Delivery => Capability::Delivery,
        }
    }

    /// Reads the numbers anew and draws them.
    async fn read(self, app: &App) -> Result<Parts, Problem> {
        match self {
            Self::Dashboard => Ok(Board::read(app).await?.parts),
            Self::Delivery => delivery::board::read(app).await,
        }
    }
}

/// What is known of one page that is live.
struct Stage {
    parts: watch::Sender<Option<Arc<Parts>>>,
    /// True while a task reads the numbers.
    reading: AtomicBool,
}

impl Default for Stage {
    fn default() -> Self {
        Self { parts: watch::Sender::new(None), reading: AtomicBool::new(false) }
    }
}

/// See the module.
pub(super) struct Live {
    /// By [`Scene`].
    stages: [Stage; 2],
    streams: Arc<Semaphore>,
    closing: CancellationToken,
    ping_every: Duration,
}

impl Live {
    /// A connection that makes no progress for `stall_timeout` is closed: pings come three times as
    /// often.
    pub(super) fn new(stall_timeout: Duration) -> Self {
        Self {
            stages: Default::default(),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            closing: CancellationToken::new(),
            ping_every: (stall_timeout / 3).min(PING_EVERY_MAX),
        }
    }

    fn stage(&self, scene: Scene) -> &Stage {
        &self.stages[scene as usize]
    }

    /// Is cancelled when the server is to end.
    pub(super) fn closing(&self) -> CancellationToken {
        self.closing.clone()
    }

    pub(super) fn close(&self) {
        self.closing.cancel();
    }
}

/// One browser that looks.
struct Watching {
    app: App,
    scene: Scene,
    headers: HeaderMap,
    boards: watch::Receiver<Option<Arc<Parts>>>,
    closing: CancellationToken,
    sent: Parts,
    /// Changes that are not sent yet, the last one first.
    waiting: Parts,
    check_at: Instant,
    _place: OwnedSemaphorePermit,
}

/// The stream of a browser with these headers, whose session was checked.
///
/// # Errors
/// 503 when there are too many.
pub(crate) fn stream(
    app: &App,
    scene: Scene,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>> + use<>>, Problem> {
    let live = &app.desk.live;
    let place = Arc::clone(&live.streams).try_acquire_owned().map_err(|_| {
        Problem::unavailable(RETRY_FULL)
            .code("too_many_dashboards")
            .detail("Too many dashboards are live: this one shows what it has.")
    })?;
    let stage = live.stage(scene);
    let mut boards = stage.parts.subscribe();
    boards.mark_changed();
    if !stage.reading.swap(true, Ordering::SeqCst) {
        tokio::spawn(keep_reading(app.clone(), scene));
    }
    let watching = Watching {
        app: app.clone(),
        scene,
        headers,
        boards,
        closing: live.closing.clone(),
        sent: Vec::new(),
        waiting: Vec::new(),
        check_at: Instant::now() + CHECK_EVERY,
        _place: place,
    };
    let events = unfold(watching, |mut watching| async {
        let event = watching.next().await?;
        Some((Ok(event), watching))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(live.ping_every)))
}

/// Reads the numbers as long as anybody looks.
async fn keep_reading(app: App, scene: Scene) {
    let live = &app.desk.live;
    let stage = live.stage(scene);
    let mut ticks = tokio::time::interval(READ_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = live.closing.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match scene.read(&app).await {
            Ok(parts) => {
                stage.parts.send_if_modified(|last| {
                    let is_new = last.as_deref() != Some(&parts);
                    if is_new {
                        *last = Some(Arc::new(parts));
                    }
                    is_new
                });
            }
            Err(_) => tracing::warn!(?scene, "the numbers of a live page could not be read"),
        }
        if stage.parts.receiver_count() == 0 {
            stage.parts.send_replace(None);
            stage.reading.store(false, Ordering::SeqCst);
            // Somebody may have come meanwhile and relied on this task.
            if stage.parts.receiver_count() == 0 || stage.reading.swap(true, Ordering::SeqCst) {
                return;
            }
        }
    }
}

impl Watching {
    /// The next change; `None` at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.closing.is_cancelled() {
                return None;
            }
            if let Some((name, html)) = self.waiting.pop() {
                return Some(Event::default().event(name).data(html));
            }
            if Instant::now() >= self.check_at {
                if !self.may_look().await {
                    return None;
                }
                self.check_at = Instant::now() + CHECK_EVERY;
            }
            let changed = tokio::select! {
                () = self.closing.cancelled() => return None,
                changed = timeout_at(self.check_at, self.boards.changed()) => changed,
            };
            match changed {
                Ok(Ok(())) => self.take_changes(),
                Ok(Err(_)) => return None,
                Err(_elapsed) => {}
            }
        }
    }

    fn take_changes(&mut self) {
        let Some(board) = self.boards.borrow_and_update().clone() else { return };
        let is_new = |part: &&(&'static str, String)| !self.sent.contains(part);
        let changed: Parts = board.iter().rev().filter(is_new).cloned().collect();
        self.waiting = changed;
        self.sent.clone_from(&board);
    }

    /// True while the session holds; looking does not prolong it.
    async fn may_look(&self) -> bool {
        match sessions::of_cookie(&self.app, &self.headers).await {
            Ok(Some(session)) => {
                let capability = self.scene.capability();
                session.identity.role >= Role::Staff && session.may(capability, Verb::View)
            }
            Ok(None) | Err(_) => false,
        }
    }
}
