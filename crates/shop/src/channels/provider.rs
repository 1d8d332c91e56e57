//! What a marketplace can be asked, and what comes back: the seam behind which providers differ.

use std::time::Duration;

use runout_core::channels::Page;
use serde_json::Value as Json;

use super::bol::shapes::{Listed, Shipment};
use super::parcel::Parcel;
use crate::platform::secret::Secret;

/// Calls that are limited, each for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Endpoint {
    List,
    Detail,
    Ship,
    Process,
}

impl Endpoint {
    pub(super) const ALL: [Self; 4] = [Self::List, Self::Detail, Self::Ship, Self::Process];
}

/// A call.
#[derive(Debug, Clone)]
pub(super) enum Call {
    /// For a token: with the credentials.
    Token,
    List(Page),
    Detail {
        remote_id: String,
    },
    Ship(Parcel),
    Process {
        process_id: String,
    },
}

impl Call {
    /// What limits it; none: it needs no token, and is not limited.
    pub(super) const fn endpoint(&self) -> Option<Endpoint> {
        match self {
            Self::Token => None,
            Self::List(_) => Some(Endpoint::List),
            Self::Detail { .. } => Some(Endpoint::Detail),
            Self::Ship(_) => Some(Endpoint::Ship),
            Self::Process { .. } => Some(Endpoint::Process),
        }
    }
}

/// Whoever calls.
#[derive(Debug, Clone)]
pub(super) struct Credentials {
    pub client_id: String,
    pub secret: Secret,
}

/// What a call shows that it may be made.
#[derive(Debug, Clone)]
pub(super) enum Auth {
    Credentials(Credentials),
    Token(Secret),
}

/// An entry of a list that cannot be read.
#[derive(Debug, Clone)]
pub(super) struct Spoiled {
    pub remote_id: String,
    pub problem: String,
    pub raw: String,
}

/// How far a process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Progress {
    Pending { process_id: String },
    Success { process_id: String, shipment_id: Option<String> },
    Failure { process_id: String, error: String },
    Timeout { process_id: String },
}

/// What a call came to.
#[derive(Debug, Clone)]
pub(super) enum Came {
    Token {
        token: Secret,
        lives: Duration,
    },
    Page {
        entries: Vec<Listed>,
        spoiled: Vec<Spoiled>,
        unknown: Vec<String>,
    },
    Detail {
        shipment: Box<Shipment>,
        unknown: Vec<String>,
        raw: Json,
    },
    /// It came, and cannot be read.
    Malformed {
        problem: String,
        raw: String,
    },
    Process(Progress),
    /// It is not there.
    Missing,
    /// Too early.
    Refused,
    /// The token is not taken.
    Unauthorised,
    /// The credentials are not taken, or the account may not.
    Denied(String),
    /// The call itself is wrong, and would be so again.
    Invalid(String),
    /// No answer, or one that means nothing. `sent`: the provider may have acted.
    Failed {
        problem: String,
        sent: bool,
    },
}
