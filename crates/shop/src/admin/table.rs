//! What a capability declares of a table: everything that the back office knows about it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use runout_store::{Composer, Engine};
use serde_json::{Map, Value as Json};

use crate::App;
use crate::accounts::{Capability, Session, Verb};
use crate::platform::command::{Caller, Outcome};
use crate::platform::etag::IfMatch;
use crate::platform::page::Resource;
use crate::platform::problem::{FieldError, Problem};

/// Rows of an index that one statement may look at, when filters have no index of their own.
pub const WINDOW_ROWS: i64 = 500;
/// Windows that one page may look through: a page that found too few says how far it looked, and
/// the next one goes on from there.
pub const WINDOWS_MAX: i64 = 2;

/// A table as the back office shows it. SQL fragments use its alias. What stands in other tables is
/// looked up by subselects, a row of the page at a time: a join might be made with all their rows.
#[derive(Debug)]
pub struct Table {
    /// Its name in addresses, such as `products`.
    pub slug: &'static str,
    pub title: &'static str,
    /// What one row is called, such as `product`.
    pub one: &'static str,
    pub about: &'static str,
    /// Whose permissions count.
    pub capability: Capability,
    /// The table's name in the database.
    pub base: &'static str,
    pub alias: &'static str,
    /// A condition on the base alone, `1 = 1` for none.
    pub live: &'static str,
    /// Whatever happens, the table stays so small that it may be read and sorted whole.
    pub is_small: bool,
    /// Fields to filter and sort by, on the base alone; every sortable one has an index that ends
    /// with the id. Its extras are [`EXTRAS`].
    pub list: Resource,
    pub columns: &'static [Column],
    /// What only the row's own page shows.
    pub details: &'static [Column],
    /// Filters that the page offers.
    pub filters: &'static [Offer],
    /// Filters that have an index.
    pub paths: &'static [Path],
    pub search: Option<Search>,
    /// The name in the audit trail.
    pub entity: Option<&'static str>,
    /// The version's expression, where rows have one.
    pub version: Option<&'static str>,
    /// False if rows have no page of their own.
    pub has_page: bool,
    pub inputs: &'static [Input],
    pub writes: Writes,
    pub inlines: &'static [Inline],
    pub actions: &'static [Action],
    pub links: &'static [RowLink],
}

/// A page about a row that the engine does not make.
#[derive(Debug)]
pub struct RowLink {
    pub label: &'static str,
    /// What stands in its address before and after the row's id.
    pub place: (&'static str, &'static str),
    /// For superusers alone.
    pub superusers: bool,
}

impl Table {
    /// What a declaration need not say: nothing is offered, nothing can be written.
    pub const BLANK: Self = Self {
        slug: "",
        title: "",
        one: "",
        about: "",
        capability: Capability::Audit,
        base: "",
        alias: "",
        live: "1 = 1",
        is_small: false,
        list: Resource { name: "", fields: &[], id_sql: "", default_sort: "-id", extras: EXTRAS },
        columns: &[],
        details: &[],
        filters: &[],
        paths: &[],
        search: None,
        entity: None,
        version: None,
        has_page: true,
        inputs: &[],
        writes: Writes::NONE,
        inlines: &[],
        actions: &[],
        links: &[],
    };
}

/// What a command came to, for a form.
///
/// # Errors
/// The refusal as a problem.
pub fn settled<A, R>(
    outcome: Outcome<A, R>,
    refused: impl FnOnce(R) -> Problem,
) -> Result<A, Problem> {
    match outcome {
        Outcome::Accepted(done) => Ok(done),
        Outcome::Refused(why) => Err(refused(why)),
        Outcome::Replayed { .. } | Outcome::KeyReused => {
            Err(Problem::internal("a form has no idempotency key"))
        }
    }
}

