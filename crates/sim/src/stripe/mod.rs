//! A stand-in for Stripe that is as unkind as the real one can be.
//!
//! It speaks the calls that the shop makes, honours idempotency keys as Stripe does (the same key
//! gives the same answer, errors of its own included; with another body it is refused), and keeps a
//! ledger of what it really charged and refunded. Misfortunes are ordered for single requests
//! ([`HostileStripe::inject`]) or come by chance from a seed ([`Options::fault_permille`]).
//! Webhooks are fetched and delivered by the test, or sent by itself: several times and in any
//! order.

mod account;
mod cards;
mod events;
mod fault;
mod server;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use runout_shop::platform::clock::Clock;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::chance::Chance;

pub use account::Entry;
pub use events::{Destination, Event};
pub use fault::Fault;

use account::{Account, Form, Refusal};

/// How it behaves.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub seed: u64,
    /// Of a thousand requests this many meet a misfortune, by chance.
    pub fault_permille: u32,
    /// What objects and signatures are dated by.
    pub clock: Clock,
    /// Where webhooks are sent; none: they wait for [`HostileStripe::take_events`].
    pub destination: Option<Destination>,
}

/// A running stand-in; it ends when dropped.
pub struct HostileStripe {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

struct Shared {
    inner: Mutex<Inner>,
    clock: Clock,
    fault_permille: AtomicU32,
    destination: Option<Destination>,
    http: reqwest::Client,
}

struct Inner {
    account: Account,
    /// Fingerprint of the request, status and body of the answer.
    keys: HashMap<String, (String, u16, Value)>,
    /// For requests that change something, and for those that ask.
    faults: VecDeque<Fault>,
    read_faults: VecDeque<Fault>,
    chance: Chance,
    requests: u64,
    events: u64,
}

impl HostileStripe {
    /// Starts on a free port of this machine.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start(options: Options) -> io::Result<Self> {
        Self::listen(SocketAddr::from(([127, 0, 0, 1], 0)), options).await
    }

    /// Starts at an address.
    ///
    /// # Errors
    /// When it cannot be had.
    pub async fn listen(address: SocketAddr, options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let http = http_client();
        let inner = Inner {
            account: Account::default(),
            keys: HashMap::new(),
            faults: VecDeque::new(),
            read_faults: VecDeque::new(),
            chance: Chance::new(options.seed),
            requests: 0,
            events: 0,
        };
        let shared = Arc::new(Shared {
            inner: Mutex::new(inner),
            clock: options.clock,
            fault_permille: options.fault_permille.into(),
            destination: options.destination,
            http,
        });
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self { shared, address, accepting })
    }

    /// Where it is, for `RUNOUT_STRIPE_API_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Until the process ends.
    pub async fn run(mut self) {
        let _ended = (&mut self.accepting).await;
    }

    /// The next request that changes something meets this; several stand in line.
    pub fn inject(&self, fault: Fault) {
        self.shared.inner().faults.push_back(fault);
    }

    /// The next request that only asks meets this.
    pub fn inject_read(&self, fault: Fault) {
        self.shared.inner().read_faults.push_back(fault);
    }

    /// From now on so many of a thousand requests meet a misfortune.
    pub fn set_fault_permille(&self, permille: u32) {
        self.shared.fault_permille.store(permille, Relaxed);
    }

    /// Requests that came, whatever became of them.
    pub fn requests(&self) -> u64 {
        self.shared.inner().requests
    }

    /// Confirms a payment with a card, as the buyer's browser does. Gives the payment, or the
    /// error.
    ///
    /// # Errors
    /// The error object.
    pub fn confirm(&self, provider_id: &str, card: &str) -> Result<Value, Value> {
        let form = Form::from([("payment_method".to_owned(), card.to_owned())]);
        self.act(|account| account.confirm(provider_id, &form))
    }

    /// Ends a payment that is processing, or that the buyer's bank asks about.
    ///
    /// # Errors
    /// The error object.
    pub fn settle(&self, provider_id: &str, success: bool) -> Result<Value, Value> {
        self.act(|account| account.settle(provider_id, success))
    }

    /// From now on refunds take their time, until they are settled.
    pub fn let_refunds_pend(&self) {
        self.shared.inner().account.refunds_pend = true;
    }

    /// A bank refuses a refund that was said to have succeeded.
    ///
    /// # Errors
    /// The error object.
    pub fn bounce_refund(&self, provider_id: &str) -> Result<Value, Value> {
        self.act(|account| account.bounce_refund(provider_id))
    }

    /// Ends a refund that is pending.
    ///
    /// # Errors
    /// The error object.
    pub fn settle_refund(&self, provider_id: &str, success: bool) -> Result<Value, Value> {
        self.act(|account| account.settle_refund(provider_id, success))
    }

    /// Somebody at the provider refunds a payment there, past the shop: all that is left of it.
    ///
    /// # Errors
    /// The error object.
    pub fn refund(&self, provider_id: &str) -> Result<Value, Value> {
        let form = Form::from([("payment_intent".to_owned(), provider_id.to_owned())]);
        let now = self.shared.clock.now().as_second();
        self.act(|account| account.refund(&form, now))
    }

    fn act(
        &self,
        action: impl FnOnce(&mut Account) -> Result<Value, Refusal>,
    ) -> Result<Value, Value> {
        let outcome = action(&mut self.shared.inner().account);
        self.shared.send_events();
        outcome.map_err(|Refusal(_, error)| error)
    }

    /// What really happened to the money, by the payments' names.
    pub fn ledger(&self) -> BTreeMap<String, Entry> {
        self.shared.ledger()
    }

    /// Customers that were made.
    pub fn customers(&self) -> usize {
        self.shared.inner().account.customers()
    }

    /// The events since the last call, in their order. The test signs and delivers them, as often
    /// and in whatever order it likes.
    pub fn take_events(&self) -> Vec<Event> {
        self.shared.take_events()
    }
}

