//! Reading channels, their syncs, and what is shipped through them.

use runout_store::{Composer, Result, Row, Statement, Value, statements};

use super::access::Scope;
use super::model::{
    Channel, ChannelProcess, ChannelState, ProcessState, Provider, RunKind, RunState, SyncRun,
};
use crate::App;
use crate::platform::cursor::Key;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::{ListRequest, Page, Resource};

statements! {
    /// The channel `$1`, if it belongs to `$2` or that is null.
    SHOW = "select id, account_id, shop, name, provider, client_id, secret is not null, state,
            state_reason, sync_minutes, keep_days, created_at, updated_at, version
        from channel where id = $1 and (account_id = $2 or $2 is null)";
    /// As [`SHOW`], by its name.
    NAMED = "select id, account_id, shop, name, provider, client_id, secret is not null, state,
            state_reason, sync_minutes, keep_days, created_at, updated_at, version
        from channel where name = $1";
    /// What the channel `$1` calls with, sealed.
    SEALED = "select client_id, secret, credentials, provider from channel
        where id = $1 and (account_id = $2 or $2 is null)";
    /// The channels of the account `$1`, its first one first.
    OWN = "select id, account_id, shop, name, provider, client_id, secret is not null, state,
            state_reason, sync_minutes, keep_days, created_at, updated_at, version
        from channel where account_id = $1 order by id limit $2";
    PROCESS = "select id, channel_id, asked_by, order_id, items, reference, shipping_label_id,
            transporter_code, track_and_trace, state, process_id, shipment_id, error, due_at,
            created_at, updated_at
        from channel_process where channel_id = $1 and id = $2";
}

/// What channels can be filtered and sorted by.
pub static CHANNELS: Resource = Resource {
    name: "channels",
    fields: &[
        Field::new("id", "c.id", Kind::Id),
        Field::new("name", "c.name", Kind::Text).sortable(),
        Field::new("shop", "c.shop", Kind::Text).sortable(),
        Field::new("state", "c.state", Kind::Choice(ChannelState::WORDS)),
        Field::new("provider", "c.provider", Kind::Choice(Provider::WORDS)),
        Field::new("account_id", "c.account_id", Kind::Id).nullable(),
    ],
    id_sql: "c.id",
    default_sort: "id",
    extras: &[],
};

/// What syncs can be filtered by.
pub static RUNS: Resource = Resource {
    name: "channel-runs",
    fields: &[
        Field::new("id", "r.id", Kind::Id),
        Field::new("kind", "r.kind", Kind::Choice(RunKind::WORDS)),
        Field::new("state", "r.state", Kind::Choice(RunState::WORDS)),
        Field::new("began_at", "r.began_at", Kind::Time),
    ],
    id_sql: "r.id",
    default_sort: "-id",
    extras: &[],
};

/// What processes can be filtered by.
pub static PROCESSES: Resource = Resource {
    name: "channel-processes",
    fields: &[
        Field::new("id", "p.id", Kind::Id),
        Field::new("state", "p.state", Kind::Choice(ProcessState::WORDS)),
        Field::new("order_id", "p.order_id", Kind::Text).nullable(),
    ],
    id_sql: "p.id",
    default_sort: "-id",
    extras: &[],
};

/// A page of channels.
///
/// # Errors
/// The database's.
pub async fn page(app: &App, scope: Scope, request: &ListRequest) -> Result<Page<Channel>> {
    let mut sql = Composer::new(
        "select c.id, c.account_id, c.shop, c.name, c.provider, c.client_id, \
         c.secret is not null, c.state, c.state_reason, c.sync_minutes, c.keep_days, \
         c.created_at, c.updated_at, c.version from channel c where 1 = 1",
    );
    scope.compose(&mut sql);
    request.compose(&mut sql);
    let rows = app.db.read(sql.finish(), Channel::read).await?;
    Ok(request.page(rows, |one, sort| {
        let key = if sort == "shop" { one.shop.clone() } else { one.name.clone() };
        (one.id, Key::of(key))
    }))
}

