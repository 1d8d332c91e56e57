//! A receiver of webhooks that keeps book: it applies each message once, by its id, and finds out
//! what was applied twice, out of order, or not at all. By seed it answers with every misfortune
//! that a sender must live with. Without faults and book it only says 204, for measurements.

mod book;
mod fault;
mod io;
mod server;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use book::Report;
pub use fault::{Fault, Faults};

use crate::chance::Chance;
use book::Book;

/// Where a body says what it is about.
#[derive(Debug, Clone)]
pub struct Fields {
    /// The member of the body that holds the two others.
    pub data: &'static str,
    /// A text or a number: whose order is watched.
    pub entity: &'static str,
    /// Counts an entity's messages, one by one.
    pub number: &'static str,
    /// The number of an entity's first message, at least 1.
    pub first: u64,
    /// True if messages may be left out (coalesced).
    pub gaps_are_fine: bool,
}

impl Default for Fields {
    fn default() -> Self {
        Self { data: "data", entity: "entity_key", number: "seq", first: 1, gaps_are_fine: false }
    }
}

/// Told of every request when its body has come: the id, the body and the moment of its head.
pub type OnArrival = Arc<dyn Fn(&str, &[u8], Instant) + Send + Sync>;

/// How it behaves.
#[derive(Clone, Default)]
pub struct Options {
    pub seed: u64,
    pub faults: Faults,
    pub fields: Fields,
    /// True: every request is answered with 204 at once, and nothing is remembered.
    pub plain: bool,
    pub on_arrival: Option<OnArrival>,
}

/// A running receiver; it ends when dropped.
pub struct Receiver {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

struct Shared {
    book: Mutex<Book>,
    faults: Mutex<(Faults, Chance)>,
    plain: bool,
    on_arrival: Option<OnArrival>,
    received: AtomicU64,
    dealt: AtomicU64,
    in_flight: AtomicU64,
    in_flight_max: AtomicU64,
}

impl Receiver {
    /// Starts on a free port of this machine.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start(options: Options) -> std::io::Result<Self> {
        Self::listen(SocketAddr::from(([127, 0, 0, 1], 0)), options).await
    }

    /// Starts at an address.
    ///
    /// # Errors
    /// When it cannot be had.
    pub async fn listen(address: SocketAddr, options: Options) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            book: Mutex::new(Book::new(options.fields)),
            faults: Mutex::new((options.faults, Chance::new(options.seed))),
            plain: options.plain,
            on_arrival: options.on_arrival,
            received: AtomicU64::new(0),
            dealt: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            in_flight_max: AtomicU64::new(0),
        });
        let accepting = tokio::spawn(server::accept(listener, shared.clone()));
        Ok(Self { shared, address, accepting })
    }

    /// Where webhooks go.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on these misfortunes.
    pub fn set_faults(&self, faults: Faults) {
        self.shared.faults().0 = faults;
    }

    /// What was seen so far.
    pub fn report(&self) -> Report {
        let book = self.shared.book();
        Report {
            received: self.shared.received.load(Relaxed),
            faults: self.shared.dealt.load(Relaxed),
            in_flight: self.shared.in_flight.load(Relaxed),
            in_flight_max: self.shared.in_flight_max.load(Relaxed),
            entities: book.entities() as u64,
            ..book.report.clone()
        }
    }

    /// Of each entity the numbers in the order in which they were applied.
    pub fn sequences(&self) -> BTreeMap<String, Vec<u64>> {
        self.shared.book().sequences()
    }

    /// Until the process ends.
    pub async fn run(mut self) {
        let _ended = (&mut self.accepting).await;
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("nobody panics with the lock")
    }

    fn faults(&self) -> MutexGuard<'_, (Faults, Chance)> {
        self.faults.lock().expect("nobody panics with the lock")
    }

    /// What the request that has just come shall meet.
    fn deal(&self) -> Option<(Fault, Faults)> {
        let mut guard = self.faults();
        let (faults, chance) = &mut *guard;
        if faults.permille == 0 || faults.kinds.is_empty() || !chance.happens(faults.permille) {
            return None;
        }
        let which = chance.below(faults.kinds.len() as u64);
        let fault = faults.kinds[usize::try_from(which).expect("a small number")];
        self.dealt.fetch_add(1, Relaxed);
        Some((fault, faults.clone()))
    }
}
