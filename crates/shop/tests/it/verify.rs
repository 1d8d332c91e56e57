//! `runout verify`: clean after a busy history, and every single damage is found and named.

mod delivery;
mod events;

use futures::future::join_all;
use runout_core::ids::{AccountId, BasketId, LocationId, OrderId, VariantId};
use runout_core::stock::{Adjust, Asked, By, Change, Command, Holder, SetLine, Transfer};
use runout_shop::verify::{Report, verify};
use runout_store::Engine;

use crate::on_both_engines;
use crate::support::TestShop;
use crate::support::stage::{MAIN, ask, cancel, keyed, placed, receive, sell, stage};

/// A small generator, so that the history is the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        i64::try_from(self.0 >> 33).expect("31 bits") % sides + 1
    }
}

const ACCOUNTS: i64 = 5;
const VARIANTS: i64 = 4;
const LOCATIONS: i64 = 3;

fn command(dice: &mut Dice, orders: &[OrderId]) -> Asked {
    let variant = dice.roll(VARIANTS);
    let (account, actor) = (dice.roll(ACCOUNTS), AccountId(1));
    let asked = match dice.roll(12) {
        1..=5 => {
            let other = variant % VARIANTS + 1;
            let lines = [(variant, dice.roll(3)), (other, dice.roll(3))];
            sell(account, &lines[..usize::try_from(dice.roll(2)).expect("1 or 2")])
        }
        6 if !orders.is_empty() => {
            let order = orders[usize::try_from(dice.roll(orders.len() as i64) - 1).expect("in")];
            cancel(order, By::Staff(actor))
        }
        7 => {
            let (from, to) = (LocationId(dice.roll(LOCATIONS)), LocationId(dice.roll(LOCATIONS)));
            let (variant, quantity) = (VariantId(variant), dice.roll(5));
            let moved = Transfer { variant, from, to, quantity, actor, reason: None };
            Asked { command: Command::Transfer(moved), key: None }
        }
        8 => {
            let change = match dice.roll(3) {
                1 => Change::By(dice.roll(9) - 5),
                2 => Change::OnHand(dice.roll(30)),
                _ => Change::Available(dice.roll(20)),
            };
            let (variant, location) = (VariantId(variant), LocationId(dice.roll(LOCATIONS)));
            let reason = "count".to_owned();
            let adjust = Adjust { variant, location, change, actor, reason };
            Asked { command: Command::Adjust(adjust), key: None }
        }
        9 | 10 => {
            // Account n opens basket n.
            let (basket, by) = (BasketId(account), Holder::Account(AccountId(account)));
            let (variant, quantity) = (VariantId(variant), dice.roll(4) - 1);
            let line = SetLine { basket, by, variant, quantity };
            Asked { command: Command::SetLine(line), key: None }
        }
        _ => receive(variant, dice.roll(LOCATIONS), dice.roll(12)),
    };
    let acting = match &asked.command {
        Command::Sell(sell) => sell.account.0,
        _ => 1,
    };
    match dice.roll(3) {
        1 => {
            let (key, body) = (dice.roll(40).to_string(), format!("{:?}", asked.command));
            let print = body.bytes().fold(0_u8, |print, byte| print.wrapping_mul(31) ^ byte);
            keyed(asked, acting, &key, print)
        }
        _ => asked,
    }
}

