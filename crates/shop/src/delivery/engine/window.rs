//! What a worker holds of the deliveries that wait for one destination.
//!
//! A window on the table, read in the order of the ids. Of each thing one delivery is under way at
//! a time; the others of that thing stand behind it. A thing whose delivery failed waits, and what
//! waits is not kept in memory (the table has it), so that however much of it there is, the window
//! has room for everything else.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;

/// A delivery's thing is looked up many times, and nobody chooses things so that they collide.
pub(super) type Hashing = foldhash::fast::RandomState;

/// Whatever has an order of its own: a kind of entity and an id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Thing {
    pub entity: Arc<str>,
    pub id: i64,
}

/// A delivery that waits.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub id: i64,
    pub lane: u32,
    pub outbox_id: i64,
    pub thing: Thing,
    /// The dead letter that it replays.
    pub letter: Option<i64>,
    pub topic: String,
    /// When the event happened.
    pub at: Timestamp,
    /// JSON.
    pub payload: Arc<str>,
}

/// What failures a thing has behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Failures {
    pub count: u32,
    pub first_at: Option<Timestamp>,
    /// The last attempt may have been carried out, though nobody knows.
    pub in_doubt: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It stands in line for an attempt.
    Ready,
    /// An attempt is under way, or what became of it is being stored.
    Underway,
    /// Until a moment.
    Waiting,
    /// Its deliveries are to be read anew.
    Behind,
}

struct Queue {
    deliveries: VecDeque<Arc<Delivery>>,
    standing: Standing,
    /// The table has deliveries of this thing, below the mark, that are not here.
    incomplete: bool,
    failures: Failures,
}

/// See the module.
#[derive(Default)]
pub(super) struct Window {
    things: HashMap<Thing, Queue, Hashing>,
    ready: VecDeque<Thing>,
    waiting: BinaryHeap<Reverse<(Instant, Thing)>>,
    behind: VecDeque<Thing>,
    /// Deliveries up to this id were read.
    mark: i64,
    deliveries: usize,
}

impl Window {
    /// Deliveries up to this id were read.
    pub(super) fn mark(&self) -> i64 {
        self.mark
    }

    /// Deliveries held.
    pub(super) fn len(&self) -> usize {
        self.deliveries
    }

    /// Things that an attempt can be made for.
    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Things known, those included that wait.
    pub(super) fn things(&self) -> usize {
        self.things.len()
    }

    /// Takes in what was read above the mark, in the order of the ids.
    pub(super) fn take_in(&mut self, read: Vec<Delivery>) {
        for delivery in read {
            assert!(delivery.id > self.mark, "a delivery is read once");
            self.mark = delivery.id;
            let queue = self.things.entry(delivery.thing.clone()).or_insert_with(|| {
                self.ready.push_back(delivery.thing.clone());
                Queue {
                    deliveries: VecDeque::new(),
                    standing: Standing::Ready,
                    incomplete: false,
                    failures: Failures::default(),
                }
            });
            match queue.standing {
                Standing::Ready | Standing::Underway if !queue.incomplete => {
                    queue.deliveries.push_back(Arc::new(delivery));
                    self.deliveries += 1;
                }
                _ => queue.incomplete = true,
            }
        }
    }

    /// The next thing to make an attempt for.
    pub(super) fn begin(&mut self) -> Option<Thing> {
        let thing = self.ready.pop_front()?;
        let queue = self.things.get_mut(&thing).expect("what is ready is known");
        assert!(queue.standing == Standing::Ready && !queue.deliveries.is_empty());
        queue.standing = Standing::Underway;
        Some(thing)
    }

    /// The deliveries of a thing that is under way, oldest first.
    pub(super) fn of(&self, thing: &Thing) -> impl Iterator<Item = &Arc<Delivery>> {
        self.things[thing].deliveries.iter()
    }

    /// What a thing has behind it.
    pub(super) fn failures(&self, thing: &Thing) -> Failures {
        self.things[thing].failures
    }

    /// True if deliveries of it are held or stand in the table.
    pub(super) fn knows(&self, thing: &Thing) -> bool {
        self.things.contains_key(thing)
    }

