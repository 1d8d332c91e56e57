//! Limits: refused in time, told in headers, changed in mid-run, judged by the referee.

use std::time::Duration;

use runout_sim::bol::{
    Act, BolSim, Endpoint, Limit, LimitKind, Limits, Options, ResetField, RetryField,
};
use serde_json::json;

use super::client::{Answer, Client};
use super::{options, stand_in};

const LIST: &str = "/retailer/shipments";
const RATES: [LimitKind; 3] =
    [LimitKind::TokenBucket, LimitKind::FixedWindow, LimitKind::SlidingWindow];

/// With five calls a minute everywhere.
async fn five_a_minute(kind: LimitKind) -> BolSim {
    let sim = stand_in(options()).await;
    sim.change(|settings| settings.limits = Limits::all(Limit::per_minute(kind, 5)));
    sim
}

fn number(answer: &Answer, name: &str) -> u64 {
    answer.header(name).parse().unwrap_or_else(|_| panic!("{name}: {:?}", answer.header(name)))
}

#[tokio::test]
async fn every_kind_refuses_the_sixth_call() {
    for kind in RATES {
        let sim = five_a_minute(kind).await;
        let client = Client::with_token(&sim, 0).await;
        // Some windows end in between.
        let mut answers = Vec::new();
        for _ in 0..11 {
            answers.push(client.get(LIST).await);
        }
        let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
        let accepted = answers.len() - refused.len();
        assert!(accepted == 5 || kind == LimitKind::FixedWindow && accepted == 10, "{kind:?}");
        for answer in &answers {
            assert_eq!(number(answer, "x-ratelimit-limit"), 5);
            assert!(number(answer, "x-ratelimit-reset") <= 60, "{kind:?}");
        }
        for answer in &refused {
            let wait = number(answer, "retry-after");
            assert!((1..=60).contains(&wait), "{kind:?}: {wait}");
            assert_eq!(number(answer, "x-ratelimit-remaining"), 0);
            let words = format!("Too many requests, retry in {wait} seconds.");
            let problem = answer.json();
            assert_eq!(problem["detail"], json!(words));
            assert_eq!(problem["title"], "Too Many Requests");
        }
        // Details have a budget of their own.
        let id = &sim.shipment_ids(0)[0];
        assert_eq!(client.get(&format!("{LIST}/{id}")).await.status, 200);
        let wait = number(refused.last().expect("some were"), "retry-after");
        sim.advance(Duration::from_secs(wait));
        assert_eq!(client.get(LIST).await.status, 200, "{kind:?}: as it was told");
        let report = sim.client(0);
        assert_eq!(report.list.refused as usize, refused.len(), "{kind:?}");
        assert_eq!(report.list.accepted as usize, accepted + 1);
        assert!(report.list.used_permille.is_some_and(|used| used <= 1_000), "{report:?}");
    }
}

#[tokio::test]
async fn so_many_at_a_time() {
    let sim = five_a_minute(LimitKind::Concurrency).await;
    let client = Client::with_token(&sim, 0).await;
    // Longer than all of them need to come.
    sim.change(|settings| settings.delay.back_ms = [3_000, 3_000]);
    let answers = futures::future::join_all((0..9).map(|_| client.get(LIST))).await;
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(200), count(429)), (5, 4));
    sim.change(|settings| settings.delay.back_ms = [0, 0]);
    assert_eq!(client.get(LIST).await.status, 200, "they have ended");
    let list = sim.client(0).list;
    assert_eq!((list.in_flight_max, list.refused, list.allowed), (5, 4, None));
}

