//! The probe behind real web servers, each started by its test on a free port, with its own configuration in a
//! temporary folder. A server that is not installed is skipped, and said to be.
//!
//! `WGI_WRITE_MATRIX=1` writes down what passed (`matrix.rs`).
//! `WGI_ROW=name` runs one row of the table alone, also where it is known not to pass.

mod ajp;
mod apache;
mod browser;
mod caddy;
mod checks;
mod clients;
mod environ;
mod gateway;
mod haproxy;
mod host;
mod lighttpd;
mod matrix;
mod nginx;
mod pair;
mod process;
mod proxied;
mod rows;
mod small;
mod tls;
mod uwsgi;
