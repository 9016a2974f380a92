//! The threads: those that lead a reactor, those that are still inside an application, and the spares.
//!
//! A spare takes a reactor that wants a thread and leads it until others do (`lead.rs`); then it is a spare again. It is
//! wanted by the monitor, which has found a turn that lasts (`monitor.rs`), or by a thread that is about to begin one.
//! Should all other threads be inside applications, those that are left lead several reactors, now one and now the
//! other.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};

use crate::acceptor::Service;
use crate::lead::TOGETHER;
use crate::monitor::Monitor;
use crate::options::Options;
use crate::reactor::{Left, Reactor};
use crate::turn::Worker;

/// For how long no other thread is started when the system has refused one.
const REFUSED: Duration = Duration::from_secs(1);

/// What all threads of an engine know.
pub(crate) struct Shared {
    pub(crate) options: Arc<Options>,
    pub(crate) services: Vec<Service>,
    pub(crate) accepted: AtomicU64,
    pub(crate) open: AtomicUsize,
    stopping: AtomicBool,
    /// Applications have been slow lately.
    slow: AtomicBool,
    /// The monitor rests, and has to be woken when there is a turn again.
    pub(crate) resting: AtomicBool,
    monitor: OnceLock<Thread>,
}

/// The threads of an engine and the reactors that they lead.
pub(crate) struct Pool {
    pub(crate) shared: Arc<Shared>,
    pub(crate) reactors: Vec<Arc<Reactor>>,
    crew: Mutex<Crew>,
    /// Tells spares that a reactor wants a thread.
    wanted: Condvar,
    /// Tells those of them that look at several reactors, one for each that wants a thread. What wakes a reactor may be
    /// taken by another that leads it, and is not for who looks at it then.
    looked_for: OwnedFd,
    /// Tells who waits for the end that it has come nearer.
    stopped: Condvar,
    /// How many threads there are or may be for further reactors that want one; below 0, how many reactors have to share.
    /// A copy, for a look without the lock.
    free: AtomicIsize,
}

struct Crew {
    /// Reactors that want a thread.
    wanting: VecDeque<usize>,
    /// Threads that are at no reactor, or have not begun.
    spares: usize,
    /// Those of them that look at several reactors, for there are more than threads.
    looking: usize,
    threads: usize,
    /// When a thread could not be started.
    refused: Option<Instant>,
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
            slow: AtomicBool::new(false),
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

    /// Notes whether applications have been slow lately.
    pub(crate) fn set_slow(&self, slow: bool) {
        self.slow.store(slow, Ordering::Relaxed);
    }

