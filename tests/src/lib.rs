//! The conformance suite of wgi: what every server must do, as data.
//!
//! A [`Case`] is the clauses of the [specification](wgi::spec) that it tests, a name, a request, an application and
//! what must come of it. A server plugs in as an [`Adapter`], which says how a request of its protocol is written, how
//! a response is read, and what the protocol can carry. Then every case runs on three rungs:
//!
//! | rung | what runs | module |
//! | --- | --- | --- |
//! | direct | [`wgi::server::Reply`] alone, without a protocol | [`rungs::direct`] |
//! | memory | the codec between byte strings: whole, byte by byte, with bytes trailing | [`rungs::memory`] |
//! | live | a server on a socket ([`rungs::live`]), or a process for each request ([`rungs::process`]) | |
//!
//! `WGI_CASE_ONLY=name` in the environment runs one case alone.
//!
//! All of it is done under the validator, [`wgi_middleware::Lint`], but for the cases that break the protocol on
//! purpose. [`clauses`] reads the specification, so that a test can tell which clauses no case speaks for.
//!
//! Beside the suite there is the probe (binary `probe`), an application whose every behaviour can be asked for by URL.

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
