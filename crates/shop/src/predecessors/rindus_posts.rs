//! The posts of the Rindus demo API.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::fields::checked;
use super::lea::array;
use super::rindus::{Done, RindusParams, deleted, done, list_request, shown};
use super::sent::Sent;
use crate::App;
use crate::accounts::Identity;
use crate::catalog::input::value;
use crate::journal::input::{NewPost, PostPatch};
use crate::journal::model::{Post, Viewer};
use crate::journal::{posts, queries};
use crate::platform::answer::json;
use crate::platform::command::{Caller, Key};
use crate::platform::etag::IfMatch;
use crate::platform::extract::{IdempotencyKey, PathId};
use crate::platform::problem::Problem;
use crate::platform::responses::{Act, Read, Write};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_posts, create_post)).routes(routes!(
        show_post,
        replace_post,
        change_post,
        delete_post
    ))
}

/// A post.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RindusPost)]
struct PostOut {
    body: String,
    #[schema(minimum = 1)]
    id: i64,
    title: String,
    user_id: i64,
}

impl From<Post> for PostOut {
    fn from(post: Post) -> Self {
        let Post { body, id, title, user_id, .. } = post;
        Self { body, id, title, user_id }
    }
}

/// A post's fields. `id` and `user_id` may come along, and are ignored.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = RindusPostFields)]
struct PostFields {
    #[schema(min_length = 1, max_length = 200)]
    title: String,
    #[schema(min_length = 1, max_length = 20_000)]
    body: String,
}

/// Any of a post's fields.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = RindusPostChange)]
struct PostChange {
    #[serde(default, deserialize_with = "value")]
    #[schema(nullable = false, min_length = 1, max_length = 200)]
    title: Option<String>,
    #[serde(default, deserialize_with = "value")]
    #[schema(nullable = false, min_length = 1, max_length = 20_000)]
    body: Option<String>,
}

/// Lookups on posts, for the API's description.
struct PostLookups;

impl IntoParams for PostLookups {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        queries::PREDECESSOR_POSTS.params()
    }
}

/// Rindus: the posts, by their ids.
#[utoipa::path(
    get, path = "/api/posts/", tag = "predecessors", operation_id = "rindus_posts",
    params(RindusParams, PostLookups),
    responses(
        (status = 200, body = Vec<PostOut>, headers(
            ("Link" = String, description = "The next page, `rel=\"next\"`, if there is one."),
            ("X-Next-Cursor" = String, description = "The next page's cursor, if there is one."),
        )),
        Read,
    ),
    security(("token" = [])),
)]
async fn list_posts(
    State(app): State<App>,
    identity: Identity,
    uri: Uri,
) -> Result<Response, Problem> {
    let request = list_request(&queries::PREDECESSOR_POSTS, &uri)?;
    let page = queries::posts(&app, Viewer::from(&identity), &request).await?;
    Ok(array(&page.map(PostOut::from), &uri))
}

/// Rindus: adds a post.
#[utoipa::path(
    post, path = "/api/posts/", tag = "predecessors", operation_id = "rindus_create_post",
    request_body = PostFields,
    params(IdempotencyKey),
    responses((status = 201, body = PostOut), Write), security(("token" = [])),
)]
async fn create_post(
    State(app): State<App>,
    identity: Identity,
    IdempotencyKey(key): IdempotencyKey,
    sent: Sent,
) -> Result<Response, Problem> {
    let fields: PostFields = sent.read()?;
    let key = key.map(|key| Key::new(key, "POST /api/posts/", &fields));
    let new = NewPost { title: fields.title, body: fields.body, published: None };
    checked(&new, &[])?;
    let (caller, viewer) = (caller(&identity, key), Viewer::from(&identity));
    let outcome = posts::create(&app, caller, viewer, new).await?;
    answer(&app, viewer, StatusCode::CREATED, done(outcome)?).await
}

fn caller(identity: &Identity, key: Option<Key>) -> Caller {
    Caller { account_id: Some(identity.account_id), key }
}

async fn answer(
    app: &App,
    viewer: Viewer,
    status: StatusCode,
    done: Done<Post>,
) -> Result<Response, Problem> {
    let (post, replayed) = match done {
        Done::Now(post) => (post, false),
        Done::Before(id) => (queries::post(app, viewer, id).await?, true),
    };
    Ok(shown(status, &PostOut::from(post), replayed))
}

/// Rindus: one post.
#[utoipa::path(
    get, path = "/api/posts/{id}/", tag = "predecessors", operation_id = "rindus_post",
    params(PathId),
    responses((status = 200, body = PostOut), Read), security(("token" = [])),
)]
async fn show_post(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let post = queries::post(&app, Viewer::from(&identity), id).await?;
    Ok(json(StatusCode::OK, &PostOut::from(post)))
}

/// Rindus: all fields of a post anew.
#[utoipa::path(
    put, path = "/api/posts/{id}/", tag = "predecessors", operation_id = "rindus_replace_post",
    request_body = PostFields,
    params(PathId, IdempotencyKey),
    responses((status = 200, body = PostOut), Write), security(("token" = [])),
)]
async fn replace_post(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
    IdempotencyKey(key): IdempotencyKey,
    sent: Sent,
) -> Result<Response, Problem> {
    let PostFields { title, body } = sent.read()?;
    let key = key.map(|key| Key::new(key, &format!("PUT /api/posts/{id}/"), &(&title, &body)));
    let patch = PostPatch { title: Some(title), body: Some(body), published: None };
    change(&app, &identity, key, id, patch).await
}

/// Rindus: some fields of a post anew.
#[utoipa::path(
    patch, path = "/api/posts/{id}/", tag = "predecessors", operation_id = "rindus_change_post",
    request_body = PostChange,
    params(PathId, IdempotencyKey),
    responses((status = 200, body = PostOut), Write), security(("token" = [])),
)]
async fn change_post(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
    IdempotencyKey(key): IdempotencyKey,
    sent: Sent,
) -> Result<Response, Problem> {
    let fields: PostChange = sent.read()?;
    let key = key.map(|key| Key::new(key, &format!("PATCH /api/posts/{id}/"), &fields));
    let patch = PostPatch { title: fields.title, body: fields.body, published: None };
    change(&app, &identity, key, id, patch).await
}

async fn change(
    app: &App,
    identity: &Identity,
    key: Option<Key>,
    id: i64,
    patch: PostPatch,
) -> Result<Response, Problem> {
    checked(&patch, &[])?;
    let (caller, viewer) = (caller(identity, key), Viewer::from(identity));
    let outcome = posts::change(app, caller, viewer, id, patch, IfMatch::Any).await?;
    answer(app, viewer, StatusCode::OK, done(outcome)?).await
}

/// Rindus: deletes a post with its comments.
#[utoipa::path(
    delete, path = "/api/posts/{id}/", tag = "predecessors", operation_id = "rindus_delete_post",
    params(PathId, IdempotencyKey),
    responses((status = 204, description = "It is gone."), Act), security(("token" = [])),
)]
async fn delete_post(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
    IdempotencyKey(key): IdempotencyKey,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, "DELETE /api/posts/", &id));
    let (caller, viewer) = (caller(&identity, key), Viewer::from(&identity));
    deleted(posts::delete(&app, caller, viewer, id, IfMatch::Any).await?)
}
