//! A destination with what waits for it, and how it may be damaged.

use super::{Damage, damage};

/// Delivery 1 of destination 1 failed and waits; delivery 2 replays dead letter 1.
pub(super) const DESTINATION: &str =
    "insert into destination (id, name, kind, url, shown_url, created_at, updated_at)
    select 1, 'x', 'webhook', 'https://x.example', 'https://x.example', created_at, created_at
    from account where id = 1;
    insert into outbox (id, at, topic, entity, entity_id, payload)
    select 90000, created_at, 'post.created', 'post', 7, '{}' from account where id = 1;
    insert into delivery (destination_id, id, lane, outbox_id, entity, entity_id, at)
    select 1, 1, 0, 90000, 'post', 7, created_at from account where id = 1;
    insert into dead_letter (id, destination_id, outbox_id, lane, topic, entity, entity_id, at,
        died_at, payload, reason, attempts, request, state)
    select 1, 1, 90000, 0, 'post.created', 'post', 7, created_at, created_at, '{}', 'refused', 1,
        'POST', 'replaying' from account where id = 1;
    insert into delivery (destination_id, id, lane, outbox_id, entity, entity_id, at, letter_id)
    select 1, 2, 0, 90000, 'post', 7, created_at, 1 from account where id = 1;
    insert into delivery_retry (destination_id, entity, entity_id, delivery_id, lane, attempts,
        first_at, due_at, error)
    select 1, 'post', 7, 1, 0, 1, created_at, created_at, 'x' from account where id = 1;
    update dispatch set next_delivery = 3;
    update id_sequence set next = 2 where name in ('destination', 'dead_letter')";

const MOVED: &str = "signing_secret.secret of questions does not open: it was changed, or sealed \
    for another row";

pub(super) fn damaged_delivery() -> Vec<Damage> {
    let secrets = "secrets are sealed, and open";
    let deliveries = "deliveries refer to destinations and events";
    let letters = "dead letters that are replayed have a delivery";
    let retries = "what waits for another attempt is to be delivered";
    vec![
        damage(
            "update delivery set outbox_id = 99999 where id = 1",
            "update delivery set outbox_id = 90000 where id = 1",
            &[(deliveries, "delivery 1 of destination 1: no event 99999")],
        ),
        damage(
            "update delivery set destination_id = 9 where id = 1",
            "update delivery set destination_id = 1 where id = 1",
            &[
                (deliveries, "delivery 1 of destination 9: no such destination"),
                (retries, "retry of post 7 at destination 1: no delivery 1"),
            ],
        ),
        damage(
            "update dispatch set next_delivery = 2",
            "update dispatch set next_delivery = 3",
            &[(deliveries, "delivery 2 of destination 1: the next one is 2")],
        ),
        damage(
            "update delivery_retry set entity_id = 8",
            "update delivery_retry set entity_id = 7",
            &[(retries, "retry of post 8 at destination 1: no delivery 1")],
        ),
        damage(
            "update delivery set letter_id = null where id = 2",
            "update delivery set letter_id = 1 where id = 2",
            &[(letters, "dead letter 1: replaying, 0 deliveries")],
        ),
        damage(
            "update destination set url = 'x' || url",
            "update destination set url = substr(url, 2)",
            &[(secrets, "destination.url of 1 is not sealed")],
        ),
        damage(
            "update signing_secret set name = 'questions' where name = 'answers'",
            "update signing_secret set name = 'answers' where name = 'questions'",
            &[(secrets, MOVED)],
        ),
        damage(
            "update dead_letter set state = 'dead'",
            "update dead_letter set state = 'replaying'",
            &[(letters, "dead letter 1: dead, 1 deliveries")],
        ),
    ]
}
