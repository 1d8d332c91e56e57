//! Whose channels somebody sees and manages.

use runout_store::{Composer, Value};

use crate::accounts::{Capability, Identity, Verb};

/// Whose channels somebody sees and manages: an account its own, the staff every one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Every,
    Of(i64),
}

impl Scope {
    /// What an account may do this with.
    pub fn of(identity: &Identity, verb: Verb) -> Self {
        match identity.may(Capability::Channels, verb) {
            true => Self::Every,
            false => Self::Of(identity.account_id),
        }
    }

    /// True if a channel of this account is in it.
    pub fn has(self, account_id: Option<i64>) -> bool {
        match self {
            Self::Every => true,
            Self::Of(own) => account_id == Some(own),
        }
    }

    /// Whose a channel becomes that is added by whoever has this scope.
    pub const fn owner(self) -> Option<i64> {
        match self {
            Self::Every => None,
            Self::Of(own) => Some(own),
        }
    }

    /// Appends the condition to a statement about `channel c`.
    pub(super) fn compose(self, sql: &mut Composer) {
        if let Self::Of(own) = self {
            sql.push(" and c.account_id = ").bind(own).push_each("", "::bigint");
        }
    }

    /// As a parameter: null is every one.
    pub(super) fn param(self) -> Value {
        self.owner().into()
    }
}
