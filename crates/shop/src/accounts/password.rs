//! Password hashing: argon2id, off the async threads, a few at a time.
//!
//! Each hash takes 19 MiB and some twenty milliseconds of a core by design, so at most
//! [`AT_ONCE_MAX`] run and at most [`WAITING_MAX`] requests wait; the rest are told to come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Hashes that are computed at the same time.
pub const AT_ONCE_MAX: usize = 2;
/// Requests that may wait for their turn.
pub const WAITING_MAX: usize = 1_000;
/// When a request that found the queue full should come back.
pub const RETRY_BUSY: Duration = Duration::from_secs(2);

/// Stored instead of a hash when an account has no password: no password fits it.
pub const UNUSABLE: &str = "!";

/// What a password hash costs whoever computes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordCost {
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
}

impl PasswordCost {
    /// OWASP's minimum for argon2id.
    pub const STRONG: Self = Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 };
}

/// Why no hash came out.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The queue is full; come back after [`RETRY_BUSY`].
    #[error("too many passwords are being checked")]
    Busy,
    #[error("hashing failed: {0}")]
    Hashing(String),
}

/// What a verification found.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Right {
        /// A new hash to store, if the stored one was made at another cost.
        rehash: Option<String>,
    },
    Wrong,
}

/// Hashes and verifies passwords.
pub struct Passwords {
    argon2: Argon2<'static>,
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    dummy: String,
}

/// The right to compute one hash now.
pub struct Turn(OwnedSemaphorePermit);

struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Passwords {
    /// # Panics
    /// When argon2 does not allow the cost: it is a constant of the program.
    pub fn new(cost: PasswordCost) -> Self {
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None);
        let params = params.expect("the cost is within argon2's bounds");
        let PasswordCost { memory_kib, passes, lanes } = cost;
        Self {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            turns: Arc::new(Semaphore::new(AT_ONCE_MAX)),
            waiting: AtomicUsize::new(0),
            // Costs as much as a real one to verify. Sixteen bytes of salt and an output of zeros,
            // which no password that anyone can find has.
            dummy: format!(
                "$argon2id$v=19$m={memory_kib},t={passes},p={lanes}$bm9ib2R5J3MgYWNjb3VudA${}",
                "A".repeat(43)
            ),
        }
    }

    /// Verifying against this costs what verifying against a real account costs, and always fails.
    pub fn dummy(&self) -> &str {
        &self.dummy
    }

    /// Waits for a turn to compute one hash.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] at once when the queue is full.
    pub async fn turn(&self) -> Result<Turn, PasswordError> {
        if let Ok(permit) = Arc::clone(&self.turns).try_acquire_owned() {
            return Ok(Turn(permit));
        }
        // Made first, so that a refused or cancelled request leaves the queue as well.
        let waiting = Waiting(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING_MAX {
            return Err(PasswordError::Busy);
        }
        let permit = Arc::clone(&self.turns).acquire_owned().await;
        drop(waiting);
        permit.map(Turn).map_err(|error| PasswordError::Hashing(error.to_string()))
    }

    /// The hash of a new password, as a PHC string.
    ///
    /// # Errors
    /// See [`PasswordError`].
    pub async fn hash(&self, turn: Turn, password: &str) -> Result<String, PasswordError> {
        let (argon2, password) = (self.argon2.clone(), password.to_owned());
        in_turn(turn, move || hash(&argon2, &password)).await
    }

    /// Compares a password with a stored hash. [`UNUSABLE`] costs as much and never fits.
    ///
    /// # Errors
    /// See [`PasswordError`]; a stored hash that cannot be read is one too.
    pub async fn verify(
        &self,
        turn: Turn,
        password: &str,
        stored: &str,
    ) -> Result<Verdict, PasswordError> {
        let argon2 = self.argon2.clone();
        let stored = if stored == UNUSABLE { &self.dummy } else { stored };
        let (password, stored) = (password.to_owned(), stored.to_owned());
        in_turn(turn, move || verify(&argon2, &password, &stored)).await
    }
}

/// Runs on a thread that may block. The turn ends with the work, even if the request has gone.
async fn in_turn<T: Send + 'static>(
    turn: Turn,
    work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
) -> Result<T, PasswordError> {
    let run = move || {
        let result = work();
        drop(turn.0);
        result
    };
    let done = tokio::task::spawn_blocking(run).await;
    done.map_err(|error| PasswordError::Hashing(error.to_string()))?
}

