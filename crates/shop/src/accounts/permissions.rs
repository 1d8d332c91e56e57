//! What a member of staff may do: a verb on a capability.
//!
//! Superusers may everything. So may staff, until a superuser gives them a list; then they may what
//! stands in it. The list comes with whoever is identified, in the same query.

use std::fmt;
use std::str::FromStr;

use runout_store::{Error, Row};

use super::{Identity, Role, Session};
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
    /// Everybody's events, and who is let in.
    Events,
    /// Posts and comments.
    Journal,
    /// Destinations, and what could not be delivered to them.
    Delivery,
    /// Marketplace channels, and their shipments with whom they go to.
    Channels,
}

impl Capability {
    pub const ALL: [Self; 11] = [
        Self::Catalog,
        Self::Stock,
        Self::Orders,
        Self::Discounts,
        Self::Taxes,
        Self::Accounts,
        Self::Audit,
        Self::Events,
        Self::Journal,
        Self::Delivery,
        Self::Channels,
    ];

    /// As it is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Catalog => "catalog",
            Self::Stock => "stock",
            Self::Orders => "orders",
            Self::Discounts => "discounts",
            Self::Taxes => "taxes",
            Self::Accounts => "accounts",
            Self::Audit => "audit",
            Self::Events => "events",
            Self::Journal => "journal",
            Self::Delivery => "delivery",
            Self::Channels => "channels",
        }
    }
}

/// What may be done there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    View,
    Create,
    Change,
    Delete,
}

impl Verb {
    pub const ALL: [Self; 4] = [Self::View, Self::Create, Self::Change, Self::Delete];

    /// As it is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Create => "create",
            Self::Change => "change",
            Self::Delete => "delete",
        }
    }
}

/// A capability as a type, for [`super::Staff`].
pub trait Part: Send + Sync + 'static {
    const CAPABILITY: Capability;
}

/// A verb as a type, for [`super::Staff`].
pub trait Deed: Send + Sync + 'static {
    const VERB: Verb;
}

macro_rules! as_types {
    ($($name:ident: $of:ident::$constant:ident = $value:ident;)*) => {$(
        #[derive(Debug, Clone, Copy)]
        pub struct $name;

        impl super::$of for $name {
            const $constant: super::$value = super::$value::$name;
        }
    )*};
}

/// The capabilities as types.
pub mod on {
    as_types! {
        Catalog: Part::CAPABILITY = Capability;
        Stock: Part::CAPABILITY = Capability;
        Orders: Part::CAPABILITY = Capability;
        Discounts: Part::CAPABILITY = Capability;
        Taxes: Part::CAPABILITY = Capability;
        Accounts: Part::CAPABILITY = Capability;
        Audit: Part::CAPABILITY = Capability;
        Events: Part::CAPABILITY = Capability;
        Journal: Part::CAPABILITY = Capability;
        Delivery: Part::CAPABILITY = Capability;
        Channels: Part::CAPABILITY = Capability;
    }
}

/// The verbs as types.
pub mod to {
    as_types! {
        View: Deed::VERB = Verb;
        Create: Deed::VERB = Verb;
        Change: Deed::VERB = Verb;
        Delete: Deed::VERB = Verb;
    }
}

/// One thing that may be done: `catalog.view`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permission(pub Capability, pub Verb);

impl Permission {
    /// Every one that there is, by capability, then verb.
    pub fn all() -> impl Iterator<Item = Self> {
        Capability::ALL.into_iter().flat_map(|part| Verb::ALL.map(|verb| Self(part, verb)))
    }

    const fn bit(self) -> u64 {
        1 << (self.0 as u64 * 4 + self.1 as u64)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0.as_str(), self.1.as_str())
    }
}

/// No permission has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no permission {0:?}")]
pub struct UnknownPermission(pub String);

impl FromStr for Permission {
    type Err = UnknownPermission;

