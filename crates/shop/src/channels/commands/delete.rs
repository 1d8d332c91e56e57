//! Deleting channels with everything that came of them.

use runout_store::{Result, Rows, Statement, statements};
use serde_json::json;

use super::{ChannelRefused, Locked, lock};
use crate::App;
use crate::channels::access::Scope;
use crate::platform::command::{Caller, Changes, Command, Decision, Outcome};
use crate::platform::etag::IfMatch;

statements! {
    DELETE_PROCESSES = "delete from channel_process where channel_id = $1";
    DELETE_ITEMS = "delete from shipment_item
        where shipment_id in (select id from shipment where channel_id = $1)";
    DELETE_SHIPMENTS = "delete from shipment where channel_id = $1";
    DELETE_RUNS = "delete from sync_run where channel_id = $1";
    DELETE_TOKEN = "delete from channel_token where channel_id = $1";
    DELETE_SYNC = "delete from channel_sync where channel_id = $1";
    DELETE = "delete from channel where id = $1";
    /// An account's channels, locked where the crawler locks them.
    OF_ACCOUNT = {
        sqlite: "select s.channel_id from channel_sync s join channel c on c.id = s.channel_id
            where c.account_id = $1 order by s.channel_id",
        postgres: "select s.channel_id from channel_sync s join channel c on c.id = s.channel_id
            where c.account_id = $1 order by s.channel_id for update of s",
    };
}

/// Deletes a channel, its shipments, its runs and whatever it has.
///
/// # Errors
/// The database's.
pub async fn delete(
    app: &App,
    caller: Caller,
    scope: Scope,
    id: i64,
    if_match: IfMatch,
) -> Result<Outcome<(), ChannelRefused>> {
    let deleted = app.run(caller, DeleteChannel { scope, id, if_match }).await;
    app.channels.ring();
    deleted
}

struct DeleteChannel {
    scope: Scope,
    id: i64,
    if_match: IfMatch,
}

/// What belongs to a channel first.
fn store(id: i64, changes: &mut Changes) {
    for sql in [
        &DELETE_PROCESSES,
        &DELETE_ITEMS,
        &DELETE_SHIPMENTS,
        &DELETE_RUNS,
        &DELETE_TOKEN,
        &DELETE_SYNC,
        &DELETE,
    ] {
        changes.store(Statement::new(sql, vec![id.into()]));
    }
}

/// What the erasure of an account loads for [`erasure`].
pub fn load_of(account_id: i64) -> Statement {
    Statement::new(&OF_ACCOUNT, vec![account_id.into()])
}

/// Erases the channels of an account, as part of the account's erasure.
///
/// # Errors
/// For broken rows.
pub fn erasure(changes: &mut Changes, loaded: &Rows) -> Result<()> {
    for id in loaded.map(|row| row.get::<i64>(0))? {
        store(id, changes);
    }
    Ok(())
}

impl Command for DeleteChannel {
    type Accepted = ();
    type Refused = ChannelRefused;
    const NAME: &'static str = "delete_channel";
    const STATUS: u16 = 204;

    fn load(&self) -> Vec<Statement> {
        lock(self.id)
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<(), ChannelRefused>> {
        let channel = match Locked::read(loaded, self.scope, &self.if_match)? {
            Ok(locked) => locked.channel,
            Err(refused) => return Ok(Decision::Refuse(refused)),
        };
        store(self.id, changes);
        let fields = json!({
            "name": [channel.name, null],
            "shop": [channel.shop, null],
            "client_id": [channel.client_id, null],
        });
        changes.audit("channel.delete", "channel", self.id, fields);
        Ok(Decision::Accept(()))
    }
}
