//! Making, changing and cancelling events.
//!
//! Lock order: the event, as the writer's batches do; so a change of the capacity and sign-ups do
//! not pass each other.

use runout_core::event::{self, room_after};
use runout_store::{Result, Rows, Statement};
use serde_json::{Map, Value as Json, json};

use super::commands::{CANCEL, INSERT, LOCK, MOVE_UP, ORGANISER, PLACE_AFTER, UPDATE};
use super::input::{EventPatch, Wrong, check_span};
use super::model::{Details, Event, Organiser, Summary, local_part};
use crate::App;
use crate::accounts::{Capability, Identity, Verb};
use crate::platform::command::{Caller, Changes, Command, Decision, Outcome, next_ids};
use crate::platform::etag::IfMatch;

/// Why an event was not changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventRefused {
    NotFound,
    /// Neither its organiser asks nor staff.
    NotYours,
    /// It has another version than the caller expects.
    Changed,
    /// It was cancelled: nothing of it changes any more.
    Cancelled,
    /// It cannot end then.
    Span(Wrong),
    /// More people come than would have room.
    TooFew {
        attending: i64,
    },
}

/// Whoever changes an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Editor {
    pub account_id: i64,
    /// May change everybody's events.
    pub staff: bool,
}

impl From<&Identity> for Editor {
    fn from(identity: &Identity) -> Self {
        let staff = identity.may(Capability::Events, Verb::Change);
        Self { account_id: identity.account_id, staff }
    }
}

impl Editor {
    /// True if this is the organiser, or staff.
    pub fn may(self, organiser_id: i64) -> bool {
        self.staff || self.account_id == organiser_id
    }

    /// The caller of a command, with an idempotency key or none.
    pub fn caller(self, key: Option<crate::platform::command::Key>) -> Caller {
        Caller { account_id: Some(self.account_id), key }
    }
}

/// How a change ended.
type Changed = Result<Outcome<Event, EventRefused>>;

/// Adds an event of the caller.
///
/// # Errors
/// The database's.
pub async fn create(app: &App, caller: Caller, organiser_id: i64, details: Details) -> Changed {
    app.run(caller, Create { organiser_id, details }).await
}

struct Create {
    organiser_id: i64,
    details: Details,
}

impl Command for Create {
    type Accepted = Event;
    type Refused = EventRefused;
    const NAME: &'static str = "create_event";
    const STATUS: u16 = 201;

    fn load(&self) -> Vec<Statement> {
        vec![Statement::new(&ORGANISER, vec![self.organiser_id.into()]), next_ids("event", 1)]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Event, EventRefused>> {
        let Some(organiser) = loaded[0].first() else {
            return Ok(Decision::Refuse(EventRefused::NotYours));
        };
        let email: String = organiser.get(0)?;
        let id: i64 = loaded[1].first().expect("the sequence is in the schema").get(0)?;
        let (details, now) = (&self.details, changes.now);
        let mut row = vec![id.into()];
        row.extend(details.columns());
        row.extend([self.organiser_id.into(), now.into()]);
        changes.store(Statement::new(&INSERT, row));
        let organiser = Organiser { id: self.organiser_id, name: local_part(&email).to_owned() };
        let event = new_event(id, details, organiser, now);
        changes.event("event.created", "event", id, json!(event));
        changes.audit("event.create", "event", id, difference(None, details).into());
        Ok(Decision::Accept(event))
    }
}

fn new_event(id: i64, details: &Details, organiser: Organiser, now: jiff::Timestamp) -> Event {
    let details = details.clone();
    let summary = Summary {
        id,
        title: details.title,
        venue: details.venue,
        starts_at: details.starts_at,
        ends_at: details.ends_at,
        time_zone: details.time_zone,
        capacity: details.capacity,
        organiser,
        product_id: None,
        attending: 0,
        waiting: 0,
        cancelled_at: None,
    };
    let description = details.description;
    Event { summary, description, created_at: now, updated_at: now, version: 1 }
}

/// What differs, field by field, as `[before, after]`.
fn difference(before: Option<&Details>, after: &Details) -> Map<String, Json> {
    let fields = |details: &Details| match json!(details) {
        Json::Object(fields) => fields,
        _ => unreachable!("details have fields"),
    };
    let before = before.map(fields).unwrap_or_default();
    let pair = |(name, after): (String, Json)| {
        let before = before.get(&name).cloned().unwrap_or(Json::Null);
        (before != after).then(|| (name, json!([before, after])))
    };
    fields(after).into_iter().filter_map(pair).collect()
}

/// Changes an event. What is the same already stays untouched, its version too.
///
/// # Errors
/// The database's.
pub async fn change(
    app: &App,
    caller: Caller,
    editor: Editor,
    id: i64,
    patch: EventPatch,
    if_match: IfMatch,
) -> Changed {
    app.run(caller, Change { editor, id, patch, if_match }).await
}

struct Change {
    editor: Editor,
    id: i64,
    patch: EventPatch,
    if_match: IfMatch,
}

/// The event of [`LOCK`]'s rows, with its newest place, if the editor may change it.
fn editable(
    rows: &Rows,
    editor: Editor,
    if_match: &IfMatch,
) -> Result<std::result::Result<(Event, i64), EventRefused>> {
    let Some(row) = rows.first() else { return Ok(Err(EventRefused::NotFound)) };
    let event = Event::read(&row)?;
    Ok(if !editor.may(event.summary.organiser.id) {
        Err(EventRefused::NotYours)
    } else if !if_match.allows(event.version) {
        Err(EventRefused::Changed)
    } else {
        Ok((event, row.get(17)?))
    })
}

/// What the rule about rooms looks at.
fn rule(event: &Event, places: i64) -> event::Event {
    let Summary { capacity, ends_at, attending, waiting, .. } = event.summary;
    event::Event {
        capacity,
        ends_at,
        cancelled: event.summary.cancelled_at.is_some(),
        ticketed: event.summary.product_id.is_some(),
        attending,
        waiting,
        places,
    }
}

impl Change {
    /// How many of the waiting list may come after the change.
    fn room(
        &self,
        event: &Event,
        places: i64,
        after: &Details,
    ) -> std::result::Result<i64, EventRefused> {
        if event.summary.cancelled_at.is_some() {
            return Err(EventRefused::Cancelled);
        }
        check_span(after.starts_at, after.ends_at).map_err(EventRefused::Span)?;
        room_after(&rule(event, places), after.capacity)
            .map_err(|attending| EventRefused::TooFew { attending })
    }

