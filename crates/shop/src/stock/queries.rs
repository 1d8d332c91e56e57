//! Reading locations, levels and the ledger.

use jiff::Timestamp;
use runout_store::{Composer, Db, Result, Row, Statement, statements};
use serde::Serialize;
use utoipa::ToSchema;

use super::{LevelOut, Location};
use crate::platform::cursor::Key;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::{ListRequest, Page, Resource};

statements! {
    LOCATION = "select id, code, name, priority, active, version from location where id = $1";
    LOCATION_BY_CODE = "select id from location where code = $1";
    /// Where goods go when nobody says where: the first place that sales take from.
    DEFAULT_LOCATION = "select id from location order by active desc, priority, id limit 1";
    /// The levels `$1`, as a person calls them.
    LEVELS_NOW = {
        sqlite: "select l.id, l.variant_id, l.location_id, v.sku, c.name, l.on_hand
            from stock_level l join variant v on v.id = l.variant_id
            join location c on c.id = l.location_id
            where l.id in (select value from json_each($1))",
        postgres: "select l.id, l.variant_id, l.location_id, v.sku, c.name, l.on_hand
            from stock_level l join variant v on v.id = l.variant_id
            join location c on c.id = l.location_id
            where l.id = any($1)",
    };
    /// What of the variant `$1` can be sold from other locations than `$2`.
    AVAILABLE_ELSEWHERE = "select cast(coalesce(sum(l.on_hand - l.reserved), 0) as bigint)
        from stock_level l join location o on o.id = l.location_id
        where l.variant_id = $1 and l.location_id <> $2 and o.active";
}

pub(super) const CAUSES: &[&str] = &[
    "receipt",
    "adjustment",
    "transfer",
    "order",
    "cancel",
    "fulfilment",
    "return",
    "hold",
    "release",
    "expire",
    "checkout",
];

pub(super) static LOCATIONS: Resource = Resource {
    name: "locations",
    fields: &[
        Field::new("code", "c.code", Kind::Text).sortable(),
        Field::new("name", "c.name", Kind::Text).sortable(),
        Field::new("priority", "c.priority", Kind::Int).sortable(),
        Field::new("active", "c.active", Kind::Bool),
    ],
    id_sql: "c.id",
    default_sort: "priority",
    extras: &[],
};

pub(super) static LEVELS: Resource = Resource {
    name: "stock_levels",
    fields: &[
        Field::new("variant_id", "l.variant_id", Kind::Id),
        Field::new("location_id", "l.location_id", Kind::Id),
        Field::new("on_hand", "l.on_hand", Kind::Int),
        Field::new("reserved", "l.reserved", Kind::Int),
        Field::new("available", "(l.on_hand - l.reserved)", Kind::Int),
    ],
    id_sql: "l.id",
    default_sort: "id",
    extras: &[],
};

/// The ledger is kept, and so listed, level by level, newest first: an index by time would cost
/// every sale more than it is worth.
pub(super) static MOVEMENTS: Resource = Resource {
    name: "stock_movements",
    fields: &[
        Field::new("level_id", "m.level_id", Kind::Id).sortable(),
        Field::new("variant_id", "l.variant_id", Kind::Id),
        Field::new("location_id", "l.location_id", Kind::Id),
        Field::new("cause", "m.cause", Kind::Choice(CAUSES)),
        Field::new("at", "m.at", Kind::Time),
        Field::new("order_id", "m.order_id", Kind::Id),
        Field::new("basket_id", "m.basket_id", Kind::Id),
        Field::new("actor_id", "m.actor_id", Kind::Id),
    ],
    id_sql: "m.number",
    default_sort: "-level_id",
    extras: &[],
};

/// One change of one level: a row of the ledger.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StockMovement)]
pub struct MovementOut {
    pub level_id: i64,
    /// Counted from 1 at each level, without gaps.
    pub number: i64,
    pub variant_id: i64,
    pub location_id: i64,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// receipt, adjustment, transfer; order, cancel, fulfilment, return; hold, release, expire,
    /// checkout.
    pub cause: String,
    pub on_hand_delta: i64,
    pub reserved_delta: i64,
    pub order_id: Option<i64>,
    /// The basket that held it.
    pub basket_id: Option<i64>,
    pub actor_id: Option<i64>,
    pub reason: Option<String>,
}

pub(super) async fn locations(db: &Db, list: &ListRequest) -> Result<Page<Location>> {
    let mut sql = Composer::new(
        "select c.id, c.code, c.name, c.priority, c.active, c.version
        from location c where 1 = 1",
    );
    list.compose(&mut sql);
    let rows = db.read(sql.finish(), location).await?;
    Ok(list.page(rows, |location, field| {
        let key = match field {
            "code" => Key::of(location.code.as_str()),
            "name" => Key::of(location.name.as_str()),
            _ => Key::of(location.priority),
        };
        (location.id, key)
    }))
}

