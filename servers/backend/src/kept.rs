//! Connections that are kept for further requests.
//!
//! The last one kept is the first one used, so that those that are not needed stay idle and are closed when their time is
//! over. Each is watched ([`crate::watch`]): one that its other side closes goes at once.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use crate::watch::Watched;

/// A connection that can be kept.
pub trait Keep: Send + 'static {
    /// Whether a request may be sent on it. It does not wait.
    fn fitness(&mut self) -> Fitness;

    /// What tells that something has come.
    fn descriptor(&self) -> BorrowedFd<'_>;
}

/// Whether a kept connection can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fitness {
    /// It is open, and there is nothing on it.
    Ready,
    /// The end of the response before is not there yet.
    Busy,
    /// It is closed, or something came that nobody asked for.
    Dead,
}

/// The connections to a back end that are kept.
pub struct Kept<C> {
    idle: Mutex<Vec<Idle<C>>>,
    most: usize,
    patience: Duration,
    unanswered: AtomicUsize,
}

struct Idle<C> {
    connection: C,
    until: Instant,
    watched: Watched,
}

/// A request on a new connection, on which nothing has come back yet.
pub struct Unanswered<C>(Arc<Kept<C>>);

impl<C: Keep> Kept<C> {
    /// Keeps up to `most` connections, each for as long as `patience`.
    pub fn new(most: usize, patience: Duration) -> Arc<Kept<C>> {
        Arc::new(Kept { idle: Mutex::default(), most, patience, unanswered: AtomicUsize::new(0) })
    }

    /// A connection that was kept, if there is one to use.
    pub fn take(&self) -> Option<C> {
        let mut idle = self.lock();
        let mut busy = Vec::new();
        let mut found = None;
        while let Some(mut last) = idle.pop() {
            match last.connection.fitness() {
                Fitness::Ready => {
                    last.watched.forget(&[last.connection.descriptor()]);
                    found = Some(last.connection);
                    break;
                }
                Fitness::Busy => busy.push(last),
                Fitness::Dead => {}
            }
        }
        idle.extend(busy.into_iter().rev());
        found
    }

    /// Keeps a connection, unless that would be one too many, or one that another request waits for.
    ///
    /// A back end may serve only so many connections, as PHP has a process for each, and one that is kept idle there
    /// keeps a new one from being served at all.
    pub fn put(self: &Arc<Kept<C>>, connection: C) {
        if self.unanswered.load(Ordering::Relaxed) > 0 {
            return;
        }
        let idle = Idle { connection, until: Instant::now() + self.patience, watched: Watched::new() };
        let mut all = self.lock();
        if all.len() < self.most && self.watch(&idle) {
            all.push(idle);
        }
    }

    /// Says that a request goes out on a new connection.
    pub fn unanswered(self: &Arc<Kept<C>>) -> Unanswered<C> {
        self.unanswered.fetch_add(1, Ordering::Relaxed);
        Unanswered(self.clone())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn watch(self: &Arc<Kept<C>>, idle: &Idle<C>) -> bool {
        let waker = Waker::from(Arc::new(Tidy(Arc::downgrade(self))));
        idle.watched.wait(&[idle.connection.descriptor()], idle.until, &waker).is_ok()
    }

    /// Lets go of those whose time is over, and of those that are closed.
    fn tidy(self: &Arc<Kept<C>>) {
        let now = Instant::now();
        let mut all = self.lock();
        all.retain_mut(|idle| idle.until > now && idle.connection.fitness() != Fitness::Dead && self.watch(idle));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle<C>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Drop for Unanswered<C> {
    fn drop(&mut self) {
        self.0.unanswered.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Tidy<C>(std::sync::Weak<Kept<C>>);

impl<C: Keep> Wake for Tidy<C> {
    fn wake(self: Arc<Self>) {
        if let Some(kept) = self.0.upgrade() {
            kept.tidy();
        }
    }
}

impl Keep for crate::Socket {
    fn fitness(&mut self) -> Fitness {
        if self.is_silent() { Fitness::Ready } else { Fitness::Dead }
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.as_fd()
    }
}
