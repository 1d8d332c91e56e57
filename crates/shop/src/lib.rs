//! Runout: the shop backend for things that run out.

pub mod accounts;
pub mod app;
pub mod catalog;
pub mod orders;
pub mod platform;
pub mod predecessors;
pub mod pricing;
pub mod stock;
pub mod verify;

pub use app::App;
