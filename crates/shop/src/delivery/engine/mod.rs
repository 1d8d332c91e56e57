//! The engine: hands events out, and delivers them.
//!
//! On every node: one task hands out (`dispatch`), one keeps leases on lanes (`lanes`), and one per
//! active destination delivers (`worker`) what lies in the lanes that this node holds.

mod amqp_link;
mod attempt;
mod dispatch;
mod lanes;
pub(crate) mod mirror;
mod reading;
pub(crate) mod refresh;
mod settings;
mod settle;
pub(crate) mod sql;
mod target;
mod window;
mod worker;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use runout_store::{Result, Sql};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) use dispatch::hand_out_all;
pub use settings::Settings;
pub(crate) use target::Resource;
pub(crate) use window::Thing;

use crate::App;
use crate::delivery::http::Outbound;
use crate::delivery::live::Bell;
use amqp_link::Link;
use attempt::Line;
use lanes::{Busy, Holding};
use target::{Stamp, Target};
use worker::Worker;

/// Rung when deliveries were handed out.
type Wake = Bell;

/// How often events are handed out while no destination is active.
const IDLE_POLL: Duration = Duration::from_secs(1);

/// Hands out and delivers until it is stopped; then finishes what is under way.
pub async fn run(app: App, settings: Settings, stop: CancellationToken) {
    let holder = lanes::holder();
    let holding = lanes::start(Arc::clone(&holder));
    let (busy, wake) = (Arc::new(Busy::default()), Wake::default());
    let held = holding.subscribe();
    // Leases are kept until the workers have finished.
    let leases_end = CancellationToken::new();
    let leases =
        lanes::keep(app.clone(), settings.lease, holding, Arc::clone(&busy), leases_end.clone());
    let leases = tokio::spawn(leases);
    let dispatch = dispatch::run(app.clone(), settings.poll, wake.clone(), stop.clone());
    let dispatch = tokio::spawn(dispatch);
    let supervisor = Supervisor {
        slots: Arc::new(Semaphore::new(settings.attempts_max)),
        outbound: Outbound::new(),
        app: app.clone(),
        settings,
        held,
        busy,
        wake,
        workers: HashMap::new(),
    };
    supervisor.run(stop).await;
    leases_end.cancel();
    for task in [leases, dispatch] {
        if task.await.is_err() {
            tracing::error!("a task of delivery failed in an unforeseen way");
        }
    }
    lanes::give_back(&app, &holder).await;
}

/// Starts a worker for every active destination, and another one when its settings change.
struct Supervisor {
    app: App,
    settings: Settings,
    held: watch::Receiver<Holding>,
    busy: Arc<Busy>,
    wake: Wake,
    slots: Arc<Semaphore>,
    outbound: Outbound,
    workers: HashMap<i64, Running>,
}

struct Running {
    stamp: Stamp,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Supervisor {
    async fn run(mut self, stop: CancellationToken) {
        let mut failing = false;
        while !stop.is_cancelled() {
            match self.look().await {
                Ok(()) => failing = false,
                Err(error) if !failing => {
                    failing = true;
                    tracing::warn!(%error, "destinations could not be read");
                }
                Err(_) => {}
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(self.settings.poll) => {}
            }
        }
        for running in self.workers.values() {
            running.stop.cancel();
        }
        for (_, running) in self.workers.drain() {
            if running.task.await.is_err() {
                tracing::error!("a destination's worker failed in an unforeseen way");
            }
        }
    }

    async fn look(&mut self) -> Result<()> {
        let targets = target::active(&self.app.db).await?;
        self.app.delivery.set_listening(!targets.is_empty());
        let stamps: HashMap<i64, Stamp> = targets.iter().map(|(id, s, _)| (*id, *s)).collect();
        for (id, running) in &self.workers {
            if stamps.get(id) != Some(&running.stamp) {
                running.stop.cancel();
            }
        }
        // A worker that ends keeps its place until it has: two would deliver out of order.
        self.workers.retain(|_, running| !running.task.is_finished());
        let mut result = Ok(());
        for (id, stamp, target) in targets {
            if self.workers.contains_key(&id) {
                continue;
            }
            // One that cannot be opened keeps only itself waiting.
            match target.opened(&self.app).await {
                Ok(target) => {
                    let running = self.start(target, stamp);
                    self.workers.insert(id, running);
                }
                Err(error) => result = Err(error),
            }
        }
        result
    }

    fn start(&self, target: Target, stamp: Stamp) -> Running {
        let line = Arc::new(Line {
            app: self.app.clone(),
            target,
            outbound: self.outbound.clone(),
            link: Link::default(),
            claims: mirror::Claims::default(),
            timeout: self.settings.timeout,
        });
        let shared = (Arc::clone(&self.busy), Arc::clone(&self.slots));
        let (held, wake) = (self.held.clone(), self.wake.hear());
        let worker = Worker::new(line, self.settings.clone(), held, wake, shared);
        let stop = CancellationToken::new();
        let task = tokio::spawn(worker.run(stop.clone()));
        Running { stamp, stop, task }
    }
}

/// Every statement of the engine.
pub(crate) fn statements() -> Vec<&'static Sql> {
    [sql::STATEMENTS, mirror::sql::STATEMENTS].concat()
}
