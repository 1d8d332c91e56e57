//! Accounts in the back office.

use runout_store::{Composer, Engine};
use serde::Deserialize;

use crate::accounts::api::AccountChange;
use crate::accounts::{By, Capability, NewAccount, Role, Verb, email_key, queries};
use crate::admin::Clerk;
use crate::admin::table::{
    Action, Column, Doing, EXTRAS, Fields, Found, Inline, Input, InputKind, Of, Offer, OfferKind,
    Path, Planned, RowLink, Search, Show, Table, Work, Writes, settled,
};
use crate::platform::etag::IfMatch;
use crate::platform::extract::valid;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::Resource;
use crate::platform::problem::Problem;

const ROLES: &[&str] = &["customer", "staff", "superuser"];

pub(super) static ACCOUNTS: Table = Table {
    slug: "accounts",
    title: "Accounts",
    one: "account",
    about: "Customers and whoever runs the shop.",
    capability: Capability::Accounts,
    base: "account",
    alias: "a",
    list: Resource {
        name: "admin_accounts",
        fields: &[
            Field::new("id", "a.id", Kind::Id),
            Field::new("username_key", "a.username_key", Kind::Text).sortable(),
            Field::new("email_key", "a.email_key", Kind::Text).sortable(),
            Field::new("role", "a.role", Kind::Choice(ROLES)),
            Field::new("active", "a.active", Kind::Bool),
            Field::new("created_at", "a.created_at", Kind::Time),
        ],
        id_sql: "a.id",
        default_sort: "-id",
        extras: EXTRAS,
    },
    columns: &[
        Column::new("username", "Username", Show::Text, "a.username").sorts("username_key"),
        Column::new("email", "E-mail", Show::Text, "a.email").sorts("email_key"),
        Column::new("name", "Name", Show::Text, "a.name"),
        Column::new("role", "Role", Show::Badge, "a.role"),
        Column::new("active", "Active", Show::Bool, "a.active"),
        Column::new("created_at", "Since", Show::Time, "a.created_at"),
    ],
    details: &[
        Column::new("phone", "Phone", Show::Text, "a.phone"),
        Column::new("updated_at", "Last change", Show::Time, "a.updated_at"),
    ],
    filters: &[
        Offer { field: "role", label: "Role", kind: OfferKind::Choice(ROLES) },
        Offer { field: "active", label: "Active", kind: OfferKind::YesNo },
        Offer { field: "created_at", label: "Since", kind: OfferKind::Period },
    ],
    paths: &[
        Path { fields: &["id"], sort: "-id", few: true },
        Path { fields: &["role"], sort: "-id", few: false },
    ],
    search: Some(Search { hint: "How a username or an e-mail address begins.", find }),
    entity: Some("account"),
    version: Some("a.version"),
    inputs: &[
        Input::new("username", "Username", InputKind::Line, "").new_only().required(),
        Input::new("email", "E-mail", InputKind::Line, "a.email").required(),
        Input::new("name", "Name", InputKind::Line, "a.name"),
        Input::new("phone", "Phone", InputKind::Line, "a.phone"),
        Input::new(
            "identity_document",
            "Identity document",
            InputKind::Line,
            "a.identity_document",
        ),
        Input::new("birth_date", "Birth date", InputKind::Line, "a.birth_date")
            .hint("Such as 1990-12-31"),
        Input::new("role", "Role", InputKind::Choice(ROLES), "a.role")
            .hint("Only superusers set another one than customer."),
    ],
    writes: Writes { create: Some(create), change: Some(change), delete: None },
    inlines: &[
        Inline { title: "Orders", table: "orders", of: Of::Field("account_id"), editable: false },
        Inline {
            title: "Addresses",
            table: "addresses",
            of: Of::Field("account_id"),
            editable: false,
        },
        Inline {
            title: "Sessions",
            table: "sessions",
            of: Of::Field("account_id"),
            editable: false,
        },
        Inline { title: "Tokens", table: "tokens", of: Of::Field("account_id"), editable: false },
    ],
    actions: &[
        Action {
            name: "deactivate",
            label: "Deactivate",
            verb: Verb::Change,
            inputs: &[],
            work: Work::Own { plan: plan_deactivate, apply: apply_deactivate },
        },
        Action {
            name: "reactivate",
            label: "Let log in again",
            verb: Verb::Change,
            inputs: &[],
            work: Work::Own { plan: plan_reactivate, apply: apply_reactivate },
        },
    ],
    links: &[RowLink {
        label: "Permissions",
        place: ("/admin/accounts/", "/permissions"),
        superusers: true,
    }],
    ..Table::BLANK
};

