//! The stock writer on real databases, below HTTP: batches, keys, locks, poison.

use futures::future::join_all;
use runout_core::ids::AccountId;
use runout_core::stock::{
    Asked, By, Cancel, CancelOutcome, Command, MoveOutcome, Outcome, Remembered, SellOutcome,
};
use runout_shop::stock::Undecided;

use crate::on_both_engines;
use crate::support::stage::{MAIN, ask, count, keyed, placed, receive, sell, stage};

on_both_engines! {
    async fn three_thousand_buyers_share_five_hundred(shop: TestShop) {
        stage(&shop.app.db, 10, 1).await;
        ask(&shop.app, receive(1, 1, 500)).await;
        let buyers = (0..3_000).map(|n| ask(&shop.app, sell(n % 10 + 1, &[(1, 1)])));
        let outcomes = join_all(buyers).await;
        let sold = outcomes.iter().filter(|outcome| placed(outcome).is_some()).count();
        let short = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Outcome::Sell(SellOutcome::Short(_))))
            .count();
        assert_eq!((sold, short), (500, 2_500));
        let db = &shop.app.db;
        assert_eq!(count(db, "select count(*) from orders").await, 500);
        assert_eq!(count(db, "select on_hand - reserved from stock_level").await, 0);
        assert_eq!(count(db, "select count(*) from stock_movement").await, 501);
        assert_eq!(
            count(db, "select count(*) from outbox where topic = 'order.placed'").await,
            500
        );
        shop.verify().await;
    }

    async fn a_key_answers_with_the_first_order(shop: TestShop) {
        stage(&shop.app.db, 2, 1).await;
        ask(&shop.app, receive(1, 1, 5)).await;
        // Twenty at once: most share a batch with the first.
        let same = (0..20).map(|_| shop.app.stock.ask(keyed(sell(1, &[(1, 1)]), 1, "k", 1)));
        let answers: Vec<_> =
            join_all(same).await.into_iter().map(|answer| answer.expect("decided")).collect();
        assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
        let later = ask(&shop.app, keyed(sell(1, &[(1, 1)]), 1, "k", 1)).await;
        let first = answers.iter().find_map(|answer| placed(&answer.outcome)).expect("one order");
        assert!(matches!(later, Outcome::Replayed(Remembered::Order(id)) if id == first));
        let other_body = ask(&shop.app, keyed(sell(1, &[(1, 2)]), 1, "k", 2)).await;
        assert!(matches!(other_body, Outcome::KeyReused));
        // The key belongs to its account: another's is another key.
        assert!(placed(&ask(&shop.app, keyed(sell(2, &[(1, 1)]), 2, "k", 1)).await).is_some());
        assert_eq!(count(&shop.app.db, "select count(*) from orders").await, 2);
        shop.verify().await;
    }

    async fn a_poisoned_command_fails_alone(shop: TestShop) {
        stage(&shop.app.db, 1, 1).await;
        ask(&shop.app, receive(1, 1, 1_000)).await;
        // The database refuses any line of 13, for a reason that the rules know nothing of.
        let poison = match shop.app.db.engine() {
            runout_store::Engine::Sqlite => {
                "create trigger poison before insert on order_line
                when new.quantity = 13 begin select raise(abort, 'poison'); end"
            }
            runout_store::Engine::Postgres => {
                "alter table order_line add constraint poison check (quantity <> 13)"
            }
        };
        shop.app.db.script(poison).await.expect("poisoned");
        let asks = (1..=40).map(|quantity| shop.app.stock.ask(sell(1, &[(1, quantity)])));
        let answers = join_all(asks).await;
        for (quantity, answer) in (1..=40).zip(answers) {
            match answer {
                Ok(answer) => assert!(placed(&answer.outcome).is_some(), "{quantity}"),
                Err(Undecided::Store(_)) => assert_eq!(quantity, 13),
                Err(other) => panic!("{quantity}: {other}"),
            }
        }
        assert_eq!(count(&shop.app.db, "select count(*) from orders").await, 39);
        assert_eq!(
            count(&shop.app.db, "select reserved from stock_level").await,
            (1..=40).sum::<i64>() - 13
        );
        shop.verify().await;
    }

    async fn opposite_lines_never_deadlock(shop: TestShop) {
        stage(&shop.app.db, 1, 2).await;
        for variant in [1, 2] {
            ask(&shop.app, receive(variant, 1, 100_000)).await;
        }
        let other = shop.second_node().await;
        let storm = (0..400).map(|n| {
            let (app, lines) =
                if n % 2 == 0 { (&shop.app, [(1, 1), (2, 1)]) } else { (&other, [(2, 1), (1, 1)]) };
            ask(app, sell(1, &lines))
        });
        let outcomes = join_all(storm).await;
        assert!(outcomes.iter().all(|outcome| placed(outcome).is_some()));
        let reserved = "select cast(sum(reserved) as bigint) from stock_level";
        assert_eq!(count(&shop.app.db, reserved).await, 800);
        shop.verify().await;
    }

    async fn a_cancellation_gives_back_once(shop: TestShop) {
        stage(&shop.app.db, 2, 1).await;
        ask(&shop.app, receive(1, 1, 3)).await;
        let order = placed(&ask(&shop.app, sell(1, &[(1, 3)])).await).expect("placed");
        let cancel = |by| Asked { command: Command::Cancel(Cancel { order, by }), key: None };
        let stranger = ask(&shop.app, cancel(By::Owner(AccountId(2)))).await;
        assert!(matches!(stranger, Outcome::Cancel(CancelOutcome::NotFound)));
        let other = shop.second_node().await;
        let all = (0..30).map(|n| {
            let app = if n % 2 == 0 { &shop.app } else { &other };
            ask(app, cancel(By::Owner(AccountId(1))))
        });
        let cancelled = join_all(all).await;
        let done = |outcome: &&Outcome| {
            matches!(outcome, Outcome::Cancel(CancelOutcome::Cancelled { .. }))
        };
        assert_eq!(cancelled.iter().filter(done).count(), 1);
        assert_eq!(count(&shop.app.db, "select on_hand - reserved from stock_level").await, 3);
        shop.verify().await;
    }

    async fn the_customers_limit_counts_all_orders(shop: TestShop) {
        stage(&shop.app.db, 1, 1).await;
        shop.app.db.script("update variant set limit_per_customer = 3").await.expect("limited");
        ask(&shop.app, receive(1, 1, 100)).await;
        let other = shop.second_node().await;
        let rush =
            (0..20).map(|n| ask(if n % 2 == 0 { &shop.app } else { &other }, sell(1, &[(1, 1)])));
        let outcomes = join_all(rush).await;
        let orders: Vec<_> = outcomes.iter().filter_map(placed).collect();
        assert_eq!(orders.len(), 3);
        let cancel = Cancel { order: orders[0], by: By::Staff(AccountId(1)) };
        ask(&shop.app, Asked { command: Command::Cancel(cancel), key: None }).await;
        assert!(placed(&ask(&shop.app, sell(1, &[(1, 1)])).await).is_some());
        let over = ask(&shop.app, sell(1, &[(1, 1)])).await;
        assert!(matches!(
            over,
            Outcome::Sell(SellOutcome::OverCustomerLimit { limit: 3, already: 3, .. })
        ));
        shop.verify().await;
    }

    async fn a_line_may_span_locations_and_never_more(shop: TestShop) {
        stage(&shop.app.db, 1, 1).await;
        shop.app
            .db
            .script(
                "insert into location (id, code, name, priority, active) values
                (2, 'b', 'B', 50, true), (3, 'c', 'C', 10, false);
                update id_sequence set next = 4 where name = 'location'",
            )
            .await
            .expect("locations");
        for (location, quantity) in [(1, 3), (2, 2), (3, 50)] {
            let moved = ask(&shop.app, receive(1, location, quantity)).await;
            assert!(matches!(moved, Outcome::Move(MoveOutcome::Moved(_))));
        }
        let too_many = ask(&shop.app, sell(1, &[(1, 6)])).await;
        let Outcome::Sell(SellOutcome::Short(short)) = too_many else { panic!("{too_many:?}") };
        assert_eq!((short[0].requested, short[0].available), (6, 5));
        let Outcome::Sell(SellOutcome::Placed(order)) = ask(&shop.app, sell(1, &[(1, 4)])).await
        else {
            panic!("placed")
        };
        // Priority 50 before 100; the inactive location is not sold from.
        let taken: Vec<i64> = order.allocations.iter().map(|part| part.quantity).collect();
        assert_eq!(taken, [2, 2]);
        assert_eq!(MAIN.0, 1);
        shop.verify().await;
    }
}
