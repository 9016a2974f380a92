//! A request body that is read while the application runs.
//!
//! The application owns its input and may take it anywhere, into its response's body or to another thread; the bytes
//! come from the connection, which the engine writes the response to. So the connection's [`Wire`] is lent: it lies
//! in a place that both know, and whoever needs it takes it out for the moment of a step that does not wait.
//!
//! An application that waits for its input does so by itself, at the socket. When that takes long another thread leads
//! the reactor; were the connection still watched, everything that comes in would wake that thread too, which can do
//! nothing with it. So the connection is not watched from then on, until its turn is over.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use wgi::{Error, PeerError, Source};

use crate::codec::Id;
use crate::options::Options;
use crate::outbox::Flushed;
use crate::turn::Watch;
use crate::wire::{Wire, disconnected};

/// The place where a wire lies while it is lent.
pub(crate) struct Lent {
    place: Mutex<Place>,
    given: Condvar,
    watch: Watch,
    options: Arc<Options>,
}

struct Place {
    wire: Option<Box<Wire>>,
    /// How many wait for it: to wake nobody costs a system call too.
    waiting: usize,
    /// The connection has its turn, under this generation of leaders, and the application is called.
    called: Option<u64>,
    /// The exchange is over: the wire will not come back.
    over: bool,
}

impl Lent {
    /// An empty place.
    pub(crate) fn new(watch: Watch, options: Arc<Options>) -> Arc<Lent> {
        let place = Mutex::new(Place { wire: None, waiting: 0, called: None, over: false });
        Arc::new(Lent { place, given: Condvar::new(), watch, options })
    }

    /// Lays the wire down for the call of an application.
    pub(crate) fn lend(&self, wire: Box<Wire>, generation: u64) {
        self.lock().called = Some(generation);
        self.give(wire);
    }

    /// Takes the wire back behind that call.
    pub(crate) fn take_back(&self) -> Option<Box<Wire>> {
        let wire = self.take();
        self.lock().called = None;
        wire
    }

    /// Lays the wire down.
    pub(crate) fn give(&self, wire: Box<Wire>) {
        let mut place = self.lock();
        place.wire = Some(wire);
        let is_awaited = place.waiting > 0;
        drop(place);
        if is_awaited {
            self.given.notify_one();
        }
    }

    /// Takes the wire, as soon as nobody else has it; none once the exchange is over.
    pub(crate) fn take(&self) -> Option<Box<Wire>> {
        let mut place = self.lock();
        loop {
            if let Some(wire) = place.wire.take() {
                return Some(wire);
            }
            if place.over {
                return None;
            }
            place.waiting += 1;
            place = self.given.wait(place).unwrap_or_else(PoisonError::into_inner);
            place.waiting -= 1;
        }
    }

    /// Before the application waits for input: sees to it that nobody else is woken by that.
    fn look_away(&self, wire: &mut Wire) {
        // Who has called the application watches again behind it, and has to get the wire for that first.
        let called = self.lock().called;
        if !wire.unwatched && called.is_some_and(|generation| self.watch.is_led_by_another(generation)) {
            wire.unwatched = self.watch.set(&wire.socket, false);
        }
    }

    /// The exchange is over, and the engine keeps the wire.
    pub(crate) fn end(&self) {
        self.lock().over = true;
        self.given.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rest of a request's body, read from a wire that is lent.
pub(crate) struct LentBody {
    lent: Arc<Lent>,
    id: Id,
}

impl LentBody {
    pub(crate) fn new(lent: Arc<Lent>, id: Id) -> LentBody {
        LentBody { lent, id }
    }

    /// Reads what there is, and sends what has to be said first (`100 Continue`).
    fn try_fill(&self, wire: &mut Wire, buffer: &mut Vec<u8>) -> io::Result<Option<()>> {
        let filled = wire.read_body(self.id, buffer, Instant::now())?;
        if filled.is_none()
            && let Flushed::Blocked = wire.flush()?
            && !wire.socket.wait_writable(self.lent.options.write_timeout)?
        {
            return Err(too_slow("to read the response"));
        }
        Ok(filled)
    }
}

impl Source for LentBody {
    fn fill(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let Some(mut wire) = self.lent.take() else { return Err(over()) };
            let filled = self.try_fill(&mut wire, buffer);
            if let Ok(None) = filled {
                self.lent.look_away(&mut wire);
            }
            let socket = wire.socket.clone();
            let deadline = wire.incoming_mut(self.id).map(|incoming| incoming.deadline(&self.lent.options));
            self.lent.give(wire);
            if filled?.is_some() {
                return Ok(());
            }
            let patience = deadline
                .map_or(self.lent.options.body_timeout, |deadline| deadline.saturating_duration_since(Instant::now()));
            if !socket.wait_readable(patience)? {
                return Err(too_slow("to send the request body"));
            }
            if let Some(mut wire) = self.lent.take() {
                wire.readable = true;
                self.lent.give(wire);
            }
        }
    }

    fn poll_fill(&mut self, context: &mut Context<'_>, buffer: &mut Vec<u8>) -> Poll<io::Result<()>> {
        let Some(mut wire) = self.lent.take() else { return Poll::Ready(Err(over())) };
        let filled = self.try_fill(&mut wire, buffer);
        if let Ok(None) = filled {
            wire.read_waker = Some(context.waker().clone());
        }
        self.lent.give(wire);
        match filled {
            Ok(Some(())) => Poll::Ready(Ok(())),
            Ok(None) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl Drop for LentBody {
    /// Nobody will read the rest.
    fn drop(&mut self) {
        // Not waited for: where the engine has the wire just now, the exchange ends and it drops the rest itself.
        let mut place = self.lent.lock();
        if let Some(incoming) = place.wire.as_mut().and_then(|wire| wire.incoming_mut(self.id)) {
            incoming.discard = true;
            incoming.body = Vec::new();
        }
    }
}

fn too_slow(doing: &'static str) -> io::Error {
    Error::from(PeerError::Timeout { doing }).into()
}

fn over() -> io::Error {
    disconnected("or its response ended before this was read").into()
}
