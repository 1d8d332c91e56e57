//! Signatures of webhooks, after Standard Webhooks 1.0.0: v1 (HMAC-SHA256 with a shared secret) and
//! v1a (ed25519, of which the receiver has the public key only).
//!
//! What always holds:
//! - What is signed is `id.timestamp.body`, byte for byte as it is sent.
//! - Secrets are shown by [`Secret::expose`] and by nothing else.
//! - While one secret takes over from another both sign, and the receiver takes either.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ring::hmac;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::Zeroizing;

const HMAC_PREFIX: &str = "whsec_";
const ED25519_PREFIX: &str = "whsk_";
const PUBLIC_PREFIX: &str = "whpk_";
/// Shortest and longest shared secret, in bytes.
const HMAC_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Of shared secrets that are made here.
const HMAC_BYTES_MADE: usize = 32;
/// Of the seed that an ed25519 secret key is written as.
const SEED_BYTES: usize = 32;
const PUBLIC_BYTES: usize = 32;

/// Reads base64 with and without padding, as others' programs write both.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How a secret signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretKind {
    /// v1: sender and receiver share the secret.
    Hmac,
    /// v1a: the receiver has the public key.
    Ed25519,
}

impl SecretKind {
    /// As the database and the API call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hmac => "hmac",
            Self::Ed25519 => "ed25519",
        }
    }
}

/// A text that is no secret or key of webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    #[error("it begins neither with whsec_ nor with whsk_")]
    Prefix,
    #[error("what follows the prefix is not base64")]
    Base64,
    #[error("it has the wrong length: 24 to 64 bytes are needed for whsec_, 32 for whsk_")]
    Length,
}

/// What signs a destination's messages; cheap to clone.
#[derive(Clone)]
pub struct Secret {
    bytes: Arc<Zeroizing<Vec<u8>>>,
    key: Key,
}

/// The same, ready for use.
#[derive(Clone)]
enum Key {
    Hmac(hmac::Key),
    Ed25519(Arc<Ed25519KeyPair>),
}

impl Secret {
    /// A new one, from the operating system's randomness.
    ///
    /// # Errors
    /// When there is none to be had.
    pub fn generate(kind: SecretKind) -> Result<Self, getrandom::Error> {
        let length = match kind {
            SecretKind::Hmac => HMAC_BYTES_MADE,
            SecretKind::Ed25519 => SEED_BYTES,
        };
        let mut bytes = Zeroizing::new(vec![0; length]);
        getrandom::fill(&mut bytes)?;
        Ok(Self::from_bytes(kind, bytes).expect("the length is right"))
    }

    fn from_bytes(kind: SecretKind, bytes: Zeroizing<Vec<u8>>) -> Result<Self, BadSecret> {
        let key = match kind {
            SecretKind::Hmac if HMAC_BYTES.contains(&bytes.len()) => {
                Key::Hmac(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
            }
            SecretKind::Hmac => return Err(BadSecret::Length),
            SecretKind::Ed25519 => {
                let pair = Ed25519KeyPair::from_seed_unchecked(&bytes);
                Key::Ed25519(Arc::new(pair.map_err(|_| BadSecret::Length)?))
            }
        };
        Ok(Self { bytes: Arc::new(bytes), key })
    }

    pub fn kind(&self) -> SecretKind {
        match self.key {
            Key::Hmac(_) => SecretKind::Hmac,
            Key::Ed25519(_) => SecretKind::Ed25519,
        }
    }

    /// The secret as its owner writes it, `whsec_...` or `whsk_...`. Whoever calls this answers for
    /// where it goes.
    pub fn expose(&self) -> Zeroizing<String> {
        let prefix = match self.key {
            Key::Hmac(_) => HMAC_PREFIX,
            Key::Ed25519(_) => ED25519_PREFIX,
        };
        let mut text = Zeroizing::new(prefix.to_owned());
        BASE64.encode_string(self.bytes.as_slice(), &mut text);
        text
    }

    /// What receivers verify with, if it is not the secret itself.
    pub fn public_key(&self) -> Option<PublicKey> {
        match &self.key {
            Key::Hmac(_) => None,
            Key::Ed25519(pair) => {
                let bytes = pair.public_key().as_ref().try_into();
                Some(PublicKey(bytes.expect("public keys of ed25519 have 32 bytes")))
            }
        }
    }

    /// Whether one of the signatures is this secret's.
    pub fn verifies(&self, signatures: &str, id: &str, timestamp_s: i64, body: &[u8]) -> bool {
        match &self.key {
            Key::Ed25519(_) => {
                self.public_key().is_some_and(|key| key.verifies(signatures, id, timestamp_s, body))
            }
            Key::Hmac(key) => {
                let signed = Signed::new(id, timestamp_s, body).whole();
                // In constant time.
                of_scheme(signatures, "v1,")
                    .any(|signature| hmac::verify(key, &signed, &signature).is_ok())
            }
        }
    }
}

impl FromStr for Secret {
    type Err = BadSecret;

