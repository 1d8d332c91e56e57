//! What a batch of sign-ups and withdrawals loads (and on PostgreSQL locks) and stores; then what
//! making, changing and cancelling an event does.
//!
//! Lock order: events, by id. A batch takes no other lock, nor does a change.

use runout_store::statements;

statements! {
    /// The events `$1`; on PostgreSQL locked.
    EVENTS = {
        sqlite: "select id, capacity, ends_at, cancelled_at is not null, product_id is not null,
                attending, waiting, places
            from event where id in (select value from json_each($1))",
        postgres: "select id, capacity, ends_at, cancelled_at is not null, product_id is not null,
                attending, waiting, places
            from event where id = any($1) order by id for update",
    };
    /// Sign-ups of the accounts `$2[i]` for the events `$1[i]`. SQLite is told the order: it would
    /// read everybody's sign-ups for each of them, and the list of accounts for each of those.
    ATTENDANCES = {
        sqlite: "with who as materialized (select key, value from json_each($2))
            select a.event_id, a.account_id, a.place, a.state
            from json_each($1) e cross join who w on w.key = e.key
            cross join attendance a on a.event_id = e.value and a.account_id = w.value",
        postgres: "select a.event_id, a.account_id, a.place, a.state
            from unnest($1::bigint[], $2::bigint[]) as w (event_id, account_id)
            join attendance a on a.event_id = w.event_id and a.account_id = w.account_id",
    };
    /// The first `$2` of the waiting list of an event.
    HEAD = "select event_id, place, account_id from attendance
        where event_id = $1 and state = 'waiting' order by place limit $2";
    CHANGE_EVENTS = {
        sqlite: "update event set attending = $2, waiting = $3, places = $4 where id = $1",
        postgres: "update event e
            set attending = c.attending, waiting = c.waiting, places = c.places
            from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
                as c (id, attending, waiting, places)
            where e.id = c.id",
    };
    DELETE_ATTENDANCES = {
        sqlite: "delete from attendance where event_id = $1 and account_id = $2",
        postgres: "delete from attendance a
            using unnest($1::bigint[], $2::bigint[]) as c (event_id, account_id)
            where a.event_id = c.event_id and a.account_id = c.account_id",
    };
    STORE_ATTENDANCES = {
        sqlite: "insert into attendance (event_id, account_id, place, state, since)
            values ($1, $2, $3, $4, $5)
            on conflict (event_id, account_id)
                do update set place = excluded.place, state = excluded.state",
        postgres: "insert into attendance (event_id, account_id, place, state, since)
            select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[],
                $5::timestamptz[])
            on conflict (event_id, account_id)
                do update set place = excluded.place, state = excluded.state",
    };

    ORGANISER = "select email from account where id = $1";
    INSERT = "insert into event (id, title, description, venue, starts_at, ends_at, time_zone,
            capacity, organiser_id, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)";
    /// An event with its organiser's address; on PostgreSQL locked. After the columns of
    /// `Event::read` comes the newest place.
    LOCK = {
        sqlite: "select e.id, e.title, e.venue, e.starts_at, e.ends_at, e.time_zone, e.capacity,
                e.organiser_id, (select a.email from account a where a.id = e.organiser_id),
                e.product_id, e.attending, e.waiting, e.cancelled_at, e.description,
                e.created_at, e.updated_at, e.version, e.places
            from event e where e.id = $1",
        postgres: "select e.id, e.title, e.venue, e.starts_at, e.ends_at, e.time_zone, e.capacity,
                e.organiser_id, (select a.email from account a where a.id = e.organiser_id),
                e.product_id, e.attending, e.waiting, e.cancelled_at, e.description,
                e.created_at, e.updated_at, e.version, e.places
            from event e where e.id = $1 for update",
    };
    /// The place of whoever stands on the waiting list behind `$2` others.
    PLACE_AFTER = "select place from attendance where event_id = $1 and state = 'waiting'
        order by place limit 1 offset $2";
    /// Everybody up to the place `$2` comes.
    MOVE_UP = "update attendance set state = 'attending'
        where event_id = $1 and state = 'waiting' and place <= $2";
    UPDATE = "update event set title = $2, description = $3, venue = $4, starts_at = $5,
            ends_at = $6, time_zone = $7, capacity = $8, attending = attending + $9,
            waiting = waiting - $9, updated_at = $10, version = version + 1
        where id = $1";
    CANCEL = "update event set cancelled_at = $2, updated_at = $2, version = version + 1
        where id = $1";
}
