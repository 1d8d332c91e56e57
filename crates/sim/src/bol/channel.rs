//! One account at the provider: what it has, what it may, and what its client did.

use std::collections::BTreeMap;

use super::limit::{Limit, Limiter};
use super::market::{HOUR_US, Place, Posted, SECOND_US, Stock};
use super::meter::Meter;
use super::options::{Endpoint, Limits, Settings};
use super::referee::{Counts, KeyReport};
use super::shape::Shipment;
use super::token::{Token, client_id};
use super::trouble::Fault;
use crate::chance::Chance;

/// Among the served versions: the transport was still going on.
const MOVING: u8 = 0x80;
/// Among the served versions: it was not there.
const MISSING: u8 = 0x7f;
/// What comes at most between two calls.
const ARRIVALS_MAX: u64 = 10_000;
/// Process statuses that are kept at most.
const PROCESSES_MAX: usize = 100_000;

/// See the module.
pub(super) struct Channel {
    pub(super) number: u32,
    pub(super) stock: Stock,
    /// The provider does not let the account in at all.
    pub(super) inactive: bool,
    /// The client's secret is not valid any more.
    pub(super) locked_out: bool,
    /// Tokens up to this one are void.
    revoked: u64,
    tokens: u64,
    limiters: [Limiter; 4],
    meters: [Meter; 4],
    pub(super) counts: Counts,
    /// A token bought at the last moment would last so long.
    covered_until_us: u64,
    /// First and last call.
    seen_us: Option<(u64, u64)>,
    /// By number: the version that was last given out, with [`MOVING`]; 0: none.
    served: Vec<u8>,
    /// When arrivals were last looked at, and what had run up since the last whole one.
    arrivals: (u64, u64),
    pub(super) processes: BTreeMap<u64, Process>,
    pub(super) posts: u64,
}

/// What became of something that the client asked for.
#[derive(Debug, Clone)]
pub(super) struct Process {
    pub(super) created_us: u64,
    pub(super) ready_us: u64,
    pub(super) fails: bool,
    /// What is sent if it succeeds; taken when that has happened.
    pub(super) posted: Option<Posted>,
    /// The first order item.
    pub(super) entity: String,
}

/// What a limiter says after a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) limit: u64,
    pub(super) remaining: u64,
    pub(super) full_us: u64,
    pub(super) next_us: u64,
    pub(super) now_us: u64,
}

/// Why a token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    Expired { at_us: u64 },
    Revoked,
    Inactive,
}

impl Channel {
    pub(super) fn new(seed: u64, number: u32, shipments: u32, limits: &Limits, now: u64) -> Self {
        let phase = Chance::of(seed, &[102, u64::from(number)]).below(HOUR_US);
        let limiter = |endpoint| Limiter::new(limits.of(endpoint), phase, now);
        Self {
            number,
            stock: Stock::new(shipments),
            inactive: false,
            locked_out: false,
            revoked: 0,
            tokens: 0,
            limiters: Endpoint::ALL.map(limiter),
            meters: Default::default(),
            counts: Counts::default(),
            covered_until_us: 0,
            seen_us: None,
            served: Vec::new(),
            arrivals: (now, 0),
            processes: BTreeMap::new(),
            posts: 0,
        }
    }

    /// Sells a token; the answer tells the life that the settings tell.
    pub(super) fn sell_token(&mut self, seed: u64, settings: &Settings, now_us: u64) -> String {
        self.counts.token_calls += 1;
        self.tokens += 1;
        let life_us = u64::from(settings.tokens.seconds) * SECOND_US;
        let mut chance = Chance::of(seed, &[103, u64::from(self.number), self.tokens]);
        let early = chance.happens(settings.tokens.early_permille);
        let lives_us = if early { chance.below(life_us.max(1)) } else { life_us };
        let expires_us = now_us + lives_us;
        Token { channel: self.number, serial: self.tokens, expires_us }.seal(seed)
    }

    /// From now on no token that was sold is taken.
    pub(super) fn revoke_tokens(&mut self) {
        self.revoked = self.tokens;
    }

    /// Looks at a token of this account.
    pub(super) fn check(&mut self, token: &Token, now_us: u64) -> Result<(), Denied> {
        let denied = if token.expires_us <= now_us {
            Denied::Expired { at_us: token.expires_us }
        } else if token.serial <= self.revoked {
            Denied::Revoked
        } else if self.inactive {
            self.counts.forbidden += 1;
            return Err(Denied::Inactive);
        } else {
            return Ok(());
        };
        self.counts.unauthorised += 1;
        Err(denied)
    }

