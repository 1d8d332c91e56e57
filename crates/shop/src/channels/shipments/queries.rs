//! Reading shipments.

use runout_store::{Composer, Result, Statement, statements};

use super::{Shipment, ShipmentItem, ShipmentSummary};
use crate::App;
use crate::channels::access::Scope;
use crate::channels::model::ShipmentState;
use crate::platform::cursor::Key;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::{ListRequest, Page, Resource};

/// How a shipment can be fulfilled, as it is stored.
const METHODS: &[&str] = &["FBR", "FBB"];

statements! {
    /// The shipment `$1`, if its channel belongs to `$2` or that is null.
    SHOW = "select s.id, s.channel_id, s.remote_id, s.method, s.state, s.problem, s.shipped_at,
            s.reference, s.order_id, s.transporter_code, s.track_and_trace, s.last_event,
            s.found_at, s.detailed_at, s.order_placed_at, s.pickup_point, s.transport_id,
            s.shipping_label_id, s.transport_events, s.ship_to, s.bill_to, s.unknown_fields,
            s.detail_due_at, s.erase_at, s.raw, s.erased_at
        from shipment s join channel c on c.id = s.channel_id
        where s.id = $1 and (c.account_id = $2 or $2 is null)";
    ITEMS = "select order_item_id, ean, title, quantity, quantity_shipped, unit_price_minor,
            commission_minor, currency, offer_id, offer_reference, method, distribution_party,
            latest_delivery_date
        from shipment_item where shipment_id = $1 order by number";
    /// The shipment that the provider calls `$2`, of a channel of the account `$1`.
    OWN = "select min(s.id) from channel c
        join shipment s on s.channel_id = c.id and s.remote_id = $2
        where c.account_id = $1";
    /// How many shipments the channels of the account `$1` have.
    OWN_COUNT = "select count(*) from channel c join shipment s on s.channel_id = c.id
        where c.account_id = $1";
    /// Shipments of the account's channels in their order, from the one after `$2` on.
    OWN_PAGE = "select s.id, s.channel_id, s.remote_id, s.method, s.state, s.problem, s.shipped_at,
            s.reference, s.order_id, s.transporter_code, s.track_and_trace, s.last_event,
            s.found_at, s.detailed_at
        from channel c join shipment s on s.channel_id = c.id
        where c.account_id = $1 order by s.id limit $3 offset $2";
}

/// What shipments can be filtered and sorted by.
pub static SHIPMENTS: Resource = Resource {
    name: "shipments",
    fields: &[
        Field::new("id", "s.id", Kind::Id),
        Field::new("channel_id", "s.channel_id", Kind::Id),
        Field::new("remote_id", "s.remote_id", Kind::Text),
        Field::new("state", "s.state", Kind::Choice(ShipmentState::WORDS)),
        Field::new("method", "s.method", Kind::Choice(METHODS)),
        Field::new("order_id", "s.order_id", Kind::Text).nullable(),
        Field::new("reference", "s.reference", Kind::Text).nullable(),
        Field::new("shipped_at", "s.shipped_at", Kind::Time).nullable().sortable(),
        Field::new("last_event", "s.last_event", Kind::Text).nullable(),
    ],
    id_sql: "s.id",
    default_sort: "-id",
    extras: &[],
};

/// A page of shipments.
///
/// # Errors
/// The database's.
pub async fn page(app: &App, scope: Scope, request: &ListRequest) -> Result<Page<ShipmentSummary>> {
    let mut sql = Composer::new(
        "select s.id, s.channel_id, s.remote_id, s.method, s.state, s.problem, s.shipped_at, \
         s.reference, s.order_id, s.transporter_code, s.track_and_trace, s.last_event, \
         s.found_at, s.detailed_at \
         from shipment s join channel c on c.id = s.channel_id where 1 = 1",
    );
    scope.compose(&mut sql);
    request.compose(&mut sql);
    let rows = app.db.read(sql.finish(), ShipmentSummary::read).await?;
    Ok(request.page(rows, |one, _| (one.id, Key::of(one.shipped_at))))
}

/// One shipment; the provider's words only if they are asked for.
///
/// # Errors
/// The database's.
pub async fn find(app: &App, scope: Scope, id: i64, with_raw: bool) -> Result<Option<Shipment>> {
    let show = Statement::new(&SHOW, vec![id.into(), scope.param()]);
    let Some(mut shipment) = app.db.read_one(show, Shipment::read).await? else { return Ok(None) };
    let items = Statement::new(&ITEMS, vec![id.into()]);
    shipment.items = app.db.read(items, ShipmentItem::read).await?;
    if !with_raw {
        shipment.raw = None;
    }
    Ok(Some(shipment))
}

/// The number here of the shipment that the provider calls so, of an account's channels.
///
/// # Errors
/// The database's.
pub async fn own(app: &App, account_id: i64, remote_id: &str) -> Result<Option<i64>> {
    let params = vec![account_id.into(), remote_id.into()];
    let found = app.db.read_one(Statement::new(&OWN, params), |row| row.get(0)).await?;
    Ok(found.flatten())
}

/// How many shipments an account's channels have.
///
/// # Errors
/// The database's.
pub async fn own_count(app: &App, account_id: i64) -> Result<i64> {
    let count = Statement::new(&OWN_COUNT, vec![account_id.into()]);
    Ok(app.db.read_one(count, |row| row.get(0)).await?.unwrap_or(0))
}

/// Shipments of an account's channels, by their ids.
///
/// # Errors
/// The database's.
pub async fn own_page(
    app: &App,
    account_id: i64,
    offset: i64,
    limit: i64,
) -> Result<Vec<ShipmentSummary>> {
    let params = vec![account_id.into(), offset.into(), limit.into()];
    app.db.read(Statement::new(&OWN_PAGE, params), ShipmentSummary::read).await
}
