//! Writing, changing and deleting comments.

use runout_store::{Result, Row, Rows, Statement};
use serde_json::{Map, Value as Json, json};

use super::input::{CommentPatch, NAME_CHARS_MAX, NewComment};
use super::model::{Comment, CommentText, Viewer};
use super::posts::{JournalRefused, all_gone};
use super::sql::{
    DELETE_COMMENT, INSERT_COMMENT, LOCK_COMMENT, POST_OF_COMMENT, UPDATE_COMMENT, WRITER,
};
use crate::App;
use crate::catalog::model::{all_new, changed};
use crate::events::model::local_part;
use crate::platform::command::{Caller, Changes, Command, Decision, Outcome, next_ids};
use crate::platform::etag::IfMatch;

/// Adds a comment of the caller to a post that it sees.
///
/// # Errors
/// The database's.
pub async fn create(
    app: &App,
    caller: Caller,
    viewer: Viewer,
    post_id: i64,
    new: NewComment,
) -> Result<Outcome<Comment, JournalRefused>> {
    app.run(caller, Create { viewer, post_id, new }).await
}

struct Create {
    viewer: Viewer,
    post_id: i64,
    new: NewComment,
}

impl Create {
    /// The name and the address that stand beside the comment.
    fn signature(&self, writer: &Row<'_>) -> Result<(String, String)> {
        let given = |text: &Option<String>| text.as_deref().map(|text| text.trim().to_owned());
        let (name, email): (String, String) = (writer.get(1)?, writer.get(2)?);
        let own: String = local_part(&name).chars().take(NAME_CHARS_MAX).collect();
        Ok((given(&self.new.name).unwrap_or(own), given(&self.new.email).unwrap_or(email)))
    }
}

/// What differs, without who it is about: the audit outlives an account.
fn veiled(fields: Map<String, Json>) -> Json {
    let veil = |(name, pair): (String, Json)| match name.as_str() {
        "name" | "email" => (name, json!(["(not recorded)", "(not recorded)"])),
        _ => (name, pair),
    };
    fields.into_iter().map(veil).collect::<Map<_, _>>().into()
}

impl Command for Create {
    type Accepted = Comment;
    type Refused = JournalRefused;
    const NAME: &'static str = "create_comment";
    const STATUS: u16 = 201;

