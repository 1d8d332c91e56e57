//! The stand-in for bol.com over HTTP, as a client meets it.
#![expect(unreachable_pub, reason = "a test binary has no outside")]

mod client;
mod limits;
mod tokens;
mod troubles;

use std::collections::BTreeSet;
use std::time::Duration;

use runout_sim::bol::{Act, BolSim, Goods, Options};
use serde_json::{Value, json};

use client::Client;

/// A small account whose limits nobody meets, at the pace of the real clock: whatever a test takes,
/// its token does not end.
fn options() -> Options {
    Options { shipments: 120, scale: 1, now: Some(start()), ..Options::default() }
}

fn start() -> jiff::Timestamp {
    "2026-11-21T12:00:00Z".parse().expect("a moment")
}

async fn stand_in(options: Options) -> BolSim {
    BolSim::start(options).await.expect("a free port")
}

#[tokio::test]
async fn everything_is_listed_once_and_shown_in_detail() {
    let sim = stand_in(Options { seed: 11, ..options() }).await;
    let client = Client::with_token(&sim, 0).await;
    let mut seen = BTreeSet::new();
    let mut pages = 0;
    for method in ["FBR", "FBB"] {
        for page in 1.. {
            let query = format!("?page={page}&fulfilment-method={method}");
            let answer = client.get(&format!("/retailer/shipments{query}")).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            assert_eq!(answer.header("content-type"), "application/vnd.retailer.v10+json");
            assert!(answer.header("date").ends_with(" GMT"), "{}", answer.header("date"));
            pages += 1;
            let rows = answer.json()["shipments"].as_array().cloned().unwrap_or_default();
            if rows.is_empty() {
                break;
            }
            assert!(rows.len() == 50 || client.rows(method, page + 1).await == 0);
            let ids = rows.iter().map(|row| row["shipmentId"].as_str().expect("text").to_owned());
            for id in ids {
                assert!(seen.insert(id), "no row comes twice");
            }
        }
    }
    let there: BTreeSet<String> = sim.shipment_ids(0).into_iter().collect();
    assert_eq!(seen, there);
    // By default there are 25 lists and 50 details a minute.
    for id in there.iter().take(40) {
        let answer = client.get(&format!("/retailer/shipments/{id}")).await;
        assert_eq!(Some(answer.json()), sim.shipment(id));
    }
    let report = sim.client(0);
    assert_eq!(
        (report.detail.accepted, report.counts.details, report.counts.duplicates),
        (40, 40, 0)
    );
    assert!(report.list.accepted >= pages && report.list.refused == 0, "{report:?}");
    assert_eq!((report.counts.token_calls, report.counts.unauthorised), (1, 0));
    let id = there.first().expect("a shipment");
    client.get(&format!("/retailer/shipments/{id}")).await;
    assert_eq!(sim.report().counts.duplicates, 1, "the oldest one has long arrived");
}

