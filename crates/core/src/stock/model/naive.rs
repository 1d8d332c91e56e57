//! The rules a second time, as simply as possible: plain counters, unit by unit, one command at a
//! time. Shares no code with the rules.

use std::collections::BTreeMap;

use crate::stock::{Asked, By, Change, Command, Sell};

/// The world of the random histories.
pub(super) const ACCOUNTS: i64 = 4;
pub(super) const INACTIVE_ACCOUNT: i64 = 4;
pub(super) const VARIANTS: i64 = 6;
pub(super) const PRICE_MINOR: i64 = 100;
/// At most this many of [`LIMITED_PER_ORDER`] in one order.
pub(super) const PER_ORDER: i64 = 3;
pub(super) const LIMITED_PER_ORDER: i64 = 4;
/// At most this many of [`LIMITED_PER_CUSTOMER`] to one customer.
pub(super) const PER_CUSTOMER: i64 = 5;
pub(super) const LIMITED_PER_CUSTOMER: i64 = 5;
pub(super) const WITHOUT_PRICE: i64 = 6;
/// Number, priority, active: two share a priority, one does not sell.
pub(super) const LOCATIONS: [(i64, i64, bool); 4] =
    [(1, 100, true), (2, 50, true), (3, 50, true), (4, 10, false)];

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shelf {
    pub variant: i64,
    pub location: i64,
    pub on_hand: i64,
    pub reserved: i64,
}

#[derive(Debug)]
struct Order {
    account: i64,
    stands: bool,
    /// Shelf index and variant, one entry per unit.
    units: Vec<(usize, i64)>,
}

/// Counters, and orders as lists of single units.
#[derive(Debug, Default)]
pub(super) struct Naive {
    /// The level with id `i + 1`.
    pub shelves: Vec<Shelf>,
    orders: BTreeMap<i64, Order>,
    keys: BTreeMap<(i64, String), ([u8; 32], String)>,
}

impl Naive {
    /// Orders placed so far: their ids are 1 to this.
    pub(super) fn orders(&self) -> i64 {
        self.orders.len() as i64
    }

    /// Does the command and tells its outcome, in the words of [`super::told`].
    pub(super) fn ask(&mut self, asked: &Asked) -> String {
        let key = asked.key.as_ref().map(|key| ((key.owner.0, key.key.clone()), key.fingerprint));
        if let Some((name, fingerprint)) = &key
            && let Some((known, answer)) = self.keys.get(name)
        {
            return if known == fingerprint { answer.clone() } else { "key reused".to_owned() };
        }
        // Left: refused. Right: the answer to a repetition, and the answer.
        let done = match &asked.command {
            Command::Sell(sell) => self.sell(sell),
            Command::Cancel(cancel) => self.cancel(cancel.order.0, cancel.by),
            Command::Receive(command) => {
                self.receive(command.variant.0, command.location.0, command.quantity)
            }
            Command::Adjust(command) => {
                self.adjust(command.variant.0, command.location.0, command.change)
            }
            Command::Transfer(command) => {
                let (from, to) = (command.from.0, command.to.0);
                self.transfer(command.variant.0, from, to, command.quantity)
            }
            other => panic!("these histories have no {other:?}"),
        };
        match done {
            Ok((again, answer)) => {
                if let Some((name, fingerprint)) = key {
                    self.keys.insert(name, (fingerprint, format!("again {again}")));
                }
                answer
            }
            Err(refusal) => refusal,
        }
    }

    fn sell(&mut self, sell: &Sell) -> Result<(String, String), String> {
        let wanted: Vec<(i64, i64)> =
            sell.lines.iter().map(|line| (line.variant.0, line.quantity)).collect();
        let account = sell.account.0;
        self.refuse(account, &wanted)?;
        let mut short = Vec::new();
        for (variant, quantity) in &wanted {
            let free: i64 = (0..self.shelves.len())
                .filter(|at| self.shelves[*at].variant == *variant && self.sells(*at))
                .map(|at| self.shelves[at].on_hand - self.shelves[at].reserved)
                .sum();
            if free < *quantity {
                short.push(format!("{variant} {free}/{quantity}"));
            }
        }
        if !short.is_empty() {
            return Err(format!("short {}", short.join(", ")));
        }
        let mut units = Vec::new();
        for (variant, quantity) in &wanted {
            for _ in 0..*quantity {
                let shelf = self.next_shelf(*variant);
                self.shelves[shelf].reserved += 1;
                units.push((shelf, *variant));
            }
        }
        let id = self.orders() + 1;
        let mut parts: Vec<(usize, i64)> = Vec::new();
        for (shelf, _) in &units {
            match parts.last_mut() {
                Some((last, count)) if last == shelf => *count += 1,
                _ => parts.push((*shelf, 1)),
            }
        }
        let parts: Vec<String> =
            parts.iter().map(|(shelf, count)| format!("{count} of level {}", shelf + 1)).collect();
        let total = units.len() as i64 * PRICE_MINOR;
        self.orders.insert(id, Order { account, stands: true, units });
        Ok((format!("order {id}"), format!("order {id}, {total}: {}", parts.join(", "))))
    }

