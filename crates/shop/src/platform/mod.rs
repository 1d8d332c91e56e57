//! What every capability stands on: problems, extractors, lists, configuration, the clock, recorded
//! writes, the server.
//!
//! Nothing here knows a product or an order. Every refusal is a [`problem::Problem`].

pub mod answer;
pub mod clock;
pub mod command;
pub mod etag;
pub mod extract;
pub mod openapi;
pub mod problem;
pub mod rate;
pub mod request;
