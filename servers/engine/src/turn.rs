//! One turn of a connection on a worker: why it has it, and what it may use.

use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use bitflags::bitflags;
use rustix::event::epoll::EventFlags;
use rustix::thread::gettid;

use crate::exchange::Exchange;
use crate::lead::{ASIDE, Begun};
use crate::reactor::Reactor;
use crate::slots::Token;
use crate::socket::Socket;

/// How many exchanges one connection may have in a turn, before others have theirs.
const EXCHANGES: u32 = 32;

/// How many bytes of replies it may send, likewise.
const BYTES: u64 = 256 * 1024;

/// Behind a call that took so long, what it answered goes out before the connection's next request is looked at.
const LATE: Duration = Duration::from_millis(1);

bitflags! {
    /// Why a connection has its turn.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Ready: u8 {
        /// There is something to read, or the end of it.
        const READABLE = 1;
        /// The peer has closed its side.
        const ENDED = 2;
        /// The peer is gone, in both directions.
        const GONE = 4;
        /// What was waited for did not come in time.
        const EXPIRED = 8;
        /// Another reason: room to write, a stream that has something ready, a turn that was cut short, the engine's stop.
        const OTHER = 16;
    }
}

impl From<EventFlags> for Ready {
    fn from(flags: EventFlags) -> Ready {
        let mut ready = Ready::empty();
        ready.set(Ready::READABLE, flags.contains(EventFlags::IN));
        ready.set(Ready::OTHER, flags.contains(EventFlags::OUT));
        if flags.contains(EventFlags::RDHUP) {
            ready |= Ready::READABLE | Ready::ENDED;
        }
        if flags.intersects(EventFlags::HUP | EventFlags::ERR) {
            ready |= Ready::READABLE | Ready::ENDED | Ready::GONE;
        }
        ready
    }
}

/// What one worker counts, until it adds it to the engine's counters.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) requests: u64,
    pub(crate) refused: u64,
    pub(crate) cut: u64,
    pub(crate) panics: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Tally) {
        self.requests += other.requests;
        self.refused += other.refused;
        self.cut += other.cut;
        self.panics += other.panics;
    }
}

/// One turn of a connection on a worker.
pub(crate) struct Turn<'a> {
    pub(crate) now: Instant,
    /// A buffer to read into, and one to write into: the worker's, lent to one connection after the other.
    pub(crate) inbox: &'a mut Vec<u8>,
    pub(crate) outbox: &'a mut Vec<u8>,
    /// The room for an exchange, likewise.
    spare: &'a mut Option<Box<Exchange>>,
    pub(crate) tally: &'a mut Tally,
    reactor: &'a Arc<Reactor>,
    token: Token,
    /// That of the turn: see [`generation`](Turn::generation).
    generation: u64,
    exchanges: u32,
    bytes: u64,
    /// A call of the application took long.
    late: bool,
}

impl<'a> Turn<'a> {
    pub(crate) fn new(reactor: &'a Arc<Reactor>, token: Token, worker: &'a mut Worker, now: Instant) -> Turn<'a> {
        Turn {
            now,
            inbox: &mut worker.inbox,
            outbox: &mut worker.outbox,
            spare: &mut worker.spare,
            tally: &mut worker.tally,
            reactor,
            token,
            generation: worker.turn.map_or(ASIDE, |turn| turn.generation),
            exchanges: 0,
            bytes: 0,
            late: false,
        }
    }

    /// Room for an exchange that begins.
    pub(crate) fn exchange(&mut self) -> Box<Exchange> {
        self.spare.take().unwrap_or_else(|| Box::new(Exchange::idle()))
    }

    /// Takes back what an exchange that is over had.
    pub(crate) fn give_back(&mut self, mut exchange: Box<Exchange>) {
        // The application's response is dropped here and now.
        exchange.clear();
        *self.spare = Some(exchange);
    }

    pub(crate) fn begin_exchange(&mut self) {
        self.exchanges += 1;
        self.tally.requests += 1;
    }

    /// Goes on behind a call of the application. The time that a slow one took is not the peer's: no deadline may be
    /// reckoned from before it.
    pub(crate) fn resume(&mut self) {
        // Only a fast one still keeps the lead, and for it the time stood still.
        if self.reactor.generation() != self.generation {
            let now = Instant::now();
            self.late |= now.saturating_duration_since(self.now) >= LATE;
            self.now = now;
        }
    }

    pub(crate) fn sent(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Whether others are to have their turn, for this one was long.
    pub(crate) fn is_spent(&self) -> bool {
        self.exchanges >= EXCHANGES || self.bytes >= BYTES || self.late
    }

    /// Whether applications are slow, so that it is another thread that leads meanwhile.
    pub(crate) fn is_aside(&self) -> bool {
        self.generation == ASIDE
    }

    /// Whether the engine is about to stop, so that a reply says that it is the last.
    pub(crate) fn is_stopping(&self) -> bool {
        self.reactor.is_stopping()
    }

    /// A waker that gives this connection another turn.
    pub(crate) fn waker(&self) -> Waker {
        Waker::from(Arc::new(self.watch()))
    }

    /// What the reactor is told of this connection through.
    pub(crate) fn watch(&self) -> Watch {
        Watch { reactor: Arc::downgrade(self.reactor), token: self.token }
    }

    /// The generation of leaders in which this turn keeps the lead; one that there never is, if another leads meanwhile.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }
}

/// What a worker keeps from turn to turn.
pub(crate) struct Worker {
    pub(crate) inbox: Vec<u8>,
    pub(crate) outbox: Vec<u8>,
    spare: Option<Box<Exchange>>,
    pub(crate) tally: Tally,
    /// Its thread, as the system numbers it.
    pub(crate) thread: i32,
    /// The turn that it is in.
    pub(crate) turn: Option<Begun>,
    /// The connection whose turn that is, or was last.
    pub(crate) token: Option<Token>,
}

impl Worker {
    /// That of the thread that calls.
    pub(crate) fn new() -> Worker {
        Worker {
            inbox: Vec::with_capacity(crate::inbox::READ),
            outbox: Vec::new(),
            spare: None,
            tally: Tally::default(),
            thread: gettid().as_raw_nonzero().get(),
            turn: None,
            token: None,
        }
    }
}

/// A connection, as its reactor knows it. What a connection holds keeps no reactor alive, which would keep the connection.
pub(crate) struct Watch {
    reactor: Weak<Reactor>,
    token: Token,
}

impl Watch {
    /// Whether another thread leads the reactor by now.
    pub(crate) fn is_led_by_another(&self, generation: u64) -> bool {
        self.reactor.upgrade().is_some_and(|reactor| reactor.generation() != generation)
    }

    /// Watches for the connection's events or, but for its end, does not; says whether that could be changed. What
    /// happened in between is told when it is watched again.
    pub(crate) fn set(&self, socket: &Socket, is_watched: bool) -> bool {
        self.reactor.upgrade().is_some_and(|reactor| reactor.watch(self.token, socket, is_watched).is_ok())
    }
}

impl Wake for Watch {
    fn wake(self: Arc<Self>) {
        if let Some(reactor) = self.reactor.upgrade() {
            reactor.wake(self.token);
        }
    }
}
