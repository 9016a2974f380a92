//! A reactor: an epoll, the connections that belong to it, and the queue of those that have something to do.
//!
//! One thread leads it: it takes a connection out of its slot, lets go of the lock, and runs it, the application
//! included. So a fast application costs no hop between threads. When the application is slow, the monitor notices
//! that the leader's turn does not end, raises the generation, and another thread leads on with the same epoll and
//! queue; the old leader finishes its turn, puts its connection back and joins the spares. An event for a connection
//! that is out of its slot is noted there and seen when it comes back.
//!
//! Events are edge-triggered and armed once, when the connection is accepted: waiting costs no system call but the
//! wait itself.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::Errno;
use rustix::thread::gettid;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime};

use crate::acceptor::Accepted;
use crate::connection::{Connection, Verdict};
use crate::listener::Listener;
use crate::pool::{Pool, Shared};
use crate::slots::{Slots, Token};
use crate::socket::Socket;
use crate::turn::{Ready, Tally, Turn, Worker};

/// How often connections are looked through for those whose time is up.
const SWEEP: Duration = Duration::from_millis(250);

/// How many connections of a listener are accepted before those that are open have their turn again.
const ACCEPTED: usize = 256;

/// How many are accepted at the end: what a listener's queue holds. More would be those that come only then, perhaps
/// without end.
const QUEUED: usize = 4096;

/// How many events are taken from the system at once.
const EVENTS: usize = 256;

/// What the system tells of the descriptor that wakes the leader.
const WAKE: u64 = u64::MAX;
/// What it tells of the timer.
const TICK: u64 = u64::MAX - 1;
/// What it tells of listener n is `LISTENERS - n`.
const LISTENERS: u64 = u64::MAX - 2;
/// No slot's index is as high as this.
const MOST_SLOTS: u32 = u32::MAX / 2;

/// A reactor.
pub(crate) struct Reactor {
    epoll: OwnedFd,
    wake: OwnedFd,
    /// Ticks each [`SWEEP`] while there is anything to look through. A wait with a time limit of its own would cost each
    /// batch of events a look at the clock, and the setting of a timer.
    timer: OwnedFd,
    state: Mutex<State>,
    /// A copy of the state's, for a look without the lock.
    generation: AtomicU64,
    /// A copy of the number of open connections, likewise.
    load: AtomicUsize,
    shared: Arc<Shared>,
}

struct State {
    slots: Slots,
    /// Who leads: raised to take the lead away.
    generation: u64,
    /// The number of the leader's turn, while it runs a connection.
    turn: Option<u64>,
    turns: u64,
    /// The leader's thread.
    leader: i32,
    /// The leader waits for events.
    waiting: bool,
    /// Let go of for good when the engine stops.
    listeners: Vec<Arc<Listener>>,
    listening: bool,
    ticking: bool,
    /// A leader has seen that it was interrupted.
    answered: bool,
    tally: Tally,
}

/// A connection whose turn it is, and what is to be done with it.
type Next = (Token, Box<Connection>, Ready);

/// What is run before the system is asked for more events.
struct Batch {
    /// How many of the queue have their turn.
    length: usize,
    /// The time at which the events came.
    now: Instant,
    /// The first of them.
    next: Option<Next>,
}

impl State {
    /// All that are queued by now, but not those that come back to the queue meanwhile.
    fn begin_batch(&mut self, now: Instant) -> Batch {
        let length = self.slots.queued();
        Batch { length, now, next: self.begin_turn(length) }
    }

    /// The next of the queue, with what is to be done, if there is any left of the batch: its turn begins.
    fn begin_turn(&mut self, batch: usize) -> Option<Next> {
        let next = if batch > 0 { self.slots.take_next()? } else { return None };
        self.turns += 1;
        self.turn = Some(self.turns);
        Some(next)
    }
}

/// Why a thread no longer leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Another thread does.
    Deposed,
    /// There are other reactors that nobody leads.
    Resigned,
    /// There is nothing left to lead.
    Stopped,
}

