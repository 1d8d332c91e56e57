//! Asking a channel for a sync, to rest, to go on, to stop what it does.

use runout_store::{Result, Rows, Statement};
use serde_json::json;

use super::{Changed, ChannelRefused, Locked, SET_STATE, Wish, lock};
use crate::App;
use crate::channels::access::Scope;
use crate::channels::model::{Channel, ChannelState, RunKind};
use crate::platform::command::{Caller, Changes, Command, Decision};
use crate::platform::etag::IfMatch;

/// What is asked of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    /// A sync of what is new; nothing is changed while a sync goes on.
    Sync,
    /// A sync of everything.
    Full,
    /// It rests where it is.
    Pause,
    /// It goes on where it was; its credentials are tried again if they were refused.
    Resume,
    /// The sync that goes on ends as it is.
    Cancel,
}

impl Asking {
    /// As it is called in addresses and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Full => "full",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Cancel => "cancel",
        }
    }
}

/// Asks. Again does nothing.
///
/// # Errors
/// The database's.
pub async fn ask(
    app: &App,
    caller: Caller,
    scope: Scope,
    id: i64,
    asking: Asking,
    if_match: IfMatch,
) -> Changed {
    let by = caller.account_id;
    let asked = app.run(caller, Ask { by, scope, id, asking, if_match }).await;
    app.channels.ring();
    asked
}

struct Ask {
    by: Option<i64>,
    scope: Scope,
    id: i64,
    asking: Asking,
    if_match: IfMatch,
}

impl Ask {
    fn sync(
        &self,
        locked: Locked,
        changes: &mut Changes,
        wish: Wish,
    ) -> Decision<Channel, ChannelRefused> {
        match locked.channel.state {
            ChannelState::Paused => return Decision::Refuse(ChannelRefused::Paused),
            ChannelState::Refused => {
                let reason = locked.channel.state_reason.unwrap_or_default();
                return Decision::Refuse(ChannelRefused::Refused(reason));
            }
            ChannelState::Active | ChannelState::Unverified => {}
        }
        match locked.run {
            Some(RunKind::Update) if wish == Wish::Full => {
                Decision::Refuse(ChannelRefused::OtherRun)
            }
            Some(_) => Decision::Accept(locked.channel),
            None => {
                changes.store(locked.notice(wish, self.by, changes.now));
                let audit = json!({"asked": [null, wish.as_str()]});
                changes.audit("channel.sync", "channel", self.id, audit);
                Decision::Accept(locked.channel)
            }
        }
    }

    fn cancel(&self, locked: Locked, changes: &mut Changes) -> Decision<Channel, ChannelRefused> {
        // A sync that was asked for and has not begun is canceled as well.
        let waits = matches!(locked.wish, Some(Wish::Sync | Wish::Full));
        if locked.run.is_none() && !waits {
            return Decision::Refuse(ChannelRefused::NoRun);
        }
        if locked.wish != Some(Wish::Cancel) {
            changes.store(locked.notice(Wish::Cancel, self.by, changes.now));
            let audit = json!({"asked": [null, "cancel"]});
            changes.audit("channel.cancel", "channel", self.id, audit);
        }
        Decision::Accept(locked.channel)
    }

    fn set_state(
        &self,
        mut locked: Locked,
        changes: &mut Changes,
        after: ChannelState,
    ) -> Decision<Channel, ChannelRefused> {
        let before = locked.channel.state;
        if before == after {
            return Decision::Accept(locked.channel);
        }
        let reason: Option<String> = None;
        let params = vec![self.id.into(), after.as_str().into(), reason.into(), changes.now.into()];
        changes.store(Statement::new(&SET_STATE, params));
        changes.store(locked.notice(Wish::Look, self.by, changes.now));
        let audit = json!({"state": [before, after]});
        changes.audit("channel.state", "channel", self.id, audit);
        (locked.channel.state, locked.channel.state_reason) = (after, None);
        locked.moved(changes.now);
        Decision::Accept(locked.channel)
    }
}

impl Command for Ask {
    type Accepted = Channel;
    type Refused = ChannelRefused;
    const NAME: &'static str = "ask_channel";
    const STATUS: u16 = 202;

    fn load(&self) -> Vec<Statement> {
        lock(self.id)
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Channel, ChannelRefused>> {
        let locked = match Locked::read(loaded, self.scope, &self.if_match)? {
            Ok(locked) => locked,
            Err(refused) => return Ok(Decision::Refuse(refused)),
        };
        Ok(match self.asking {
            Asking::Sync => self.sync(locked, changes, Wish::Sync),
            Asking::Full => self.sync(locked, changes, Wish::Full),
            Asking::Cancel => self.cancel(locked, changes),
            Asking::Pause => self.set_state(locked, changes, ChannelState::Paused),
            Asking::Resume => {
                let after = match locked.channel.state {
                    ChannelState::Refused => ChannelState::Unverified,
                    ChannelState::Paused => ChannelState::Active,
                    as_it_is => as_it_is,
                };
                self.set_state(locked, changes, after)
            }
        })
    }
}
