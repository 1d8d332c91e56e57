//! What the cache has done so far, for operators.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the start.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) hits: Count,
    pub(super) misses: Count,
    pub(super) readings: Count,
    pub(super) found: Count,
    pub(super) missing: Count,
    pub(super) failed: Count,
    pub(super) left_out: Count,
    pub(super) corrupt: Count,
    pub(super) stored: Count,
}

#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the cache has done since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// Requests answered with what this node had ready.
    pub hits: u64,
    /// Requests for which it had to be found or made; those that waited for another's are counted.
    pub misses: u64,
    /// Times that the versions were read from the database.
    pub readings: u64,
    /// Redis had what was asked for.
    pub found: u64,
    /// Redis did not have it.
    pub missing: u64,
    /// Redis answered with an error, or not within the budget.
    pub failed: u64,
    /// Redis was not asked, because it had failed or is not connected.
    pub left_out: u64,
    /// Redis had bytes that no node has stored there.
    pub corrupt: u64,
    /// Answers stored in Redis.
    pub stored: u64,
    /// True while Redis is asked, false while it is left alone; None for a shop without Redis.
    pub redis_is_up: Option<bool>,
}

impl Figures {
    pub(super) fn of(counts: &Counts, redis_is_up: Option<bool>) -> Self {
        Self {
            hits: counts.hits.value(),
            misses: counts.misses.value(),
            readings: counts.readings.value(),
            found: counts.found.value(),
            missing: counts.missing.value(),
            failed: counts.failed.value(),
            left_out: counts.left_out.value(),
            corrupt: counts.corrupt.value(),
            stored: counts.stored.value(),
            redis_is_up,
        }
    }

    /// Hands them to the metrics.
    pub fn publish(&self) {
        metrics::counter!("runout_answer_cache_hits_total").absolute(self.hits);
        metrics::counter!("runout_answer_cache_misses_total").absolute(self.misses);
        metrics::counter!("runout_answer_cache_readings_total").absolute(self.readings);
        let Some(up) = self.redis_is_up else { return };
        for (outcome, value) in [
            ("found", self.found),
            ("missing", self.missing),
            ("failed", self.failed),
            ("left_out", self.left_out),
            ("corrupt", self.corrupt),
            ("stored", self.stored),
        ] {
            metrics::counter!("runout_redis_calls_total", "outcome" => outcome).absolute(value);
        }
        metrics::gauge!("runout_redis_up").set(if up { 1.0 } else { 0.0 });
    }
}
