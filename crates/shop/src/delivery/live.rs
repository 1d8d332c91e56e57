//! What this process knows of its own deliveries: a bell for changes, and what is under way.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// Rung when something may have to be delivered. Cheap to share; never blocks.
#[derive(Debug, Clone)]
pub struct Bell(watch::Sender<()>);

impl Default for Bell {
    fn default() -> Self {
        Self(watch::Sender::new(()))
    }
}

impl Bell {
    /// Something was committed that others may want to hear of.
    pub fn ring(&self) {
        self.0.send_replace(());
    }

    /// Hears every ring from now on; rings while nobody listens count as one.
    pub fn hear(&self) -> watch::Receiver<()> {
        self.0.subscribe()
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Live {
    /// Rung after every commit that wrote to the outbox.
    pub bell: Bell,
    in_flight: Mutex<HashMap<i64, i64>>,
    listening: AtomicBool,
}

impl Live {
    /// What shares a bell with whoever rings it.
    pub fn new(bell: Bell) -> Self {
        Self { bell, ..Self::default() }
    }

    /// True if a destination was active when this process last looked.
    pub(super) fn is_listening(&self) -> bool {
        self.listening.load(Ordering::Relaxed)
    }

    pub(super) fn set_listening(&self, listening: bool) {
        self.listening.store(listening, Ordering::Relaxed);
    }

    /// Attempts that this process makes at a destination right now.
    pub fn in_flight(&self, destination_id: i64) -> i64 {
        let counts = self.in_flight.lock().expect("no holder of this lock can panic");
        counts.get(&destination_id).copied().unwrap_or(0)
    }

    pub(super) fn set_in_flight(&self, destination_id: i64, count: usize) {
        let mut counts = self.in_flight.lock().expect("no holder of this lock can panic");
        match count {
            0 => _ = counts.remove(&destination_id),
            count => _ = counts.insert(destination_id, count as i64),
        }
    }
}
