//! What happens in a random history, before it is known which baskets and orders there will be.

use proptest::prelude::*;
use proptest::sample::Index;

use super::world::{AMOUNT, LOCATIONS, PERCENT, VARIANTS};
use crate::stock::{Change, Gateway};

const STEPS: std::ops::Range<usize> = 10..120;

/// Places where somebody fills a basket: the accounts 1 to 4, and guests.
pub(super) const SLOTS: usize = 8;
/// The guest whose basket is in dollars.
pub(super) const DOLLAR_SLOT: usize = 7;

#[derive(Debug, Clone)]
pub(super) enum Step {
    /// So many seconds pass.
    Wait(i64),
    Price {
        variant: i64,
        minor: i64,
    },
    Enabled {
        variant: i64,
        enabled: bool,
    },
    Active {
        location: i64,
        active: bool,
    },
    HoldSeconds(i64),
    Code {
        slot: usize,
        code: Option<i64>,
    },
    SetLine {
        slot: usize,
        stale: bool,
        stranger: bool,
        variant: i64,
        quantity: i64,
    },
    Extend {
        slot: usize,
        stranger: bool,
    },
    Merge {
        guest: usize,
        account: usize,
        stranger: bool,
    },
    Checkout {
        slot: usize,
        stranger: bool,
        email: bool,
        confirm: Confirm,
        gateway: Gateway,
    },
    Sell {
        account: i64,
        lines: Vec<(i64, i64)>,
    },
    Receive {
        variant: i64,
        location: i64,
        quantity: i64,
    },
    Adjust {
        variant: i64,
        location: i64,
        change: Change,
    },
    Expire(Vec<i64>),
    Cancel {
        order: Index,
        by: Actor,
    },
    Act {
        order: Index,
        by: Actor,
        deed: Deed,
    },
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Confirm {
    Nothing,
    Right,
    Wrong,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Actor {
    Owner,
    Stranger,
    Staff,
    Shop,
}

#[derive(Debug, Clone)]
pub(super) enum Deed {
    Start(Gateway),
    PayManually,
    Seen(Index, Seen),
    Lapse,
    Refund(Option<i64>),
    RefundSeen(Index, bool),
    Fulfil(Option<Vec<(i64, i64)>>),
    Return(Option<Vec<(i64, i64)>>, bool),
    Close,
}

/// What a provider says of a payment.
#[derive(Debug, Clone, Copy)]
pub(super) enum Seen {
    Open,
    Authorised,
    Succeeded,
    OtherAmount(i64),
    OtherCurrency,
    Failed,
    Cancelled,
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let opening = prop::collection::vec(receive(), 4..12);
    let rest = prop::collection::vec(step(), STEPS);
    (opening, rest).prop_map(|(opening, rest)| [opening, rest].concat())
}

fn step() -> impl Strategy<Value = Step> {
    let wait = prop::sample::select(vec![1, 5, 20, 39, 40, 60, 99, 100, 101, 150, 301]);
    let enabled = (1..=VARIANTS, prop::bool::weighted(0.7))
        .prop_map(|(variant, enabled)| Step::Enabled { variant, enabled });
    let active = (location(), prop::bool::weighted(0.6))
        .prop_map(|(location, active)| Step::Active { location, active });
    let price =
        (1..=VARIANTS, 0..200_i64).prop_map(|(variant, minor)| Step::Price { variant, minor });
    let hold = prop::sample::select(vec![30, 100, 200]).prop_map(Step::HoldSeconds);
    let settings = prop_oneof![2 => enabled, 2 => active, 1 => price, 1 => hold];
    prop_oneof![
        10 => wait.prop_map(Step::Wait),
        2 => settings,
        40 => basket(),
        4 => sell(),
        6 => receive(),
        3 => adjust(),
        1 => prop::collection::vec(1..=VARIANTS, 1..3).prop_map(Step::Expire),
        2 => (any::<Index>(), actor()).prop_map(|(order, by)| Step::Cancel { order, by }),
        35 => act(),
    ]
}

fn basket() -> impl Strategy<Value = Step> {
    let code = prop::option::weighted(0.8, prop::sample::select(vec![PERCENT, AMOUNT]));
    let code = (slot(), code).prop_map(|(slot, code)| Step::Code { slot, code });
    let quantity = prop_oneof![2 => Just(0_i64), 20 => 1..4_i64, 5 => 4..9_i64, 1 => Just(-1)];
    let line = (slot(), prop::bool::weighted(0.1), rarely(), variant(), quantity).prop_map(
        |(slot, stale, stranger, variant, quantity)| Step::SetLine {
            slot,
            stale,
            stranger,
            variant,
            quantity,
        },
    );
    let extend = (slot(), rarely()).prop_map(|(slot, stranger)| Step::Extend { slot, stranger });
    let merge = (4..SLOTS, 0..4_usize, rarely())
        .prop_map(|(guest, account, stranger)| Step::Merge { guest, account, stranger });
    let confirm = prop_oneof![
        3 => Just(Confirm::Nothing),
        2 => Just(Confirm::Right),
        1 => Just(Confirm::Wrong),
    ];
    let checkout = (slot(), rarely(), prop::bool::weighted(0.9), confirm, gateway()).prop_map(
        |(slot, stranger, email, confirm, gateway)| Step::Checkout {
            slot,
            stranger,
            email,
            confirm,
            gateway,
        },
    );
    prop_oneof![8 => code, 16 => line, 4 => extend, 3 => merge, 9 => checkout]
}

fn rarely() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.06)
}

