//! Calls between a limiter and a server, in virtual time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::super::{Assumed, Limiter, Next, Told};
use super::servers::{Chance, Meaning, SECOND, Server};

pub(super) const START: i64 = 1_795_262_400 * SECOND;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The call of this number comes to the server.
    Arrive(usize),
    /// Its answer comes back.
    Answer(usize),
    /// Its answer does not come: it is given up.
    GiveUp(usize),
    /// The limit is another one from now on.
    Change(i64),
    /// Somebody else calls.
    Other,
    /// Another client goes on with what the dead one had stored.
    TakeOver,
    /// The client looks whether it may call.
    Look,
}

#[derive(Debug, Clone)]
struct Call {
    sent: i64,
    told: Told,
    lost: bool,
}

/// How the network and the client behave.
#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) seed: u64,
    pub(super) assumed: Assumed,
    /// Calls under way at most.
    pub(super) width: usize,
    /// One way, in microseconds, at least and at most.
    pub(super) delay: (i64, i64),
    /// Calls that are to be admitted.
    pub(super) calls: i64,
    /// At most so long.
    pub(super) until: i64,
    /// So long it may wait between calls, of a thousand so many times.
    pub(super) dawdle: (i64, i64),
    /// Of a thousand calls so many get no answer.
    pub(super) lost_permille: i64,
    /// Of a thousand calls so many times the client is stored and restored.
    pub(super) restore_permille: i64,
    /// Of a thousand looks so many times the client dies, and another one takes over what had been
    /// stored.
    pub(super) crash_permille: i64,
    /// Moments after the start, and limits.
    pub(super) changes: Vec<(i64, i64)>,
    /// Somebody else's calls.
    pub(super) others: Vec<i64>,
}

impl Script {
    pub(super) fn new(seed: u64, permits: u32, period_us: i64) -> Self {
        Self {
            seed,
            assumed: Assumed { permits, period_us },
            width: 1,
            delay: (20_000, 80_000),
            calls: 1_000,
            until: 30 * 86_400 * SECOND,
            dawdle: (0, 0),
            lost_permille: 0,
            restore_permille: 0,
            crash_permille: 0,
            changes: Vec::new(),
            others: Vec::new(),
        }
    }
}

/// What happened.
#[derive(Debug, Default)]
pub(super) struct Ran {
    /// When each refused call was sent, and when that was heard.
    pub(super) refused: Vec<(i64, i64)>,
    pub(super) admitted: i64,
    /// From the first arrival to the last one that was admitted.
    pub(super) taken: i64,
    pub(super) stored_bytes_max: usize,
}

struct Stage<'a> {
    script: &'a Script,
    server: Server,
    limiter: Limiter,
    /// As it was stored last.
    stored: Limiter,
    chance: Chance,
    events: BinaryHeap<Reverse<(i64, usize, Event)>>,
    serial: usize,
    calls: Vec<Call>,
    /// Numbers of those under way, of the client that lives.
    under_way: Vec<usize>,
    /// Sent since it was stored.
    unstored: u32,
    first: Option<i64>,
    /// When it looks again by itself.
    looks: Option<i64>,
    dead: bool,
    ran: Ran,
}

/// Lets a client call until it has got its calls, or its time is over.
pub(super) fn run(server: Server, script: &Script) -> Ran {
    let limiter = Limiter::new(script.assumed);
    let mut stage = Stage {
        server,
        stored: limiter.clone(),
        limiter,
        chance: Chance(script.seed),
        events: BinaryHeap::new(),
        serial: 0,
        calls: Vec::new(),
        under_way: Vec::new(),
        unstored: 0,
        first: None,
        looks: None,
        dead: false,
        ran: Ran::default(),
        script,
    };
    for (after, permits) in &script.changes {
        stage.plan(START + after, Event::Change(*permits));
    }
    for after in &script.others {
        stage.plan(START + after, Event::Other);
    }
    stage.plan(START, Event::Look);
    while let Some(Reverse((now, _, event))) = stage.events.pop() {
        if now > START + script.until || stage.server.admitted >= script.calls {
            break;
        }
        stage.happen(now, event);
    }
    stage.ran.admitted = stage.server.admitted;
    stage.ran
}

