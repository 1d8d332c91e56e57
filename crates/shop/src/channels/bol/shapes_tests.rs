use proptest::prelude::*;
use serde_json::json;

use super::*;

/// As documented, with every field.
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
            "salutation": "MALE", "firstName": "Bill", "surname": "Betaler",
            "streetName": "Kerkstraat", "houseNumber": "2", "houseNumberExtension": "C",
            "extraAddressInformation": "Attic", "zipCode": "2222YY", "city": "Breda",
            "countryCode": "BE", "email": "other@example.invalid", "company": "Andere BV",
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
            "quantity": 2, "quantityShipped": 1, "unitPrice": 12.99, "commission": 2.10
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

fn row() -> Value {
    json!({
        "shipmentId": "541757635",
        "shipmentDateTime": "2026-03-02T10:55:37+01:00",
        "shipmentReference": "REF-001",
        "order": {"orderId": "4123456789", "orderPlacedDateTime": "2026-03-01T09:12:00+01:00"},
        "shipmentItems": [{"orderItemId": "2012345678", "ean": "8712626055143"}],
        "transport": {"transportId": "312778947"}
    })
}

fn read(answer: &Value) -> Shipment {
    shipment(answer).expect("it can be read").value
}

fn moment(text: &str) -> Option<Timestamp> {
    Some(text.parse().expect("a moment"))
}

#[test]
fn every_documented_field_is_read() {
    let Parsed { value, unknown } = shipment(&detail()).expect("it can be read");
    assert_eq!(unknown, Vec::<String>::new());
    let some = |text: &str| Some(text.to_owned());
    assert_eq!((&*value.id, value.pickup_point), ("541757635", Some(true)));
    assert_eq!(value.shipped_at, moment("2026-03-02T09:55:37Z"));
    assert_eq!((value.reference, &*value.order.id), (some("REF-001"), "4123456789"));
    assert_eq!(value.order.placed_at, moment("2026-03-01T08:12:00Z"));
    let person = Person {
        salutation: some("FEMALE"),
        first_name: some("Test"),
        surname: some("Koper"),
        street: some("Dorpstraat"),
        house_number: some("1"),
        house_number_extension: some("B"),
        extra_address: some("Apartment"),
        zip_code: some("1111ZZ"),
        city: some("Utrecht"),
        country: some("NL"),
        email: some("scrambled@example.invalid"),
        company: some("Voorbeeld BV"),
    };
    let to = value.ship_to.expect("a receiver");
    assert_eq!(to.person, person);
    assert_eq!(to.pickup_point_name, some("Kiosk Utrecht"));
    assert_eq!((to.phone, to.language), (some("012123456"), some("nl")));
    let billed = value.bill_to.expect("a payer");
    assert_eq!((billed.person.surname, billed.person.country), (some("Betaler"), some("BE")));
    assert_eq!(billed.vat_number, some("NL999999999B99"));
    assert_eq!((billed.kvk_number, billed.order_reference), (some("99887766"), some("MyRef")));
    let [item] = &value.items[..] else { panic!("one item") };
    let fulfilment = item.fulfilment.as_ref().expect("it is told");
    assert_eq!((&*item.order_item_id, fulfilment.method.as_deref()), ("2012345678", Some("FBR")));
    assert_eq!(fulfilment.distribution_party, some("RETAILER"));
    assert_eq!(fulfilment.latest_delivery, Some(jiff::civil::date(2026, 3, 4)));
    let offer = item.offer.as_ref().expect("it is told");
    assert_eq!(offer.id, some("6ff736b5-cdd0-4150-8c67-78269ee986f5"));
    assert_eq!(offer.reference, some("SKU-1"));
    let product = item.product.as_ref().expect("it is told");
    assert_eq!((&product.ean, &product.title), (&some("8712626055143"), &some("Product title")));
    assert_eq!((item.quantity, item.quantity_shipped), (2, Some(1)));
    assert_eq!((item.unit_price.minor, item.unit_price.currency.code()), (1299, "EUR"));
    assert_eq!(item.commission.map(|money| money.minor), Some(210));
    let transport = value.transport.expect("it is told");
    assert_eq!((transport.id, transport.transporter), (some("312778947"), some("TNT")));
    assert_eq!(transport.track_and_trace, some("3SBOL0987654321"));
    assert_eq!(transport.shipping_label_id, some("123456789"));
    let event =
        TransportEvent { code: "AT_TRANSPORTER".to_owned(), at: moment("2026-03-02T16:21:07Z") };
    assert_eq!(transport.events, [event]);
}

