//! What the examples share.

pub mod number;
pub mod page;
