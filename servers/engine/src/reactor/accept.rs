//! How a reactor comes by its connections, and from when on by none.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Instant;

use rustix::event::epoll::{self, EventData, EventFlags};

use super::{LISTENERS, Reactor, watched};
use crate::acceptor::Accepted;
use crate::connection::Connection;
use crate::listener::Listener;
use crate::pool::Pool;

/// How many are accepted at the end: what a listener's queue holds. More would be those that come only then, perhaps
/// without end.
const QUEUED: usize = 4096;

impl Reactor {
    /// Starts to accept connections.
    pub(super) fn listen(&self) -> io::Result<()> {
        let listeners = self.listeners();
        let mut state = self.lock();
        if !state.listening {
            for (number, listener) in listeners.iter().enumerate() {
                let data = EventData::new_u64(LISTENERS - number as u64);
                // Level-triggered, and one reactor woken for each connection, not all of them.
                epoll::add(&self.epoll, &listener.socket, data, EventFlags::IN | EventFlags::EXCLUSIVE)?;
            }
            state.listening = true;
        }
        Ok(())
    }

    /// Stops to accept connections of these listeners, for now.
    fn pause(&self, listeners: &[Arc<Listener>]) {
        let mut state = self.lock();
        if std::mem::take(&mut state.listening) {
            for listener in listeners {
                let _ = epoll::delete(&self.epoll, &listener.socket);
            }
            self.tick(&mut state, true);
        }
    }

    /// Stops to accept connections, for good: those that wait in a queue are the last.
    pub(super) fn retire(self: &Arc<Reactor>, pool: &Pool) {
        let mut listeners = self.listeners();
        self.accept(pool, &listeners, QUEUED, |_| true);
        self.pause(&listeners);
        let last = std::mem::take(&mut *listeners);
        self.lock().retired = true;
        drop(listeners);
        drop(last);
    }

    /// Accepts what waits in the queues of some listeners, up to `most` of each.
    pub(super) fn accept(
        self: &Arc<Reactor>,
        pool: &Pool,
        listeners: &[Arc<Listener>],
        most: usize,
        concerns: impl Fn(usize) -> bool,
    ) {
        for (number, (listener, service)) in listeners.iter().zip(&self.shared.services).enumerate() {
            if !concerns(number) {
                continue;
            }
            for _ in 0..most {
                if !self.shared.has_room() {
                    // The listener's queue keeps the others until there is room.
                    return self.pause(listeners);
                }
                match service.accept(listener, &self.shared.options) {
                    Accepted::Connection(connection) => {
                        if let Err(connection) = pool.emptiest(self).adopt(connection) {
                            // This one has its listeners still.
                            let _ = self.adopt(connection);
                        }
                    }
                    Accepted::Turned => {}
                    Accepted::None => break,
                    Accepted::Full => return self.pause(listeners),
                }
            }
        }
    }

    /// Takes over a connection.
    ///
    /// # Errors
    /// Gives it back where this reactor has let go of its listeners: it may have stopped, and nobody would look at it.
    fn adopt(&self, connection: Box<Connection>) -> Result<(), Box<Connection>> {
        let Some(socket) = connection.socket() else { return Ok(()) };
        let deadline = Instant::now() + self.shared.options.keep_alive_timeout;
        let token = {
            let mut state = self.lock();
            if state.retired {
                return Err(connection);
            }
            let token = state.slots.insert(connection, deadline);
            self.tick(&mut state, true);
            self.load.store(state.slots.open(), Ordering::Relaxed);
            self.shared.opened();
            token
        };
        if let Err(error) = epoll::add(&self.epoll, socket.as_fd(), EventData::new_u64(token.into()), watched()) {
            tracing::error!("a connection could not be watched: {error}");
            self.forget(&mut self.lock(), token);
        }
        Ok(())
    }

    pub(super) fn listeners(&self) -> MutexGuard<'_, Vec<Arc<Listener>>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
