//! `make bench`: the shop under wrk, in figures that are ratios within one run.

pub mod report;
pub mod scenarios;
pub mod seed;
pub mod server;
pub mod wrk;
