//! Posts and comments as they are stored and answered, and who sees what of them.

use jiff::Timestamp;
use runout_store::{Composer, Result, Row};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use utoipa::ToSchema;

use crate::accounts::{Capability, Identity, Verb};
use crate::events::model::local_part;

/// A piece of news.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Post {
    #[schema(minimum = 1)]
    pub id: i64,
    /// The number that other systems know the author by; 99999942 if there is none.
    pub user_id: i64,
    /// The account that wrote it; null if it came from another system, or the account was erased.
    #[schema(required = true)]
    pub author_id: Option<i64>,
    /// What the author is called.
    #[schema(required = true)]
    pub author: Option<String>,
    #[schema(min_length = 1, max_length = 200)]
    pub title: String,
    #[schema(min_length = 1, max_length = 20_000)]
    pub body: String,
    /// False: only its author and staff see it.
    pub published: bool,
    /// Comments that everybody sees, counted up to 1,000.
    #[schema(minimum = 0, maximum = 1_000)]
    pub comments: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Grows with every change; the ETag.
    #[serde(skip)]
    pub version: i64,
}

impl Post {
    /// Reads the columns of `queries::POSTS`.
    pub(super) fn read(row: &Row<'_>) -> Result<Self> {
        let author: Option<String> = row.get(3)?;
        Ok(Self {
            id: row.get(0)?,
            user_id: row.get(1)?,
            author_id: row.get(2)?,
            // A username may be an e-mail address.
            author: author.map(|name| local_part(&name).to_owned()),
            title: row.get(4)?,
            body: row.get(5)?,
            published: row.get(6)?,
            comments: row.get(7)?,
            created_at: row.get(8)?,
            updated_at: row.get(9)?,
            version: row.get(10)?,
        })
    }

    /// What other systems are told.
    pub(super) fn told(&self) -> Json {
        let Self { id, user_id, title, body, published, .. } = self;
        json!({"id": id, "user_id": user_id, "title": title, "body": body, "published": published})
    }

    pub(super) fn text(&self) -> PostText {
        let Self { title, body, published, .. } = self.clone();
        PostText { title, body, published }
    }
}

/// What changes of a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PostText {
    pub title: String,
    pub body: String,
    pub published: bool,
}

/// What somebody said about a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Comment {
    #[schema(minimum = 1)]
    pub id: i64,
    #[schema(minimum = 1)]
    pub post_id: i64,
    /// The account that wrote it; null if it came from another system, or the account was erased.
    #[schema(required = true)]
    pub author_id: Option<i64>,
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// Of somebody else's account only staff see it: null.
    #[schema(required = true, max_length = 254)]
    pub email: Option<String>,
    #[schema(min_length = 1, max_length = 5_000)]
    pub body: String,
    /// True: only its author and staff see it.
    pub hidden: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Grows with every change; the ETag.
    #[serde(skip)]
    pub version: i64,
}

impl Comment {
    /// Reads the columns of `queries::COMMENTS`.
    pub(super) fn read(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            post_id: row.get(1)?,
            author_id: row.get(2)?,
            name: row.get(3)?,
            email: row.get(4)?,
            body: row.get(5)?,
            hidden: row.get(6)?,
            created_at: row.get(7)?,
            updated_at: row.get(8)?,
            version: row.get(9)?,
        })
    }

    /// What other systems are told.
    pub(super) fn told(&self) -> Json {
        let Self { id, post_id, name, email, body, hidden, .. } = self;
        json!({
            "id": id, "post_id": post_id, "name": name, "email": email, "body": body,
            "hidden": hidden,
        })
    }

    pub(super) fn text(&self) -> CommentText {
        let Self { name, email, body, hidden, .. } = self.clone();
        CommentText { name, email: email.unwrap_or_default(), body, hidden }
    }
}

/// What changes of a comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CommentText {
    pub name: String,
    pub email: String,
    pub body: String,
    pub hidden: bool,
}

