//! Secrets that must be read again lie sealed in the database: XChaCha20-Poly1305 under a key that
//! lies outside of it.
//!
//! What always holds:
//! - A sealed value is `rs1.<key id>.<nonce and ciphertext, base64url>`: text, the same on both
//!   engines. The nonce is random, 24 bytes, drawn for every sealing.
//! - It opens in its own place alone: table, column and row are authenticated with it, so a value
//!   that was moved to another row is refused.
//! - The first key seals, all keys open. No key and nothing that was opened can be printed.
//!
//! Algorithm: draft-irtf-cfrg-xchacha, section 2; the key id is the first 8 hexadecimal digits of
//! the key's SHA-256.

mod file;
mod keys;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chacha20poly1305::XNonce;
use chacha20poly1305::aead::{Aead, Payload};
use zeroize::Zeroizing;

pub use keys::{Key, KeyError, Keys};

/// What every sealed value begins with.
pub const PREFIX: &str = "rs1.";
/// Characters of a key id.
pub const KEY_ID_CHARS: usize = 8;
/// Bytes of a nonce.
const NONCE_BYTES: usize = 24;
/// Bytes that authenticate a sealed value.
const TAG_BYTES: usize = 16;
/// The key file is looked at again after so long at the earliest.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where a sealed value lies. It opens nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    table: &'static str,
    column: &'static str,
    row: String,
}

impl Place {
    /// `row` is the primary key; of several columns, joined by `/`.
    pub fn new(table: &'static str, column: &'static str, row: impl fmt::Display) -> Self {
        Self { table, column, row: row.to_string() }
    }

    /// What is authenticated beside the secret: each part with its length, so that no two places
    /// say the same.
    fn data(&self) -> Vec<u8> {
        let mut data = PREFIX.as_bytes().to_vec();
        for part in [self.table, self.column, &self.row] {
            data.extend_from_slice(&(part.len() as u64).to_be_bytes());
            data.extend_from_slice(part.as_bytes());
        }
        data
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} of {}", self.table, self.column, self.row)
    }
}

/// Why a value was not opened. Names the place and the key's id, never a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("{0} is not sealed")]
    NotSealed(Place),
    #[error("{0} is damaged: it has not the form of a sealed value")]
    Malformed(Place),
    #[error("{place} is sealed with the key {key_id}, which is not among the keys given")]
    UnknownKey { place: Place, key_id: String },
    #[error("{0} does not open: it was changed, or sealed for another row")]
    DoesNotOpen(Place),
    #[error("{0} holds something else than what belongs there")]
    Unexpected(Place),
}

impl From<SealError> for runout_store::Error {
    fn from(error: SealError) -> Self {
        Self::Decode { column: 0, reason: error.to_string() }
    }
}

/// What was sealed. Overwritten when it is dropped, and not printed.
pub struct Opened {
    place: Place,
    bytes: Zeroizing<Vec<u8>>,
}

impl Opened {
    /// The secret itself. Whoever calls this answers for where it goes.
    pub fn expose(&self) -> &[u8] {
        &self.bytes
    }

    /// The secret, as text.
    ///
    /// # Errors
    /// When it is none.
    pub fn text(&self) -> Result<&str, SealError> {
        std::str::from_utf8(&self.bytes).map_err(|_| SealError::Unexpected(self.place.clone()))
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opened({}, [hidden])", self.place)
    }
}

/// True if the value has the form of a sealed one; whether it opens is another question.
pub fn is_sealed(value: &str) -> bool {
    value.starts_with(PREFIX)
}

/// Seals and opens. Cheap to clone.
#[derive(Clone)]
pub struct Sealer(Arc<Inner>);

struct Inner {
    keys: RwLock<Arc<Keys>>,
    /// Where the keys come from, if it is a file: it is read again when it has changed.
    file: Option<PathBuf>,
    /// When an unknown key was looked for last.
    looked: Mutex<Option<Instant>>,
    /// What [`Sealer::look`] saw last.
    seen: Mutex<Option<file::Stamp>>,
}

impl Sealer {
    /// Seals with the first of these keys; they stay as they are.
    pub fn new(keys: Keys) -> Self {
        Self::with(keys, None)
    }