    fn from_str(text: &str) -> Result<Self, BadSecret> {
        let (kind, encoded) = match text.strip_prefix(HMAC_PREFIX) {
            Some(encoded) => (SecretKind::Hmac, encoded),
            None => {
                (SecretKind::Ed25519, text.strip_prefix(ED25519_PREFIX).ok_or(BadSecret::Prefix)?)
            }
        };
        let bytes = BASE64.decode(encoded).map_err(|_| BadSecret::Base64)?;
        Self::from_bytes(kind, Zeroizing::new(bytes))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({}, [hidden])", self.kind().name())
    }
}

/// Verifies v1a signatures; written `whpk_...`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; PUBLIC_BYTES]);

impl PublicKey {
    /// Whether one of the signatures belongs to this key.
    pub fn verifies(&self, signatures: &str, id: &str, timestamp_s: i64, body: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, self.0);
        let signed = Signed::new(id, timestamp_s, body).whole();
        of_scheme(signatures, "v1a,").any(|signature| key.verify(&signed, &signature).is_ok())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC_PREFIX}{}", BASE64.encode(self.0))
    }
}

impl FromStr for PublicKey {
    type Err = BadSecret;

    fn from_str(text: &str) -> Result<Self, BadSecret> {
        let encoded = text.strip_prefix(PUBLIC_PREFIX).ok_or(BadSecret::Prefix)?;
        let bytes = BASE64.decode(encoded).map_err(|_| BadSecret::Base64)?;
        bytes.try_into().map(Self).map_err(|_| BadSecret::Length)
    }
}

/// The signatures of one scheme in a list.
fn of_scheme(signatures: &str, scheme: &str) -> impl Iterator<Item = Vec<u8>> {
    signatures
        .split(' ')
        .filter_map(move |signature| BASE64.decode(signature.strip_prefix(scheme)?).ok())
}

/// What is signed, in its parts.
struct Signed<'a> {
    head: String,
    body: &'a [u8],
}

impl<'a> Signed<'a> {
    fn new(id: &str, timestamp_s: i64, body: &'a [u8]) -> Self {
        // Otherwise one message could be cut in two ways.
        assert!(!id.contains('.'), "an id of webhooks has no full stop: {id}");
        Self { head: format!("{id}.{timestamp_s}."), body }
    }

    fn whole(&self) -> Vec<u8> {
        [self.head.as_bytes(), self.body].concat()
    }
}