on_both_engines! {
    async fn a_busy_history_is_clean(shop: TestShop) {
        stage(&shop.app.db, ACCOUNTS, VARIANTS).await;
        shop.app
            .db
            .script(
                "insert into location (id, code, name, priority, active) values
                    (2, 'b', 'B', 50, true), (3, 'c', 'C', 10, false);
                update id_sequence set next = 4 where name = 'location';
                update variant set limit_per_customer = 9 where id = 3",
            )
            .await
            .expect("locations and a limit");
        for account in 1..=ACCOUNTS {
            basket(&shop, account).await;
        }
        shop.app.db.script(DISCOUNT).await.expect("a discount");
        shop.app.db.script(events::EVENT).await.expect("an event");
        shop.app.db.script(delivery::DESTINATION).await.expect("a destination");
        shop.seal().await;
        let other = shop.second_node().await;
        let mut dice = Dice(42);
        let mut orders: Vec<OrderId> = Vec::new();
        for _ in 0..12 {
            let wave: Vec<Asked> = (0..50).map(|_| command(&mut dice, &orders)).collect();
            let nodes = [&shop.app, &other];
            let asks = wave.into_iter().enumerate().map(|(n, asked)| ask(nodes[n % 2], asked));
            orders.extend(join_all(asks).await.iter().filter_map(placed));
        }
        let report = verify(&shop.app.db, &shop.app.sealer).await.expect("the checks run");
        assert!(report.is_clean(), "{report}");
        // Nothing was proved about nothing.
        let other = report.checks.iter().filter(|check| check.name != ADMISSIONS);
        assert!(other.into_iter().all(|check| check.examined > 0), "{report}");
        assert!(orders.len() > 50, "only {} orders", orders.len());
    }

    async fn every_damage_is_found_and_named(shop: TestShop) {
        small_history(&shop).await;
        shop.verify().await;
        let mut seen = vec![ADMISSIONS];
        for Damage { harm, mend, found } in damages(shop.app.db.engine()) {
            shop.app.db.script(&harm).await.unwrap_or_else(|error| panic!("{harm}: {error:?}"));
            let report = verify(&shop.app.db, &shop.app.sealer).await.expect("the checks run");
            assert!(!report.is_clean());
            let expected: Vec<String> =
                found.iter().map(|(check, what)| format!("FAIL {check}: {what}")).collect();
            assert_eq!(failures(&report), expected, "{harm}");
            seen.extend(found.iter().map(|(check, _)| *check));
            shop.app.db.script(&mend).await.unwrap_or_else(|error| panic!("{mend}: {error:?}"));
            shop.verify().await;
        }
        let report = verify(&shop.app.db, &shop.app.sealer).await.expect("the checks run");
        let unseen: Vec<&str> =
            report.checks.iter().map(|check| check.name).filter(|c| !seen.contains(c)).collect();
        assert!(unseen.is_empty(), "no damage shows that these find anything: {unseen:?}");
    }

    async fn only_the_first_of_many_violations_are_named(shop: TestShop) {
        stage(&shop.app.db, 1, 50).await;
        let blank = "update product set search_text = '' where id <= 45";
        shop.app.db.script(blank).await.expect("blanked");
        let report = verify(&shop.app.db, &shop.app.sealer).await.expect("the checks run");
        let check = report.checks.iter().find(|check| !check.holds()).expect("one is broken");
        assert_eq!((check.violation_count, check.violations.len()), (45, 20));
        assert_eq!(check.examined, 50);
        assert_eq!(failures(&report).len(), 21);
        assert!(report.to_string().contains("FAIL products can be searched: and 25 more\n"));
        assert!(report.to_string().contains("ok   levels equal their ledgers (0 examined)\n"));
    }
}

fn failures(report: &Report) -> Vec<String> {
    report.to_string().lines().filter(|l| l.starts_with("FAIL")).map(str::to_owned).collect()
}

/// Proved, and shown to find damage, by the tests of tickets.
const ADMISSIONS: &str = "who was let in had a paid ticket for it";

/// A code that nobody has used.
const DISCOUNT: &str = "insert into discount
    (id, code, code_key, percent_bp, active, created_at, updated_at)
    select 1, 'TEN', 'TEN', 1000, true, created_at, created_at from account where id = 1;
    update id_sequence set next = 2 where name = 'discount'";

/// The open basket of an account, under the account's number.
async fn basket(shop: &TestShop, account: i64) {
    let sql = format!(
        "insert into basket (id, account_id, currency, status, created_at, touched_at)
            select {account}, {account}, 'EUR', 'open', created_at, created_at
            from account where id = {account};
        update id_sequence set next = 1000 where name = 'basket'"
    );
    shop.app.db.script(&sql).await.expect("a basket");
}

