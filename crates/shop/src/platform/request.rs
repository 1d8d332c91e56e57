//! What the outermost layer knows about a request and hands to the extractors.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderValue};
use bytes::Bytes;

/// How many bytes a body may have where no layer set a limit (1 MiB).
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Longest request id that is taken over from a client or proxy.
const REQUEST_ID_BYTES_MAX: usize = 64;

/// A request's id: taken over from X-Request-Id if that is sane, else made here. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// Takes over an incoming id of 1 to 64 characters out of `A-Za-z0-9._-`.
    pub fn from_header(value: &HeaderValue) -> Option<Self> {
        let bytes = value.as_bytes();
        let sane = (1..=REQUEST_ID_BYTES_MAX).contains(&bytes.len())
            && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(b));
        sane.then(|| Self(value.clone()))
    }

    pub fn as_str(&self) -> &str {
        self.0.to_str().expect("made of ASCII letters, digits and ._- only")
    }

    pub fn header_value(&self) -> HeaderValue {
        self.0.clone()
    }
}

/// Makes request ids: a random part per process, then a counter. Unique, not secret.
#[derive(Debug)]
pub struct RequestIds {
    prefix: [u8; 13],
    next: AtomicU64,
}

impl RequestIds {
    /// # Panics
    /// When the operating system gives no random bytes.
    pub fn new() -> Self {
        let mut random = [0; 6];
        getrandom::fill(&mut random).expect("the operating system gives random bytes");
        let mut prefix = [b'-'; 13];
        for (at, byte) in random.iter().enumerate() {
            prefix[2 * at] = HEX[usize::from(byte >> 4)];
            prefix[2 * at + 1] = HEX[usize::from(byte & 15)];
        }
        Self { prefix, next: AtomicU64::new(1) }
    }

    pub fn next(&self) -> RequestId {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut text = Vec::with_capacity(self.prefix.len() + 10);
        text.extend_from_slice(&self.prefix);
        for shift in (0..10).rev() {
            text.push(HEX[(number >> (4 * shift)) as usize & 15]);
        }
        let value = HeaderValue::from_maybe_shared(Bytes::from(text));
        RequestId(value.expect("hexadecimal digits and a dash"))
    }
}

impl Default for RequestIds {
    fn default() -> Self {
        Self::new()
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The other end of the connection; the accept loop adds it to every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// What is known about the request before any handler runs.
#[derive(Debug, Clone)]
pub struct RequestContext {
    pub id: RequestId,
    /// The client's address, seen through trusted proxies.
    pub client: IpAddr,
    /// How many bytes the body may have.
    pub body_bytes_max: usize,
    pub(crate) admission: Option<Arc<super::rate::Admission>>,
}

impl RequestContext {
    pub(crate) fn body_bytes_max(extensions: &Extensions) -> usize {
        extensions.get::<Self>().map_or(BODY_BYTES_MAX, |context| context.body_bytes_max)
    }
}

/// Tells the rate limiter that this request's token is genuine, so that the token gets a budget of
/// its own; until then the client's network pays. To be called once a token has been verified.
pub fn admit_token(extensions: &Extensions) {
    if let Some(admission) = extensions.get::<RequestContext>().and_then(|c| c.admission.as_ref()) {
        admission.admit();
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequestId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let known = parts.extensions.get::<RequestContext>().map(|context| context.id.clone());
        Ok(known.unwrap_or(Self(HeaderValue::from_static("unknown"))))
    }
}

/// The client's address, seen through trusted proxies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientIp(pub IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for ClientIp {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let known = parts.extensions.get::<RequestContext>().map(|context| context.client);
        Ok(Self(known.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_taken_over_only_if_sane() {
        let long = "a".repeat(65);
        for (text, sane) in [
            ("abc-1.2_X", true),
            ("", false),
            ("a b", false),
            ("a\"b", false),
            ("a/b", false),
            (long.as_str(), false),
        ] {
            let value = HeaderValue::from_str(text).expect("a header value");
            assert_eq!(RequestId::from_header(&value).is_some(), sane, "{text:?}");
        }
    }

    #[test]
    fn made_ids_differ_and_are_sane() {
        let (one, two) = (RequestIds::new(), RequestIds::new());
        let ids = [one.next(), one.next(), two.next()];
        assert!(ids[0] != ids[1] && ids[0] != ids[2]);
        assert_eq!(ids[0].as_str().len(), 23);
        assert!(RequestId::from_header(&ids[0].header_value()).is_some());
    }
}
