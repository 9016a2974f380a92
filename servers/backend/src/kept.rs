//! Connections that are kept for further requests.
//!
//! The last one kept is the first one used, so that those that are not needed stay idle and are closed when their time is
//! over. Each is watched ([`crate::watch`]): one that its other side closes goes at once.

use std::os::fd::{AsFd, BorrowedFd};
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
    state: Mutex<State<C>>,
    most: usize,
    patience: Duration,
}

struct State<C> {
    idle: Vec<Idle<C>>,
    /// How many requests go out on new connections, and have nothing back yet.
    unanswered: usize,
}

struct Idle<C> {
    connection: C,
    until: Instant,
    watched: Watched,
}

/// A request on a new connection, on which nothing has come back yet.
///
/// A back end may serve only so many connections, as PHP has a process for each: one that is kept idle there keeps a new
/// one from being served at all. So none is kept while there is one of these.
pub struct Unanswered<C>(Arc<Kept<C>>);

impl<C: Keep> Kept<C> {
    /// Keeps up to `most` connections, each for as long as `patience`.
    pub fn new(most: usize, patience: Duration) -> Arc<Kept<C>> {
        Arc::new(Kept { state: Mutex::new(State { idle: Vec::new(), unanswered: 0 }), most, patience })
    }

    /// A connection that was kept.
    ///
    /// # Errors
    /// When there is none to use: a new one is to be made, on which the request is [`Unanswered`].
    pub fn take(self: &Arc<Kept<C>>) -> Result<C, Unanswered<C>> {
        let mut state = self.lock();
        let mut busy = Vec::new();
        let mut found = None;
        while let Some(mut last) = state.idle.pop() {
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
        state.idle.extend(busy.into_iter().rev());
        found.ok_or_else(|| {
            // In one step with looking: whoever puts a connection back just now either did so before, or sees this.
            state.unanswered += 1;
            Unanswered(self.clone())
        })
    }

    /// Says that a request goes out on a new connection.
    pub fn unanswered(self: &Arc<Kept<C>>) -> Unanswered<C> {
        self.lock().unanswered += 1;
        Unanswered(self.clone())
    }

    /// Keeps a connection, unless that would be one too many, or there is a request that is [`Unanswered`].
    pub fn put(self: &Arc<Kept<C>>, connection: C) {
        let idle = Idle { connection, until: Instant::now() + self.patience, watched: Watched::new() };
        let mut state = self.lock();
        if state.unanswered == 0 && state.idle.len() < self.most && self.watch(&idle) {
            state.idle.push(idle);
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lock().idle.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn watch(self: &Arc<Kept<C>>, idle: &Idle<C>) -> bool {
        let waker = Waker::from(Arc::new(Tidy(Arc::downgrade(self))));
        idle.watched.wait(&[idle.connection.descriptor()], idle.until, &waker).is_ok()
    }

    /// Lets go of those whose time is over, that are closed, and that others have to make room for.
    fn tidy(self: &Arc<Kept<C>>) {
        let now = Instant::now();
        let mut state = self.lock();
        let State { idle, unanswered } = &mut *state;
        idle.retain_mut(|idle| {
            let stays = match idle.connection.fitness() {
                Fitness::Ready => *unanswered == 0,
                Fitness::Busy => true,
                Fitness::Dead => false,
            };
            stays && idle.until > now && self.watch(idle)
        });
    }

    fn lock(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Drop for Unanswered<C> {
    fn drop(&mut self) {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).unanswered -= 1;
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
