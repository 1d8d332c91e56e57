//! Sessions begin at a login and end at a logout.

use jiff::Timestamp;
use runout_store::{Error, Result, Rows, Statement};
use serde::Serialize;
use serde_json::json;

use super::auth::token_hash;
use super::commands::only_id;
use super::sessions::{self, SESSIONS_PER_ACCOUNT_MAX, SessionState};
use super::sql::{
    CONFIRMED_FACTOR, END_OTHER_SESSIONS, END_SESSION, INSERT_SESSION, LIVE_SESSION, LOCK_ACCOUNT,
    PRUNE_SESSIONS, REHASH, TOUCH_SESSION,
};
use super::tokens::Checked;
use super::update::locked;
use crate::App;
use crate::platform::command::{Caller, Changes, Command, Decision, next_ids};

/// Begins a session of an account whose password was right.
pub(super) struct Begin {
    pub(super) checked: Checked,
    pub(super) token: String,
    pub(super) browser: String,
    pub(super) address: String,
}

/// A session that has begun. Its secret is with whoever asked for it.
#[derive(Serialize)]
pub(super) struct Begun {
    pub(super) id: i64,
    #[serde(skip)]
    pub(super) expires_at: Timestamp,
    #[serde(skip)]
    pub(super) state: SessionState,
}

/// The account is gone, deactivated, or has another password by now.
pub(super) struct NotUsable;

impl Command for Begin {
    type Accepted = Begun;
    type Refused = NotUsable;
    const NAME: &'static str = "begin_session";
    const STATUS: u16 = 201;

    fn load(&self) -> Vec<Statement> {
        let account = Statement::new(&LOCK_ACCOUNT, vec![self.checked.account_id.into()]);
        let factor = Statement::new(&CONFIRMED_FACTOR, vec![self.checked.account_id.into()]);
        vec![account, next_ids("session", 1), factor]
    }

    fn decide(&self, loaded: &[Rows], changes: &mut Changes) -> Result<Decision<Begun, NotUsable>> {
        let account_id = self.checked.account_id;
        let Some((account, hash)) = locked(&loaded[0])? else {
            return Ok(Decision::Refuse(NotUsable));
        };
        if !account.active || hash != self.checked.hash {
            return Ok(Decision::Refuse(NotUsable));
        }
        let id = only_id(&loaded[1])?;
        let room = SESSIONS_PER_ACCOUNT_MAX - 1;
        let params = vec![account_id.into(), changes.now.into(), room.into()];
        changes.store(Statement::new(&PRUNE_SESSIONS, params));
        let expires_at = changes.now + sessions::life_max(account.role);
        let params = vec![
            id.into(),
            account_id.into(),
            token_hash(self.token.as_bytes()).to_vec().into(),
            self.browser.as_str().into(),
            self.address.as_str().into(),
            changes.now.into(),
            expires_at.into(),
        ];
        changes.store(Statement::new(&INSERT_SESSION, params));
        if let Some(rehash) = &self.checked.rehash {
            let params = vec![account_id.into(), rehash.as_str().into()];
            changes.store(Statement::new(&REHASH, params));
        }
        // Not what the browser called itself: that goes with the session, this stays.
        let audit = json!({"account_id": [null, account_id]});
        changes.audit("session.begun", "session", id, audit);
        let state = match loaded[2].is_empty() {
            true => SessionState::PasswordOnly,
            false => SessionState::Unverified,
        };
        Ok(Decision::Accept(Begun { id, expires_at, state }))
    }
}

/// Ends a session of an account.
pub(super) struct End {
    pub(super) account_id: i64,
    pub(super) id: i64,
}

/// The account has no such session, or it has ended already.
pub(super) struct NoSuchSession;

impl Command for End {
    type Accepted = ();
    type Refused = NoSuchSession;
    const NAME: &'static str = "end_session";
    const STATUS: u16 = 204;

    fn load(&self) -> Vec<Statement> {
        vec![Statement::new(&LIVE_SESSION, vec![self.account_id.into(), self.id.into()])]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<(), NoSuchSession>> {
        if loaded[0].is_empty() {
            return Ok(Decision::Refuse(NoSuchSession));
        }
        let params = vec![self.account_id.into(), self.id.into(), changes.now.into()];
        changes.store(Statement::new(&END_SESSION, params));
        changes.audit("session.ended", "session", self.id, json!({"ended": [false, true]}));
        Ok(Decision::Accept(()))
    }
}

/// Ends every session of an account but one.
pub(super) struct EndOthers {
    pub(super) account_id: i64,
    pub(super) kept: i64,
}

impl Command for EndOthers {
    type Accepted = ();
    type Refused = ();
    const NAME: &'static str = "end_other_sessions";
    const STATUS: u16 = 204;

    fn load(&self) -> Vec<Statement> {
        Vec::new()
    }

    fn decide(&self, _: &[Rows], changes: &mut Changes) -> Result<Decision<(), ()>> {
        let params = vec![self.account_id.into(), self.kept.into(), changes.now.into()];
        changes.store(Statement::new(&END_OTHER_SESSIONS, params));
        let audit = json!({"others_ended": [false, true]});
        changes.audit("session.ended_others", "session", self.kept, audit);
        Ok(Decision::Accept(()))
    }
}

/// Notes that a session was used now, unless it was noted after `unless_since` already.
pub(super) async fn touch(app: &App, id: i64, unless_since: Timestamp) -> Result<(), Error> {
    app.run(Caller::default(), Touch { id, unless_since }).await.map(drop)
}

struct Touch {
    id: i64,
    unless_since: Timestamp,
}

impl Command for Touch {
    type Accepted = ();
    type Refused = ();
    const NAME: &'static str = "touch_session";
    const STATUS: u16 = 204;

    fn load(&self) -> Vec<Statement> {
        Vec::new()
    }

    fn decide(&self, _: &[Rows], changes: &mut Changes) -> Result<Decision<(), ()>> {
        let params = vec![self.id.into(), changes.now.into(), self.unless_since.into()];
        changes.store(Statement::new(&TOUCH_SESSION, params));
        Ok(Decision::Accept(()))
    }

    fn records_max(&self) -> i64 {
        0
    }
}