/// The signatures of a message by every secret, as the header `webhook-signature` has them.
///
/// `timestamp_s` is the moment of the attempt, in seconds since 1970.
///
/// # Panics
/// If the id has a full stop.
pub fn sign(secrets: &[Secret], id: &str, timestamp_s: i64, body: &[u8]) -> String {
    let signed = Signed::new(id, timestamp_s, body);
    let mut list = String::with_capacity(secrets.len() * 96);
    for secret in secrets {
        if !list.is_empty() {
            list.push(' ');
        }
        match &secret.key {
            Key::Hmac(key) => {
                let mut context = hmac::Context::with_key(key);
                context.update(signed.head.as_bytes());
                context.update(signed.body);
                list.push_str("v1,");
                BASE64.encode_string(context.sign(), &mut list);
            }
            Key::Ed25519(pair) => {
                list.push_str("v1a,");
                BASE64.encode_string(pair.sign(&signed.whole()), &mut list);
            }
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    // Of the reference implementations' tests.
    const SHARED: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const SHARED_SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const PRIVATE: &str = "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=";
    const PRIVATE_SIGNATURE: &str = "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYU\
                                     uxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag==";

    fn secret(text: &str) -> Secret {
        text.parse().expect("a secret")
    }

    #[test]
    fn the_vectors_of_the_specification_hold() {
        let (shared, private) = (secret(SHARED), secret(PRIVATE));
        assert_eq!(sign(std::slice::from_ref(&shared), ID, AT, BODY), SHARED_SIGNATURE);
        assert_eq!(sign(std::slice::from_ref(&private), ID, AT, BODY), PRIVATE_SIGNATURE);
        let both = format!("{SHARED_SIGNATURE} {PRIVATE_SIGNATURE}");
        assert_eq!(sign(&[shared.clone(), private.clone()], ID, AT, BODY), both);
        assert!(shared.verifies(&both, ID, AT, BODY) && private.verifies(&both, ID, AT, BODY));
        assert_eq!(sign(&[], ID, AT, BODY), "");
    }

    #[test]
    fn whatever_is_changed_is_noticed() {
        for kind in [SecretKind::Hmac, SecretKind::Ed25519] {
            let secret = Secret::generate(kind).expect("randomness");
            let signature = sign(std::slice::from_ref(&secret), "evt_7", AT, BODY);
            assert!(secret.verifies(&signature, "evt_7", AT, BODY));
            assert!(!secret.verifies(&signature, "evt_8", AT, BODY));
            assert!(!secret.verifies(&signature, "evt_7", AT + 1, BODY));
            for at in 0..BODY.len() {
                let mut body = BODY.to_vec();
                body[at] ^= 1;
                assert!(!secret.verifies(&signature, "evt_7", AT, &body), "{kind:?} {at}");
            }
            let other = Secret::generate(kind).expect("randomness");
            assert!(!other.verifies(&signature, "evt_7", AT, BODY));
            for wrong in ["", "v1,", "v1a,", "v2,AAAA", "v1,!", &signature[..signature.len() / 2]] {
                assert!(!secret.verifies(wrong, "evt_7", AT, BODY), "{kind:?} {wrong}");
            }
        }
    }

    #[test]
    fn the_old_and_the_new_secret_sign_together() {
        let make = || Secret::generate(SecretKind::Hmac).expect("randomness");
        let (old, new) = (make(), make());
        let list = sign(&[new.clone(), old.clone()], "evt_1", AT, BODY);
        assert_eq!(list.split(' ').count(), 2);
        assert!(old.verifies(&list, "evt_1", AT, BODY) && new.verifies(&list, "evt_1", AT, BODY));
    }

    #[test]
    fn secrets_are_read_and_written() {
        for kind in [SecretKind::Hmac, SecretKind::Ed25519] {
            let made = Secret::generate(kind).expect("randomness");
            let again = secret(&made.expose());
            assert_eq!((made.kind(), again.kind(), again.expose()), (kind, kind, made.expose()));
            let key = again.public_key();
            assert_eq!(key.is_some(), kind == SecretKind::Ed25519);
            if let Some(key) = key {
                assert!(key.to_string().starts_with("whpk_"));
                assert_eq!(key.to_string().parse(), Ok(key));
                let signature = sign(&[made], "evt_1", AT, BODY);
                assert!(key.verifies(&signature, "evt_1", AT, BODY));
            }
        }
        assert_eq!(secret(SHARED.trim_end_matches('=')).expose().as_str(), SHARED);
        assert_eq!(secret(PRIVATE.trim_end_matches('=')).expose().as_str(), PRIVATE);
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        let encoded = |prefix: &str, length| format!("{prefix}{}", BASE64.encode(vec![7; length]));
        for (text, expected) in [
            (String::new(), BadSecret::Prefix),
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(), BadSecret::Prefix),
            (encoded("whpk_", 32), BadSecret::Prefix),
            ("whsec_!".to_owned(), BadSecret::Base64),
            (encoded("whsec_", 23), BadSecret::Length),
            (encoded("whsec_", 65), BadSecret::Length),
            (encoded("whsk_", 31), BadSecret::Length),
            (encoded("whsk_", 64), BadSecret::Length),
        ] {
            assert_eq!(text.parse::<Secret>().err(), Some(expected), "{text}");
        }
        assert!(encoded("whsec_", 24).parse::<Secret>().is_ok());
        assert!(encoded("whsec_", 64).parse::<Secret>().is_ok());
        assert_eq!("whpk_AAAA".parse::<PublicKey>(), Err(BadSecret::Length));
    }

    #[test]
    fn secrets_are_not_printed() {
        for text in [SHARED, PRIVATE] {
            let shown = format!("{:?} {:#?}", secret(text), Some(secret(text)));
            assert!(shown.contains("[hidden]") && !shown.contains(&text[6..20]), "{shown}");
        }
    }
}
