//! Answers have the names and types of the documentation's samples.

use std::collections::BTreeMap;

use runout_shop::channels::bol::shapes;
use serde_json::{Value, json};

use super::market::{Goods, Method, Name, Place, Posted, SECOND_US, Stock};
use super::shape::{Shipment, written};

const NOW: u64 = 1_795_000_000 * SECOND_US;

/// What the documentation shows of a row of the list.
fn listed() -> Value {
    json!({
        "shipmentId": "541757635",
        "shipmentDateTime": "2026-03-02T10:55:37+01:00",
        "shipmentReference": "REF-001",
        "order": {"orderId": "4123456789", "orderPlacedDateTime": "2026-03-01T09:12:00+01:00"},
        "shipmentItems": [{"orderItemId": "2012345678", "ean": "8712626055143"}],
        "transport": {"transportId": "312778947"}
    })
}

/// What the documentation shows of a detail.
fn detail() -> Value {
    json!({
        "shipmentId": "541757635",
        "shipmentDateTime": "2026-03-02T10:55:37+01:00",
        "shipmentReference": "REF-001",
        "pickupPoint": true,
        "order": {"orderId": "4123456789", "orderPlacedDateTime": "2026-03-01T09:12:00+01:00"},
        "shipmentDetails": {
            "pickupPointName": "Kiosk Utrecht", "salutation": "FEMALE", "firstName": "Test",
            "surname": "Koper", "streetName": "Dorpstraat", "houseNumber": "1",
            "houseNumberExtension": "B", "extraAddressInformation": "Apartment",
            "zipCode": "1111ZZ", "city": "Utrecht", "countryCode": "NL",
            "email": "scrambled@example.invalid", "company": "Voorbeeld BV",
            "deliveryPhoneNumber": "012123456", "language": "nl"
        },
        "billingDetails": {
            "salutation": "FEMALE", "firstName": "Test", "surname": "Koper",
            "streetName": "Dorpstraat", "houseNumber": "1", "houseNumberExtension": "B",
            "extraAddressInformation": "Apartment", "zipCode": "1111ZZ", "city": "Utrecht",
            "countryCode": "NL", "email": "scrambled@example.invalid", "company": "Voorbeeld BV",
            "vatNumber": "NL999999999B99", "kvkNumber": "99887766", "orderReference": "MyRef"
        },
        "shipmentItems": [{
            "orderItemId": "2012345678",
            "fulfilment": {
                "method": "FBR", "distributionParty": "RETAILER",
                "latestDeliveryDate": "2026-03-04"
            },
            "offer": {"offerId": "6ff736b5-cdd0-4150-8c67-78269ee986f5", "reference": "SKU-1"},
            "product": {"ean": "8712626055143", "title": "Product title"},
            "quantity": 2, "quantityShipped": 2, "unitPrice": 12.99, "commission": 2.10
        }],
        "transport": {
            "transportId": "312778947", "transporterCode": "TNT",
            "trackAndTrace": "3SBOL0987654321", "shippingLabelId": "123456789",
            "transportEvents": [
                {"eventCode": "AT_TRANSPORTER", "eventDateTime": "2026-03-02T17:21:07+01:00"}
            ]
        }
    })
}

/// The paths of a document's leaves with the kind of each: a text's is its pattern, where digits
/// are `9`, so that moments and days look alike.
fn leaves(path: &str, value: &Value, into: &mut BTreeMap<String, &'static str>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                leaves(&format!("{path}/{name}"), field, into);
            }
        }
        Value::Array(items) => {
            for item in items {
                leaves(&format!("{path}/[]"), item, into);
            }
        }
        Value::String(text) => {
            let digits: String =
                text.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
            let kind = match digits.as_str() {
                "9999-99-99T99:99:99+99:99" => "moment",
                "9999-99-99" => "day",
                _ => "text",
            };
            into.insert(path.to_owned(), kind);
        }
        Value::Number(_) => drop(into.insert(path.to_owned(), "number")),
        Value::Bool(_) => drop(into.insert(path.to_owned(), "bool")),
        Value::Null => panic!("{path} is null: absent fields are left out"),
    }
}

fn shape(value: &Value) -> BTreeMap<String, &'static str> {
    let mut found = BTreeMap::new();
    leaves("", value, &mut found);
    found
}

fn place(goods: &Goods) -> Place<'_> {
    Place { seed: 7, channel: 3, origin_us: NOW, goods }
}

/// List row and detail of every shipment of an account.
fn all(goods: &Goods) -> Vec<(Value, Value)> {
    let stock = Stock::new(300);
    let shipment = |index| Shipment::find(&stock, place(goods), index).expect("it is there");
    (0..300).map(|index| (shipment(index).listed(), shipment(index).detail(NOW))).collect()
}