fn find(text: &str) -> Found {
    let key = email_key(text);
    if text.contains('@') {
        let compose = |sql: &mut Composer, _: Engine, text: &str| {
            sql.push(" and a.email_key >= ").bind(text);
            sql.push(" and a.email_key < ").bind(format!("{text}\u{10FFFF}"));
        };
        return Found { compose, text: key, sort: Some("email_key"), few: false };
    }
    let compose = |sql: &mut Composer, _: Engine, text: &str| {
        sql.push(" and a.username_key >= ").bind(text);
        sql.push(" and a.username_key < ").bind(format!("{text}\u{10FFFF}"));
    };
    Found { compose, text: key, sort: Some("username_key"), few: false }
}

fn by(clerk: &Clerk, if_match: IfMatch) -> By {
    By { if_match, ..By::actor(clerk.session.actor()) }
}

/// A new account: nobody can log in to it until a password is set.
#[derive(Deserialize, garde::Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct Made {
    username: String,
    email: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    phone: String,
    #[serde(default)]
    identity_document: Option<String>,
    #[serde(default)]
    birth_date: Option<String>,
    #[serde(default)]
    role: Option<Role>,
}

fn create(clerk: Clerk, fields: Fields) -> Doing<i64> {
    Box::pin(async move {
        let made: Made = valid(fields)?;
        let new = NewAccount {
            username: made.username,
            email: made.email,
            password: None,
            name: made.name,
            phone: made.phone,
            identity_document: made.identity_document,
            birth_date: made.birth_date,
            role: made.role.filter(|role| *role != Role::Customer),
        };
        let outcome = crate::accounts::sign_up(&clerk.app, by(&clerk, IfMatch::Any), new).await?;
        settled(outcome, Problem::from).map(|account| account.id)
    })
}

fn change(clerk: Clerk, id: i64, if_match: IfMatch, mut fields: Fields) -> Doing<()> {
    Box::pin(async move {
        // What may be absent is so when it is empty.
        for name in ["identity_document", "birth_date"] {
            if fields.get(name).is_some_and(|value| value == "") {
                fields.insert(name.to_owned(), serde_json::Value::Null);
            }
        }
        let patch = valid::<AccountChange>(fields)?.into_patch();
        let by = by(&clerk, if_match);
        let outcome = crate::accounts::update(&clerk.app, by, id, patch).await?;
        settled(outcome, Problem::from).map(drop)
    })
}

async fn plan(clerk: Clerk, ids: Vec<i64>, active: bool) -> Result<Vec<Planned>, Problem> {
    let words = |active| if active { "active" } else { "deactivated" };
    let mut planned = Vec::new();
    for id in ids {
        let Some(account) = queries::account(&clerk.app, id).await? else {
            planned.push(Planned::gone(id));
            continue;
        };
        let same = format!("It is {} already.", words(active));
        planned.push(Planned {
            id,
            label: account.username.clone(),
            from: words(account.active).to_owned(),
            to: words(active).to_owned(),
            version: Some(account.version),
            refused: (account.active == active).then_some(same),
        });
    }
    Ok(planned)
}

fn plan_deactivate(clerk: Clerk, ids: Vec<i64>, _: Fields) -> Doing<Vec<Planned>> {
    Box::pin(plan(clerk, ids, false))
}

fn plan_reactivate(clerk: Clerk, ids: Vec<i64>, _: Fields) -> Doing<Vec<Planned>> {
    Box::pin(plan(clerk, ids, true))
}

fn apply_deactivate(clerk: Clerk, planned: Planned, _: Fields) -> Doing<()> {
    Box::pin(async move {
        let by = by(&clerk, planned.if_match());
        let outcome = crate::accounts::deactivate(&clerk.app, by, planned.id).await?;
        settled(outcome, Problem::from).map(drop)
    })
}

fn apply_reactivate(clerk: Clerk, planned: Planned, _: Fields) -> Doing<()> {
    Box::pin(async move {
        let by = by(&clerk, planned.if_match());
        let outcome = crate::accounts::reactivate(&clerk.app, by, planned.id).await?;
        settled(outcome, Problem::from).map(drop)
    })
}