/// Level 1 (variant 1): 10 units, 2 of them promised to order 1; 3 went to order 2 and came back.
/// Level 2 (variant 2): 10 units, 1 of them promised to order 1. Account 2 placed order 2 under the
/// key `buy`, account 1 cancelled it under the key `undo`. Level 3 (variant 3): 10 units, 4 of them
/// held by basket 1.
async fn small_history(shop: &TestShop) {
    stage(&shop.app.db, 2, 4).await;
    for variant in [1, 2] {
        ask(&shop.app, receive(variant, MAIN.0, 10)).await;
    }
    let first = ask(&shop.app, sell(1, &[(1, 2), (2, 1)])).await;
    assert_eq!(placed(&first), Some(OrderId(1)));
    let second = ask(&shop.app, keyed(sell(2, &[(1, 3)]), 2, "buy", 1)).await;
    assert_eq!(placed(&second), Some(OrderId(2)));
    let undo = cancel(OrderId(2), By::Staff(AccountId(1)));
    ask(&shop.app, keyed(undo, 1, "undo", 2)).await;
    basket(shop, 1).await;
    shop.app.db.script(DISCOUNT).await.expect("a discount");
    shop.app.db.script(events::EVENT).await.expect("an event");
    shop.app.db.script(delivery::DESTINATION).await.expect("a destination");
    shop.seal().await;
    ask(&shop.app, receive(3, MAIN.0, 10)).await;
    let (by, variant) = (Holder::Account(AccountId(1)), VariantId(3));
    let line = SetLine { basket: BasketId(1), by, variant, quantity: 4 };
    ask(&shop.app, Asked { command: Command::SetLine(line), key: None }).await;
}

/// SQL that breaks the database, SQL that mends it, and what must be found: check and difference.
struct Damage {
    harm: String,
    mend: String,
    found: Vec<(&'static str, &'static str)>,
}

fn damages(engine: Engine) -> Vec<Damage> {
    let mut damages = damaged_stock(engine);
    damages.extend(damaged_references());
    damages.extend(damaged_orders(engine));
    damages.extend(damaged_baskets(engine));
    damages.extend(events::damaged_events());
    damages.extend(delivery::damaged_delivery());
    damages.extend(damaged_rest());
    damages
}

fn damage(harm: &str, mend: &str, found: &[(&'static str, &'static str)]) -> Damage {
    Damage { harm: harm.to_owned(), mend: mend.to_owned(), found: found.to_vec() }
}

/// What a level says of itself, changed without its ledger.
fn level(column: &str, wrong: i64, right: i64, found: (&'static str, &'static str)) -> Damage {
    let set = |value| format!("update stock_level set {column} = {value} where id = 1");
    damage(&set(wrong), &set(right), &[found])
}

/// One cell of a movement of level 1.
fn movement(
    number: i64,
    column: &str,
    wrong: &str,
    right: &str,
    found: &[(&'static str, &'static str)],
) -> Damage {
    let set = |value: &str| {
        format!(
            "update stock_movement set {column} = {value} where level_id = 1 and number = {number}"
        )
    };
    damage(&set(wrong), &set(right), found)
}

fn damaged_stock(engine: Engine) -> Vec<Damage> {
    let ledgers = "levels equal their ledgers";
    let numbers = "ledgers are numbered without gaps";
    let unchecked = match engine {
        Engine::Sqlite => "pragma ignore_check_constraints = on",
        Engine::Postgres => "alter table stock_level drop constraint stock_level_reserved_check",
    };
    let checked = match engine {
        Engine::Sqlite => "pragma ignore_check_constraints = off",
        Engine::Postgres => "select 1",
    };
    vec![
        level("on_hand", 11, 10, (ledgers, "level 1: on_hand 11, ledger says 10")),
        movement(1, "on_hand_delta", "9", "10", &[(ledgers, "level 1: on_hand 10, ledger says 9")]),
        level("movements", 5, 4, (numbers, "level 1: 5 movements, ledger has 4 numbered 1 to 4")),
        damage(
            "update stock_movement set number = 5 where level_id = 1 and number = 4",
            "update stock_movement set number = 4 where level_id = 1 and number = 5",
            &[(numbers, "level 1: 4 movements, ledger has 4 numbered 1 to 5")],
        ),
        damage(
            &format!(
                "{unchecked};
                update stock_level set on_hand = 1 where id = 1;
                update stock_movement set on_hand_delta = 1 where level_id = 1 and number = 1"
            ),
            &format!(
                "update stock_level set on_hand = 10 where id = 1;
                update stock_movement set on_hand_delta = 10 where level_id = 1 and number = 1;
                {checked}"
            ),
            &[("levels hold what they promise", "level 1: on_hand 1, reserved 2")],
        ),
        damage(
            "update stock_level set reserved = 3 where id = 1;
            update stock_movement set reserved_delta = 1 where level_id = 1 and number = 1",
            "update stock_level set reserved = 2 where id = 1;
            update stock_movement set reserved_delta = 0 where level_id = 1 and number = 1",
            &[(
                "reserved stock is that of orders and baskets",
                "level 1: reserved 3, orders and baskets hold 2",
            )],
        ),
    ]
}

