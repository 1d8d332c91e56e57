//! The shapes of v10: a shipment in the list and in detail, with every field; and the ways in which
//! a real answer differs from its description.

use jiff::tz::{Offset, TimeZone};
use serde_json::{Map, Value, json};

use super::clock::moment;
use super::market::{Method, Name, Place, Posted, SECOND_US, Stock, events};
use crate::chance::Chance;

const FIRST_NAMES: [&str; 8] = ["Anna", "Bram", "Coşkun", "Daan", "Eva", "Fleur", "Guus", "Zoë"];
const SURNAMES: [&str; 8] =
    ["de Vries", "Jansen", "van den Berg", "Bakker", "Yılmaz", "Visser", "O'Neill", "Müller"];
const STREETS: [&str; 6] =
    ["Dorpstraat", "Kerkstraat", "Plein 1944", "Rue de l'Église", "Lange Nieuwstraat", "Singel"];
const CITIES: [(&str, &str); 5] = [
    ("Utrecht", "NL"),
    ("'s-Hertogenbosch", "NL"),
    ("Amsterdam", "NL"),
    ("Liège", "BE"),
    ("Gent", "BE"),
];
const TRANSPORTERS: [&str; 5] = ["TNT", "DHLFORYOU", "BPOST_BE", "DPD-NL", "BRIEFPOST"];

/// A moment as the provider writes it: on Dutch winter's clock, to the second.
pub(super) fn written(micros: u64) -> String {
    let zone = TimeZone::fixed(Offset::constant(1));
    moment(micros).to_zoned(zone).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

fn day(micros: u64) -> String {
    moment(micros).strftime("%Y-%m-%d").to_string()
}

/// Cents as the number that JSON has for them.
fn amount(cents: u64) -> Value {
    let text = format!("{}.{:02}", cents / 100, cents % 100);
    Value::Number(text.parse().expect("a number"))
}

/// A shipment at a moment.
pub(super) struct Shipment<'a> {
    place: Place<'a>,
    index: u32,
    date_us: u64,
    method: Method,
    posted: Option<&'a Posted>,
}

/// An item of a shipment.
struct Item {
    id: String,
    ean: u64,
    quantity: u64,
}

impl<'a> Shipment<'a> {
    /// None if there is none of this number, or not any more.
    pub(super) fn find(stock: &'a Stock, place: Place<'a>, index: u32) -> Option<Self> {
        let date_us = stock.date(&place, index)?;
        let (method, posted) = (stock.method(&place, index), stock.posted.get(&index));
        Some(Self { place, index, date_us, method, posted })
    }

    fn name(&self) -> Name {
        self.place.name(self.index)
    }

    fn chance(&self, of: u64) -> Chance {
        self.name().chance(self.place.seed, of)
    }

    /// True if this shipment is among so many of a thousand, for the trait `of`.
    fn is(&self, permille: u32, of: u64) -> bool {
        self.posted.is_none() && self.chance(of).happens(permille)
    }

    /// Its detail is gone, though it is listed.
    pub(super) fn is_ghost(&self) -> bool {
        self.is(self.place.goods.ghosts_permille, 10)
    }

    fn is_sparse(&self) -> bool {
        self.is(self.place.goods.sparse_permille, 11)
    }

    /// How far its transport has come, and whether it goes on.
    pub(super) fn version(&self, now_us: u64) -> (u8, bool) {
        let (events, moves) = events(&self.place, self.index, self.date_us, now_us);
        (u8::try_from(events.len()).expect("a few events"), moves)
    }

    /// An id: text, or a number in the answers of some.
    fn id(&self, id: u64) -> Value {
        match self.is(self.place.goods.number_ids_permille, 12) {
            true => json!(id),
            false => json!(id.to_string()),
        }
    }

