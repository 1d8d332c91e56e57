//! Writing, changing and deleting posts.

use runout_store::{Result, Rows, Statement};
use serde_json::{Map, Value as Json, json};

use super::USER_ID_UNMAPPED;
use super::input::{NewPost, PostPatch};
use super::model::{Post, PostText, Viewer};
use super::sql::{
    DELETE_COMMENTS_OF, DELETE_POST, INSERT_POST, LOCK_COMMENTS_OF, LOCK_POST,
    TELL_COMMENTS_DELETED, UPDATE_POST, WRITER,
};
use crate::App;
use crate::catalog::model::{all_new, changed};
use crate::events::model::local_part;
use crate::platform::command::{Caller, Changes, Command, Decision, Outcome, next_ids};
use crate::platform::etag::IfMatch;

/// Why nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalRefused {
    NoPost,
    NoComment,
    NoAccount,
    /// Somebody else wrote it.
    NotYours,
    /// Only staff decide what is published.
    MayNotPublish,
    /// Only staff decide what is hidden.
    MayNotHide,
    /// It has another version than the caller expects.
    Changed,
}

/// Adds a post of the caller.
///
/// # Errors
/// The database's.
pub async fn create(
    app: &App,
    caller: Caller,
    viewer: Viewer,
    new: NewPost,
) -> Result<Outcome<Post, JournalRefused>> {
    app.run(caller, Create { viewer, new }).await
}

struct Create {
    viewer: Viewer,
    new: NewPost,
}

impl Command for Create {
    type Accepted = Post;
    type Refused = JournalRefused;
    const NAME: &'static str = "create_post";
    const STATUS: u16 = 201;

