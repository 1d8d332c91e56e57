//! Answers shared between nodes, in Redis: it may be slow, empty, back from an old dump, or full of
//! somebody else's bytes; answers stay right.
//!
//! An entry's key is made of what was asked and the versions, under a secret that lies in the
//! database: another database's entries, or those of another life of this one, are not found. An
//! entry carries a code over its key and its bytes under the same secret, so that nothing but what
//! a node stored under just this key is taken. Every call has a budget; after calls that failed in
//! a row Redis is left alone for a while, and the connection is made anew. No request waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisError};
use runout_store::{Db, Error, Statement};
use sha2::Sha256;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::timeout;

use super::breaker::{Breaker, PAUSE, Turn};
use super::figures::Counts;
use crate::platform::config::Cache as Settings;
use crate::platform::seal::{self, Opened, Sealer};
use crate::platform::sql::INCARNATION;
use crate::platform::tls;

/// What every key begins with, so that Redis can be shared and its rights be given by pattern.
const PREFIX: &[u8] = b"runout:answer:";
/// Seconds after which Redis drops an entry that nobody replaced: its versions are long gone.
const EXPIRY_S: u64 = 600;
/// Entries on their way to Redis at the same time; more are not stored.
const STORING_MAX: usize = 64;
/// Bytes of an entry; a longer one is not stored, and of what lies in Redis no more is read.
const ENTRY_BYTES_MAX: usize = 1 << 20;
/// Bytes of an entry's code.
const CODE_BYTES: usize = 16;
/// How long one attempt to connect may take, with the first sign of life.
const CONNECT_MAX: Duration = Duration::from_millis(250);
const _: () = assert!(CONNECT_MAX.as_millis() < PAUSE.as_millis(), "one attempt at a time");

/// The address of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place([u8; PREFIX.len() + 32]);

/// See the module.
#[derive(Clone)]
pub(super) struct Shared(Arc<Parts>);

struct Parts {
    client: redis::Client,
    budget: Duration,
    breaker: Breaker<MultiplexedConnection>,
    sealer: Sealer,
    secret: OnceCell<Opened>,
    storing: Arc<Semaphore>,
    counts: Arc<Counts>,
    /// Operators have been told that Redis is left out.
    told: AtomicBool,
}

/// What can go wrong with a call.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Redis(#[from] RedisError),
    #[error("no answer within the budget")]
    Late(#[from] tokio::time::error::Elapsed),
    #[error("an entry was not what a node stored there")]
    Corrupt,
}

/// Makes sense of the address.
///
/// # Errors
/// What is wrong, without the address, in which there may be a password.
pub(crate) fn client(url: &str) -> Result<redis::Client, String> {
    tls::install_provider();
    let wrong = "cache.redis_url must be redis://HOST:PORT/DB, or rediss://HOST:PORT/DB with TLS";
    redis::Client::open(url).map_err(|_| wrong.to_owned())
}

impl Shared {
    /// None without an address, or with one that cannot be understood. Begins to connect, in an
    /// asynchronous context.
    pub(super) fn new(settings: &Settings, sealer: Sealer, counts: Arc<Counts>) -> Option<Self> {
        let url = settings.redis_url.as_ref()?;
        let client = client(url.expose())
            .map_err(|error| tracing::error!(error, "Redis is not used"))
            .ok()?;
        let shared = Self(Arc::new(Parts {
            client,
            budget: settings.redis_budget(),
            breaker: Breaker::new(Instant::now()),
            sealer,
            secret: OnceCell::new(),
            storing: Arc::new(Semaphore::new(STORING_MAX)),
            counts,
            told: AtomicBool::new(false),
        }));
        if tokio::runtime::Handle::try_current().is_ok() {
            let _connecting = shared.connection();
        }
        Some(shared)
    }

    pub(super) fn is_up(&self) -> bool {
        self.0.breaker.is_up()
    }

    /// Where the answer to what `asked` describes lies; None while the database does not tell.
    pub(super) async fn place(&self, db: &Db, asked: &[&[u8]]) -> Option<Place> {
        let secret = self.0.secret.get_or_try_init(|| read_secret(db, &self.0.sealer)).await;
        let secret = secret.map_err(|error| tracing::warn!(%error, "Redis is left out")).ok()?;
        let mut code = mac(secret.expose());
        for part in asked {
            code.update(&(part.len() as u64).to_be_bytes());
            code.update(part);
        }
        let mut place = [0; PREFIX.len() + 32];
        place[..PREFIX.len()].copy_from_slice(PREFIX);
        place[PREFIX.len()..].copy_from_slice(&code.finalize().into_bytes());
        Some(Place(place))
    }

