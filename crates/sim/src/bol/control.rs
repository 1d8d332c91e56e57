//! What those who run the simulator ask it: settings, acts, accounts, the referee's report.
//!
//! `GET /_control` shows the settings. `POST /_control` takes `{"set": .., "acts": [..],
//! "channels": [..]}`: a part of the settings to change, and what to do to which accounts (all of
//! them if absent). `GET /_referee` reports, with `?keys=1` for every client; `POST
//! /_referee/reset` counts anew. `GET /_channels` gives the credentials, `GET
//! /_shipments?channel=N` the ids that an account has, and `GET /_shipments/{id}` a detail, which
//! counts for nothing. `GET /_clock` tells the simulated time and how fast it goes.

use serde::Deserialize;
use serde_json::{Value, json};

use super::act::Act;
use super::answer::Answer;
use super::clock::moment;
use super::options::Settings;
use super::server::Asked;
use super::token::{client_id, client_secret};
use super::{Shared, UNPOISONED};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    #[serde(default)]
    set: Value,
    #[serde(default)]
    acts: Vec<Act>,
    channels: Option<Vec<u32>>,
}

pub(super) fn answer(shared: &Shared, asked: &Asked) -> Answer {
    let number = || asked.parameter("channel").and_then(|number| number.parse::<u32>().ok());
    match (asked.verb.as_str(), &asked.parts()[..]) {
        ("GET", ["_control"]) => Answer::json(200, &json!(shared.settings())),
        ("POST", ["_control"]) => match order(shared, &asked.body) {
            Ok(settings) => Answer::json(200, &json!(settings)),
            Err(words) => Answer::json(400, &json!({"error": words})),
        },
        ("GET", ["_referee"]) => {
            let with_keys = asked.parameter("keys").is_some_and(|keys| keys == "1");
            Answer::json(200, &json!(shared.report(with_keys)))
        }
        ("POST", ["_referee", "reset"]) => {
            shared.reset_report();
            Answer::json(200, &json!({}))
        }
        ("GET", ["_clock"]) => {
            let (now_us, scale) = (shared.clock.now_us(), shared.clock.scale());
            Answer::json(200, &json!({"now": moment(now_us), "now_us": now_us, "scale": scale}))
        }
        ("GET", ["_channels"]) => Answer::json(200, &channels(shared)),
        ("GET", ["_shipments"]) => match number().filter(|number| shared.has(*number)) {
            Some(number) => Answer::json(200, &json!(shared.shipment_ids(number))),
            None => Answer::json(404, &json!({"error": "no such channel"})),
        },
        ("GET", ["_shipments", id]) => match shared.shipment(id) {
            Some(shown) => Answer::json(200, &shown),
            None => Answer::json(404, &json!({"error": "no such shipment"})),
        },
        _ => Answer::json(404, &json!({"error": "nothing is here"})),
    }
}

fn order(shared: &Shared, body: &[u8]) -> Result<Settings, String> {
    let order: Order = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let all = || (0..shared.channels.len()).filter_map(|number| u32::try_from(number).ok());
    let channels = order.channels.unwrap_or_else(|| all().collect());
    if let Some(unknown) = channels.iter().find(|number| !shared.has(**number)) {
        return Err(format!("no such channel: {unknown}"));
    }
    shared.set(shared.settings().with(order.set).map_err(|error| error.to_string())?);
    for act in &order.acts {
        shared.act(&channels, act);
    }
    Ok(shared.settings())
}

fn channels(shared: &Shared) -> Value {
    let channel = |channel: &std::sync::Mutex<super::Channel>| {
        let channel = channel.lock().expect(UNPOISONED);
        json!({
            "channel": channel.number,
            "client_id": client_id(shared.seed, channel.number),
            "client_secret": client_secret(shared.seed, channel.number),
            "shipments": channel.stock.count(),
        })
    };
    shared.channels.iter().map(channel).collect()
}

impl Shared {
    fn has(&self, channel: u32) -> bool {
        (channel as usize) < self.channels.len()
    }
}