    /// Admits a call, or refuses it.
    pub(super) fn admit(&mut self, endpoint: Endpoint, now_us: u64, token_us: u64) -> bool {
        let at = endpoint as usize;
        let (limiter, meter) = (&mut self.limiters[at], &mut self.meters[at]);
        let before = meter.is_fresh().then(|| limiter.clone());
        if limiter.take(now_us).is_err() {
            meter.refused += 1;
            return false;
        }
        meter.accept(before, now_us);
        if now_us >= self.covered_until_us {
            self.counts.tokens_needed += 1;
            self.covered_until_us = now_us + token_us;
        }
        let (first, last) = self.seen_us.unwrap_or((now_us, now_us));
        self.counts.longest_wait_us = self.counts.longest_wait_us.max(now_us - last);
        self.seen_us = Some((first, now_us));
        true
    }

    /// A call that was admitted has ended.
    pub(super) fn end(&mut self, endpoint: Endpoint) {
        self.limiters[endpoint as usize].release();
        self.meters[endpoint as usize].end();
    }

    /// A call that was admitted met a misfortune, if it did.
    pub(super) fn failed_by(&mut self, endpoint: Endpoint, fault: Option<Fault>) {
        self.meters[endpoint as usize].failed += u64::from(fault.is_some());
    }

    /// Calls that were admitted so far.
    pub(super) fn accepted(&self, endpoint: Endpoint) -> u64 {
        self.meters[endpoint as usize].accepted
    }

    /// Calls that were refused so far.
    pub(super) fn refused(&self, endpoint: Endpoint) -> u64 {
        self.meters[endpoint as usize].refused
    }

    pub(super) fn figures(&self, endpoint: Endpoint, now_us: u64) -> Figures {
        let limiter = &self.limiters[endpoint as usize];
        Figures {
            limit: u64::from(limiter.limit().permits),
            remaining: limiter.remaining(now_us),
            full_us: limiter.full_at(now_us),
            next_us: limiter.next(now_us),
            now_us,
        }
    }

    /// Another limit from now on.
    pub(super) fn change(&mut self, endpoint: Endpoint, limit: Limit, now_us: u64) {
        if self.limiters[endpoint as usize].limit() != limit {
            self.limiters[endpoint as usize].change(now_us, limit);
            self.meters[endpoint as usize].change(now_us, limit);
        }
    }

    /// Lets come what has come since the last call.
    pub(super) fn catch_up(&mut self, place: &Place<'_>, settings: &Settings, now_us: u64) {
        let (since_us, credit) = self.arrivals;
        let rate = u64::from(settings.arrivals.per_hour);
        let credit = credit + now_us.saturating_sub(since_us).saturating_mul(rate);
        self.arrivals = (now_us, credit % HOUR_US);
        for _ in 0..(credit / HOUR_US).min(ARRIVALS_MAX) {
            self.arrive(place, settings, now_us);
        }
        self.settle(place, settings, now_us);
    }

    /// One more shipment, late with the chance that the settings tell.
    pub(super) fn arrive(&mut self, place: &Place<'_>, settings: &Settings, now_us: u64) {
        let mut chance = place.name(self.stock.count()).chance(place.seed, 5);
        let late = chance.happens(settings.arrivals.late_permille);
        let _or_full = self.stock.arrive(place, now_us, late);
    }

    /// Ends the processes whose time has come, and forgets old ones.
    fn settle(&mut self, place: &Place<'_>, settings: &Settings, now_us: u64) {
        let kept_us = u64::from(settings.process.kept_seconds) * SECOND_US;
        self.processes.retain(|_, process| process.created_us + kept_us > now_us);
        while self.processes.len() > PROCESSES_MAX {
            self.processes.pop_first();
        }
        for process in self.processes.values_mut() {
            let ready = process.ready_us <= now_us && !process.fails;
            if let Some(posted) = process.posted.take_if(|_| ready)
                && let Some(index) = self.stock.arrive(place, process.ready_us, false)
            {
                self.stock.posted.insert(index, posted);
            }
        }
    }

    /// A detail is given out in this version (none: it is not there); counts what was given out
    /// before.
    pub(super) fn serve(&mut self, index: u32, version: Option<(u8, bool)>) {
        let at = index as usize;
        if self.served.len() <= at {
            self.served.resize(at + 1, 0);
        }
        let former = std::mem::replace(
            &mut self.served[at],
            version.map_or(MISSING, |(version, moves)| version | if moves { MOVING } else { 0 }),
        );
        match version {
            _ if former == 0 => self.counts.details += 1,
            Some((version, _)) if former & !MOVING != version => self.counts.refreshed += 1,
            _ if former & MOVING != 0 => self.counts.refreshed_in_vain += 1,
            _ => self.counts.duplicates += 1,
        }
    }