    /// What is stored there, if it is, in time and unharmed.
    pub(super) async fn get(&self, place: Place) -> Option<Bytes> {
        let counts = &self.0.counts;
        let Some((number, mut connection)) = self.connection() else {
            counts.left_out.add_one();
            return None;
        };
        let mut command = redis::cmd("GETRANGE");
        command.arg(&place.0[..]).arg(0).arg(ENTRY_BYTES_MAX);
        let call = command.query_async::<Vec<u8>>(&mut connection);
        let ended = match timeout(self.0.budget, call).await {
            Ok(Ok(entry)) if entry.is_empty() => {
                counts.missing.add_one();
                Ok(None)
            }
            Ok(Ok(entry)) => match self.open(place, entry) {
                Some(answer) => {
                    counts.found.add_one();
                    Ok(Some(answer))
                }
                None => {
                    counts.corrupt.add_one();
                    Err(Failure::Corrupt)
                }
            },
            Ok(Err(error)) => Err(error.into()),
            Err(late) => Err(late.into()),
        };
        self.ended(number, ended).flatten()
    }

    /// Stores an answer, when there is time; whoever made it does not wait.
    pub(super) fn put(&self, place: Place, answer: &Bytes) {
        if answer.len() + CODE_BYTES > ENTRY_BYTES_MAX || !self.is_up() {
            return;
        }
        let Ok(permit) = Arc::clone(&self.0.storing).try_acquire_owned() else { return };
        let (shared, answer) = (self.clone(), answer.clone());
        tokio::spawn(async move {
            let entry = shared.sealed(place, &answer);
            if let Some((number, mut connection)) = shared.connection() {
                let mut command = redis::cmd("SET");
                command.arg(&place.0[..]).arg(entry).arg("EX").arg(EXPIRY_S);
                let call = command.query_async::<()>(&mut connection);
                let ended = match timeout(shared.0.budget, call).await {
                    Ok(ended) => ended.map_err(Failure::from),
                    Err(late) => Err(late.into()),
                };
                if shared.ended(number, ended).is_some() {
                    shared.0.counts.stored.add_one();
                }
            }
            drop(permit);
        });
    }

    /// The connection, if Redis is not left alone. If it is time to connect, a task does that.
    fn connection(&self) -> Option<(u64, MultiplexedConnection)> {
        match self.0.breaker.turn(Instant::now()) {
            Turn::Call(number, connection) => return Some((number, connection)),
            Turn::Leave => {}
            Turn::Connect => {
                let shared = self.clone();
                tokio::spawn(async move { shared.connect().await });
            }
        }
        None
    }

    async fn connect(&self) {
        let parts = &self.0;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_MAX))
            .set_response_timeout(Some(CONNECT_MAX));
        let alive = async {
            let client = &parts.client;
            let mut made = client.get_multiplexed_async_connection_with_config(&config).await?;
            redis::cmd("PING").query_async::<()>(&mut made).await?;
            Ok::<_, RedisError>(made)
        };
        let ended = match timeout(CONNECT_MAX, alive).await {
            Ok(ended) => ended.map_err(Failure::from),
            Err(late) => Err(late.into()),
        };
        match ended {
            Ok(connection) => {
                parts.breaker.connected(connection);
                parts.told.store(false, Ordering::Relaxed);
                tracing::info!("answers are shared in Redis");
            }
            Err(error) => self.tell(&error),
        }
    }

    /// Once per outage.
    fn tell(&self, error: &Failure) {
        if !self.0.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "Redis is left out until it is well: each node keeps its own");
        }
    }

    /// Tells the breaker how a call ended.
    fn ended<T>(&self, number: u64, ended: Result<T, Failure>) -> Option<T> {
        let parts = &self.0;
        match ended {
            Ok(value) => {
                parts.breaker.succeeded(number);
                Some(value)
            }
            Err(error) => {
                if !matches!(error, Failure::Corrupt) {
                    parts.counts.failed.add_one();
                }
                if parts.breaker.failed(number, Instant::now()) {
                    self.tell(&error);
                }
                None
            }
        }
    }

    fn sealed(&self, place: Place, answer: &[u8]) -> Vec<u8> {
        let code = self.code(place, answer).finalize().into_bytes();
        let mut entry = Vec::with_capacity(CODE_BYTES + answer.len());
        entry.extend_from_slice(&code[..CODE_BYTES]);
        entry.extend_from_slice(answer);
        entry
    }

    fn open(&self, place: Place, entry: Vec<u8>) -> Option<Bytes> {
        let (code, answer) = entry.split_at_checked(CODE_BYTES)?;
        self.code(place, answer).verify_truncated_left(code).ok()?;
        Some(Bytes::from(entry).slice(CODE_BYTES..))
    }

    fn code(&self, place: Place, answer: &[u8]) -> Hmac<Sha256> {
        let secret = self.0.secret.get().expect("a place is made with the secret");
        let mut code = mac(secret.expose());
        code.update(&place.0);
        code.update(answer);
        code
    }
}

fn mac(secret: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).expect("a key may have any length")
}

async fn read_secret(db: &Db, sealer: &Sealer) -> Result<Opened, Error> {
    let statement = Statement::new(&INCARNATION, Vec::new());
    let sealed = db.read_one(statement, |row| row.get::<String>(0)).await?;
    let missing = || Error::Decode { column: 0, reason: "no secret for answers".to_owned() };
    let place = seal::Place::new("signing_secret", "secret", "answers");
    Ok(sealer.open(&place, &sealed.ok_or_else(missing)?)?)
}
