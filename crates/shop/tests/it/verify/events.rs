//! An event, and how it may be damaged.

use super::{Damage, damage};

/// An event with room for one: account 1 comes, account 2 waits.
pub(super) const EVENT: &str =
    "insert into event (id, title, starts_at, ends_at, time_zone, capacity,
        organiser_id, attending, waiting, places, created_at, updated_at)
    select 1, 'Party', created_at, created_at, 'UTC', 1, 1, 1, 1, 3, created_at, created_at
    from account where id = 1;
    insert into attendance (event_id, account_id, place, state, since)
    select 1, id, id + id - 1, case when id = 1 then 'attending' else 'waiting' end, created_at
    from account where id <= 2;
    update id_sequence set next = 2 where name = 'event'";

pub(super) fn damaged_events() -> Vec<Damage> {
    let places = "sign-ups have a place of their own";
    let second = |column: &str, wrong: i64, right: i64, found| {
        let set = |to: i64, from: i64| {
            format!(
                "update attendance set {column} = {to} where {column} = {from} and state = 'waiting'"
            )
        };
        damage(&set(wrong, right), &set(right, wrong), &[(places, found)])
    };
    vec![
        damage(
            "update event set waiting = 2",
            "update event set waiting = 1",
            &[(
                "events count their sign-ups",
                "event 1: attending 1, waiting 2, sign-ups say 1 and 1",
            )],
        ),
        damage(
            "update event set capacity = null",
            "update event set capacity = 1",
            &[(
                "events hold whom they have room for",
                "event 1: attending 1, waiting 1, room for everybody",
            )],
        ),
        second("place", 4, 3, "place 4 of event 1: the last one given is 3"),
        second("place", 1, 3, "place 1 of event 1: somebody else has it too"),
        second("account_id", 99, 2, "place 3 of event 1: no account 99"),
    ]
}
