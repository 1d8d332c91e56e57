//! Who comes to an event: sign-ups, withdrawals, and the waiting list.
//!
//! What always holds: no more come than the capacity; nobody waits while there is room; the waiting
//! list is served in the order of the places that people took, and a place is never given twice.

use std::collections::{BTreeMap, HashMap, VecDeque};

use jiff::Timestamp;

use crate::ids::{AccountId, EventId};

/// Most people that an event may have room for.
pub const CAPACITY_MAX: i64 = 1_000_000;

/// Whether somebody comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    Attending,
    Waiting,
}

impl State {
    /// As it is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Attending => "attending",
            State::Waiting => "waiting",
        }
    }
}

/// Somebody's sign-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Attendance {
    /// Grows with every sign-up of the event.
    pub place: i64,
    pub state: State,
}

/// What somebody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Command {
    pub event: EventId,
    pub account: AccountId,
    pub wish: Wish,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wish {
    SignUp,
    Withdraw,
}

/// How a wish ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The account comes, or waits; `already`: it did before.
    SignedUp {
        state: State,
        already: bool,
    },
    /// The account does not come any more.
    Withdrawn,
    /// There was nothing to withdraw from.
    NotSignedUp,
    NoSuchEvent,
    Cancelled,
    /// The event is over.
    Over,
    /// Its tickets are sold instead.
    Ticketed,
}

/// An event as it was loaded, and as commands have changed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub capacity: Option<i64>,
    pub ends_at: Timestamp,
    pub cancelled: bool,
    /// It sells tickets: nobody signs up.
    pub ticketed: bool,
    pub attending: i64,
    pub waiting: i64,
    /// The newest place given.
    pub places: i64,
}

impl Event {
    fn has_room(&self) -> bool {
        self.capacity.is_none_or(|capacity| self.attending < capacity)
    }
}

/// What decisions are made from. The caller has locked the events.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    pub events: HashMap<EventId, Event>,
    /// Sign-ups of the accounts that ask, as they were loaded.
    pub attendances: HashMap<(EventId, AccountId), Attendance>,
    /// The heads of the waiting lists, first come first: at least as many as may move up, that is
    /// as there are withdrawals, or all.
    pub heads: HashMap<EventId, VecDeque<(i64, AccountId)>>,
    changes: BTreeMap<(EventId, AccountId), Option<Attendance>>,
    moved_up: Vec<(EventId, AccountId)>,
}

/// What has to be stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// Events whose numbers have changed, by id.
    pub events: Vec<(EventId, Event)>,
    /// Sign-ups as they are now; none: withdrawn.
    pub attendances: Vec<((EventId, AccountId), Option<Attendance>)>,
    /// Who moved up from a waiting list, in order.
    pub moved_up: Vec<(EventId, AccountId)>,
}

/// Decides the commands in their order; see [`Snapshot`] for what must be loaded.
pub fn decide_all(snapshot: &mut Snapshot, now: Timestamp, commands: &[Command]) -> Vec<Outcome> {
    commands.iter().map(|command| snapshot.decide(now, *command)).collect()
}

impl Snapshot {
    fn decide(&mut self, now: Timestamp, command: Command) -> Outcome {
        let Some(event) = self.events.get(&command.event) else { return Outcome::NoSuchEvent };
        if event.cancelled {
            return Outcome::Cancelled;
        }
        if event.ends_at <= now {
            return Outcome::Over;
        }
        let known = self.attendances.get(&(command.event, command.account)).copied();
        let outcome = match (command.wish, known) {
            (Wish::SignUp, Some(known)) => Outcome::SignedUp { state: known.state, already: true },
            (Wish::SignUp, None) if event.ticketed => Outcome::Ticketed,
            (Wish::SignUp, None) => self.sign_up(command),
            (Wish::Withdraw, None) => Outcome::NotSignedUp,
            (Wish::Withdraw, Some(known)) => self.withdraw(command, known),
        };
        self.check(command.event);
        outcome
    }

    fn sign_up(&mut self, command: Command) -> Outcome {
        let event = self.events.get_mut(&command.event).expect("the caller has found it");
        event.places += 1;
        let state = if event.has_room() { State::Attending } else { State::Waiting };
        let attendance = Attendance { place: event.places, state };
        match state {
            State::Attending => event.attending += 1,
            State::Waiting => {
                event.waiting += 1;
                let head = self.heads.entry(command.event).or_default();
                // Behind an incomplete head the newcomer would jump the queue.
                if head.len() as i64 == event.waiting - 1 {
                    head.push_back((attendance.place, command.account));
                }
            }
        }
        self.set((command.event, command.account), Some(attendance));
        Outcome::SignedUp { state, already: false }
    }

    fn withdraw(&mut self, command: Command, known: Attendance) -> Outcome {
        let event = self.events.get_mut(&command.event).expect("the caller has found it");
        match known.state {
            State::Waiting => {
                event.waiting -= 1;
                if let Some(head) = self.heads.get_mut(&command.event) {
                    head.retain(|(place, _)| *place != known.place);
                }
            }
            State::Attending => event.attending -= 1,
        }
        self.set((command.event, command.account), None);
        if known.state == State::Attending {
            self.move_up(command.event);
        }
        Outcome::Withdrawn
    }

    /// Lets the first of the waiting list come, if there is one.
    fn move_up(&mut self, id: EventId) {
        let event = self.events.get_mut(&id).expect("the caller has found it");
        if event.waiting == 0 || !event.has_room() {
            return;
        }
        let head = self.heads.get_mut(&id).and_then(VecDeque::pop_front);
        let (place, account) = head.expect("as many were loaded as may move up");
        event.waiting -= 1;
        event.attending += 1;
        self.set((id, account), Some(Attendance { place, state: State::Attending }));
        self.moved_up.push((id, account));
    }

    fn set(&mut self, key: (EventId, AccountId), attendance: Option<Attendance>) {
        match attendance {
            Some(attendance) => self.attendances.insert(key, attendance),
            None => self.attendances.remove(&key),
        };
        self.changes.insert(key, attendance);
    }

    /// What always holds, of the event that was just changed.
    fn check(&self, id: EventId) {
        let event = &self.events[&id];
        assert!(event.attending >= 0 && event.waiting >= 0, "nobody is counted below nobody");
        let within = event.capacity.is_none_or(|capacity| event.attending <= capacity);
        assert!(within, "never more than the capacity");
        assert!(event.waiting == 0 || !event.has_room(), "nobody waits while there is room");
    }

    /// What has changed; `before` are the events as they were loaded.
    pub fn into_difference(self, before: &HashMap<EventId, Event>) -> Difference {
        let changed = |id: &EventId, event: &Event| before.get(id) != Some(event);
        let mut events: Vec<_> = self.events.into_iter().collect();
        events.retain(|(id, event)| changed(id, event));
        events.sort_unstable_by_key(|(id, _)| *id);
        Difference {
            events,
            attendances: self.changes.into_iter().collect(),
            moved_up: self.moved_up,
        }
    }
}

/// How many of the waiting list may come when the capacity becomes `capacity`, or why it may not
/// become that.
///
/// # Errors
/// The number of people who come already, when it is above the new capacity.
pub fn room_after(event: &Event, capacity: Option<i64>) -> Result<i64, i64> {
    match capacity {
        None => Ok(event.waiting),
        Some(capacity) if capacity < event.attending => Err(event.attending),
        Some(capacity) => Ok(event.waiting.min(capacity - event.attending)),
    }
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
