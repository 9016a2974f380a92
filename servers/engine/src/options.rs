//! Limits and timeouts, each with a safe default.

use std::time::Duration;

use wgi::Vars;

/// What an [`Engine`](crate::Engine) allows its peers and itself.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// How many threads work at once at the most; 1 calls the application from one thread only. Default: 32, or 8 for
    /// each core where that is more.
    pub threads: usize,
    /// How many connections are open at once at the most; further ones wait in the listener's queue. Default: 50,000.
    pub max_connections: usize,
    /// The longest request body in bytes. Default: 2 GiB. What the application does not read is not held.
    pub max_body: u64,
    /// Up to how many bytes a request body is collected before the application is called. Default: 64 KiB.
    pub body_buffer: usize,
    /// How many bytes of a request body that the application left unread are read and dropped, so that the connection
    /// can go on. Default: 256 KiB.
    pub max_drain: u64,
    /// How long the head of a request may take from its first byte. Default: 15 s.
    pub head_timeout: Duration,
    /// How long a request body may pause. Default: 30 s.
    pub body_timeout: Duration,
    /// How many bytes a second a request body must come to, on average over all but its first `body_timeout`; 0 for no
    /// such rate. Default: 256.
    pub min_body_rate: u64,
    /// How long a connection may be idle between requests. Default: 60 s.
    pub keep_alive_timeout: Duration,
    /// How long a peer may leave a response unread. Default: 60 s.
    pub write_timeout: Duration,
    /// How long a peer that was refused may take to read why, before the connection is closed under it. Default: 2 s.
    pub linger_timeout: Duration,
    /// How long a peer may take to send a request on an open connection, once the engine is asked to stop: who keeps
    /// connections may have chosen this one just then. Default: 1 s.
    pub last_request_timeout: Duration,
    /// How long requests in flight may take to finish once the engine is asked to stop. Default: 30 s.
    pub stop_timeout: Duration,
    /// Several processes serve the same application (`wgi.multiprocess`). Default: no.
    pub multiprocess: bool,
    /// Variables that the deployer adds to every environment. Default: none.
    pub variables: Vars,
}

impl Default for Options {
    fn default() -> Options {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Options {
            threads: 32.max(8 * cores),
            max_connections: 50_000,
            max_body: 1 << 31,
            body_buffer: 64 * 1024,
            max_drain: 256 * 1024,
            head_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(30),
            min_body_rate: 256,
            keep_alive_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            linger_timeout: Duration::from_secs(2),
            last_request_timeout: Duration::from_secs(1),
            stop_timeout: Duration::from_secs(30),
            multiprocess: false,
            variables: Vars::new(),
        }
    }
}
