//! Load on a server, from the other core.

pub mod bulk;
pub mod closed;
pub mod fastcgi;
pub mod http;
pub mod nginx;
pub mod paced;
pub mod wrk;
