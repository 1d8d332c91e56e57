//! The integration suite: one binary, every test on both engines.
#![expect(unreachable_pub, reason = "a test binary has no outside")]

mod accounts;
mod answer_cache;
mod authorisation;
mod binary;
mod catalog;
mod commands;
mod crash;
mod import;
mod lists;
mod logins;
mod openapi;
mod order_keys;
mod orders;
mod predecessors;
mod pricing;
mod seam;
mod search;
mod stock_api;
mod stock_writer;
mod support;
mod verify;