#[test]
fn what_may_be_absent_may_be_absent() {
    let least = json!({
        "shipmentId": 541_757_635, "order": {"orderId": 4_123_456_789_u64}, "transport": null,
        "shipmentItems": [{"orderItemId": 7, "quantity": 1, "unitPrice": 5}],
    });
    let Parsed { value, unknown } = shipment(&least).expect("it can be read");
    assert_eq!((&*value.id, &*value.order.id, unknown.len()), ("541757635", "4123456789", 0));
    assert_eq!((value.transport.is_none(), value.items[0].unit_price.minor), (true, 500));
    assert!(value.items[0].commission.is_none() && value.reference.is_none());
    let old = json!({"pickUpPoint": true, "shipmentDetails": {"pickUpPointName": "Kiosk"}});
    let mut shown = least.clone();
    for (name, value) in old.as_object().expect("fields") {
        shown[name] = value.clone();
    }
    let Parsed { value, unknown } = shipment(&shown).expect("it can be read");
    assert_eq!((value.pickup_point, unknown.len()), (Some(true), 0));
    assert_eq!(value.ship_to.and_then(|to| to.pickup_point_name).as_deref(), Some("Kiosk"));
}

#[test]
fn amounts_are_exact() {
    // As they are in the body of an answer.
    let with = |amount: &str| {
        let body = detail().to_string().replace("12.99", amount);
        let answer = serde_json::from_str(&body).expect("JSON");
        shipment(&answer).map(|read| read.value.items[0].unit_price.minor)
    };
    for cents in (0..100_000).step_by(7).chain([999_999_999_999, 100_000_000_001]) {
        let amount = format!("{}.{:02}", cents / 100, cents % 100);
        assert_eq!(with(&amount), Ok(cents), "{amount}");
    }
    assert_eq!(with("12.9"), Ok(1290));
    assert_eq!(with("1e2"), Ok(10_000));
    for wrong in ["12.995", "-1", "\"12.99\"", "1e300", "null", "{}"] {
        let error = with(wrong).expect_err(wrong);
        assert_eq!(error.path, "shipmentItems[0].unitPrice", "{wrong}");
    }
}

#[test]
fn another_type_makes_its_record_malformed() {
    for (pointer, value, path) in [
        ("/shipmentItems", json!({"orderItemId": "1"}), "shipmentItems"),
        ("/shipmentItems/0/quantity", json!("two"), "shipmentItems[0].quantity"),
        ("/shipmentItems/0/quantity", json!(-1), "shipmentItems[0].quantity"),
        ("/shipmentItems/0/quantity", json!(1.5), "shipmentItems[0].quantity"),
        ("/shipmentItems/0", json!(null), "shipmentItems[0]"),
        ("/order", json!("4123456789"), "order"),
        ("/order/orderId", json!(""), "order.orderId"),
        ("/shipmentId", json!(1.5), "shipmentId"),
        ("/transport/transportEvents", json!("none yet"), "transport.transportEvents"),
        (
            "/transport/transportEvents/0/eventDateTime",
            json!("yesterday"),
            "transport.transportEvents[0].eventDateTime",
        ),
        ("/shipmentDateTime", json!(["yesterday"]), "shipmentDateTime"),
        ("/shipmentDetails/city", json!(5), "shipmentDetails.city"),
        ("/pickupPoint", json!("yes"), "pickupPoint"),
    ] {
        let mut shown = detail();
        *shown.pointer_mut(pointer).expect("it is there") = value;
        assert_eq!(shipment(&shown).expect_err(pointer).path, path);
    }
    let missing = shipment(&json!({})).expect_err("nothing is there");
    assert_eq!(missing.to_string(), "shipmentId is not an id");
    assert_eq!(
        shipment(&json!([])).expect_err("a list").to_string(),
        "the answer is not an object"
    );
}