fn slot() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0..2_usize, 4 => 4..6_usize, 2 => 0..SLOTS]
}

/// Mostly a few of them: histories should meet on one stock and one limit.
fn variant() -> impl Strategy<Value = i64> + Clone {
    prop_oneof![8 => 1..=3_i64, 5 => 1..=VARIANTS, 1 => Just(VARIANTS + 1)]
}

fn location() -> impl Strategy<Value = i64> {
    1..=LOCATIONS.len() as i64
}

fn gateway() -> impl Strategy<Value = Gateway> {
    prop::sample::select(Gateway::ALL.to_vec())
}

fn actor() -> impl Strategy<Value = Actor> {
    prop_oneof![
        5 => Just(Actor::Owner),
        1 => Just(Actor::Stranger),
        3 => Just(Actor::Staff),
        3 => Just(Actor::Shop),
    ]
}

fn sell() -> impl Strategy<Value = Step> {
    let lines = prop::collection::btree_map(variant(), 1..4_i64, 1..3);
    (1..=5_i64, lines)
        .prop_map(|(account, lines)| Step::Sell { account, lines: lines.into_iter().collect() })
}

fn receive() -> impl Strategy<Value = Step> {
    (variant(), location(), 1..7_i64)
        .prop_filter("of what there is", |(variant, ..)| *variant <= VARIANTS)
        .prop_map(|(variant, location, quantity)| Step::Receive { variant, location, quantity })
}

fn adjust() -> impl Strategy<Value = Step> {
    let change = prop_oneof![
        (-4..4_i64).prop_map(Change::By),
        (0..6_i64).prop_map(Change::OnHand),
        (-1..4_i64).prop_map(Change::Available),
    ];
    (1..=VARIANTS, location(), change).prop_map(|(variant, location, change)| Step::Adjust {
        variant,
        location,
        change,
    })
}

fn act() -> impl Strategy<Value = Step> {
    let deed = prop_oneof![
        3 => gateway().prop_map(Deed::Start),
        2 => Just(Deed::PayManually),
        16 => (any::<Index>(), seen()).prop_map(|(payment, seen)| Deed::Seen(payment, seen)),
        8 => Just(Deed::Lapse),
        5 => prop::option::weighted(0.6, 0..200_i64).prop_map(Deed::Refund),
        5 => (any::<Index>(), prop::bool::weighted(0.6))
            .prop_map(|(refund, done)| Deed::RefundSeen(refund, done)),
        8 => parts().prop_map(Deed::Fulfil),
        5 => (parts(), any::<bool>()).prop_map(|(parts, restock)| Deed::Return(parts, restock)),
        2 => Just(Deed::Close),
    ];
    (any::<Index>(), actor(), deed).prop_map(|(order, by, deed)| Step::Act { order, by, deed })
}

fn parts() -> impl Strategy<Value = Option<Vec<(i64, i64)>>> {
    let part =
        (prop_oneof![12 => 1..=2_i64, 1 => Just(9)], prop_oneof![12 => 1..=2_i64, 1 => 0..9_i64]);
    prop::option::weighted(0.6, prop::collection::vec(part, 1..3))
}

fn seen() -> impl Strategy<Value = Seen> {
    prop_oneof![
        1 => Just(Seen::Open),
        1 => Just(Seen::Authorised),
        8 => Just(Seen::Succeeded),
        1 => (-5..200_i64).prop_map(Seen::OtherAmount),
        1 => Just(Seen::OtherCurrency),
        1 => Just(Seen::Failed),
        1 => Just(Seen::Cancelled),
    ]
}