    /// How many threads may lead one reactor.
    pub(crate) fn most_leaders(&self) -> usize {
        if self.slow.load(Ordering::Relaxed) { TOGETHER } else { 1 }
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
    /// The threads for these reactors, none of which is started yet.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub(crate) fn new(shared: Arc<Shared>, reactors: Vec<Arc<Reactor>>) -> io::Result<Arc<Pool>> {
        let looked_for = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK | EventfdFlags::SEMAPHORE)?;
        let crew = Crew {
            wanting: VecDeque::new(),
            spares: 0,
            looking: 0,
            threads: 0,
            refused: None,
            stopped: 0,
            over: false,
        };
        Ok(Arc::new(Pool {
            shared,
            reactors,
            crew: Mutex::new(crew),
            wanted: Condvar::new(),
            looked_for,
            stopped: Condvar::new(),
            free: AtomicIsize::new(0),
        }))
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
                crew = self.stopped.wait_timeout(crew, left).unwrap_or_else(PoisonError::into_inner).0;
            } else {
                crew = self.stopped.wait(crew).unwrap_or_else(PoisonError::into_inner);
            }
        }
        crew.over = true;
        let looking = crew.looking;
        drop(crew);
        self.wanted.notify_all();
        self.look_for(looking);
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
        self.stopped.notify_all();
    }

    /// The reactor for a new connection: the one that accepted it, unless another has clearly fewer.
    pub(crate) fn emptiest<'a>(&'a self, own: &'a Arc<Reactor>) -> &'a Arc<Reactor> {
        let least = self.reactors.iter().min_by_key(|reactor| reactor.load());
        least.filter(|least| least.load() < own.load()).unwrap_or(own)
    }

    /// Whether there is a reactor that nobody leads: who leads another one has to share its time.
    pub(crate) fn lacks_threads(&self) -> bool {
        self.free.load(Ordering::Relaxed) < 0
    }

    /// Whether there is a thread for one more reactor, or one may be started.
    pub(crate) fn has_spares(&self) -> bool {
        self.free.load(Ordering::Relaxed) > 0
    }

    /// Gives a reactor that nobody leads to a thread, and logs where that fails.
    pub(crate) fn relieve(self: &Arc<Pool>, reactor: usize) {
        if let Err(error) = self.assign(reactor) {
            tracing::error!("no thread could be started: {error}");
        }
    }

    /// Gives a reactor that nobody leads to a spare or a new thread; without either, to those that lead the others.
    ///
    /// # Errors
    /// When there is no thread at all.
    fn assign(self: &Arc<Pool>, reactor: usize) -> io::Result<()> {
        let mut crew = self.lock();
        crew.wanting.push_back(reactor);
        if crew.spares - crew.looking >= crew.wanting.len() {
            self.note_free(&crew);
            drop(crew);
            self.wanted.notify_one();
            return Ok(());
        }
        if self.may_start(&crew) > 0 {
            crew.threads += 1;
            crew.spares += 1;
            self.note_free(&crew);
            drop(crew);
            let pool = self.clone();
            let Err(error) = thread::Builder::new().name("wgi-worker".into()).spawn(move || pool.work()) else {
                return Ok(());
            };
            crew = self.lock();
            crew.threads -= 1;
            crew.spares -= 1;
            crew.refused = Some(Instant::now());
            if crew.threads == 0 {
                return Err(error);
            }
            tracing::warn!("no thread could be started: {error}");
        }
        self.note_free(&crew);
        let looking = crew.looking.min(1);
        drop(crew);
        self.look_for(looking);
        for reactor in &self.reactors {
            reactor.interrupt();
        }
        Ok(())
    }

    /// Makes so many of those that look at several reactors see what else there is.
    fn look_for(&self, looking: usize) {
        if looking > 0 {
            // A counter that is full wakes as well.
            let _ = rustix::io::write(&self.looked_for, &(looking as u64).to_ne_bytes());
        }
    }

    /// How many threads may be started.
    fn may_start(&self, crew: &Crew) -> usize {
        if crew.refused.is_some_and(|refused| refused.elapsed() < REFUSED) {
            return 0;
        }
        self.shared.options.threads.max(1) - crew.threads
    }

    fn note_free(&self, crew: &Crew) {
        let free = (crew.spares + self.may_start(crew)) as isize - crew.wanting.len() as isize;
        self.free.store(free, Ordering::Relaxed);
    }

    /// The life of a thread.
    fn work(self: Arc<Pool>) {
        let mut worker = Worker::new();
        while let Some(number) = self.next_reactor() {
            let reactor = &self.reactors[number];
            // What an application does is caught where it is called. Should anything else panic, it costs that
            // connection, and neither the thread nor the reactor.
            let lead = AssertUnwindSafe(|| reactor.lead(&self, &mut worker, number));
            let left = catch_unwind(lead).unwrap_or_else(|_| {
                tracing::error!("a worker panicked outside of an application; its connection is lost");
                reactor.abandon(std::mem::replace(&mut worker, Worker::new()))
            });
            let mut crew = self.lock();
            crew.spares += 1;
            match left {
                Left::Replaced => {}
                Left::Resigned => crew.wanting.push_back(number),
                Left::Stopped => {
                    crew.stopped += 1;
                    self.stopped.notify_all();
                }
            }
            self.note_free(&crew);
        }
    }

    /// Waits until there is a reactor to lead; none once the engine is over.
    fn next_reactor(&self) -> Option<usize> {
        let mut crew = self.lock();
        while !crew.over {
            let at = match crew.wanting.len() {
                0 => {
                    crew = self.wanted.wait(crew).unwrap_or_else(PoisonError::into_inner);
                    continue;
                }
                wanting if wanting <= crew.spares => Some(0),
                // More reactors than threads: the one that has something to do comes first.
                _ => {
                    let candidates = Vec::from(crew.wanting.clone());
                    crew.looking += 1;
                    drop(crew);
                    let busy = self.await_any(&candidates);
                    crew = self.lock();
                    crew.looking -= 1;
                    // Another thread may have been faster.
                    crew.wanting.iter().position(|&number| number == busy)
                }
            };
            if let Some(number) = at.and_then(|at| crew.wanting.remove(at)) {
                crew.spares -= 1;
                self.note_free(&crew);
                return Some(number);
            }
        }
        None
    }

    /// Waits until one of several reactors has something to do.
    fn await_any(&self, candidates: &[usize]) -> usize {
        let reactors = || candidates.iter().map(|&number| &*self.reactors[number]);
        let idle = reactors().take_while(|reactor| reactor.may_wait()).count();
        let chosen = candidates.get(idle).copied().unwrap_or_else(|| {
            let mut polled: Vec<_> = reactors().map(|reactor| PollFd::new(reactor, PollFlags::IN)).collect();
            polled.push(PollFd::new(&self.looked_for, PollFlags::IN));
            // Interrupted or not: who looks for nothing finds nothing.
            let _ = poll(&mut polled, None);
            if polled.pop().is_some_and(|looked_for| !looked_for.revents().is_empty()) {
                let _ = rustix::io::read(&self.looked_for, &mut [0; size_of::<u64>()]);
            }
            let ready = polled.iter().position(|polled| !polled.revents().is_empty());
            candidates[ready.unwrap_or(0)]
        });
        reactors().take(idle).for_each(Reactor::woke);
        chosen
    }

    /// Whether the engine has stopped.
    pub(crate) fn is_over(&self) -> bool {
        self.lock().over
    }

    fn lock(&self) -> MutexGuard<'_, Crew> {
        self.crew.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;
    use std::sync::mpsc::channel;

    use rustix::event::{Timespec, epoll};

    use super::*;

    /// Who looks at two reactors goes on to do so when others have come back and lead these. A third that wants a thread
    /// is then for it, however fast those others are to take what wakes them.
    #[test]
    fn who_looks_at_several_reactors_hears_of_another() {
        let options = Options { threads: 3, ..Options::default() };
        let shared = Arc::new(Shared::new(Arc::new(options), Vec::new()));
        let reactors = (0..3).map(|_| Arc::new(Reactor::new(shared.clone(), Vec::new()).unwrap())).collect();
        let pool = Pool::new(shared, reactors).unwrap();
        pool.lock().threads = 3;
        let leaders: Vec<_> = (0..2)
            .map(|number| {
                let pool = pool.clone();
                thread::spawn(move || {
                    while !pool.is_over() {
                        let _ = epoll::wait(&*pool.reactors[number], &mut [MaybeUninit::uninit(); 8], None);
                    }
                })
            })
            .collect();
        for _ in 0..500 {
            let can_be_read = |number: usize| {
                let mut polled = [PollFd::new(&*pool.reactors[number], PollFlags::IN)];
                poll(&mut polled, Some(&Timespec::default())).unwrap() > 0
            };
            while can_be_read(0) || can_be_read(1) {
                thread::yield_now();
            }
            {
                let mut crew = pool.lock();
                crew.wanting.extend([0, 1]);
                crew.spares = 1;
            }
            let (sender, receiver) = channel();
            let looker = pool.clone();
            thread::spawn(move || sender.send(looker.next_reactor()));
            while pool.lock().looking == 0 {
                thread::yield_now();
            }
            pool.lock().wanting.clear();
            pool.assign(2).unwrap();
            assert_eq!(receiver.recv_timeout(Duration::from_secs(30)), Ok(Some(2)), "nobody leads it");
        }
        pool.lock().over = true;
        pool.reactors.iter().for_each(|reactor| reactor.interrupt());
        leaders.into_iter().for_each(|leader| leader.join().unwrap());
    }
}
