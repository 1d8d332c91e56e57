//! What an answer tells about its server's limit.

use super::SECOND_US;

/// A Reset or Retry-After of more is not believed: the longest period that is known of is an hour.
pub const WAIT_US_MAX: i64 = 2 * 3_600 * SECOND_US;
/// A Reset of at least so much is a moment, a smaller one a number of seconds.
const EPOCH_MIN_S: i64 = 1_000_000_000;
/// A moment of at least so much is in milliseconds.
const EPOCH_MIN_MS: i64 = 1_000_000_000_000;

/// What an answer tells; all absent for one without such header fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// Calls per period (or at a time).
    pub limit: Option<u32>,
    /// Calls that the server would have admitted after this one.
    pub remaining: Option<u32>,
    pub reset: Option<Reset>,
    /// The call was not admitted.
    pub refused: bool,
    /// What a refusal asks to wait, as it was told (whole seconds, rounded nobody knows how).
    pub retry_after_us: Option<i64>,
}

/// When budget is there again (all of it, or one more call: servers differ), counted from the
/// moment at which the server said so: between these two, in microseconds. Seconds are rounded in
/// nobody knows which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reset {
    pub(super) earliest_us: i64,
    pub(super) latest_us: i64,
}

impl Reset {
    /// So many whole seconds; none if that is plainly wrong.
    pub fn in_seconds(seconds: i64) -> Option<Self> {
        let about_us = seconds.checked_mul(SECOND_US)?;
        let plausible = (0..=WAIT_US_MAX).contains(&about_us);
        let (earliest_us, latest_us) = (about_us - SECOND_US, about_us + SECOND_US);
        plausible.then_some(Self { earliest_us, latest_us })
    }

    /// Reads the field: seconds, or a moment since 1970 (in seconds or milliseconds): its size
    /// tells. A moment is on the provider's clock: it means something only beside the `Date` of the
    /// same answer (`date_s`, since 1970).
    pub fn read(field: i64, date_s: Option<i64>) -> Option<Self> {
        if field < EPOCH_MIN_S {
            return Self::in_seconds(field);
        }
        let at_s = if field >= EPOCH_MIN_MS { field / 1_000 } else { field };
        let about_us = at_s.checked_sub(date_s?)?.checked_mul(SECOND_US)?;
        // The date is cut to whole seconds: up to one of them had passed already.
        let (earliest_us, latest_us) = (about_us - 2 * SECOND_US, about_us + SECOND_US);
        let plausible = latest_us >= 0 && about_us <= WAIT_US_MAX;
        plausible.then_some(Self { earliest_us, latest_us })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_is_seconds_or_a_moment_beside_the_date() {
        const DATE: i64 = 1_795_262_400;
        let between = |earliest: i64, latest: i64| {
            Some(Reset { earliest_us: earliest * SECOND_US, latest_us: latest * SECOND_US })
        };
        for (field, date_s, expected) in [
            (0, None, between(-1, 1)),
            (60, Some(DATE), between(59, 61)),
            (7_200, None, between(7_199, 7_201)),
            (7_201, None, None),
            (-1, None, None),
            (DATE + 60, Some(DATE), between(58, 61)),
            ((DATE + 60) * 1_000 + 999, Some(DATE), between(58, 61)),
            (DATE - 1, Some(DATE), between(-3, 0)),
            (DATE - 2, Some(DATE), None),
            (DATE + 60, None, None),
            (i64::MAX, Some(DATE), None),
            (i64::MIN, Some(DATE), None),
        ] {
            assert_eq!(Reset::read(field, date_s), expected, "{field} at {date_s:?}");
        }
    }
}
