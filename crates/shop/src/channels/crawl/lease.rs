//! A node's sign of life: it lives as long as its row says, and renews that at a third of the
//! lease. Nodes' clocks must agree to within a fraction of a lease.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use runout_store::{Result, Rows, Statement, Step, Transaction, Value};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::sql;
use crate::App;
use crate::platform::clock::Steady;

/// Until when this node surely lives, under which name.
#[derive(Debug, Clone)]
pub(super) struct Alive {
    pub holder: Arc<str>,
    pub until: Instant,
}

/// Renews until it is stopped, under whatever name the node has; then says that the node is gone.
pub(super) async fn keep(
    app: App,
    clock: Steady,
    mut name: watch::Receiver<Arc<str>>,
    lease: Duration,
    alive: watch::Sender<Option<Alive>>,
    stop: CancellationToken,
) {
    let mut failing = false;
    loop {
        let asked = Instant::now();
        let holder = Arc::clone(&name.borrow_and_update());
        let ends_at = Some(clock.now() + clock.ours(lease));
        let renewal = Renew { holder: Arc::clone(&holder), now: clock.now(), ends_at };
        match app.db.transact(renewal).await {
            Ok(()) => {
                failing = false;
                alive.send_replace(Some(Alive { holder, until: asked + lease }));
                app.channels.ring();
            }
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(%error, "the sign of life of the crawler could not be renewed");
            }
            Err(_) => {}
        }
        tokio::select! {
            () = stop.cancelled() => break,
            _ = name.changed() => {}
            () = tokio::time::sleep(lease / 3) => {}
        }
    }
    let holder = Arc::clone(&name.borrow());
    let gone = Renew { holder, now: clock.now(), ends_at: None };
    if let Err(error) = app.db.transact(gone).await {
        tracing::warn!(%error, "the crawler's sign of life stays behind; it will end");
    }
}

/// Says that this node lives, and puts what dead ones had in hand up for others.
pub(super) struct Renew {
    pub holder: Arc<str>,
    pub now: Timestamp,
    /// None: it ends.
    pub ends_at: Option<Timestamp>,
}

impl Transaction for Renew {
    type Output = ();

    fn name(&self) -> &'static str {
        "renew_crawler"
    }

    fn load(&self) -> Vec<Statement> {
        Vec::new()
    }

    fn decide(&self, _: &[Rows]) -> Result<Step<()>> {
        let holder = Value::from(Arc::clone(&self.holder));
        let forget = |holder| Statement::new(&sql::FORGET, vec![self.now.into(), holder]);
        let first = match self.ends_at {
            Some(ends_at) => Statement::new(&sql::SEEN, vec![holder, ends_at.into()]),
            None => forget(holder),
        };
        let reap = Statement::new(&sql::REAP, vec![self.now.into()]);
        Ok(Step::Store(vec![first, forget(Value::Static("")), reap], ()))
    }
}