    /// The first `count` deliveries of a thing under way have ended for good, and that is stored.
    pub(super) fn ended(&mut self, thing: &Thing, count: usize) {
        let queue = self.things.get_mut(thing).expect("what is under way is known");
        assert_eq!(queue.standing, Standing::Underway);
        queue.deliveries.drain(..count);
        queue.failures = Failures::default();
        self.deliveries -= count;
        if !queue.deliveries.is_empty() {
            queue.standing = Standing::Ready;
            self.ready.push_back(thing.clone());
        } else if queue.incomplete {
            queue.standing = Standing::Behind;
            self.behind.push_back(thing.clone());
        } else {
            self.things.remove(thing);
        }
    }

    /// A thing under way is another node's from now on.
    pub(super) fn forget(&mut self, thing: &Thing) {
        let queue = self.things.remove(thing).expect("what is under way is known");
        assert_eq!(queue.standing, Standing::Underway);
        self.deliveries -= queue.deliveries.len();
    }

    /// A thing under way has to wait until a moment.
    pub(super) fn wait(&mut self, thing: &Thing, until: Instant, failures: Failures) {
        let queue = self.things.get_mut(thing).expect("what is under way is known");
        self.deliveries -= queue.deliveries.len();
        *queue = Queue {
            deliveries: VecDeque::new(),
            standing: Standing::Waiting,
            incomplete: true,
            failures,
        };
        self.waiting.push(Reverse((until, thing.clone())));
    }

    /// A thing waits that had failed before this worker began.
    pub(super) fn waits(&mut self, thing: Thing, until: Instant, failures: Failures) {
        if self.knows(&thing) {
            return;
        }
        let queue = Queue {
            deliveries: VecDeque::new(),
            standing: Standing::Waiting,
            incomplete: true,
            failures,
        };
        self.things.insert(thing.clone(), queue);
        self.waiting.push(Reverse((until, thing)));
    }

    /// When the next thing has waited long enough.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.waiting.peek().map(|Reverse((until, _))| *until)
    }

    /// Ends the wait of what has waited long enough.
    pub(super) fn wake(&mut self, now: Instant) {
        while self.next_due().is_some_and(|until| until <= now) {
            let Some(Reverse((_, thing))) = self.waiting.pop() else { break };
            // What was forgotten meanwhile, or waits for another moment by now, stays as it is.
            let Some(queue) = self.things.get_mut(&thing) else { continue };
            if queue.standing == Standing::Waiting {
                queue.standing = Standing::Behind;
                self.behind.push_back(thing);
            }
        }
    }

    /// A thing whose deliveries, up to the mark, are to be read; the answer goes to
    /// [`Window::reread`]. Nothing may be taken in between.
    pub(super) fn next_behind(&mut self) -> Option<Thing> {
        self.behind.pop_front()
    }

    /// The deliveries of a thing could not be read: they are to be read yet.
    pub(super) fn still_behind(&mut self, thing: Thing) {
        self.behind.push_back(thing);
    }

    /// Takes in the first deliveries of a thing up to the mark; `all` if there are no more of them.
    pub(super) fn reread(&mut self, thing: &Thing, read: Vec<Delivery>, all: bool) {
        let queue = self.things.get_mut(thing).expect("what is behind is known");
        assert!(queue.standing == Standing::Behind && queue.deliveries.is_empty());
        if read.is_empty() {
            self.things.remove(thing);
            return;
        }
        self.deliveries += read.len();
        queue.deliveries = read.into_iter().map(Arc::new).collect();
        queue.incomplete = !all;
        queue.standing = Standing::Ready;
        self.ready.push_back(thing.clone());
    }

    /// Forgets everything that is not under way, to be read from the beginning.
    pub(super) fn start_over(&mut self) {
        self.things.retain(|_, queue| queue.standing == Standing::Underway);
        for queue in self.things.values_mut() {
            queue.incomplete = true;
        }
        self.ready.clear();
        self.waiting.clear();
        self.behind.clear();
        self.mark = 0;
        self.deliveries = self.things.values().map(|queue| queue.deliveries.len()).sum();
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