/// One channel.
///
/// # Errors
/// The database's.
pub async fn find(app: &App, scope: Scope, id: i64) -> Result<Option<Channel>> {
    let params = vec![id.into(), scope.param()];
    app.db.read_one(Statement::new(&SHOW, params), Channel::read).await
}

/// The channel of this name.
///
/// # Errors
/// The database's.
pub async fn named(app: &App, name: &str) -> Result<Option<Channel>> {
    app.db.read_one(Statement::new(&NAMED, vec![name.into()]), Channel::read).await
}

/// The channels of an account, its first one first, at most so many.
///
/// # Errors
/// The database's.
pub async fn own(app: &App, account_id: i64, limit: i64) -> Result<Vec<Channel>> {
    let params = vec![account_id.into(), limit.into()];
    app.db.read(Statement::new(&OWN, params), Channel::read).await
}

/// What a channel calls with.
pub(super) struct SealedCredentials {
    pub client_id: String,
    /// Sealed.
    pub secret: Option<String>,
    pub version: i64,
    pub provider: Provider,
}

/// What a channel calls with.
///
/// # Errors
/// The database's.
pub(super) async fn sealed(app: &App, scope: Scope, id: i64) -> Result<Option<SealedCredentials>> {
    let params = vec![id.into(), scope.param()];
    let read = |row: &Row<'_>| {
        Ok(SealedCredentials {
            client_id: row.get(0)?,
            secret: row.get(1)?,
            version: row.get(2)?,
            provider: super::model::word(row, 3, Provider::parse)?,
        })
    };
    app.db.read_one(Statement::new(&SEALED, params), read).await
}

/// A page of a channel's syncs. The caller has found the channel.
///
/// # Errors
/// The database's.
pub async fn runs(app: &App, channel_id: i64, request: &ListRequest) -> Result<Page<SyncRun>> {
    let mut sql = Composer::new(
        "select r.id, r.channel_id, r.kind, r.asked_by, r.state, r.began_at, r.ended_at, r.pages, \
         r.found, r.details, r.quarantined, r.gone, r.calls, r.refused, r.unauthorised, r.failed, \
         r.tokens from sync_run r where r.channel_id = ",
    );
    sql.bind(channel_id).push_each("", "::bigint");
    request.compose(&mut sql);
    let rows = app.db.read(sql.finish(), |row| SyncRun::read_from(row, 0)).await?;
    Ok(request.page(rows, |one, _| (one.id, Key::of(Value::Null))))
}

/// A page of what is shipped through a channel. The caller has found the channel.
///
/// # Errors
/// The database's.
pub async fn processes(
    app: &App,
    channel_id: i64,
    request: &ListRequest,
) -> Result<Page<ChannelProcess>> {
    let mut sql = Composer::new(
        "select p.id, p.channel_id, p.asked_by, p.order_id, p.items, p.reference, \
         p.shipping_label_id, p.transporter_code, p.track_and_trace, p.state, p.process_id, \
         p.shipment_id, p.error, p.due_at, p.created_at, p.updated_at \
         from channel_process p where p.channel_id = ",
    );
    sql.bind(channel_id).push_each("", "::bigint");
    request.compose(&mut sql);
    let rows = app.db.read(sql.finish(), ChannelProcess::read).await?;
    Ok(request.page(rows, |one, _| (one.id, Key::of(Value::Null))))
}

/// One thing that is shipped through a channel. The caller has found the channel.
///
/// # Errors
/// The database's.
pub async fn process(app: &App, channel_id: i64, id: i64) -> Result<Option<ChannelProcess>> {
    let params = vec![channel_id.into(), id.into()];
    app.db.read_one(Statement::new(&PROCESS, params), ChannelProcess::read).await
}
