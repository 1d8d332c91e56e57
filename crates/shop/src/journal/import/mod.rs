//! `runout import jsonplaceholder`: the posts and comments of a remote system that speaks as
//! JSONPlaceholder does, with their ids and user ids.
//!
//! Everything is fetched first, page by page, and stored in one transaction. The remote system
//! heard of nothing here, so nothing is told to it, nor to others; instead `remote_record` holds
//! which record there is which thing here. Run again it finds its things by that: also those that
//! were made here and got another id there. What differs stays as it is here, unless the caller
//! says otherwise.

mod record;
mod remote;
pub(super) mod sql;
mod store;

use std::collections::HashSet;
use std::fmt;

use runout_store::Error;
use serde::Serialize;

use crate::App;
use crate::platform::command::{Caller, Outcome};

pub use record::Fault;
pub use remote::{FetchError, Limits};

/// JSONPlaceholder's own address.
pub const URL_DEFAULT: &str = "https://jsonplaceholder.typicode.com";
/// Things that a refusal names; the others are counted.
pub const NAMED_MAX: usize = 10;

/// What to import.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where `/posts` and `/comments` lie.
    pub url: String,
    /// Take the remote's words for what differs, and for what is somebody else's.
    pub overwrite: bool,
    pub limits: Limits,
}

/// How far it has come.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// `posts` or `comments`.
    pub what: &'static str,
    /// Records read of them.
    pub read: u64,
    /// How many there are, if the remote tells.
    pub total: Option<u64>,
}

/// What became of the records of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub new: u64,
    pub unchanged: u64,
    pub overwritten: u64,
    /// They differ, and stayed as they are here.
    pub kept: u64,
    /// They were deleted here since, and stay so.
    pub deleted: u64,
    /// Ids here of those that differ, the first [`NAMED_MAX`].
    pub differing: Vec<i64>,
}

/// What an import did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    pub posts: Tally,
    pub comments: Tally,
    /// Records that were passed over, and why.
    #[serde(skip)]
    pub faults: Vec<Fault>,
}

/// Things here that have the numbers of remote records, and did not come from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Such as `post 3`, the first [`NAMED_MAX`].
    pub named: Vec<String>,
    pub count: u64,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.named.join(", "))?;
        match self.count - self.named.len() as u64 {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(
        "{0} did not come from {1}: nothing was imported. Give --overwrite to replace what has the \
         remote's numbers"
    )]
    Foreign(Foreign, String),
    #[error(transparent)]
    Store(#[from] Error),
}

/// Imports posts and comments.
///
/// # Errors
/// Nothing is stored then: see [`ImportError`].
pub async fn jsonplaceholder(
    app: &App,
    options: &Options,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Report, ImportError> {
    let remote = remote::Remote::new(&options.url, options.limits)?;
    let mut faults = Vec::new();
    let posts = remote.posts(&mut faults, &mut progress).await?;
    let known: HashSet<i64> = posts.iter().map(|post| post.id).collect();
    let mut comments = remote.comments(&mut faults, &mut progress).await?;
    comments.retain(|comment| {
        let stays = known.contains(&comment.post_id);
        if !stays {
            faults.push(Fault::unknown_post(comment));
        }
        stays
    });
    let origin = remote.origin().to_owned();
    let overwrite = options.overwrite;
    let command = store::Store { origin: origin.clone(), posts, comments, overwrite };
    match app.run(Caller::default(), command).await? {
        Outcome::Accepted(report) => Ok(Report { faults, ..report }),
        Outcome::Refused(foreign) => Err(ImportError::Foreign(foreign, origin)),
        Outcome::Replayed { .. } | Outcome::KeyReused => unreachable!("no key was given"),
    }
}
