//! The window against a table: everything is delivered once, in order, whatever fails or waits.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn delivery(id: i64, thing: i64) -> Delivery {
    Delivery {
        id,
        lane: 0,
        outbox_id: id,
        thing: Thing { entity: "post".into(), id: thing },
        letter: None,
        topic: "post.updated".into(),
        at: Timestamp::UNIX_EPOCH,
        payload: "{}".into(),
    }
}

#[derive(Debug, Clone)]
enum Step {
    Commit(i64),
    /// A page begins to be read, and is taken in later.
    Load(usize),
    TakeIn,
    Begin,
    End(usize, usize),
    Fail(usize, u64),
    Wake(u64),
    Reread,
    RereadFails,
    StartOver,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0i64..5).prop_map(Step::Commit),
        2 => (1usize..6).prop_map(Step::Load),
        2 => Just(Step::TakeIn),
        4 => Just(Step::Begin),
        3 => (any::<usize>(), 1usize..4).prop_map(|(which, count)| Step::End(which, count)),
        2 => (any::<usize>(), 0u64..20).prop_map(|(which, ms)| Step::Fail(which, ms)),
        2 => (0u64..20).prop_map(Step::Wake),
        3 => Just(Step::Reread),
        1 => Just(Step::RereadFails),
        1 => Just(Step::StartOver),
    ];
    prop::collection::vec(step, 1..300)
}

/// The table, the window on it, and what was delivered.
#[derive(Default)]
struct World {
    window: Window,
    table: BTreeMap<i64, i64>,
    newest: i64,
    /// On its way from the table.
    page: Option<Vec<Delivery>>,
    underway: Vec<Thing>,
    delivered: BTreeMap<i64, Vec<i64>>,
}

impl World {
    fn load(&mut self, limit: usize) {
        if self.page.is_none() {
            let above = self.table.range(self.window.mark() + 1..).take(limit);
            self.page = Some(above.map(|(id, thing)| delivery(*id, *thing)).collect());
        }
    }

    fn take_in(&mut self) {
        self.window.take_in(self.page.take().unwrap_or_default());
    }

    fn begin(&mut self) {
        if let Some(thing) = self.window.begin() {
            assert!(!self.underway.contains(&thing), "one of a thing is under way at a time");
            self.underway.push(thing);
        }
    }

    fn end(&mut self, which: usize, count: usize) {
        if self.underway.is_empty() {
            return;
        }
        let thing = self.underway.remove(which % self.underway.len());
        let ids: Vec<i64> = self.window.of(&thing).take(count).map(|d| d.id).collect();
        for id in &ids {
            assert!(self.table.remove(id).is_some(), "{id} was delivered twice");
            self.delivered.entry(thing.id).or_default().push(*id);
        }
        self.window.ended(&thing, ids.len());
    }

    /// Not while a page is on its way: see the worker's reading.
    fn reread(&mut self, limit: usize) {
        if self.page.is_some() {
            return;
        }
        let Some(thing) = self.window.next_behind() else { return };
        let of_thing = self.table.range(..=self.window.mark()).filter(|(_, of)| **of == thing.id);
        let read: Vec<_> = of_thing.map(|(id, of)| delivery(*id, *of)).take(limit).collect();
        let all = read.len() < limit;
        self.window.reread(&thing, read, all);
    }
}

proptest! {
    #[test]
    fn everything_is_delivered_once_and_in_order(steps in steps()) {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut world = World::default();
        for step in steps {
            match step {
                Step::Commit(thing) => {
                    world.newest += 1;
                    world.table.insert(world.newest, thing);
                }
                Step::Load(limit) => world.load(limit),
                Step::TakeIn => world.take_in(),
                Step::Begin => world.begin(),
                Step::End(which, count) => world.end(which, count),
                Step::Fail(which, ms) if !world.underway.is_empty() => {
                    let thing = world.underway.remove(which % world.underway.len());
                    world.window.wait(&thing, at(ms), Failures::default());
                }
                Step::Wake(ms) => world.window.wake(at(ms)),
                Step::Reread => world.reread(2),
                Step::RereadFails => {
                    if let Some(thing) = world.window.next_behind() {
                        world.window.still_behind(thing);
                    }
                }
                Step::StartOver => {
                    world.window.start_over();
                    world.page = None;
                }
                Step::Fail(..) => {}
            }
        }
        for _ in 0..2_000 {
            world.load(3);
            world.take_in();
            world.window.wake(at(1_000));
            world.reread(2);
            world.begin();
            world.end(0, 1);
        }
        prop_assert!(world.table.is_empty(), "left: {:?}", world.table);
        prop_assert!(world.delivered.values().all(|ids| ids.is_sorted()), "{:?}", world.delivered);
        prop_assert_eq!((world.window.len(), world.window.things()), (0, 0));
    }
}

#[test]
fn what_waits_takes_no_room() {
    let mut window = Window::default();
    window.take_in(vec![delivery(1, 7)]);
    let thing = window.begin().expect("one is ready");
    window.wait(&thing, Instant::now() + Duration::from_secs(60), Failures::default());
    window.take_in((2..1_000).map(|id| delivery(id, 7)).collect());
    assert_eq!((window.len(), window.ready()), (0, 0));
    window.take_in(vec![delivery(1_000, 8)]);
    assert_eq!((window.len(), window.ready()), (1, 1));
}
