//! The catalogue: products, variants and how they get in.

pub mod import;
