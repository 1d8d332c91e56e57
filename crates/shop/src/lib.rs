//! Runout: the shop backend for things that run out.

pub mod app;
pub mod catalog;
pub mod platform;
pub mod pricing;

pub use app::App;
