//! Load on a server, from the other core.

pub mod fastcgi;
pub mod nginx;
pub mod wrk;
