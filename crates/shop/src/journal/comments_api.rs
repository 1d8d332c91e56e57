//! Comments over HTTP.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::api::caller;
use super::input::{CommentPatch, NewComment};
use super::model::{Comment, Viewer};
use super::{comments, queries};
use crate::App;
use crate::accounts::{Identity, MaybeIdentity};
use crate::catalog::{located, tagged};
use crate::platform::answer::{answer, json};
use crate::platform::command::Key;
use crate::platform::etag::IfMatch;
use crate::platform::extract::{IdempotencyKey, PathId, Valid};
use crate::platform::page::{ListParams, ListRequest, Page};
use crate::platform::problem::Problem;
use crate::platform::responses::{Act, PublicRead, Write};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_comments_of_post, create_comment))
        .routes(routes!(list_comments))
        .routes(routes!(show_comment, change_comment, delete_comment))
}

/// Lookups on comments, for the API's description.
struct CommentLookups;

impl IntoParams for CommentLookups {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        queries::COMMENTS.params()
    }
}

/// Lists the comments of a post: those that are not hidden, one's own, for staff all.
#[utoipa::path(
    get, path = "/api/v1/posts/{id}/comments", tag = "journal",
    params(
        ("id" = i64, Path, minimum = 1, description = "The post's."), ListParams, CommentLookups,
        ("search" = Option<String>, Query, max_length = 500,
            description = "Stands in the name or the body, in any case."),
    ),
    responses((status = 200, body = Page<Comment>), PublicRead), security((), ("token" = [])),
)]
async fn list_comments_of_post(
    State(app): State<App>,
    MaybeIdentity(identity): MaybeIdentity,
    PathId(post_id): PathId,
    uri: Uri,
) -> Result<Response, Problem> {
    let request = ListRequest::from_uri(&queries::COMMENTS, &uri)?;
    let viewer = Viewer::from(identity.as_ref());
    queries::post(&app, viewer, post_id).await?;
    let page = queries::comments(&app, viewer, Some(post_id), &request).await?;
    Ok(json(StatusCode::OK, &page))
}

/// Lists comments: those that are not hidden, one's own, for staff all.
#[utoipa::path(
    get, path = "/api/v1/comments", tag = "journal",
    params(
        ListParams, CommentLookups,
        ("search" = Option<String>, Query, max_length = 500,
            description = "Stands in the name or the body, in any case."),
    ),
    responses((status = 200, body = Page<Comment>), PublicRead), security((), ("token" = [])),
)]
async fn list_comments(
    State(app): State<App>,
    MaybeIdentity(identity): MaybeIdentity,
    uri: Uri,
) -> Result<Response, Problem> {
    let request = ListRequest::from_uri(&queries::COMMENTS, &uri)?;
    let viewer = Viewer::from(identity.as_ref());
    Ok(json(StatusCode::OK, &queries::comments(&app, viewer, None, &request).await?))
}

/// Adds a comment to a post. It is seen at once; staff may hide it.
#[utoipa::path(
    post, path = "/api/v1/posts/{id}/comments", tag = "journal", request_body = NewComment,
    params(
        ("id" = i64, Path, minimum = 1, description = "The post's."),
        IdempotencyKey,
    ),
    responses((status = 201, body = Comment), Write), security(("token" = [])),
)]
async fn create_comment(
    State(app): State<App>,
    identity: Identity,
    PathId(post_id): PathId,
    IdempotencyKey(key): IdempotencyKey,
    Valid(new): Valid<NewComment>,
) -> Result<Response, Problem> {
    let operation = format!("POST /api/v1/posts/{post_id}/comments");
    let key = key.map(|key| Key::new(key, &operation, &new));
    let (caller, viewer) = (caller(&identity, key), Viewer::from(&identity));
    let outcome = comments::create(&app, caller, viewer, post_id, new).await?;
    answer(outcome, |comment: Comment| {
        let response = tagged(StatusCode::CREATED, comment.version, &comment);
        located(response, "/api/v1/comments", comment.id)
    })
}

/// One comment.
#[utoipa::path(
    get, path = "/api/v1/comments/{id}", tag = "journal",
    params(PathId),
    responses((status = 200, body = Comment), PublicRead), security((), ("token" = [])),
)]
async fn show_comment(
    State(app): State<App>,
    MaybeIdentity(identity): MaybeIdentity,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let comment = queries::comment(&app, Viewer::from(identity.as_ref()), id).await?;
    Ok(tagged(StatusCode::OK, comment.version, &comment))
}

/// Changes a comment: whoever wrote it, or staff. Absent fields stay; only staff set `hidden`.
#[utoipa::path(
    patch, path = "/api/v1/comments/{id}", tag = "journal", request_body = CommentPatch,
    params(PathId, IfMatch, IdempotencyKey),
    responses((status = 200, body = Comment), Write), security(("token" = [])),
)]
async fn change_comment(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
    if_match: IfMatch,
    IdempotencyKey(key): IdempotencyKey,
    Valid(patch): Valid<CommentPatch>,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, &format!("PATCH /api/v1/comments/{id}"), &patch));
    let (caller, viewer) = (caller(&identity, key), Viewer::from(&identity));
    let outcome = comments::change(&app, caller, viewer, id, patch, if_match).await?;
    answer(outcome, |comment: Comment| {
        tagged(StatusCode::OK, comment.version, &viewer.veil(comment))
    })
}

/// Deletes a comment for good: whoever wrote it, or staff.
#[utoipa::path(
    delete, path = "/api/v1/comments/{id}", tag = "journal",
    params(PathId, IfMatch, IdempotencyKey),
    responses((status = 204, description = "It is gone."), Act), security(("token" = [])),
)]
async fn delete_comment(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
    if_match: IfMatch,
    IdempotencyKey(key): IdempotencyKey,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, "DELETE /api/v1/comments", &id));
    let (caller, viewer) = (caller(&identity, key), Viewer::from(&identity));
    let outcome = comments::delete(&app, caller, viewer, id, if_match).await?;
    answer(outcome, |()| StatusCode::NO_CONTENT.into_response())
}
