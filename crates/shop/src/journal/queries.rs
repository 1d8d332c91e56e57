//! Reading posts and comments.

use runout_store::{Composer, Result, Row, Statement, statements};
use serde::Serialize;

use super::model::{Comment, Post, Viewer};
use super::posts::JournalRefused;
use crate::App;
use crate::platform::cursor::Key;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::{ListRequest, Page, Resource};
use crate::platform::problem::Problem;

statements! {
    SHOW_POST = "select p.id, p.user_id, p.author_id,
            (select case when a.name <> '' then a.name else a.username end
                from account a where a.id = p.author_id),
            p.title, p.body, p.published,
            (select count(*) from (select 1 from comment c
                where c.post_id = p.id and c.hidden = false limit 1000) as seen),
            p.created_at, p.updated_at, p.version
        from post p where p.id = $1";
    /// The columns of `Comment::read`, then whether its post is published, and by whom.
    SHOW_COMMENT = "select c.id, c.post_id, c.author_id, c.name, c.email, c.body, c.hidden,
            c.created_at, c.updated_at, c.version, p.published, p.author_id
        from comment c join post p on p.id = c.post_id where c.id = $1";
    POSTS_BY = "select p.id, p.user_id, p.author_id, null, p.title, p.body, p.published, 0,
            p.created_at, p.updated_at, p.version
        from post p where p.author_id = $1 order by p.id desc limit $2";
    COMMENTS_BY = "select c.id, c.post_id, c.author_id, c.name, c.email, c.body, c.hidden,
            c.created_at, c.updated_at, c.version
        from comment c where c.author_id = $1 order by c.id desc limit $2";
    AUTHOR = "select account_id, user_id from journal_author where account_id = $1";
}

/// The beginning of a list of posts: the columns of [`Post::read`].
const POSTS_FROM: &str = "select p.id, p.user_id, p.author_id, \
    (select case when a.name <> '' then a.name else a.username end \
        from account a where a.id = p.author_id) as author, \
    p.title, p.body, p.published, \
    (select count(*) from (select 1 from comment c \
        where c.post_id = p.id and c.hidden = false limit 1000) as seen) as comments, \
    p.created_at, p.updated_at, p.version from post p where ";

/// The beginning of a list of comments: the columns of [`Comment::read`].
const COMMENTS_FROM: &str = "select c.id, c.post_id, c.author_id, c.name, c.email, c.body, \
    c.hidden, c.created_at, c.updated_at, c.version from comment c where ";

/// The parameter that lists are searched with.
pub const SEARCH: &str = "search";

/// What posts can be filtered and sorted by.
pub static POSTS: Resource = Resource {
    name: "posts",
    fields: &[
        Field::new("id", "p.id", Kind::Id),
        Field::new("user_id", "p.user_id", Kind::Id),
        Field::new("author_id", "p.author_id", Kind::Id).nullable(),
        Field::new("title", "p.title", Kind::Text).sortable(),
        Field::new("body", "p.body", Kind::Text),
        Field::new("published", "p.published", Kind::Bool),
        Field::new("created_at", "p.created_at", Kind::Time).sortable(),
        Field::new("updated_at", "p.updated_at", Kind::Time),
    ],
    id_sql: "p.id",
    default_sort: "id",
    extras: &[SEARCH],
};

/// What comments can be filtered and sorted by.
pub static COMMENTS: Resource = Resource {
    name: "comments",
    fields: &[
        Field::new("id", "c.id", Kind::Id),
        Field::new("post_id", "c.post_id", Kind::Id),
        Field::new("author_id", "c.author_id", Kind::Id).nullable(),
        Field::new("name", "c.name", Kind::Text),
        Field::new("email", "c.email", Kind::Text),
        Field::new("body", "c.body", Kind::Text),
        Field::new("hidden", "c.hidden", Kind::Bool),
        Field::new("created_at", "c.created_at", Kind::Time).sortable(),
        Field::new("updated_at", "c.updated_at", Kind::Time),
    ],
    id_sql: "c.id",
    default_sort: "id",
    extras: &[SEARCH],
};

/// The news page: newest first.
pub static NEWS: Resource = Resource {
    name: "news",
    fields: &[Field::new("created_at", "p.created_at", Kind::Time).sortable()],
    id_sql: "p.id",
    default_sort: "-created_at",
    extras: &["q"],
};

/// The comments below a post, oldest first.
pub static SAID: Resource =
    Resource { name: "said", fields: &[], id_sql: "c.id", default_sort: "id", extras: &[] };

/// Posts as the Rindus demo API names their fields.
pub static PREDECESSOR_POSTS: Resource = Resource {
    name: "rindus_posts",
    fields: &[
        Field::new("id", "p.id", Kind::Id),
        Field::new("user_id", "p.user_id", Kind::Id),
        Field::new("title", "p.title", Kind::Text),
        Field::new("body", "p.body", Kind::Text),
    ],
    id_sql: "p.id",
    default_sort: "id",
    extras: &[],
};

/// Comments as the Rindus demo API names their fields.
pub static PREDECESSOR_COMMENTS: Resource = Resource {
    name: "rindus_comments",
    fields: &[
        Field::new("id", "c.id", Kind::Id),
        Field::new("post", "c.post_id", Kind::Id),
        Field::new("name", "c.name", Kind::Text),
        Field::new("email", "c.email", Kind::Text),
        Field::new("body", "c.body", Kind::Text),
    ],
    id_sql: "c.id",
    default_sort: "id",
    extras: &[],
};

