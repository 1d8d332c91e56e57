//! Client credentials and the tokens they buy.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::chance::Chance;

/// What every token begins with: `{"alg":"HS256","typ":"JWT"}`.
const HEAD: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

/// An account's client id, which ends with its number.
pub(super) fn client_id(seed: u64, channel: u32) -> String {
    let mut chance = Chance::of(seed, &[100, u64::from(channel)]);
    let (high, low) = (chance.next(), chance.next());
    let (first, second) = (high >> 32, high >> 16 & 0xffff);
    format!("{first:08x}-{second:04x}-4{:03x}-8{:03x}-{channel:012x}", high & 0xfff, low & 0xfff)
}

/// An account's client secret.
pub(super) fn client_secret(seed: u64, channel: u32) -> String {
    let mut chance = Chance::of(seed, &[101, u64::from(channel)]);
    (0..4).map(|_| format!("{:016x}", chance.next())).collect()
}

/// The account that a client id belongs to, if it is one of ours.
pub(super) fn channel_of(seed: u64, client: &str) -> Option<u32> {
    let channel = u32::from_str_radix(client.rsplit('-').next()?, 16).ok()?;
    (client_id(seed, channel) == client).then_some(channel)
}

/// What a token says, once its seal holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) channel: u32,
    /// The account's how many-th it is, from 1.
    pub(super) serial: u64,
    /// When it really expires.
    pub(super) expires_us: u64,
}

impl Token {
    /// As a client carries it. It looks like a JWT; what it says is the provider's own business.
    pub(super) fn seal(&self, seed: u64) -> String {
        let body = format!("{:x}-{:x}-{:x}", self.channel, self.serial, self.expires_us);
        format!("{HEAD}.{body}.{}", signature(seed, &body))
    }

    /// Reads a token that this provider has sealed.
    pub(super) fn open(seed: u64, text: &str) -> Option<Self> {
        let (body, sealed) = text.strip_prefix(HEAD)?.strip_prefix('.')?.split_once('.')?;
        if sealed != signature(seed, body) {
            return None;
        }
        let mut parts = body.split('-').map(|part| u64::from_str_radix(part, 16).ok());
        let mut part = || parts.next().flatten();
        let channel = u32::try_from(part()?).ok()?;
        Some(Self { channel, serial: part()?, expires_us: part()? })
    }
}

fn signature(seed: u64, body: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(&seed.to_be_bytes()).expect("keys may have any length");
    mac.update(body.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_known_by_their_names() {
        for channel in [0, 7, 999] {
            let client = client_id(5, channel);
            assert_eq!(client.len(), 36, "{client}");
            assert_eq!(channel_of(5, &client), Some(channel));
            assert_eq!(channel_of(6, &client), None);
            assert_eq!(client_secret(5, channel).len(), 64);
        }
        assert_ne!(client_secret(5, 1), client_secret(5, 2));
        for stranger in ["", "-", "nobody", "0-0"] {
            assert_eq!(channel_of(5, stranger), None);
        }
    }

    #[test]
    fn tokens_are_sealed() {
        let token = Token { channel: 7, serial: 12, expires_us: 1_795_000_000_000_000 };
        let text = token.seal(5);
        assert_eq!(Token::open(5, &text), Some(token));
        assert_eq!(Token::open(6, &text), None);
        assert_eq!(Token::open(5, &text.replace("7-c-", "8-c-")), None);
        assert_eq!(Token::open(5, "Bearer"), None);
    }
}