    /// The shipment of a number, if it is there.
    pub(super) fn find<'a>(&'a self, place: Place<'a>, index: u32) -> Option<Shipment<'a>> {
        Shipment::find(&self.stock, place, index)
    }

    pub(super) fn report(&self, seed: u64) -> KeyReport {
        let usage = |at: usize| self.meters[at].usage(self.limiters[at].limit().burst());
        let [list, detail, ship, process] = [0, 1, 2, 3].map(usage);
        KeyReport {
            channel: self.number,
            client_id: client_id(seed, self.number),
            counts: self.counts.clone(),
            first_us: self.seen_us.map(|(first, _)| first),
            last_us: self.seen_us.map(|(_, last)| last),
            list,
            detail,
            ship,
            process,
        }
    }

    /// Counts anew; which details were given out is remembered.
    pub(super) fn reset_counts(&mut self) {
        self.counts = Counts::default();
        self.covered_until_us = 0;
        self.seen_us = None;
        self.meters.iter_mut().for_each(Meter::reset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bol::market::Goods;

    const NOW: u64 = 1_795_000_000 * SECOND_US;

    fn channel() -> Channel {
        Channel::new(1, 0, 100, &Limits::default(), NOW)
    }

    #[test]
    fn details_are_counted_by_what_was_given_out_before() {
        let mut channel = channel();
        channel.serve(7, Some((2, true)));
        channel.serve(7, Some((2, true)));
        channel.serve(7, Some((4, false)));
        channel.serve(7, Some((4, false)));
        channel.serve(8, None);
        channel.serve(8, None);
        let Counts { details, refreshed, refreshed_in_vain, duplicates, .. } = channel.counts;
        assert_eq!((details, refreshed, refreshed_in_vain, duplicates), (2, 1, 1, 2));
    }

    #[test]
    fn tokens_end_by_time_by_order_and_with_the_account() {
        let (mut channel, settings) = (channel(), Settings::default());
        let buy = |channel: &mut Channel, now| {
            Token::open(1, &channel.sell_token(1, &settings, now)).expect("ours")
        };
        let token = buy(&mut channel, NOW);
        assert_eq!(token.expires_us, NOW + 299 * SECOND_US);
        assert_eq!(channel.check(&token, NOW + 299 * SECOND_US - 1), Ok(()));
        let expired = Denied::Expired { at_us: token.expires_us };
        assert_eq!(channel.check(&token, token.expires_us), Err(expired));
        channel.revoke_tokens();
        assert_eq!(channel.check(&token, NOW), Err(Denied::Revoked));
        let token = buy(&mut channel, NOW);
        assert_eq!(channel.check(&token, NOW), Ok(()));
        channel.inactive = true;
        assert_eq!(channel.check(&token, NOW), Err(Denied::Inactive));
        let counts = &channel.counts;
        assert_eq!((counts.token_calls, counts.unauthorised, counts.forbidden), (2, 2, 1));
    }

    #[test]
    fn tokens_that_were_needed_cover_the_calls() {
        let mut channel = channel();
        for second in [0, 100, 298, 299, 500, 598, 10_000] {
            assert!(channel.admit(Endpoint::List, NOW + second * SECOND_US, 299 * SECOND_US));
        }
        assert_eq!(channel.counts.tokens_needed, 4);
        assert_eq!(channel.counts.longest_wait_us, 9_402 * SECOND_US);
    }

    #[test]
    fn shipments_come_by_the_hour_and_by_post() {
        let (mut channel, goods) = (channel(), Goods::default());
        let place = Place { seed: 1, channel: 0, origin_us: NOW, goods: &goods };
        let mut settings = Settings::default();
        settings.arrivals.per_hour = 6;
        // In steps that no arrival fits: nothing is lost in rounding.
        for minute in 1..=61 {
            channel.catch_up(&place, &settings, NOW + minute * 60 * SECOND_US);
        }
        assert_eq!(channel.stock.count(), 106);
        let process = |ready_us, fails| Process {
            created_us: NOW,
            ready_us,
            fails,
            posted: Some(Posted::default()),
            entity: String::new(),
        };
        let now = NOW + 61 * 60 * SECOND_US;
        let processes = [process(now, false), process(now, true), process(now + 1, false)];
        channel.processes = (1..).zip(processes).collect();
        channel.catch_up(&place, &settings, now);
        assert_eq!(channel.stock.count(), 107);
        channel.catch_up(&place, &settings, NOW + 86_400 * SECOND_US - 1);
        assert_eq!(channel.stock.posted.len(), 2);
        channel.catch_up(&place, &settings, NOW + 86_400 * SECOND_US);
        assert!(channel.processes.is_empty(), "nobody knows them any more");
    }
}
