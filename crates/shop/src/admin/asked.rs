//! What a list was asked for, and which index serves it.

use axum::extract::Query;
use axum::http::Uri;
use serde_json::Map;

use super::table::{Found, Path, Table};
use crate::platform::lookups::{Filter, Reach};
use crate::platform::page::{LIMIT_MAX, ListRequest};
use crate::platform::problem::Problem;

/// Rows of a page of the back office.
const LIMIT: &str = "50";

/// A list's request.
#[derive(Debug, Clone)]
pub struct Asked {
    pub table: &'static Table,
    pub request: ListRequest,
    /// The filters as they stand in the address, without those that are empty.
    pub filters: Vec<(String, String)>,
    /// What stands in the search box.
    pub q: String,
    pub found: Option<Found>,
    /// The sort was asked for, and does not come from the path or the search.
    pub sort_given: bool,
    /// The rows come with the values of the table's form.
    pub with_values: bool,
    path: Option<&'static Path>,
}

impl Asked {
    /// Reads the query of an address.
    ///
    /// # Errors
    /// 400 with a code for each kind of mistake.
    pub fn from_uri(table: &'static Table, uri: &Uri) -> Result<Self, Problem> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|_| Problem::bad_request("invalid_query", "The query cannot be read."))?;
        Self::from_pairs(table, pairs)
    }

    /// Reads names and values. Empty ones are no filters: forms send them too.
    ///
    /// # Errors
    /// 400 with a code for each kind of mistake.
    pub fn from_pairs(
        table: &'static Table,
        mut pairs: Vec<(String, String)>,
    ) -> Result<Self, Problem> {
        pairs.retain(|(_, value)| !value.trim().is_empty());
        let q = pairs.iter().rev().find(|(name, _)| name == "q");
        let q = q.map(|(_, value)| value.trim().to_owned()).unwrap_or_default();
        let search = table.search.as_ref().filter(|_| !q.is_empty());
        Self::new(table, pairs, q.clone(), search.map(|search| (search.find)(&q)))
    }

    /// With a condition of its own, as a search has one.
    pub(super) fn new(
        table: &'static Table,
        mut pairs: Vec<(String, String)>,
        q: String,
        found: Option<Found>,
    ) -> Result<Self, Problem> {
        let is_filter = |name: &str| !matches!(name, "limit" | "cursor" | "before" | "sort" | "q");
        let filters: Vec<_> = pairs.iter().filter(|(name, _)| is_filter(name)).cloned().collect();
        let given = pairs.iter().rev().find(|(name, _)| name == "sort").map(|(_, sort)| sort);
        let forced = found.as_ref().and_then(|found| found.sort);
        let given = given.filter(|sort| forced.is_none_or(|forced| field(forced) == field(sort)));
        let given = given.cloned();
        let path = if found.is_some() { None } else { path(table, &filters, given.as_deref()) };
        // Such ids count within what the sort field leaves: there is no index on them alone.
        if !table.has_page && given.as_deref().map(field) == Some("id") {
            let detail = "This list is not sorted by its rows' numbers alone.";
            return Err(Problem::bad_request("unknown_sort", detail));
        }
        pairs.retain(|(name, _)| name != "sort");
        let sort = given.clone().or_else(|| forced.map(str::to_owned));
        let sort = sort.or_else(|| path.map(|path| path.sort.to_owned()));
        pairs.extend(sort.map(|sort| ("sort".to_owned(), sort)));
        if !pairs.iter().any(|(name, _)| name == "limit") {
            pairs.push(("limit".to_owned(), LIMIT.to_owned()));
        }
        let before = pairs.iter().position(|(name, _)| name == "before");
        let before = before.map(|at| pairs.remove(at).1);
        let request = ListRequest::from_pairs(&table.list, &pairs, &Map::new())?;
        let asked = Self {
            table,
            request,
            filters,
            q,
            found,
            sort_given: given.is_some(),
            with_values: false,
            path,
        };
        match before {
            // Windows are looked through in one direction.
            Some(before) if asked.unserved().next().is_none() => {
                Ok(Self { request: asked.request.clone().before(&before)?, ..asked })
            }
            _ => Ok(asked),
        }
    }

