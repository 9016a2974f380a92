//! The threads: those that lead a reactor, those that are still inside an application, and the spares.
//!
//! A thread takes a reactor that has no leader and leads it until it is deposed; then it is a spare again. Who deposes
//! is the monitor, a thread of its own: see `monitor.rs`. Should all other threads be inside applications, those that
//! are left lead several reactors, now one and now the other.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};

use crate::acceptor::Service;
use crate::monitor::Monitor;
use crate::options::Options;
use crate::reactor::{Left, Reactor};
use crate::turn::Worker;

/// What all threads of an engine know.
pub(crate) struct Shared {
    pub(crate) options: Arc<Options>,
    pub(crate) services: Vec<Service>,
    pub(crate) accepted: AtomicU64,
    pub(crate) open: AtomicUsize,
    stopping: AtomicBool,
    /// The monitor rests, and has to be woken when there is a turn again.
    pub(crate) resting: AtomicBool,
    monitor: OnceLock<Thread>,
}

/// The threads of an engine and the reactors that they lead.
pub(crate) struct Pool {
    pub(crate) shared: Arc<Shared>,
    pub(crate) reactors: Vec<Arc<Reactor>>,
    crew: Mutex<Crew>,
    changed: Condvar,
    /// A copy of the number of reactors without a leader, for a look without the lock.
    leaderless: AtomicUsize,
}

struct Crew {
    /// Reactors without a leader.
    leaderless: VecDeque<usize>,
    spares: usize,
    threads: usize,
    /// Reactors that have nothing left to lead.
    stopped: usize,
    over: bool,
}