#[test]
fn a_malformed_row_leaves_the_others() {
    for empty in [json!({}), json!({"shipments": []}), json!({"shipments": null})] {
        assert_eq!(page(&empty).expect("a page").value, Page::default());
    }
    assert_eq!(page(&json!({"shipments": {}})).expect_err("no list").path, "shipments");
    let (mut nameless, mut odd, mut extra) = (row(), row(), row());
    nameless["shipmentId"] = json!({});
    odd["shipmentItems"][0]["orderItemId"] = json!(true);
    (extra["gift"], extra["shipmentItems"][0]["wrap"]) = (json!(1), json!(2));
    let answer = json!({"shipments": [row(), nameless, odd, 5, extra], "total": 5});
    let Parsed { value, unknown } = page(&answer).expect("a page");
    assert_eq!(value.shipments.len(), 2);
    assert_eq!(value.shipments[0].items[0].ean.as_deref(), Some("8712626055143"));
    assert_eq!(value.shipments[0].transport_id.as_deref(), Some("312778947"));
    let malformed: Vec<_> =
        value.malformed.iter().map(|row| (row.id.as_deref(), &*row.why.path)).collect();
    let odd = "shipments[2].shipmentItems[0].orderItemId";
    let nameless = "shipments[1].shipmentId";
    assert_eq!(malformed, [(None, nameless), (Some("541757635"), odd), (None, "shipments[3]")]);
    assert_eq!(unknown, ["shipments[].gift", "shipments[].shipmentItems[].wrap", "total"]);
}

#[test]
fn processes_are_read() {
    let shown = json!({
        "processStatusId": 1_234_567, "entityId": "987", "eventType": "CREATE_SHIPMENT",
        "description": "Create shipment.", "status": "FAILURE", "errorMessage": "Cancelled.",
        "createTimestamp": "2026-03-02T10:55:37+01:00",
        "links": [{"rel": "self", "href": "https://api.bol.com/x", "method": "GET"}],
    });
    let Parsed { value, unknown } = process(&shown).expect("it can be read");
    assert_eq!((&*value.id, value.status), ("1234567", ProcessStatus::Failure));
    assert_eq!((value.error.as_deref(), unknown.len()), (Some("Cancelled."), 0));
    let odd = json!({"processStatusId": "1", "status": "MAYBE"});
    assert_eq!(process(&odd).expect_err("no such status").path, "status");
}

#[test]
fn it_moves_until_its_newest_event_is_final() {
    let with = |events: Value| {
        let mut shown = detail();
        shown["transport"]["transportEvents"] = events;
        is_moving(&read(&shown))
    };
    let event = |code: &str, hour: u8| {
        let at = format!("2026-03-02T{hour:02}:00:00+01:00");
        json!({"eventCode": code, "eventDateTime": at})
    };
    let (there, back) = (event("DELIVERED_AT_CUSTOMER", 12), event("RETURNED_TO_SENDER", 18));
    let (on_its_way, handed) = (event("IN_TRANSIT", 9), event("AT_PICK_UP_POINT", 15));
    assert!(with(json!([])));
    assert!(with(json!([on_its_way])));
    assert!(!with(json!([there, on_its_way])), "the list need not be in order");
    assert!(with(json!([there, handed])), "it goes on");
    assert!(!with(json!([back, handed, there])));
    assert!(!with(json!([event("IN_TRANSIT", 12), there])), "the last one of a moment");
    assert!(!with(json!([{"eventCode": "PICKED_UP_AT_PICK_UP_POINT"}])));
    let mut none = detail();
    none.as_object_mut().expect("fields").remove("transport");
    assert!(is_moving(&read(&none)));
}

#[test]
fn people_can_be_forgotten() {
    let mut shown = detail();
    shown["shipmentDetails"]["nickname"] = json!("Koosje");
    let kept = without_personal_data(&shown);
    let text = kept.to_string();
    for personal in ["Koper", "Koosje", "Betaler", "Dorpstraat", "1111ZZ", "example.invalid"] {
        assert!(!text.contains(personal), "{text}");
    }
    let Parsed { value, unknown } = shipment(&kept).expect("it can still be read");
    let whole = read(&shown);
    assert_eq!(value, Shipment { ship_to: None, bill_to: None, ..whole });
    assert_eq!(unknown.len(), 0);
    assert_eq!(without_personal_data(&json!([1])), json!([1]));
}