    fn load(&self) -> Vec<Statement> {
        vec![Statement::new(&WRITER, vec![self.viewer.account_id.into()]), next_ids("post", 1)]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Post, JournalRefused>> {
        let Some(writer) = loaded[0].first() else {
            return Ok(Decision::Refuse(JournalRefused::NoAccount));
        };
        let Viewer { account_id, publishes, .. } = self.viewer;
        if self.new.published == Some(true) && !publishes {
            return Ok(Decision::Refuse(JournalRefused::MayNotPublish));
        }
        let user_id: Option<i64> = writer.get(0)?;
        let name: String = writer.get(1)?;
        let post = Post {
            id: loaded[1].first().expect("the sequence is in the schema").get(0)?,
            user_id: user_id.unwrap_or(USER_ID_UNMAPPED),
            author_id: account_id,
            author: Some(local_part(&name).to_owned()),
            title: self.new.title.trim().to_owned(),
            body: self.new.body.clone(),
            published: self.new.published.unwrap_or(publishes),
            comments: 0,
            created_at: changes.now,
            updated_at: changes.now,
            version: 1,
        };
        let row = vec![
            post.id.into(),
            post.user_id.into(),
            account_id.into(),
            post.title.as_str().into(),
            post.body.as_str().into(),
            post.published.into(),
            changes.now.into(),
        ];
        changes.store(Statement::new(&INSERT_POST, row));
        changes.event("post.created", "post", post.id, post.told());
        changes.audit("post.create", "post", post.id, all_new(&post.text()).into());
        Ok(Decision::Accept(post))
    }
}

/// The post of [`LOCK_POST`]'s rows, if the viewer may do this to it.
fn locked(
    rows: &Rows,
    viewer: Viewer,
    may: fn(Viewer, Option<i64>) -> bool,
    if_match: &IfMatch,
) -> Result<std::result::Result<Post, JournalRefused>> {
    let Some(row) = rows.first() else { return Ok(Err(JournalRefused::NoPost)) };
    let post = Post::read(&row)?;
    Ok(if !viewer.sees_post(post.published, post.author_id) {
        Err(JournalRefused::NoPost)
    } else if !may(viewer, post.author_id) {
        Err(JournalRefused::NotYours)
    } else if !if_match.allows(post.version) {
        Err(JournalRefused::Changed)
    } else {
        Ok(post)
    })
}

/// Changes a post. What is the same already stays untouched, its version too.
///
/// # Errors
/// The database's.
pub async fn change(
    app: &App,
    caller: Caller,
    viewer: Viewer,
    id: i64,
    patch: PostPatch,
    if_match: IfMatch,
) -> Result<Outcome<Post, JournalRefused>> {
    app.run(caller, Change { viewer, id, patch, if_match }).await
}

struct Change {
    viewer: Viewer,
    id: i64,
    patch: PostPatch,
    if_match: IfMatch,
}

impl Change {
    /// What the post will be.
    fn after(&self, before: &PostText) -> std::result::Result<PostText, JournalRefused> {
        let mut after = self.patch.apply(before);
        let Viewer { publishes, changes, .. } = self.viewer;
        if after.published != before.published && !changes {
            return Err(JournalRefused::MayNotPublish);
        }
        // Else somebody could have one text looked at and show another.
        let text_changed = (&after.title, &after.body) != (&before.title, &before.body);
        after.published &= !text_changed || changes || publishes;
        Ok(after)
    }
}

impl Command for Change {
    type Accepted = Post;
    type Refused = JournalRefused;
    const NAME: &'static str = "change_post";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        vec![Statement::new(&LOCK_POST, vec![self.id.into()])]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Post, JournalRefused>> {
        let found = locked(&loaded[0], self.viewer, Viewer::may_change, &self.if_match)?;
        let mut post = match found {
            Ok(post) => post,
            Err(refused) => return Ok(Decision::Refuse(refused)),
        };
        let before = post.text();
        let after = match self.after(&before) {
            Ok(after) => after,
            Err(refused) => return Ok(Decision::Refuse(refused)),
        };
        let fields = changed(&before, &after);
        if fields.is_empty() {
            return Ok(Decision::Accept(post));
        }
        PostText { title: post.title, body: post.body, published: post.published } = after;
        post.version += 1;
        post.updated_at = changes.now;
        let row = vec![
            self.id.into(),
            post.title.as_str().into(),
            post.body.as_str().into(),
            post.published.into(),
            changes.now.into(),
        ];
        changes.store(Statement::new(&UPDATE_POST, row));
        changes.event("post.updated", "post", self.id, post.told());
        changes.audit("post.update", "post", self.id, fields.into());
        Ok(Decision::Accept(post))
    }
}

/// Deletes a post with its comments, for good.
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

/// What was there, as changes to nothing.
pub(super) fn all_gone(fields: Map<String, Json>) -> Map<String, Json> {
    fields.into_iter().map(|(name, pair)| (name, json!([pair[1], null]))).collect()
}

impl Command for Delete {
    type Accepted = ();
    type Refused = JournalRefused;
    const NAME: &'static str = "delete_post";
    const STATUS: u16 = 204;

    fn load(&self) -> Vec<Statement> {
        [&LOCK_POST, &LOCK_COMMENTS_OF].map(|sql| Statement::new(sql, vec![self.id.into()])).into()
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<(), JournalRefused>> {
        let found = locked(&loaded[0], self.viewer, Viewer::may_delete, &self.if_match)?;
        let post = match found {
            Ok(post) => post,
            Err(refused) => return Ok(Decision::Refuse(refused)),
        };
        let comments: i64 = loaded[1].first().expect("a count is one row").get(0)?;
        let (id, now) = (self.id, changes.now);
        changes.store(Statement::new(&TELL_COMMENTS_DELETED, vec![id.into(), now.into()]));
        changes.store(Statement::new(&DELETE_COMMENTS_OF, vec![id.into()]));
        changes.store(Statement::new(&DELETE_POST, vec![id.into()]));
        // Events are stored last: after those of the comments.
        changes.event("post.deleted", "post", id, post.told());
        let mut gone = all_gone(all_new(&post.text()));
        gone.insert("comments".to_owned(), json!([comments, 0]));
        changes.audit("post.delete", "post", id, gone.into());
        Ok(Decision::Accept(()))
    }
}
