//! Setting a second factor up, showing it, taking it away.

use jiff::Timestamp;
use runout_store::{Error, Result, Rows, Statement};
use serde_json::json;

use super::FactorRefused;
use super::codes::{KEY_BYTES, recovery_hash, step_of};
use super::place;
use crate::accounts::sql::{
    CONFIRM_FACTOR, DROP_FACTOR, DROP_RECOVERY, INSERT_FACTOR, INSERT_RECOVERY, LIVE_SESSION,
    LOCK_ACCOUNT, LOCK_FACTOR, LOCK_RECOVERY, NOTE_STEP, USE_RECOVERY, VERIFY_SESSION,
};
use crate::accounts::update::locked;
use crate::accounts::verified::SecretHash;
use crate::platform::command::{Changes, Command, Decision};
use crate::platform::seal::Sealer;

type Decided<A = ()> = Result<Decision<A, FactorRefused>>;

/// What became of the question for a second factor.
pub(crate) enum Shown {
    /// The account has none.
    NotNeeded,
    Right(Use),
    /// One is needed, and no code came.
    Missing,
    Wrong,
}

/// Makes a code that was right work no more.
pub(crate) struct Use {
    statement: Statement,
    /// What was shown, for the audit.
    pub(crate) what: &'static str,
}

impl Use {
    pub(crate) fn store(self, changes: &mut Changes) {
        changes.store(self.statement);
    }
}

/// The two statements that [`check`] needs.
pub(crate) fn load(account_id: i64, code: Option<&str>) -> [Statement; 2] {
    let hash = code.map(|code| recovery_hash(code).to_vec()).unwrap_or_default();
    [
        Statement::new(&LOCK_FACTOR, vec![account_id.into()]),
        Statement::new(&LOCK_RECOVERY, vec![account_id.into(), hash.into()]),
    ]
}

/// A key with what is known about its use.
struct Factor {
    account_id: i64,
    sealed_key: String,
    confirmed: bool,
    last_step: i64,
}

fn factor(account_id: i64, rows: &Rows) -> Result<Option<Factor>> {
    let Some(row) = rows.first() else { return Ok(None) };
    let confirmed = row.get::<Option<Timestamp>>(1)?.is_some();
    let (sealed_key, last_step) = (row.get(0)?, row.get(2)?);
    Ok(Some(Factor { account_id, sealed_key, confirmed, last_step }))
}

impl Factor {
    /// The step of a code of the device that was not used yet.
    fn fresh_step(&self, sealer: &Sealer, code: &str, now: Timestamp) -> Result<Option<i64>> {
        let key = sealer.open(&place(self.account_id), &self.sealed_key)?;
        let broken = |_| Error::Decode { column: 0, reason: "a key of another length".to_owned() };
        let key: [u8; KEY_BYTES] = key.expose().try_into().map_err(broken)?;
        Ok(step_of(key, code, now).filter(|step| *step > self.last_step))
    }
}

/// Checks a code against what [`load`] brought.
pub(crate) fn check(
    sealer: &Sealer,
    account_id: i64,
    loaded: &[Rows],
    code: Option<&str>,
    now: Timestamp,
) -> Result<Shown> {
    let factor = factor(account_id, &loaded[0])?;
    let Some(factor) = factor.filter(|factor| factor.confirmed) else {
        return Ok(Shown::NotNeeded);
    };
    let Some(code) = code else { return Ok(Shown::Missing) };
    if let Some(step) = factor.fresh_step(sealer, code, now)? {
        let statement = Statement::new(&NOTE_STEP, vec![account_id.into(), step.into()]);
        return Ok(Shown::Right(Use { statement, what: "device" }));
    }
    if !loaded[1].is_empty() {
        let hash = recovery_hash(code).to_vec();
        let params = vec![account_id.into(), hash.into(), now.into()];
        let statement = Statement::new(&USE_RECOVERY, params);
        return Ok(Shown::Right(Use { statement, what: "recovery code" }));
    }
    Ok(Shown::Wrong)
}

/// [`check`] for what cannot be done without a second factor.
fn demand(
    sealer: &Sealer,
    account_id: i64,
    loaded: &[Rows],
    code: &str,
    now: Timestamp,
) -> Result<std::result::Result<Use, FactorRefused>> {
    Ok(match check(sealer, account_id, loaded, Some(code), now)? {
        Shown::Right(used) => Ok(used),
        Shown::NotNeeded => Err(FactorRefused::NotOn),
        Shown::Missing | Shown::Wrong => Err(FactorRefused::WrongCode),
    })
}

