//! Changing a channel. Its new credentials were verified before.

use runout_store::{Result, Rows, Statement, Value, statements};
use serde_json::{Map, Value as Json, json};

use super::{
    Changed, ChannelRefused, Locked, NAME_TAKEN, Wish, lock, store_token, taken_elsewhere,
};
use crate::App;
use crate::catalog::model::changed;
use crate::channels::access::Scope;
use crate::channels::input::ChannelPatch;
use crate::channels::model::{Channel, ChannelState};
use crate::channels::secret_place;
use crate::channels::verification::Verified;
use crate::platform::command::{Caller, Changes, Command, Decision};
use crate::platform::etag::IfMatch;
use crate::platform::seal::Sealer;

statements! {
    UPDATE = "update channel set shop = $2, name = $3, client_id = $4, state = $5,
            state_reason = $6, sync_minutes = $7, keep_days = $8, updated_at = $9,
            version = version + 1
        where id = $1";
    SET_SECRET = "update channel set secret = $2 where id = $1";
    NEW_CREDENTIALS = "update channel set credentials = credentials + 1 where id = $1";
    DROP_TOKEN = "delete from channel_token where channel_id = $1";
    /// When people's data of a channel's shipments are erased: `$2` days after the shipment.
    SET_ERASURE = {
        sqlite: "update shipment set erase_at = coalesce(shipped_at, found_at) + $2 * 86400000000
            where channel_id = $1 and erased_at is null
                and (ship_to is not null or bill_to is not null or raw is not null)",
        postgres: "update shipment set
                erase_at = coalesce(shipped_at, found_at) + $2::bigint * interval '24 hours'
            where channel_id = $1 and erased_at is null
                and (ship_to is not null or bill_to is not null or raw is not null)",
    };
}

/// What new credentials turned out to be, and of which ones they are the successors.
#[derive(Debug, Clone)]
pub struct Checked {
    pub verified: Verified,
    /// The version of the credentials that were read.
    pub credentials: i64,
}

/// Changes a channel. What is the same already stays untouched, its version too.
///
/// # Errors
/// The database's.
pub async fn change(
    app: &App,
    caller: Caller,
    scope: Scope,
    id: i64,
    patch: ChannelPatch,
    checked: Option<Checked>,
    if_match: IfMatch,
) -> Changed {
    let (sealer, by) = (app.sealer.clone(), caller.account_id);
    let command = ChangeChannel { sealer, by, scope, id, patch, checked, if_match };
    let changed = taken_elsewhere(app.run(caller, command).await);
    app.channels.ring();
    changed
}

struct ChangeChannel {
    sealer: Sealer,
    by: Option<i64>,
    scope: Scope,
    id: i64,
    patch: ChannelPatch,
    checked: Option<Checked>,
    if_match: IfMatch,
}

impl ChangeChannel {
    /// The channel as it is wanted.
    fn wanted(&self, before: &Channel) -> Channel {
        let patch = &self.patch;
        let mut after = before.clone();
        if let Some(name) = &patch.name {
            after.name.clone_from(name);
        }
        if let Some(shop) = &patch.shop {
            after.shop.clone_from(shop);
        }
        if let Some(client_id) = &patch.client_id {
            after.client_id.clone_from(client_id);
        }
        if let Some(sync_minutes) = patch.sync_minutes {
            after.sync_minutes = sync_minutes;
        }
        if let Some(keep_days) = patch.keep_days {
            after.keep_days = keep_days;
        }
        if let Some(checked) = &self.checked {
            after.has_secret = true;
            // Whoever paused it wants it paused.
            if before.state != ChannelState::Paused {
                (after.state, after.state_reason) = checked.verified.state();
            }
        }
        after
    }

    fn store(&self, before: &Locked, after: &Channel, changes: &mut Changes) {
        let id: Value = self.id.into();
        let row = vec![
            id.clone(),
            after.shop.as_str().into(),
            after.name.as_str().into(),
            after.client_id.as_str().into(),
            after.state.as_str().into(),
            after.state_reason.as_deref().into(),
            after.sync_minutes.into(),
            after.keep_days.into(),
            changes.now.into(),
        ];
        changes.store(Statement::new(&UPDATE, row));
        if let Some(secret) = &self.patch.client_secret {
            let sealed = self.sealer.seal(&secret_place(self.id), secret.expose().as_bytes());
            changes.store(Statement::new(&SET_SECRET, vec![id.clone(), sealed.into()]));
        }
        if let Some(checked) = &self.checked {
            changes.store(Statement::new(&NEW_CREDENTIALS, vec![id.clone()]));
            changes.store(match &checked.verified {
                Verified::Works(token) => {
                    store_token(&self.sealer, self.id, before.credentials + 1, token)
                }
                Verified::Unanswered(_) => Statement::new(&DROP_TOKEN, vec![id.clone()]),
            });
        }
        if before.channel.keep_days != after.keep_days {
            changes.store(Statement::new(&SET_ERASURE, vec![id, after.keep_days.into()]));
        }
        changes.store(before.notice(Wish::Look, self.by, changes.now));
    }

    /// What differs, for the audit trail: of a secret only that it is another one.
    fn difference(&self, before: &Channel, after: &Channel) -> Map<String, Json> {
        let mut diff = changed(&before.settings(), &after.settings());
        if self.patch.client_secret.is_some() {
            diff.insert("client_secret".to_owned(), json!(["another one", "changed"]));
        }
        if before.state != after.state {
            diff.insert("state".to_owned(), json!([before.state, after.state]));
        }
        diff
    }
}

impl Command for ChangeChannel {
    type Accepted = Channel;
    type Refused = ChannelRefused;
    const NAME: &'static str = "change_channel";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        let namesake = |name: &String| Statement::new(&NAME_TAKEN, vec![name.as_str().into()]);
        let mut load = lock(self.id);
        load.extend(self.patch.name.as_ref().map(namesake));
        load
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Channel, ChannelRefused>> {
        let mut locked = match Locked::read(loaded, self.scope, &self.if_match)? {
            Ok(locked) => locked,
            Err(refused) => return Ok(Decision::Refuse(refused)),
        };
        // What was verified was made of what lay there then.
        let stale = |checked: &Checked| checked.credentials != locked.credentials;
        if self.checked.as_ref().is_some_and(stale) {
            return Ok(Decision::Refuse(ChannelRefused::Changed));
        }
        let namesake = loaded.get(2).and_then(Rows::first);
        if namesake.map(|row| row.get::<i64>(0)).transpose()?.is_some_and(|id| id != self.id) {
            return Ok(Decision::Refuse(ChannelRefused::NameTaken));
        }
        let after = self.wanted(&locked.channel);
        let diff = self.difference(&locked.channel, &after);
        if diff.is_empty() && self.checked.is_none() {
            return Ok(Decision::Accept(locked.channel));
        }
        self.store(&locked, &after, changes);
        changes.audit("channel.update", "channel", self.id, diff.into());
        locked.channel = after;
        locked.moved(changes.now);
        Ok(Decision::Accept(locked.channel))
    }
}
