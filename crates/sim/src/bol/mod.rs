//! A stand-in for the bol.com Retailer API, version 10, with a referee.
//!
//! It speaks the calls that a channel needs (tokens, the list of shipments, their details, shipping
//! and its process), limits them in one of four ways per client and endpoint, and goes wrong by
//! seed: slow networks, errors, silences, moving pages, tokens that end early. The referee counts
//! what every client did beside what it could have done.
//!
//! Time is simulated, and can go faster than the real one: limits, tokens, dates and delays follow
//! it. Shipments are made on the fly from the seed, so that a thousand accounts of thousands of
//! shipments need no room.

mod act;
mod answer;
mod channel;
mod clock;
mod control;
mod limit;
#[cfg(test)]
mod limit_tests;
mod market;
mod meter;
mod options;
mod referee;
mod server;
mod shape;
#[cfg(test)]
mod shape_tests;
mod ship;
mod token;
mod trouble;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use channel::Channel;
use clock::{SimClock, moment};
use market::Place;

pub use act::{Act, DownMode};
pub use limit::{Limit, LimitKind};
pub use market::{Goods, Method};
pub use meter::Usage;
pub use options::{
    Arrivals, Delay, Endpoint, Faults, Headers, Limits, Options, Process, ResetField, RetryField,
    Settings, Tokens,
};
pub use referee::{Counts, KeyReport, Report};
pub use trouble::Fault;

/// A running stand-in; it ends when dropped.
pub struct BolSim {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

struct Shared {
    seed: u64,
    goods: Goods,
    clock: SimClock,
    settings: RwLock<Settings>,
    channels: Vec<Mutex<Channel>>,
    /// What clients did that nobody knows.
    strangers: Mutex<Counts>,
    /// Until when the provider is down, and how.
    down: Mutex<Option<(u64, DownMode)>>,
    /// What the next calls meet.
    injected: Mutex<VecDeque<Fault>>,
    requests: AtomicU64,
}

impl BolSim {
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
        let shared = Arc::new(Shared::new(options));
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self { shared, address, accepting })
    }

    /// Where it is: for `RUNOUT_BOL_API_URL`, and for `RUNOUT_BOL_LOGIN_URL` as well.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Until the process ends.
    pub async fn run(mut self) {
        let _ended = (&mut self.accepting).await;
    }

    /// The simulated time.
    pub fn now(&self) -> Timestamp {
        moment(self.shared.clock.now_us())
    }

    /// Simulated seconds per real second.
    pub fn scale(&self) -> u32 {
        self.shared.clock.scale()
    }

    /// Lets simulated time pass at once.
    pub fn advance(&self, by: Duration) {
        self.shared.clock.leap(u64::try_from(by.as_micros()).expect("a span of some years"));
    }

    /// An account's client id and secret.
    ///
    /// # Panics
    /// When there are not so many accounts.
    pub fn credentials(&self, channel: u32) -> (String, String) {
        let _there = self.shared.channel(channel);
        let seed = self.shared.seed;
        (token::client_id(seed, channel), token::client_secret(seed, channel))
    }

    pub fn settings(&self) -> Settings {
        self.shared.settings()
    }

    /// Changes the settings. Limits that differ from the former settings' are set for all accounts.
    pub fn change(&self, with: impl FnOnce(&mut Settings)) {
        let mut settings = self.shared.settings();
        with(&mut settings);
        self.shared.set(settings);
    }

    /// Does something to an account.
    pub fn act(&self, channel: u32, act: &Act) {
        self.shared.act(&[channel], act);
    }

    /// The next call that a limiter admits meets this; several stand in line.
    pub fn inject(&self, fault: Fault) {
        self.shared.injected.lock().expect(UNPOISONED).push_back(fault);
    }

    /// Ids of all shipments that an account has now, oldest number first; those too whose detail
    /// is gone.
    pub fn shipment_ids(&self, channel: u32) -> Vec<String> {
        self.shared.shipment_ids(channel)
    }

    /// What the detail of a shipment is now; none if it is not there.
    pub fn shipment(&self, id: &str) -> Option<Value> {
        self.shared.shipment(id)
    }

    /// What the referee has counted.
    pub fn report(&self) -> Report {
        self.shared.report(false)
    }

    /// What one client did.
    pub fn client(&self, channel: u32) -> KeyReport {
        self.shared.channel(channel).report(self.shared.seed)
    }

    /// The referee counts anew. Which details were given out is remembered.
    pub fn reset_report(&self) {
        self.shared.reset_report();
    }
}

impl Drop for BolSim {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

const UNPOISONED: &str = "nobody panics with the lock";

impl Shared {
    fn new(options: Options) -> Self {
        let Options { seed, channels, shipments, scale, now, goods, settings } = options;
        let clock = SimClock::start(now, scale);
        let origin = clock.origin_us();
        let channel =
            |number| Mutex::new(Channel::new(seed, number, shipments, &settings.limits, origin));
        Self {
            seed,
            channels: (0..channels).map(channel).collect(),
            goods,
            clock,
            settings: RwLock::new(settings),
            strangers: Mutex::default(),
            down: Mutex::default(),
            injected: Mutex::default(),
            requests: AtomicU64::new(0),
        }
    }

    fn settings(&self) -> Settings {
        self.settings.read().expect(UNPOISONED).clone()
    }

    fn set(&self, settings: Settings) {
        let former =
            std::mem::replace(&mut *self.settings.write().expect(UNPOISONED), settings.clone());
        for endpoint in Endpoint::ALL {
            let limit = settings.limits.of(endpoint);
            if limit != former.limits.of(endpoint) {
                for channel in &self.channels {
                    let mut channel = channel.lock().expect(UNPOISONED);
                    channel.change(endpoint, limit, self.clock.now_us());
                }
            }
        }
    }

    fn channel(&self, number: u32) -> MutexGuard<'_, Channel> {
        let channel = self.channels.get(number as usize).expect("there is this account");
        channel.lock().expect(UNPOISONED)
    }

    fn strangers(&self) -> MutexGuard<'_, Counts> {
        self.strangers.lock().expect(UNPOISONED)
    }

    fn place(&self, channel: u32) -> Place<'_> {
        Place { seed: self.seed, channel, origin_us: self.clock.origin_us(), goods: &self.goods }
    }

    fn shipment_ids(&self, number: u32) -> Vec<String> {
        let (place, settings) = (self.place(number), self.settings());
        let mut channel = self.channel(number);
        channel.catch_up(&place, &settings, self.clock.now_us());
        let is_there = |index: &u32| channel.stock.date(&place, *index).is_some();
        let there = (0..channel.stock.count()).filter(is_there);
        there.map(|index| place.name(index).id().to_string()).collect()
    }

    fn shipment(&self, id: &str) -> Option<Value> {
        let name = market::Name::of(id)?;
        let channel = self.channels.get(name.channel as usize)?.lock().expect(UNPOISONED);
        let found = channel.find(self.place(name.channel), name.index)?;
        (!found.is_ghost()).then(|| found.detail(self.clock.now_us()))
    }

    fn report(&self, with_keys: bool) -> Report {
        let keys = self.channels.iter();
        let keys = keys.map(|key| key.lock().expect(UNPOISONED).report(self.seed)).collect();
        let mut report = Report::of(keys, &self.strangers());
        if !with_keys {
            report.keys.clear();
        }
        report
    }

    fn reset_report(&self) {
        *self.strangers() = Counts::default();
        for channel in &self.channels {
            channel.lock().expect(UNPOISONED).reset_counts();
        }
    }
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
