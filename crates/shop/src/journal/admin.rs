//! Posts and comments in the back office.

use runout_store::{Composer, Engine};

use super::input::{CommentPatch, NewPost, PostPatch};
use super::model::Viewer;
use super::{comments, posts};
use crate::accounts::{Capability, Verb, email_key};
use crate::admin::Clerk;
use crate::admin::table::{
    Action, Column, Doing, EXTRAS, Fields, Found, Inline, Input, InputKind, Of, Offer, OfferKind,
    Path, Search, Show, Table, Work, Writes, settled,
};
use crate::platform::etag::IfMatch;
use crate::platform::extract::valid;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::Resource;
use crate::platform::problem::Problem;

pub(crate) static TABLES: &[&Table] = &[&POSTS, &COMMENTS];

static POSTS: Table = Table {
    slug: "posts",
    title: "Posts",
    one: "post",
    about: "The shop's news, and what customers wrote and nobody has published yet.",
    capability: Capability::Journal,
    base: "post",
    alias: "p",
    list: Resource {
        name: "admin_posts",
        fields: &[
            Field::new("id", "p.id", Kind::Id),
            Field::new("title", "p.title", Kind::Text).sortable(),
            Field::new("published", "p.published", Kind::Bool),
            Field::new("author_id", "p.author_id", Kind::Id).nullable(),
            Field::new("user_id", "p.user_id", Kind::Id),
            Field::new("created_at", "p.created_at", Kind::Time).sortable(),
        ],
        id_sql: "p.id",
        default_sort: "-created_at",
        extras: EXTRAS,
    },
    columns: &[
        Column::new("title", "Title", Show::Text, "p.title").sorts("title"),
        Column::new("published", "Published", Show::Bool, "p.published"),
        Column::new(
            "author",
            "Author",
            Show::Link("accounts"),
            "(select x.username from account x where x.id = p.author_id)",
        )
        .also("p.author_id"),
        Column::new("created_at", "Written", Show::Time, "p.created_at").sorts("created_at"),
    ],
    details: &[
        Column::new("id", "Number", Show::Int, "p.id"),
        Column::new("user_id", "Author's number elsewhere", Show::Int, "p.user_id"),
        Column::new("body", "Text", Show::Long, "p.body"),
        Column::new("updated_at", "Last change", Show::Time, "p.updated_at"),
    ],
    filters: &[
        Offer { field: "published", label: "Published", kind: OfferKind::YesNo },
        Offer { field: "author_id", label: "Author's number", kind: OfferKind::Value },
        Offer { field: "user_id", label: "Number elsewhere", kind: OfferKind::Value },
        Offer { field: "created_at", label: "Written", kind: OfferKind::Period },
    ],
    paths: &[
        Path { fields: &["id"], sort: "-created_at", few: true },
        Path { fields: &["published"], sort: "-created_at", few: false },
        Path { fields: &["author_id"], sort: "-id", few: false },
        Path { fields: &["user_id"], sort: "-id", few: false },
    ],
    search: Some(Search { hint: "A number, or how a title begins.", find: title }),
    entity: Some("post"),
    version: Some("p.version"),
    inputs: &[
        Input::new("title", "Title", InputKind::Line, "p.title").required(),
        Input::new("body", "Text", InputKind::Long, "p.body").required(),
        Input::new("published", "Published", InputKind::Bool, "p.published")
            .hint("Everybody sees it."),
    ],
    writes: Writes {
        create: Some(create_post),
        change: Some(change_post),
        delete: Some(delete_post),
    },
    inlines: &[Inline {
        title: "Comments",
        table: "comments",
        of: Of::Field("post_id"),
        editable: false,
    }],
    actions: &[
        Action {
            name: "publish",
            label: "Publish",
            verb: Verb::Change,
            inputs: &[],
            work: Work::Set { field: "published", to: Some("true") },
        },
        Action {
            name: "unpublish",
            label: "Publish no more",
            verb: Verb::Change,
            inputs: &[],
            work: Work::Set { field: "published", to: Some("false") },
        },
    ],
    ..Table::BLANK
};

