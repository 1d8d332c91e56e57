//! Runout: the shop backend for things that run out.

pub mod accounts;
pub mod addresses;
pub mod admin;
pub mod app;
pub mod baskets;
pub mod catalog;
pub mod channels;
pub mod delivery;
pub mod desk;
pub mod discounts;
pub mod events;
pub mod jobs;
pub mod journal;
pub mod orders;
pub mod pages;
pub mod payments;
pub mod platform;
pub mod predecessors;
pub mod pricing;
pub mod sealed;
pub mod stock;
pub mod taxes;
pub mod verify;

pub use app::App;