/// Takes text out of a form's fields.
pub fn take_text(fields: &mut Fields, name: &str) -> Option<String> {
    match fields.remove(name)? {
        Json::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

/// Takes the id of a row out of a form's fields.
///
/// # Errors
/// 400 with the field.
pub fn take_id(fields: &mut Fields, name: &'static str) -> Result<i64, Problem> {
    let id = fields.remove(name).and_then(|value| value.as_i64()).filter(|id| *id >= 1);
    id.ok_or_else(|| {
        let wrong = "must be the number of a row";
        Problem::validation(vec![FieldError::new(format!("/{name}"), "invalid", wrong)])
    })
}

/// Parameters of a list beside its filters.
pub const EXTRAS: &[&str] = &["q"];

/// How a column is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    Text,
    /// Text of several lines.
    Long,
    Int,
    /// Minor units; [`Column::also`] is the currency.
    Money,
    Time,
    Bool,
    /// One of a few words.
    Badge,
    /// Text that leads to a row of another table; [`Column::also`] is the row's id.
    Link(&'static str),
    Json,
}

/// One column.
#[derive(Debug)]
pub struct Column {
    /// Its name in exports.
    pub name: &'static str,
    pub label: &'static str,
    pub show: Show,
    pub sql: &'static str,
    pub also: Option<&'static str>,
    /// The sortable field that its heading sorts by.
    pub sort: Option<&'static str>,
}

impl Column {
    pub const fn new(
        name: &'static str,
        label: &'static str,
        show: Show,
        sql: &'static str,
    ) -> Self {
        Self { name, label, show, sql, also: None, sort: None }
    }

    /// With the second expression that [`Show::Money`] and [`Show::Link`] need.
    #[must_use]
    pub const fn also(mut self, sql: &'static str) -> Self {
        self.also = Some(sql);
        self
    }

    /// Its cells are numbers.
    pub fn is_number(&self) -> bool {
        matches!(self.show, Show::Int | Show::Money)
    }

    /// Sorted by this field at a click.
    #[must_use]
    pub const fn sorts(mut self, field: &'static str) -> Self {
        self.sort = Some(field);
        self
    }
}

/// A filter that the page offers.
#[derive(Debug)]
pub struct Offer {
    /// A field of [`Table::list`].
    pub field: &'static str,
    pub label: &'static str,
    pub kind: OfferKind,
}

/// What a filter looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferKind {
    /// Any text, number or id.
    Value,
    YesNo,
    /// One of these.
    Choice(&'static [&'static str]),
    /// From a moment to another.
    Period,
}

/// An index that serves some filters together.
#[derive(Debug)]
pub struct Path {
    /// Fields of which one value is asked for.
    pub fields: &'static [&'static str],
    /// The order in which the index then gives the rows, such as `-placed_at`.
    pub sort: &'static str,
    /// The fields leave so few rows that sorting them costs nothing.
    pub few: bool,
}

/// The search box.
#[derive(Debug)]
pub struct Search {
    /// What can be searched for.
    pub hint: &'static str,
    pub find: fn(&str) -> Found,
}

/// How a search narrows a list, by an index.
#[derive(Debug, Clone)]
pub struct Found {
    /// Appends ` and <condition>`.
    pub compose: fn(&mut Composer, Engine, &str),
    pub text: String,
    /// The only order that the index gives.
    pub sort: Option<&'static str>,
    /// It leaves so few rows that sorting them costs little.
    pub few: bool,
}

/// A field of a form.
#[derive(Debug)]
pub struct Input {
    /// The member of the API's input.
    pub name: &'static str,
    pub label: &'static str,
    pub hint: &'static str,
    pub kind: InputKind,
    /// The present value; empty if it is given for new rows only.
    pub sql: &'static str,
    pub when: When,
    pub required: bool,
}

impl Input {
    pub const fn new(
        name: &'static str,
        label: &'static str,
        kind: InputKind,
        sql: &'static str,
    ) -> Self {
        Self { name, label, hint: "", kind, sql, when: When::Always, required: false }
    }

    #[must_use]
    pub const fn hint(mut self, hint: &'static str) -> Self {
        self.hint = hint;
        self
    }

    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// For new rows only.
    #[must_use]
    pub const fn new_only(mut self) -> Self {
        self.when = When::New;
        self
    }

    /// For rows that are there only.
    #[must_use]
    pub const fn edit_only(mut self) -> Self {
        self.when = When::Edit;
        self
    }
}