/// Whoever looks at the journal or writes in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Viewer {
    /// None: somebody who is not logged in.
    pub account_id: Option<i64>,
    /// Sees what is not published, and what is hidden.
    pub sees_all: bool,
    /// What it writes is published at once.
    pub publishes: bool,
    /// Changes what others wrote; publishes and hides.
    pub changes: bool,
    /// Deletes what others wrote.
    pub deletes: bool,
}

impl From<&Identity> for Viewer {
    fn from(identity: &Identity) -> Self {
        let may = |verb| identity.may(Capability::Journal, verb);
        Self {
            account_id: Some(identity.account_id),
            sees_all: may(Verb::View),
            publishes: may(Verb::Create),
            changes: may(Verb::Change),
            deletes: may(Verb::Delete),
        }
    }
}

impl From<Option<&Identity>> for Viewer {
    fn from(identity: Option<&Identity>) -> Self {
        identity.map(Self::from).unwrap_or_default()
    }
}

impl Viewer {
    /// True if the viewer wrote it.
    pub fn wrote(self, author_id: Option<i64>) -> bool {
        author_id.is_some() && author_id == self.account_id
    }

    /// True if the viewer sees a post that is published or not.
    pub fn sees_post(self, published: bool, author_id: Option<i64>) -> bool {
        published || self.sees_all || self.wrote(author_id)
    }

    /// True if the viewer sees a comment of a post that it sees.
    pub fn sees_comment(self, hidden: bool, author_id: Option<i64>) -> bool {
        !hidden || self.sees_all || self.wrote(author_id)
    }

    /// True if the viewer may change what this account wrote.
    pub fn may_change(self, author_id: Option<i64>) -> bool {
        self.changes || self.wrote(author_id)
    }

    /// True if the viewer may delete what this account wrote.
    pub fn may_delete(self, author_id: Option<i64>) -> bool {
        self.deletes || self.wrote(author_id)
    }

    /// The comment as the viewer sees it: addresses of other accounts are theirs. Those of comments
    /// that came from elsewhere are public there.
    pub fn veil(self, mut comment: Comment) -> Comment {
        let own = comment.author_id.is_none() || self.wrote(comment.author_id);
        comment.email = comment.email.filter(|_| own || self.sees_all);
        comment
    }

    /// Appends the condition on posts `p` that the viewer sees.
    pub(super) fn compose_posts(self, sql: &mut Composer) {
        match (self.sees_all, self.account_id) {
            (true, _) => _ = sql.push("1 = 1"),
            (false, None) => _ = sql.push("p.published = true"),
            (false, Some(id)) => {
                sql.push("(p.published = true or p.author_id = ").bind(id);
                sql.push_each(")", "::bigint)");
            }
        }
    }

    /// Appends the condition on comments `c` that the viewer sees.
    pub(super) fn compose_comments(self, sql: &mut Composer) {
        if self.sees_all {
            sql.push("1 = 1");
            return;
        }
        match self.account_id {
            None => _ = sql.push("c.hidden = false"),
            Some(id) => {
                sql.push("(c.hidden = false or c.author_id = ").bind(id);
                sql.push_each(")", "::bigint)");
            }
        }
        sql.push(" and exists (select 1 from post p where p.id = c.post_id and ");
        self.compose_posts(sql);
        sql.push(")");
    }

    /// Appends the condition on comments `c` whose e-mail address the viewer sees.
    pub(super) fn compose_emails(self, sql: &mut Composer) {
        if !self.sees_all {
            sql.push(" and (c.author_id is null or c.author_id = ");
            sql.bind(self.account_id.unwrap_or_default()).push_each(")", "::bigint)");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_not_the_author_of_what_nobody_wrote() {
        let (nobody, ana) =
            (Viewer::default(), Viewer { account_id: Some(7), ..Viewer::default() });
        for (viewer, author, wrote) in [
            (nobody, None, false),
            (nobody, Some(7), false),
            (ana, None, false),
            (ana, Some(8), false),
            (ana, Some(7), true),
        ] {
            assert_eq!(viewer.wrote(author), wrote, "{viewer:?} {author:?}");
            assert_eq!(viewer.sees_post(false, author), wrote);
            assert_eq!(viewer.sees_comment(true, author), wrote);
        }
    }
}
