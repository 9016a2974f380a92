//! The engine as its users see it: listeners in, a running server out.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use wgi::App;

use crate::acceptor::Service;
use crate::pool::{Pool, Shared};
use crate::reactor::Reactor;
use crate::turn::Tally;
use crate::{Listener, Options, Protocol};

/// A server for any number of listeners, each with its protocol and application.
///
/// [`run`](Engine::run) serves until a [`Handle`] or a signal stops it.
pub struct Engine {
    options: Options,
    listeners: Vec<Listener>,
    services: Vec<Service>,
    handle: Handle,
}

/// Stops a running engine, and tells how it is doing. Cheap to clone.
#[derive(Clone, Default)]
pub struct Handle {
    running: Arc<(Mutex<Running>, Condvar)>,
}

#[derive(Default)]
struct Running {
    pool: Option<Arc<Pool>>,
    /// It was told to stop, perhaps before it ran.
    stopped: bool,
}

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
    /// Requests refused as malformed, too slow or over a limit.
    pub refused: u64,
    /// Responses cut behind their head.
    pub cut: u64,
    /// Panics of applications.
    pub panics: u64,
}

impl Engine {
    /// An engine without listeners.
    pub fn new(options: Options) -> Engine {
        Engine { options, listeners: Vec::new(), services: Vec::new(), handle: Handle::default() }
    }

    /// Adds a listener.
    pub fn listen(&mut self, listener: Listener, protocol: impl Protocol, app: Arc<dyn App>) {
        self.listeners.push(listener);
        self.services.push(Service { protocol: Arc::new(protocol), app });
    }

    /// A handle with which to stop this engine from another thread.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Stops this engine on SIGTERM and SIGINT: gracefully on the first; a second ends the process at once.
    ///
    /// # Errors
    /// When the signals cannot be caught.
    pub fn stop_on_signals(&self) -> io::Result<()> {
        let mut signals = Signals::new([SIGTERM, SIGINT])?;
        let handle = self.handle();
        thread::Builder::new().name("wgi-signals".into()).stack_size(64 * 1024).spawn(move || {
            let mut signals = signals.forever();
            if signals.next().is_some() {
                tracing::info!("stopping; a second signal stops at once");
                handle.stop();
            }
            if let Some(signal) = signals.next() {
                // As the shell has it for a process that a signal ended.
                std::process::exit(128 + signal);
            }
        })?;
        Ok(())
    }

    /// Serves until it is stopped, and all requests in flight are finished or out of time.
    ///
    /// # Errors
    /// When there is no listener, or the system refuses what serving takes (threads, epoll).
    pub fn run(self) -> io::Result<()> {
        if self.listeners.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "there is nothing to listen on"));
        }
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let reactors = cores.min(self.options.threads).max(1);
        let shared = Arc::new(Shared::new(Arc::new(self.options), self.services));
        let listeners: Vec<Arc<Listener>> = self.listeners.into_iter().map(Arc::new).collect();
        let reactors = (0..reactors)
            .map(|_| Ok(Arc::new(Reactor::new(shared.clone(), listeners.clone())?)))
            .collect::<io::Result<Vec<_>>>()?;
        // The reactors have the listeners now: the last that lets go of one closes it.
        drop(listeners);
        let pool = Pool::new(shared, reactors)?;
        self.handle.attach(&pool);
        pool.start()?;
        pool.join();
        Ok(())
    }
}

impl Handle {
    /// Stops: no new connections, requests in flight finish within [`Options::stop_timeout`].
    pub fn stop(&self) {
        let mut running = self.lock();
        running.stopped = true;
        if let Some(pool) = &running.pool {
            pool.stop();
        }
        self.running.1.notify_all();
    }

    /// Waits until the engine is told to stop, or until the time is over; says whether it was told.
    pub fn await_stop(&self, timeout: Duration) -> bool {
        let told = self.running.1.wait_timeout_while(self.lock(), timeout, |running| !running.stopped);
        told.unwrap_or_else(PoisonError::into_inner).0.stopped
    }

    /// Whether the engine gets on: whether each of its reactors has looked for events since this was asked last. None
    /// does while every thread sits in an application.
    ///
    /// It is for a watchdog that asks now and then, not so often that no thread had the time to look in between. The
    /// first answer is yes, and so is every one before the engine runs.
    pub fn is_responsive(&self) -> bool {
        let pool = self.lock().pool.clone();
        // All are asked, also behind one that does not answer.
        pool.is_none_or(|pool| pool.reactors.iter().filter(|reactor| !reactor.answers()).count() == 0)
    }

    /// What the engine has done so far.
    pub fn counters(&self) -> Counters {
        let running = self.lock();
        let Some(pool) = &running.pool else { return Counters::default() };
        let mut sum = Tally::default();
        for reactor in &pool.reactors {
            sum.add(reactor.tally());
        }
        Counters {
            accepted: pool.shared.accepted.load(Ordering::Relaxed),
            open: pool.shared.open.load(Ordering::Relaxed) as u64,
            requests: sum.requests,
            refused: sum.refused,
            cut: sum.cut,
            panics: sum.panics,
        }
    }

    fn attach(&self, pool: &Arc<Pool>) {
        let mut running = self.lock();
        running.pool = Some(pool.clone());
        if running.stopped {
            pool.stop();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
