#![doc = include_str!("../README.md")]

pub mod lint;

pub use lint::{Lint, LintLayer};