    fn refuse(&self, account: i64, wanted: &[(i64, i64)]) -> Result<(), String> {
        if account == INACTIVE_ACCOUNT || account > ACCOUNTS {
            return Err("inactive".to_owned());
        }
        if wanted.is_empty() {
            return Err("0 lines".to_owned());
        }
        for (at, (variant, quantity)) in wanted.iter().enumerate() {
            if *quantity < 1 {
                return Err(format!("line {at} of {quantity}"));
            }
            if wanted.iter().take(at).any(|(earlier, _)| earlier == variant) {
                return Err(format!("twice {variant}"));
            }
        }
        let mut refused = Vec::new();
        for (variant, _) in wanted {
            if *variant > VARIANTS {
                refused.push(format!("{variant} unknown"));
            } else if *variant == WITHOUT_PRICE {
                refused.push(format!("{variant} without price"));
            }
        }
        if !refused.is_empty() {
            return Err(format!("not for sale {}", refused.join(", ")));
        }
        for (variant, quantity) in wanted {
            if *variant == LIMITED_PER_ORDER && *quantity > PER_ORDER {
                return Err(format!("{variant} at most {PER_ORDER}"));
            }
            if *variant == LIMITED_PER_CUSTOMER {
                let mine = self.orders.values().filter(|order| order.account == account);
                let units = mine.filter(|order| order.stands).flat_map(|order| &order.units);
                let already = units.filter(|(_, unit)| unit == variant).count() as i64;
                if already + quantity > PER_CUSTOMER {
                    return Err(format!("{variant} at most {PER_CUSTOMER}, already {already}"));
                }
            }
        }
        Ok(())
    }

    fn sells(&self, shelf: usize) -> bool {
        place(self.shelves[shelf].location).is_some_and(|(_, active)| active)
    }

    /// Where the next unit of the variant is taken from.
    fn next_shelf(&self, variant: i64) -> usize {
        let mut best: Option<(i64, usize)> = None;
        for (at, shelf) in self.shelves.iter().enumerate() {
            let (priority, active) = place(shelf.location).expect("shelves are at known places");
            let fits = shelf.variant == variant && active && shelf.on_hand > shelf.reserved;
            if fits && best.is_none_or(|(found, _)| priority < found) {
                best = Some((priority, at));
            }
        }
        best.expect("something is free").1
    }

    fn cancel(&mut self, id: i64, by: By) -> Result<(String, String), String> {
        let order = self.orders.get_mut(&id).ok_or("not found")?;
        if let By::Owner(account) = by
            && account.0 != order.account
        {
            return Err("not found".to_owned());
        }
        let again = format!("order {id}");
        if !order.stands {
            return Ok((again, format!("cancelled {id} before")));
        }
        order.stands = false;
        for (shelf, _) in &order.units {
            self.shelves[*shelf].reserved -= 1;
        }
        Ok((again, format!("cancelled {id}")))
    }

    fn receive(
        &mut self,
        variant: i64,
        place: i64,
        count: i64,
    ) -> Result<(String, String), String> {
        known(variant, &[place])?;
        if count < 1 {
            return Err(format!("quantity {count}"));
        }
        let shelf = self.shelf(variant, place);
        self.shelves[shelf].on_hand += count;
        Ok(self.moved(&[shelf]))
    }

    fn adjust(
        &mut self,
        variant: i64,
        place: i64,
        change: Change,
    ) -> Result<(String, String), String> {
        known(variant, &[place])?;
        let (on_hand, reserved) = self.counted(variant, place);
        let after = match change {
            Change::By(more) => on_hand + more,
            Change::OnHand(counted) => counted,
            Change::Available(free) => free + reserved,
        };
        if after < reserved {
            return Err(format!("{after} below {reserved}"));
        }
        let shelf = self.shelf(variant, place);
        self.shelves[shelf].on_hand = after;
        Ok(self.moved(&[shelf]))
    }

    fn transfer(
        &mut self,
        variant: i64,
        from: i64,
        to: i64,
        count: i64,
    ) -> Result<(String, String), String> {
        known(variant, &[from, to])?;
        if from == to {
            return Err("same location".to_owned());
        }
        if count < 1 {
            return Err(format!("quantity {count}"));
        }
        let (on_hand, reserved) = self.counted(variant, from);
        if on_hand - reserved < count {
            return Err(format!("short {}/{count}", on_hand - reserved));
        }
        let (from, to) = (self.shelf(variant, from), self.shelf(variant, to));
        self.shelves[from].on_hand -= count;
        self.shelves[to].on_hand += count;
        Ok(self.moved(&[from, to]))
    }

    fn find(&self, variant: i64, location: i64) -> Option<usize> {
        self.shelves.iter().position(|s| s.variant == variant && s.location == location)
    }

    fn counted(&self, variant: i64, location: i64) -> (i64, i64) {
        let shelf = self.find(variant, location).map(|at| &self.shelves[at]);
        shelf.map_or((0, 0), |shelf| (shelf.on_hand, shelf.reserved))
    }

    fn shelf(&mut self, variant: i64, location: i64) -> usize {
        self.find(variant, location).unwrap_or_else(|| {
            self.shelves.push(Shelf { variant, location, on_hand: 0, reserved: 0 });
            self.shelves.len() - 1
        })
    }

    fn moved(&self, shelves: &[usize]) -> (String, String) {
        let level = |at: &usize| {
            let Shelf { on_hand, reserved, .. } = &self.shelves[*at];
            format!("level {}: {on_hand}-{reserved}", at + 1)
        };
        let levels: Vec<String> = shelves.iter().map(level).collect();
        let answer = format!("moved {}", levels.join(", "));
        (answer.clone(), answer)
    }
}

fn place(location: i64) -> Option<(i64, bool)> {
    let found = LOCATIONS.iter().find(|(number, ..)| *number == location)?;
    Some((found.1, found.2))
}

fn known(variant: i64, places: &[i64]) -> Result<(), String> {
    if variant > VARIANTS {
        return Err(format!("unknown variant {variant}"));
    }
    match places.iter().find(|location| place(**location).is_none()) {
        Some(location) => Err(format!("unknown location {location}")),
        None => Ok(()),
    }
}