/// Fields whose filters an index serves.
const INDEXED: [&str; 7] = ["id", "user_id", "author_id", "published", "hidden", "post_id", "post"];

/// One post, if the viewer sees it.
///
/// # Errors
/// 404; the database's.
pub async fn post(app: &App, viewer: Viewer, id: i64) -> std::result::Result<Post, Problem> {
    let found = app.db.read_one(Statement::new(&SHOW_POST, vec![id.into()]), Post::read).await?;
    let seen = found.filter(|post| viewer.sees_post(post.published, post.author_id));
    seen.ok_or_else(|| JournalRefused::NoPost.into())
}

/// One comment, if the viewer sees it.
///
/// # Errors
/// 404; the database's.
pub async fn comment(app: &App, viewer: Viewer, id: i64) -> std::result::Result<Comment, Problem> {
    let read = |row: &Row<'_>| {
        let comment = Comment::read(row)?;
        let seen = viewer.sees_post(row.get(10)?, row.get(11)?)
            && viewer.sees_comment(comment.hidden, comment.author_id);
        Ok(seen.then_some(comment))
    };
    let found = app.db.read_one(Statement::new(&SHOW_COMMENT, vec![id.into()]), read).await?;
    let comment = found.flatten().ok_or(JournalRefused::NoComment)?;
    Ok(viewer.veil(comment))
}

/// Appends that one of two columns contains the text, in any case. Positions instead of LIKE: no
/// wildcards to escape.
fn compose_search(sql: &mut Composer, columns: [&'static str; 2], text: Option<&str>) {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return };
    sql.push(" and (");
    for (index, column) in columns.into_iter().enumerate() {
        sql.push(if index == 0 { "" } else { " or " });
        sql.push_each("instr(", "strpos(").push("lower(").push(column).push("), lower(");
        sql.bind(text).push_each(")) > 0", "::text)) > 0");
    }
    sql.push(")");
}

/// The statement of a list; it may look at many rows if no index serves what is asked for.
fn finish(sql: Composer, request: &ListRequest, searched: bool) -> Statement {
    let scans = request.filters.iter().any(|filter| !INDEXED.contains(&filter.field()));
    let statement = sql.finish();
    if searched || scans { statement.heavy() } else { statement }
}

/// A page of the posts that a viewer sees.
///
/// # Errors
/// The database's.
pub async fn posts(app: &App, viewer: Viewer, request: &ListRequest) -> Result<Page<Post>> {
    let mut sql = Composer::new(POSTS_FROM);
    viewer.compose_posts(&mut sql);
    let search = request.extra(SEARCH).or_else(|| request.extra("q"));
    compose_search(&mut sql, ["p.title", "p.body"], search);
    request.compose(&mut sql);
    let rows = app.db.read(finish(sql, request, search.is_some()), Post::read).await?;
    Ok(request.page(rows, |last, field| {
        let key = match field {
            "title" => Key::of(last.title.as_str()),
            _ => Key::of(last.created_at),
        };
        (last.id, key)
    }))
}

/// A page of the comments that a viewer sees: of one post, or of all.
///
/// # Errors
/// The database's.
pub async fn comments(
    app: &App,
    viewer: Viewer,
    post_id: Option<i64>,
    request: &ListRequest,
) -> Result<Page<Comment>> {
    let mut sql = Composer::new(COMMENTS_FROM);
    viewer.compose_comments(&mut sql);
    if let Some(post_id) = post_id {
        sql.push(" and c.post_id = ").bind(post_id).push_each("", "::bigint");
    }
    // What is not shown cannot be asked for either.
    if request.filters.iter().any(|filter| filter.field() == "email") {
        viewer.compose_emails(&mut sql);
    }
    let search = request.extra(SEARCH);
    compose_search(&mut sql, ["c.name", "c.body"], search);
    request.compose(&mut sql);
    let rows = app.db.read(finish(sql, request, search.is_some()), Comment::read).await?;
    let page = request.page(rows, |last, _| (last.id, Key::of(last.created_at)));
    Ok(page.map(|comment| viewer.veil(comment)))
}

/// What an account has written.
#[derive(Debug, Serialize)]
pub struct Written {
    /// Newest first.
    pub posts: Vec<Post>,
    pub comments: Vec<Comment>,
}

/// The newest posts and comments of an account.
///
/// # Errors
/// The database's.
pub async fn written_by(app: &App, account_id: i64, count_max: i64) -> Result<Written> {
    let of = |sql| Statement::new(sql, vec![account_id.into(), count_max.into()]);
    let posts = app.db.read(of(&POSTS_BY), Post::read).await?;
    Ok(Written { posts, comments: app.db.read(of(&COMMENTS_BY), Comment::read).await? })
}

/// The number that other systems know an account by, if there is one.
///
/// # Errors
/// The database's.
pub async fn author(app: &App, account_id: i64) -> Result<Option<i64>> {
    app.db.read_one(Statement::new(&AUTHOR, vec![account_id.into()]), |row| row.get(1)).await
}
