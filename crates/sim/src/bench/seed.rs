//! Data for the benchmarks, written straight into the tables: a million rows in seconds.

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use runout_shop::platform::clock::Clock;
use runout_store::{Db, Engine};
use sha2::{Digest, Sha256};

/// Accounts with a token each; wrk picks among them.
pub const ACCOUNTS: i64 = 200;
/// Variants that "spread" orders draw on; the first one is the hot record.
pub const VARIANTS: i64 = 1_000;
/// Units of each: more than any run can sell.
const UNITS: i64 = 900_000_000;

/// Empty baskets of guests that one run of holds fills.
pub const BASKETS: i64 = 4_000;

/// The token of account `n`.
pub fn token(n: i64) -> String {
    format!("rt_bench{n:036}")
}

/// What the token of the guest's basket `n` begins with; `n` follows, in [`BASKET_DIGITS`] digits.
pub const BASKET_TOKEN: &str = "rb_bench";
pub const BASKET_DIGITS: usize = 36;

fn basket_token(n: i64) -> String {
    format!("{BASKET_TOKEN}{n:0BASKET_DIGITS$}")
}

/// The cookies of two sessions: of account 1, and of an account that may do everything.
pub const CUSTOMER_SESSION: &str = "bench-session-of-a-customer";
pub const OWNER_SESSION: &str = "bench-session-of-the-owner";

/// When the order `n` was placed.
pub fn order_placed_at_micros(n: i64) -> i64 {
    ORDERS_SINCE_MICROS + n * ORDER_EVERY_MICROS
}

const ORDERS_SINCE_MICROS: i64 = 1_767_225_600_000_000;
const ORDER_EVERY_MICROS: i64 = 1_000_000;

/// Sessions of a customer and of the owner that begin now.
pub async fn sessions(db: &Db) -> Result<()> {
    let engine = db.engine();
    let now = Clock::system().now();
    let until = now + SignedDuration::from_hours(12);
    let moment = |at: Timestamp| time(engine, &at.to_string(), at.as_microsecond());
    let (now, until, owner) = (moment(now), moment(until), ACCOUNTS + 1);
    let row = |id: i64, account: i64, token: &str| {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let hash = bytes(engine, &hash);
        format!("({id},{account},{hash},'bench','127.0.0.1',{now},{now},{until})")
    };
    let (customer, owners) = (row(1, 1, CUSTOMER_SESSION), row(2, owner, OWNER_SESSION));
    db.script(&format!(
        "insert into account (id, username, username_key, email, email_key, role, password_hash,
            active, created_at, updated_at) values ({owner}, 'owner', 'owner', 'owner@x.test',
            'owner@x.test', 'superuser', '', true, {now}, {now});
        insert into session (id, account_id, hash, browser, address, created_at, seen_at,
            expires_at) values {customer}, {owners};
        update id_sequence set next = {owner} + 1 where name = 'account';
        update id_sequence set next = 3 where name = 'session';"
    ))
    .await?;
    Ok(())
}

/// Accounts, tokens, products with prices and stock.
pub async fn shop(db: &Db) -> Result<()> {
    let engine = db.engine();
    let then = time(engine, "2026-01-01T00:00:00Z", 1_767_225_600_000_000);
    let later = time(engine, "2036-01-01T00:00:00Z", 2_082_758_400_000_000);
    let accounts = rows(ACCOUNTS, |n| {
        format!("({n},'b{n}','b{n}','b{n}@x.test','b{n}@x.test','customer','',true,{then},{then})")
    });
    let tokens = rows(ACCOUNTS, |n| {
        let hash: [u8; 32] = Sha256::digest(token(n).as_bytes()).into();
        format!("({n},{n},{},{then},{later})", bytes(engine, &hash))
    });
    let products = rows(VARIANTS, |n| {
        format!("({n},'disc','Bench {n}','Bench',2020,true,'bench {n}',{then},{then})")
    });
    let variants = rows(VARIANTS, |n| format!("({n},{n},'BENCH-{n}',true,{then},{then})"));
    let prices = rows(VARIANTS, |n| format!("({n},{n},'EUR',1990,{then},{then})"));
    let levels = rows(VARIANTS, |n| format!("({n},{n},1,{UNITS},0,1)"));
    let ledger = rows(VARIANTS, |n| format!("({n},1,{then},'receipt',{UNITS},0)"));
    db.script(&format!(
        "insert into account (id, username, username_key, email, email_key, role, password_hash,
            active, created_at, updated_at) values {accounts};
        insert into token (id, account_id, hash, created_at, expires_at) values {tokens};
        insert into product (id, kind, title, artist, release_year, enabled, search_text,
            created_at, updated_at) values {products};
        insert into variant (id, product_id, sku, is_default, created_at, updated_at)
            values {variants};
        insert into price (id, variant_id, currency, amount_minor, effective_from, created_at)
            values {prices};
        insert into stock_level (id, variant_id, location_id, on_hand, reserved, movements)
            values {levels};
        insert into stock_movement (level_id, number, at, cause, on_hand_delta, reserved_delta)
            values {ledger};
        update id_sequence set next = {next} where name in
            ('account', 'token', 'product', 'variant', 'price', 'stock_level');",
        next = VARIANTS + 1,
    ))
    .await?;
    Ok(())
}

