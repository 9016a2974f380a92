//! The engine under every socket server of wgi: connections, workers, timeouts and limits.
//!
//! It is the only place that does I/O, and it knows no protocol: a [`Protocol`] makes a [`Codec`] for each
//! connection, and the engine moves bytes between sockets, codecs and applications.

mod acceptor;
mod codec;
mod connection;
mod engine;
mod inbox;
mod lend;
mod listener;
mod monitor;
mod options;
mod outbox;
mod pool;
mod reactor;
mod socket;
mod turn;
mod wire;

pub use codec::{Codec, ConnectionInfo, Decoded, Event, Id, Protocol, Request, RequestBody};
pub use engine::{Counters, Engine, Handle};
pub use listener::{Address, BindOptions, Listener};
pub use options::Options;
