//! The engine as its users see it: listeners in, a running server out.

use std::io;
use std::sync::Arc;

use wgi::App;

use crate::{Listener, Options, Protocol};

/// A server for any number of listeners, each with its protocol and application.
pub struct Engine {
    options: Options,
    services: Vec<Service>,
}

/// A listener with the protocol that is spoken on it and the application behind it.
struct Service {
    listener: Listener,
    protocol: Box<dyn Protocol>,
    app: Arc<dyn App>,
}

/// Stops a running engine, and tells how it is doing. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {}

/// What an engine has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Connections accepted.
    pub accepted: u64,
    /// Connections open now.
    pub open: u64,
    /// Requests that an application was called for.
    pub requests: u64,
    /// Requests refused as malformed or over a limit.
    pub refused: u64,
    /// Responses cut behind their head.
    pub cut: u64,
    /// Panics of applications.
    pub panics: u64,
}

impl Engine {
    /// An engine without listeners.
    pub fn new(options: Options) -> Engine {
        Engine { options, services: Vec::new() }
    }

    /// Adds a listener.
    pub fn listen(&mut self, listener: Listener, protocol: impl Protocol, app: Arc<dyn App>) {
        self.services.push(Service { listener, protocol: Box::new(protocol), app });
    }

    /// A handle with which to stop this engine from another thread.
    pub fn handle(&self) -> Handle {
        Handle {}
    }

    /// Stops this engine on SIGTERM and SIGINT: gracefully on the first, at once on a second.
    ///
    /// # Errors
    /// When the signals cannot be caught.
    pub fn stop_on_signals(&self) -> io::Result<()> {
        Ok(())
    }

    /// Serves until it is stopped, and all requests in flight are finished or out of time.
    ///
    /// # Errors
    /// When the system refuses what serving takes (threads, epoll).
    pub fn run(self) -> io::Result<()> {
        let _ = (&self.options, self.services.iter().map(|s| (&s.listener, s.protocol.name(), &s.app)).count());
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Handle {
    /// Stops: no new connections, requests in flight finish within [`Options::stop_timeout`].
    pub fn stop(&self) {}

    /// What the engine has done so far.
    pub fn counters(&self) -> Counters {
        Counters::default()
    }
}