/// A level as it is now.
#[derive(Debug, Clone)]
pub(super) struct LevelNow {
    pub id: i64,
    pub variant_id: i64,
    pub location_id: i64,
    pub sku: String,
    /// The location's name.
    pub location: String,
    pub on_hand: i64,
}

/// Some levels as they are now.
pub(super) async fn levels_now(db: &Db, ids: Vec<i64>) -> Result<Vec<LevelNow>> {
    let read = |row: &Row<'_>| {
        Ok(LevelNow {
            id: row.get(0)?,
            variant_id: row.get(1)?,
            location_id: row.get(2)?,
            sku: row.get(3)?,
            location: row.get(4)?,
            on_hand: row.get(5)?,
        })
    };
    db.read(Statement::new(&LEVELS_NOW, vec![ids.into()]), read).await
}

/// One location.
///
/// # Errors
/// The database's.
pub async fn find_location(db: &Db, id: i64) -> Result<Option<Location>> {
    db.read_one(Statement::new(&LOCATION, vec![id.into()]), location).await
}

/// The location with this code.
///
/// # Errors
/// The database's.
pub async fn location_by_code(db: &Db, code: &str) -> Result<Option<i64>> {
    db.read_one(Statement::new(&LOCATION_BY_CODE, vec![code.into()]), |row| row.get(0)).await
}

/// Where goods go when nobody says where.
///
/// # Errors
/// The database's.
pub async fn default_location(db: &Db) -> Result<i64> {
    let found =
        db.read_one(Statement::new(&DEFAULT_LOCATION, Vec::new()), |row| row.get(0)).await?;
    Ok(found.expect("the schema comes with a location, and locations are never deleted"))
}

/// What of a variant can be sold from other locations than this one.
///
/// # Errors
/// The database's.
pub async fn available_elsewhere(db: &Db, variant: i64, location: i64) -> Result<i64> {
    let params = vec![variant.into(), location.into()];
    let statement = Statement::new(&AVAILABLE_ELSEWHERE, params);
    Ok(db.read_one(statement, |row| row.get(0)).await?.unwrap_or(0))
}

pub(super) async fn levels(db: &Db, list: &ListRequest) -> Result<Page<LevelOut>> {
    let mut sql = Composer::new(
        "select l.id, l.variant_id, l.location_id, l.on_hand, l.reserved
        from stock_level l where 1 = 1",
    );
    list.compose(&mut sql);
    let rows = db.read(sql.finish(), level).await?;
    Ok(list.page(rows, |level, _| (level.id, Key::Null)))
}

pub(super) async fn movements(db: &Db, list: &ListRequest) -> Result<Page<MovementOut>> {
    let mut sql = Composer::new(
        "select m.level_id, m.number, l.variant_id, l.location_id, m.at, m.cause, m.on_hand_delta,
            m.reserved_delta, m.order_id, m.basket_id, m.actor_id, m.reason
        from stock_movement m join stock_level l on l.id = m.level_id where 1 = 1",
    );
    list.compose(&mut sql);
    // Filters on columns without an index may read much of the ledger.
    let rows = db.read(sql.finish().heavy(), movement).await?;
    Ok(list.page(rows, |row, _| (row.number, Key::of(row.level_id))))
}

pub(super) fn location(row: &Row<'_>) -> Result<Location> {
    Ok(Location {
        id: row.get(0)?,
        code: row.get(1)?,
        name: row.get(2)?,
        priority: row.get(3)?,
        active: row.get(4)?,
        version: row.get(5)?,
    })
}

fn level(row: &Row<'_>) -> Result<LevelOut> {
    let (on_hand, reserved) = (row.get::<i64>(3)?, row.get::<i64>(4)?);
    Ok(LevelOut {
        id: row.get(0)?,
        variant_id: row.get(1)?,
        location_id: row.get(2)?,
        on_hand,
        reserved,
        available: on_hand - reserved,
    })
}

fn movement(row: &Row<'_>) -> Result<MovementOut> {
    Ok(MovementOut {
        level_id: row.get(0)?,
        number: row.get(1)?,
        variant_id: row.get(2)?,
        location_id: row.get(3)?,
        at: row.get(4)?,
        cause: row.get(5)?,
        on_hand_delta: row.get(6)?,
        reserved_delta: row.get(7)?,
        order_id: row.get(8)?,
        basket_id: row.get(9)?,
        actor_id: row.get(10)?,
        reason: row.get(11)?,
    })
}
