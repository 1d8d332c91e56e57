//! What an answer changes in what is known: limit, budget, Reset, and what a refusal teaches.

use super::{
    CALM_BUDGETS, CONTRADICTION, DOUBLINGS_MAX, DOUBT_MAX, Limiter, PERIOD_US_MAX, Proof,
    RESET_DOUBTFUL, Reset, SECOND_US, SETTLED, Seen, Told, refill_us,
};

impl Limiter {
    /// A limit was told. Another one than before is taken at once, and what followed from the
    /// former one is forgotten.
    pub(super) fn note_limit(&mut self, sent_us: i64, heard_us: i64, answer: &Told) {
        let Some(told) = answer.limit.filter(|limit| *limit > 0) else { return };
        match self.limit {
            Some(limit) if limit == told => self.limit_age = self.limit_age.saturating_add(1),
            // An answer to a call from before the limit was lowered.
            Some(limit) if told > limit && sent_us < self.limit_heard_us => {}
            former => {
                // Another one again so soon is odd, unless a refusal bears it out.
                let borne_out = answer.refused && former.is_some_and(|limit| told < limit);
                if former.is_some() && self.limit_age < SETTLED && !borne_out {
                    self.contradicted();
                }
                let age = if borne_out { SETTLED } else { 0 };
                (self.limit, self.limit_age, self.limit_heard_us) = (Some(told), age, heard_us);
                self.left = 0;
                self.forget_reset();
            }
        }
    }

    fn forget_reset(&mut self) {
        self.proof = Proof::default();
        (self.has_reset, self.reset_from_us, self.reset_heard_us) = (false, 0, 0);
    }

    fn contradicted(&mut self) {
        self.doubt = (self.doubt + CONTRADICTION).min(DOUBT_MAX);
        if self.is_doubtful() {
            self.named_us = None;
        }
    }

    fn reset_contradicted(&mut self) {
        self.reset_doubt = (self.reset_doubt + CONTRADICTION).min(DOUBT_MAX);
    }

    /// An answer said how many calls remain, of which it may not have counted `overlap` others.
    pub(super) fn budget(
        &mut self,
        sent_us: i64,
        heard_us: i64,
        remaining: u32,
        reset: Option<Reset>,
        overlap: u32,
    ) {
        if sent_us < self.refused_us {
            return;
        }
        if self.limit.is_some_and(|limit| remaining > limit) {
            self.has_reset = false;
            return self.contradicted();
        }
        let surely = remaining.saturating_sub(overlap);
        if sent_us >= self.left_heard_us && remaining < self.left {
            // Somebody else calls with this key, or it is not true.
            self.contradicted();
            self.left = surely;
        } else {
            self.left = self.left.max(surely);
            self.doubt = self.doubt.saturating_sub(1);
        }
        self.left_heard_us = heard_us;
        self.fill_up(sent_us, heard_us, remaining);
        let reset = reset.filter(|reset| self.believes(*reset, sent_us, heard_us));
        self.has_reset = reset.is_some();
        match reset {
            Some(reset) => self.note_reset(sent_us, heard_us, remaining, reset, overlap),
            None => {
                self.proof = Proof::default();
                self.opens_us = None;
            }
        }
    }

    /// What the server counted beyond our own calls was used by somebody else, at the latest now.
    fn fill_up(&mut self, sent_us: i64, heard_us: i64, remaining: u32) {
        if self.is_doubtful() && self.limit_age < SETTLED {
            return;
        }
        let used = self.limit().saturating_sub(remaining);
        let since_us = sent_us.saturating_sub(self.period());
        let own = self.log.count_after(since_us).saturating_add(self.count_under_way());
        self.log.push(heard_us, used.saturating_sub(own));
    }

    /// The moment that Reset names never comes nearer than it was, whatever the kind of limit.
    fn believes(&mut self, reset: Reset, sent_us: i64, heard_us: i64) -> bool {
        let to_us = heard_us + reset.latest_us;
        if sent_us >= self.reset_heard_us {
            if to_us < self.reset_from_us {
                self.reset_contradicted();
            } else {
                self.reset_doubt = self.reset_doubt.saturating_sub(1);
            }
            self.reset_from_us = sent_us + reset.earliest_us;
            self.reset_heard_us = heard_us;
        }
        self.reset_doubt < RESET_DOUBTFUL && !self.is_doubtful()
    }