impl Shared {
    pub(crate) fn new(options: Arc<Options>, services: Vec<Service>) -> Shared {
        Shared {
            options,
            services,
            accepted: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            resting: AtomicBool::new(false),
            monitor: OnceLock::new(),
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    pub(crate) fn has_room(&self) -> bool {
        self.open.load(Ordering::Relaxed) < self.options.max_connections
    }

    pub(crate) fn opened(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn closed(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// Wakes the monitor, if it rests. On the way of every turn, so no more than a look when it does not.
    pub(crate) fn rouse_monitor(&self) {
        if self.resting.load(Ordering::Relaxed)
            && self.resting.swap(false, Ordering::SeqCst)
            && let Some(monitor) = self.monitor.get()
        {
            monitor.unpark();
        }
    }
}

impl Pool {
    pub(crate) fn new(shared: Arc<Shared>, reactors: Vec<Arc<Reactor>>) -> Arc<Pool> {
        let crew = Crew { leaderless: VecDeque::new(), spares: 0, threads: 0, stopped: 0, over: false };
        let leaderless = AtomicUsize::new(0);
        Arc::new(Pool { shared, reactors, crew: Mutex::new(crew), changed: Condvar::new(), leaderless })
    }

    /// Starts the monitor and a leader for each reactor.
    pub(crate) fn start(self: &Arc<Pool>) -> io::Result<()> {
        for reactor in 0..self.reactors.len() {
            self.assign(reactor)?;
        }
        let pool = self.clone();
        let monitor = thread::Builder::new()
            .name("wgi-monitor".into())
            .stack_size(64 * 1024)
            .spawn(move || Monitor::new(pool).run())?;
        let _ = self.shared.monitor.set(monitor.thread().clone());
        Ok(())
    }

    /// Waits until every reactor has stopped, or until the engine is told to stop and its time for that is over.
    pub(crate) fn join(&self) {
        let mut crew = self.lock();
        let mut deadline = None;
        while crew.stopped < self.reactors.len() {
            if self.shared.is_stopping() {
                let deadline = *deadline.get_or_insert_with(|| Instant::now() + self.shared.options.stop_timeout);
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    tracing::warn!("requests that were in flight did not finish in time");
                    break;
                }
                crew = self.changed.wait_timeout(crew, left).unwrap_or_else(PoisonError::into_inner).0;
            } else {
                crew = self.changed.wait(crew).unwrap_or_else(PoisonError::into_inner);
            }
        }
        crew.over = true;
        drop(crew);
        self.changed.notify_all();
        if let Some(monitor) = self.shared.monitor.get() {
            monitor.unpark();
        }
    }

    /// Stops gracefully; [`join`](Pool::join) notices.
    pub(crate) fn stop(&self) {
        self.shared.stop();
        for reactor in &self.reactors {
            reactor.interrupt();
        }
        let crew = self.lock();
        drop(crew);
        self.changed.notify_all();
    }

    /// The reactor for a new connection: the one that accepted it, unless another has clearly fewer.
    pub(crate) fn emptiest<'a>(&'a self, own: &'a Arc<Reactor>) -> &'a Arc<Reactor> {
        let least = self.reactors.iter().min_by_key(|reactor| reactor.load());
        least.filter(|least| least.load() < own.load()).unwrap_or(own)
    }

    /// Whether there is a reactor without a leader: who leads another one has to share its time.
    pub(crate) fn has_leaderless(&self) -> bool {
        self.leaderless.load(Ordering::Relaxed) > 0
    }

    /// Gives a reactor without a leader to a spare or a new thread; without either, to those that lead the others.
    pub(crate) fn assign(self: &Arc<Pool>, reactor: usize) -> io::Result<()> {
        let mut crew = self.lock();
        crew.leaderless.push_back(reactor);
        self.leaderless.store(crew.leaderless.len(), Ordering::Relaxed);
        if crew.spares >= crew.leaderless.len() {
            self.changed.notify_all();
            return Ok(());
        }
        if crew.threads < self.shared.options.threads.max(1) {
            crew.threads += 1;
            drop(crew);
            let pool = self.clone();
            let Err(error) = thread::Builder::new().name("wgi-worker".into()).spawn(move || pool.work()) else {
                return Ok(());
            };
            let mut crew = self.lock();
            crew.threads -= 1;
            if crew.threads == 0 {
                return Err(error);
            }
            tracing::warn!("no thread could be started: {error}");
        }
        for reactor in &self.reactors {
            reactor.interrupt();
        }
        Ok(())
    }

    /// The life of a thread.
    fn work(self: Arc<Pool>) {
        let mut worker = Worker::new();
        while let Some(number) = self.next_reactor() {
            let reactor = &self.reactors[number];
            let generation = reactor.generation();
            // What an application does is caught where it is called. Should anything else panic, it costs that
            // connection, and neither the thread nor the reactor.
            let lead = AssertUnwindSafe(|| reactor.lead(&self, &mut worker, generation));
            let left = catch_unwind(lead).unwrap_or_else(|_| {
                tracing::error!("a worker panicked outside of an application; its connection is lost");
                worker = Worker::new();
                if reactor.resign(generation) { Left::Resigned } else { Left::Deposed }
            });
            let mut crew = self.lock();
            match left {
                Left::Deposed => {}
                Left::Resigned => {
                    crew.leaderless.push_back(number);
                    self.leaderless.store(crew.leaderless.len(), Ordering::Relaxed);
                }
                Left::Stopped => {
                    crew.stopped += 1;
                    self.changed.notify_all();
                }
            }
        }
    }

    /// Waits until there is a reactor to lead; none once the engine is over.
    fn next_reactor(&self) -> Option<usize> {
        let mut crew = self.lock();
        while !crew.over {
            let at = match crew.leaderless.len() {
                0 => {
                    crew.spares += 1;
                    crew = self.changed.wait(crew).unwrap_or_else(PoisonError::into_inner);
                    crew.spares -= 1;
                    continue;
                }
                1 => Some(0),
                _ if crew.spares > 0 => Some(0),
                // More reactors than threads: the one that has something to do comes first.
                _ => {
                    let candidates = Vec::from(crew.leaderless.clone());
                    drop(crew);
                    let busy = self.await_any(&candidates);
                    crew = self.lock();
                    // Another thread may have been faster.
                    crew.leaderless.iter().position(|&number| number == busy)
                }
            };
            if let Some(number) = at.and_then(|at| crew.leaderless.remove(at)) {
                self.leaderless.store(crew.leaderless.len(), Ordering::Relaxed);
                return Some(number);
            }
        }
        None
    }

    /// Waits until one of several reactors has something to do.
    fn await_any(&self, candidates: &[usize]) -> usize {
        if let Some(&busy) = candidates.iter().find(|&&number| !self.reactors[number].may_wait()) {
            return busy;
        }
        let mut polled: Vec<_> =
            candidates.iter().map(|&number| PollFd::new(&*self.reactors[number], PollFlags::IN)).collect();
        // Interrupted or not: who looks for nothing finds nothing.
        let _ = poll(&mut polled, None);
        let ready = polled.iter().position(|polled| !polled.revents().is_empty());
        candidates[ready.unwrap_or(0)]
    }

    /// Whether the engine has stopped.
    pub(crate) fn is_over(&self) -> bool {
        self.lock().over
    }

    fn lock(&self) -> MutexGuard<'_, Crew> {
        self.crew.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
