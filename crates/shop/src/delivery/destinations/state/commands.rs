//! Pausing, resuming and testing destinations.

use runout_core::delivery::lane_of;
use runout_store::{Result, Rows, Statement, statements};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::App;
use crate::delivery::destinations::commands::{DISPATCH, DestinationRefused, Locked, lock};
use crate::delivery::destinations::model::{Destination, DestinationKind, DestinationState};
use crate::delivery::subscription::TEST_TOPIC;
use crate::platform::command::{Caller, Changes, Command, Decision, Outcome};
use crate::platform::etag::IfMatch;

statements! {
    SET_STATE = "update destination set state = $2, state_reason = null, updated_at = $3,
            version = version + 1
        where id = $1";
    /// The database gives the number.
    INSERT_EVENT = "insert into outbox (at, topic, entity, entity_id, payload)
        values ($1, $2, $3, $4, $5) returning id";
    INSERT_DELIVERY = "insert into delivery
            (destination_id, id, lane, outbox_id, entity, entity_id, at)
        values ($1, $2, $3, $4, $5, $6, $7)";
    NEXT_DELIVERY = "update dispatch set next_delivery = $1 where id = 1";
}

/// The name of destinations as entities.
const ENTITY: &str = "destination";

/// Pauses a destination: what it asks for is kept for it. Again does nothing.
///
/// # Errors
/// The database's.
pub async fn pause(
    app: &App,
    caller: Caller,
    id: i64,
    if_match: IfMatch,
) -> Result<Outcome<Destination, DestinationRefused>> {
    set_state(app, caller, id, DestinationState::Paused, if_match).await
}

/// Resumes a destination that was paused or disabled. Again does nothing.
///
/// # Errors
/// The database's.
pub async fn resume(
    app: &App,
    caller: Caller,
    id: i64,
    if_match: IfMatch,
) -> Result<Outcome<Destination, DestinationRefused>> {
    set_state(app, caller, id, DestinationState::Active, if_match).await
}

async fn set_state(
    app: &App,
    caller: Caller,
    id: i64,
    state: DestinationState,
    if_match: IfMatch,
) -> Result<Outcome<Destination, DestinationRefused>> {
    let outcome = app.run(caller, SetState { id, state, if_match }).await;
    app.delivery.bell.ring();
    outcome
}

struct SetState {
    id: i64,
    state: DestinationState,
    if_match: IfMatch,
}

impl Command for SetState {
    type Accepted = Destination;
    type Refused = DestinationRefused;
    const NAME: &'static str = "set_destination_state";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        vec![lock(self.id)]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Destination, DestinationRefused>> {
        let mut destination = match Locked::read(&loaded[0], &self.if_match)? {
            Ok(locked) => locked.destination,
            Err(refused) => return Ok(Decision::Refuse(refused)),
        };
        let before = destination.state;
        if before == self.state {
            return Ok(Decision::Accept(destination));
        }
        let row = vec![self.id.into(), self.state.as_str().into(), changes.now.into()];
        changes.store(Statement::new(&SET_STATE, row));
        let action = match self.state {
            DestinationState::Active => "destination.resume",
            DestinationState::Paused | DestinationState::Disabled => "destination.pause",
        };
        changes.audit(action, ENTITY, self.id, json!({ "state": [before, self.state] }));
        destination.state = self.state;
        destination.state_reason = None;
        destination.updated_at = changes.now;
        destination.version += 1;
        Ok(Decision::Accept(destination))
    }
}

/// A test that is on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TestSent {
    /// What it is known by at the receiver, such as `evt_7`.
    #[schema(example = "evt_7")]
    pub event_id: String,
    #[schema(example = "destination.test")]
    pub topic: String,
}

/// Sends a destination an event that no other one gets.
///
/// # Errors
/// The database's.
pub async fn test(
    app: &App,
    caller: Caller,
    id: i64,
) -> Result<Outcome<TestSent, DestinationRefused>> {
    let outcome = app.run(caller, Test { id }).await;
    app.delivery.bell.ring();
    outcome
}

struct Test {
    id: i64,
}

impl Command for Test {
    type Accepted = TestSent;
    type Refused = DestinationRefused;
    const NAME: &'static str = "test_destination";
    const STATUS: u16 = 202;

    fn load(&self) -> Vec<Statement> {
        vec![Statement::new(&DISPATCH, Vec::new()), lock(self.id)]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<TestSent, DestinationRefused>> {
        let destination = match Locked::read(&loaded[1], &IfMatch::Any)? {
            Ok(locked) => locked.destination,
            Err(refused) => return Ok(Decision::Refuse(refused)),
        };
        if destination.kind == DestinationKind::Rest {
            return Ok(Decision::Refuse(DestinationRefused::IsAMirror));
        }
        if destination.state != DestinationState::Active {
            return Ok(Decision::Refuse(DestinationRefused::NotActive));
        }
        let Some(event) = loaded.get(2) else {
            let payload = json!({
                "destination_id": self.id,
                "name": destination.settings.name,
                "message": "A test: nothing has happened.",
            });
            let row = vec![
                changes.now.into(),
                TEST_TOPIC.into(),
                ENTITY.into(),
                self.id.into(),
                payload.into(),
            ];
            return Ok(Decision::Load(vec![Statement::new(&INSERT_EVENT, row)]));
        };
        let outbox_id: i64 = event.first().expect("an insert returns its row").get(0)?;
        let next: i64 = loaded[0].first().expect("dispatch has its one row").get(0)?;
        let row = vec![
            self.id.into(),
            next.into(),
            i64::from(lane_of(ENTITY, self.id).0).into(),
            outbox_id.into(),
            ENTITY.into(),
            self.id.into(),
            changes.now.into(),
        ];
        changes.store(Statement::new(&INSERT_DELIVERY, row));
        changes.store(Statement::new(&NEXT_DELIVERY, vec![(next + 1).into()]));
        changes.audit("destination.test", ENTITY, self.id, json!({ "event": [null, outbox_id] }));
        let event_id = crate::delivery::envelope::event_id(outbox_id);
        Ok(Decision::Accept(TestSent { event_id, topic: TEST_TOPIC.to_owned() }))
    }
}
