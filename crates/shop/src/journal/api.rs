//! Posts over HTTP.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::input::{NewPost, PostPatch};
use super::model::{Post, Viewer};
use super::{posts, queries};
use crate::App;
use crate::accounts::{Identity, MaybeIdentity};
use crate::catalog::view::{ready_json, written};
use crate::catalog::{located, tagged};
use crate::platform::answer::{answer, json};
use crate::platform::cache::Scope;
use crate::platform::command::{Caller, Key};
use crate::platform::etag::IfMatch;
use crate::platform::extract::{IdempotencyKey, PathId, Valid};
use crate::platform::page::{ListParams, ListRequest, Page};
use crate::platform::problem::Problem;
use crate::platform::responses::{Act, PublicRead, Write};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_posts, create_post))
        .routes(routes!(show_post, change_post, delete_post))
        .routes(routes!(list_posts_of_user))
}

/// Lookups on posts, for the API's description.
struct PostLookups;

impl IntoParams for PostLookups {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        queries::POSTS.params()
    }
}

/// The caller of a command.
pub(super) fn caller(identity: &Identity, key: Option<Key>) -> Caller {
    Caller { account_id: Some(identity.account_id), key }
}

/// Lists posts: those that are published, one's own, for staff all.
#[utoipa::path(
    get, path = "/api/v1/posts", tag = "journal",
    params(
        ListParams, PostLookups,
        ("search" = Option<String>, Query, max_length = 500,
            description = "Stands in the title or the body, in any case."),
    ),
    responses((status = 200, body = Page<Post>), PublicRead), security((), ("token" = [])),
)]
async fn list_posts(
    State(app): State<App>,
    MaybeIdentity(identity): MaybeIdentity,
    uri: Uri,
) -> Result<Response, Problem> {
    let request = ListRequest::from_uri(&queries::POSTS, &uri)?;
    let viewer = Viewer::from(identity.as_ref());
    if viewer == Viewer::default() {
        return Ok(ready_json(StatusCode::OK, ready(&app, "posts", &request, &uri).await?));
    }
    Ok(json(StatusCode::OK, &queries::posts(&app, viewer, &request).await?))
}

/// The page that everybody sees, as JSON: kept ready, and never stale.
async fn ready(
    app: &App,
    list: &'static str,
    request: &ListRequest,
    uri: &Uri,
) -> Result<Bytes, Problem> {
    let asked = (Scope::Journal, list, uri.query().unwrap_or_default());
    let page = async { Ok(written(&queries::posts(app, Viewer::default(), request).await?)) };
    Ok(app.answers.get(&app.db, &app.clock, asked, page).await?)
}

/// A page of a list of posts, as a viewer sees it.
///
/// # Errors
/// The database's.
pub(super) async fn ready_posts(
    app: &App,
    list: &'static str,
    viewer: Viewer,
    request: &ListRequest,
    uri: &Uri,
) -> Result<Ready, Problem> {
    if viewer != Viewer::default() {
        let Page { items, next } = queries::posts(app, viewer, request).await?;
        return Ok(Ready { items, next });
    }
    serde_json::from_slice(&ready(app, list, request, uri).await?).map_err(Problem::internal)
}

/// A page that was kept ready.
#[derive(Deserialize)]
pub(super) struct Ready {
    pub(super) items: Vec<Post>,
    pub(super) next: Option<String>,
}

/// Lists the posts of a user, by the number that other systems know them by.
#[utoipa::path(
    get, path = "/api/v1/users/{id}/posts", tag = "journal",
    params(
        ("id" = i64, Path, minimum = 1, description = "The `user_id`."), ListParams, PostLookups,
        ("search" = Option<String>, Query, max_length = 500,
            description = "Stands in the title or the body, in any case."),
    ),
    responses((status = 200, body = Page<Post>), PublicRead), security((), ("token" = [])),
)]
async fn list_posts_of_user(
    State(app): State<App>,
    MaybeIdentity(identity): MaybeIdentity,
    PathId(user_id): PathId,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut request = ListRequest::from_uri(&queries::POSTS, &uri)?;
    request.filters.add_text(queries::POSTS.fields, "user_id", &user_id.to_string())?;
    let page = queries::posts(&app, Viewer::from(identity.as_ref()), &request).await?;
    Ok(json(StatusCode::OK, &page))
}

/// Adds a post. Staff who may write the journal publish it at once; anybody else's waits for them.
#[utoipa::path(
    post, path = "/api/v1/posts", tag = "journal", request_body = NewPost,
    params(IdempotencyKey),
    responses((status = 201, body = Post), Write), security(("token" = [])),
)]
async fn create_post(
    State(app): State<App>,
    identity: Identity,
    IdempotencyKey(key): IdempotencyKey,
    Valid(new): Valid<NewPost>,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, "POST /api/v1/posts", &new));
    let caller = caller(&identity, key);
    let outcome = posts::create(&app, caller, Viewer::from(&identity), new).await?;
    answer(outcome, |post: Post| {
        let response = tagged(StatusCode::CREATED, post.version, &post);
        located(response, "/api/v1/posts", post.id)
    })
}

/// One post.
#[utoipa::path(
    get, path = "/api/v1/posts/{id}", tag = "journal",
    params(PathId),
    responses((status = 200, body = Post), PublicRead), security((), ("token" = [])),
)]
async fn show_post(
    State(app): State<App>,
    MaybeIdentity(identity): MaybeIdentity,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let post = queries::post(&app, Viewer::from(identity.as_ref()), id).await?;
    Ok(tagged(StatusCode::OK, post.version, &post))
}

/// Changes a post: whoever wrote it, or staff. Absent fields stay.
///
/// What a customer changes waits for staff again; only staff set `published`.
#[utoipa::path(
    patch, path = "/api/v1/posts/{id}", tag = "journal", request_body = PostPatch,
    params(PathId, IfMatch, IdempotencyKey),
    responses((status = 200, body = Post), Write), security(("token" = [])),
)]
async fn change_post(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
    if_match: IfMatch,
    IdempotencyKey(key): IdempotencyKey,
    Valid(patch): Valid<PostPatch>,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, &format!("PATCH /api/v1/posts/{id}"), &patch));
    let (caller, viewer) = (caller(&identity, key), Viewer::from(&identity));
    let outcome = posts::change(&app, caller, viewer, id, patch, if_match).await?;
    answer(outcome, |post: Post| tagged(StatusCode::OK, post.version, &post))
}

/// Deletes a post with its comments, for good: whoever wrote it, or staff.
#[utoipa::path(
    delete, path = "/api/v1/posts/{id}", tag = "journal",
    params(PathId, IfMatch, IdempotencyKey),
    responses((status = 204, description = "It is gone."), Act), security(("token" = [])),
)]
async fn delete_post(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
    if_match: IfMatch,
    IdempotencyKey(key): IdempotencyKey,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, "DELETE /api/v1/posts", &id));
    let (caller, viewer) = (caller(&identity, key), Viewer::from(&identity));
    let outcome = posts::delete(&app, caller, viewer, id, if_match).await?;
    answer(outcome, |()| StatusCode::NO_CONTENT.into_response())
}
