//! Shipments in the back office: the list, and one of them.

use askama::Template;
use axum::extract::{OriginalUri, State};
use axum::response::Response;
use serde_json::Value as Json;

use crate::App;
use crate::accounts::{Capability, StaffSession, Verb};
use crate::channels::access::Scope;
use crate::channels::model::ShipmentState;
use crate::channels::shipments::{
    ShipmentItem, ShipmentSummary, TransportEvent,
    queries::{self, SHIPMENTS},
};
use crate::desk::format;
use crate::pages::Frame;
use crate::platform::extract::PathId;
use crate::platform::page::ListRequest;
use crate::platform::problem::Problem;

struct Line {
    id: i64,
    remote_id: String,
    method: &'static str,
    state: &'static str,
    class: &'static str,
    shipped: String,
    order_id: String,
    last_event: String,
}

impl From<ShipmentSummary> for Line {
    fn from(shipment: ShipmentSummary) -> Self {
        Self {
            id: shipment.id,
            remote_id: shipment.remote_id,
            method: shipment.method.as_str(),
            state: shipment.state.as_str(),
            class: match shipment.state {
                ShipmentState::Stored => "good",
                ShipmentState::Listed => "warn",
                ShipmentState::Quarantined | ShipmentState::Gone => "bad",
            },
            shipped: shipment.shipped_at.map_or_else(String::new, format::minute),
            order_id: shipment.order_id.unwrap_or_default(),
            last_event: shipment.last_event.unwrap_or_default(),
        }
    }
}

#[derive(Template)]
#[template(path = "channels/templates/shipments.html")]
struct ListPage {
    lines: Vec<Line>,
    channel_id: String,
    order_id: String,
    state: String,
    states: &'static [&'static str],
    /// The address of the next page.
    next: Option<String>,
}

/// What the form of the list asks for: what was left empty is not asked.
fn asked(uri: &axum::http::Uri) -> Result<Vec<(String, String)>, Problem> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(uri.query().unwrap_or_default())
        .map_err(|_| Problem::bad_request("invalid_query", "The query cannot be read."))?;
    Ok(pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect())
}

pub(super) async fn list(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    frame: Frame,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    session.require(Capability::Channels, Verb::View)?;
    let pairs = asked(&uri)?;
    let request = ListRequest::from_pairs(&SHIPMENTS, &pairs, &serde_json::Map::new())?;
    let page = queries::page(&app, Scope::Every, &request).await?;
    let value = |name: &str| {
        let found = pairs.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let next = page.next.map(|cursor| {
        let mut query: Vec<_> =
            pairs.iter().filter(|(name, _)| name != "cursor").cloned().collect();
        query.push(("cursor".to_owned(), cursor));
        let query = serde_urlencoded::to_string(&query).expect("pairs of texts are a query");
        format!("/admin/shipments/?{query}")
    });
    let page = ListPage {
        lines: page.items.into_iter().map(Line::from).collect(),
        channel_id: value("channel_id"),
        order_id: value("order_id"),
        state: value("state"),
        states: ShipmentState::WORDS,
        next,
    };
    Ok(frame.page("Shipments", &page))
}

#[derive(Template)]
#[template(path = "channels/templates/shipment.html")]
struct ShipmentPage {
    line: Line,
    channel_id: i64,
    problem: Option<String>,
    facts: Vec<(&'static str, String)>,
    items: Vec<ShipmentItem>,
    events: Vec<(String, String)>,
    people: Vec<(&'static str, Vec<(String, String)>)>,
    raw: String,
}

/// What happened, and when.
fn told(event: TransportEvent) -> (String, String) {
    (event.code, event.at.map_or_else(String::new, format::minute))
}

/// An address as its fields.
fn lines(address: &Json) -> Vec<(String, String)> {
    let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let Json::Object(fields) = address else { return Vec::new() };
    let told = fields.iter().filter(|(_, value)| !value.is_null());
    told.map(|(name, value)| (name.replace('_', " "), text(value))).collect()
}

pub(super) async fn show(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    frame: Frame,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    session.require(Capability::Channels, Verb::View)?;
    let found = queries::find(&app, Scope::Every, id, true).await?;
    let shipment = found.ok_or_else(|| Problem::not_found("shipment"))?;
    let minute = |at: Option<jiff::Timestamp>| at.map(format::minute);
    let facts = [
        ("Order placed", minute(shipment.order_placed_at)),
        ("Reference", shipment.summary.reference.clone()),
        ("Transporter", shipment.summary.transporter_code.clone()),
        ("Track and trace", shipment.summary.track_and_trace.clone()),
        ("Label", shipment.shipping_label_id.clone()),
        ("Pick-up point", shipment.pickup_point.map(|yes| if yes { "yes" } else { "no" }.into())),
        ("Detail stored", minute(shipment.summary.detailed_at)),
        ("Detail is fetched again", minute(shipment.detail_due_at)),
        ("People's data are erased", minute(shipment.erase_at)),
        ("People's data were erased", minute(shipment.erased_at)),
    ];
    let people = [("Goes to", &shipment.ship_to), ("Is paid by", &shipment.bill_to)];
    let people = people.into_iter().filter_map(|(who, to)| Some((who, lines(to.as_ref()?))));
    let page = ShipmentPage {
        channel_id: shipment.summary.channel_id,
        problem: shipment.summary.problem.clone(),
        facts: facts.into_iter().filter_map(|(name, fact)| Some((name, fact?))).collect(),
        items: shipment.items,
        events: shipment.transport_events.into_iter().map(told).collect(),
        people: people.collect(),
        raw: shipment.raw.map(|raw| format!("{raw:#}")).unwrap_or_default(),
        line: Line::from(shipment.summary),
    };
    Ok(frame.page(&format!("Shipment {}", page.line.remote_id), &page))
}
