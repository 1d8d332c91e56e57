//! Marketplace channels: which page is read next, and when the next call may be made.
//!
//! All of it is pure: time comes in.

mod cursor;
pub mod limiter;

pub use cursor::{AGAIN_MAX, Cursor, Listed, Method, OVERLAP, PAGES_MAX, Page, Scope};
