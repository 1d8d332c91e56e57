//! What baskets hold and orders are promised, a second time and as simply as possible: every unit
//! by itself, every lapse at once. Shares no code with the rules. What becomes of orders after
//! they were placed is told to it; whether stock suffices, for whom and until when is its own word.

mod shelves;

use std::collections::{BTreeMap, BTreeSet};

use super::world::{
    ACCOUNTS, HOLD_LIFE_S, HOLD_S, INACTIVE, LIMIT, LIMITED_PER_CUSTOMER, LIMITED_PER_ORDER,
    RELEASE_S, SHORT_HOLD_S, SHORTLY_HELD, UNRELEASED, VARIANTS,
};

/// Where a unit is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum At {
    Free,
    Held(i64),
    Promised(i64, i64),
    Gone(i64, i64),
    Lost,
}

#[derive(Debug)]
struct Unit {
    shelf: usize,
    at: At,
}

/// Who opens a basket: an account, or a secret.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Opener {
    Account(i64),
    Secret(u8),
}

#[derive(Debug)]
struct Basket {
    opener: Opener,
    currency: &'static str,
    /// What it became, in words.
    over: Option<String>,
    lines: BTreeMap<i64, Line>,
}

#[derive(Debug, Clone, Copy)]
struct Line {
    wanted: i64,
    since: i64,
    until: i64,
}

#[derive(Debug)]
struct Order {
    customer: String,
    lines: Vec<(i64, i64)>,
}

/// One unit after another.
#[derive(Debug)]
pub(super) struct Naive {
    now: i64,
    pub hold_s: i64,
    pub disabled: BTreeSet<i64>,
    pub closed: BTreeSet<i64>,
    /// Variant and location: the level with id `i + 1`.
    shelves: Vec<(i64, i64)>,
    units: Vec<Unit>,
    baskets: BTreeMap<i64, Basket>,
    orders: BTreeMap<i64, Order>,
}

type Answer = Result<String, String>;

impl Naive {
    pub(super) fn new() -> Self {
        Self {
            now: 0,
            hold_s: HOLD_S,
            disabled: BTreeSet::new(),
            closed: BTreeSet::new(),
            shelves: Vec::new(),
            units: Vec::new(),
            baskets: BTreeMap::new(),
            orders: BTreeMap::new(),
        }
    }

    /// Time passes; what has lapsed is free.
    pub(super) fn at(&mut self, now: i64) {
        self.now = now;
        for unit in &mut self.units {
            if let At::Held(basket) = unit.at {
                let (variant, _) = self.shelves[unit.shelf];
                if self.baskets[&basket].lines[&variant].until <= now {
                    unit.at = At::Free;
                }
            }
        }
    }

    pub(super) fn open_basket(&mut self, id: i64, opener: Opener, currency: &'static str) {
        let basket = Basket { opener, currency, over: None, lines: BTreeMap::new() };
        self.baskets.insert(id, basket);
    }

    // Baskets.

    pub(super) fn set_line(&mut self, id: i64, by: Opener, variant: i64, count: i64) -> Answer {
        self.usable(id, by)?;
        if !(0..=10_000).contains(&count) {
            return Err(format!("quantity {count}"));
        }
        if count == 0 {
            self.put_back(id, variant, self.held(id, variant));
            self.basket(id).lines.remove(&variant);
            return Ok(self.refreshed(id));
        }
        if let Some(reason) = self.not_for_sale(variant) {
            return Err(format!("not for sale {reason}"));
        }
        let mine = self.held(id, variant);
        self.limited(id, variant, count)?;
        let there = self.free(variant) + mine;
        if there < count {
            return Err(format!("short {variant} {there}/{count}"));
        }
        if mine < count {
            self.take(variant, count - mine, At::Held(id));
        } else {
            self.put_back(id, variant, mine - count);
        }
        let now = self.now;
        let line = self.basket(id).lines.entry(variant).or_insert(Line {
            wanted: 0,
            since: now,
            until: now,
        });
        line.wanted = count;
        if mine == 0 {
            (line.since, line.until) = (now, now);
        }
        Ok(self.refreshed(id))
    }

    pub(super) fn extend(&mut self, id: i64, by: Opener) -> Answer {
        self.usable(id, by)?;
        Ok(self.refreshed(id))
    }

