//! Random histories: the rules in random batches, the rules one by one, and the naive model must
//! give the same outcomes and end in the same state.

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::Index;

use super::naive::{ACCOUNTS, LIMITED_PER_CUSTOMER, LOCATIONS, Naive, Shelf, VARIANTS};
use super::world::World;
use crate::ids::{AccountId, LocationId, OrderId, VariantId};
use crate::stock::{
    Adjust, Asked, By, Cancel, Change, Command, Key, LineRequest, Receive, Sell, Transfer,
};

/// Commands of a history, batches of a run.
const STEPS_MAX: usize = 60;
const BATCH_MAX: usize = 12;

/// One command of a history; orders are named when their ids are known.
#[derive(Debug, Clone)]
enum Step {
    Ask(Command),
    Cancel {
        order: Index,
        by: Who,
    },
    /// An earlier command once more, under the key that it had.
    Again(Index),
}

#[derive(Debug, Clone, Copy)]
enum Who {
    Owner,
    Stranger,
    Staff,
}

fn steps() -> impl Strategy<Value = Vec<(Step, Option<u8>)>> {
    let key = prop_oneof![2 => Just(None), 1 => (0..4_u8).prop_map(Some)];
    let opening = prop::collection::vec((receive().prop_map(Step::Ask), Just(None)), 0..6);
    let rest = prop::collection::vec((step(), key), 1..STEPS_MAX);
    (opening, rest).prop_map(|(opening, rest)| [opening, rest].concat())
}

fn step() -> impl Strategy<Value = Step> {
    let who = prop_oneof![3 => Just(Who::Owner), 1 => Just(Who::Stranger), 1 => Just(Who::Staff)];
    let cancel = (any::<Index>(), who).prop_map(|(order, by)| Step::Cancel { order, by });
    prop_oneof![
        10 => sell().prop_map(Step::Ask),
        4 => cancel,
        5 => receive().prop_map(Step::Ask),
        2 => adjust().prop_map(Step::Ask),
        2 => transfer().prop_map(Step::Ask),
        2 => any::<Index>().prop_map(Step::Again),
    ]
}

fn sell() -> impl Strategy<Value = Command> {
    let quantity = prop_oneof![1 => Just(0_i64), 20 => 1..4_i64, 4 => 4..12_i64];
    let line = (variant(), quantity)
        .prop_map(|(variant, quantity)| LineRequest { variant: VariantId(variant), quantity });
    let lines = prop_oneof![
        1 => Just(0..=0_usize),
        20 => Just(1..=3_usize),
    ]
    .prop_flat_map(move |count| prop::collection::vec(line.clone(), count));
    (account(), lines).prop_map(|(account, lines)| {
        let currency = "EUR".parse().expect("a currency");
        Command::Sell(Sell { account: AccountId(account), lines, currency, pay_within_s: None })
    })
}

/// Mostly existing ones, and of these few: histories should meet on one stock and one limit.
fn variant() -> impl Strategy<Value = i64> + Clone {
    prop_oneof![
        10 => 1..=2_i64,
        6 => Just(LIMITED_PER_CUSTOMER),
        8 => 1..=VARIANTS,
        1 => Just(VARIANTS + 1),
    ]
}

fn account() -> impl Strategy<Value = i64> {
    prop_oneof![12 => 1..ACCOUNTS, 1 => ACCOUNTS..=ACCOUNTS + 1]
}

fn location() -> impl Strategy<Value = i64> {
    prop_oneof![20 => 1..=LOCATIONS.len() as i64, 1 => Just(LOCATIONS.len() as i64 + 1)]
}

fn receive() -> impl Strategy<Value = Command> {
    let quantity = prop_oneof![1 => Just(0_i64), 12 => 1..12_i64];
    (variant(), location(), quantity).prop_map(|(variant, location, quantity)| {
        Command::Receive(Receive {
            variant: VariantId(variant),
            location: LocationId(location),
            quantity,
            actor: Some(AccountId(1)),
            reason: None,
        })
    })
}

fn adjust() -> impl Strategy<Value = Command> {
    let change = prop_oneof![
        (-6..6_i64).prop_map(Change::By),
        (0..12_i64).prop_map(Change::OnHand),
        (-2..8_i64).prop_map(Change::Available),
    ];
    (variant(), location(), change).prop_map(|(variant, location, change)| {
        Command::Adjust(Adjust {
            variant: VariantId(variant),
            location: LocationId(location),
            change,
            actor: AccountId(1),
            reason: "count".to_owned(),
        })
    })
}

fn transfer() -> impl Strategy<Value = Command> {
    let places = (location(), location());
    (variant(), places, 0..6_i64).prop_map(|(variant, (from, to), quantity)| {
        Command::Transfer(Transfer {
            variant: VariantId(variant),
            from: LocationId(from),
            to: LocationId(to),
            quantity,
            actor: AccountId(1),
            reason: None,
        })
    })
}

/// A history as it was asked, with what the naive model answered.
#[derive(Default)]
struct History {
    asked: Vec<Asked>,
    told: Vec<String>,
    /// The index of the command that placed order `i + 1`.
    placed_by: Vec<usize>,
    model: Naive,
}

