//! Adding, changing and deleting channels, and asking something of them.
//!
//! The crawler alone writes how far it is: who wants something notes it in `channel_sync.asked`,
//! makes the channel due, and rings. Lock order: `channel_sync`, then `channel`, as the crawler's.

mod add;
mod ask;
mod change;
mod delete;
mod ship;

use jiff::Timestamp;
use runout_store::{Result, Row, Rows, Sql, Statement, Value, statements};

pub use add::{NewSettings, add};
pub use ask::{Asking, ask};
pub use change::{Checked, change};
pub use delete::{delete, erasure, load_of};
pub use ship::ship;

use super::access::Scope;
use super::model::{Channel, RunKind, word};
use super::verification::NewToken;
use crate::platform::command::Outcome;
use crate::platform::etag::IfMatch;
use crate::platform::seal::Sealer;

statements! {
    NAME_TAKEN = "select id from channel where name = $1";
    /// What is asked of a channel, and what it does.
    LOCK_SYNC = {
        sqlite: "select s.asked, s.run_id,
                (select r.kind from sync_run r where r.id = s.run_id)
            from channel_sync s where s.channel_id = $1",
        postgres: "select s.asked, s.run_id,
                (select r.kind from sync_run r where r.id = s.run_id)
            from channel_sync s where s.channel_id = $1 for update of s",
    };
    /// As [`Channel::read`] reads it, then the version of its credentials.
    LOCK = {
        sqlite: "select id, account_id, shop, name, provider, client_id, secret is not null, state,
                state_reason, sync_minutes, keep_days, created_at, updated_at, version, credentials
            from channel where id = $1",
        postgres: "select id, account_id, shop, name, provider, client_id, secret is not null,
                state, state_reason, sync_minutes, keep_days, created_at, updated_at, version,
                credentials
            from channel where id = $1 for update",
    };
    /// Draws the crawler's attention.
    NOTICE = "update channel_sync set asked = $2, asked_by = $3, due_at = $4
        where channel_id = $1";
    STORE_TOKEN = "insert into channel_token (channel_id, token, credentials, ends_at)
        values ($1, $2, $3, $4)
        on conflict (channel_id) do update set token = excluded.token,
            credentials = excluded.credentials, ends_at = excluded.ends_at";
    SET_STATE = "update channel set state = $2, state_reason = $3, updated_at = $4,
            version = version + 1
        where id = $1";
}

pub(super) fn all_statements() -> Vec<&'static Sql> {
    [STATEMENTS, add::STATEMENTS, change::STATEMENTS, delete::STATEMENTS, ship::STATEMENTS].concat()
}

/// Keeps a name from being given twice.
const ONE_PER_NAME: &str = "channel_name_key";

/// Why something was not done with a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelRefused {
    /// There is none, or none that the caller may know of.
    NotFound,
    /// It has another version than the caller expects, or other credentials than were verified.
    Changed,
    NameTaken,
    /// The account has [`CHANNELS_PER_ACCOUNT_MAX`](super::CHANNELS_PER_ACCOUNT_MAX) already.
    TooMany,
    /// Nobody has this account.
    NoSuchAccount,
    /// It is paused.
    Paused,
    /// The provider refuses its credentials, for this reason.
    Refused(String),
    /// No sync goes on.
    NoRun,
    /// Another kind of sync goes on.
    OtherRun,
}

pub type Changed = Result<Outcome<Channel, ChannelRefused>>;

/// Another node was faster.
fn taken_elsewhere(result: Changed) -> Changed {
    match result {
        Err(error) if error.is_constraint(ONE_PER_NAME) => {
            Ok(Outcome::Refused(ChannelRefused::NameTaken))
        }
        other => other,
    }
}

/// What somebody wants of the crawler; each stands above those before it, and is not forgotten for
/// them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wish {
    Look,
    Sync,
    Full,
    Cancel,
}

impl Wish {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Sync => "sync",
            Self::Full => "full",
            Self::Cancel => "cancel",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Look, Self::Sync, Self::Full, Self::Cancel]
            .into_iter()
            .find(|wish| wish.as_str() == word)
    }
}

/// A channel that is locked.
struct Locked {
    channel: Channel,
    /// Of its credentials.
    credentials: i64,
    /// What somebody has asked for that was not noticed yet.
    wish: Option<Wish>,
    /// The sync that goes on.
    run: Option<RunKind>,
}

/// Loads a channel for [`Locked::read`].
fn lock(id: i64) -> Vec<Statement> {
    [&LOCK_SYNC, &LOCK].map(|sql| Statement::new(sql, vec![id.into()])).into()
}

impl Locked {
    /// Reads what [`lock`] loads.
    ///
    /// # Errors
    /// [`ChannelRefused::NotFound`] and [`ChannelRefused::Changed`], as the inner result.
    fn read(
        loaded: &[Rows],
        scope: Scope,
        if_match: &IfMatch,
    ) -> Result<std::result::Result<Self, ChannelRefused>> {
        let (Some(sync), Some(row)) = (loaded[0].first(), loaded[1].first()) else {
            return Ok(Err(ChannelRefused::NotFound));
        };
        let channel = Channel::read(&row)?;
        if !scope.has(channel.account_id) {
            return Ok(Err(ChannelRefused::NotFound));
        }
        if !if_match.allows(channel.version) {
            return Ok(Err(ChannelRefused::Changed));
        }
        let asked: Option<String> = sync.get(0)?;
        let wish = asked.as_deref().and_then(Wish::parse);
        let is_running = sync.get::<Option<i64>>(1)?.is_some();
        let run = if is_running { Some(running(&sync)?) } else { None };
        Ok(Ok(Self { credentials: row.get(14)?, channel, wish, run }))
    }

    /// Draws the crawler's attention to it.
    fn notice(&self, wish: Wish, by: Option<i64>, now: Timestamp) -> Statement {
        let wish = self.wish.map_or(wish, |before| before.max(wish));
        let params = vec![self.channel.id.into(), wish.as_str().into(), by.into(), now.into()];
        Statement::new(&NOTICE, params)
    }

    /// What it is from now on.
    fn moved(&mut self, now: Timestamp) {
        self.channel.version += 1;
        self.channel.updated_at = now;
    }
}

fn running(sync: &Row<'_>) -> Result<RunKind> {
    word(sync, 2, RunKind::parse)
}

/// Stores a token that verification brought, sealed.
fn store_token(sealer: &Sealer, channel_id: i64, credentials: i64, token: &NewToken) -> Statement {
    let place = super::token_place(channel_id);
    let sealed = sealer.seal(&place, token.text.expose().as_bytes());
    let params: Vec<Value> =
        vec![channel_id.into(), sealed.into(), credentials.into(), token.ends_at.into()];
    Statement::new(&STORE_TOKEN, params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_not_forgotten_for_a_lesser_one() {
        for wish in [Wish::Look, Wish::Sync, Wish::Full, Wish::Cancel] {
            assert_eq!(Wish::parse(wish.as_str()), Some(wish));
            assert_eq!(wish.max(Wish::Look), wish);
        }
        assert_eq!(Wish::Sync.max(Wish::Full), Wish::Full);
        assert_eq!(Wish::Cancel.max(Wish::Full), Wish::Cancel);
    }
}