impl AsFd for Reactor {
    /// The epoll, which can be polled itself: there are events when it can be read.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl Reactor {
    /// A reactor that accepts connections of these listeners.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub(crate) fn new(shared: Arc<Shared>, listeners: Vec<Arc<Listener>>) -> io::Result<Reactor> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &wake, EventData::new_u64(WAKE), EventFlags::IN | EventFlags::ET)?;
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &timer, EventData::new_u64(TICK), EventFlags::IN | EventFlags::ET)?;
        let state = State {
            slots: Slots::default(),
            generation: 0,
            turn: None,
            turns: 0,
            leader: 0,
            waiting: false,
            listeners,
            listening: false,
            ticking: false,
            answered: true,
            tally: Tally::default(),
        };
        let reactor = Reactor {
            epoll,
            wake,
            timer,
            state: Mutex::new(state),
            generation: AtomicU64::new(0),
            load: AtomicUsize::new(0),
            shared,
        };
        reactor.listen()?;
        Ok(reactor)
    }

    /// Starts to accept connections.
    fn listen(&self) -> io::Result<()> {
        let mut state = self.lock();
        if !state.listening {
            for (number, listener) in state.listeners.iter().enumerate() {
                let data = EventData::new_u64(LISTENERS - number as u64);
                // Level-triggered, and one reactor woken for each connection, not all of them.
                epoll::add(&self.epoll, &listener.socket, data, EventFlags::IN | EventFlags::EXCLUSIVE)?;
            }
            state.listening = true;
        }
        Ok(())
    }

    /// Stops to accept connections, for now.
    fn pause(&self) {
        let mut state = self.lock();
        if std::mem::take(&mut state.listening) {
            for listener in &state.listeners {
                let _ = epoll::delete(&self.epoll, &listener.socket);
            }
            self.tick(&mut state, true);
        }
    }

    /// Lets the timer tick, or stops it.
    fn tick(&self, state: &mut State, ticking: bool) {
        if std::mem::replace(&mut state.ticking, ticking) == ticking {
            return;
        }
        let period = if ticking { SWEEP } else { Duration::ZERO };
        let period = Timespec::try_from(period).unwrap_or_default();
        let timer = Itimerspec { it_interval: period, it_value: period };
        if let Err(error) = timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &timer) {
            tracing::error!("the timer could not be set: {error}");
        }
    }

    /// Stops to accept connections, for good: those that wait in a queue are the last.
    fn retire(self: &Arc<Reactor>, pool: &Pool) {
        self.accept(pool, QUEUED, |_| true);
        self.pause();
        let listeners = std::mem::take(&mut self.lock().listeners);
        drop(listeners);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.shared.is_stopping()
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// How many connections belong to this reactor.
    pub(crate) fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    /// What was counted on this reactor.
    pub(crate) fn tally(&self) -> Tally {
        self.lock().tally
    }

    /// Gives a connection a turn.
    pub(crate) fn wake(&self, token: Token) {
        let mut state = self.lock();
        state.slots.note(token, Ready::OTHER);
        self.call_leader(state);
    }

    /// Whether there is nothing to do here, so that a thread may wait for an event of this reactor and of others.
    pub(crate) fn may_wait(&self) -> bool {
        let mut state = self.lock();
        state.waiting = state.slots.queued() == 0;
        state.waiting
    }

    /// Makes the leader look at the queue, if it waits for events.
    fn call_leader(&self, mut state: MutexGuard<'_, State>) {
        if std::mem::take(&mut state.waiting) {
            drop(state);
            self.interrupt();
        }
    }

    /// Whether a leader has looked for events since this was asked last; asks again.
    pub(crate) fn answers(&self) -> bool {
        let answered = {
            let mut state = self.lock();
            // One that has stopped has nothing left to look for.
            std::mem::take(&mut state.answered) || (state.listeners.is_empty() && state.slots.open() == 0)
        };
        self.interrupt();
        answered
    }

    /// Ends the leader's wait for events.
    pub(crate) fn interrupt(&self) {
        // A full counter wakes as well as a raised one.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }

    /// The turn that the leader is in, and the leader's thread.
    pub(crate) fn turn(&self) -> (Option<u64>, i32) {
        let state = self.lock();
        (state.turn, state.leader)
    }

    /// Takes the lead away from a thread that is still in this turn; says whether it did.
    pub(crate) fn depose(&self, turn: Option<u64>) -> bool {
        let mut state = self.lock();
        let stuck = turn.is_some() && state.turn == turn;
        if stuck {
            self.succeed(&mut state);
        }
        stuck
    }

    /// Gives the lead up, if this generation still has it; says whether it had.
    pub(crate) fn resign(&self, generation: u64) -> bool {
        let mut state = self.lock();
        let leads = state.generation == generation;
        if leads {
            self.succeed(&mut state);
        }
        leads
    }

    /// From here on the next generation leads.
    fn succeed(&self, state: &mut State) {
        state.generation += 1;
        state.turn = None;
        self.generation.store(state.generation, Ordering::Relaxed);
    }

    /// How many turns there were: that this stands still tells the monitor that it can rest.
    pub(crate) fn turns(&self) -> u64 {
        self.lock().turns
    }

    /// Leads until another thread does, or until the engine has stopped.
    pub(crate) fn lead(self: &Arc<Reactor>, pool: &Pool, worker: &mut Worker, generation: u64) -> Left {
        self.lock().leader = gettid().as_raw_nonzero().get();
        let mut events = Vec::with_capacity(EVENTS);
        let mut has_waited = false;
        loop {
            if has_waited && pool.has_leaderless() {
                return if self.resign(generation) { Left::Resigned } else { Left::Deposed };
            }
            let Batch { length: mut batch, now, mut next } = match self.wait(pool, &mut events, generation) {
                Ok(batch) => batch,
                Err(left) => return left,
            };
            has_waited = true;
            while let Some((token, mut connection, ready)) = next {
                self.shared.rouse_monitor();
                let mut turn = Turn::new(self, token, generation, worker, now);
                let verdict = connection.run(ready, &mut turn);
                batch -= 1;
                next = match self.put_back(token, connection, verdict, generation, worker, batch) {
                    Ok(next) => next,
                    Err(left) => return left,
                };
            }
        }
    }

    /// Waits for events and queues the connections that they are for; the turn of the first begins.
    fn wait(self: &Arc<Reactor>, pool: &Pool, events: &mut Vec<Event>, generation: u64) -> Result<Batch, Left> {
        let waits = {
            let mut state = self.lock();
            if state.generation != generation {
                return Err(Left::Deposed);
            }
            if state.listeners.is_empty() && state.slots.open() == 0 {
                return Err(Left::Stopped);
            }
            state.waiting = state.slots.queued() == 0 && !pool.has_leaderless();
            state.waiting
        };
        events.clear();
        let timeout = (!waits).then(Timespec::default);
        match epoll::wait(&self.epoll, spare_capacity(events), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => {
                tracing::error!("waiting for events: {error}");
                return Err(Left::Stopped);
            }
        }
        let now = Instant::now();
        let (mut accepting, mut ticked) = (false, false);
        let is_due = {
            let mut state = self.lock();
            state.waiting = false;
            for event in events.iter() {
                match event.data.u64() {
                    WAKE => state.answered = true,
                    // Being read is what sets it for the next tick.
                    TICK => ticked = rustix::io::read(&self.timer, &mut [0; size_of::<u64>()]).is_ok(),
                    data if data > u64::from(MOST_SLOTS) << 32 => accepting = true,
                    data => state.slots.note(Token::from(data), Ready::from(event.flags)),
                }
            }
            let is_due = ticked || (self.is_stopping() && !state.listeners.is_empty());
            if !accepting && !is_due {
                return Ok(state.begin_batch(now));
            }
            is_due
        };
        if accepting {
            self.accept(pool, ACCEPTED, |number| {
                events.iter().any(|event| event.data.u64() == LISTENERS - number as u64)
            });
        }
        if is_due {
            self.sweep(pool, now);
        }
        Ok(self.lock().begin_batch(now))
    }

    /// Accepts what waits in the queues of some listeners, up to `most` of each.
    fn accept(self: &Arc<Reactor>, pool: &Pool, most: usize, concerns: impl Fn(usize) -> bool) {
        let listeners = self.lock().listeners.clone();
        for (number, (listener, service)) in listeners.iter().zip(&self.shared.services).enumerate() {
            if !concerns(number) {
                continue;
            }
            for _ in 0..most {
                if !self.shared.has_room() {
                    // The listener's queue keeps the others until there is room.
                    return self.pause();
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
                    Accepted::Full => return self.pause(),
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
            if state.listeners.is_empty() {
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

    /// Has the system tell of a connection's events, at once of those that there were; or of none but its end.
    ///
    /// # Errors
    /// Those of epoll.
    pub(crate) fn watch(&self, token: Token, socket: &Socket, is_watched: bool) -> io::Result<()> {
        let flags = if is_watched { watched() } else { EventFlags::ET };
        Ok(epoll::modify(&self.epoll, socket.as_fd(), EventData::new_u64(token.into()), flags)?)
    }

    /// Ends a turn; begins the next, if this thread still leads and there is any left of the batch.
    fn put_back(
        &self,
        token: Token,
        connection: Box<Connection>,
        verdict: Verdict,
        generation: u64,
        worker: &mut Worker,
        batch: usize,
    ) -> Result<Option<Next>, Left> {
        // A connection that is over drops the application's body, which may do anything: still in its turn, and not
        // under the lock.
        let connection = (verdict != Verdict::Close).then_some(connection);
        let mut state = self.lock();
        let leads = state.generation == generation;
        if leads {
            state.turn = None;
        }
        state.tally.add(std::mem::take(&mut worker.tally));
        match connection {
            None => self.forget(&mut state, token),
            Some(connection) => {
                let (deadline, ready) = match verdict {
                    Verdict::Park(deadline) => (deadline, Ready::empty()),
                    Verdict::Again | Verdict::Close => (None, Ready::OTHER),
                };
                state.slots.put_back(token, connection, deadline, ready);
            }
        }
        if leads {
            return Ok(state.begin_turn(batch));
        }
        self.call_leader(state);
        Err(Left::Deposed)
    }

    /// Empties the slot of a connection that is over.
    fn forget(&self, state: &mut State, token: Token) {
        state.slots.remove(token);
        self.load.store(state.slots.open(), Ordering::Relaxed);
        self.shared.closed();
    }

    /// Queues the connections whose time is up, and goes on accepting if that had stopped.
    fn sweep(self: &Arc<Reactor>, pool: &Pool, now: Instant) {
        let stopping = self.is_stopping();
        let mut state = self.lock();
        let retiring = stopping && !state.listeners.is_empty();
        state.slots.sweep(now, stopping);
        let listening = state.listening;
        // With nothing open there is nothing to look through, and the process sleeps until somebody connects.
        let ticking = state.slots.open() > 0 || !listening;
        self.tick(&mut state, ticking);
        drop(state);
        if retiring {
            self.retire(pool);
        } else if !listening && !stopping && self.shared.has_room() {
            // Where that fails, the next sweep tries again.
            let _ = self.listen();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a connection is watched for.
fn watched() -> EventFlags {
    EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET
}