    pub(super) fn merge(&mut self, guest: i64, secret: Opener, account: i64, into: i64) -> Answer {
        self.usable(guest, secret)?;
        self.usable(into, Opener::Account(account))?;
        if self.baskets[&guest].currency != self.baskets[&into].currency {
            return Err("other currency".to_owned());
        }
        for (variant, theirs) in std::mem::take(&mut self.basket(guest).lines) {
            let mine = self.baskets[&into].lines.get(&variant).copied();
            let (from, to) = (self.held(guest, variant), self.held(into, variant));
            for unit in self.units.iter_mut().filter(|unit| unit.at == At::Held(guest)) {
                if self.shelves[unit.shelf].0 == variant {
                    unit.at = At::Held(into);
                }
            }
            let mut line = match mine {
                Some(mine) if from > 0 && to > 0 => Line {
                    wanted: 0,
                    since: mine.since.min(theirs.since),
                    until: mine.until.min(theirs.until),
                },
                Some(mine) if to > 0 => mine,
                _ => theirs,
            };
            let wanted = theirs.wanted + mine.map_or(0, |mine| mine.wanted);
            line.wanted = wanted.min(self.most(account, into, variant));
            let missing = line.wanted - (from + to);
            if missing < 0 {
                self.put_back(into, variant, -missing);
            } else if from + to > 0 && missing > 0 {
                if self.not_for_sale(variant).is_none() && self.free(variant) >= missing {
                    self.take(variant, missing, At::Held(into));
                } else {
                    line.wanted = from + to;
                }
            }
            if line.wanted > 0 {
                self.basket(into).lines.insert(variant, line);
            } else {
                self.basket(into).lines.remove(&variant);
            }
        }
        self.basket(guest).over = Some("merged".to_owned());
        Ok(self.refreshed(into))
    }

    /// Refuses, or says that money alone can refuse now.
    pub(super) fn may_check_out(&self, id: i64, by: Opener, email: Option<&str>) -> Answer {
        let basket = self.baskets.get(&id).filter(|basket| basket.opener == by);
        let basket = basket.ok_or("not found")?;
        if let Some(over) = &basket.over {
            return Err(over.clone());
        }
        if basket.opener == Opener::Account(INACTIVE) {
            return Err("inactive".to_owned());
        }
        let customer = match basket.opener {
            Opener::Account(account) => account.to_string(),
            Opener::Secret(_) => email.ok_or("email missing")?.to_owned(),
        };
        if basket.lines.is_empty() {
            return Err("empty".to_owned());
        }
        let refused: Vec<String> =
            basket.lines.keys().filter_map(|variant| self.not_for_sale(*variant)).collect();
        if !refused.is_empty() {
            return Err(format!("not for sale {}", refused.join(", ")));
        }
        for (variant, line) in &basket.lines {
            self.limited(id, *variant, line.wanted)?;
            let already = self.bought(&customer, *variant);
            let guest = matches!(basket.opener, Opener::Secret(_));
            if guest && *variant == LIMITED_PER_CUSTOMER && already + line.wanted > LIMIT {
                return Err(format!("{variant} at most {LIMIT}, already {already}"));
            }
        }
        let short = |(variant, line): (&i64, &Line)| {
            let there = self.free(*variant);
            let lapsed = self.held(id, *variant) == 0 && there < line.wanted;
            lapsed.then(|| format!("{variant} {there}/{}", line.wanted))
        };
        let short: Vec<String> = basket.lines.iter().filter_map(short).collect();
        if !short.is_empty() {
            return Err(format!("short {}", short.join(", ")));
        }
        Ok(customer)
    }

    /// The basket becomes the order.
    pub(super) fn check_out(&mut self, id: i64, customer: &str, order: i64) {
        let lines = self.baskets[&id].lines.clone();
        for (number, (variant, line)) in (1..).zip(&lines) {
            if self.held(id, *variant) == 0 {
                self.take(*variant, line.wanted, At::Held(id));
            }
            for unit in self.units.iter_mut().filter(|unit| unit.at == At::Held(id)) {
                if self.shelves[unit.shelf].0 == *variant {
                    unit.at = At::Promised(order, number);
                }
            }
        }
        self.basket(id).over = Some(format!("ordered as {order}"));
        let lines = lines.into_iter().map(|(variant, line)| (variant, line.wanted)).collect();
        self.orders.insert(order, Order { customer: customer.to_owned(), lines });
    }

    fn basket(&mut self, id: i64) -> &mut Basket {
        self.baskets.get_mut(&id).expect("a known basket")
    }

    fn usable(&self, id: i64, by: Opener) -> Result<(), String> {
        let basket = self.baskets.get(&id).filter(|basket| basket.opener == by);
        let basket = basket.ok_or("not found")?;
        if let Some(over) = &basket.over {
            return Err(over.clone());
        }
        if by == Opener::Account(INACTIVE) { Err("inactive".to_owned()) } else { Ok(()) }
    }

    fn hold_s(&self, variant: i64) -> i64 {
        if variant == SHORTLY_HELD { SHORT_HOLD_S } else { self.hold_s }
    }

    /// Every line lives as long as it may from now on; a lapsed one is taken anew if it can be had.
    fn refreshed(&mut self, id: i64) -> String {
        let variants: Vec<i64> = self.baskets[&id].lines.keys().copied().collect();
        for variant in &variants {
            let line = self.baskets[&id].lines[variant];
            let (hold_s, now) = (self.hold_s(*variant), self.now);
            let for_sale = self.not_for_sale(*variant).is_none();
            let lives = self.held(id, *variant) > 0;
            if lives && for_sale {
                let until = (now + hold_s).min(line.since + HOLD_LIFE_S).max(line.until);
                self.basket(id).lines.insert(*variant, Line { until, ..line });
            } else if !lives
                && for_sale
                && self.limited(id, *variant, line.wanted).is_ok()
                && self.free(*variant) >= line.wanted
            {
                let line = Line { since: now, until: now + hold_s, ..line };
                self.basket(id).lines.insert(*variant, line);
                self.take(*variant, line.wanted, At::Held(id));
            }
        }
        let told = variants.iter().map(|variant| {
            let line = self.baskets[&id].lines[variant];
            let held = self.held(id, *variant);
            let until = if held > 0 { format!(" until {}", line.until) } else { String::new() };
            format!("{variant}:{held}/{}{until}", line.wanted)
        });
        format!("kept {}", told.collect::<Vec<_>>().join(", "))
    }

