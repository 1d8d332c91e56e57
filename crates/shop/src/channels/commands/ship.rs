//! Shipping from here, for an order that came from a channel: the crawler sends it.

use runout_store::{Result, Rows, Statement, Value, statements};
use serde_json::json;

use super::{ChannelRefused, Locked, Wish, lock};
use crate::App;
use crate::channels::access::Scope;
use crate::channels::input::NewParcel;
use crate::channels::model::{ChannelProcess, ChannelState, ProcessState};
use crate::channels::parcel::Carriage;
use crate::platform::command::{Caller, Changes, Command, Decision, Outcome, next_ids};
use crate::platform::etag::IfMatch;

statements! {
    INSERT = "insert into channel_process (id, channel_id, asked_by, order_id, items, reference,
            shipping_label_id, transporter_code, track_and_trace, due_at, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $10)";
}

/// Has something shipped. The provider is told by whoever has the channel in hand.
///
/// # Errors
/// The database's.
pub async fn ship(
    app: &App,
    caller: Caller,
    scope: Scope,
    id: i64,
    new: NewParcel,
) -> Result<Outcome<ChannelProcess, ChannelRefused>> {
    let by = caller.account_id;
    let shipped = app.run(caller, Ship { by, scope, id, new }).await;
    app.channels.ring();
    shipped
}

struct Ship {
    by: Option<i64>,
    scope: Scope,
    id: i64,
    new: NewParcel,
}

impl Ship {
    /// The row, and as it is answered.
    fn row(&self, id: i64, changes: &Changes) -> (Vec<Value>, ChannelProcess) {
        let parcel = self.new.parcel().expect("the parcel was validated");
        let (label, code, track) = match parcel.carriage {
            Carriage::Label(label) => (Some(label), None, None),
            Carriage::Transporter { code, track_and_trace } => (None, Some(code), track_and_trace),
        };
        let row = vec![
            id.into(),
            self.id.into(),
            self.by.into(),
            self.new.order_id.as_str().into(),
            json!(parcel.items).into(),
            parcel.reference.clone().into(),
            label.clone().into(),
            code.clone().into(),
            track.clone().into(),
            changes.now.into(),
        ];
        let process = ChannelProcess {
            id,
            channel_id: self.id,
            asked_by: self.by,
            order_id: Some(self.new.order_id.clone()),
            items: parcel.items,
            reference: parcel.reference,
            shipping_label_id: label,
            transporter_code: code,
            track_and_trace: track,
            state: ProcessState::Queued,
            process_id: None,
            shipment_id: None,
            error: None,
            due_at: Some(changes.now),
            created_at: changes.now,
            updated_at: changes.now,
        };
        (row, process)
    }
}

impl Command for Ship {
    type Accepted = ChannelProcess;
    type Refused = ChannelRefused;
    const NAME: &'static str = "ship_from_channel";
    const STATUS: u16 = 202;

    fn load(&self) -> Vec<Statement> {
        let mut load = lock(self.id);
        load.push(next_ids("channel_process", 1));
        load
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<ChannelProcess, ChannelRefused>> {
        let locked = match Locked::read(loaded, self.scope, &IfMatch::Any)? {
            Ok(locked) => locked,
            Err(refused) => return Ok(Decision::Refuse(refused)),
        };
        match locked.channel.state {
            ChannelState::Paused => return Ok(Decision::Refuse(ChannelRefused::Paused)),
            ChannelState::Refused => {
                let reason = locked.channel.state_reason.unwrap_or_default();
                return Ok(Decision::Refuse(ChannelRefused::Refused(reason)));
            }
            ChannelState::Active | ChannelState::Unverified => {}
        }
        let id: i64 = loaded[2].first().expect("the sequence is in the schema").get(0)?;
        let (row, process) = self.row(id, changes);
        changes.store(Statement::new(&INSERT, row));
        changes.store(locked.notice(Wish::Look, self.by, changes.now));
        let audit = json!({
            "process": [null, id],
            "order_id": [null, self.new.order_id],
            "items": [null, self.new.items.len()],
        });
        changes.audit("channel.ship", "channel", self.id, audit);
        Ok(Decision::Accept(process))
    }
}
