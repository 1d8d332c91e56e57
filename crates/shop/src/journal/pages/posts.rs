//! Writing, editing and deleting posts.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::form::{Fields, Wrong};
use super::{LIST, caller, place};
use crate::App;
use crate::accounts::SignedIn;
use crate::journal::input::{POST_CHARS_MAX, TITLE_CHARS_MAX};
use crate::journal::model::{Post, Viewer};
use crate::journal::posts::{self, JournalRefused};
use crate::journal::queries;
use crate::pages::{Frame, see_other};
use crate::platform::command::Outcome;
use crate::platform::etag::IfMatch;
use crate::platform::extract::PathId;
use crate::platform::form::Form;
use crate::platform::problem::Problem;

#[derive(Template)]
#[template(path = "journal/templates/post_form.html")]
struct PostForm<'a> {
    heading: &'a str,
    action: &'a str,
    /// Where to go without saving.
    back: &'a str,
    button: &'a str,
    /// What a customer writes is looked at first.
    waits: bool,
    fields: &'a Fields,
    wrong: &'a Wrong,
}

impl PostForm<'_> {
    const TITLE_MAX: usize = TITLE_CHARS_MAX;
    const CHARS_MAX: usize = POST_CHARS_MAX;
}

fn new_page(frame: &Frame, viewer: Viewer, fields: &Fields, wrong: &Wrong) -> Response {
    let (heading, button) = ("Write a post", "Send");
    let waits = !viewer.publishes;
    let form =
        PostForm { heading, action: "/journal/new", back: LIST, button, waits, fields, wrong };
    frame.page_with(wrong.status(), heading, &form)
}

pub(super) async fn new(frame: Frame, SignedIn(session): SignedIn) -> Response {
    let viewer = Viewer::from(&session.identity);
    new_page(&frame, viewer, &Fields::default(), &Wrong::default())
}

pub(super) async fn create(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    let viewer = Viewer::from(&session.identity);
    let new = match fields.new_post() {
        Ok(new) => new,
        Err(wrong) => return Ok(new_page(&frame, viewer, &fields, &wrong)),
    };
    match posts::create(&app, caller(&session), viewer, new).await? {
        Outcome::Accepted(post) => Ok(see_other(&place(post.id))),
        Outcome::Refused(refused) => Err(refused.into()),
        Outcome::Replayed { .. } | Outcome::KeyReused => Ok(see_other(LIST)),
    }
}

/// The post, if the viewer may do this to it.
async fn allowed(
    app: &App,
    viewer: Viewer,
    id: i64,
    may: fn(Viewer, Option<i64>) -> bool,
) -> Result<Post, Problem> {
    let post = queries::post(app, viewer, id).await?;
    if may(viewer, post.author_id) { Ok(post) } else { Err(JournalRefused::NotYours.into()) }
}

fn edit_page(frame: &Frame, viewer: Viewer, id: i64, fields: &Fields, wrong: &Wrong) -> Response {
    let (heading, button) = ("Edit the post", "Save");
    let (action, back) = (format!("/journal/{id}/edit"), place(id));
    let waits = !viewer.publishes && !viewer.changes;
    let form = PostForm { heading, action: &action, back: &back, button, waits, fields, wrong };
    frame.page_with(wrong.status(), heading, &form)
}

pub(super) async fn edit(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let viewer = Viewer::from(&session.identity);
    let post = allowed(&app, viewer, id, Viewer::may_change).await?;
    Ok(edit_page(&frame, viewer, id, &Fields::of_post(&post), &Wrong::default()))
}

pub(super) async fn save(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
    PathId(id): PathId,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    let viewer = Viewer::from(&session.identity);
    allowed(&app, viewer, id, Viewer::may_change).await?;
    let patch = match fields.post_patch() {
        Ok(patch) => patch,
        Err(wrong) => return Ok(edit_page(&frame, viewer, id, &fields, &wrong)),
    };
    let seen = fields.if_match();
    match posts::change(&app, caller(&session), viewer, id, patch, seen).await? {
        Outcome::Refused(refused) => {
            let wrong = Wrong::refused(refused)?;
            Ok(edit_page(&frame, viewer, id, &fields, &wrong))
        }
        _ => Ok(see_other(&place(id))),
    }
}

/// Asks whether something shall be deleted.
#[derive(Template)]
#[template(path = "journal/templates/confirm.html")]
pub(super) struct Confirm<'a> {
    pub(super) heading: &'a str,
    /// What is deleted.
    pub(super) what: &'a str,
    pub(super) lead: &'a str,
    pub(super) action: &'a str,
    pub(super) back: &'a str,
    pub(super) button: &'a str,
}

pub(super) async fn ask_to_delete(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let viewer = Viewer::from(&session.identity);
    let post = allowed(&app, viewer, id, Viewer::may_delete).await?;
    let confirm = Confirm {
        heading: "Delete this post?",
        what: &post.title,
        lead: "Its comments go with it. This cannot be undone.",
        action: &format!("/journal/{id}/delete"),
        back: &place(id),
        button: "Delete the post",
    };
    Ok(frame.page(confirm.heading, &confirm))
}

pub(super) async fn delete(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let viewer = Viewer::from(&session.identity);
    match posts::delete(&app, caller(&session), viewer, id, IfMatch::Any).await? {
        Outcome::Refused(refused) => Err(refused.into()),
        _ => Ok(see_other(LIST)),
    }
}