    fn note_reset(
        &mut self,
        sent_us: i64,
        heard_us: i64,
        remaining: u32,
        reset: Reset,
        overlap: u32,
    ) {
        if reset.earliest_us >= self.period_us {
            self.named_us = Some(self.named_us.unwrap_or(0).max(reset.latest_us));
        }
        let (limit, period_us) = (self.limit(), self.period_us);
        // While others are under way nobody knows which call will fall out first.
        let alone = self.flight.is_empty();
        let slides_us = self.log.newest(limit).map(|oldest| oldest + period_us);
        let slides_us = slides_us.filter(|_| alone);
        let seen = Seen { sent_us, heard_us, remaining, reset, limit, period_us, slides_us };
        self.proof.observe(&seen);
        let wait_us = match self.proof.is_bucket() {
            true if remaining > 0 => 0,
            true => refill_us(period_us, limit),
            false => reset.latest_us.max(0),
        };
        let at_us = heard_us + wait_us;
        // Of several at once the last to arrive is right, and nobody knows which one that was.
        let before_us = self.opens_us.filter(|_| overlap > 0).unwrap_or(0);
        self.opens_us = (sent_us >= self.lost_us).then_some(at_us.max(before_us));
    }

    /// A call was refused: nothing is left, and the wait is the one that was asked for.
    pub(super) fn refused(&mut self, sent_us: i64, heard_us: i64, told: &Told) {
        // Sent before anybody could know.
        let same_crowd = sent_us <= self.refused_us;
        let unaware = sent_us <= self.limit_heard_us;
        let limit = self.limit.unwrap_or(self.assumed.permits);
        self.note_limit(sent_us, heard_us, told);
        let lowered = self.limit.is_some_and(|told| told < limit);
        (self.left, self.opens_us) = (0, None);
        let slid = self.slides_at(self.count_under_way()) <= sent_us;
        if !same_crowd {
            self.refusals = self.refusals.saturating_add(1);
            if !lowered && !unaware {
                self.blame(sent_us, slid);
            }
        }
        let reset = told.reset.filter(|_| self.reset_doubt < RESET_DOUBTFUL);
        let asked_us = match told.retry_after_us {
            Some(wait_us) => Some(wait_us.saturating_add(SECOND_US)),
            None => reset.filter(|_| !self.is_doubtful()).map(|reset| reset.latest_us),
        };
        let doublings = self.refusals.saturating_sub(1).min(DOUBLINGS_MAX);
        let least_us = (SECOND_US << doublings).min(self.period().max(SECOND_US));
        let wait_us = asked_us.unwrap_or(0).clamp(least_us, PERIOD_US_MAX);
        self.closed_until_us = self.closed_until_us.max(heard_us + wait_us);
        self.opens_us = asked_us.map(|_| self.closed_until_us);
        if slid && !unaware {
            // The budget was used up by calls that we know nothing of.
            self.log.push(heard_us, self.limit());
        }
        self.log.keep(self.limit());
        self.refused_us = self.refused_us.max(heard_us);
    }

    /// Learns from a refusal that no lower limit explains. `slid`: the sliding window would have
    /// let the call go.
    fn blame(&mut self, sent_us: i64, slid: bool) {
        self.calm = 0;
        if self.limit.is_some() {
            self.contradicted();
            self.reset_contradicted();
        }
        if !slid {
            return;
        }
        let came = self.log.count_after(sent_us.saturating_sub(self.period()));
        if self.limit.is_none() && came > 0 {
            self.permits = Some(came.min(self.limit()));
        } else if !self.has_reset {
            let longer_us = self.period_us.saturating_add(self.period_us / 2);
            self.period_us = longer_us.min(PERIOD_US_MAX);
        }
    }

    /// A refusal may have been somebody else's fault: what it taught fades.
    pub(super) fn soften(&mut self) {
        if self.calm < CALM_BUDGETS.saturating_mul(self.limit()) {
            return;
        }
        self.calm = 0;
        self.permits = self.permits.map(|permits| permits + 1);
        self.permits = self.permits.filter(|permits| *permits < self.assumed.permits);
        let beyond_us = self.period_us - self.assumed.period_us;
        self.period_us = self.assumed.period_us + beyond_us / 8 * 7;
    }
}
