//! A reactor: an epoll, the connections that belong to it, and the queue of those that have something to do.
//!
//! A thread that leads it takes a connection out of its slot, lets go of the lock, and runs it, the application
//! included. So a fast application costs no hop between threads. Where applications are slow, others lead meanwhile,
//! with the same epoll and queue: see `lead.rs` for who leads when. An event for a connection that is out of its slot is
//! noted there and seen when it comes back.
//!
//! Events are edge-triggered and armed once, when the connection is accepted: waiting costs no system call but the
//! wait itself. While applications are slow, a thread takes one event at a time: those behind it are left to the system,
//! which wakes another thread for them, if one waits. What is in the queue besides, no event tells of: who begins a turn
//! and leaves something there wakes another that waits.

mod accept;

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::Errno;
use rustix::thread::sched_yield;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime};

use crate::connection::{Connection, Verdict};
use crate::lead::{Lead, Watched};
use crate::listener::Listener;
use crate::pool::{Pool, Shared};
use crate::slots::{Slots, Token};
use crate::socket::Socket;
use crate::turn::{Ready, Tally, Turn, Worker};

/// How often connections are looked through for those whose time is up.
const SWEEP: Duration = Duration::from_millis(250);

/// How many connections of a listener are accepted before those that are open have their turn again.
const ACCEPTED: usize = 256;

/// How many events are taken from the system at once.
const EVENTS: usize = 256;
/// How many while applications are slow.
const SLOW_EVENTS: usize = 1;

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
    /// Let go of for good when the engine stops. Locked before the state: by one thread at a time that accepts, so that
    /// none does for a reactor that has let go of them.
    listeners: Mutex<Vec<Arc<Listener>>>,
    /// A copy of that of the lead, for a look without the lock.
    generation: AtomicU64,
    /// A copy of the number of open connections, likewise.
    load: AtomicUsize,
    shared: Arc<Shared>,
}