    fn from_str(text: &str) -> Result<Self, UnknownPermission> {
        let found = Self::all().find(|permission| permission.to_string() == text);
        found.ok_or_else(|| UnknownPermission(text.to_owned()))
    }
}

/// A set of permissions.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions(u64);

impl Permissions {
    pub const NONE: Self = Self(0);
    pub const ALL: Self = Self((1 << (Capability::ALL.len() * Verb::ALL.len())) - 1);

    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// Those of the set, by capability, then verb.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::all().filter(move |permission| self.contains(*permission))
    }

    /// Their names.
    pub fn names(self) -> Vec<String> {
        self.iter().map(|permission| permission.to_string()).collect()
    }

    /// What an account of this role may do: `listed` is none unless it is restricted.
    pub(super) fn of(role: Role, listed: Option<Self>) -> Self {
        match role {
            Role::Customer => Self::NONE,
            Role::Staff => listed.unwrap_or(Self::ALL),
            Role::Superuser => Self::ALL,
        }
    }

    /// Reads names with spaces between them; null: none are listed.
    pub(super) fn read(row: &Row<'_>, column: usize) -> Result<Option<Self>, Error> {
        let Some(names) = row.get::<Option<String>>(column)? else { return Ok(None) };
        let parsed: Result<Self, _> = names.split_whitespace().map(str::parse).collect();
        let broken = |error: UnknownPermission| Error::Decode { column, reason: error.to_string() };
        parsed.map(Some).map_err(broken)
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |bits, permission| bits | permission.bit()))
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|permission| permission.to_string())).finish()
    }
}

impl Identity {
    /// True if this account is staff and may do this.
    pub fn may(&self, capability: Capability, verb: Verb) -> bool {
        self.permissions.contains(Permission(capability, verb))
    }

    /// Refuses what this account may not do.
    ///
    /// # Errors
    /// 403 that names the permission, for staff; customers need not know.
    pub fn require(&self, capability: Capability, verb: Verb) -> Result<(), Problem> {
        if self.may(capability, verb) {
            return Ok(());
        }
        if self.role < Role::Staff {
            return Err(Problem::forbidden());
        }
        let missing = Permission(capability, verb);
        Err(Problem::forbidden().detail(format!("Your account lacks the permission {missing}.")))
    }
}

impl Session {
    /// True if this may be done in this session.
    pub fn may(&self, capability: Capability, verb: Verb) -> bool {
        self.identity.may(capability, verb)
    }

    /// Refuses what may not be done in this session.
    ///
    /// # Errors
    /// 403.
    pub fn require(&self, capability: Capability, verb: Verb) -> Result<(), Problem> {
        self.identity.require(capability, verb)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_has_a_bit_and_a_name_of_its_own() {
        let all: Permissions = Permission::all().collect();
        assert_eq!(all, Permissions::ALL);
        assert_eq!(Permission::all().count(), 44);
        for permission in Permission::all() {
            assert_eq!(permission.to_string().parse(), Ok(permission));
            let only: Permissions = [permission].into_iter().collect();
            assert_eq!(only.iter().collect::<Vec<_>>(), [permission]);
        }
        assert_eq!(
            "catalog.sell".parse::<Permission>(),
            Err(UnknownPermission("catalog.sell".to_owned()))
        );
    }

    #[test]
    fn only_staff_are_held_to_a_list() {
        let listed: Permissions =
            ["stock.view".parse().expect("a permission")].into_iter().collect();
        for (role, list, may) in [
            (Role::Customer, None, Permissions::NONE),
            (Role::Customer, Some(listed), Permissions::NONE),
            (Role::Staff, None, Permissions::ALL),
            (Role::Staff, Some(listed), listed),
            (Role::Staff, Some(Permissions::NONE), Permissions::NONE),
            (Role::Superuser, Some(Permissions::NONE), Permissions::ALL),
        ] {
            assert_eq!(Permissions::of(role, list), may, "{role:?}");
        }
    }
}
