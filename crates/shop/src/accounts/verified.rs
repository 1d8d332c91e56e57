//! Remembers who has proved who they are, for at most [`CACHED_MAX`], under the SHA-256 of what
//! they proved it with, never the secret itself.
//!
//! Each entry carries the epoch that was read before its database read. Whatever may end a token or
//! a session (revocation, deactivation, another role or password) moves the epoch on after its
//! commit, which makes every earlier entry worthless, those of lookups in flight included.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use moka::sync::Cache;
use runout_store::Error;

/// How long a proof is trusted without asking the database again.
pub const CACHED_MAX: Duration = Duration::from_secs(1);
/// Proofs that are remembered.
const ENTRIES_MAX: u64 = 100_000;

/// SHA-256 of a secret: what is stored and looked up.
pub(super) type SecretHash = [u8; 32];

/// Somebody, and until when at most.
#[derive(Debug)]
pub(super) struct Proved<T> {
    pub(super) who: Arc<T>,
    pub(super) until: Timestamp,
}

struct Entry<T> {
    proved: Proved<T>,
    /// When the database was asked, not when it had answered.
    read_at: Instant,
    epoch: u64,
}

/// See the module.
pub(super) struct Verified<T: Send + Sync + 'static> {
    entries: Cache<SecretHash, Arc<Entry<T>>>,
    epoch: AtomicU64,
}

impl<T: Send + Sync + 'static> Default for Verified<T> {
    fn default() -> Self {
        // moka's own time to live keeps the memory small; `read_at` is what the promise rests on.
        let entries = Cache::builder().max_capacity(ENTRIES_MAX).time_to_live(CACHED_MAX).build();
        Self { entries, epoch: AtomicU64::new(0) }
    }
}

impl<T: Send + Sync + 'static> Verified<T> {
    /// Forgets everybody, also those that are being looked up at the moment. To be called after the
    /// commit of what ends a token or a session.
    pub(super) fn forget_all(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// Whoever has this secret, if it works at this moment; `read` asks the database.
    pub(super) async fn identify(
        &self,
        hash: SecretHash,
        now: Timestamp,
        read: impl Future<Output = Result<Option<Proved<T>>, Error>>,
    ) -> Result<Option<Arc<T>>, Error> {
        let proved = match self.get(&hash) {
            Some(proved) => proved,
            None => {
                let (epoch, read_at) = (self.epoch.load(Ordering::SeqCst), Instant::now());
                let Some(proved) = read.await? else { return Ok(None) };
                let entry = Entry {
                    proved: Proved { who: Arc::clone(&proved.who), until: proved.until },
                    read_at,
                    epoch,
                };
                self.entries.insert(hash, Arc::new(entry));
                proved
            }
        };
        Ok((proved.until > now).then_some(proved.who))
    }

    fn get(&self, hash: &SecretHash) -> Option<Proved<T>> {
        let found = self.entries.get(hash)?;
        let current = found.epoch == self.epoch.load(Ordering::SeqCst);
        let fresh = current && found.read_at.elapsed() < CACHED_MAX;
        let who = || Arc::clone(&found.proved.who);
        fresh.then(|| Proved { who: who(), until: found.proved.until })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(epoch: u64) -> Entry<i64> {
        let proved = Proved { who: Arc::new(7), until: Timestamp::MAX };
        Entry { proved, read_at: Instant::now(), epoch }
    }

    #[test]
    fn forgetting_holds_against_a_lookup_in_flight() {
        let verified = Verified::default();
        let epoch_of_the_lookup = verified.epoch.load(Ordering::SeqCst);
        verified.forget_all();
        verified.entries.insert([1; 32], Arc::new(entry(epoch_of_the_lookup)));
        assert!(verified.get(&[1; 32]).is_none());
        verified.entries.insert([1; 32], Arc::new(entry(epoch_of_the_lookup + 1)));
        assert!(verified.get(&[1; 32]).is_some());
    }

    #[test]
    fn an_entry_is_trusted_for_a_second_from_its_read() {
        let verified = Verified::default();
        for (age, trusted) in [(0, true), (900, true), (1_000, false), (1_500, false)] {
            let is_trusted = loop {
                let mut entry = entry(0);
                entry.read_at -= Duration::from_millis(age);
                let read_at = entry.read_at;
                verified.entries.insert([1; 32], Arc::new(entry));
                let is_trusted = verified.get(&[1; 32]).is_some();
                // Who was interrupted for long has looked at an older one than was meant.
                if is_trusted == trusted || read_at.elapsed() < CACHED_MAX {
                    break is_trusted;
                }
                assert!(trusted, "{age} ms");
            };
            assert_eq!(is_trusted, trusted, "{age} ms");
        }
    }
}
