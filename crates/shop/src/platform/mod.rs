//! What every capability stands on: problems, extractors, lists, recorded writes, configuration,
//! the clock, the server.
//!
//! Nothing here knows a product or an order. Every refusal is a [`problem::Problem`].

pub mod clock;
pub mod command;
pub mod cursor;
pub mod etag;
pub mod extract;
pub mod lookups;
pub mod page;
pub mod problem;
pub mod rate;
pub mod request;
pub mod responses;