    fn load(&self) -> Vec<Statement> {
        vec![
            Statement::new(&POST_OF_COMMENT, vec![self.post_id.into()]),
            Statement::new(&WRITER, vec![self.viewer.account_id.into()]),
            next_ids("comment", 1),
        ]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Comment, JournalRefused>> {
        let Some(post) = loaded[0].first() else {
            return Ok(Decision::Refuse(JournalRefused::NoPost));
        };
        if !self.viewer.sees_post(post.get(0)?, post.get(1)?) {
            return Ok(Decision::Refuse(JournalRefused::NoPost));
        }
        let Some(writer) = loaded[1].first() else {
            return Ok(Decision::Refuse(JournalRefused::NoAccount));
        };
        let (name, email) = self.signature(&writer)?;
        let comment = Comment {
            id: loaded[2].first().expect("the sequence is in the schema").get(0)?,
            post_id: self.post_id,
            author_id: self.viewer.account_id,
            name,
            email: Some(email),
            body: self.new.body.clone(),
            hidden: false,
            created_at: changes.now,
            updated_at: changes.now,
            version: 1,
        };
        let row = vec![
            comment.id.into(),
            comment.post_id.into(),
            comment.author_id.into(),
            comment.name.as_str().into(),
            comment.email.as_deref().into(),
            comment.body.as_str().into(),
            changes.now.into(),
        ];
        changes.store(Statement::new(&INSERT_COMMENT, row));
        changes.event("comment.created", "comment", comment.id, comment.told());
        let fields = veiled(all_new(&comment.text()));
        changes.audit("comment.create", "comment", comment.id, fields);
        Ok(Decision::Accept(comment))
    }
}

/// The comment of [`LOCK_COMMENT`]'s rows, if the viewer may do this to it.
fn locked(
    rows: &Rows,
    viewer: Viewer,
    may: fn(Viewer, Option<i64>) -> bool,
    if_match: &IfMatch,
) -> Result<std::result::Result<Comment, JournalRefused>> {
    let Some(row) = rows.first() else { return Ok(Err(JournalRefused::NoComment)) };
    let comment = Comment::read(&row)?;
    let seen = viewer.sees_post(row.get(10)?, row.get(11)?)
        && viewer.sees_comment(comment.hidden, comment.author_id);
    Ok(if !seen {
        Err(JournalRefused::NoComment)
    } else if !may(viewer, comment.author_id) {
        Err(JournalRefused::NotYours)
    } else if !if_match.allows(comment.version) {
        Err(JournalRefused::Changed)
    } else {
        Ok(comment)
    })
}

/// Changes a comment. What is the same already stays untouched, its version too.
///
/// # Errors
/// The database's.
pub async fn change(
    app: &App,
    caller: Caller,
    viewer: Viewer,
    id: i64,
    patch: CommentPatch,
    if_match: IfMatch,
) -> Result<Outcome<Comment, JournalRefused>> {
    app.run(caller, Change { viewer, id, patch, if_match }).await
}

struct Change {
    viewer: Viewer,
    id: i64,
    patch: CommentPatch,
    if_match: IfMatch,
}

impl Command for Change {
    type Accepted = Comment;
    type Refused = JournalRefused;
    const NAME: &'static str = "change_comment";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        vec![Statement::new(&LOCK_COMMENT, vec![self.id.into()])]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Comment, JournalRefused>> {
        let found = locked(&loaded[0], self.viewer, Viewer::may_change, &self.if_match)?;
        let mut comment = match found {
            Ok(comment) => comment,
            Err(refused) => return Ok(Decision::Refuse(refused)),
        };
        let before = comment.text();
        let after = self.patch.apply(&before);
        if after.hidden != before.hidden && !self.viewer.changes {
            return Ok(Decision::Refuse(JournalRefused::MayNotHide));
        }
        let fields = changed(&before, &after);
        if fields.is_empty() {
            return Ok(Decision::Accept(comment));
        }
        let CommentText { name, email, body, hidden } = after;
        let row = vec![
            self.id.into(),
            name.as_str().into(),
            email.as_str().into(),
            body.as_str().into(),
            hidden.into(),
            changes.now.into(),
        ];
        changes.store(Statement::new(&UPDATE_COMMENT, row));
        let (version, updated_at) = (comment.version + 1, changes.now);
        let email = Some(email);
        comment = Comment { name, email, body, hidden, version, updated_at, ..comment };
        changes.event("comment.updated", "comment", self.id, comment.told());
        changes.audit("comment.update", "comment", self.id, veiled(fields));
        Ok(Decision::Accept(comment))
    }
}

/// Deletes a comment for good.
///
/// # Errors
/// The database's.
pub async fn delete(
    app: &App,
    caller: Caller,
    viewer: Viewer,
    id: i64,
    if_match: IfMatch,
) -> Result<Outcome<(), JournalRefused>> {
    app.run(caller, Delete { viewer, id, if_match }).await
}

struct Delete {
    viewer: Viewer,
    id: i64,
    if_match: IfMatch,
}

impl Command for Delete {
    type Accepted = ();
    type Refused = JournalRefused;
    const NAME: &'static str = "delete_comment";
    const STATUS: u16 = 204;

    fn load(&self) -> Vec<Statement> {
        vec![Statement::new(&LOCK_COMMENT, vec![self.id.into()])]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<(), JournalRefused>> {
        let found = locked(&loaded[0], self.viewer, Viewer::may_delete, &self.if_match)?;
        let comment = match found {
            Ok(comment) => comment,
            Err(refused) => return Ok(Decision::Refuse(refused)),
        };
        changes.store(Statement::new(&DELETE_COMMENT, vec![self.id.into()]));
        changes.event("comment.deleted", "comment", self.id, comment.told());
        let gone = veiled(all_gone(all_new(&comment.text())));
        changes.audit("comment.delete", "comment", self.id, gone);
        Ok(Decision::Accept(()))
    }
}
