//! The crawler: calls providers for channels that are due, as often as their limits allow.
//!
//! One task per node decides everything; a call is a task while it is under way. A channel that
//! waits is an entry of a timer wheel. What comes of calls is stored in batches, one transaction
//! at a time: while one commits the next one gathers.

mod call;
mod claim;
mod crawler;
mod held;
mod lease;
pub(super) mod limits;
mod load;
mod outcome;
mod rows;
mod settings;
mod settle;
mod sql;
mod storing;

use std::sync::Arc;

use runout_store::Sql;
use tokio_util::sync::CancellationToken;

pub use settings::Settings;

use crate::App;
use crawler::Crawler;

/// Crawls until it is stopped; then finishes what is under way and gives its channels back.
pub async fn run(app: App, settings: Settings, stop: CancellationToken) {
    Crawler::new(app, settings).run(stop).await;
}

/// A new holder's name.
fn holder() -> Arc<str> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).expect("the operating system has randomness");
    format!("{}-{:016x}", std::process::id(), u64::from_le_bytes(random)).into()
}

/// Every statement of the crawler.
pub(super) fn statements() -> Vec<&'static Sql> {
    sql::STATEMENTS.to_vec()
}
