//! Runout: the shop backend for things that run out.

pub mod accounts;
pub mod app;
pub mod platform;

pub use app::App;
