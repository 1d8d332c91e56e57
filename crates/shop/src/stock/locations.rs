//! Locations: stock pools with a priority.

use runout_store::{Error, Result, Rows, Statement};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::commands::{INSERT_LOCATION, LOCK_LOCATION, UPDATE_LOCATION};
use super::queries;
use crate::platform::command::{Changes, Command, Decision, next_ids};
use crate::platform::etag::IfMatch;

/// A stock pool: a fulfilment centre, a shop floor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Location {
    #[schema(minimum = 1)]
    pub id: i64,
    /// A short name for imports, never changed.
    pub code: String,
    pub name: String,
    /// Sales take from the lowest number first.
    pub priority: i64,
    /// Stock at an inactive location is counted but not sold.
    pub active: bool,
    /// Grows with every change.
    pub version: i64,
}

pub(super) struct AddLocation {
    pub code: String,
    pub name: String,
    pub priority: i64,
    pub active: bool,
}

impl Command for AddLocation {
    type Accepted = Location;
    type Refused = std::convert::Infallible;
    const NAME: &'static str = "add_location";
    const STATUS: u16 = 201;

    fn load(&self) -> Vec<Statement> {
        vec![next_ids("location", 1)]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Location, Self::Refused>> {
        let id: i64 = loaded[0].first().expect("the sequence is in the schema").get(0)?;
        let Self { code, name, priority, active } = self;
        let (priority, active) = (*priority, *active);
        let (code_value, name_value) = (code.as_str().into(), name.as_str().into());
        let params = vec![id.into(), code_value, name_value, priority.into(), active.into()];
        changes.store(Statement::new(&INSERT_LOCATION, params));
        let location =
            Location { id, code: code.clone(), name: name.clone(), priority, active, version: 1 };
        changes.event("location.created", "location", id, json!(location));
        changes.audit("create", "location", id, json!({"code": [null, code]}));
        Ok(Decision::Accept(location))
    }
}

pub(super) struct ChangeLocation {
    pub id: i64,
    pub name: Option<String>,
    pub priority: Option<i64>,
    pub active: Option<bool>,
    pub if_match: IfMatch,
}

/// Why a location was not changed.
#[derive(Debug)]
pub(super) enum NotChanged {
    NoSuchLocation,
    /// It has another version than the caller expects.
    Moved,
}

impl Command for ChangeLocation {
    type Accepted = Location;
    type Refused = NotChanged;
    const NAME: &'static str = "change_location";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        vec![Statement::new(&LOCK_LOCATION, vec![self.id.into()])]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Location, NotChanged>> {
        let Some(row) = loaded[0].first() else {
            return Ok(Decision::Refuse(NotChanged::NoSuchLocation));
        };
        let before = queries::location(&row)?;
        if !self.if_match.allows(before.version) {
            return Ok(Decision::Refuse(NotChanged::Moved));
        }
        let mut after = before.clone();
        after.name = self.name.clone().unwrap_or(after.name);
        after.priority = self.priority.unwrap_or(after.priority);
        after.active = self.active.unwrap_or(after.active);
        if after == before {
            return Ok(Decision::Accept(before));
        }
        after.version += 1;
        let params = vec![
            self.id.into(),
            after.name.as_str().into(),
            after.priority.into(),
            after.active.into(),
        ];
        changes.store(Statement::new(&UPDATE_LOCATION, params));
        changes.event("location.updated", "location", self.id, json!(after));
        let audit = json!({
            "name": [before.name, after.name],
            "priority": [before.priority, after.priority],
            "active": [before.active, after.active],
        });
        changes.audit("update", "location", self.id, audit);
        Ok(Decision::Accept(after))
    }
}

/// The code is taken.
pub(super) fn is_taken(error: &Error) -> bool {
    error.is_constraint("location_code_key")
}
