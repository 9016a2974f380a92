//! Waiting without a thread: one thread for the whole process, which wakes whoever waits for a descriptor, or for a point
//! in time.
//!
//! The body of a response is a stream, and while a back end is silent nobody's thread is to wait with it. Each wait is for
//! one event: the entry goes when it is woken, and the descriptors are disarmed (EPOLLONESHOT).

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::thread;
use std::time::Instant;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::Errno;

/// The token of the descriptor that only tells the thread that there is an earlier deadline.
const POKE: u64 = 0;

/// Who waits, by a number of its own. Dropping it ends the wait.
#[derive(Debug)]
pub(crate) struct Watched(u64);

struct Watch {
    epoll: OwnedFd,
    poke: OwnedFd,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    entries: HashMap<u64, Entry>,
    deadlines: BTreeSet<(Instant, u64)>,
}

struct Entry {
    waker: Waker,
    deadline: Instant,
}

impl Watched {
    /// Someone new, who does not wait yet.
    pub(crate) fn new() -> Watched {
        static NEXT: AtomicU64 = AtomicU64::new(POKE + 1);
        Watched(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Arranges for `waker` to be called once: when one of the descriptors can be read or has ended, or at the deadline.
    /// It takes the place of what was arranged before.
    pub(crate) fn wait(&self, descriptors: &[BorrowedFd<'_>], deadline: Instant, waker: &Waker) -> io::Result<()> {
        let watch = watch()?;
        // First, for an event may come before the last descriptor is armed.
        let is_earliest = watch.lock().insert(self.0, Entry { waker: waker.clone(), deadline });
        for descriptor in descriptors {
            watch.arm(*descriptor, self.0)?;
        }
        if is_earliest {
            // What is full already wakes the thread as well.
            let _ = rustix::io::write(&watch.poke, &1_u64.to_ne_bytes());
        }
        Ok(())
    }

    /// Lets go of descriptors that live on.
    pub(crate) fn forget(&self, descriptors: &[BorrowedFd<'_>]) {
        if let Some(Ok(watch)) = WATCH.get() {
            for descriptor in descriptors {
                // One that was never waited for is not there.
                let _ = epoll::delete(&watch.epoll, descriptor);
            }
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(Ok(watch)) = WATCH.get() {
            watch.lock().remove(self.0);
        }
    }
}

static WATCH: OnceLock<Result<Watch, Errno>> = OnceLock::new();

/// The watch of this process; its thread starts with the first use.
fn watch() -> io::Result<&'static Watch> {
    match WATCH.get_or_init(Watch::start) {
        Ok(watch) => Ok(watch),
        Err(error) => Err((*error).into()),
    }
}

impl Watch {
    fn start() -> Result<Watch, Errno> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let poke = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &poke, EventData::new_u64(POKE), EventFlags::IN)?;
        thread::Builder::new()
            .name("wgi-watch".into())
            .spawn(|| {
                // It waits here until the value that this is a part of is in its place.
                if let Ok(watch) = WATCH.wait() {
                    watch.run();
                }
            })
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::AGAIN))?;
        Ok(Watch { epoll, poke, waiting: Mutex::default() })
    }

    fn run(&self) {
        let mut events = Vec::with_capacity(256);
        let mut wakers = Vec::new();
        loop {
            let timeout = self.lock().timeout(Instant::now());
            events.clear();
            // An error here could only be an interruption: the descriptors are ours, and stay open.
            let _ = epoll::wait(&self.epoll, spare_capacity(&mut events), timeout.as_ref());
            let mut waiting = self.lock();
            for event in &events {
                match event.data.u64() {
                    POKE => drop(rustix::io::read(&self.poke, &mut [0; 8])),
                    token => wakers.extend(waiting.remove(token)),
                }
            }
            waiting.expire(Instant::now(), &mut wakers);
            drop(waiting);
            wakers.drain(..).for_each(Waker::wake);
        }
    }

    fn arm(&self, descriptor: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let (data, flags) = (EventData::new_u64(token), EventFlags::IN | EventFlags::ONESHOT);
        match epoll::modify(&self.epoll, descriptor, data, flags) {
            Err(Errno::NOENT) => Ok(epoll::add(&self.epoll, descriptor, data, flags)?),
            result => Ok(result?),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Says whether its deadline is the first of all.
    fn insert(&mut self, token: u64, entry: Entry) -> bool {
        let deadline = (entry.deadline, token);
        self.remove(token);
        self.entries.insert(token, entry);
        self.deadlines.insert(deadline);
        self.deadlines.first() == Some(&deadline)
    }

    fn remove(&mut self, token: u64) -> Option<Waker> {
        let entry = self.entries.remove(&token)?;
        self.deadlines.remove(&(entry.deadline, token));
        Some(entry.waker)
    }

    fn expire(&mut self, now: Instant, wakers: &mut Vec<Waker>) {
        while let Some(&(deadline, token)) = self.deadlines.first()
            && deadline <= now
        {
            wakers.extend(self.remove(token));
        }
    }

    fn timeout(&self, now: Instant) -> Option<Timespec> {
        let (deadline, _) = self.deadlines.first()?;
        Timespec::try_from(deadline.saturating_duration_since(now)).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::task::Wake;
    use std::time::Duration;

    use super::*;

    struct Told(Sender<()>);

    impl Wake for Told {
        fn wake(self: Arc<Self>) {
            let _ = self.0.send(());
        }
    }

    fn waker() -> (Waker, Receiver<()>) {
        let (sender, receiver) = channel();
        (Arc::new(Told(sender)).into(), receiver)
    }

    #[test]
    fn what_can_be_read_wakes_once() {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let (waker, woken) = waker();
        let watched = Watched::new();
        let later = Instant::now() + Duration::from_secs(600);
        for _ in 0..3 {
            watched.wait(&[near.as_fd()], later, &waker).unwrap();
            assert!(woken.try_recv().is_err());
            far.write_all(b"x").unwrap();
            woken.recv().unwrap();
            near.read_exact(&mut [0]).unwrap();
        }
        watched.wait(&[near.as_fd()], later, &waker).unwrap();
        drop(far);
        woken.recv().unwrap();
    }

    #[test]
    fn time_wakes() {
        let (near, _far) = UnixStream::pair().unwrap();
        let (early_waker, early) = waker();
        let (late_waker, late) = waker();
        let (first, second) = (Watched::new(), Watched::new());
        let now = Instant::now();
        second.wait(&[near.as_fd()], now + Duration::from_secs(600), &late_waker).unwrap();
        first.wait(&[], now + Duration::from_millis(20), &early_waker).unwrap();
        early.recv().unwrap();
        assert!(now.elapsed() >= Duration::from_millis(20));
        assert!(late.try_recv().is_err());
    }

    #[test]
    fn who_is_gone_is_not_woken() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let (gone_waker, gone) = waker();
        let (waker, woken) = waker();
        let later = Instant::now() + Duration::from_secs(600);
        let watched = Watched::new();
        watched.wait(&[near.as_fd()], later, &gone_waker).unwrap();
        watched.forget(&[near.as_fd()]);
        drop(watched);
        drop(gone_waker);
        let watched = Watched::new();
        watched.wait(&[near.as_fd()], later, &waker).unwrap();
        far.write_all(b"x").unwrap();
        woken.recv().unwrap();
        assert!(gone.recv().is_err(), "the waker itself is gone");
    }
}
