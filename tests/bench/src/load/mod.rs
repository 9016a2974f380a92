//! Load on a server, from the other core.

pub mod wrk;