/// Guests' empty baskets for so many runs of holds, numbered from 1.
pub async fn baskets(db: &Db, runs: usize) -> Result<()> {
    let engine = db.engine();
    let then = time(engine, "2026-01-01T00:00:00Z", 1_767_225_600_000_000);
    let count = BASKETS * i64::try_from(runs)?;
    let baskets = rows(count, |n| {
        let hash: [u8; 32] = Sha256::digest(basket_token(n).as_bytes()).into();
        format!("({n},{},'EUR','open',{then},{then})", bytes(engine, &hash))
    });
    db.script(&format!(
        "insert into basket (id, token_hash, currency, status, created_at, touched_at)
            values {baskets};
        update id_sequence set next = {count} + 1 where name = 'basket';"
    ))
    .await?;
    Ok(())
}

/// `count` products more, by a thousand artists in five years, each with variant, price and stock:
/// of 100,000, twenty are of one artist and year.
pub async fn catalogue(db: &Db, count: i64) -> Result<()> {
    let engine = db.engine();
    let then = time(engine, "2026-01-01T00:00:00Z", 1_767_225_600_000_000);
    let (from, to) = (VARIANTS + 1, VARIANTS + count);
    let numbers = numbers(engine, from, to);
    db.script(&format!(
        "insert into product (id, kind, title, artist, release_year, style, label, enabled,
                search_text, created_at, updated_at)
            select n, 'disc', 'Title ' || n, 'Artist ' || (n % 1000), 1970 + (n / 1000) % 5,
                'Rock', 'Label', true, 'title ' || n || ' artist ' || (n % 1000), {then}, {then}
            from {numbers};
        insert into variant (id, product_id, sku, is_default, created_at, updated_at)
            select n, n, 'SKU-' || n, true, {then}, {then} from {numbers};
        insert into price (id, variant_id, currency, amount_minor, effective_from, created_at)
            select n, n, 'EUR', 1990, {then}, {then} from {numbers};
        insert into stock_level (id, variant_id, location_id, on_hand, reserved, movements)
            select n, n, 1, 100, 0, 1 from {numbers};
        insert into stock_movement (level_id, number, at, cause, on_hand_delta, reserved_delta)
            select n, 1, {then}, 'receipt', 100, 0 from {numbers};
        update id_sequence set next = {to} + 1 where name in
            ('product', 'variant', 'price', 'stock_level');"
    ))
    .await?;
    analyze(db).await
}

/// `count` orders of one line, spread over the accounts and variants, as the writer would have
/// stored them.
pub async fn orders(db: &Db, count: i64) -> Result<()> {
    let engine = db.engine();
    let at = match engine {
        Engine::Sqlite => format!("{ORDERS_SINCE_MICROS} + n * {ORDER_EVERY_MICROS}"),
        Engine::Postgres => format!(
            "timestamptz '2026-01-01T00:00:00Z' + n * interval '{ORDER_EVERY_MICROS} microseconds'"
        ),
    };
    let payload = match engine {
        Engine::Sqlite => "'{}'",
        Engine::Postgres => "'{}'::jsonb",
    };
    // A step has to end within the server's limit for one statement, also on a slow disk.
    const STEP: i64 = 100_000;
    for from in (1..=count).step_by(STEP as usize) {
        let numbers = numbers(engine, from, (from + STEP - 1).min(count));
        let variant = format!("(n % {VARIANTS} + 1)");
        db.script(&format!(
            "insert into orders (id, account_id, status, currency, total_minor, placed_at)
                select n, n % {ACCOUNTS} + 1, 'placed', 'EUR', 1990, {at} from {numbers};
            insert into order_line (order_id, line_no, variant_id, sku, title, variant_title,
                    quantity, unit_price_minor)
                select n, 1, {variant}, 'BENCH-' || {variant}, 'Bench ' || {variant}, '', 1, 1990
                from {numbers};
            insert into allocation (order_id, line_no, level_id, quantity)
                select n, 1, {variant}, 1 from {numbers};
            insert into stock_movement (level_id, number, at, cause, on_hand_delta,
                    reserved_delta, order_id, actor_id)
                select {variant}, 2 + (n - 1) / {VARIANTS}, {at}, 'order', 0, 1, n, n % {ACCOUNTS} + 1
                from {numbers};
            insert into outbox (at, topic, entity, entity_id, payload)
                select {at}, 'order.placed', 'order', n, {payload} from {numbers};"
        ))
        .await?;
    }
    // Ten million movements are counted: longer than the server grants a statement.
    let no_limit = if engine == Engine::Postgres { "set statement_timeout = 0;" } else { "" };
    db.script(&format!(
        "{no_limit}
        update stock_level set
            reserved = (select count(*) from stock_movement m
                where m.level_id = stock_level.id and m.cause = 'order'),
            movements = (select max(number) from stock_movement m where m.level_id = stock_level.id);
        update id_sequence set next = {count} + 1 where name = 'orders';"
    ))
    .await?;
    analyze(db).await
}

