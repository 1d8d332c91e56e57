//! Codes that make an order cheaper: whether one may be used, what it takes off, and how that is
//! spread over the lines.
//!
//! # The rounding rule
//!
//! A share of the goods is rounded half up to a whole minor unit, once, on their sum. What is taken
//! off is never more than the goods. It is spread over the lines in proportion to their amounts by
//! the largest remainder, so that the parts add up to the last unit and each line can be taxed and
//! refunded by itself.

use jiff::Timestamp;

use crate::decimal::{self, DecimalError};
use crate::ids::DiscountId;
use crate::money::Currency;

/// Shares are hundredths of a percent: 10 % is 1000.
pub const PERCENT_BP_MAX: i64 = 10_000;
const PERCENT_DECIMALS: u32 = 2;

/// What a code takes off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A share of the goods in hundredths of a percent, 1 to [`PERCENT_BP_MAX`]; in any currency.
    PercentBp(i64),
    /// An amount, at least 1; in its currency only.
    Amount { minor: i64, currency: Currency },
}

/// A code with its conditions and how often it was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discount {
    pub id: DiscountId,
    pub kind: Kind,
    pub active: bool,
    /// From this moment on; none: since ever.
    pub starts_at: Option<Timestamp>,
    /// Before this moment; none: for ever.
    pub ends_at: Option<Timestamp>,
    /// Orders that may use it, all together.
    pub uses_max: Option<i64>,
    /// Orders of one customer that may use it.
    pub uses_per_customer_max: Option<i64>,
    /// Orders that stand and used it.
    pub uses: i64,
}

/// Why a code cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such code.
    Unknown,
    /// The staff has switched it off.
    Inactive,
    NotYet {
        from: Timestamp,
    },
    Over {
        since: Timestamp,
    },
    /// It takes off an amount of another currency.
    Currency {
        currency: Currency,
    },
    /// As many orders as may have used it.
    UsedUp,
    /// As many orders of this customer as may have used it.
    UsedUpByCustomer,
}

impl Discount {
    /// Whether one more order may use it. `uses_by_customer` counts the customer's orders that
    /// stand and used it.
    ///
    /// # Errors
    /// The first [`Refusal`] that applies, in the order of its variants.
    pub fn check(
        &self,
        now: Timestamp,
        currency: Currency,
        uses_by_customer: i64,
    ) -> Result<(), Refusal> {
        if !self.active {
            return Err(Refusal::Inactive);
        }
        if let Some(from) = self.starts_at.filter(|from| now < *from) {
            return Err(Refusal::NotYet { from });
        }
        if let Some(since) = self.ends_at.filter(|since| now >= *since) {
            return Err(Refusal::Over { since });
        }
        match self.kind {
            Kind::Amount { currency: own, .. } if own != currency => {
                return Err(Refusal::Currency { currency: own });
            }
            Kind::Amount { .. } | Kind::PercentBp(_) => {}
        }
        if reached(self.uses, self.uses_max) {
            return Err(Refusal::UsedUp);
        }
        if reached(uses_by_customer, self.uses_per_customer_max) {
            return Err(Refusal::UsedUpByCustomer);
        }
        Ok(())
    }

    /// Whether as many orders have used it as may, all together or of the customer.
    pub fn is_used_up(&self, uses_by_customer: i64) -> bool {
        reached(self.uses, self.uses_max) || reached(uses_by_customer, self.uses_per_customer_max)
    }

    /// What it takes off goods of this amount: 0 to all of it.
    ///
    /// # Panics
    /// When the goods' amount is negative, or the kind outside of its bounds.
    pub fn minor(&self, goods_minor: i64) -> i64 {
        assert!(goods_minor >= 0, "goods do not cost less than nothing: {goods_minor}");
        match self.kind {
            Kind::PercentBp(share) => {
                assert!((1..=PERCENT_BP_MAX).contains(&share), "a share is up to 100 %: {share}");
                let (scale, half) = (i128::from(PERCENT_BP_MAX), i128::from(PERCENT_BP_MAX / 2));
                let off = (i128::from(goods_minor) * i128::from(share) + half) / scale;
                i64::try_from(off).expect("a share is at most the whole")
            }
            Kind::Amount { minor, .. } => {
                assert!(minor >= 1, "an amount off is positive: {minor}");
                minor.min(goods_minor)
            }
        }
    }
}

fn reached(uses: i64, max: Option<i64>) -> bool {
    max.is_some_and(|max| uses >= max)
}

/// Spreads a discount over lines in proportion to their amounts, by the largest remainder; equal
/// remainders are served from the first line on. One part per line: they add up to the discount,
/// and none is more than its line.
///
/// # Panics
/// When a line or the discount is negative, or the discount more than the lines' sum.
pub fn apportion(discount_minor: i64, lines_minor: &[i64]) -> Vec<i64> {
    assert!(lines_minor.iter().all(|line| *line >= 0), "no line costs less than nothing");
    let sum: i128 = lines_minor.iter().map(|line| i128::from(*line)).sum();
    let discount = i128::from(discount_minor);
    assert!((0..=sum).contains(&discount), "a discount is a part of the goods: {discount}/{sum}");
    if discount == 0 {
        return vec![0; lines_minor.len()];
    }
    let shares = lines_minor.iter().map(|line| i128::from(*line) * discount);
    let (mut parts, remainders): (Vec<i64>, Vec<i128>) = shares
        .map(|share| {
            let part = i64::try_from(share / sum).expect("a part is at most its line");
            (part, share % sum)
        })
        .unzip();
    let mut by_remainder: Vec<usize> = (0..parts.len()).collect();
    // A stable sort: equal remainders stay in their order.
    by_remainder.sort_by_key(|line| std::cmp::Reverse(remainders[*line]));
    let left = usize::try_from(discount_minor - parts.iter().sum::<i64>())
        .expect("parts rounded down are not more than the whole");
    for line in by_remainder.into_iter().take(left) {
        parts[line] += 1;
    }
    assert_eq!(parts.iter().sum::<i64>(), discount_minor, "the parts add up to the discount");
    let fits = parts.iter().zip(lines_minor).all(|(part, line)| part <= line);
    assert!(fits, "no part is more than its line");
    parts
}

/// Why a text is no share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PercentError {
    #[error(transparent)]
    Decimal(#[from] DecimalError),
    #[error("must be more than 0 and at most 100")]
    OutOfRange,
}

/// A share in hundredths of a percent from its percentage as text: `"10"`, `"12.5"`; two decimals.
///
/// # Errors
/// [`PercentError`], saying what is wrong with the text.
pub fn parse_percent(text: &str) -> Result<i64, PercentError> {
    match decimal::parse(text, PERCENT_DECIMALS)? {
        share @ 1..=PERCENT_BP_MAX => Ok(share),
        _ => Err(PercentError::OutOfRange),
    }
}

/// A share as a percentage: `10`, `12.5`.
pub fn percent(share_bp: i64) -> String {
    decimal::shortest(share_bp, PERCENT_DECIMALS)
}

#[cfg(test)]
#[path = "discount_tests.rs"]
mod tests;
