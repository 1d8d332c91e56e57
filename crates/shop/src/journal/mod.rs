//! The journal: a shop's news, and what people say about them.
//!
//! Owns `post`, `comment` and `journal_author`. What always holds:
//!
//! - A post is seen by everybody once it is published, a comment unless it is hidden and as long as
//!   its post is seen; both by their authors and by staff who may view the journal anyway.
//! - A post or a comment changes by its author and by staff alone; what is published and what is
//!   hidden is for staff to say.
//! - Whoever changes a post or a comment holds its lock, so that other systems hear of each in the
//!   order of the commits; of a post's deletion after that of its comments.
//! - Nobody chooses the `user_id` of a post: it is the number that other systems know its author
//!   by, see [`authors`].

pub(crate) mod admin;
mod api;
pub mod authors;
mod authors_api;
pub mod comments;
mod comments_api;
pub mod demo;
pub(crate) mod erase;
pub mod import;
pub mod input;
pub mod model;
pub(crate) mod pages;
pub mod posts;
pub mod queries;
mod refusals;
mod sql;

use runout_store::Sql;
use utoipa_axum::router::OpenApiRouter;

use crate::App;

/// The `user_id` of posts whose author no other system knows.
pub const USER_ID_UNMAPPED: i64 = 99_999_942;

/// The capability's endpoints.
pub(crate) fn router() -> OpenApiRouter<App> {
    api::router().merge(comments_api::router()).merge(authors_api::router())
}

/// The capability's pages.
pub(crate) fn pages() -> axum::Router<App> {
    pages::router()
}

/// Every statement of this capability.
pub(crate) fn statements() -> Vec<&'static Sql> {
    [sql::STATEMENTS, queries::STATEMENTS, import::sql::STATEMENTS].concat()
}
