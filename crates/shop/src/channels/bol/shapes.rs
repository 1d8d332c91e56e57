//! What bol.com answers, read from JSON: shipments in the list and in detail, and processes.
//!
//! Fields that nobody has described are reported by their path and otherwise left alone; a field of
//! another type than described makes its record, and only that, malformed. Absent fields are absent
//! (`null` counts as absent); only what a shipment cannot be without is required. Ids may be
//! numbers or text. Nothing here fails on any document whatever.
//!
//! Source: the Retailer API's version 10 (and 8: the same but for `quantityShipped`), with the
//! older spellings `pickUpPoint` and `pickUpPointName`.

mod fields;

use jiff::Timestamp;
use jiff::civil::Date;
use runout_core::money::Money;
use serde::Serialize;
use serde_json::Value;

use fields::{Fields, Unknown};

/// Names of the fields that are about people: who receives and who pays. Version 3 had a third.
const PERSONAL: [&str; 3] = ["shipmentDetails", "billingDetails", "customerDetails"];

/// Events after which a transport brings no other.
const FINAL_EVENTS: [&str; 4] = [
    "DELIVERED_AT_CUSTOMER",
    "DELIVERED_AT_NEIGHBOURS",
    "PICKED_UP_AT_PICK_UP_POINT",
    "RETURNED_TO_SENDER",
];

/// Why a record cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path} is not {expected}")]
pub struct Malformed {
    /// Such as `shipmentItems[1].quantity`; `the answer` for the whole document.
    pub path: String,
    /// Such as `a number of units`.
    pub expected: &'static str,
}

/// Something that was read, and what beside it nobody has described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed<T> {
    pub value: T,
    /// Paths such as `shipmentItems[].giftWrap`, each once, in order.
    pub unknown: Vec<String>,
}

/// A page of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    pub shipments: Vec<Listed>,
    pub malformed: Vec<MalformedRow>,
}

/// A row of the list that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MalformedRow {
    /// Which one of the page, from 0.
    pub nth: usize,
    /// Its id, where that can be read.
    pub id: Option<String>,
    pub why: Malformed,
}

/// A shipment in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub id: String,
    pub shipped_at: Option<Timestamp>,
    pub reference: Option<String>,
    pub order: Order,
    pub items: Vec<ListedItem>,
    pub transport_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedItem {
    pub order_item_id: String,
    pub ean: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub id: String,
    pub placed_at: Option<Timestamp>,
}

/// A shipment in detail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shipment {
    pub id: String,
    pub shipped_at: Option<Timestamp>,
    pub reference: Option<String>,
    pub pickup_point: Option<bool>,
    pub order: Order,
    /// Personal data.
    pub ship_to: Option<ShipTo>,
    /// Personal data.
    pub bill_to: Option<BillTo>,
    pub items: Vec<Item>,
    pub transport: Option<Transport>,
}

