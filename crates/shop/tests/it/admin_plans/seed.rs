//! Thousands of rows in every table that the back office lists, made by the database.
//!
//! Names grow with the ids, so that the order of an index is about that of the table: PostgreSQL
//! would rather read a table of so few rows whole than jump about in it, and rightly so.

use runout_store::Engine;

use crate::support::TestShop;

/// Rows of the tables that grow with every sale; the others have a quarter.
const MANY: u32 = 20_000;
const SOME: u32 = 5_000;

/// What is written differently by the engines.
struct Words {
    engine: Engine,
}

impl Words {
    /// A moment that grows with `n`, by a minute each.
    fn at(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite => "1577836800000000 + n * 60000000",
            Engine::Postgres => "'2020-01-01T00:00:00Z'::timestamptz + n * interval '1 minute'",
        }
    }

    /// 32 bytes that differ for every `n`.
    fn hash(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite => "cast(printf('%032d', n) as blob)",
            Engine::Postgres => "decode(lpad(n::text, 64, '0'), 'hex')",
        }
    }

    /// `insert into <table> (<columns>) select <values>` for `n` from 1 to `count`.
    fn insert(&self, table: &str, columns: &str, values: &str, count: u32) -> String {
        let values = values.replace("{at}", self.at()).replace("{hash}", self.hash());
        let numbers = match self.engine {
            Engine::Sqlite => format!(
                "with recursive g (n) as (select 1 union all select n + 1 from g where n < {count})"
            ),
            Engine::Postgres => {
                format!("with g as (select n from generate_series(1, {count}) as s (n))")
            }
        };
        format!("insert into {table} ({columns}) {numbers} select {values} from g;\n")
    }
}