/// `count` events, half of them over, organised by the accounts in turn, with so many sign-ups in
/// all, as the writer would have stored them.
pub async fn events(db: &Db, count: i64, attendances: i64) -> Result<()> {
    let engine = db.engine();
    let then = time(engine, "2026-01-01T00:00:00Z", 1_767_225_600_000_000);
    // Past ones from 2020 on, and upcoming ones from 2036 on, one every hour.
    let start = match engine {
        Engine::Sqlite => {
            "(case when n % 2 = 0 then 1577836800000000 else 2082758400000000 end
            + n % 40000 * 3600000000)"
        }
        Engine::Postgres => {
            "((case when n % 2 = 0 then timestamptz '2020-01-01T00:00:00Z'
            else timestamptz '2036-01-01T00:00:00Z' end) + n % 40000 * interval '1 hour')"
        }
    };
    let per_event = (attendances / count).max(1);
    let all = numbers(engine, 1, count);
    db.script(&format!(
        "insert into event (id, title, description, venue, starts_at, ends_at, time_zone,
                organiser_id, attending, places, created_at, updated_at)
            select n, 'Listening session ' || n, 'Bring your own ears.', 'Venue ' || (n % 500),
                {start}, {start}, 'Europe/Berlin', n % {ACCOUNTS} + 1, {per_event}, {per_event},
                {then}, {then}
            from {all};
        update id_sequence set next = {count} + 1 where name = 'event';"
    ))
    .await?;
    let step = (500_000 / per_event).max(1);
    for from in (1..=count).step_by(usize::try_from(step)?) {
        let events = numbers(engine, from, (from + step - 1).min(count));
        let people = match engine {
            Engine::Sqlite => format!(
                "(with recursive p (a) as (select 1 union all select a + 1 from p
                    where a < {per_event}) select a from p)"
            ),
            Engine::Postgres => format!("generate_series(1::bigint, {per_event}) as p (a)"),
        };
        db.script(&format!(
            "insert into attendance (event_id, account_id, place, state, since)
                select n, a, a, 'attending', {then} from {events} cross join {people};"
        ))
        .await?;
    }
    analyze(db).await
}

async fn analyze(db: &Db) -> Result<()> {
    Ok(db.script("analyze").await?)
}

fn numbers(engine: Engine, from: i64, to: i64) -> String {
    match engine {
        Engine::Sqlite => format!(
            "(with recursive c (n) as (select {from} union all select n + 1 from c where n < {to})
                select n from c)"
        ),
        Engine::Postgres => format!("generate_series({from}::bigint, {to}::bigint) as c (n)"),
    }
}

fn rows(count: i64, row: impl Fn(i64) -> String) -> String {
    (1..=count).map(row).collect::<Vec<_>>().join(",")
}

fn time(engine: Engine, iso: &str, micros: i64) -> String {
    match engine {
        Engine::Sqlite => micros.to_string(),
        Engine::Postgres => format!("'{iso}'"),
    }
}

fn bytes(engine: Engine, bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    match engine {
        Engine::Sqlite => format!("x'{hex}'"),
        Engine::Postgres => format!("'\\x{hex}'"),
    }
}

#[cfg(test)]
mod tests {
    use runout_store::DatabaseUrl;

    use super::*;

    /// What the benchmarks run on is a sound shop.
    #[tokio::test]
    async fn seeds_are_sound() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite://{}", folder.path().join("seed.db").display());
        let db = Db::open(&url.parse().expect("a database's address")).expect("opens");
        runout_store::migrate(&db).await.expect("migrates");
        shop(&db).await.expect("seeded");
        sessions(&db).await.expect("seeded");
        baskets(&db, 2).await.expect("seeded");
        catalogue(&db, 2_000).await.expect("seeded");
        orders(&db, 3_000).await.expect("seeded");
        events(&db, 400, 4_000).await.expect("seeded");
        let url: DatabaseUrl = url.parse().expect("a database's address");
        let keys = crate::bench::server::keys();
        let sealer = runout_shop::sealed::begin(&db, &keys, &url).await.expect("sealed");
        let report = runout_shop::verify::verify(&db, &sealer).await.expect("the checks run");
        assert!(report.is_clean(), "{report}");
    }
}