    fn items(&self) -> Vec<Item> {
        let mut chance = self.chance(20);
        let mut ean = || 8_710_000_000_000 + chance.below(1_000_000_000);
        if let Some(posted) = self.posted {
            let item = |(id, quantity): &(String, u32)| Item {
                id: id.clone(),
                ean: ean(),
                quantity: u64::from(*quantity),
            };
            return posted.items.iter().map(item).collect();
        }
        let (first, count) = (self.name().id() * 10, self.chance(21).between(1, 3));
        (0..count)
            .map(|nth| {
                let quantity = self.chance(30 + nth).between(1, 4);
                Item { id: (first + nth).to_string(), ean: ean(), quantity }
            })
            .collect()
    }

    fn item_id(&self, item: &Item) -> Value {
        item.id.parse().map_or_else(|_| json!(item.id), |id| self.id(id))
    }

    /// What list and detail share.
    fn head(&self) -> Map<String, Value> {
        let mut head = Map::new();
        let mut put = |name: &str, value: Value| head.insert(name.to_owned(), value);
        put("shipmentId", self.id(self.name().id()));
        let mut chance = self.chance(22);
        let has_date = !self.is_sparse() || chance.happens(500);
        if has_date {
            put("shipmentDateTime", json!(written(self.date_us)));
        }
        let reference = match self.posted {
            Some(posted) => posted.reference.clone(),
            // Described as required, and not there when nobody gave one.
            None => chance.happens(500).then(|| format!("REF-{}", self.name().id())),
        };
        if let Some(reference) = reference.filter(|_| !self.is_sparse()) {
            put("shipmentReference", json!(reference));
        }
        let mut order = json!({"orderId": self.id(4_000_000_000 + self.name().id())});
        if !self.is_sparse() {
            let placed_us = self.date_us - 86_400 * SECOND_US;
            order["orderPlacedDateTime"] = json!(written(placed_us));
        }
        put("order", order);
        head
    }

    /// As the list shows it.
    pub(super) fn listed(&self) -> Value {
        let mut shown = self.head();
        let item = |item: &Item| {
            let mut shown = json!({"orderItemId": self.item_id(item)});
            if !self.is_sparse() {
                shown["ean"] = json!(item.ean.to_string());
            }
            shown
        };
        shown.insert("shipmentItems".to_owned(), self.items().iter().map(item).collect());
        if !self.is_sparse() {
            let transport = json!({"transportId": self.id(300_000_000 + self.name().id())});
            shown.insert("transport".to_owned(), transport);
        }
        Value::Object(shown)
    }

    /// In detail.
    pub(super) fn detail(&self, now_us: u64) -> Value {
        let mut shown = self.head();
        let items = self.items().into_iter().zip(0..).map(|(item, nth)| self.item(&item, nth));
        shown.insert("shipmentItems".to_owned(), items.collect());
        if !self.is_sparse() {
            let (to, billed) = self.people();
            shown.insert("pickupPoint".to_owned(), json!(self.is_pickup()));
            shown.insert("shipmentDetails".to_owned(), to);
            shown.insert("billingDetails".to_owned(), billed);
            shown.insert("transport".to_owned(), self.transport(now_us));
        }
        let mut shown = Value::Object(shown);
        if self.is(self.place.goods.extra_fields_permille, 13) {
            shown["carbonFootprint"] = json!({"grams": 12, "measuredBy": "estimate"});
            shown["shipmentItems"][0]["giftWrap"] = json!(false);
        }
        if self.is(self.place.goods.wrong_types_permille, 14) {
            self.spoil(&mut shown);
        }
        shown
    }

    fn is_pickup(&self) -> bool {
        self.chance(23).happens(150)
    }

    /// One item of the detail.
    fn item(&self, item: &Item, nth: u64) -> Value {
        let mut chance = self.chance(40 + nth);
        let cents = chance.between(99, 29_999);
        let mut shown = json!({
            "orderItemId": self.item_id(item),
            "quantity": item.quantity,
            "unitPrice": amount(cents),
        });
        if self.is_sparse() {
            return shown;
        }
        let party = if self.method == Method::Bol { "BOL" } else { "RETAILER" };
        shown["fulfilment"] = json!({
            "method": self.method.as_str(),
            "distributionParty": party,
            "latestDeliveryDate": day(self.date_us + 2 * 86_400 * SECOND_US),
        });
        let (high, low) = (chance.next(), chance.next());
        shown["offer"] = json!({
            "offerId": format!(
                "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
                high >> 32, high >> 16 & 0xffff, high & 0xfff, low >> 52, low & 0xffff_ffff_ffff,
            ),
            "reference": format!("SKU-{}", chance.below(10_000)),
        });
        shown["product"] = json!({
            "ean": item.ean.to_string(),
            "title": format!("Record no. {} – “The Sides”", item.ean % 10_000),
        });
        shown["quantityShipped"] = json!(item.quantity);
        shown["commission"] = amount(cents * 15 / 100);
        shown
    }

