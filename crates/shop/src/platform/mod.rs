//! What every capability stands on: problems, extractors, lists, recorded writes, configuration,
//! the clock, the server.
//!
//! Nothing here knows a product or an order. Every refusal is a [`problem::Problem`].

pub mod answer;
pub mod batches;
pub mod cache;
pub mod clock;
pub mod command;
pub mod config;
pub mod cookie;
pub mod cursor;
pub mod docs;
pub mod etag;
pub mod extract;
pub mod form;
pub mod health;
pub mod layers;
pub mod lookups;
pub mod page;
pub(crate) mod paper;
mod params;
pub mod problem;
pub mod rate;
pub mod request;
pub mod responses;
mod route_metrics;
pub mod seal;
pub mod secret;
pub mod server;
pub(crate) mod sql;
mod stall;
pub mod telemetry;
pub mod tls;
