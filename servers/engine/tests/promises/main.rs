//! What the engine promises, each promise over real sockets: slow peers hold no worker, slow applications delay
//! nobody, a panic costs one response, a stop is graceful.

mod exchanges;
mod panics;
mod server;
mod slow_applications;
mod slow_peers;
mod stops;