fn hash(argon2: &Argon2<'_>, password: &str) -> Result<String, PasswordError> {
    let hash: PasswordHash = argon2
        .hash_password(password.as_bytes())
        .map_err(|error| PasswordError::Hashing(error.to_string()))?;
    Ok(hash.to_string())
}

fn verify(argon2: &Argon2<'_>, password: &str, stored: &str) -> Result<Verdict, PasswordError> {
    let failed = |error: argon2::password_hash::Error| PasswordError::Hashing(error.to_string());
    let stored = PasswordHash::new(stored)
        .map_err(|error| PasswordError::Hashing(format!("unreadable hash: {error}")))?;
    match argon2.verify_password(password.as_bytes(), &stored) {
        Ok(()) => {}
        Err(argon2::password_hash::Error::PasswordInvalid) => return Ok(Verdict::Wrong),
        Err(error) => return Err(failed(error)),
    }
    let cost = Params::try_from(&stored).map_err(failed)?;
    let ours = argon2.params();
    let same = cost.m_cost() == ours.m_cost()
        && cost.t_cost() == ours.t_cost()
        && cost.p_cost() == ours.p_cost()
        && stored.algorithm.as_str() == Algorithm::Argon2id.as_str();
    let rehash = if same { None } else { Some(hash(argon2, password)?) };
    Ok(Verdict::Right { rehash })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: PasswordCost = PasswordCost { memory_kib: 8, passes: 1, lanes: 1 };
    const CHEAP_TOO: PasswordCost = PasswordCost { memory_kib: 16, passes: 1, lanes: 1 };

    async fn hashed(passwords: &Passwords, password: &str) -> String {
        passwords.hash(passwords.turn().await.expect("a turn"), password).await.expect("a hash")
    }

    async fn verdict(passwords: &Passwords, password: &str, stored: &str) -> Verdict {
        let turn = passwords.turn().await.expect("a turn");
        passwords.verify(turn, password, stored).await.expect("a verdict")
    }

    #[tokio::test]
    async fn a_hash_fits_its_password_only_and_is_salted() {
        let passwords = Passwords::new(CHEAP);
        let stored = hashed(&passwords, "correct horse").await;
        assert!(stored.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{stored}");
        assert_ne!(stored, hashed(&passwords, "correct horse").await);
        let right = Verdict::Right { rehash: None };
        assert_eq!(verdict(&passwords, "correct horse", &stored).await, right);
        assert_eq!(verdict(&passwords, "correct horsf", &stored).await, Verdict::Wrong);
    }

    #[tokio::test]
    async fn another_cost_asks_for_a_rehash() {
        let (old, new) = (Passwords::new(CHEAP), Passwords::new(CHEAP_TOO));
        let stored = hashed(&old, "correct horse").await;
        let Verdict::Right { rehash: Some(rehashed) } =
            verdict(&new, "correct horse", &stored).await
        else {
            panic!("a new hash is due");
        };
        let right = Verdict::Right { rehash: None };
        assert_eq!(verdict(&new, "correct horse", &rehashed).await, right);
    }

    #[tokio::test]
    async fn the_dummy_is_a_readable_hash_at_full_cost() {
        let passwords = Passwords::new(PasswordCost::STRONG);
        let dummy = PasswordHash::new(passwords.dummy()).expect("readable");
        let cost = Params::try_from(&dummy).expect("params");
        assert_eq!((cost.m_cost(), cost.t_cost(), cost.p_cost()), (19_456, 2, 1));
        assert_eq!(verdict(&passwords, "anything", passwords.dummy()).await, Verdict::Wrong);
        assert_eq!(verdict(&passwords, UNUSABLE, UNUSABLE).await, Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once_and_recovers() {
        let passwords = Arc::new(Passwords::new(CHEAP));
        let turns = [passwords.turn().await, passwords.turn().await];
        let waiters: Vec<_> = (0..WAITING_MAX)
            .map(|_| {
                let passwords = Arc::clone(&passwords);
                tokio::spawn(async move { passwords.turn().await.is_ok() })
            })
            .collect();
        while passwords.waiting.load(Ordering::Relaxed) < WAITING_MAX {
            tokio::task::yield_now().await;
        }
        assert!(matches!(passwords.turn().await, Err(PasswordError::Busy)));
        drop(turns);
        for waiter in waiters {
            assert!(waiter.await.expect("no panic"));
        }
        assert_eq!(passwords.waiting.load(Ordering::Relaxed), 0);
        assert!(passwords.turn().await.is_ok());
    }
}