/// Gives the account new recovery codes instead of those that it has.
fn store_recovery(changes: &mut Changes, account_id: i64, hashes: &[SecretHash]) {
    changes.store(Statement::new(&DROP_RECOVERY, vec![account_id.into()]));
    for hash in hashes {
        let params = vec![account_id.into(), hash.to_vec().into()];
        changes.store(Statement::new(&INSERT_RECOVERY, params));
    }
}

/// Stores a key that guards nothing yet.
pub(super) struct Begin {
    pub(super) account_id: i64,
    /// The stored hash that the password was checked against.
    pub(super) checked_hash: String,
    pub(super) sealed_key: String,
}

impl Command for Begin {
    type Accepted = ();
    type Refused = FactorRefused;
    const NAME: &'static str = "begin_second_factor";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        let id = || vec![self.account_id.into()];
        vec![Statement::new(&LOCK_ACCOUNT, id()), Statement::new(&LOCK_FACTOR, id())]
    }

    fn decide(&self, loaded: &[Rows], changes: &mut Changes) -> Decided {
        let usable = locked(&loaded[0])?
            .is_some_and(|(account, hash)| account.active && hash == self.checked_hash);
        if !usable {
            return Ok(Decision::Refuse(FactorRefused::Forbidden));
        }
        if factor(self.account_id, &loaded[1])?.is_some_and(|factor| factor.confirmed) {
            return Ok(Decision::Refuse(FactorRefused::AlreadyOn));
        }
        let id = self.account_id;
        changes.store(Statement::new(&DROP_FACTOR, vec![id.into()]));
        let params = vec![id.into(), self.sealed_key.as_str().into(), changes.now.into()];
        changes.store(Statement::new(&INSERT_FACTOR, params));
        let audit = json!({"second_factor": [null, "being set up"]});
        changes.audit("second_factor.begun", "account", id, audit);
        Ok(Decision::Accept(()))
    }
}

/// Makes the key that was set up guard the account; this session has shown it.
pub(super) struct Confirm {
    pub(super) sealer: Sealer,
    pub(super) account_id: i64,
    pub(super) session_id: i64,
    pub(super) new_hash: SecretHash,
    pub(super) code: String,
    pub(super) recovery: Vec<SecretHash>,
}

impl Command for Confirm {
    type Accepted = ();
    type Refused = FactorRefused;
    const NAME: &'static str = "confirm_second_factor";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        vec![Statement::new(&LOCK_FACTOR, vec![self.account_id.into()])]
    }

    fn decide(&self, loaded: &[Rows], changes: &mut Changes) -> Decided {
        let Some(factor) = factor(self.account_id, &loaded[0])? else {
            return Ok(Decision::Refuse(FactorRefused::NotOn));
        };
        if factor.confirmed {
            return Ok(Decision::Refuse(FactorRefused::AlreadyOn));
        }
        let step = factor.fresh_step(&self.sealer, &self.code, changes.now)?;
        let Some(step) = step else {
            return Ok(Decision::Refuse(FactorRefused::WrongCode));
        };
        let params = vec![self.account_id.into(), changes.now.into(), step.into()];
        changes.store(Statement::new(&CONFIRM_FACTOR, params));
        store_recovery(changes, self.account_id, &self.recovery);
        verify_session(changes, self.account_id, self.session_id, self.new_hash);
        let audit = json!({"second_factor": ["off", "on"]});
        changes.audit("second_factor.on", "account", self.account_id, audit);
        Ok(Decision::Accept(()))
    }
}

/// The session is verified, under a new token.
fn verify_session(changes: &mut Changes, account_id: i64, session_id: i64, hash: SecretHash) {
    let params =
        vec![account_id.into(), session_id.into(), hash.to_vec().into(), changes.now.into()];
    changes.store(Statement::new(&VERIFY_SESSION, params));
}

/// Verifies a session.
pub(super) struct Verify {
    pub(super) sealer: Sealer,
    pub(super) account_id: i64,
    pub(super) session_id: i64,
    pub(super) new_hash: SecretHash,
    pub(super) code: String,
}

