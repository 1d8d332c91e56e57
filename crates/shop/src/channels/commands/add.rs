//! Adding a channel: its first sync begins by itself, unless it is synced only when asked.

use runout_store::{Result, Rows, Statement, Value, statements};
use serde_json::json;

use super::{Changed, ChannelRefused, NAME_TAKEN, store_token, taken_elsewhere};
use crate::App;
use crate::accounts::Role;
use crate::catalog::model::all_new;
use crate::channels::input::NewChannel;
use crate::channels::model::{Channel, ChannelState, Provider};
use crate::channels::verification::Verified;
use crate::channels::{CHANNELS_PER_ACCOUNT_MAX, secret_place};
use crate::platform::command::{Caller, Changes, Command, Decision, next_ids};
use crate::platform::seal::Sealer;
use crate::platform::secret::Secret;

statements! {
    /// The account `$1`, if it can log in, and how many channels it has.
    OWNER = "select a.role, (select count(*) from channel c where c.account_id = a.id)
        from account a where a.id = $1 and a.active = $2";
    INSERT = "insert into channel (id, account_id, shop, name, provider, client_id, secret, state,
            state_reason, sync_minutes, keep_days, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)";
    INSERT_SYNC = "insert into channel_sync (channel_id, due_at) values ($1, $2)";
}

/// A channel that was found valid.
#[derive(Clone)]
pub struct NewSettings {
    /// Whose it is; none: the house's.
    pub account_id: Option<i64>,
    pub shop: String,
    pub name: String,
    pub provider: Provider,
    pub client_id: String,
    pub secret: Secret,
    pub sync_minutes: Option<i64>,
    pub keep_days: Option<i64>,
}

/// A setting where 0 means none.
fn setting(number: u32) -> Option<i64> {
    (number > 0).then(|| number.into())
}

impl NewSettings {
    /// What is not said is as the shop's settings say.
    pub fn new(new: NewChannel, account_id: Option<i64>, app: &App) -> Self {
        let config = &app.channels.config;
        Self {
            account_id,
            shop: new.shop,
            name: new.name,
            provider: new.provider,
            client_id: new.client_id,
            secret: new.client_secret,
            sync_minutes: new.sync_minutes.unwrap_or_else(|| setting(config.sync_minutes)),
            keep_days: new.keep_days.unwrap_or_else(|| setting(config.keep_days)),
        }
    }
}

/// Adds a channel whose credentials were verified.
///
/// # Errors
/// The database's.
pub async fn add(app: &App, caller: Caller, new: NewSettings, verified: Verified) -> Changed {
    let sealer = app.sealer.clone();
    let added = taken_elsewhere(app.run(caller, AddChannel { sealer, new, verified }).await);
    app.channels.ring();
    added
}

struct AddChannel {
    sealer: Sealer,
    new: NewSettings,
    verified: Verified,
}

impl AddChannel {
    fn refusal(&self, loaded: &[Rows]) -> Result<Option<ChannelRefused>> {
        if !loaded[0].is_empty() {
            return Ok(Some(ChannelRefused::NameTaken));
        }
        let Some(owner) = loaded.get(2) else { return Ok(None) };
        let Some(owner) = owner.first() else { return Ok(Some(ChannelRefused::NoSuchAccount)) };
        let is_customer = owner.get::<String>(0)? == Role::Customer.as_str();
        let full = is_customer && owner.get::<i64>(1)? >= CHANNELS_PER_ACCOUNT_MAX;
        Ok(full.then_some(ChannelRefused::TooMany))
    }

    fn store(&self, channel: &Channel, changes: &mut Changes) {
        let sealed =
            self.sealer.seal(&secret_place(channel.id), self.new.secret.expose().as_bytes());
        let row: Vec<Value> = vec![
            channel.id.into(),
            channel.account_id.into(),
            channel.shop.as_str().into(),
            channel.name.as_str().into(),
            channel.provider.as_str().into(),
            channel.client_id.as_str().into(),
            sealed.into(),
            channel.state.as_str().into(),
            channel.state_reason.as_deref().into(),
            channel.sync_minutes.into(),
            channel.keep_days.into(),
            changes.now.into(),
        ];
        changes.store(Statement::new(&INSERT, row));
        let due_at = channel.sync_minutes.is_some().then_some(changes.now);
        changes.store(Statement::new(&INSERT_SYNC, vec![channel.id.into(), due_at.into()]));
        if let Verified::Works(token) = &self.verified {
            changes.store(store_token(&self.sealer, channel.id, 1, token));
        }
    }
}

impl Command for AddChannel {
    type Accepted = Channel;
    type Refused = ChannelRefused;
    const NAME: &'static str = "add_channel";
    const STATUS: u16 = 201;

    fn load(&self) -> Vec<Statement> {
        let name = self.new.name.as_str();
        let mut load = vec![Statement::new(&NAME_TAKEN, vec![name.into()]), next_ids("channel", 1)];
        let owner = |id: i64| Statement::new(&OWNER, vec![id.into(), true.into()]);
        load.extend(self.new.account_id.map(owner));
        load
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Channel, ChannelRefused>> {
        if let Some(refused) = self.refusal(loaded)? {
            return Ok(Decision::Refuse(refused));
        }
        let id: i64 = loaded[1].first().expect("the sequence is in the schema").get(0)?;
        let new = &self.new;
        let (state, state_reason) = self.verified.state();
        let channel = Channel {
            id,
            account_id: new.account_id,
            shop: new.shop.clone(),
            name: new.name.clone(),
            provider: new.provider,
            client_id: new.client_id.clone(),
            has_secret: true,
            state,
            state_reason,
            sync_minutes: new.sync_minutes,
            keep_days: new.keep_days,
            created_at: changes.now,
            updated_at: changes.now,
            version: 1,
        };
        self.store(&channel, changes);
        let mut fields = all_new(&channel.settings());
        fields.insert("client_secret".to_owned(), json!([null, "given"]));
        fields.insert("state".to_owned(), json!([null, channel.state]));
        changes.audit("channel.create", "channel", id, fields.into());
        Ok(Decision::Accept(channel))
    }
}

impl Verified {
    /// How a channel is whose credentials turned out so.
    pub(super) fn state(&self) -> (ChannelState, Option<String>) {
        match self {
            Self::Works(_) => (ChannelState::Active, None),
            Self::Unanswered(why) => (ChannelState::Unverified, Some(why.clone())),
        }
    }
}