#[test]
fn shipments_have_the_documented_shapes() {
    let (list_shape, detail_shape) = (shape(&listed()), shape(&detail()));
    let (mut whole_rows, mut whole_details) = (0, 0);
    for (row, shown) in all(&Goods::default()) {
        for (found, documented, whole) in [
            (shape(&row), &list_shape, &mut whole_rows),
            (shape(&shown), &detail_shape, &mut whole_details),
        ] {
            for (path, kind) in &found {
                assert_eq!(documented.get(path), Some(kind), "{path} in {shown}");
            }
            let absent: Vec<_> =
                documented.keys().filter(|path| !found.contains_key(*path)).collect();
            for path in &absent {
                let may = ["/shipmentReference", "/shipmentDetails/pickupPointName"];
                assert!(may.contains(&path.as_str()), "{path} is missing in {shown}");
            }
            *whole += usize::from(absent.is_empty());
        }
        assert_eq!(row["shipmentId"], shown["shipmentId"]);
        assert_eq!(row["order"], shown["order"]);
    }
    assert!(whole_rows > 50 && whole_details > 5, "{whole_rows}, {whole_details}");
}

#[test]
fn the_client_knows_every_field() {
    for goods in [
        Goods::default(),
        Goods { event_seconds: 0, ..Goods::default() },
        Goods { sparse_permille: 500, number_ids_permille: 500, ..Goods::default() },
    ] {
        let all = all(&goods);
        let rows: Value = all.iter().map(|(row, _)| row.clone()).collect();
        let page = shapes::page(&json!({"shipments": rows})).expect("a page");
        assert_eq!((page.value.shipments.len(), page.unknown.len()), (300, 0));
        for (listed, (_, shown)) in page.value.shipments.iter().zip(&all) {
            let read = shapes::shipment(shown).expect("it can be read");
            assert_eq!((&read.value.id, read.unknown.len()), (&listed.id, 0), "{shown}");
            assert_eq!(read.value.items.len(), listed.items.len());
        }
    }
    let extra = Goods { extra_fields_permille: 1_000, ..Goods::default() };
    for (_, shown) in all(&extra) {
        let read = shapes::shipment(&shown).expect("it can be read");
        assert_eq!(read.unknown, ["carbonFootprint", "shipmentItems[].giftWrap"], "{shown}");
    }
    for (_, shown) in all(&Goods { wrong_types_permille: 1_000, ..Goods::default() }) {
        shapes::shipment(&shown).expect_err("one field is of another type");
    }
}

#[test]
fn some_answers_differ_from_their_description() {
    let required = ["shipmentId", "order", "shipmentItems"];
    for (_, shown) in all(&Goods { sparse_permille: 1_000, ..Goods::default() }) {
        let names: Vec<&str> = shown.as_object().expect("fields").keys().map(|k| &**k).collect();
        assert!(required.iter().all(|name| names.contains(name)), "{shown}");
        let item = shown["shipmentItems"][0].as_object().expect("an item");
        assert_eq!(item.len(), 3, "{shown}");
        assert!(!names.contains(&"transport") && !names.contains(&"shipmentDetails"));
    }
    for (row, shown) in all(&Goods { number_ids_permille: 1_000, ..Goods::default() }) {
        assert!(row["shipmentId"].is_u64() && shown["transport"]["transportId"].is_u64());
        assert!(row["shipmentItems"][0]["orderItemId"].is_u64(), "{row}");
    }
    let plain = shape(&detail());
    for (_, shown) in all(&Goods { extra_fields_permille: 1_000, ..Goods::default() }) {
        assert!(shape(&shown).keys().any(|path| !plain.contains_key(path)), "{shown}");
    }
    let spoilt = all(&Goods { wrong_types_permille: 100, ..Goods::default() });
    let kept = all(&Goods::default());
    let differ = spoilt.iter().zip(&kept).filter(|(one, other)| one != other).count();
    assert!((15..50).contains(&differ), "one in ten: {differ}");
}

#[test]
fn what_was_posted_is_shown_as_it_was_posted() {
    let goods = Goods::default();
    let (place, mut stock) = (place(&goods), Stock::new(5));
    let index = stock.arrive(&place, NOW, false).expect("there is room");
    let posted = Posted {
        items: vec![("2012345678".to_owned(), 2), ("ABC".to_owned(), 1)],
        reference: Some("Order 7".to_owned()),
        transporter: Some("DHL".to_owned()),
        track_and_trace: Some("3S123".to_owned()),
    };
    stock.posted.insert(index, posted);
    let shown = Shipment::find(&stock, place, index).expect("it is there").detail(NOW);
    assert_eq!(shown["shipmentReference"], "Order 7");
    assert_eq!(shown["shipmentDateTime"], json!(written(NOW)));
    assert_eq!(shown["shipmentItems"][0]["orderItemId"], "2012345678");
    assert_eq!(shown["shipmentItems"][0]["quantity"], 2);
    assert_eq!(shown["shipmentItems"][1]["orderItemId"], "ABC");
    assert_eq!(shown["transport"]["trackAndTrace"], "3S123");
    assert_eq!(stock.method(&place, index), Method::Retailer);
    assert_eq!(shown["shipmentId"], Name { channel: 3, index: 5 }.id().to_string());
}
