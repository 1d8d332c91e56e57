//! The integration suite: one binary, every test on both engines.
#![expect(unreachable_pub, reason = "a test binary has no outside")]

mod accounts;
mod addresses;
mod admin_bulk;
mod admin_pages;
mod admin_plans;
mod answer_cache;
mod authorisation;
mod basket_holds;
mod basket_merges;
mod baskets;
mod binary;
mod broker;
mod browser;
mod catalog;
mod channels;
mod channels_api;
mod channels_pages;
mod checkout;
mod checkout_money;
mod commands;
mod commerce_history;
mod crash;
mod dead_letters;
mod defect_shape_9;
mod defect_shapes;
mod delivery;
mod delivery_pages;
mod desk_dashboard;
mod desk_orders;
mod desk_runs;
mod destinations;
mod discounts;
mod drop;
mod event_crowd;
mod event_pages;
mod events;
mod gateway;
mod import;
mod journal;
mod journal_import;
mod journal_pages;
mod lists;
mod logins;
mod openapi;
mod order_keys;
mod order_life;
mod order_states;
mod orders;
mod pages_accounts;
mod pages_basket;
mod pages_data;
mod pages_shop;
mod payment_methods;
mod permissions;
mod predecessors;
mod pricing;
mod recorder;
mod remotes;
mod seal;
mod seam;
mod search;
mod second_factor;
mod security;
mod settlement;
mod shared_answers;
mod stock_api;
mod stock_writer;
mod support;
mod taxes;
mod tickets;
mod verify;
mod webhook_signatures;

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

/// Counts what is in use, for whoever asserts how much that may be.
#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;
