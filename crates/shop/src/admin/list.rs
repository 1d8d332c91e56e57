//! The index of the tables, and the list of one.

use askama::Template;
use axum::http::Uri;
use axum::response::Response;

use super::asked::Asked;
use super::bulk::BULK_MAX;
use super::queries::{self, Listing};
use super::show::{Shown, row_path};
use super::table::{Action, Column, OfferKind, Table, WINDOW_ROWS, WINDOWS_MAX};
use super::{Clerk, tables};
use crate::App;
use crate::accounts::{Capability, Verb};
use crate::pages::Frame;
use crate::platform::problem::Problem;

/// The tables that somebody may see, by capability.
#[derive(Template)]
#[template(path = "admin/templates/index.html")]
pub(super) struct Index {
    groups: Vec<(&'static str, Vec<&'static Table>)>,
}

impl Index {
    pub(super) fn new(clerk: &Clerk) -> Self {
        let mut groups: Vec<(Capability, Vec<&'static Table>)> = Vec::new();
        for table in tables().iter().filter(|table| clerk.may(table, Verb::View)) {
            match groups.iter_mut().find(|(capability, _)| *capability == table.capability) {
                Some((_, tables)) => tables.push(table),
                None => groups.push((table.capability, vec![table])),
            }
        }
        let named = |(capability, tables)| (capability_name(capability), tables);
        Self { groups: groups.into_iter().map(named).collect() }
    }
}

/// What a capability is called on pages.
pub(super) fn capability_name(capability: Capability) -> &'static str {
    match capability {
        Capability::Catalog => "Catalogue",
        Capability::Stock => "Stock",
        Capability::Orders => "Orders",
        Capability::Discounts => "Discounts",
        Capability::Taxes => "Taxes",
        Capability::Accounts => "Accounts",
        Capability::Audit => "Audit",
        Capability::Events => "Events",
        Capability::Journal => "Journal",
        Capability::Delivery => "Delivery",
        Capability::Channels => "Channels",
    }
}

/// A heading of the list.
struct Heading {
    label: &'static str,
    is_number: bool,
    /// The list sorted by it, the other way round if it is already.
    href: Option<String>,
    /// For `aria-sort`.
    sorted: Option<&'static str>,
}

/// A filter that the page offers, with its present value.
struct Control {
    name: String,
    label: String,
    value: String,
    /// The choices: value and words; none: a text field.
    choices: Vec<(&'static str, &'static str)>,
    is_moment: bool,
}

/// A filter that is on.
struct Active {
    words: String,
    without: String,
}

struct Line {
    id: i64,
    href: Option<String>,
    cells: Vec<Shown>,
}

#[derive(Template)]
#[template(path = "admin/templates/list.html")]
struct ListPage<'a> {
    table: &'static Table,
    asked: &'a Asked,
    group: &'static str,
    headings: Vec<Heading>,
    controls: Vec<Control>,
    active: Vec<Active>,
    lines: Vec<Line>,
    next: Option<String>,
    previous: Option<String>,
    start: Option<String>,
    is_cut: bool,
    may_create: bool,
    /// What the clerk may do to many rows.
    actions: Vec<&'static Action>,
    /// The filters, for exports and for actions on all rows that fit.
    query: String,
}

impl ListPage<'_> {
    fn window(&self) -> i64 {
        WINDOW_ROWS * WINDOWS_MAX
    }

    fn bulk_max(&self) -> usize {
        BULK_MAX
    }
}