    /// The same from a cursor on.
    ///
    /// # Errors
    /// 400 for a cursor of another list.
    pub(super) fn after_cursor(&self, cursor: &str) -> Result<Self, Problem> {
        let mut pairs = self.pairs();
        pairs.push(("cursor".to_owned(), cursor.to_owned()));
        Self::from_pairs(self.table, pairs)
    }

    /// The same from a cursor on, for so many rows.
    ///
    /// # Errors
    /// 400 for no rows at all.
    pub(super) fn with_room(&self, cursor: &str, rows: usize) -> Result<Self, Problem> {
        let mut pairs = self.pairs();
        pairs.retain(|(name, _)| name != "limit");
        pairs.push(("limit".to_owned(), rows.to_string()));
        pairs.push(("cursor".to_owned(), cursor.to_owned()));
        Self::from_pairs(self.table, pairs)
    }

    /// The same from the start on, in the longest pages that there are.
    ///
    /// # Errors
    /// None that it did not have before.
    pub(super) fn in_full_pages(&self) -> Result<Self, Problem> {
        let mut pairs = self.pairs();
        pairs.retain(|(name, _)| name != "limit");
        pairs.push(("limit".to_owned(), LIMIT_MAX.to_string()));
        Self::from_pairs(self.table, pairs)
    }

    /// What was asked for, without where it begins.
    fn pairs(&self) -> Vec<(String, String)> {
        let mut pairs = self.filters.clone();
        let limit = self.request.limit().to_string();
        let further = [("q", self.q.clone()), ("sort", self.request.sort_name()), ("limit", limit)];
        pairs.extend(further.map(|(name, value)| (name.to_owned(), value)));
        pairs
    }

    /// True if the index that gives the order narrows to what the filter leaves, too.
    fn is_served(&self, filter: &Filter) -> bool {
        if self.found.is_some() {
            return false;
        }
        match filter.reach() {
            Reach::Point => self.path.is_some_and(|path| path.fields.contains(&filter.field())),
            Reach::Range => filter.field() == self.request.sort_field(),
            Reach::Scattered => false,
        }
    }

    /// True if the list is an index from one end to the other: no filter takes rows out of it.
    pub fn is_walk(&self) -> bool {
        self.found.is_none() && self.served().next().is_none()
    }

    /// The rows are so few that they may be filtered and sorted at will.
    pub fn few(&self) -> bool {
        self.table.is_small
            || self.found.as_ref().is_some_and(|found| found.few)
            || self.path.is_some_and(|path| path.few)
    }

    /// Filters that the index serves, or may do so because rows are few.
    pub(crate) fn served(&self) -> impl Iterator<Item = &Filter> {
        self.request.filters.iter().filter(|filter| self.few() || self.is_served(filter))
    }

    /// Filters that rows have to be looked at for, one by one, within a window.
    pub(crate) fn unserved(&self) -> impl Iterator<Item = &Filter> {
        self.request.filters.iter().filter(|filter| !self.few() && !self.is_served(filter))
    }

    /// The query of an address that asks for the same with another value of a parameter, or
    /// without it. Cursors are left out: they belong to one sort and its filters.
    pub fn query_with(&self, name: &str, value: Option<&str>) -> String {
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        let sort = self.request.sort_name();
        if !self.q.is_empty() {
            pairs.push(("q", &self.q));
        }
        pairs.extend(self.filters.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        if self.sort_given {
            pairs.push(("sort", &sort));
        }
        pairs.retain(|(known, _)| *known != name);
        pairs.extend(value.map(|value| (name, value)));
        serde_urlencoded::to_string(pairs).expect("text can be encoded")
    }
}

fn field(sort: &str) -> &str {
    sort.trim_start_matches('-')
}

/// The path that serves the filters, if the sort is none other than its own.
fn path(table: &Table, filters: &[(String, String)], sort: Option<&str>) -> Option<&'static Path> {
    let asked = |name: &&str| {
        let exact = format!("{name}__exact");
        filters.iter().any(|(known, _)| known == name || *known == exact)
    };
    let fits = |path: &&Path| {
        let sorted = path.few || sort.is_none_or(|sort| field(sort) == field(path.sort));
        path.fields.iter().all(asked) && sorted
    };
    table.paths.iter().find(fits)
}
