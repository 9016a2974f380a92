//! The conformance suite of wgi, and what its tests are made of.

pub mod client;
