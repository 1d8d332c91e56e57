use proptest::prelude::*;

use super::*;

const EVENT: EventId = EventId(1);

fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("a moment")
}

fn event(capacity: Option<i64>) -> Event {
    Event {
        capacity,
        ends_at: moment(1_000),
        cancelled: false,
        ticketed: false,
        attending: 0,
        waiting: 0,
        places: 0,
    }
}

fn ask(account: i64, wish: Wish) -> Command {
    Command { event: EVENT, account: AccountId(account), wish }
}

/// An event with its lists, kept in the plainest way.
#[derive(Debug, Default)]
struct Naive {
    capacity: Option<usize>,
    attending: Vec<i64>,
    waiting: Vec<i64>,
}

impl Naive {
    fn decide(&mut self, command: Command) -> Outcome {
        let account = command.account.0;
        let comes = self.attending.contains(&account);
        let waits = self.waiting.contains(&account);
        match command.wish {
            Wish::SignUp if comes => Outcome::SignedUp { state: State::Attending, already: true },
            Wish::SignUp if waits => Outcome::SignedUp { state: State::Waiting, already: true },
            Wish::SignUp if self.capacity.is_none_or(|most| self.attending.len() < most) => {
                self.attending.push(account);
                Outcome::SignedUp { state: State::Attending, already: false }
            }
            Wish::SignUp => {
                self.waiting.push(account);
                Outcome::SignedUp { state: State::Waiting, already: false }
            }
            Wish::Withdraw if comes => {
                self.attending.retain(|other| *other != account);
                if !self.waiting.is_empty() {
                    self.attending.push(self.waiting.remove(0));
                }
                Outcome::Withdrawn
            }
            Wish::Withdraw if waits => {
                self.waiting.retain(|other| *other != account);
                Outcome::Withdrawn
            }
            Wish::Withdraw => Outcome::NotSignedUp,
        }
    }
}

/// What is stored between batches.
#[derive(Debug)]
struct Stored {
    event: Event,
    rows: BTreeMap<i64, Attendance>,
}

impl Stored {
    /// Loads as much as the rule asks for and no more.
    fn snapshot(&self, commands: &[Command]) -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.events.insert(EVENT, self.event.clone());
        for command in commands {
            if let Some(row) = self.rows.get(&command.account.0) {
                snapshot.attendances.insert((EVENT, command.account), *row);
            }
        }
        let withdrawals = commands.iter().filter(|c| c.wish == Wish::Withdraw).count();
        let mut waiting: Vec<(i64, AccountId)> = self
            .rows
            .iter()
            .filter(|(_, row)| row.state == State::Waiting)
            .map(|(account, row)| (row.place, AccountId(*account)))
            .collect();
        waiting.sort_unstable();
        snapshot.heads.insert(EVENT, waiting.into_iter().take(withdrawals).collect());
        snapshot
    }

    fn run(&mut self, commands: &[Command]) -> (Vec<Outcome>, Difference) {
        let mut snapshot = self.snapshot(commands);
        let before = snapshot.events.clone();
        let outcomes = decide_all(&mut snapshot, moment(1), commands);
        let difference = snapshot.into_difference(&before);
        for (_, event) in &difference.events {
            self.event = event.clone();
        }
        for ((_, account), row) in &difference.attendances {
            match row {
                Some(row) => self.rows.insert(account.0, *row),
                None => self.rows.remove(&account.0),
            };
        }
        (outcomes, difference)
    }

    fn of(&self, state: State) -> Vec<i64> {
        let mut rows: Vec<_> = self.rows.iter().filter(|(_, row)| row.state == state).collect();
        rows.sort_unstable_by_key(|(_, row)| row.place);
        rows.into_iter().map(|(account, _)| *account).collect()
    }
}

fn commands() -> impl Strategy<Value = Vec<Command>> {
    let one = (1..12i64, prop::bool::weighted(0.6)).prop_map(|(account, signs_up)| {
        ask(account, if signs_up { Wish::SignUp } else { Wish::Withdraw })
    });
    prop::collection::vec(one, 1..12)
}

proptest! {
    #[test]
    fn batches_do_what_a_plain_list_would_do(
        capacity in prop::option::of(1..6i64),
        batches in prop::collection::vec(commands(), 1..8),
    ) {
        let most = capacity.map(|capacity| capacity as usize);
        let mut naive = Naive { capacity: most, ..Naive::default() };
        let mut stored = Stored { event: event(capacity), rows: BTreeMap::new() };
        for batch in batches {
            let (outcomes, _) = stored.run(&batch);
            let wanted: Vec<Outcome> = batch.iter().map(|c| naive.decide(*c)).collect();
            prop_assert_eq!(outcomes, wanted);
            prop_assert_eq!(stored.of(State::Waiting), &naive.waiting[..]);
            let mut coming = stored.of(State::Attending);
            coming.sort_unstable();
            let mut naively = naive.attending.clone();
            naively.sort_unstable();
            prop_assert_eq!(coming, naively);
            prop_assert_eq!(stored.event.attending as usize, naive.attending.len());
            prop_assert_eq!(stored.event.waiting as usize, naive.waiting.len());
        }
    }
}

#[test]
fn what_stands_against_a_sign_up() {
    type Change = fn(&mut Event);
    let cases: [(Change, Outcome); 4] = [
        (|event| event.cancelled = true, Outcome::Cancelled),
        (|event| event.ends_at = moment(1), Outcome::Over),
        (|event| event.ticketed = true, Outcome::Ticketed),
        (|_| (), Outcome::SignedUp { state: State::Attending, already: false }),
    ];
    for (change, outcome) in cases {
        let mut one = event(Some(1));
        change(&mut one);
        let mut stored = Stored { event: one, rows: BTreeMap::new() };
        assert_eq!(stored.run(&[ask(7, Wish::SignUp)]).0, [outcome]);
    }
    let mut nothing = Snapshot::default();
    let outcomes = decide_all(&mut nothing, moment(1), &[ask(7, Wish::SignUp)]);
    assert_eq!(outcomes, [Outcome::NoSuchEvent]);
}

#[test]
fn who_moves_up_is_told_in_order() {
    let mut stored = Stored { event: event(Some(2)), rows: BTreeMap::new() };
    let all: Vec<Command> = (1..=5).map(|account| ask(account, Wish::SignUp)).collect();
    stored.run(&all);
    let (_, difference) = stored.run(&[ask(2, Wish::Withdraw), ask(1, Wish::Withdraw)]);
    assert_eq!(difference.moved_up, [(EVENT, AccountId(3)), (EVENT, AccountId(4))]);
    assert_eq!((stored.event.attending, stored.event.waiting), (2, 1));
}

#[test]
fn a_capacity_is_not_lowered_below_those_who_come() {
    let mut stored = Stored { event: event(Some(3)), rows: BTreeMap::new() };
    let all: Vec<Command> = (1..=5).map(|account| ask(account, Wish::SignUp)).collect();
    stored.run(&all);
    for (capacity, room) in
        [(Some(2), Err(3)), (Some(3), Ok(0)), (Some(4), Ok(1)), (Some(9), Ok(2)), (None, Ok(2))]
    {
        assert_eq!(room_after(&stored.event, capacity), room, "{capacity:?}");
    }
}
