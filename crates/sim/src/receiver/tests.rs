use std::time::Duration;

use serde_json::json;

use super::*;

/// Longer than any answer takes that comes at all.
const PATIENT: Duration = Duration::from_secs(30);
/// Long enough for a message to arrive, for those who need no answer.
const IMPATIENT: Duration = Duration::from_secs(2);

fn client() -> reqwest::Client {
    client_with(PATIENT)
}

fn client_with(timeout: Duration) -> reqwest::Client {
    runout_shop::platform::tls::install_provider();
    let builder = reqwest::Client::builder().tls_certs_only([]);
    builder.timeout(timeout).build().expect("a client without TLS")
}

async fn send(
    client: &reqwest::Client,
    to: &Receiver,
    id: &str,
    entity: &str,
    number: u64,
) -> Result<u16, reqwest::Error> {
    let body = json!({"type": "t", "data": {"entity_key": entity, "seq": number}}).to_string();
    let response = client.post(to.url()).header("webhook-id", id).body(body).send().await?;
    let status = response.status().as_u16();
    response.bytes().await?;
    Ok(status)
}

async fn meeting(fault: Fault) -> (Result<u16, reqwest::Error>, Report) {
    let receiver = Receiver::start(Options::default()).await.expect("a free port");
    receiver.set_faults(Faults { kinds: vec![fault], ..Faults::some(1000) });
    let is_silent = matches!(fault, Fault::SilentBefore | Fault::SilentAfter);
    let client = client_with(if is_silent { IMPATIENT } else { PATIENT });
    let answer = send(&client, &receiver, "evt_1", "x", 1).await;
    (answer, receiver.report())
}

#[tokio::test]
async fn messages_are_applied_once_and_in_order() {
    let receiver = Receiver::start(Options::default()).await.expect("a free port");
    let client = client();
    for (id, number) in [("evt_1", 1), ("evt_1", 1), ("evt_2", 2), ("evt_3", 3), ("evt_2", 2)] {
        assert_eq!(send(&client, &receiver, id, "x", number).await.expect("an answer"), 200);
    }
    let report = receiver.report();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.received, report.applied, report.suppressed), (5, 3, 2));
    assert_eq!((report.in_flight, report.in_flight_max, report.entities), (0, 1, 1));
    assert_eq!(receiver.sequences()["x"], [1, 2, 3]);
}

#[tokio::test]
async fn what_is_out_of_order_is_reported() {
    let receiver = Receiver::start(Options::default()).await.expect("a free port");
    let client = client();
    for (id, number) in [("evt_1", 1), ("evt_3", 3), ("evt_2", 2)] {
        assert_eq!(send(&client, &receiver, id, "x", number).await.expect("an answer"), 200);
    }
    let report = receiver.report();
    assert_eq!((report.order_violations, report.gaps), (1, 1));
    assert!(!report.is_clean());
}

#[tokio::test]
async fn the_idempotency_key_stands_in_for_the_id() {
    let receiver = Receiver::start(Options::default()).await.expect("a free port");
    let client = client();
    let body = json!({"data": {"entity_key": 7, "seq": 1}}).to_string();
    for _ in 0..2 {
        let request = client.post(receiver.url()).header("idempotency-key", "\"k\"");
        let response = request.body(body.clone()).send().await.expect("an answer");
        assert_eq!(response.status(), 200);
    }
    assert_eq!((receiver.report().applied, receiver.report().suppressed), (1, 1));
    let response = client.post(receiver.url()).body(body).send().await.expect("an answer");
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn every_misfortune_does_what_it_says() {
    for fault in Fault::ALL {
        let (answer, report) = meeting(fault).await;
        assert_eq!(report.applied, u64::from(!fault.is_before()), "{fault:?}");
        assert_eq!(report.faults, 1, "{fault:?}");
        match fault {
            Fault::ErrorBefore | Fault::ErrorAfter => {
                assert_eq!(answer.expect("an answer"), 500, "{fault:?}");
            }
            Fault::TooMany => assert_eq!(answer.expect("an answer"), 429),
            Fault::SilentBefore | Fault::SilentAfter => {
                assert!(answer.expect_err("no answer").is_timeout(), "{fault:?}");
            }
            Fault::ResetBefore | Fault::ResetAfter => {
                let error = answer.expect_err("no answer");
                assert!(format!("{error:?}").contains("ConnectionReset"), "{fault:?} {error:?}");
            }
            Fault::HalfAnswer => assert!(answer.is_err(), "{answer:?}"),
            Fault::SlowAnswer => assert_eq!(answer.expect("an answer"), 200),
        }
    }
}

#[tokio::test]
async fn faults_can_be_switched_off_and_come_by_seed() {
    let mut told = Vec::new();
    for _ in 0..2 {
        let faults = Faults { kinds: vec![Fault::ErrorBefore], ..Faults::some(400) };
        let options = Options { seed: 7, faults, ..Options::default() };
        let receiver = Receiver::start(options).await.expect("a free port");
        let client = client();
        let mut statuses = Vec::new();
        for number in 1..=30 {
            let id = format!("evt_{number}");
            statuses.push(send(&client, &receiver, &id, &id, 1).await.expect("an answer"));
        }
        receiver.set_faults(Faults::none());
        let last = send(&client, &receiver, "evt_31", "x", 1).await.expect("an answer");
        assert_eq!(last, 200);
        told.push(statuses);
    }
    assert_eq!(told[0], told[1]);
    assert!(told[0].contains(&500) && told[0].contains(&200), "{told:?}");
}

#[tokio::test]
async fn a_plain_one_says_204_and_tells_of_arrivals() {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let told = seen.clone();
    let on_arrival: OnArrival = Arc::new(move |id, body, came| {
        assert!(came.elapsed() < Duration::from_secs(60) && !body.is_empty());
        told.lock().expect("not poisoned").push(id.to_owned());
    });
    let options = Options { plain: true, on_arrival: Some(on_arrival), ..Options::default() };
    let receiver = Receiver::start(options).await.expect("a free port");
    let client = client();
    for id in ["evt_1", "evt_2"] {
        assert_eq!(send(&client, &receiver, id, "x", 1).await.expect("an answer"), 204);
    }
    assert_eq!(*seen.lock().expect("not poisoned"), ["evt_1", "evt_2"]);
    assert_eq!((receiver.report().received, receiver.report().applied), (2, 0));
}
