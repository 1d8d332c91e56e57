//! Accounts, variants and commands for tests below HTTP.

use runout_core::ids::{AccountId, LocationId, OrderId, VariantId};
use runout_core::stock::{
    Asked, By, Cancel, Command, Key, LineRequest, Outcome, Receive, Sell, SellOutcome,
};
use runout_shop::App;
use runout_store::{Composer, Db};

/// The location that every shop begins with.
pub const MAIN: LocationId = LocationId(1);

pub fn sell(account: i64, lines: &[(i64, i64)]) -> Asked {
    let line = |(variant, quantity): &(i64, i64)| LineRequest {
        variant: VariantId(*variant),
        quantity: *quantity,
    };
    let currency = "EUR".parse().expect("a currency");
    let lines = lines.iter().map(line).collect();
    let sell = Sell { account: AccountId(account), lines, currency, pay_within_s: None };
    Asked { command: Command::Sell(sell), key: None }
}

pub fn receive(variant: i64, location: i64, quantity: i64) -> Asked {
    let receive = Receive {
        variant: VariantId(variant),
        location: LocationId(location),
        quantity,
        actor: Some(AccountId(1)),
        reason: None,
    };
    Asked { command: Command::Receive(receive), key: None }
}

pub fn keyed(asked: Asked, account: i64, key: &str, fingerprint: u8) -> Asked {
    let key = Key {
        owner: AccountId(account).into(),
        key: key.to_owned(),
        fingerprint: [fingerprint; 32],
    };
    Asked { key: Some(key), ..asked }
}

/// Accounts 1 to `accounts`, and variants 1 to `variants` at 10 EUR, without stock.
pub async fn stage(db: &Db, accounts: i64, variants: i64) {
    let time = match db.engine() {
        runout_store::Engine::Sqlite => "1",
        runout_store::Engine::Postgres => "'2026-01-01T00:00:00Z'",
    };
    let rows = |count: i64, row: &dyn Fn(i64) -> String| {
        (1..=count).map(row).collect::<Vec<_>>().join(",")
    };
    let accounts = rows(accounts, &|n| {
        format!("({n},'u{n}','u{n}','u{n}@x.test','u{n}@x.test','customer','',true,{time},{time})")
    });
    let products =
        rows(variants, &|n| format!("({n},'disc','Title {n}',true,'title {n}',{time},{time})"));
    let forms = rows(variants, &|n| format!("({n},{n},'SKU-{n}',true,{time},{time})"));
    let prices = rows(variants, &|n| format!("({n},{n},'EUR',1000,{time},{time})"));
    db.script(&format!(
        "insert into account (id, username, username_key, email, email_key, role, password_hash,
            active, created_at, updated_at) values {accounts};
         insert into product (id, kind, title, enabled, search_text, created_at, updated_at)
            values {products};
         insert into variant (id, product_id, sku, is_default, created_at, updated_at)
            values {forms};
         insert into price (id, variant_id, currency, amount_minor, effective_from, created_at)
            values {prices};
         update id_sequence set next = 1000 where name in ('account', 'product', 'variant', 'price')"
    ))
    .await
    .expect("the stage is set");
}

pub async fn ask(app: &App, asked: Asked) -> Outcome {
    app.stock.ask(asked).await.expect("decided").outcome
}

pub fn placed(outcome: &Outcome) -> Option<OrderId> {
    match outcome {
        Outcome::Sell(SellOutcome::Placed(placed)) => Some(placed.id),
        _ => None,
    }
}

pub async fn count(db: &Db, sql: &'static str) -> i64 {
    let statement = Composer::new(sql).finish();
    db.read_one(statement, |row| row.get(0)).await.expect("counts").expect("one row")
}

pub fn cancel(order: OrderId, by: By) -> Asked {
    Asked { command: Command::Cancel(Cancel { order, by }), key: None }
}