    /// Seals with the first key of a file, which may change later.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        Ok(Self::with(file::read(path)?, Some(path.to_owned())))
    }

    /// As [`Sealer::from_file`]; where there is no file, one with a new key is made. The second
    /// value tells whether it was.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_file_or_new(path: &Path) -> Result<(Self, bool), KeyError> {
        let (keys, is_new) = file::read_or_create(path)?;
        Ok((Self::with(keys, Some(path.to_owned())), is_new))
    }

    fn with(keys: Keys, file: Option<PathBuf>) -> Self {
        let keys = RwLock::new(Arc::new(keys));
        let (looked, seen) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { keys, file, looked, seen }))
    }

    fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.0.keys.read().expect("no holder of this lock can panic"))
    }

    /// The file that the keys come from.
    pub fn file(&self) -> Option<&Path> {
        self.0.file.as_deref()
    }

    /// The ids of the keys: that of the one that seals first.
    pub fn key_ids(&self) -> Vec<String> {
        self.keys().iter().map(|key| key.id().to_owned()).collect()
    }

    /// What every value begins with that the first key has sealed.
    ///
    /// # Panics
    /// When there is no key.
    pub fn current_prefix(&self) -> String {
        format!("{PREFIX}{}.", self.keys().first().id())
    }

    /// Seals a secret for its place.
    ///
    /// # Panics
    /// When there is no key, or the operating system has no randomness.
    pub fn seal(&self, place: &Place, secret: &[u8]) -> String {
        let keys = self.keys();
        let key = keys.first();
        let mut bytes = vec![0; NONCE_BYTES];
        getrandom::fill(&mut bytes).expect("the operating system has randomness");
        let payload = Payload { msg: secret, aad: &place.data() };
        let sealed = key.cipher().encrypt(&nonce(&bytes), payload);
        bytes.extend(sealed.expect("a secret is shorter than 256 gigabytes"));
        format!("{PREFIX}{}.{}", key.id(), BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Opens what was sealed for this place. A key that is not known is looked for in the file, at
    /// most once a second.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn open(&self, place: &Place, sealed: &str) -> Result<Opened, SealError> {
        let malformed = || SealError::Malformed(place.clone());
        let rest =
            sealed.strip_prefix(PREFIX).ok_or_else(|| SealError::NotSealed(place.clone()))?;
        let (key_id, encoded) = rest.split_once('.').ok_or_else(malformed)?;
        if !is_key_id(key_id) {
            return Err(malformed());
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(encoded).map_err(|_| malformed())?;
        if bytes.len() < NONCE_BYTES + TAG_BYTES {
            return Err(malformed());
        }
        let keys = self.keys_with(key_id);
        let unknown = || SealError::UnknownKey { place: place.clone(), key_id: key_id.to_owned() };
        let key = keys.get(key_id).ok_or_else(unknown)?;
        let (drawn, ciphertext) = bytes.split_at(NONCE_BYTES);
        let payload = Payload { msg: ciphertext, aad: &place.data() };
        let opened = key.cipher().decrypt(&nonce(drawn), payload);
        let opened = opened.map_err(|_| SealError::DoesNotOpen(place.clone()))?;
        Ok(Opened { place: place.clone(), bytes: Zeroizing::new(opened) })
    }

    /// The keys; read again if this one is not among them.
    fn keys_with(&self, key_id: &str) -> Arc<Keys> {
        let keys = self.keys();
        if keys.get(key_id).is_some() || !self.may_look() {
            return keys;
        }
        if let Err(error) = self.reload() {
            tracing::error!(%error, "a secret is sealed with the key {key_id}, and the key file \
                cannot be read again");
        }
        self.keys()
    }

    /// True once per [`LOOK_EVERY`].
    fn may_look(&self) -> bool {
        let mut looked = self.0.looked.lock().expect("no holder of this lock can panic");
        let may = looked.is_none_or(|at| at.elapsed() >= LOOK_EVERY);
        if may {
            *looked = Some(Instant::now());
        }
        may
    }

    /// Reads the file again; keys that were given stay. True if other keys lie there now.
    ///
    /// # Errors
    /// [`KeyError`]; the keys stay as they were.
    pub fn reload(&self) -> Result<bool, KeyError> {
        let Some(path) = &self.0.file else { return Ok(false) };
        let found = file::read(path)?;
        if found.ids().eq(self.keys().ids()) {
            return Ok(false);
        }
        let key_ids: Vec<&str> = found.ids().collect();
        tracing::info!(?key_ids, path = %path.display(), "the key file has changed");
        *self.0.keys.write().expect("no holder of this lock can panic") = Arc::new(found);
        Ok(true)
    }

    /// Reads the file again if it is another one than at the last look.
    ///
    /// # Errors
    /// [`KeyError`], once for each file that cannot be used; the keys stay as they were.
    pub fn look(&self) -> Result<(), KeyError> {
        let Some(path) = &self.0.file else { return Ok(()) };
        let stamp = file::stamp(path);
        let mut seen = self.0.seen.lock().expect("no holder of this lock can panic");
        if seen.replace(stamp) == Some(stamp) {
            return Ok(());
        }
        drop(seen);
        self.reload().map(drop)
    }

    /// Puts a new key in front of those in the file, and seals with it from now on. Gives its id.
    ///
    /// # Errors
    /// [`KeyError`]; the file is then as it was.
    pub fn add_key(&self) -> Result<String, KeyError> {
        let path = self.0.file.as_deref().ok_or(KeyError::NoFile)?;
        let id = file::put_in_front(path, Key::generate()?)?;
        self.reload()?;
        Ok(id)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({})", self.key_ids().join(", "))
    }
}

fn is_key_id(text: &str) -> bool {
    let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == KEY_ID_CHARS && text.bytes().all(digit)
}

fn nonce(bytes: &[u8]) -> XNonce {
    let bytes: [u8; NONCE_BYTES] = bytes.try_into().expect("a nonce has its length");
    bytes.into()
}