impl Stage<'_> {
    fn plan(&mut self, at: i64, event: Event) {
        self.serial += 1;
        self.events.push(Reverse((at, self.serial, event)));
    }

    fn delay(&mut self) -> i64 {
        let (least, most) = self.script.delay;
        self.chance.between(least, most)
    }

    fn happen(&mut self, now: i64, event: Event) {
        match event {
            Event::Arrive(call) => self.arrive(now, call),
            Event::Answer(call) => {
                self.end(call);
                if let Some(at) = self.under_way.iter().position(|one| *one == call) {
                    self.under_way.swap_remove(at);
                    let Call { sent, told, .. } = self.calls[call].clone();
                    if told.refused {
                        self.ran.refused.push((sent, now));
                    }
                    self.limiter.answered(sent, now, &told);
                    self.store();
                }
                self.look(now);
            }
            Event::GiveUp(call) => {
                self.end(call);
                if let Some(at) = self.under_way.iter().position(|one| *one == call) {
                    self.under_way.swap_remove(at);
                    self.limiter.lost(self.calls[call].sent, now);
                    self.store();
                }
                self.look(now);
            }
            Event::Change(permits) => self.server.change(now, permits),
            Event::Other => self.server.take_other(now),
            Event::TakeOver => {
                self.dead = false;
                self.limiter = self.stored.clone();
                // Those that the stored state knows to be under way count by themselves.
                self.limiter.taken_over(now, self.unstored);
                self.store();
                self.look(now);
            }
            Event::Look => {
                self.looks = self.looks.filter(|planned| *planned > now);
                self.look(now);
            }
        }
    }

    /// The server has done with a call when its answer is there, not earlier.
    fn end(&mut self, call: usize) {
        if !self.calls[call].told.refused {
            self.server.under_way -= 1;
        }
    }

    fn arrive(&mut self, now: i64, call: usize) {
        let admitted = self.server.take(now);
        if admitted {
            let first = *self.first.get_or_insert(now);
            self.ran.taken = now - first;
        }
        self.calls[call].told = self.server.tell(now, !admitted, &mut self.chance);
        if !self.calls[call].lost {
            let back = self.delay();
            self.plan(now + back, Event::Answer(call));
        }
    }

    fn store(&mut self) {
        self.unstored = 0;
        self.stored = self.limiter.clone();
        if self.chance.happens(self.script.restore_permille) {
            let text = serde_json::to_string(&self.limiter).expect("plain data");
            self.ran.stored_bytes_max = self.ran.stored_bytes_max.max(text.len());
            let restored: Limiter = serde_json::from_str(&text).expect("what was written");
            assert_eq!(restored, self.limiter);
            self.limiter = restored;
        }
    }

    fn look(&mut self, now: i64) {
        if self.dead {
            return;
        }
        if self.chance.happens(self.script.crash_permille) {
            (self.dead, self.looks) = (true, None);
            self.under_way.clear();
            return self.plan(now + 10 * SECOND, Event::TakeOver);
        }
        while self.under_way.len() < self.script.width {
            match self.limiter.next(now) {
                Next::At(at) if at <= now => self.call(now),
                Next::At(at) => return self.look_again(at),
                Next::Crowded => {
                    assert!(!self.under_way.is_empty(), "nobody to wait for: {:?}", self.limiter);
                    return;
                }
            }
        }
    }

    /// At this moment, or late.
    fn look_again(&mut self, at: i64) {
        let (late_most, permille) = self.script.dawdle;
        let late = if self.chance.happens(permille) { late_most } else { 0 };
        let at = at + self.chance.between(0, late);
        if self.looks.is_none_or(|planned| at < planned) {
            self.looks = Some(at);
            self.plan(at, Event::Look);
        }
    }

    fn call(&mut self, now: i64) {
        self.limiter.sent(now);
        self.unstored += 1;
        let (number, lost) = (self.calls.len(), self.chance.happens(self.script.lost_permille));
        self.calls.push(Call { sent: now, told: Told::default(), lost });
        self.under_way.push(number);
        let there = self.delay();
        self.plan(now + there, Event::Arrive(number));
        if lost {
            self.plan(now + 10 * SECOND, Event::GiveUp(number));
        }
    }
}

/// How long a client takes at least that knows the server, and whose calls arrive at once.
pub(super) fn best(mut server: Server, calls: i64) -> i64 {
    server.meaning = Meaning::Silent;
    let mut now = START;
    for _ in 0..calls {
        now = server.next(now);
        assert!(server.take(now), "it is free");
        server.under_way -= 1;
    }
    now - START
}

/// How long such a client takes at least whose calls go one after another over this network.
pub(super) fn best_in_turn(mut server: Server, script: &Script) -> i64 {
    let mut chance = Chance(script.seed);
    let (mut now, mut first, mut last) = (START, None, START);
    for _ in 0..script.calls {
        let there = chance.between(script.delay.0, script.delay.1);
        last = server.next(now + there);
        assert!(server.take(last), "it is free");
        server.under_way -= 1;
        first.get_or_insert(last);
        now = last + chance.between(script.delay.0, script.delay.1);
    }
    last - first.expect("a call")
}