struct State {
    slots: Slots,
    lead: Lead,
    /// It accepts connections at present.
    listening: bool,
    /// It has let go of its listeners.
    retired: bool,
    /// There is nothing left to lead, and a thread knows.
    stopped: bool,
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

/// Why a thread no longer leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Others do.
    Replaced,
    /// There are other reactors that nobody leads; nor does anybody lead this one now.
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
            lead: Lead::new(),
            listening: false,
            retired: false,
            stopped: false,
            ticking: false,
            answered: true,
            tally: Tally::default(),
        };
        let reactor = Reactor {
            epoll,
            wake,
            timer,
            state: Mutex::new(state),
            listeners: Mutex::new(listeners),
            generation: AtomicU64::new(0),
            load: AtomicUsize::new(0),
            shared,
        };
        reactor.listen()?;
        Ok(reactor)
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

    /// Has the system tell of a connection's events, at once of those that there were; or of none but its end.
    ///
    /// # Errors
    /// Those of epoll.
    pub(crate) fn watch(&self, token: Token, socket: &Socket, is_watched: bool) -> io::Result<()> {
        let flags = if is_watched { watched() } else { EventFlags::ET };
        Ok(epoll::modify(&self.epoll, socket.as_fd(), EventData::new_u64(token.into()), flags)?)
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
        self.call(state);
    }

    /// Makes one that waits for events look at the queue, if all do.
    fn call(&self, mut state: MutexGuard<'_, State>) {
        if state.lead.call() {
            drop(state);
            self.interrupt();
        }
    }

    /// Whether there is nothing to do here, so that a thread may wait for an event of this reactor and of others; then
    /// it says when it [has waited](Reactor::woke).
    pub(crate) fn may_wait(&self) -> bool {
        let mut state = self.lock();
        let idle = state.slots.queued() == 0;
        if idle {
            state.lead.wait();
        }
        idle
    }

    pub(crate) fn woke(&self) {
        self.lock().lead.woke();
    }

    /// Whether a leader has looked for events since this was asked last; asks again.
    pub(crate) fn answers(&self) -> bool {
        let answered = {
            let mut state = self.lock();
            // One that has stopped has nothing left to look for.
            std::mem::take(&mut state.answered) || state.has_nothing_left()
        };
        self.interrupt();
        answered
    }

    /// Ends the leader's wait for events.
    pub(crate) fn interrupt(&self) {
        // A full counter wakes as well as a raised one.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }

    /// The turn that the monitor is to look at.
    pub(crate) fn watched_turn(&self) -> Option<Watched> {
        self.lock().lead.watched()
    }

    /// Takes the lead from a thread that keeps it in this turn, if this one does: for another that the caller calls.
    /// Says whether it did; nothing if the turn is over.
    pub(crate) fn depose(&self, turn: u64) -> Option<bool> {
        let mut state = self.lock();
        let deposed = state.lead.depose(turn);
        self.generation.store(state.lead.generation(), Ordering::Relaxed);
        deposed
    }

    /// Leaves the lead to others, if there are any.
    fn leave(&self, mut state: MutexGuard<'_, State>) -> Left {
        if !state.lead.leave() {
            return Left::Resigned;
        }
        self.pass_on(state);
        Left::Replaced
    }

    /// Behind a thread that goes: what it would have looked at next is for one that waits.
    fn pass_on(&self, state: MutexGuard<'_, State>) {
        if state.slots.queued() > 0 || state.has_nothing_left() {
            self.call(state);
        }
    }

    /// Sees to the lead of a thread that has panicked, and to the connection of its turn, if it was in one.
    pub(crate) fn abandon(&self, worker: Worker) -> Left {
        let mut state = self.lock();
        state.tally.add(worker.tally);
        if let Some(token) = worker.turn.and(worker.token) {
            self.forget(&mut state, token);
        }
        if worker.turn.is_none_or(|turn| state.lead.end(turn)) {
            return self.leave(state);
        }
        self.pass_on(state);
        Left::Replaced
    }

    /// How many turns there were: that this stands still tells the monitor that it can rest.
    pub(crate) fn turns(&self) -> u64 {
        self.lock().lead.turns()
    }

    /// Leads until others do, or until the engine has stopped.
    pub(crate) fn lead(self: &Arc<Reactor>, pool: &Arc<Pool>, worker: &mut Worker, number: usize) -> Left {
        let mut events = [MaybeUninit::uninit(); EVENTS];
        let mut has_waited = false;
        loop {
            if has_waited && pool.lacks_threads() {
                return self.leave(self.lock());
            }
            let Batch { length: mut batch, now, mut next } = match self.wait(pool, &mut events, worker) {
                Ok(batch) => batch,
                Err(left) => return left,
            };
            has_waited = true;
            while let Some((token, mut connection, ready)) = next {
                if worker.turn.is_some_and(|turn| !turn.has_lead()) {
                    self.see_to_lead(pool, worker, number);
                }
                self.shared.rouse_monitor();
                let verdict = connection.run(ready, &mut Turn::new(self, token, worker, now));
                batch -= 1;
                next = match self.put_back(pool, token, connection, verdict, worker, batch) {
                    Ok(next) => next,
                    Err(left) => return left,
                };
            }
        }
    }

    /// Beside a turn that has begun aside: sees to it that another leads, and has what is in the queue.
    #[cold]
    fn see_to_lead(&self, pool: &Arc<Pool>, worker: &Worker, number: usize) {
        if worker.turn.is_some_and(|turn| turn.calls) {
            return pool.relieve(number);
        }
        let state = self.lock();
        if state.slots.queued() > 0 {
            self.call(state);
        }
    }

    /// Waits for events and queues the connections that they are for; the turn of the first begins.
    fn wait(
        self: &Arc<Reactor>,
        pool: &Pool,
        events: &mut [MaybeUninit<Event>; EVENTS],
        worker: &mut Worker,
    ) -> Result<Batch, Left> {
        let most = self.shared.most_leaders();
        let waits = {
            let mut state = self.lock();
            if state.has_nothing_left() {
                let left = if std::mem::replace(&mut state.stopped, true) { Left::Replaced } else { Left::Stopped };
                // Others that wait here are to know.
                self.call(state);
                return Err(left);
            }
            if state.lead.is_crowded(most) {
                return Err(self.leave(state));
            }
            let waits = state.slots.queued() == 0 && !pool.lacks_threads();
            if waits {
                state.lead.wait();
            }
            waits
        };
        let timeout = (!waits).then(Timespec::default);
        let room = if most > 1 { &mut events[..SLOW_EVENTS] } else { &mut events[..] };
        let events: &[Event] = match epoll::wait(&self.epoll, room, timeout.as_ref()) {
            Ok((events, _)) => events,
            Err(Errno::INTR) => &[],
            Err(error) => {
                tracing::error!("waiting for events: {error}");
                return Err(Left::Stopped);
            }
        };
        let now = Instant::now();
        let (mut accepting, mut ticked) = (false, false);
        let mut state = self.lock();
        if waits {
            state.lead.woke();
        }
        for event in events {
            match event.data.u64() {
                WAKE => {
                    state.answered = true;
                    state.lead.answer();
                }
                // Being read is what sets it for the next tick.
                TICK => ticked = rustix::io::read(&self.timer, &mut [0; size_of::<u64>()]).is_ok(),
                data if data > u64::from(MOST_SLOTS) << 32 => accepting = true,
                data => state.slots.note(Token::from(data), Ready::from(event.flags)),
            }
        }
        let is_due = ticked || (self.is_stopping() && !state.retired);
        if accepting || is_due {
            drop(state);
            if accepting {
                self.accept(pool, &self.listeners(), ACCEPTED, |number| {
                    events.iter().any(|event| event.data.u64() == LISTENERS - number as u64)
                });
            }
            if is_due {
                self.sweep(pool, now);
            }
            state = self.lock();
        }
        if most > 1
            && state.slots.queued() > 0
            && let Some(returns) = state.lead.returns_of_others(worker.thread)
        {
            // Another had the last turn, and is asleep; or it is back in a moment, and then has what is in the queue. Two
            // that run in turns on one processor would have each other, and every connection of theirs, wait for long.
            drop(state);
            sched_yield();
            state = self.lock();
            if state.lead.returns_of_others(worker.thread) != Some(returns) {
                return Ok(Batch { length: 0, now, next: None });
            }
        }
        // All that are queued by now, but not those that come back to the queue meanwhile.
        let length = state.slots.queued();
        Ok(Batch { length, now, next: state.begin_turn(length, worker, self.is_relieved(pool)) })
    }

    /// Whether a thread that begins a turn calls a spare to lead meanwhile, should nobody else.
    fn is_relieved(&self, pool: &Pool) -> bool {
        self.shared.most_leaders() > 1 && pool.has_spares()
    }

    /// Ends a turn; begins the next, if this thread still leads and there is any left of the batch.
    fn put_back(
        &self,
        pool: &Pool,
        token: Token,
        connection: Box<Connection>,
        verdict: Verdict,
        worker: &mut Worker,
        batch: usize,
    ) -> Result<Option<Next>, Left> {
        // A connection that is over drops the application's body, which may do anything: still in its turn, and not
        // under the lock.
        let connection = (verdict != Verdict::Close).then_some(connection);
        let mut state = self.lock();
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
        if worker.turn.take().is_some_and(|turn| state.lead.end(turn)) {
            return Ok(state.begin_turn(batch, worker, self.is_relieved(pool)));
        }
        let most = if pool.lacks_threads() { 1 } else { self.shared.most_leaders() };
        if state.lead.join(worker.thread, most) {
            self.generation.store(state.lead.generation(), Ordering::Relaxed);
            // What time it is has to be looked at first: the turn may have been long.
            return Ok(None);
        }
        self.pass_on(state);
        Err(Left::Replaced)
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
        let retiring = stopping && !state.retired;
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

impl State {
    /// Begins a turn of the next in the queue, if there is any left of the batch.
    fn begin_turn(&mut self, batch: usize, worker: &mut Worker, is_relieved: bool) -> Option<Next> {
        let next = if batch > 0 { self.slots.take_next()? } else { return None };
        worker.turn = Some(self.lead.begin(worker.thread, is_relieved));
        worker.token = Some(next.0);
        Some(next)
    }

    /// No connection is left, and none will come.
    fn has_nothing_left(&self) -> bool {
        self.retired && self.slots.open() == 0
    }
}

/// What a connection is watched for.
fn watched() -> EventFlags {
    EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET
}
