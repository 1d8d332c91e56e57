//! Publishing to a real RabbitMQ, which is killed in the middle.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use jiff::Timestamp;
use lapin::options::ExchangeDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Connection, ConnectionProperties, ExchangeKind};
use runout_shop::delivery::amqp::{ConnectError, Message, PublishError, Publisher, check_url};
use runout_shop::delivery::guard::{Reach, Refusal};

use crate::support::rabbit::{Listener, Rabbit};

const EXCHANGE: &str = "runout";
/// How many messages are under way at once.
const AT_A_TIME: usize = 50;
const CONFIRMED_BEFORE_THE_KILL: i64 = 200;
const KILLS_MIN: usize = 3;
const KILLS_MAX: usize = 20;

fn message(number: i64) -> Message {
    Message {
        id: format!("evt_{number}"),
        body: Bytes::from(format!(r#"{{"type":"order.placed","data":{number}}}"#)),
        entity: "order".to_owned(),
        entity_id: number,
        at: "2026-11-21T12:00:00Z".parse::<Timestamp>().expect("a moment"),
    }
}

async fn publisher(rabbit: &Rabbit) -> Publisher {
    Publisher::connect(&rabbit.url(), EXCHANGE, true).await.expect("the broker takes us")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_reach_a_listener_and_survive_a_kill() {
    let mut rabbit = Rabbit::start().await;
    let first = publisher(&rabbit).await;
    many_at_once_come_in_order(&rabbit, &first).await;
    a_refusal_says_why(&rabbit).await;

    let listener = Listener::start(&rabbit.url(), EXCHANGE, "kept", "order.#").await;
    let mut confirmed = BTreeSet::new();
    let mut doubtful = 0;
    let mut publisher = first;
    let mut next = 0;
    // What was not confirmed before the kill is published again after it. A broker that had just
    // confirmed all there was when it died is killed once more.
    for round in 0.. {
        if round >= KILLS_MIN && doubtful > 0 {
            break;
        }
        assert!(round < KILLS_MAX, "no kill struck in the middle");
        let outcomes = publish_until_killed(&mut rabbit, &publisher, next).await;
        wait_for_the_end_of(&publisher).await;
        assert_eq!(publisher.publish("order.placed", message(0)).await, Err(PublishError::Closed));
        rabbit.start_again().await;
        publisher = self::publisher(&rabbit).await;
        next += i64::try_from(outcomes.len()).expect("few");
        for (number, outcome) in outcomes {
            if let Err(error) = outcome {
                doubtful += i64::from(error.was_sent());
                publisher.publish("order.placed", message(number)).await.expect("published");
            }
            confirmed.insert(format!("evt_{number}"));
        }
    }
    println!("{doubtful} of {} were interrupted", confirmed.len());
    let since = Instant::now();
    loop {
        let came: BTreeSet<String> = listener.heard().into_iter().filter_map(|it| it.id).collect();
        if came.is_superset(&confirmed) {
            break;
        }
        let missing: Vec<_> = confirmed.difference(&came).take(5).collect();
        assert!(since.elapsed() < Duration::from_secs(60), "confirmed and lost: {missing:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    publisher.close().await;
}

/// Publishes several at a time from this number on and kills the broker in the middle of it: every
/// number with what came of it.
async fn publish_until_killed(
    rabbit: &mut Rabbit,
    publisher: &Publisher,
    from: i64,
) -> Vec<(i64, Result<(), PublishError>)> {
    let next = AtomicI64::new(from);
    let confirmed = AtomicI64::new(0);
    let workers = join_all((0..AT_A_TIME).map(async |_| {
        let mut outcomes = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let outcome = publisher.publish("order.placed", message(number)).await;
            outcomes.push((number, outcome));
            if outcomes.last().is_some_and(|(_, outcome)| outcome.is_err()) {
                return outcomes;
            }
            confirmed.fetch_add(1, Ordering::Relaxed);
        }
    }));
    let (outcomes, ()) = futures::join!(workers, async {
        while confirmed.load(Ordering::Relaxed) < CONFIRMED_BEFORE_THE_KILL {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::task::block_in_place(|| rabbit.kill());
    });
    outcomes.into_iter().flatten().collect()
}

/// Waits until the publisher has noticed that its broker is gone.
async fn wait_for_the_end_of(publisher: &Publisher) {
    let since = Instant::now();
    while publisher.is_alive() {
        assert!(
            since.elapsed() < Duration::from_secs(60),
            "the publisher believes in a dead broker"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn many_at_once_come_in_order(rabbit: &Rabbit, publisher: &Publisher) {
    let listener = Listener::start(&rabbit.url(), EXCHANGE, "all", "#").await;
    let orders_only = Listener::start(&rabbit.url(), EXCHANGE, "orders", "order.*").await;
    let publishing = join_all((0..300).map(|number| {
        let key = if number % 3 == 0 { "order.placed" } else { "price.changed" };
        publisher.publish(key, message(number))
    }));
    assert!(publishing.await.into_iter().all(|outcome| outcome == Ok(())));

    let heard = listener.wait_for(300).await;
    let ids: Vec<String> = heard.iter().filter_map(|message| message.id.clone()).collect();
    let expected: Vec<String> = (0..300).map(|number| format!("evt_{number}")).collect();
    assert_eq!(ids, expected);
    let last = &heard[299];
    assert_eq!(
        (last.routing_key.as_str(), &last.body),
        ("price.changed", &message(299).body.to_vec())
    );
    let properties = &last.properties;
    assert_eq!(*properties.delivery_mode(), Some(2));
    assert_eq!(*properties.timestamp(), Some(1_795_262_400));
    assert_eq!(properties.content_type().as_ref().map(|it| it.as_str()), Some("application/json"));
    let headers = properties.headers().clone().expect("headers");
    let header = |name: &str| headers.inner().get(name).cloned();
    assert_eq!(header("entity"), Some(AMQPValue::LongString("order".into())));
    assert_eq!(header("entity_id"), Some(AMQPValue::LongLongInt(299)));
    assert_eq!(orders_only.wait_for(100).await.len(), 100);

    let long = "x".repeat(256);
    let refused = publisher.publish(&long, message(1)).await;
    assert_eq!(refused, Err(PublishError::TooLong("the routing key")));
    assert!(publisher.is_alive(), "that harmed nobody");
}

async fn a_refusal_says_why(rabbit: &Rabbit) {
    let url = rabbit.url();
    // As somebody else would have made them.
    let other =
        Connection::connect(&url, ConnectionProperties::default()).await.expect("connected");
    let channel = other.create_channel().await.expect("a channel");
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    for (name, kind, options) in [
        ("fanout", ExchangeKind::Fanout, durable),
        ("fleeting", ExchangeKind::Topic, ExchangeDeclareOptions::default()),
    ] {
        let made = channel.exchange_declare(name.into(), kind, options, FieldTable::default());
        made.await.expect("made");
        let error = Publisher::connect(&url, name, true).await.expect_err("another kind");
        assert_eq!(error, ConnectError::Exchange(name.to_owned()));
    }

    let error = Publisher::connect(&url, EXCHANGE, false).await.expect_err("a private address");
    let ConnectError::Blocked(Refusal::Address(_, Reach::Private)) = error else {
        panic!("{error:?}")
    };
    let wrong = url.replace("guest:guest", "guest:hunter2");
    let error = Publisher::connect(&wrong, EXCHANGE, true).await.expect_err("a wrong password");
    assert!(matches!(error, ConnectError::Refused(_) | ConnectError::Unreachable(_)), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("hunter2"));
    let nobody = "amqp://guest:hunter2@127.0.0.1:1/%2f";
    let error = Publisher::connect(nobody, EXCHANGE, true).await.expect_err("nobody listens");
    assert!(matches!(error, ConnectError::Unreachable(_)), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("hunter2"));

    let publisher = publisher(rabbit).await;
    assert!(!format!("{publisher:?}").contains("guest"), "{publisher:?}");
    publisher.close().await;
}

#[test]
fn urls_of_brokers_are_checked() {
    for (url, expected) in [
        ("https://broker.example", Refusal::Scheme("amqp, amqps")),
        ("broker.example", Refusal::Scheme("amqp, amqps")),
        ("amqp://broker.example:22/%2f", Refusal::BrokerPort(22)),
        ("amqp://localhost/%2f", Refusal::LocalName("localhost".to_owned())),
        ("amqp://user:pass@broker.example:nine/%2f", Refusal::NotAUrl),
    ] {
        assert_eq!(check_url(url, false), Err(expected), "{url}");
    }
    for url in ["amqp://127.0.0.1/%2f", "amqp://[::1]:5672", "amqps://10.0.0.1"] {
        let refused = check_url(url, false);
        assert!(matches!(refused, Err(Refusal::Address(_, Reach::Private))), "{url} {refused:?}");
        assert_eq!(check_url(url, true), Ok(()), "{url}");
    }
    for url in ["amqp://user:pass@broker.example/shop", "amqps://broker.example:5671/%2f"] {
        assert_eq!(check_url(url, false), Ok(()), "{url}");
    }
    let metadata = check_url("amqp://169.254.169.254:5672", true);
    assert!(matches!(metadata, Err(Refusal::Address(_, Reach::Nowhere))), "{metadata:?}");
}
