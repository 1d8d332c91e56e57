//! Reading the collections of a remote system, page by page.
//!
//! A remote system that knows pages gives them until one is empty; one that does not gives
//! everything each time, which the ids tell.

use std::collections::HashSet;
use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Response, StatusCode, Url};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::Progress;
use super::record::{Fault, Record, RemoteComment, RemotePost, id_of, read};
use crate::platform::tls;

/// Records asked for at a time.
const PAGE_ROWS: u64 = 100;
/// Pages of one collection.
const PAGES_MAX: u64 = 10_000;
/// Records of one collection: they are held until all are there.
const RECORDS_MAX: usize = 500_000;
/// Longest page that is read; a remote system without pages gives all records as one.
const PAGE_BYTES_MAX: usize = 64 << 20;
/// Longest wait that the remote system may ask for.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Bounds of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until the connection stands.
    pub connect: Duration,
    /// Of one attempt, from its first byte to the answer's last.
    pub attempt: Duration,
    pub attempts_max: u32,
    /// Before the second attempt; doubles from then on. The wait is chance around it.
    pub backoff_first: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            attempt: Duration::from_secs(30),
            attempts_max: 5,
            backoff_first: Duration::from_millis(500),
        }
    }
}

/// Why the remote system could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("{0:?} is no address of a remote system: give one such as https://example.com/api")]
    Address(String),
    #[error("no HTTP client can be made")]
    Client(#[source] reqwest::Error),
    #[error("{url} cannot be reached after {attempts} attempts: {reason}")]
    Unreachable { url: String, attempts: u32, reason: String },
    #[error("{url} answers {status}")]
    Refused { url: String, status: StatusCode },
    #[error("{url} gives no array of records: {reason}")]
    Senseless { url: String, reason: String },
    #[error("{0} gives more than can be imported")]
    TooMuch(String),
}

/// How one attempt ended.
enum Attempt {
    Read(Page),
    /// Worth another attempt.
    Failed {
        reason: String,
        wait: Option<Duration>,
    },
    Hopeless(FetchError),
}

struct Page {
    records: Vec<Json>,
    digest: [u8; 32],
    total: Option<u64>,
}

/// A remote system.
pub(super) struct Remote {
    origin: String,
    http: Client,
    limits: Limits,
}

impl Remote {
    /// `url` may end with a slash.
    pub(super) fn new(url: &str, limits: Limits) -> Result<Self, FetchError> {
        let wrong = || FetchError::Address(url.to_owned());
        let parsed: Url = url.parse().map_err(|_| wrong())?;
        let plain = ["http", "https"].contains(&parsed.scheme())
            && parsed.has_host()
            && parsed.query().is_none()
            && parsed.fragment().is_none()
            && parsed.username().is_empty()
            && parsed.password().is_none();
        if !plain {
            return Err(wrong());
        }
        tls::install_provider();
        let builder = Client::builder()
            .connect_timeout(limits.connect)
            .timeout(limits.attempt)
            .redirect(reqwest::redirect::Policy::limited(3))
            .user_agent(concat!("runout/", env!("CARGO_PKG_VERSION")));
        let builder = match parsed.scheme() {
            "https" => builder.https_only(true),
            // Without TLS the machine's certificates are not needed, and may be missing.
            _ => builder.tls_certs_only([]),
        };
        let http = builder.build().map_err(FetchError::Client)?;
        Ok(Self { origin: parsed.as_str().trim_end_matches('/').to_owned(), http, limits })
    }