impl Command for Verify {
    type Accepted = ();
    type Refused = FactorRefused;
    const NAME: &'static str = "verify_session";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        let params = vec![self.account_id.into(), self.session_id.into()];
        let mut statements = Vec::from(load(self.account_id, Some(&self.code)));
        statements.push(Statement::new(&LIVE_SESSION, params));
        statements
    }

    fn decide(&self, loaded: &[Rows], changes: &mut Changes) -> Decided {
        if loaded[2].is_empty() {
            return Ok(Decision::Refuse(FactorRefused::NoSession));
        }
        let used = match demand(&self.sealer, self.account_id, loaded, &self.code, changes.now)? {
            Ok(used) => used,
            Err(refused) => return Ok(Decision::Refuse(refused)),
        };
        let audit = json!({"second_factor": [null, used.what]});
        used.store(changes);
        verify_session(changes, self.account_id, self.session_id, self.new_hash);
        changes.audit("session.verified", "session", self.session_id, audit);
        Ok(Decision::Accept(()))
    }
}

/// Replaces the recovery codes.
pub(super) struct Renew {
    pub(super) sealer: Sealer,
    pub(super) account_id: i64,
    pub(super) code: String,
    pub(super) recovery: Vec<SecretHash>,
}

impl Command for Renew {
    type Accepted = ();
    type Refused = FactorRefused;
    const NAME: &'static str = "renew_recovery_codes";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        Vec::from(load(self.account_id, Some(&self.code)))
    }

    fn decide(&self, loaded: &[Rows], changes: &mut Changes) -> Decided {
        let used = match demand(&self.sealer, self.account_id, loaded, &self.code, changes.now)? {
            Ok(used) => used,
            Err(refused) => return Ok(Decision::Refuse(refused)),
        };
        used.store(changes);
        store_recovery(changes, self.account_id, &self.recovery);
        let audit = json!({"recovery_codes": ["(not recorded)", "(not recorded)"]});
        changes.audit("second_factor.codes_renewed", "account", self.account_id, audit);
        Ok(Decision::Accept(()))
    }
}

/// Takes a second factor away from the account that shows it.
pub(super) struct Off {
    pub(super) sealer: Sealer,
    pub(super) account_id: i64,
    pub(super) code: String,
}

impl Command for Off {
    type Accepted = ();
    type Refused = FactorRefused;
    const NAME: &'static str = "switch_second_factor_off";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        Vec::from(load(self.account_id, Some(&self.code)))
    }

    fn decide(&self, loaded: &[Rows], changes: &mut Changes) -> Decided {
        if let Err(refused) =
            demand(&self.sealer, self.account_id, loaded, &self.code, changes.now)?
        {
            return Ok(Decision::Refuse(refused));
        }
        take_away(changes, self.account_id, "second_factor.off");
        Ok(Decision::Accept(()))
    }
}

fn take_away(changes: &mut Changes, account_id: i64, action: &'static str) {
    changes.store(Statement::new(&DROP_FACTOR, vec![account_id.into()]));
    changes.store(Statement::new(&DROP_RECOVERY, vec![account_id.into()]));
    changes.audit(action, "account", account_id, json!({"second_factor": ["on", "off"]}));
}

/// Takes a second factor away from somebody who has lost it.
pub(super) struct Reset {
    pub(super) account_id: i64,
}

impl Command for Reset {
    type Accepted = ();
    type Refused = FactorRefused;
    const NAME: &'static str = "reset_second_factor";
    const STATUS: u16 = 204;

    fn load(&self) -> Vec<Statement> {
        vec![Statement::new(&LOCK_FACTOR, vec![self.account_id.into()])]
    }

    fn decide(&self, loaded: &[Rows], changes: &mut Changes) -> Decided {
        if loaded[0].is_empty() {
            return Ok(Decision::Refuse(FactorRefused::NotOn));
        }
        take_away(changes, self.account_id, "second_factor.reset");
        Ok(Decision::Accept(()))
    }
}

/// Records a code that was wrong, after a password that was right.
pub(super) struct NoteFailure {
    pub(super) account_id: i64,
}

impl Command for NoteFailure {
    type Accepted = ();
    type Refused = FactorRefused;
    const NAME: &'static str = "note_wrong_code";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        Vec::new()
    }

    fn decide(&self, _: &[Rows], changes: &mut Changes) -> Decided {
        changes.audit("second_factor.failed", "account", self.account_id, json!({}));
        Ok(Decision::Accept(()))
    }
}