fn damaged_references() -> Vec<Damage> {
    let movements = "movements refer to what exists";
    let allocations = "allocations refer to lines and levels";
    vec![
        movement(1, "actor_id", "77", "1", &[(movements, "movement 1 of level 1: no account 77")]),
        movement(1, "order_id", "99", "null", &[(movements, "movement 1 of level 1: no order 99")]),
        damage(
            "update stock_movement set level_id = 99 where level_id = 1 and number = 1",
            "update stock_movement set level_id = 1 where level_id = 99",
            &[
                ("levels equal their ledgers", "level 1: on_hand 10, ledger says 0"),
                (
                    "ledgers are numbered without gaps",
                    "level 1: 4 movements, ledger has 3 numbered 2 to 4",
                ),
                (movements, "movement 1 of level 99: no such level"),
            ],
        ),
        damage(
            "update orders set account_id = 77 where id = 1",
            "update orders set account_id = 1 where id = 1",
            &[("orders refer to accounts and baskets", "order 1: no account 77")],
        ),
        damage(
            "update order_line set variant_id = 99 where order_id = 1 and line_no = 2",
            "update order_line set variant_id = 2 where order_id = 1 and line_no = 2",
            &[
                ("lines refer to orders and variants", "line 2 of order 1: no variant 99"),
                (allocations, "allocation of line 2 of order 1: level 2 is of variant 2, not 99"),
            ],
        ),
        damage(
            "update stock_level set variant_id = 4 where id = 2",
            "update stock_level set variant_id = 2 where id = 2",
            &[(allocations, "allocation of line 2 of order 1: level 2 is of variant 4, not 2")],
        ),
    ]
}

const TOTAL: &str = "order 1: total 3001, lines add up to 3000; tax 0, lines say 0; discount 0, \
    lines say 0";

fn damaged_orders(engine: Engine) -> Vec<Damage> {
    let time = match engine {
        Engine::Sqlite => "1",
        Engine::Postgres => "'2026-01-01T00:00:00Z'",
    };
    let stock = "orders' stock is what their movements say";
    let left = "0 left, movements say 0; at most 0 came back, movements say 0";
    let told = |text: &str| -> &'static str { format!("{text}; {left}").leak() };
    vec![
        damage(
            &format!(
                "insert into orders (id, account_id, status, currency, total_minor, placed_at)
                    values (3, 1, 'placed', 'EUR', 0, {time});
                insert into outbox (id, at, topic, entity, entity_id, payload)
                    values (9000, {time}, 'order.placed', 'order', 3, '{{}}')"
            ),
            "delete from orders where id = 3; delete from outbox where id = 9000",
            &[("orders have lines, numbered from 1", "order 3: 0 lines, the last is number 0")],
        ),
        damage(
            "update orders set total_minor = 3001 where id = 1",
            "update orders set total_minor = 3000 where id = 1",
            &[("totals equal their lines", TOTAL)],
        ),
        damage(
            "update order_line set quantity = 3 where order_id = 1 and line_no = 1;
            update orders set total_minor = 4000 where id = 1",
            "update order_line set quantity = 2 where order_id = 1 and line_no = 1;
            update orders set total_minor = 3000 where id = 1",
            &[("lines are allocated in full", "line 1 of order 1: quantity 3, allocated 2")],
        ),
        movement(
            2,
            "order_id",
            "2",
            "1",
            &[
                (stock, told("order 1 at level 1: holds 2, movements say 0")),
                (stock, told("order 2 at level 1: holds 0, movements say 2")),
            ],
        ),
        movement(
            4,
            "order_id",
            "1",
            "2",
            &[
                (stock, told("order 1 at level 1: holds 2, movements say -1")),
                (stock, told("order 2 at level 1: holds 0, movements say 3")),
            ],
        ),
        damage(
            "update orders set cancelled_at = null where id = 2",
            "update orders set cancelled_at = placed_at where id = 2",
            &[(
                "only cancelled orders have a time of it",
                "order 2: cancelled without a time of cancellation",
            )],
        ),
        damage(
            "update outbox set topic = 'lost' where topic = 'order.placed' and entity_id = 1",
            "update outbox set topic = 'order.placed' where topic = 'lost'",
            &[(
                "orders are announced once",
                "order 1: placed 1 times, announced 0; cancelled 0 times, announced 0",
            )],
        ),
    ]
}