/// Table, columns, their values for the number `n`, and how many rows.
const ROWS: &[(&str, &str, &str, u32)] = &[
        (
            "account",
            "id, username, username_key, email, email_key, role, password_hash, active, created_at,
                updated_at",
            "n, 'who' || (10000 + n), 'who' || (10000 + n), 'who' || (10000 + n) || '@example.com',
                'who' || (10000 + n) || '@example.com',
                case when n % 500 = 0 then 'staff' else 'customer' end, '!', true, {at}, {at}",
            SOME,
        ),
        (
            "token",
            "id, account_id, hash, created_at, expires_at",
            "n, n % 500 + 1, {hash}, {at}, {at}",
            SOME,
        ),
        (
            "session",
            "id, account_id, hash, browser, address, created_at, seen_at, expires_at",
            "n, n % 500 + 1, {hash}, 'browser', '192.0.2.1', {at}, {at}, {at}",
            SOME,
        ),
        (
            "address",
            "id, account_id, name, line1, postal_code, city, country, created_at, updated_at",
            "n, n % 500 + 1, 'name', 'street', '1', 'City ' || (n % 50), 'DE', {at}, {at}",
            SOME,
        ),
        (
            "product",
            "id, kind, title, artist, release_year, style, label, enabled, search_text, created_at,
                updated_at",
            "n, case when n % 100 = 0 then 'merch' else 'disc' end, 'Title ' || (10000 + n),
                'Artist ' || (1000 + n / 10), 1980 + n % 40, 'Style ' || (n % 90), 'Label ' || (n % 300),
                n % 200 <> 0, 'title' || n, {at}, {at}",
            SOME,
        ),
        (
            "variant",
            "id, product_id, sku, is_default, created_at, updated_at",
            "n, n, 'S' || (10000 + n), true, {at}, {at}",
            SOME,
        ),
        (
            "price",
            "id, variant_id, currency, amount_minor, effective_from, created_at",
            "n, n, 'EUR', 1000, {at}, {at}",
            SOME,
        ),
        (
            "stock_level",
            "id, variant_id, location_id, on_hand, reserved, movements",
            "n, n, 1, 5, 0, 1",
            SOME,
        ),
        (
            "stock_movement",
            "level_id, number, at, cause, on_hand_delta, reserved_delta",
            "n % 5000 + 1, n, {at}, 'receipt', 1, 0",
            MANY,
        ),
        (
            "orders",
            "id, account_id, status, currency, total_minor, placed_at, email, email_key, country",
            "n, case when n % 3 = 0 then null else n % 5000 + 1 end,
                case when n % 7 = 0 then 'closed' else 'placed' end, 'EUR', n, {at},
                case when n % 3 = 0 then 'guest' || n || '@example.com' end,
                case when n % 3 = 0 then 'guest' || n || '@example.com' end, 'DE'",
            MANY,
        ),
        (
            "order_line",
            "order_id, line_no, variant_id, sku, title, variant_title, quantity, unit_price_minor",
            "n, 1, n % 5000 + 1, 'S' || (n % 5000 + 1), 'Title', '', 1, 1000",
            MANY,
        ),
        (
            "payment",
            "id, order_id, gateway, status, amount_minor, currency, provider_id, created_at,
                updated_at",
            "n, n, 'manual', case when n % 50 = 0 then 'pending' else 'succeeded' end, 1000, 'EUR',
                'p' || n, {at}, {at}",
            MANY,
        ),
        (
            "refund",
            "id, order_id, payment_id, amount_minor, status, reason, created_at, updated_at",
            "n, n, n, 100, 'succeeded', 'requested', {at}, {at}",
            SOME,
        ),
        ("fulfilment", "id, order_id, carrier, at", "n, n, 'DHL', {at}", SOME),
        (
            "basket",
            "id, token_hash, currency, status, created_at, touched_at",
            "n, {hash}, 'EUR', case when n % 9 = 0 then 'open' else 'ordered' end, {at}, {at}",
            SOME,
        ),
        (
            "basket_line",
            "basket_id, variant_id, quantity, unit_price_minor, added_at",
            "n, n, 1, 1000, {at}",
            SOME,
        ),
        (
            "discount",
            "id, code, code_key, percent_bp, active, created_at, updated_at",
            "n, 'S' || n, 'S' || n, 1000, true, {at}, {at}",
            SOME,
        ),
        (
            "post",
            "id, user_id, author_id, title, body, published, created_at, updated_at",
            "n, n % 500 + 1, n % 500 + 1, 'Title ' || (10000 + n), 'body', n % 50 <> 0, {at}, {at}",
            SOME,
        ),
        (
            "comment",
            "id, post_id, author_id, name, email, body, hidden, created_at, updated_at",
            "n, n % 5000 + 1, n % 500 + 1, 'name', 'who' || (10000 + n) || '@example.com', 'body',
                n % 50 = 0, {at}, {at}",
            MANY,
        ),
        (
            "destination",
            "id, name, kind, url, shown_url, created_at, updated_at",
            "n, 'to ' || n, 'webhook', 'https://x.example', 'https://x.example', {at}, {at}",
            SOME,
        ),
        (
            "dead_letter",
            "id, destination_id, outbox_id, lane, topic, entity, entity_id, at, died_at, reason,
                attempts, request, state, payload",
            "n, n % 50 + 1, n, 0, 'post.created', 'post', n % 500, {at}, {at},
                case when n % 3 = 0 then 'refused' else 'exhausted' end, 1, 'POST',
                case when n % 40 = 0 then 'dead' else 'delivered' end, '{}'",
            MANY,
        ),
        (
            "audit",
            "id, at, actor_id, action, entity, entity_id, changes",
            "n, {at}, n % 50 + 1, 'product.update', case when n % 2 = 0 then 'product' else 'variant'
                end, n % 5000 + 1, '{}'",
            MANY,
        ),
];

/// Fills the tables, and lets PostgreSQL count them.
pub async fn fill(shop: &TestShop) {
    let words = Words { engine: shop.app.db.engine() };
    let mut script = String::new();
    for (table, columns, values, count) in ROWS {
        script.push_str(&words.insert(table, columns, values, *count));
    }
    if words.engine == Engine::Postgres {
        script = script.replace(", '{}' from g", ", '{}'::jsonb from g") + "analyze;";
    }
    shop.app.db.script(&script).await.expect("rows");
}
