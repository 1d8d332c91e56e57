//! The comments of the Rindus demo API.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::fields::{Whole, checked, id_schema};
use super::lea::array;
use super::rindus::{Done, RindusParams, deleted, done, list_request, shown};
use super::sent::Sent;
use crate::App;
use crate::accounts::Identity;
use crate::catalog::input::value;
use crate::journal::input::{CommentPatch, NewComment};
use crate::journal::model::{Comment, Viewer};
use crate::journal::posts::JournalRefused;
use crate::journal::{comments, queries};
use crate::platform::answer::json;
use crate::platform::command::{Caller, Key, Outcome};
use crate::platform::etag::IfMatch;
use crate::platform::extract::{IdempotencyKey, PathId};
use crate::platform::problem::{FieldError, Problem};
use crate::platform::responses::{Act, Read, Write};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_comments, create_comment)).routes(routes!(
        show_comment,
        replace_comment,
        change_comment,
        delete_comment
    ))
}

/// A comment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RindusComment)]
struct CommentOut {
    body: String,
    /// Of somebody else's account only staff see it: null.
    #[schema(required = true)]
    email: Option<String>,
    #[schema(minimum = 1)]
    id: i64,
    name: String,
    /// The post's id.
    #[schema(minimum = 1)]
    post: i64,
}

impl From<Comment> for CommentOut {
    fn from(comment: Comment) -> Self {
        let Comment { body, email, id, name, post_id, .. } = comment;
        Self { body, email, id, name, post: post_id }
    }
}

/// A comment's fields. `id` may come along, and is ignored.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = RindusCommentFields)]
struct CommentFields {
    #[schema(min_length = 1, max_length = 5_000)]
    body: String,
    #[schema(max_length = 254, example = "ana@example.com")]
    email: String,
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// The post's id. A comment stays with its post.
    #[schema(schema_with = id_schema)]
    post: Whole,
}

/// Any of a comment's fields.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = RindusCommentChange)]
struct CommentChange {
    #[serde(default, deserialize_with = "value")]
    #[schema(nullable = false, min_length = 1, max_length = 5_000)]
    body: Option<String>,
    #[serde(default, deserialize_with = "value")]
    #[schema(nullable = false, max_length = 254)]
    email: Option<String>,
    #[serde(default, deserialize_with = "value")]
    #[schema(nullable = false, min_length = 1, max_length = 200)]
    name: Option<String>,
    #[serde(default, deserialize_with = "value")]
    #[schema(schema_with = id_schema)]
    post: Option<Whole>,
}

/// Lookups on comments, for the API's description.
struct CommentLookups;

impl IntoParams for CommentLookups {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        queries::PREDECESSOR_COMMENTS.params()
    }
}

/// Rindus: the comments, by their ids.
#[utoipa::path(
    get, path = "/api/comments/", tag = "predecessors", operation_id = "rindus_comments",
    params(RindusParams, CommentLookups),
    responses(
        (status = 200, body = Vec<CommentOut>, headers(
            ("Link" = String, description = "The next page, `rel=\"next\"`, if there is one."),
            ("X-Next-Cursor" = String, description = "The next page's cursor, if there is one."),
        )),
        Read,
    ),
    security(("token" = [])),
)]
async fn list_comments(
    State(app): State<App>,
    identity: Identity,
    uri: Uri,
) -> Result<Response, Problem> {
    let request = list_request(&queries::PREDECESSOR_COMMENTS, &uri)?;
    let page = queries::comments(&app, Viewer::from(&identity), None, &request).await?;
    Ok(array(&page.map(CommentOut::from), &uri))
}

fn wrong_post(detail: &'static str) -> Problem {
    Problem::validation(vec![FieldError::new("/post", "invalid", detail)])
}

/// Rindus: adds a comment to a post.
#[utoipa::path(
    post, path = "/api/comments/", tag = "predecessors", operation_id = "rindus_create_comment",
    request_body = CommentFields,
    params(IdempotencyKey),
    responses((status = 201, body = CommentOut), Write), security(("token" = [])),
)]
async fn create_comment(
    State(app): State<App>,
    identity: Identity,
    IdempotencyKey(key): IdempotencyKey,
    sent: Sent,
) -> Result<Response, Problem> {
    let fields: CommentFields = sent.read()?;
    let key = key.map(|key| Key::new(key, "POST /api/comments/", &fields));
    let CommentFields { body, email, name, post } = fields;
    let new = NewComment { body, name: Some(name), email: Some(email) };
    checked(&new, &[])?;
    let (caller, viewer) = (caller(&identity, key), Viewer::from(&identity));
    let outcome = comments::create(&app, caller, viewer, post.0, new).await?;
    if let Outcome::Refused(JournalRefused::NoPost) = outcome {
        return Err(wrong_post("There is no such post."));
    }
    answer(&app, viewer, StatusCode::CREATED, done(outcome)?).await
}