fn damaged_baskets(engine: Engine) -> Vec<Damage> {
    let lines = "lines of open baskets hold all or nothing";
    let time = match engine {
        Engine::Sqlite => "1",
        Engine::Postgres => "'2026-01-01T00:00:00Z'",
    };
    vec![
        damage(
            "update stock_movement set basket_id = 2 where cause = 'hold'",
            "update stock_movement set basket_id = 1 where cause = 'hold'",
            &[
                (
                    "holds are what their movements say",
                    "basket 1 at level 3: holds 4, movements say 0",
                ),
                (
                    "holds are what their movements say",
                    "basket 2 at level 3: holds 0, movements say 4",
                ),
            ],
        ),
        damage(
            "update basket_line set quantity = 5 where basket_id = 1",
            "update basket_line set quantity = 4 where basket_id = 1",
            &[(lines, "basket 1 (open), variant 3: wants 5, holds 4")],
        ),
        damage(
            "update basket set status = 'merged' where id = 1",
            "update basket set status = 'open' where id = 1",
            &[(lines, "basket 1 (merged), variant 3: wants 4, holds 4")],
        ),
        damage(
            "update orders set paid_minor = 5 where id = 1",
            "update orders set paid_minor = 0 where id = 1",
            &[(
                "money is what payments and refunds say",
                "order 1: paid 5, payments say 0; refunded 0, refunds say 0",
            )],
        ),
        damage(
            &format!(
                "insert into refund (id, order_id, payment_id, amount_minor, status, reason,
                    created_at, updated_at)
                values (1, 2, 1, 7, 'pending', 'requested', {time}, {time});
                update id_sequence set next = 2 where name = 'refund'"
            ),
            "delete from refund; update id_sequence set next = 1 where name = 'refund'",
            &[(
                "money is what payments and refunds say",
                "order 2: paid 0, payments say 0; refunded 0, refunds say 7",
            )],
        ),
        damage(
            "update discount set uses = 3",
            "update discount set uses = 0",
            &[("discounts count their uses", "discount 1: 3 uses, orders say 0")],
        ),
    ]
}

fn damaged_rest() -> Vec<Damage> {
    let keys = "keys lead to their owner's own outcome";
    let key = |column: &str, wrong: i64, right: i64, found| {
        let set = |value| format!("update idempotency set {column} = {value} where key = 'buy'");
        damage(&set(wrong), &set(right), &[(keys, found)])
    };
    vec![
        key("account_id", 1, 2, "key buy of owner 1: order 2 is of account 2"),
        key("order_id", 99, 2, "key buy of owner 2: no order 99"),
        damage(
            "update variant set is_default = false where id = 3",
            "update variant set is_default = true where id = 3",
            &[("products have one default variant", "product 3: 0 default variants")],
        ),
        damage(
            "update product set search_text = '' where id = 3",
            "update product set search_text = 'title 3' where id = 3",
            &[("products can be searched", "product 3: search_text is empty")],
        ),
        damage(
            "update id_sequence set next = 2 where name = 'orders'",
            "update id_sequence set next = 1001 where name = 'orders'",
            &[("ids are below their sequences", "sequence orders: next is 2, but id 2 is taken")],
        ),
    ]
}