#[tokio::test]
async fn headers_can_be_absent_or_wrong() {
    let sim = five_a_minute(LimitKind::FixedWindow).await;
    let client = Client::with_token(&sim, 0).await;
    sim.change(|settings| settings.headers.reset = ResetField::Epoch);
    let reset = number(&client.get(LIST).await, "x-ratelimit-reset");
    let now = u64::try_from(sim.now().as_second()).expect("after 1970");
    assert!((now..=now + 61).contains(&reset), "{reset} at {now}");
    sim.change(|settings| settings.headers.reset = ResetField::Absent);
    assert_eq!(client.get(LIST).await.header("x-ratelimit-limit"), "");
    sim.change(|settings| {
        settings.limits.list.permits = 1;
        settings.headers.reset = ResetField::Wrong;
        settings.headers.retry_after = RetryField::Absent;
        settings.headers.conflict_permille = 1_000;
    });
    client.get(LIST).await;
    let refused = client.get(LIST).await;
    assert_eq!((refused.status, refused.header("retry-after")), (409, ""));
    assert!(!refused.header("x-ratelimit-reset").is_empty());
    sim.change(|settings| settings.headers.retry_after = RetryField::Date);
    let refused = client.get(LIST).await;
    assert!(refused.header("retry-after").ends_with(" GMT"), "{refused:?}");
    // The provider's clock is not ours.
    sim.change(|settings| settings.skew_ms = 3_600_000);
    let date = client.get(LIST).await.header("date").to_owned();
    assert!(date.starts_with("Sat, 21 Nov 2026 13:"), "{date}");
}

#[tokio::test]
async fn limits_change_in_mid_run() {
    for kind in RATES {
        let sim = five_a_minute(kind).await;
        let client = Client::with_token(&sim, 0).await;
        client.get(LIST).await;
        client.get(LIST).await;
        sim.change(|settings| settings.limits.list.permits = 2);
        let answer = client.get(LIST).await;
        // A bucket has kept what was in it, as far as it still holds that much.
        let lowered = if kind == LimitKind::TokenBucket { 200 } else { 429 };
        assert_eq!((answer.status, number(&answer, "x-ratelimit-limit")), (lowered, 2), "{kind:?}");
        let limit = Limit::per_minute(kind, 50);
        sim.act(0, &Act::Limit { endpoint: Endpoint::List, limit });
        let answer = client.get(LIST).await;
        assert_eq!(number(&answer, "x-ratelimit-limit"), 50, "{kind:?}");
    }
}

/// Calls whenever its own copy of the rule lets it, as the house's client shall, by a clock that
/// goes on only then.
async fn crawl(sim: &BolSim, calls: u32, per_second: u32) {
    let client = Client::with_token(sim, 0).await;
    let ids = sim.shipment_ids(0);
    let burst = 5;
    for nth in 0..calls {
        if nth > burst {
            sim.advance(Duration::from_secs(1) / per_second);
        }
        let id = &ids[nth as usize % ids.len()];
        let answer = client.get(&format!("{LIST}/{id}")).await;
        assert_eq!(answer.status, 200, "{nth}: {}", answer.text);
    }
}

#[tokio::test]
async fn the_referee_knows_a_good_crawler() {
    let sim = stand_in(Options { scale: 0, ..options() }).await;
    let limit = Limit { burst: Some(10), ..Limit::per_second(LimitKind::TokenBucket, 5) };
    sim.change(|settings| settings.limits.detail = limit);
    crawl(&sim, 120, 5).await;
    let report = sim.client(0);
    assert_eq!((report.detail.accepted, report.detail.refused), (120, 0));
    assert_eq!((report.counts.duplicates, report.counts.details), (0, 120));
    let used = report.detail.used_permille.expect("a rate");
    assert!((800..=1_000).contains(&used), "{report:?}");
    // Half as fast uses half.
    sim.advance(Duration::from_secs(10));
    sim.reset_report();
    crawl(&sim, 60, 2).await;
    let slow = sim.client(0);
    let used = slow.detail.used_permille.expect("a rate");
    assert!((300..500).contains(&used), "{slow:?}");
    assert!(slow.detail.optimal_us < slow.detail.taken_us / 2, "{slow:?}");
    assert_eq!(slow.counts.duplicates, 60, "what was given out is remembered");
}
