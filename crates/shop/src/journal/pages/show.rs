//! One post, what people say about it, and the form to say something.

use askama::Template;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;

use super::form::{Fields, Wrong};
use super::list::next_query;
use super::{place, viewer};
use crate::App;
use crate::journal::input::COMMENT_CHARS_MAX;
use crate::journal::model::{Comment, Post};
use crate::journal::queries;
use crate::pages::words::{count, day, moment};
use crate::pages::{Frame, see_other};
use crate::platform::extract::PathId;
use crate::platform::page::{LIMIT_MAX, ListRequest};
use crate::platform::problem::Problem;

/// A comment as the page shows it.
struct Said {
    id: i64,
    name: String,
    moment: String,
    created_at: String,
    body: String,
    hidden: bool,
    may_change: bool,
    may_delete: bool,
}

#[derive(Template)]
#[template(path = "journal/templates/show.html")]
struct ShowPage<'a> {
    post: &'a Post,
    author: &'a str,
    day: String,
    heading: String,
    comments: Vec<Said>,
    /// The query of the next comments.
    next: Option<String>,
    goes_on: bool,
    may_change: bool,
    may_delete: bool,
    /// The viewer may open it in the back office.
    has_desk: bool,
    logged_in: bool,
    fields: &'a Fields,
    wrong: &'a Wrong,
}

impl ShowPage<'_> {
    const CHARS_MAX: usize = COMMENT_CHARS_MAX;
}

/// The address without its slash leads to the post.
pub(super) async fn with_slash(PathId(id): PathId) -> Response {
    see_other(&place(id))
}

pub(super) async fn show(
    State(app): State<App>,
    frame: Frame,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Response, Problem> {
    page(&app, &frame, id, &uri, (&Fields::default(), &Wrong::default())).await
}

/// The page of a post, with what was typed as a comment.
pub(super) async fn page(
    app: &App,
    frame: &Frame,
    id: i64,
    uri: &Uri,
    (fields, wrong): (&Fields, &Wrong),
) -> Result<Response, Problem> {
    let viewer = viewer(frame);
    let post = queries::post(app, viewer, id).await?;
    let request = ListRequest::from_uri(&queries::SAID, uri)?.with_limit(LIMIT_MAX);
    let said = queries::comments(app, viewer, Some(id), &request).await?;
    let as_shown = |comment: Comment| Said {
        id: comment.id,
        may_change: viewer.may_change(comment.author_id),
        may_delete: viewer.may_delete(comment.author_id),
        moment: moment(comment.created_at),
        created_at: comment.created_at.to_string(),
        name: comment.name,
        body: comment.body,
        hidden: comment.hidden,
    };
    let main = ShowPage {
        author: post.author.as_deref().unwrap_or(&frame.shop_name),
        day: day(post.created_at),
        heading: count(post.comments, "comment", "comments"),
        comments: said.items.into_iter().map(as_shown).collect(),
        next: said.next.map(|cursor| next_query(uri, &cursor)),
        goes_on: !request.is_first(),
        may_change: viewer.may_change(post.author_id),
        may_delete: viewer.may_delete(post.author_id),
        has_desk: viewer.sees_all,
        logged_in: frame.session.is_some(),
        post: &post,
        fields,
        wrong,
    };
    Ok(frame.page_with(wrong.status(), &post.title, &main))
}
