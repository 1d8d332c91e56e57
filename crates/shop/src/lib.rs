//! Runout: the shop backend for things that run out.

pub mod catalog;