    /// The address, without a slash at its end.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    pub(super) async fn posts(
        &self,
        faults: &mut Vec<Fault>,
        progress: &mut (impl FnMut(Progress) + Send),
    ) -> Result<Vec<RemotePost>, FetchError> {
        self.all("posts", faults, progress).await
    }

    pub(super) async fn comments(
        &self,
        faults: &mut Vec<Fault>,
        progress: &mut (impl FnMut(Progress) + Send),
    ) -> Result<Vec<RemoteComment>, FetchError> {
        self.all("comments", faults, progress).await
    }

    /// Every record of a collection, once; faulty ones are told instead.
    async fn all<R: Record>(
        &self,
        what: &'static str,
        faults: &mut Vec<Fault>,
        progress: &mut (impl FnMut(Progress) + Send),
    ) -> Result<Vec<R>, FetchError> {
        let (mut all, mut seen, mut digests) = (Vec::new(), HashSet::new(), HashSet::new());
        let mut read_so_far = 0;
        for number in 1..=PAGES_MAX {
            let url = format!("{}/{what}?_page={number}&_limit={PAGE_ROWS}", self.origin);
            let page = self.page(&url).await?;
            // A page that comes again tells that there are no pages.
            let news = page.records.iter().filter_map(id_of).any(|id| !seen.contains(&id));
            let again = !digests.insert(page.digest)
                || (!news && page.records.iter().any(|json| id_of(json).is_some()));
            if page.records.is_empty() || again {
                return Ok(all);
            }
            read_so_far += page.records.len() as u64;
            for json in &page.records {
                if id_of(json).is_some_and(|id| !seen.insert(id)) {
                    continue;
                }
                match read::<R>(json) {
                    Ok(record) => all.push(record),
                    Err(fault) => faults.push(fault),
                }
            }
            if all.len() + faults.len() > RECORDS_MAX {
                break;
            }
            progress(Progress { what, read: read_so_far, total: page.total });
        }
        Err(FetchError::TooMuch(format!("{}/{what}", self.origin)))
    }

    async fn page(&self, url: &str) -> Result<Page, FetchError> {
        let (mut attempts, mut backoff) = (0, self.limits.backoff_first);
        loop {
            attempts += 1;
            let (reason, wait) = match self.attempt(url).await {
                Attempt::Read(page) => return Ok(page),
                Attempt::Hopeless(error) => return Err(error),
                Attempt::Failed { reason, wait } => (reason, wait),
            };
            if attempts >= self.limits.attempts_max {
                let url = url.to_owned();
                return Err(FetchError::Unreachable { url, attempts, reason });
            }
            tracing::debug!(url, attempts, reason, "the remote system is asked again");
            let wait = wait.map_or_else(|| jittered(backoff), |wait| wait.min(WAIT_MAX));
            tokio::time::sleep(wait).await;
            backoff *= 2;
        }
    }

    async fn attempt(&self, url: &str) -> Attempt {
        let response = match self.http.get(url).send().await {
            Ok(response) => response,
            Err(error) => {
                return Attempt::Failed { reason: chain(&error.without_url()), wait: None };
            }
        };
        let status = response.status();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            let seconds = response.headers().get(RETRY_AFTER);
            let seconds = seconds.and_then(|text| text.to_str().ok()?.parse().ok());
            let reason = format!("it answers {status}");
            return Attempt::Failed { reason, wait: seconds.map(Duration::from_secs) };
        }
        let url = url.to_owned();
        if !status.is_success() {
            return Attempt::Hopeless(FetchError::Refused { url, status });
        }
        let total = response.headers().get("x-total-count");
        let total = total.and_then(|text| text.to_str().ok()?.parse().ok());
        let body = match read_body(response).await {
            Ok(Some(body)) => body,
            Ok(None) => return Attempt::Hopeless(FetchError::TooMuch(url)),
            Err(error) => {
                return Attempt::Failed { reason: chain(&error.without_url()), wait: None };
            }
        };
        match serde_json::from_slice(&body) {
            Ok(records) => {
                Attempt::Read(Page { records, digest: Sha256::digest(&body).into(), total })
            }
            Err(error) => {
                Attempt::Hopeless(FetchError::Senseless { url, reason: error.to_string() })
            }
        }
    }
}

/// The body; none if it is too long.
async fn read_body(mut response: Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > PAGE_BYTES_MAX {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// Half of the wait, and chance for the rest. Without randomness the longest wait is as good.
fn jittered(most: Duration) -> Duration {
    let chance = getrandom::u32().unwrap_or(u32::MAX);
    most.mul_f64(0.5 + 0.5 * f64::from(chance) / f64::from(u32::MAX))
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_an_address_without_its_slash() {
        for (url, origin) in [
            ("https://example.com", Some("https://example.com")),
            ("http://127.0.0.1:3000/", Some("http://127.0.0.1:3000")),
            ("http://localhost/api/v2/", Some("http://localhost/api/v2")),
            ("ftp://example.com", None),
            ("https://ana:secret@example.com", None),
            ("https://example.com/?a=b", None),
            ("example.com", None),
            ("", None),
        ] {
            let remote = Remote::new(url, Limits::default()).ok();
            assert_eq!(remote.as_ref().map(Remote::origin), origin, "{url}");
        }
    }
}
