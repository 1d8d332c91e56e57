//! What an answer means, and when to try again.

/// Two phases: quick ones for a receiver that restarts, slow ones for one that is down for days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// Failures after which a quick attempt follows.
    pub quick: u32,
    /// The first quick pause, in milliseconds; it doubles.
    pub quick_ms: u64,
    pub quick_ms_max: u64,
    /// Failures after those, after which a slow attempt follows.
    pub slow: u32,
    pub slow_ms: u64,
}

impl Retries {
    /// Milliseconds until the next attempt after `failures` failures; none: that was the last one.
    /// `random` is uniform over its whole range.
    ///
    /// Quick pauses have full jitter, anything between nothing and the doubled pause: receivers
    /// that come back are not met by everybody at once (M. Brooker, "Exponential Backoff And
    /// Jitter", AWS Architecture Blog, 2015). Slow ones vary by a quarter.
    pub fn pause_ms(&self, failures: u32, random: u32) -> Option<u64> {
        let part = |whole: u64| ((u128::from(whole) * u128::from(random)) >> 32) as u64;
        if failures <= self.quick {
            let doubled = 1u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX);
            return Some(part(self.quick_ms.saturating_mul(doubled).min(self.quick_ms_max)));
        }
        if failures - self.quick <= self.slow {
            return Some(self.slow_ms - self.slow_ms / 8 + part(self.slow_ms / 4));
        }
        None
    }
}

/// What an HTTP status means for a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Delivered,
    /// It may work another time.
    Later,
    /// The same, and the receiver has too much to do.
    Overloaded,
    /// It will never work: a person has to look at it.
    Refused,
    /// The receiver wants no more of them.
    Gone,
}

/// Reads a status as Standard Webhooks 1.0 says: only 2xx is success.
pub fn verdict(status: u16) -> Verdict {
    match status {
        200..=299 => Verdict::Delivered,
        410 => Verdict::Gone,
        429 | 502 | 503 | 504 => Verdict::Overloaded,
        // Redirects are not followed; whoever moved may come back.
        300..=399 | 408 | 409 | 421 | 423 | 425 | 500..=599 => Verdict::Later,
        _ => Verdict::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_with_full_jitter_then_are_slow_then_end() {
        let retries =
            Retries { quick: 4, quick_ms: 100, quick_ms_max: 500, slow: 2, slow_ms: 8_000 };
        let most: Vec<_> = (1..=7).map(|n| retries.pause_ms(n, u32::MAX)).collect();
        assert_eq!(
            most,
            [Some(99), Some(199), Some(399), Some(499), Some(8_999), Some(8_999), None]
        );
        let least: Vec<_> = (1..=7).map(|n| retries.pause_ms(n, 0)).collect();
        assert_eq!(least, [Some(0), Some(0), Some(0), Some(0), Some(7_000), Some(7_000), None]);
        assert_eq!(Retries { quick: 200, ..retries }.pause_ms(150, u32::MAX), Some(499));
    }

    #[test]
    fn only_2xx_is_success() {
        let cases = [
            (200, Verdict::Delivered),
            (204, Verdict::Delivered),
            (302, Verdict::Later),
            (400, Verdict::Refused),
            (401, Verdict::Refused),
            (403, Verdict::Refused),
            (404, Verdict::Refused),
            (409, Verdict::Later),
            (410, Verdict::Gone),
            (422, Verdict::Refused),
            (429, Verdict::Overloaded),
            (500, Verdict::Later),
            (503, Verdict::Overloaded),
            (199, Verdict::Refused),
            (999, Verdict::Refused),
        ];
        for (status, wanted) in cases {
            assert_eq!(verdict(status), wanted, "{status}");
        }
    }
}
