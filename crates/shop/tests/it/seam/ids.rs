//! Ids from sequences in blocks.

use std::collections::HashSet;

use futures::future::join_all;
use runout_store::Ids;

use crate::on_both_engines;
use crate::support::stage::count;

const NEXT: &str = "select next from id_sequence where name = 'audit'";

on_both_engines! {
    async fn ids_are_unique_on_two_nodes_at_once(shop: TestShop) {
        let other = shop.second_node().await;
        let nodes = [(&shop.app.db, Ids::new("audit", 10)), (&other.db, Ids::new("audit", 10))];
        let takes = (0..300_i64).map(|n| {
            let (db, ids) = &nodes[usize::from(n % 2 == 0)];
            // Some takes are larger than a block.
            async move { ids.take(db, n % 13).await.expect("ids") }
        });
        let taken: Vec<i64> = join_all(takes).await.into_iter().flatten().collect();
        let unique: HashSet<i64> = taken.iter().copied().collect();
        assert_eq!(unique.len(), taken.len(), "an id was given twice");
        assert_eq!(taken.len() as i64, (0..300_i64).map(|n| n % 13).sum::<i64>());
        let next = count(&shop.app.db, NEXT).await;
        assert!(taken.iter().all(|id| (1..next).contains(id)), "ids are below the sequence");
    }

    async fn one_node_leaves_no_gap(shop: TestShop) {
        let db = &shop.app.db;
        let ids = Ids::new("audit", 10);
        assert_eq!(ids.take(db, 4).await.expect("ids"), 1..5);
        // Across a block's end: the next block follows.
        assert_eq!(ids.take(db, 8).await.expect("ids"), 5..13);
        ids.give_back(9..13);
        assert_eq!(ids.take(db, 1).await.expect("ids"), 9..10);
        // Older ones than the newest handed out cannot be taken back.
        ids.give_back(5..6);
        assert_eq!(ids.take(db, 1).await.expect("ids"), 10..11);
        ids.release(db).await.expect("released");
        assert_eq!(count(db, NEXT).await, 11);
        let after = Ids::new("audit", 10);
        assert_eq!(after.take(db, 2).await.expect("ids"), 11..13);
        // A pool that is empty gives nothing back, and can be used again.
        ids.release(db).await.expect("released");
        assert_eq!(ids.take(db, 1).await.expect("ids"), 21..22);
        // Another has taken a block since: the rest of this one is a gap, not somebody's twice.
        after.release(db).await.expect("released");
        assert_eq!(count(db, NEXT).await, 31);
    }

    async fn an_unknown_sequence_is_an_error(shop: TestShop) {
        let ids = Ids::new("nothing", 10);
        assert!(ids.take(&shop.app.db, 1).await.is_err());
    }
}
