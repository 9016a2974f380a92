//! The monitor: notices a leader that is held up in an application, and gives its reactor to another thread.
//!
//! It looks at each reactor again and again while there is work. A leader that is in the same turn as at the last look
//! is held up at once where its thread sleeps (it waits for a database, a lock, a timer). Where its thread runs or would
//! run, it is held up after [`SLICE`] of time on a processor: then it computes. One that is waiting for a processor is
//! not, for another thread would have to wait for it too.
//!
//! A look costs little but is not free, so how often it looks goes by what it has seen: applications that were slow
//! will be slow again, and those of a server that never were most likely will not.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crate::pool::Pool;

/// How often the monitor looks while no application has been slow for a while.
const CALM: Duration = Duration::from_millis(4);

/// How often it looks when one was, in the last [`CAREFUL_FOR`].
const CAREFUL: Duration = Duration::from_millis(1);
const CAREFUL_FOR: Duration = Duration::from_secs(10);

/// How often it looks when one was just now, in the last [`ALERT_FOR`]: many slow requests in a row must not add up to a
/// delay for the fast ones among them.
const ALERT: Duration = Duration::from_micros(50);
const ALERT_FOR: Duration = Duration::from_millis(25);

/// How much time on a processor a turn may take before others get their own.
const SLICE: Duration = Duration::from_millis(5);

/// After how many looks without a turn the monitor rests until there is one.
const QUIET: u32 = 50;

/// The monitor of an engine.
pub(crate) struct Monitor {
    pool: Arc<Pool>,
    seen: Vec<Seen>,
    /// When a leader was last held up.
    held_up: Option<Instant>,
}

/// A leader's turn, as the monitor saw it first.
#[derive(Clone, Copy)]
struct Seen {
    turn: Option<u64>,
    /// The time that its thread had been on a processor when it was found running.
    ran: Option<Duration>,
}

impl Monitor {
    pub(crate) fn new(pool: Arc<Pool>) -> Monitor {
        let seen = vec![Seen { turn: None, ran: None }; pool.reactors.len()];
        Monitor { pool, seen, held_up: None }
    }

    /// Looks until the engine is over.
    pub(crate) fn run(mut self) {
        let mut turns = 0;
        let mut quiet = 0;
        while !self.pool.is_over() {
            thread::sleep(self.pause());
            for number in 0..self.seen.len() {
                self.look(number);
            }
            let before = std::mem::replace(&mut turns, self.turns());
            let busy = turns != before || self.seen.iter().any(|seen| seen.turn.is_some());
            quiet = if busy { 0 } else { quiet + 1 };
            if quiet >= QUIET {
                quiet = 0;
                self.rest(turns);
            }
        }
    }

    fn pause(&self) -> Duration {
        match self.held_up.map(|held_up| held_up.elapsed()) {
            Some(ago) if ago < ALERT_FOR => ALERT,
            Some(ago) if ago < CAREFUL_FOR => CAREFUL,
            _ => CALM,
        }
    }

    fn look(&mut self, number: usize) {
        let turn = self.seen[number].turn;
        let reactor = &self.pool.reactors[number];
        let (current, leader) = reactor.turn();
        if current.is_none() || current != turn {
            self.seen[number] = Seen { turn: current, ran: None };
            return;
        }
        let computes = runs(leader);
        if computes && let Some(now) = time_on_processor(leader) {
            let since = *self.seen[number].ran.get_or_insert(now);
            if now.saturating_sub(since) < SLICE {
                return;
            }
        }
        if reactor.depose(turn) {
            self.seen[number].turn = None;
            if !computes {
                self.held_up = Some(Instant::now());
            }
            if let Err(error) = self.pool.assign(number) {
                tracing::error!("no thread could be started: {error}");
            }
        }
    }

    /// Sleeps until there is a turn.
    fn rest(&self, turns: u64) {
        let resting = &self.pool.shared.resting;
        resting.store(true, Ordering::SeqCst);
        // A turn that began before the flag was up would not have seen it.
        if self.turns() != turns {
            resting.store(false, Ordering::SeqCst);
            return;
        }
        while resting.load(Ordering::SeqCst) && !self.pool.is_over() {
            thread::park();
        }
    }

    fn turns(&self) -> u64 {
        self.pool.reactors.iter().map(|reactor| reactor.turns()).sum()
    }
}

/// Whether a thread of this process runs or would run, rather than sleep (proc(5), `/proc/pid/stat`, field 3).
fn runs(thread: i32) -> bool {
    let stat = fs::read(format!("/proc/self/task/{thread}/stat")).unwrap_or_default();
    // The name in front of the state is in parentheses, and may hold any byte.
    let state = stat.iter().rposition(|&byte| byte == b')').and_then(|end| stat.get(end + 2));
    state == Some(&b'R')
}

/// How long a thread of this process has been on a processor (`/proc/pid/schedstat`, field 1, in nanoseconds), where the
/// system tells.
fn time_on_processor(thread: i32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?;
    stat.split(' ').next()?.parse().map(Duration::from_nanos).ok()
}
