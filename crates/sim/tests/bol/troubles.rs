//! Misfortunes: slow, silent, broken, gone.

use std::time::Duration;

use runout_sim::bol::{Act, DownMode, Fault, Faults, Goods, Options};

use super::client::Client;
use super::{options, stand_in};

const LIST: &str = "/retailer/shipments";

#[tokio::test]
async fn every_misfortune_is_met() {
    let give_up = Duration::from_secs(3);
    let sim = stand_in(options()).await;
    let client = Client::with_token(&sim, 0).await;
    let id = sim.shipment_ids(0).swap_remove(0);
    let path = format!("{LIST}/{id}");
    for (fault, status) in [
        (Fault::Error, Some(500)),
        (Fault::Html, Some(502)),
        (Fault::Cut, None),
        (Fault::Half, None),
        (Fault::Silence, None),
    ] {
        sim.inject(fault);
        let client =
            if fault == Fault::Silence { client.impatient(give_up) } else { client.clone() };
        let answer = client.tries("GET", &path, None).await;
        assert_eq!(answer.as_ref().map(|answer| answer.status), status, "{fault:?}");
        drop(client);
        if let Some(answer) = answer {
            assert_eq!(answer.text.starts_with("<html>"), fault == Fault::Html);
            assert_eq!(answer.header("x-ratelimit-limit"), "50");
        }
    }
    // The simulator notices that the silent one's client has gone.
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Whoever got no answer asks again: that is no duplicate.
    assert_eq!(client.get(&path).await.status, 200);
    let report = sim.client(0);
    assert_eq!((report.detail.accepted, report.detail.failed), (6, 5));
    assert_eq!((report.counts.details, report.counts.duplicates), (1, 0));
    // Nothing is under way any more.
    client.get(&path).await;
    assert_eq!(sim.client(0).detail.in_flight_max, 1);
}

#[tokio::test]
async fn misfortunes_come_by_seed() {
    let faults = Faults { error_permille: 300, html_permille: 200, ..Faults::default() };
    let mut seen = Vec::new();
    for _ in 0..2 {
        let sim = stand_in(Options { seed: 9, ..options() }).await;
        sim.change(|settings| settings.faults = faults.clone());
        let client = Client::with_token(&sim, 0).await;
        let mut statuses = Vec::new();
        for _ in 0..25 {
            statuses.push(client.get(LIST).await.status);
        }
        assert!([200, 500, 502].iter().all(|status| statuses.contains(status)), "{statuses:?}");
        seen.push(statuses);
    }
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn the_provider_is_down_for_a_while() {
    let sim = stand_in(options()).await;
    let client = Client::with_token(&sim, 0).await;
    sim.act(0, &Act::Down { seconds: 600, mode: DownMode::Unavailable });
    assert_eq!(client.get(LIST).await.status, 503);
    assert_eq!(client.buys("any", "body").await.status, 503);
    sim.act(0, &Act::Down { seconds: 600, mode: DownMode::Cut });
    assert!(client.tries("GET", LIST, None).await.is_none());
    let counts = sim.report().counts;
    assert_eq!((counts.while_down, counts.unauthorised, sim.report().accepted), (3, 0, 0));
    sim.advance(Duration::from_secs(601));
    let client = Client::with_token(&sim, 0).await;
    assert_eq!(client.get(LIST).await.status, 200);
}

#[tokio::test]
async fn the_network_takes_its_time() {
    let sim = stand_in(Options { scale: 60, ..options() }).await;
    let client = Client::with_token(&sim, 0).await;
    // Sixty times as fast: 50 ms each way.
    sim.change(|settings| {
        (settings.delay.there_ms, settings.delay.back_ms) = ([3_000, 3_000], [3_000, 6_000]);
    });
    let begun = tokio::time::Instant::now();
    assert_eq!(client.get(LIST).await.status, 200);
    assert!(begun.elapsed() >= Duration::from_millis(100), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn some_details_are_gone() {
    let goods = Goods { ghosts_permille: 500, ..Goods::default() };
    let sim = stand_in(Options { goods, shipments: 40, ..options() }).await;
    let client = Client::with_token(&sim, 0).await;
    let mut gone = 0;
    let ids = sim.shipment_ids(0);
    for id in &ids {
        let status = client.get(&format!("{LIST}/{id}")).await.status;
        assert_eq!(status == 404, sim.shipment(id).is_none());
        gone += u32::from(status == 404);
    }
    assert!((8..32).contains(&gone), "{gone}");
    assert_eq!(sim.client(0).counts.details, 40);
}
