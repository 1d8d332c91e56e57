//! Orders: placed all or nothing, at the prices and titles of the moment.
//!
//! Owns `orders`, `order_line` and `allocation`; they are written by the stock writer's batches only.

pub(crate) mod commands;
