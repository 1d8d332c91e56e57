//! Keys: how they are written, and what they are called.

use std::fmt;
use std::path::PathBuf;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::KEY_ID_CHARS;

/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Keys that can be given: one that seals, and former ones.
const KEYS_MAX: usize = 64;

/// Why there are no keys. Names no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("there is no key file {0}")]
    Missing(PathBuf),
    #[error("the key file {path} cannot be used: {source}")]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{place}: {reason}")]
    Wrong { place: String, reason: String },
    #[error("the keys were given as a text, not as a file: put a new one in front yourself")]
    NoFile,
    #[error("the operating system has no randomness: {0}")]
    NoRandomness(getrandom::Error),
}

/// A key that seals and opens. Not printed.
pub struct Key {
    id: String,
    bytes: Zeroizing<[u8; KEY_BYTES]>,
    cipher: XChaCha20Poly1305,
}

impl Key {
    fn new(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let digest = Sha256::digest(bytes.as_slice());
        let mut id: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        id.truncate(KEY_ID_CHARS);
        let cipher = XChaCha20Poly1305::new((&*bytes).into());
        Self { id, bytes, cipher }
    }

    /// Makes a key out of the operating system's randomness.
    ///
    /// # Errors
    /// When there is none to be had.
    pub fn generate() -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(&mut *bytes).map_err(KeyError::NoRandomness)?;
        Ok(Self::new(bytes))
    }

    /// Reads 32 bytes in base64, in either alphabet, as `openssl rand -base64 32` writes them.
    fn parse(text: &str) -> Option<Self> {
        let plain: String = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
        let plain = Zeroizing::new(plain);
        let decoded = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(plain.as_bytes()).ok()?);
        let bytes: [u8; KEY_BYTES] = decoded.as_slice().try_into().ok()?;
        Some(Self::new(Zeroizing::new(bytes)))
    }

    /// What sealed values call it.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn cipher(&self) -> &XChaCha20Poly1305 {
        &self.cipher
    }

    /// The key as it is written. Whoever calls this answers for where it goes.
    pub(super) fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(*self.bytes))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, [hidden])", self.id)
    }
}

/// The keys of a shop: the first one seals, all of them open.
#[derive(Debug)]
pub struct Keys(Vec<Key>);

impl Keys {
    /// No key: nothing can be opened, or sealed.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// Reads keys, the one that seals first, set apart by commas or line breaks; what follows a `#`
    /// says nothing. `place` is where the text stands, for errors.
    ///
    /// # Errors
    /// [`KeyError::Wrong`], which has nothing of the text.
    pub fn parse(text: &str, place: &str) -> Result<Self, KeyError> {
        let wrong = |reason: String| KeyError::Wrong { place: place.to_owned(), reason };
        let said = text.lines().map(|line| line.split('#').next().unwrap_or_default());
        let texts = said.flat_map(|line| line.split(',')).map(str::trim);
        let mut keys: Vec<Key> = Vec::new();
        for (at, text) in texts.filter(|text| !text.is_empty()).enumerate() {
            let is_no_key = || {
                let advice = "openssl rand -base64 32 makes one";
                wrong(format!("key {} is not 32 bytes in base64: {advice}", at + 1))
            };
            let key = Key::parse(text).ok_or_else(is_no_key)?;
            if keys.iter().any(|other| other.id == key.id) {
                return Err(wrong(format!("key {} stands there twice ({})", at + 1, key.id)));
            }
            keys.push(key);
        }
        match keys.len() {
            0 => Err(wrong("there is no key: openssl rand -base64 32 makes one".to_owned())),
            1..=KEYS_MAX => Ok(Self(keys)),
            _ => Err(wrong(format!("there are more than {KEYS_MAX} keys: take old ones out"))),
        }
    }

    /// The key that seals.
    ///
    /// # Panics
    /// When there is none.
    pub(super) fn first(&self) -> &Key {
        self.0.first().expect("whoever seals has a key")
    }

    pub(super) fn get(&self, id: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.id == id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Key> {
        self.0.iter()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(Key::id)
    }
}