fn caller(identity: &Identity, key: Option<Key>) -> Caller {
    Caller { account_id: Some(identity.account_id), key }
}

async fn answer(
    app: &App,
    viewer: Viewer,
    status: StatusCode,
    done: Done<Comment>,
) -> Result<Response, Problem> {
    let (comment, replayed) = match done {
        Done::Now(comment) => (viewer.veil(comment), false),
        Done::Before(id) => (queries::comment(app, viewer, id).await?, true),
    };
    Ok(shown(status, &CommentOut::from(comment), replayed))
}

/// Rindus: one comment.
#[utoipa::path(
    get, path = "/api/comments/{id}/", tag = "predecessors", operation_id = "rindus_comment",
    params(PathId),
    responses((status = 200, body = CommentOut), Read), security(("token" = [])),
)]
async fn show_comment(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let comment = queries::comment(&app, Viewer::from(&identity), id).await?;
    Ok(json(StatusCode::OK, &CommentOut::from(comment)))
}

/// Rindus: all fields of a comment anew.
#[utoipa::path(
    put, path = "/api/comments/{id}/", tag = "predecessors",
    operation_id = "rindus_replace_comment", request_body = CommentFields,
    params(PathId, IdempotencyKey),
    responses((status = 200, body = CommentOut), Write), security(("token" = [])),
)]
async fn replace_comment(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
    IdempotencyKey(key): IdempotencyKey,
    sent: Sent,
) -> Result<Response, Problem> {
    let fields: CommentFields = sent.read()?;
    let key = key.map(|key| Key::new(key, &format!("PUT /api/comments/{id}/"), &fields));
    let CommentFields { body, email, name, post } = fields;
    let (body, email, name, post) = (Some(body), Some(email), Some(name), Some(post));
    change(&app, &identity, key, id, CommentChange { body, email, name, post }).await
}

/// Rindus: some fields of a comment anew.
#[utoipa::path(
    patch, path = "/api/comments/{id}/", tag = "predecessors",
    operation_id = "rindus_change_comment", request_body = CommentChange,
    params(PathId, IdempotencyKey),
    responses((status = 200, body = CommentOut), Write), security(("token" = [])),
)]
async fn change_comment(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
    IdempotencyKey(key): IdempotencyKey,
    sent: Sent,
) -> Result<Response, Problem> {
    let fields: CommentChange = sent.read()?;
    let key = key.map(|key| Key::new(key, &format!("PATCH /api/comments/{id}/"), &fields));
    change(&app, &identity, key, id, fields).await
}

async fn change(
    app: &App,
    identity: &Identity,
    key: Option<Key>,
    id: i64,
    fields: CommentChange,
) -> Result<Response, Problem> {
    let CommentChange { body, email, name, post } = fields;
    let patch = CommentPatch { body, name, email, hidden: None };
    checked(&patch, &[])?;
    let (caller, viewer) = (caller(identity, key), Viewer::from(identity));
    // Which post a comment belongs to never changes, so it can be looked at before.
    let stays = queries::comment(app, viewer, id).await?.post_id;
    if post.is_some_and(|post| post.0 != stays) {
        return Err(wrong_post("A comment stays with its post."));
    }
    let outcome = comments::change(app, caller, viewer, id, patch, IfMatch::Any).await?;
    answer(app, viewer, StatusCode::OK, done(outcome)?).await
}

/// Rindus: deletes a comment.
#[utoipa::path(
    delete, path = "/api/comments/{id}/", tag = "predecessors",
    operation_id = "rindus_delete_comment",
    params(PathId, IdempotencyKey),
    responses((status = 204, description = "It is gone."), Act), security(("token" = [])),
)]
async fn delete_comment(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
    IdempotencyKey(key): IdempotencyKey,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, "DELETE /api/comments/", &id));
    let (caller, viewer) = (caller(&identity, key), Viewer::from(&identity));
    deleted(comments::delete(&app, caller, viewer, id, IfMatch::Any).await?)
}
