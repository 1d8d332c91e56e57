//! The form that ships something for an order of a channel.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value as Json, json};

use super::form::{About, FormPage, fields, is_about_input, typed};
use super::{caller, found};
use crate::App;
use crate::accounts::{Capability, StaffSession, Verb};
use crate::admin::table::settled;
use crate::channels::access::Scope;
use crate::channels::commands;
use crate::channels::input::NewParcel;
use crate::channels::model::Channel;
use crate::pages::{Frame, see_other};
use crate::platform::extract::{PathId, valid};
use crate::platform::form::{Form, Pairs};
use crate::platform::problem::Problem;

const FIELDS: [About; 6] = [
    ("order_id", "Order", "The provider's number of it."),
    (
        "items",
        "Ordered items",
        "The provider's numbers with spaces between them; 2012345678:2 is two of that one, without \
         a number all of them.",
    ),
    ("reference", "Reference", "Your own name of the shipment; it may be empty."),
    ("transporter_code", "Transporter", "Such as TNT or DHL. Or a label, below."),
    ("track_and_trace", "Track and trace", "It may be empty."),
    ("shipping_label_id", "Label", "One that was bought from the provider."),
];

fn page(channel: &Channel, posted: &[(String, String)]) -> FormPage {
    FormPage {
        title: format!("Ship for {}", channel.name),
        action: format!("/admin/channels/{}/ship", channel.id),
        back: format!("/admin/channels/{}/", channel.id),
        button: "Ship",
        fields: fields(&FIELDS, posted),
        errors: Vec::new(),
    }
}

/// `2012345678:2` as an item.
fn item(text: &str) -> Json {
    match text.rsplit_once(':') {
        Some((id, quantity)) => {
            let quantity = quantity.parse::<u32>().map_or_else(|_| quantity.into(), Json::from);
            json!({"order_item_id": id, "quantity": quantity})
        }
        None => json!({"order_item_id": text}),
    }
}

/// The API's input.
fn input(posted: &[(String, String)]) -> Map<String, Json> {
    let text = |name| typed(posted, name);
    let given = |name| Some(text(name)).filter(|text| !text.is_empty());
    let items: Vec<Json> =
        text("items").split([' ', ',', '\n']).filter(|word| !word.is_empty()).map(item).collect();
    let mut map = Map::new();
    map.insert("order_id".to_owned(), text("order_id").into());
    map.insert("items".to_owned(), items.into());
    for name in ["reference", "shipping_label_id"] {
        map.extend(given(name).map(|text| (name.to_owned(), text.into())));
    }
    if given("transporter_code").is_some() || given("track_and_trace").is_some() {
        let transport = json!({
            "transporter_code": text("transporter_code"),
            "track_and_trace": given("track_and_trace"),
        });
        map.insert("transport".to_owned(), transport);
    }
    map
}

pub(super) async fn ask(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    frame: Frame,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    session.require(Capability::Channels, Verb::Change)?;
    let page = page(&found(&app, id).await?, &[]);
    Ok(frame.page(&page.title.clone(), &page))
}

pub(super) async fn ship(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    frame: Frame,
    PathId(id): PathId,
    Form(posted): Pairs,
) -> Result<Response, Problem> {
    session.require(Capability::Channels, Verb::Change)?;
    let channel = found(&app, id).await?;
    let shipped = async {
        let new: NewParcel = valid(input(&posted))?;
        let outcome = commands::ship(&app, caller(&session), Scope::Every, id, new).await?;
        settled(outcome, Problem::from)
    };
    match shipped.await {
        Ok(_) => Ok(see_other(&format!("/admin/channels/{id}/?done=ship"))),
        Err(problem) if is_about_input(&problem) => {
            Ok(page(&channel, &posted).again(&frame, &problem))
        }
        Err(problem) => Err(problem),
    }
}
