//! Writing, editing and deleting comments. Name and address come from the account.

use askama::Template;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;

use super::form::{Fields, Wrong};
use super::posts::Confirm;
use super::{caller, place, show};
use crate::App;
use crate::accounts::SignedIn;
use crate::journal::input::COMMENT_CHARS_MAX;
use crate::journal::model::{Comment, Viewer};
use crate::journal::posts::JournalRefused;
use crate::journal::{comments, queries};
use crate::pages::{Frame, see_other};
use crate::platform::command::Outcome;
use crate::platform::etag::IfMatch;
use crate::platform::extract::PathId;
use crate::platform::form::Form;
use crate::platform::problem::Problem;

pub(super) async fn create(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
    PathId(post_id): PathId,
    uri: Uri,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    let viewer = Viewer::from(&session.identity);
    let new = match fields.new_comment() {
        Ok(new) => new,
        Err(wrong) => {
            return show::page(&app, &frame, post_id, &uri, (&fields, &wrong)).await;
        }
    };
    match comments::create(&app, caller(&session), viewer, post_id, new).await? {
        Outcome::Refused(refused) => Err(refused.into()),
        _ => Ok(see_other(&format!("{}#comments", place(post_id)))),
    }
}

#[derive(Template)]
#[template(path = "journal/templates/comment_form.html")]
struct CommentForm<'a> {
    action: &'a str,
    back: &'a str,
    fields: &'a Fields,
    wrong: &'a Wrong,
}

impl CommentForm<'_> {
    const CHARS_MAX: usize = COMMENT_CHARS_MAX;
}

/// The comment, if the viewer may do this to it.
async fn allowed(
    app: &App,
    viewer: Viewer,
    id: i64,
    may: fn(Viewer, Option<i64>) -> bool,
) -> Result<Comment, Problem> {
    let comment = queries::comment(app, viewer, id).await?;
    if may(viewer, comment.author_id) { Ok(comment) } else { Err(JournalRefused::NotYours.into()) }
}

fn form_page(frame: &Frame, comment: &Comment, fields: &Fields, wrong: &Wrong) -> Response {
    let action = format!("/journal/comments/{}/edit", comment.id);
    let back = place(comment.post_id);
    let form = CommentForm { action: &action, back: &back, fields, wrong };
    frame.page_with(wrong.status(), "Edit the comment", &form)
}

pub(super) async fn edit(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let viewer = Viewer::from(&session.identity);
    let comment = allowed(&app, viewer, id, Viewer::may_change).await?;
    Ok(form_page(&frame, &comment, &Fields::of_comment(&comment), &Wrong::default()))
}

pub(super) async fn save(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
    PathId(id): PathId,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    let viewer = Viewer::from(&session.identity);
    let comment = allowed(&app, viewer, id, Viewer::may_change).await?;
    let patch = match fields.comment_patch() {
        Ok(patch) => patch,
        Err(wrong) => return Ok(form_page(&frame, &comment, &fields, &wrong)),
    };
    let seen = fields.if_match();
    match comments::change(&app, caller(&session), viewer, id, patch, seen).await? {
        Outcome::Refused(refused) => {
            let wrong = Wrong::refused(refused)?;
            Ok(form_page(&frame, &comment, &fields, &wrong))
        }
        _ => Ok(see_other(&format!("{}#comment-{id}", place(comment.post_id)))),
    }
}

pub(super) async fn ask_to_delete(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let viewer = Viewer::from(&session.identity);
    let comment = allowed(&app, viewer, id, Viewer::may_delete).await?;
    let confirm = Confirm {
        heading: "Delete this comment?",
        what: &comment.body,
        lead: "This cannot be undone.",
        action: &format!("/journal/comments/{id}/delete"),
        back: &place(comment.post_id),
        button: "Delete the comment",
    };
    Ok(frame.page(confirm.heading, &confirm))
}

pub(super) async fn delete(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let viewer = Viewer::from(&session.identity);
    let comment = queries::comment(&app, viewer, id).await?;
    match comments::delete(&app, caller(&session), viewer, id, IfMatch::Any).await? {
        Outcome::Refused(refused) => Err(refused.into()),
        _ => Ok(see_other(&place(comment.post_id))),
    }
}