/// When a form has a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Always,
    New,
    Edit,
}

/// What a form's field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    Line,
    Long,
    Int,
    /// Decimal text; the column has hundredths of it.
    Hundredths,
    /// Decimal text such as an amount of money; only for new rows.
    Decimal,
    Bool,
    Choice(&'static [&'static str]),
    /// A moment in UTC.
    Moment,
    /// The id of a row of another table.
    Reference(&'static str),
    Json,
}

/// The work of a write, and what became of it.
pub type Doing<T> = Pin<Box<dyn Future<Output = Result<T, Problem>> + Send>>;
/// The members of the API's input.
pub type Fields = Map<String, Json>;

/// Makes a row.
pub type Create = fn(Clerk, Fields) -> Doing<i64>;
/// Changes a row of a version.
pub type Change = fn(Clerk, i64, IfMatch, Fields) -> Doing<()>;
/// Deletes a row of a version.
pub type Delete = fn(Clerk, i64, IfMatch) -> Doing<()>;

/// How rows are written: by the capability's commands, with the API's own input.
#[derive(Debug)]
pub struct Writes {
    /// Answers with the new row's id.
    pub create: Option<Create>,
    pub change: Option<Change>,
    pub delete: Option<Delete>,
}

impl Writes {
    pub const NONE: Self = Self { create: None, change: None, delete: None };
}

/// Rows of another table on a row's page.
#[derive(Debug)]
pub struct Inline {
    pub title: &'static str,
    /// The other table's slug.
    pub table: &'static str,
    /// Which of its rows belong to this row.
    pub of: Of,
    /// They can be changed in place, and new ones added.
    pub editable: bool,
}

/// How an inline's rows are found.
#[derive(Debug, Clone, Copy)]
pub enum Of {
    /// By a field of the other table that holds this row's id.
    Field(&'static str),
    /// By a condition, as a search does.
    Condition(fn(&mut Composer, Engine, &str)),
}

/// Something to do to many rows.
#[derive(Debug)]
pub struct Action {
    pub name: &'static str,
    pub label: &'static str,
    pub verb: Verb,
    pub inputs: &'static [Input],
    pub work: Work,
}

/// How an action works.
#[derive(Debug, Clone, Copy)]
pub enum Work {
    /// Sets a field of the table's form; to what is typed, if no value is given.
    Set { field: &'static str, to: Option<&'static str> },
    /// Says what would happen to each row, and does it to one.
    Own {
        plan: fn(Clerk, Vec<i64>, Fields) -> Doing<Vec<Planned>>,
        apply: fn(Clerk, Planned, Fields) -> Doing<()>,
    },
}

/// What an action would change of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    pub id: i64,
    pub label: String,
    pub from: String,
    pub to: String,
    pub version: Option<i64>,
    /// Why nothing will be done.
    pub refused: Option<String>,
}

impl Planned {
    /// Only the version that was planned for.
    pub fn if_match(&self) -> IfMatch {
        self.version.map_or(IfMatch::Any, |version| IfMatch::OneOf(vec![version]))
    }

    /// A row that is not there any more.
    pub fn gone(id: i64) -> Self {
        let refused = Some("It is not there any more.".to_owned());
        Self {
            id,
            label: format!("#{id}"),
            from: String::new(),
            to: String::new(),
            version: None,
            refused,
        }
    }
}

/// Whoever works in the back office.
#[derive(Clone)]
pub struct Clerk {
    pub app: App,
    pub session: Arc<Session>,
}

impl Clerk {
    /// For the capabilities' commands.
    pub fn caller(&self) -> Caller {
        Caller { account_id: Some(self.session.identity.account_id), key: None }
    }

    pub fn account_id(&self) -> i64 {
        self.session.identity.account_id
    }

    pub fn may(&self, table: &Table, verb: Verb) -> bool {
        self.session.may(table.capability, verb)
    }

    /// # Errors
    /// 403.
    pub fn require(&self, table: &Table, verb: Verb) -> Result<(), Problem> {
        self.session.require(table.capability, verb)
    }
}