    fn not_for_sale(&self, variant: i64) -> Option<String> {
        if !(1..=VARIANTS).contains(&variant) || self.disabled.contains(&variant) {
            Some(format!("{variant} unknown"))
        } else if variant == UNRELEASED && self.now < RELEASE_S {
            Some(format!("{variant} until 1970-01-01T00:03:20Z"))
        } else {
            None
        }
    }

    /// What the basket's account has of a limited variant, in orders and in other baskets.
    fn elsewhere(&self, account: i64, id: i64, variant: i64) -> i64 {
        let others = self
            .baskets
            .iter()
            .filter(|(other, basket)| **other != id && basket.opener == Opener::Account(account));
        let held: i64 = others.map(|(other, _)| self.held(*other, variant)).sum();
        held + self.bought(&account.to_string(), variant)
    }

    fn limited(&self, id: i64, variant: i64, count: i64) -> Result<(), String> {
        if variant == LIMITED_PER_ORDER && count > LIMIT {
            return Err(format!("{variant} at most {LIMIT}"));
        }
        if variant == LIMITED_PER_CUSTOMER {
            let already = match self.baskets[&id].opener {
                Opener::Account(account) => self.elsewhere(account, id, variant),
                Opener::Secret(_) => 0,
            };
            if already + count > LIMIT {
                return Err(format!("{variant} at most {LIMIT}, already {already}"));
            }
        }
        Ok(())
    }

    fn most(&self, account: i64, into: i64, variant: i64) -> i64 {
        match variant {
            LIMITED_PER_ORDER => LIMIT,
            LIMITED_PER_CUSTOMER => (LIMIT - self.elsewhere(account, into, variant)).max(0),
            _ => 10_000,
        }
    }

    // Orders.

    pub(super) fn sell(&mut self, account: i64, lines: &[(i64, i64)], order: i64) -> Answer {
        if account == INACTIVE || account > ACCOUNTS {
            return Err("inactive".to_owned());
        }
        let refused: Vec<String> =
            lines.iter().filter_map(|(variant, _)| self.not_for_sale(*variant)).collect();
        if !refused.is_empty() {
            return Err(format!("not for sale {}", refused.join(", ")));
        }
        for (variant, count) in lines {
            if *variant == LIMITED_PER_ORDER && *count > LIMIT {
                return Err(format!("{variant} at most {LIMIT}"));
            }
            let already = self.elsewhere(account, 0, *variant);
            if *variant == LIMITED_PER_CUSTOMER && already + count > LIMIT {
                return Err(format!("{variant} at most {LIMIT}, already {already}"));
            }
        }
        let short = lines.iter().filter(|(variant, count)| self.free(*variant) < *count);
        let short: Vec<String> = short
            .map(|(variant, count)| format!("{variant} {}/{count}", self.free(*variant)))
            .collect();
        if !short.is_empty() {
            return Err(format!("short {}", short.join(", ")));
        }
        let customer = account.to_string();
        self.orders.insert(order, Order { customer, lines: lines.to_vec() });
        self.promise(order);
        Ok(format!("order {order}"))
    }

    fn promise(&mut self, order: i64) {
        for (number, (variant, count)) in (1..).zip(self.orders[&order].lines.clone()) {
            self.take(variant, count, At::Promised(order, number));
        }
    }

    /// The order ended: what has not left is free again.
    pub(super) fn released(&mut self, order: i64) {
        for unit in &mut self.units {
            if matches!(unit.at, At::Promised(of, _) if of == order) {
                unit.at = At::Free;
            }
        }
    }

    /// Whether a lapsed order can be had again: all of its units, and within the limits.
    pub(super) fn could_reinstate(&self, order: i64) -> bool {
        let Order { customer, lines } = &self.orders[&order];
        lines.iter().all(|(variant, count)| {
            let limited =
                *variant == LIMITED_PER_CUSTOMER && self.bought(customer, *variant) + count > LIMIT;
            self.free(*variant) >= *count && !limited
        })
    }

    pub(super) fn reinstated(&mut self, order: i64) {
        self.promise(order);
    }

    /// So many units of a line left from a shelf.
    pub(super) fn shipped(&mut self, order: i64, line: i64, level: i64, count: i64) {
        self.turn(level, At::Promised(order, line), At::Gone(order, line), count);
    }

    /// So many came back to be sold again. Those that were sold still count for their buyer.
    pub(super) fn restocked(&mut self, level: i64, count: i64) {
        let shelf = level as usize - 1;
        self.units.extend((0..count).map(|_| Unit { shelf, at: At::Free }));
    }
}
