//! HTTP on the wire: literal bytes to a live engine, and what comes back, to the letter where it matters.
//!
//! The number in brackets at each test is the clause of the specification that it tests.

mod body;
mod clauses;
mod engine;
mod head;
mod pipeline;
mod server;
mod smuggling;
mod timeouts;