pub(super) async fn page(
    app: &App,
    frame: &Frame,
    clerk: &Clerk,
    table: &'static Table,
    uri: &Uri,
) -> Result<Response, Problem> {
    let asked = Asked::from_uri(table, uri)?;
    let listing = queries::page(app, &asked).await?;
    let Listing { rows, next, previous, is_cut } = listing;
    let line = |row: queries::Listed| Line {
        id: row.id,
        href: table.has_page.then(|| row_path(table.slug, row.id)),
        cells: shown(table, &row.cells),
    };
    let page = ListPage {
        table,
        asked: &asked,
        group: capability_name(table.capability),
        headings: headings(&asked),
        controls: controls(&asked),
        active: active(&asked),
        lines: rows.into_iter().map(line).collect(),
        next: next.map(|cursor| asked.query_with("cursor", Some(&cursor))),
        previous: previous.map(|cursor| asked.query_with("before", Some(&cursor))),
        start: (!asked.request.is_first()).then(|| asked.query_with("cursor", None)),
        is_cut,
        actions: table.actions.iter().filter(|action| clerk.may(table, action.verb)).collect(),
        may_create: table.writes.create.is_some() && clerk.may(table, Verb::Create),
        query: asked.query_with("cursor", None),
    };
    Ok(frame.page(table.title, &page))
}

/// The cells of a list's row.
pub(super) fn shown(table: &'static Table, cells: &[queries::Cell]) -> Vec<Shown> {
    table.columns.iter().zip(cells).map(|(column, cell)| Shown::new(column, cell)).collect()
}

fn headings(asked: &Asked) -> Vec<Heading> {
    let sorted_by = asked.request.sort_field();
    let heading = |column: &'static Column| {
        let is_sorted = column.sort == Some(sorted_by);
        let descending = asked.request.is_descending();
        let forced = asked.found.as_ref().and_then(|found| found.sort);
        let forced = forced.map(|sort| sort.trim_start_matches('-'));
        // A search by an index of its own gives one order only.
        let sort = column.sort.filter(|field| forced.is_none_or(|only| only == *field));
        let turned = |field: &str| {
            let sort =
                if is_sorted && !descending { format!("-{field}") } else { field.to_owned() };
            asked.query_with("sort", Some(&sort))
        };
        Heading {
            label: column.label,
            is_number: column.is_number(),
            href: sort.map(turned),
            sorted: is_sorted.then_some(if descending { "descending" } else { "ascending" }),
        }
    };
    asked.table.columns.iter().map(heading).collect()
}

fn controls(asked: &Asked) -> Vec<Control> {
    let value = |name: &str| {
        let found = asked.filters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let control = |name: String, label: String, choices, is_moment| Control {
        value: value(&name),
        name,
        label,
        choices,
        is_moment,
    };
    let mut controls = Vec::new();
    for offer in asked.table.filters {
        let (name, label) = (offer.field.to_owned(), offer.label.to_owned());
        match offer.kind {
            OfferKind::Value => controls.push(control(name, label, Vec::new(), false)),
            OfferKind::YesNo => {
                let choices = vec![("true", "yes"), ("false", "no")];
                controls.push(control(name, label, choices, false));
            }
            OfferKind::Choice(words) => {
                let choices = words.iter().map(|word| (*word, *word)).collect();
                controls.push(control(name, label, choices, false));
            }
            OfferKind::Period => {
                for (suffix, words) in [("gte", "from"), ("lt", "before")] {
                    let (name, label) = (format!("{name}__{suffix}"), format!("{label} {words}"));
                    controls.push(control(name, label, Vec::new(), true));
                }
            }
        }
    }
    controls
}

fn active(asked: &Asked) -> Vec<Active> {
    let mut active = Vec::new();
    if !asked.q.is_empty() {
        let words = format!("Search: {}", asked.q);
        active.push(Active { words, without: asked.query_with("q", None) });
    }
    for (name, value) in &asked.filters {
        let (field, lookup) = name.split_once("__").unwrap_or((name, "exact"));
        let offer = asked.table.filters.iter().find(|offer| offer.field == field);
        let label = offer.map_or(field, |offer| offer.label);
        let sign = match lookup {
            "exact" => ":",
            "gte" => " from",
            "lte" => " up to",
            "gt" => " after",
            "lt" => " before",
            other => &format!(" {other}"),
        };
        let words = format!("{label}{sign} {value}");
        active.push(Active { words, without: asked.query_with(name, None) });
    }
    active
}
