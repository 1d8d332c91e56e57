//! What a member of staff may do: a verb on a capability.

use super::{Role, Session};
use crate::platform::problem::Problem;

/// A part of the shop that staff may be let into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Products, variants, prices, imports.
    Catalog,
    /// Locations, levels, movements.
    Stock,
    /// Orders, payments, refunds, fulfilments, baskets.
    Orders,
    Discounts,
    Taxes,
    /// Customers and staff.
    Accounts,
    /// Who did what; the proof of the invariants.
    Audit,
}

/// What may be done there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    View,
    Create,
    Change,
    Delete,
}

impl Session {
    /// True if this may be done in this session.
    pub fn may(&self, _capability: Capability, _verb: Verb) -> bool {
        self.identity.role >= Role::Staff
    }

    /// Refuses what may not be done in this session.
    ///
    /// # Errors
    /// 403.
    pub fn require(&self, capability: Capability, verb: Verb) -> Result<(), Problem> {
        if self.may(capability, verb) { Ok(()) } else { Err(Problem::forbidden()) }
    }
}
