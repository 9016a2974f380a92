//! TLS over real sockets, with certificates that are made on the spot and clients of rustls.

mod common;
mod files;
mod pieces;
mod promises;
mod serve;
