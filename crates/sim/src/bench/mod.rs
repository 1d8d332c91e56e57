//! `make bench`: the shop under wrk, in figures that are ratios within one run.

pub mod channels;
pub mod delivery;
pub mod events;
pub mod pages;
pub mod redis;
pub mod report;
pub mod scenarios;
pub mod seed;
pub mod server;
pub mod visit;
pub mod wrk;