    fn store(
        &self,
        changes: &mut Changes,
        event: &mut Event,
        after: Details,
        moved_up: i64,
    ) -> Result<()> {
        let fields = difference(Some(&event.details()), &after);
        if fields.is_empty() {
            return Ok(());
        }
        let mut row = vec![self.id.into()];
        row.extend(after.columns());
        row.extend([moved_up.into(), changes.now.into()]);
        changes.store(Statement::new(&UPDATE, row));
        event.set(after);
        event.summary.attending += moved_up;
        event.summary.waiting -= moved_up;
        event.version += 1;
        event.updated_at = changes.now;
        changes.event("event.updated", "event", self.id, json!(event));
        changes.audit("event.update", "event", self.id, fields.into());
        Ok(())
    }
}

impl Command for Change {
    type Accepted = Event;
    type Refused = EventRefused;
    const NAME: &'static str = "change_event";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        vec![Statement::new(&LOCK, vec![self.id.into()])]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Event, EventRefused>> {
        let (mut event, places) = match editable(&loaded[0], self.editor, &self.if_match)? {
            Ok(found) => found,
            Err(refused) => return Ok(Decision::Refuse(refused)),
        };
        let after = self.patch.apply(&event.details());
        let room = match self.room(&event, places, &after) {
            Ok(room) => room,
            Err(refused) => return Ok(Decision::Refuse(refused)),
        };
        if room > 0 {
            let Some(last) = loaded.get(1) else {
                let last = Statement::new(&PLACE_AFTER, vec![self.id.into(), (room - 1).into()]);
                return Ok(Decision::Load(vec![last]));
            };
            let place: i64 = last.first().expect("so many wait").get(0)?;
            changes.store(Statement::new(&MOVE_UP, vec![self.id.into(), place.into()]));
            let payload = json!({"count": room, "last_place": place});
            changes.event("event.waiting_list_moved_up", "event", self.id, payload);
        }
        self.store(changes, &mut event, after, room)?;
        Ok(Decision::Accept(event))
    }
}

/// Cancels an event: nobody signs up any more; who would have come stays known. Again does nothing.
///
/// # Errors
/// The database's.
pub async fn cancel(
    app: &App,
    caller: Caller,
    editor: Editor,
    id: i64,
    if_match: IfMatch,
) -> Changed {
    app.run(caller, Cancel { editor, id, if_match }).await
}

struct Cancel {
    editor: Editor,
    id: i64,
    if_match: IfMatch,
}

impl Command for Cancel {
    type Accepted = Event;
    type Refused = EventRefused;
    const NAME: &'static str = "cancel_event";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        vec![Statement::new(&LOCK, vec![self.id.into()])]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Event, EventRefused>> {
        let (mut event, _) = match editable(&loaded[0], self.editor, &self.if_match)? {
            Ok(found) => found,
            Err(refused) => return Ok(Decision::Refuse(refused)),
        };
        if event.summary.cancelled_at.is_none() {
            let now = changes.now;
            changes.store(Statement::new(&CANCEL, vec![self.id.into(), now.into()]));
            event.summary.cancelled_at = Some(now);
            event.updated_at = now;
            event.version += 1;
            changes.event("event.cancelled", "event", self.id, json!(event));
            let fields = json!({"cancelled_at": [null, now]});
            changes.audit("event.cancel", "event", self.id, fields);
        }
        Ok(Decision::Accept(event))
    }
}