/// Somebody with an address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Person {
    /// `MALE`, `FEMALE` or `UNKNOWN`.
    pub salutation: Option<String>,
    pub first_name: Option<String>,
    pub surname: Option<String>,
    pub street: Option<String>,
    pub house_number: Option<String>,
    pub house_number_extension: Option<String>,
    pub extra_address: Option<String>,
    pub zip_code: Option<String>,
    pub city: Option<String>,
    /// ISO 3166-1, two letters.
    pub country: Option<String>,
    pub email: Option<String>,
    pub company: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ShipTo {
    #[serde(flatten)]
    pub person: Person,
    pub pickup_point_name: Option<String>,
    pub phone: Option<String>,
    /// `nl`, `nl-BE`, `fr` or `fr-BE`.
    pub language: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BillTo {
    #[serde(flatten)]
    pub person: Person,
    pub vat_number: Option<String>,
    /// Of the Dutch chamber of commerce.
    pub kvk_number: Option<String>,
    pub order_reference: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub order_item_id: String,
    pub fulfilment: Option<Fulfilment>,
    pub offer: Option<Offer>,
    pub product: Option<Product>,
    /// Units.
    pub quantity: i64,
    /// Units; since version 10.23.
    pub quantity_shipped: Option<i64>,
    pub unit_price: Money,
    pub commission: Option<Money>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fulfilment {
    /// `FBR` or `FBB`.
    pub method: Option<String>,
    /// `RETAILER` or `BOL`.
    pub distribution_party: Option<String>,
    pub latest_delivery: Option<Date>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offer {
    pub id: Option<String>,
    pub reference: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Product {
    pub ean: Option<String>,
    pub title: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transport {
    pub id: Option<String>,
    pub transporter: Option<String>,
    pub track_and_trace: Option<String>,
    pub shipping_label_id: Option<String>,
    /// As they were sent: not always in the order of their moments.
    pub events: Vec<TransportEvent>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportEvent {
    pub code: String,
    pub at: Option<Timestamp>,
}

/// What becomes of something that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub id: String,
    pub entity_id: Option<String>,
    /// Such as `CREATE_SHIPMENT`.
    pub event_type: Option<String>,
    pub description: Option<String>,
    pub status: ProcessStatus,
    pub error: Option<String>,
    pub created_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProcessStatus {
    Pending,
    Success,
    Failure,
    Timeout,
}

/// Reads a page of `GET /retailer/shipments`. A page without shipments may lack their list.
///
/// # Errors
/// When it is no page at all; a row that cannot be read is in [`Page::malformed`].
pub fn page(answer: &Value) -> Result<Parsed<Page>, Malformed> {
    let mut unknown = Unknown::default();
    let mut fields = Fields::of(answer, "")?;
    let rows = fields.array("shipments")?.unwrap_or_default();
    fields.end(&mut unknown);
    let mut page = Page::default();
    for (nth, row) in rows.iter().enumerate() {
        // What a malformed row holds beside is not worth a report.
        let mut beside = Unknown::default();
        match listed(row, nth, &mut beside) {
            Ok(listed) => {
                page.shipments.push(listed);
                unknown.take_in(beside);
            }
            Err(malformed) => {
                let id = shipment_id(row);
                page.malformed.push(MalformedRow { nth, id, why: malformed });
            }
        }
    }
    Ok(Parsed { value: page, unknown: unknown.paths() })
}

/// The id of a shipment of which nothing else may be readable.
pub fn shipment_id(record: &Value) -> Option<String> {
    Fields::of(record, "").ok()?.id("shipmentId").ok().flatten()
}

fn listed(row: &Value, nth: usize, unknown: &mut Unknown) -> Result<Listed, Malformed> {
    let mut fields = Fields::of(row, &format!("shipments[{nth}]"))?;
    let listed = Listed {
        id: fields.required_id("shipmentId")?,
        shipped_at: fields.moment("shipmentDateTime")?,
        reference: fields.text("shipmentReference")?,
        order: order(&mut fields, unknown)?,
        items: fields.each("shipmentItems", unknown, |item, _| {
            Ok(ListedItem { order_item_id: item.required_id("orderItemId")?, ean: item.id("ean")? })
        })?,
        transport_id: fields
            .object("transport", unknown, |transport, _| transport.id("transportId"))?
            .flatten(),
    };
    fields.end(unknown);
    Ok(listed)
}

/// Reads `GET /retailer/shipments/{id}`.
///
/// # Errors
/// When a required field is missing, or one is of another type than described.
pub fn shipment(answer: &Value) -> Result<Parsed<Shipment>, Malformed> {
    let mut unknown = Unknown::default();
    let mut fields = Fields::of(answer, "")?;
    let value = Shipment {
        id: fields.required_id("shipmentId")?,
        shipped_at: fields.moment("shipmentDateTime")?,
        reference: fields.text("shipmentReference")?,
        pickup_point: match fields.flag("pickupPoint")? {
            None => fields.flag("pickUpPoint")?,
            said => said,
        },
        order: order(&mut fields, &mut unknown)?,
        ship_to: fields.object("shipmentDetails", &mut unknown, |to, _| ship_to(to))?,
        bill_to: fields.object("billingDetails", &mut unknown, |to, _| bill_to(to))?,
        items: fields.each("shipmentItems", &mut unknown, item)?,
        transport: fields.object("transport", &mut unknown, transport)?,
    };
    fields.end(&mut unknown);
    Ok(Parsed { value, unknown: unknown.paths() })
}

fn order(fields: &mut Fields<'_>, unknown: &mut Unknown) -> Result<Order, Malformed> {
    fields.required_object("order", unknown, |order, _| {
        Ok(Order {
            id: order.required_id("orderId")?,
            placed_at: order.moment("orderPlacedDateTime")?,
        })
    })
}

fn person(fields: &mut Fields<'_>) -> Result<Person, Malformed> {
    Ok(Person {
        salutation: fields.text("salutation")?,
        first_name: fields.text("firstName")?,
        surname: fields.text("surname")?,
        street: fields.text("streetName")?,
        house_number: fields.id("houseNumber")?,
        house_number_extension: fields.id("houseNumberExtension")?,
        extra_address: fields.text("extraAddressInformation")?,
        zip_code: fields.id("zipCode")?,
        city: fields.text("city")?,
        country: fields.text("countryCode")?,
        email: fields.text("email")?,
        company: fields.text("company")?,
    })
}

fn ship_to(fields: &mut Fields<'_>) -> Result<ShipTo, Malformed> {
    Ok(ShipTo {
        person: person(fields)?,
        pickup_point_name: match fields.text("pickupPointName")? {
            None => fields.text("pickUpPointName")?,
            name => name,
        },
        phone: fields.id("deliveryPhoneNumber")?,
        language: fields.text("language")?,
    })
}

fn bill_to(fields: &mut Fields<'_>) -> Result<BillTo, Malformed> {
    Ok(BillTo {
        person: person(fields)?,
        vat_number: fields.id("vatNumber")?,
        kvk_number: fields.id("kvkNumber")?,
        order_reference: fields.id("orderReference")?,
    })
}

fn item(fields: &mut Fields<'_>, unknown: &mut Unknown) -> Result<Item, Malformed> {
    Ok(Item {
        order_item_id: fields.required_id("orderItemId")?,
        fulfilment: fields.object("fulfilment", unknown, |fulfilment, _| {
            Ok(Fulfilment {
                method: fulfilment.text("method")?,
                distribution_party: fulfilment.text("distributionParty")?,
                latest_delivery: fulfilment.day("latestDeliveryDate")?,
            })
        })?,
        offer: fields.object("offer", unknown, |offer, _| {
            Ok(Offer { id: offer.id("offerId")?, reference: offer.id("reference")? })
        })?,
        product: fields.object("product", unknown, |product, _| {
            Ok(Product { ean: product.id("ean")?, title: product.text("title")? })
        })?,
        quantity: fields.required_units("quantity")?,
        quantity_shipped: fields.units("quantityShipped")?,
        unit_price: fields.required_euros("unitPrice")?,
        commission: fields.euros("commission")?,
    })
}

fn transport(fields: &mut Fields<'_>, unknown: &mut Unknown) -> Result<Transport, Malformed> {
    Ok(Transport {
        id: fields.id("transportId")?,
        transporter: fields.text("transporterCode")?,
        track_and_trace: fields.id("trackAndTrace")?,
        shipping_label_id: fields.id("shippingLabelId")?,
        events: fields.each_if_any("transportEvents", unknown, |event, _| {
            Ok(TransportEvent {
                code: event.required_text("eventCode")?,
                at: event.moment("eventDateTime")?,
            })
        })?,
    })
}

/// Reads a process, as 202 and `GET /shared/process-status/{id}` show it.
///
/// # Errors
/// When it has no id or no status that is known.
pub fn process(answer: &Value) -> Result<Parsed<Process>, Malformed> {
    let mut unknown = Unknown::default();
    let mut fields = Fields::of(answer, "")?;
    let value = Process {
        id: fields.required_id("processStatusId")?,
        entity_id: fields.id("entityId")?,
        event_type: fields.text("eventType")?,
        description: fields.text("description")?,
        status: match fields.required_text("status")?.as_str() {
            "PENDING" => ProcessStatus::Pending,
            "SUCCESS" => ProcessStatus::Success,
            "FAILURE" => ProcessStatus::Failure,
            "TIMEOUT" => ProcessStatus::Timeout,
            _ => return Err(fields.malformed("status", "a status of a process")),
        },
        error: fields.text("errorMessage")?,
        created_at: fields.moment("createTimestamp")?,
    };
    fields.ignore("links");
    fields.end(&mut unknown);
    Ok(Parsed { value, unknown: unknown.paths() })
}

/// True until the newest event of its transport is one after which no other comes.
pub fn is_moving(shipment: &Shipment) -> bool {
    let events = shipment.transport.iter().flat_map(|transport| &transport.events);
    // Of several at one moment the last that was told.
    let newest = events.max_by_key(|event| event.at);
    newest.is_none_or(|event| !FINAL_EVENTS.contains(&event.code.as_str()))
}

/// A shipment's document without the parts that are about people.
pub fn without_personal_data(raw: &Value) -> Value {
    let mut kept = raw.clone();
    if let Some(fields) = kept.as_object_mut() {
        fields.retain(|name, _| !PERSONAL.iter().any(|part| name.eq_ignore_ascii_case(part)));
    }
    kept
}

#[cfg(test)]
#[path = "shapes_tests.rs"]
mod tests;
