#![doc = include_str!("../README.md")]
//! # How it works
//!
//! A [`Case`] is the clauses of the [specification](wgi::spec) that it tests, a name, a request, an application and
//! what must come of it. It runs on three rungs, for as far as an [`Adapter`] can carry it:
//!
//! | rung | what runs | module |
//! | --- | --- | --- |
//! | direct | [`wgi::server::Reply`] alone, without a protocol | [`rungs::direct`] |
//! | memory | the codec between byte strings: whole, byte by byte, with bytes trailing | [`rungs::memory`] |
//! | live | a server on a socket ([`rungs::live`]), or a process for each request ([`rungs::process`]) | |
//!
//! All of it is done under the validator, [`wgi_middleware::Lint`], but for the cases that break the protocol on
//! purpose. [`clauses`] reads the specification, so that a test can tell which clauses no case speaks for.

mod adapter;
mod case;
pub mod cases;
pub mod clauses;
pub mod client;
mod journal;
pub mod probe;
mod request;
pub mod rungs;
mod seen;

pub use adapter::{Adapter, BODY_LIMIT, Capability};
pub use case::{AppFn, Case, Expect};
pub use journal::Journal;
pub use request::{HOST, Request};
pub use seen::Seen;
