//! Stand-ins for the systems around Runout, as unkind as those can be. Development only.

pub mod bol;
mod chance;
pub mod receiver;
pub mod stripe;
