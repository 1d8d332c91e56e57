<<<<<<< HEAD
//! Runout: the shop backend for things that run out.

pub mod app;
pub mod platform;

pub use app::App;
=======
//! The shop: library behind the `runout` binary.

pub mod platform;
>>>>>>> h-platform