    /// Whom it goes to, and who pays.
    fn people(&self) -> (Value, Value) {
        let mut chance = self.chance(24);
        let (city, country) = *chance.pick(&CITIES);
        let zip = match country {
            "NL" => format!("{:04}AZ", chance.between(1_000, 9_999)),
            _ => format!("{:04}", chance.between(1_000, 9_999)),
        };
        let both = json!({
            "salutation": *chance.pick(&["MALE", "FEMALE", "UNKNOWN"]),
            "firstName": *chance.pick(&FIRST_NAMES),
            "surname": *chance.pick(&SURNAMES),
            "streetName": *chance.pick(&STREETS),
            "houseNumber": chance.between(1, 400).to_string(),
            "houseNumberExtension": *chance.pick(&["A", "B", "bis"]),
            "extraAddressInformation": "Apartment",
            "zipCode": zip,
            "city": city,
            "countryCode": country,
            "email": format!("s{}@example.invalid", self.name().id()),
            "company": "Voorbeeld BV",
        });
        let (mut to, mut billed) = (both.clone(), both);
        if self.is_pickup() {
            to["pickupPointName"] = json!(format!("Kiosk {city}"));
        }
        to["deliveryPhoneNumber"] = json!(format!("06{:08}", chance.below(100_000_000)));
        let languages = if country == "NL" { ["nl", "nl"] } else { ["nl-BE", "fr-BE"] };
        to["language"] = json!(*chance.pick(&languages));
        billed["vatNumber"] = json!(format!("NL{:09}B01", chance.below(1_000_000_000)));
        billed["kvkNumber"] = json!(format!("{:08}", chance.below(100_000_000)));
        billed["orderReference"] = json!("MyRef");
        (to, billed)
    }

    fn transport(&self, now_us: u64) -> Value {
        let (events, _) = events(&self.place, self.index, self.date_us, now_us);
        let event =
            |(code, at): &(&str, u64)| json!({"eventCode": code, "eventDateTime": written(*at)});
        let mut chance = self.chance(25);
        let code = *chance.pick(&TRANSPORTERS);
        let code = self.posted.and_then(|posted| posted.transporter.as_deref()).unwrap_or(code);
        let track = match self.posted {
            Some(posted) => posted.track_and_trace.clone(),
            None => Some(format!("3SBOL{:010}", self.name().id())),
        };
        let mut shown = json!({
            "transportId": self.id(300_000_000 + self.name().id()),
            "transporterCode": code,
            "transportEvents": events.iter().map(event).collect::<Value>(),
        });
        if let Some(track) = track {
            shown["trackAndTrace"] = json!(track);
        }
        if self.posted.is_none() {
            shown["shippingLabelId"] = json!((100_000_000 + self.name().id()).to_string());
        }
        shown
    }

    /// Gives one field another type than described.
    fn spoil(&self, shown: &mut Value) {
        match self.chance(26).below(6) {
            0 => shown["shipmentItems"] = json!({"orderItemId": "1"}),
            1 => shown["shipmentItems"][0]["quantity"] = json!("two"),
            2 => shown["shipmentItems"][0]["unitPrice"] = json!({"amount": "free"}),
            3 => shown["order"] = json!("4123456789"),
            4 => shown["transport"] = json!({"transportId": "1", "transportEvents": "none yet"}),
            _ => shown["shipmentDateTime"] = json!(["yesterday"]),
        }
    }
}