impl Drop for HostileStripe {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nobody panics with the lock")
    }

    fn ledger(&self) -> BTreeMap<String, Entry> {
        self.inner().account.ledger()
    }

    /// What the request that has just come shall meet.
    fn fault(&self, has_effect: bool) -> Option<Fault> {
        let mut inner = self.inner();
        inner.requests += 1;
        let ordered = match has_effect {
            true => inner.faults.pop_front(),
            false => inner.read_faults.pop_front(),
        };
        if ordered.is_some() || !inner.chance.happens(self.fault_permille.load(Relaxed)) {
            return ordered;
        }
        let which = inner.chance.below(Fault::TRANSIENT.len() as u64);
        Some(Fault::TRANSIENT[usize::try_from(which).expect("a small number")])
    }

    fn take_events(&self) -> Vec<Event> {
        let mut inner = self.inner();
        let created = self.clock.now().as_second();
        let happened = std::mem::take(&mut inner.account.events);
        happened
            .into_iter()
            .map(|(kind, object)| {
                inner.events += 1;
                Event::new(inner.events, kind, &object, created)
            })
            .collect()
    }

    /// Sends what has happened, if webhooks go anywhere.
    fn send_events(&self) {
        let Some(destination) = &self.destination else { return };
        for event in self.take_events() {
            let copies = 1 + self.inner().chance.below(destination.copies_max);
            for _ in 0..copies {
                let delay_max = u64::try_from(destination.delay_max.as_micros()).unwrap_or(0);
                let delay = Duration::from_micros(self.inner().chance.below(delay_max + 1));
                let at = self.clock.now().as_second();
                let request = self
                    .http
                    .post(&destination.url)
                    .header("content-type", "application/json")
                    .header("stripe-signature", event.signature(&destination.secret, at))
                    .body(event.body.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    if let Err(error) = request.send().await {
                        eprintln!("a webhook was not delivered: {error}");
                    }
                });
            }
        }
    }
}

/// For webhooks, to this machine: without TLS.
fn http_client() -> reqwest::Client {
    runout_shop::platform::tls::install_provider();
    reqwest::Client::builder()
        .tls_certs_only([])
        .timeout(Duration::from_secs(10))
        .build()
        .expect("a client without TLS can always be made")
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // They end with the stand-in.
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else { continue };
        let shared = shared.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| server::handle(shared.clone(), request));
            let connection = hyper::server::conn::http1::Builder::new();
            // A connection that was cut on purpose ends with an error.
            let _ended = connection.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