static COMMENTS: Table = Table {
    slug: "comments",
    title: "Comments",
    one: "comment",
    about: "What people say about the news.",
    capability: Capability::Journal,
    base: "comment",
    alias: "c",
    list: Resource {
        name: "admin_comments",
        fields: &[
            Field::new("id", "c.id", Kind::Id),
            Field::new("post_id", "c.post_id", Kind::Id),
            Field::new("author_id", "c.author_id", Kind::Id).nullable(),
            Field::new("email", "c.email", Kind::Text).sortable(),
            Field::new("hidden", "c.hidden", Kind::Bool),
            Field::new("created_at", "c.created_at", Kind::Time).sortable(),
        ],
        id_sql: "c.id",
        default_sort: "-id",
        extras: EXTRAS,
    },
    columns: &[
        Column::new("name", "Name", Show::Text, "c.name"),
        Column::new("email", "E-mail", Show::Text, "c.email").sorts("email"),
        Column::new("body", "Text", Show::Long, "c.body"),
        Column::new("hidden", "Hidden", Show::Bool, "c.hidden"),
        Column::new(
            "post",
            "Post",
            Show::Link("posts"),
            "(select x.title from post x where x.id = c.post_id)",
        )
        .also("c.post_id"),
        Column::new("created_at", "Written", Show::Time, "c.created_at").sorts("created_at"),
    ],
    details: &[
        Column::new("id", "Number", Show::Int, "c.id"),
        Column::new(
            "author",
            "Author",
            Show::Link("accounts"),
            "(select x.username from account x where x.id = c.author_id)",
        )
        .also("c.author_id"),
        Column::new("updated_at", "Last change", Show::Time, "c.updated_at"),
    ],
    filters: &[
        Offer { field: "hidden", label: "Hidden", kind: OfferKind::YesNo },
        Offer { field: "post_id", label: "Post's number", kind: OfferKind::Value },
        Offer { field: "author_id", label: "Author's number", kind: OfferKind::Value },
        Offer { field: "created_at", label: "Written", kind: OfferKind::Period },
    ],
    paths: &[
        Path { fields: &["id"], sort: "-id", few: true },
        Path { fields: &["hidden"], sort: "-id", few: false },
        Path { fields: &["post_id"], sort: "-id", few: false },
        Path { fields: &["author_id"], sort: "-id", few: false },
        Path { fields: &["email"], sort: "-id", few: false },
    ],
    search: Some(Search {
        hint: "A number, how an e-mail address begins, or a username.",
        find: comment,
    }),
    entity: Some("comment"),
    version: Some("c.version"),
    inputs: &[
        Input::new("name", "Name", InputKind::Line, "c.name").required(),
        Input::new("email", "E-mail", InputKind::Line, "c.email").required(),
        Input::new("body", "Text", InputKind::Long, "c.body").required(),
        Input::new("hidden", "Hidden", InputKind::Bool, "c.hidden")
            .hint("Only whoever wrote it and staff see it."),
    ],
    writes: Writes { create: None, change: Some(change_comment), delete: Some(delete_comment) },
    actions: &[
        Action {
            name: "hide",
            label: "Hide",
            verb: Verb::Change,
            inputs: &[],
            work: Work::Set { field: "hidden", to: Some("true") },
        },
        Action {
            name: "show",
            label: "Show again",
            verb: Verb::Change,
            inputs: &[],
            work: Work::Set { field: "hidden", to: Some("false") },
        },
    ],
    ..Table::BLANK
};

fn title(text: &str) -> Found {
    if text.parse::<i64>().is_ok() {
        let compose = |sql: &mut Composer, _: Engine, text: &str| {
            _ = sql.push(" and p.id = ").bind(text.parse::<i64>().unwrap_or(0));
        };
        return Found { compose, text: text.to_owned(), sort: None, few: true };
    }
    let compose = |sql: &mut Composer, _: Engine, text: &str| {
        sql.push(" and p.title >= ").bind(text);
        sql.push(" and p.title < ").bind(format!("{text}\u{10FFFF}"));
    };
    Found { compose, text: text.to_owned(), sort: Some("title"), few: false }
}

fn comment(text: &str) -> Found {
    if text.parse::<i64>().is_ok() {
        let compose = |sql: &mut Composer, _: Engine, text: &str| {
            _ = sql.push(" and c.id = ").bind(text.parse::<i64>().unwrap_or(0));
        };
        return Found { compose, text: text.to_owned(), sort: None, few: true };
    }
    if text.contains('@') {
        let compose = |sql: &mut Composer, _: Engine, text: &str| {
            sql.push(" and c.email >= ").bind(text);
            sql.push(" and c.email < ").bind(format!("{text}\u{10FFFF}"));
        };
        return Found { compose, text: text.to_owned(), sort: Some("email"), few: false };
    }
    let compose = |sql: &mut Composer, _: Engine, text: &str| {
        sql.push(" and c.author_id = (select s.id from account s where s.username_key = ");
        sql.bind(text).push(")");
    };
    Found { compose, text: email_key(text), sort: Some("-id"), few: false }
}

fn viewer(clerk: &Clerk) -> Viewer {
    Viewer::from(&clerk.session.identity)
}

fn create_post(clerk: Clerk, fields: Fields) -> Doing<i64> {
    Box::pin(async move {
        let new: NewPost = valid(fields)?;
        let outcome = posts::create(&clerk.app, clerk.caller(), viewer(&clerk), new).await?;
        settled(outcome, Problem::from).map(|post| post.id)
    })
}

fn change_post(clerk: Clerk, id: i64, if_match: IfMatch, fields: Fields) -> Doing<()> {
    Box::pin(async move {
        let patch: PostPatch = valid(fields)?;
        let (caller, viewer) = (clerk.caller(), viewer(&clerk));
        let outcome = posts::change(&clerk.app, caller, viewer, id, patch, if_match).await?;
        settled(outcome, Problem::from).map(drop)
    })
}

fn delete_post(clerk: Clerk, id: i64, if_match: IfMatch) -> Doing<()> {
    Box::pin(async move {
        let (caller, viewer) = (clerk.caller(), viewer(&clerk));
        let outcome = posts::delete(&clerk.app, caller, viewer, id, if_match).await?;
        settled(outcome, Problem::from)
    })
}

fn change_comment(clerk: Clerk, id: i64, if_match: IfMatch, fields: Fields) -> Doing<()> {
    Box::pin(async move {
        let patch: CommentPatch = valid(fields)?;
        let (caller, viewer) = (clerk.caller(), viewer(&clerk));
        let outcome = comments::change(&clerk.app, caller, viewer, id, patch, if_match).await?;
        settled(outcome, Problem::from).map(drop)
    })
}

fn delete_comment(clerk: Clerk, id: i64, if_match: IfMatch) -> Doing<()> {
    Box::pin(async move {
        let (caller, viewer) = (clerk.caller(), viewer(&clerk));
        let outcome = comments::delete(&clerk.app, caller, viewer, id, if_match).await?;
        settled(outcome, Problem::from)
    })
}
