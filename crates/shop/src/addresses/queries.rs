//! Reading an account's own addresses.

use jiff::Timestamp;
use runout_store::{Composer, Result, Row, Statement, statements};
use serde::Serialize;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::{ADDRESSES_PER_ACCOUNT_MAX, Address};
use crate::App;
use crate::platform::cursor::Key;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::{ListRequest, Page, Resource};

statements! {
    SHOW = "select id, name, line1, line2, postal_code, city, region, country, created_at,
            updated_at, version
        from address where id = $1 and account_id = $2";
    OF_ACCOUNT = "select id, name, line1, line2, postal_code, city, region, country, created_at,
            updated_at, version
        from address where account_id = $1 order by id limit $2";
}

/// What addresses can be filtered and sorted by.
pub static ADDRESSES: Resource = Resource {
    name: "addresses",
    fields: &[
        Field::new("id", "a.id", Kind::Id),
        Field::new("country", "a.country", Kind::Text),
        Field::new("created_at", "a.created_at", Kind::Time).sortable(),
    ],
    id_sql: "a.id",
    default_sort: "id",
    extras: &[],
};

/// An address that an account has stored: the answer that it gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredAddress {
    pub id: i64,
    #[serde(flatten)]
    pub address: Address,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Grows with every change; the ETag.
    #[serde(skip)]
    pub version: i64,
}

/// What a stored address has beyond [`Address`], for the API's description.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Stamps {
    id: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// One object: [`Address`] takes no further fields, so it cannot be a part of a larger one.
impl PartialSchema for StoredAddress {
    fn schema() -> RefOr<Schema> {
        let (RefOr::T(Schema::Object(mut stored)), RefOr::T(Schema::Object(stamps))) =
            (Address::schema(), Stamps::schema())
        else {
            unreachable!("both are structs")
        };
        stored.description = Some("An address that an account has stored.".to_owned());
        stored.additional_properties = None;
        stored.properties.extend(stamps.properties);
        stored.required = stored.properties.keys().cloned().collect();
        RefOr::T(Schema::Object(stored))
    }
}

impl ToSchema for StoredAddress {}

impl StoredAddress {
    /// Reads `id, name, line1, line2, postal_code, city, region, country, created_at, updated_at,
    /// version`.
    pub(super) fn read(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            address: Address {
                name: row.get(1)?,
                line1: row.get(2)?,
                line2: row.get(3)?,
                postal_code: row.get(4)?,
                city: row.get(5)?,
                region: row.get(6)?,
                country: row.get(7)?,
            },
            created_at: row.get(8)?,
            updated_at: row.get(9)?,
            version: row.get(10)?,
        })
    }
}

/// A page of an account's addresses.
///
/// # Errors
/// The database's.
pub async fn page(
    app: &App,
    account_id: i64,
    request: &ListRequest,
) -> Result<Page<StoredAddress>> {
    let mut sql = Composer::new(
        "select a.id, a.name, a.line1, a.line2, a.postal_code, a.city, a.region, a.country, \
         a.created_at, a.updated_at, a.version from address a where a.account_id = ",
    );
    sql.bind(account_id);
    request.compose(&mut sql);
    let rows = app.db.read(sql.finish(), StoredAddress::read).await?;
    Ok(request.page(rows, |address, _| (address.id, Key::of(address.created_at))))
}

/// All addresses of an account, the oldest first: few enough for one page.
///
/// # Errors
/// The database's.
pub async fn of_account(app: &App, account_id: i64) -> Result<Vec<StoredAddress>> {
    let params = vec![account_id.into(), ADDRESSES_PER_ACCOUNT_MAX.into()];
    app.db.read(Statement::new(&OF_ACCOUNT, params), StoredAddress::read).await
}

/// An account's own address.
///
/// # Errors
/// The database's.
pub async fn find(app: &App, account_id: i64, id: i64) -> Result<Option<StoredAddress>> {
    let statement = Statement::new(&SHOW, vec![id.into(), account_id.into()]);
    app.db.read_one(statement, StoredAddress::read).await
}
