//! The engine under every socket server of wgi: connections, workers, timeouts and limits.
//!
//! It is the only place that does I/O, and it knows no protocol: a [`Protocol`] makes a [`Codec`] for each
//! connection, and the engine moves bytes between sockets, codecs and applications. The way a request takes:
//!
//! | step | file |
//! | --- | --- |
//! | a connection is accepted, and gets a slot | `listener.rs`, `acceptor.rs`, `slots.rs` |
//! | an event gives it a turn, on the thread that leads its reactor | `reactor.rs`, `turn.rs` |
//! | what is below the codec is opened, where there is such: the header of a proxy, a transport | `layer.rs`, `proxy.rs`, `peers.rs`, `sealed.rs`, `transport.rs` |
//! | bytes are read and decoded, a body is collected or lent | `connection.rs`, `wire.rs`, `inbox.rs`, `lend.rs` |
//! | the application is called there and then, and its reply encoded and sent | `exchange.rs`, `outbox.rs` |
//! | should it be slow, another thread leads meanwhile | `lead.rs`, `monitor.rs`, `pool.rs` |
//!
//! What codecs share is [`SingleCodec`], for protocols of one request a connection, and [`write_head`], for heads that
//! are lines of text.
//!
//! Workers are threads, for an application may block. A slow peer holds none of them: what waits for a peer is parked
//! in its slot, with the response's body if there is one. A slow application holds the one that it runs on, and
//! nobody else's request.

mod acceptor;
mod codec;
mod connection;
mod engine;
mod exchange;
mod head;
mod inbox;
mod layer;
mod lead;
mod lend;
mod listener;
mod monitor;
mod options;
mod outbox;
mod peers;
mod pool;
pub mod proxy;
mod reactor;
mod sealed;
mod single;
mod slots;
mod socket;
mod transport;
mod turn;
mod wire;

pub use codec::{Codec, ConnectionInfo, Decoded, Event, Id, Protocol, Request, RequestBody};
pub use engine::{Counters, Engine, Handle};
pub use head::write_head;
pub use listener::{Address, BindOptions, Listener};
pub use options::Options;
pub use peers::Peers;
pub use proxy::ProxyProtocol;
pub use single::{Single, SingleCodec};
pub use transport::{NotOpened, Transport, Transports};
