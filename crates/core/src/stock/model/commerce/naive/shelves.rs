//! The shelves: which units there are, and where each is.

use super::{Answer, At, Naive, Unit};
use crate::stock::Change;
use crate::stock::model::commerce::world::LOCATIONS;

impl Naive {
    /// For each level: units there, and of these those promised or held.
    pub(in super::super) fn shelves(&self) -> Vec<(i64, i64)> {
        let mut counts = vec![(0, 0); self.shelves.len()];
        for unit in &self.units {
            let count = &mut counts[unit.shelf];
            match unit.at {
                At::Free => count.0 += 1,
                At::Held(_) | At::Promised(..) => *count = (count.0 + 1, count.1 + 1),
                At::Gone(..) | At::Lost => {}
            }
        }
        counts
    }

    pub(super) fn turn(&mut self, level: i64, from: At, to: At, count: i64) {
        let shelf = level as usize - 1;
        let units = self.units.iter_mut().filter(|unit| unit.shelf == shelf && unit.at == from);
        let turned = units.take(count as usize).map(|unit| unit.at = to).count();
        assert_eq!(turned as i64, count, "{from:?} at level {level}");
    }

    pub(super) fn bought(&self, customer: &str, variant: i64) -> i64 {
        let counts = |unit: &&Unit| match unit.at {
            At::Promised(order, _) | At::Gone(order, _) => {
                self.orders[&order].customer == customer && self.shelves[unit.shelf].0 == variant
            }
            _ => false,
        };
        self.units.iter().filter(counts).count() as i64
    }

    pub(super) fn held(&self, basket: i64, variant: i64) -> i64 {
        let of =
            |unit: &&Unit| unit.at == At::Held(basket) && self.shelves[unit.shelf].0 == variant;
        self.units.iter().filter(of).count() as i64
    }

    /// Shelves of the variant, the one that is sold first first.
    fn order_of(&self, variant: i64) -> Vec<usize> {
        let of = |at: &usize| self.shelves[*at].0 == variant;
        let mut shelves: Vec<usize> = (0..self.shelves.len()).filter(of).collect();
        shelves.sort_by_key(|at| (priority(self.shelves[*at].1), *at));
        shelves
    }

    pub(super) fn free(&self, variant: i64) -> i64 {
        let sells = |unit: &&Unit| {
            let (of, location) = self.shelves[unit.shelf];
            of == variant && unit.at == At::Free && !self.closed.contains(&location)
        };
        self.units.iter().filter(sells).count() as i64
    }

    pub(super) fn take(&mut self, variant: i64, count: i64, to: At) {
        for _ in 0..count {
            let shelf = self.order_of(variant).into_iter().find(|shelf| {
                let open = !self.closed.contains(&self.shelves[*shelf].1);
                open && self.units.iter().any(|unit| unit.shelf == *shelf && unit.at == At::Free)
            });
            let shelf = shelf.expect("it was counted before");
            self.turn(shelf as i64 + 1, At::Free, to, 1);
        }
    }

    pub(super) fn put_back(&mut self, basket: i64, variant: i64, count: i64) {
        for _ in 0..count {
            let from = At::Held(basket);
            let shelf = self.order_of(variant).into_iter().rev().find(|shelf| {
                self.units.iter().any(|unit| unit.shelf == *shelf && unit.at == from)
            });
            let shelf = shelf.expect("no more is put back than was held");
            self.turn(shelf as i64 + 1, from, At::Free, 1);
        }
    }

    fn shelf(&mut self, variant: i64, location: i64) -> usize {
        let found = self.shelves.iter().position(|shelf| *shelf == (variant, location));
        found.unwrap_or_else(|| {
            self.shelves.push((variant, location));
            self.shelves.len() - 1
        })
    }

    pub(in super::super) fn receive(&mut self, variant: i64, location: i64, count: i64) {
        let shelf = self.shelf(variant, location);
        self.units.extend((0..count).map(|_| Unit { shelf, at: At::Free }));
    }

    pub(in super::super) fn adjust(
        &mut self,
        variant: i64,
        location: i64,
        change: Change,
    ) -> Answer {
        let known = self.shelves.iter().position(|shelf| *shelf == (variant, location));
        let (on_hand, reserved) = known.map_or((0, 0), |shelf| self.shelves()[shelf]);
        let after = match change {
            Change::By(more) => on_hand + more,
            Change::OnHand(counted) => counted,
            Change::Available(free) => reserved + free,
        };
        if after < reserved {
            return Err(format!("{after} below {reserved}"));
        }
        let shelf = self.shelf(variant, location);
        self.units.extend((on_hand..after).map(|_| Unit { shelf, at: At::Free }));
        self.turn(shelf as i64 + 1, At::Free, At::Lost, (on_hand - after).max(0));
        Ok(String::new())
    }
}

fn priority(location: i64) -> i64 {
    let found = LOCATIONS.iter().find(|(number, _)| *number == location);
    found.expect("a known location").1
}
