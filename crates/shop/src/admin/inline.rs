//! Rows of other tables on a row's page: shown, and changed in place where they may be.

use super::asked::Asked;
use super::form::{self, Field};
use super::list::shown;
use super::queries;
use super::show::{Shown, row_path};
use super::table::{Column, Found, Inline, Of, Show, Table};
use super::{Clerk, table};
use crate::accounts::Verb;
use crate::platform::problem::Problem;

/// The rows of one inline.
#[derive(Debug)]
pub(super) struct Shelf {
    pub title: &'static str,
    pub table: &'static Table,
    /// Those that tell more than whose rows they are.
    pub columns: Vec<&'static Column>,
    pub rows: Vec<Placed>,
    /// All of them, where the page shows only the first.
    pub more: Option<String>,
    /// The fields of a new row, if one can be added.
    pub new: Vec<Field>,
    /// Its rows can be changed in place.
    pub is_editable: bool,
}

impl Shelf {
    /// Some row can be deleted.
    pub(super) fn deletes(&self) -> bool {
        self.rows.iter().any(|row| row.may_delete)
    }
}

/// A row of an inline.
#[derive(Debug)]
pub(super) struct Placed {
    pub id: i64,
    pub href: Option<String>,
    pub cells: Vec<Shown>,
    pub version: Option<i64>,
    /// The id of the form that its fields belong to.
    pub form: String,
    pub fields: Vec<Field>,
    pub may_delete: bool,
}

/// Every inline of a row that the clerk may see.
pub(super) async fn shelves(
    clerk: &Clerk,
    of: &'static Table,
    id: i64,
) -> Result<Vec<Shelf>, Problem> {
    let mut shelves = Vec::new();
    for inline in of.inlines {
        let table = table(inline.table)?;
        if clerk.may(table, Verb::View) {
            shelves.push(shelf(clerk, of, inline, table, id).await?);
        }
    }
    Ok(shelves)
}

/// False for a column that leads to the very row that the page is about.
fn tells(column: &Column, of: &Table) -> bool {
    column.show != Show::Link(of.slug) || column.sort.is_some()
}

async fn shelf(
    clerk: &Clerk,
    of: &'static Table,
    inline: &'static Inline,
    table: &'static Table,
    id: i64,
) -> Result<Shelf, Problem> {
    let is_editable =
        inline.editable && table.writes.change.is_some() && clerk.may(table, Verb::Change);
    let may_add =
        inline.editable && table.writes.create.is_some() && clerk.may(table, Verb::Create);
    let mut asked = match inline.of {
        Of::Field(field) => {
            let pairs = vec![(field.to_owned(), id.to_string())];
            Asked::from_pairs(table, pairs)?
        }
        Of::Condition(compose) => {
            let found = Found { compose, text: id.to_string(), sort: None, few: true };
            Asked::new(table, Vec::new(), String::new(), Some(found))?
        }
    };
    asked.with_values = is_editable;
    let listing = queries::page(&clerk.app, &asked).await?;
    let more = match inline.of {
        Of::Field(field) => Some(format!("/admin/{}/?{field}={id}", table.slug)),
        Of::Condition(_) => None,
    };
    let may_delete =
        inline.editable && table.writes.delete.is_some() && clerk.may(table, Verb::Delete);
    let placed = |row: queries::Listed| {
        let form = format!("{}-{}", table.slug, row.id);
        Placed {
            id: row.id,
            href: table.has_page.then(|| row_path(table.slug, row.id)),
            cells: shown(table, &row.cells)
                .into_iter()
                .zip(table.columns)
                .filter(|(_, column)| tells(column, of))
                .map(|(cell, _)| cell)
                .collect(),
            version: row.version,
            fields: placed_fields(form::filled(table, &row.values), &form),
            form,
            may_delete,
        }
    };
    let new = if may_add {
        let preset = match inline.of {
            Of::Field(field) => vec![(field.to_owned(), id.to_string())],
            Of::Condition(_) => Vec::new(),
        };
        placed_fields(form::empty(table, &preset), &format!("{}-new", table.slug))
    } else {
        Vec::new()
    };
    Ok(Shelf {
        title: inline.title,
        table,
        columns: table.columns.iter().filter(|column| tells(column, of)).collect(),
        rows: listing.rows.into_iter().map(placed).collect(),
        more: more.filter(|_| listing.next.is_some()),
        new,
        is_editable,
    })
}

/// Fields whose ids differ from those of the other rows.
fn placed_fields(mut fields: Vec<Field>, form: &str) -> Vec<Field> {
    for field in &mut fields {
        field.id = format!("{form}-{}", field.input.name);
        field.form = Some(form.to_owned());
    }
    fields
}