/// What is done to a document at one of its places.
#[derive(Debug, Clone)]
enum Change {
    Drop,
    Retype(Value),
    Add(String),
}

fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, Change)>> {
    let other = prop::sample::select(vec![
        json!(null),
        json!(true),
        json!(-7),
        json!(1.25),
        json!(1e300),
        json!("x"),
        json!([]),
        json!([1, {}]),
        json!({}),
        json!({"shipments": [{}]}),
    ]);
    let change = prop_oneof![
        Just(Change::Drop),
        other.prop_map(Change::Retype),
        "[a-z\\[\\].\u{0}]{0,80}".prop_map(|name| Change::Add(format!("new{name}"))),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), change), 0..6)
}

/// All places of a document, as JSON pointers.
fn places(value: &Value, at: &str, into: &mut Vec<String>) {
    into.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| places(value, &format!("{at}/{name}"), into))
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(nth, value)| places(value, &format!("{at}/{nth}"), into)),
        _ => {}
    }
}

fn changed(mut document: Value, changes: &[(prop::sample::Index, Change)]) -> Value {
    for (which, change) in changes {
        let mut all = Vec::new();
        places(&document, "", &mut all);
        let place = &all[which.index(all.len())];
        match change {
            Change::Retype(value) => {
                *document.pointer_mut(place).expect("it is there") = value.clone();
            }
            Change::Add(name) => {
                if let Some(Value::Object(fields)) = document.pointer_mut(place) {
                    fields.insert(name.clone(), json!(1));
                }
            }
            Change::Drop => {
                let (parent, name) = place.rsplit_once('/').unwrap_or(("", ""));
                if let Some(Value::Object(fields)) = document.pointer_mut(parent) {
                    fields.remove(name);
                }
            }
        }
    }
    document
}

proptest! {
    #[test]
    fn no_document_makes_it_panic(changes in changes(), text in ".*") {
        for document in [
            changed(detail(), &changes), changed(json!({"shipments": [row(), row()]}), &changes),
            json!(text),
        ] {
            let read = shipment(&document).map(|read| is_moving(&read.value));
            let _any_outcome = (read, process(&document), shipment_id(&document));
            if let Ok(page) = page(&document) {
                let rows = page.value.shipments.len() + page.value.malformed.len();
                let told = document.get("shipments").and_then(Value::as_array).map_or(0, Vec::len);
                prop_assert_eq!(rows, told, "every row is read or malformed");
            }
            without_personal_data(&document);
        }
    }

    /// Whatever is added anywhere is reported, and changes nothing of what was known.
    #[test]
    fn what_is_added_is_reported(which in any::<prop::sample::Index>(), name in "[a-z]{1,9}") {
        let mut objects = Vec::new();
        places(&detail(), "", &mut objects);
        objects.retain(|place| detail().pointer(place).is_some_and(Value::is_object));
        let place = &objects[which.index(objects.len())];
        let name = format!("new{name}");
        let mut shown = detail();
        shown.pointer_mut(place).expect("it is there")[&name] = json!({"a": [1]});
        let Parsed { value, unknown } = shipment(&shown).expect("it can be read");
        let path = format!("{place}/{name}").trim_start_matches('/').replace("/0", "[]");
        prop_assert_eq!(unknown, [path.replace('/', ".")]);
        prop_assert_eq!(value, read(&detail()));
    }

    /// A field that is taken away is missed, or what is read differs: nothing known is overlooked.
    #[test]
    fn what_is_taken_away_is_missed(which in any::<prop::sample::Index>()) {
        let mut all = Vec::new();
        places(&detail(), "", &mut all);
        all.retain(|place| !place.is_empty() && !place.ends_with("/0"));
        let place = &all[which.index(all.len())];
        let mut without = detail();
        let (parent, name) = place.rsplit_once('/').expect("a path");
        let fields = without.pointer_mut(parent).and_then(Value::as_object_mut);
        fields.expect("an object").remove(name);
        if let Ok(read_without) = shipment(&without) {
            prop_assert_ne!(read_without.value, read(&detail()), "{}", place);
        }
    }
}