#[tokio::test]
async fn the_same_seed_is_the_same_market() {
    let goods = Goods { wrong_types_permille: 200, sparse_permille: 200, ..Goods::default() };
    let same = || Options { seed: 5, channels: 2, goods: goods.clone(), ..options() };
    let (one, other) = (stand_in(same()).await, stand_in(same()).await);
    let third = stand_in(Options { seed: 6, ..same() }).await;
    for channel in 0..2 {
        assert_eq!(one.credentials(channel), other.credentials(channel));
        assert_ne!(one.credentials(channel), third.credentials(channel));
        for id in one.shipment_ids(channel) {
            assert_eq!(one.shipment(&id), other.shipment(&id));
            assert_ne!(one.shipment(&id), third.shipment(&id));
        }
    }
    assert_ne!(one.shipment_ids(0), one.shipment_ids(1));
    // What belongs to another account is not there.
    let client = Client::with_token(&one, 0).await;
    let foreign = &one.shipment_ids(1)[0];
    assert_eq!(client.get(&format!("/retailer/shipments/{foreign}")).await.status, 404);
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused() {
    let sim = stand_in(options()).await;
    let client = Client::with_token(&sim, 0).await;
    let wrong = client.get("/retailer/shipments?fulfilment-method=FBX").await;
    assert_eq!((wrong.status, wrong.header("content-type")), (400, "application/problem+json"));
    let violation = &wrong.json()["violations"][0];
    assert_eq!(violation["name"], "fulfilment-method");
    let reason = "Request contains invalid value(s): 'FBX', allowed values: FBR, FBB.";
    assert_eq!(violation["reason"], reason);
    assert_eq!(client.get("/retailer/shipments?page=0").await.status, 400);
    let lost = client.get("/retailer/shipments/1").await;
    assert_eq!((lost.status, &lost.json()["title"]), (404, &json!("Not Found")));
    assert_eq!(client.get("/retailer/nothing").await.status, 404);
    let accept = client.accepting("application/json").get("/retailer/shipments").await;
    assert_eq!(accept.status, 406);
    let method = client.send("DELETE", "/retailer/shipments", None).await;
    assert_eq!(method.status, 405);
}

#[tokio::test]
async fn pages_move_while_somebody_looks() {
    let sim = stand_in(Options { shipments: 200, ..options() }).await;
    sim.change(|settings| settings.arrivals.per_list_permille = 1_000);
    let client = Client::with_token(&sim, 0).await;
    let first = client.ids("FBR", 1).await;
    let mut again = first.clone();
    // Some of those that come are the other kind.
    for _ in 0..5 {
        again = client.ids("FBR", 1).await;
    }
    assert!(again[0] != first[0] && again.contains(&first[0]), "they came before");
    let second = client.ids("FBR", 2).await;
    assert!(second.iter().any(|id| first.contains(id)), "what was on page 1 is on page 2");
    // One that comes late stands in the middle, at its date.
    sim.change(|settings| settings.arrivals.per_list_permille = 0);
    let before = sim.shipment_ids(0).len();
    sim.act(0, &Act::Arrive { count: 4, late: true });
    let ids = sim.shipment_ids(0);
    assert_eq!(ids.len(), before + 4);
    let listed = [client.ids("FBR", 1).await, client.ids("FBB", 1).await];
    for late in &ids[before..] {
        assert!(listed.iter().any(|page| page.contains(late)), "{late} is listed");
        assert!(listed.iter().all(|page| page.first() != Some(late)), "{late} is not the newest");
    }
    sim.act(0, &Act::Remove { count: 2 });
    assert_eq!(
        client.get(&format!("/retailer/shipments/{}", ids[ids.len() - 1])).await.status,
        404
    );
}

#[tokio::test]
async fn what_is_shipped_is_processed_and_listed() {
    let sim = stand_in(options()).await;
    sim.change(|settings| settings.process.seconds = 600);
    let client = Client::with_token(&sim, 0).await;
    let body = json!({
        "orderItems": [{"orderItemId": "2012345678", "quantity": 2}],
        "shipmentReference": "Order 7",
        "transport": {"transporterCode": "TNT", "trackAndTrace": "3S1"},
    });
    let posted = client.send("POST", "/retailer/shipments", Some(&body)).await;
    let shown = posted.json();
    assert_eq!((posted.status, &shown["status"]), (202, &json!("PENDING")), "{shown}");
    assert_eq!(
        (&shown["eventType"], &shown["entityId"]),
        (&json!("CREATE_SHIPMENT"), &json!("2012345678"))
    );
    let path =
        format!("/shared/process-status/{}", shown["processStatusId"].as_str().expect("an id"));
    assert!(shown["links"][0]["href"].as_str().is_some_and(|href| href.ends_with(&path)));
    assert_eq!(client.get(&path).await.json()["status"], "PENDING");
    let before = sim.shipment_ids(0).len();
    // Twice as long: tokens live 299 seconds.
    sim.advance(Duration::from_secs(1_200));
    let client = Client::with_token(&sim, 0).await;
    assert_eq!(client.get(&path).await.json()["status"], "SUCCESS");
    let ids = sim.shipment_ids(0);
    assert_eq!(ids.len(), before + 1);
    let detail = client.get(&format!("/retailer/shipments/{}", ids[before])).await.json();
    assert_eq!(detail["shipmentItems"][0]["orderItemId"], "2012345678");
    assert_eq!(detail["transport"]["trackAndTrace"], "3S1");
    let wrong = client.send("POST", "/retailer/shipments", Some(&json!({"orderItems": []}))).await;
    assert_eq!(wrong.status, 400, "{}", wrong.text);
    // Some fail, and say why.
    sim.change(|settings| settings.process.failure_permille = 1_000);
    let shown = client.send("POST", "/retailer/shipments", Some(&body)).await.json();
    sim.advance(Duration::from_secs(700));
    let client = Client::with_token(&sim, 0).await;
    let path =
        format!("/shared/process-status/{}", shown["processStatusId"].as_str().expect("an id"));
    let failed = client.get(&path).await.json();
    assert!(failed["status"] == "FAILURE" && failed["errorMessage"].is_string(), "{failed}");
}

#[tokio::test]
async fn shipments_move_on() {
    let goods = Goods { event_seconds: 3_600, ..Goods::default() };
    let sim = stand_in(Options { goods, ..options() }).await;
    sim.act(0, &Act::Arrive { count: 1, late: false });
    let id = sim.shipment_ids(0).pop().expect("the newest one");
    let events = |shown: &Value| shown["transport"]["transportEvents"].as_array().map(Vec::len);
    let mut counts = Vec::new();
    for _ in 0..5 {
        let client = Client::with_token(&sim, 0).await;
        let shown = client.get(&format!("/retailer/shipments/{id}")).await.json();
        counts.push(events(&shown).expect("events"));
        sim.advance(Duration::from_secs(3_600));
    }
    assert_eq!(counts, [1, 2, 3, 4, 4]);
    let counts = sim.client(0).counts;
    assert_eq!((counts.details, counts.refreshed, counts.duplicates), (1, 3, 1));
}

#[tokio::test]
async fn the_simulator_is_steered_over_http() {
    let sim = stand_in(Options { channels: 3, scale: 60, ..options() }).await;
    let client = Client::with_token(&sim, 1).await;
    let order = json!({
        "set": {"limits": {"detail": {"kind": "fixed_window", "permits": 3}}, "skew_ms": 60_000},
        "acts": [{"act": "arrive", "count": 2, "late": false}, {"act": "revoke_tokens"}],
        "channels": [1],
    });
    let settings = client.send("POST", "/_control", Some(&order)).await;
    assert_eq!(settings.json()["limits"]["detail"]["permits"], 3, "{}", settings.text);
    assert_eq!(client.get("/_control").await.json(), settings.json());
    let channels = client.get("/_channels").await.json();
    let counts: Vec<_> = (0..3).map(|at| channels[at]["shipments"].as_u64()).collect();
    assert_eq!(counts, [Some(120), Some(122), Some(120)]);
    assert_eq!(channels[2]["client_id"], sim.credentials(2).0);
    let ids = client.get("/_shipments?channel=1").await.json();
    assert_eq!(ids, json!(sim.shipment_ids(1)));
    let id = ids[0].as_str().expect("an id");
    assert_eq!(Some(client.get(&format!("/_shipments/{id}")).await.json()), sim.shipment(id));
    assert_eq!(client.get("/retailer/shipments").await.status, 401, "revoked");
    let client = Client::with_token(&sim, 1).await;
    let detail = client.get(&format!("/retailer/shipments/{id}")).await;
    assert_eq!(detail.header("x-ratelimit-limit"), "3");
    let report = client.get("/_referee?keys=1").await.json();
    assert_eq!((&report["token_calls"], &report["unauthorised"]), (&json!(2), &json!(1)));
    assert_eq!(report["keys"][1]["detail"]["accepted"], 1);
    let clock = client.get("/_clock").await.json();
    assert_eq!(clock["scale"], 60);
    assert!(clock["now"].as_str().is_some_and(|now| now.starts_with("2026-11-21T12:")), "{clock}");
    client.send("POST", "/_referee/reset", None).await;
    let report = client.get("/_referee").await.json();
    assert_eq!((&report["accepted"], &report["keys"]), (&json!(0), &Value::Null));
    for wrong in [json!({"sett": {}}), json!({"set": {"x": 1}}), json!({"channels": [9]})] {
        assert_eq!(client.send("POST", "/_control", Some(&wrong)).await.status, 400, "{wrong}");
    }
}