impl History {
    fn of(steps: Vec<(Step, Option<u8>)>) -> Self {
        let mut history = Self::default();
        for (step, key) in steps {
            let asked = match step {
                Step::Ask(command) => keyed(command, key),
                Step::Cancel { order, by } => keyed(history.cancel(order, by), key),
                Step::Again(_) if history.asked.is_empty() => continue,
                Step::Again(earlier) => earlier.get(&history.asked).clone(),
            };
            history.told.push(history.model.ask(&asked));
            if history.model.orders() > history.placed_by.len() as i64 {
                history.placed_by.push(history.asked.len());
            }
            history.asked.push(asked);
        }
        history
    }

    /// Of an order placed before, or of one that there is not.
    fn cancel(&self, order: Index, by: Who) -> Command {
        let known = self.placed_by.len();
        let index = order.index(known + 1);
        let owner = match self.placed_by.get(index).map(|at| &self.asked[*at].command) {
            Some(Command::Sell(sell)) => sell.account,
            _ => AccountId(1),
        };
        let by = match by {
            Who::Owner => By::Owner(owner),
            Who::Stranger => By::Owner(AccountId(owner.0 % ACCOUNTS + 1)),
            Who::Staff => By::Staff(AccountId(1)),
        };
        let order = if index < known { index as i64 + 1 } else { 1_000_000 };
        Command::Cancel(Cancel { order: OrderId(order), by })
    }

    /// The history in batches of the given sizes, taken in a circle. Whoever cancels an order has
    /// been told its id, so the order's batch has been committed before.
    fn batches(&self, sizes: &[usize]) -> Vec<&[Asked]> {
        let mut batches = Vec::new();
        let (mut start, mut turn) = (0, 0);
        while start < self.asked.len() {
            let end = (start + sizes[turn % sizes.len()]).min(self.asked.len());
            let too_early = |at: &usize| match &self.asked[*at].command {
                Command::Cancel(cancel) => {
                    let placed = self.placed_by.get(cancel.order.0 as usize - 1);
                    placed.is_some_and(|placed| (start..*at).contains(placed))
                }
                _ => false,
            };
            let end = (start..end).find(too_early).unwrap_or(end);
            batches.push(&self.asked[start..end]);
            (start, turn) = (end, turn + 1);
        }
        batches
    }
}

/// The key belongs to whoever acts; the fingerprint is of the command.
fn keyed(command: Command, key: Option<u8>) -> Asked {
    let account = match &command {
        Command::Sell(sell) => sell.account,
        Command::Cancel(Cancel { by: By::Owner(account) | By::Staff(account), .. }) => *account,
        _ => AccountId(1),
    };
    let owner = account.into();
    let mut fingerprint = [0_u8; 32];
    for (at, byte) in format!("{command:?}").bytes().enumerate() {
        let cell = &mut fingerprint[at % 32];
        *cell = cell.wrapping_mul(31).wrapping_add(byte);
    }
    let key = key.map(|key| Key { owner, key: format!("key {key}"), fingerprint });
    Asked { command, key }
}

fn run(history: &History, sizes: &[usize]) -> (World, Vec<String>) {
    let now = Timestamp::UNIX_EPOCH;
    let mut world = World::default();
    let batches = history.batches(sizes);
    let told = batches.into_iter().flat_map(|batch| world.batch(now, batch)).collect();
    (world, told)
}

/// The naive model's shelves must be the world's levels.
fn shelves(world: &World) -> Vec<Shelf> {
    let shelf = |level: &crate::stock::Level| Shelf {
        variant: level.variant.0,
        location: level.location.0,
        on_hand: level.on_hand,
        reserved: level.reserved,
    };
    world.levels.values().map(shelf).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn histories_end_as_in_the_naive_model(
        steps in steps(),
        sizes in prop::collection::vec(1..=BATCH_MAX, 1..6),
    ) {
        let history = History::of(steps);
        let (many, told) = run(&history, &sizes);
        for ((asked, told), expected) in history.asked.iter().zip(&told).zip(&history.told) {
            prop_assert_eq!(told, expected, "{:?}", asked);
        }
        prop_assert_eq!(shelves(&many), history.model.shelves.clone());
        let (single, told_singly) = run(&history, &[1]);
        prop_assert_eq!(told, told_singly);
        prop_assert_eq!(many.state(), single.state());
    }
}

/// The generator must reach what it is for; a history without sales would prove little.
#[test]
fn histories_are_eventful() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for _ in 0..400 {
        let tree = steps().new_tree(&mut runner).expect("a history");
        for told in History::of(tree.current()).told {
            let word: String =
                told.chars().take_while(|c| !c.is_ascii_digit() && *c != '-').collect();
            *counts.entry(word).or_default() += 1;
        }
    }
    for wanted in [
        "order ",
        "cancelled ",
        "moved level ",
        "short ",
        "twice ",
        "line ",
        "inactive",
        "not for sale ",
        "again order ",
        "again moved level ",
        "key reused",
        "not found",
        "same location",
        "quantity ",
        "unknown variant ",
        "unknown location ",
    ] {
        let count = counts.get(wanted).copied().unwrap_or(0);
        assert!(count >= 10, "{wanted:?} came {count} times: {counts:#?}");
    }
}
