//! The monitor: notices turns that last, takes the lead from who keeps it in one, and knows whether applications have
//! been slow lately (`lead.rs` has what comes of it).
//!
//! It looks at each reactor again and again while there is work. A turn that is the same as at the last look lasts where
//! its thread sleeps (it waits for a database, a lock, a timer). Where its thread runs or would run, it lasts after
//! [`SLICE`] of time on a processor: then it computes. One that is waiting for a processor does not, for another thread
//! would have to wait for it too.
//!
//! Applications that sleep for less than the time between two looks are found in a sample: at every [`SAMPLE`]th look, a
//! thread that sleeps in its turn is enough. One that sleeps for half of its time is seen at every other one.
//!
//! A look costs little but is not free. While all applications are fast there is next to nothing to see, and once
//! others lead beside a turn, there is nothing to be quick about. Only where threads are short it has to be.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crate::pool::Pool;

/// How often the monitor looks.
const CALM: Duration = Duration::from_millis(4);

/// For how long applications count as slow when one was.
const SLOW_FOR: Duration = Duration::from_secs(10);

/// How often the monitor looks where no thread is left to lead while another is in a turn, and the lead was taken from
/// one in the last [`PRESSED_FOR`]: many slow requests in a row must not add up to a delay for the fast ones among them.
const PRESSED: Duration = Duration::from_micros(200);
const PRESSED_FOR: Duration = Duration::from_secs(1);

/// For how long it is enough to know that an application was slow: turns that keep no lead are looked at again then.
const KNOWN_FOR: Duration = Duration::from_secs(1);

/// Which look takes a sample.
const SAMPLE: u32 = 16;

/// How much time on a processor a turn may take before others get their own.
const SLICE: Duration = Duration::from_millis(5);

/// After how many looks without a turn the monitor rests until there is one.
const QUIET: u32 = 50;

/// The monitor of an engine.
pub(crate) struct Monitor {
    pool: Arc<Pool>,
    seen: Vec<Seen>,
    looks: u32,
    /// When a turn was last found to last.
    slow: Option<Instant>,
    /// When the lead was last taken from one.
    taken: Option<Instant>,
}

/// A turn, as the monitor saw it first.
#[derive(Clone, Copy, Default)]
struct Seen {
    turn: Option<u64>,
    /// The time that its thread had been on a processor when it was found running.
    ran: Option<Duration>,
}

impl Monitor {
    pub(crate) fn new(pool: Arc<Pool>) -> Monitor {
        let seen = vec![Seen::default(); pool.reactors.len()];
        Monitor { pool, seen, looks: 0, slow: None, taken: None }
    }

    /// Looks until the engine is over.
    pub(crate) fn run(mut self) {
        let mut turns = 0;
        let mut quiet = 0;
        while !self.pool.is_over() {
            thread::sleep(self.pause());
            self.looks = self.looks.wrapping_add(1);
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

    fn pause(&mut self) -> Duration {
        if self.slow.is_some_and(|slow| slow.elapsed() >= SLOW_FOR) {
            self.slow = None;
            self.pool.shared.set_slow(false);
        }
        let is_pressed = self.taken.is_some_and(|taken| taken.elapsed() < PRESSED_FOR) && !self.pool.has_spares();
        if is_pressed { PRESSED } else { CALM }
    }

    fn look(&mut self, number: usize) {
        let seen = &mut self.seen[number];
        let reactor = &self.pool.reactors[number];
        let Some(watched) = reactor.watched_turn() else {
            *seen = Seen::default();
            return;
        };
        let is_new = seen.turn != Some(watched.number);
        if is_new {
            *seen = Seen { turn: Some(watched.number), ran: None };
        }
        if is_new && !self.looks.is_multiple_of(SAMPLE) {
            return;
        }
        if !watched.leads && self.slow.is_some_and(|slow| slow.elapsed() < KNOWN_FOR) {
            return;
        }
        if runs(watched.thread) {
            let ran = time_on_processor(watched.thread);
            let since = seen.ran.or(ran);
            seen.ran = since;
            // Where the system does not tell, a turn that lasts is one that computes.
            let computes = ran.zip(since).map_or(!is_new, |(ran, since)| ran.saturating_sub(since) >= SLICE);
            if !computes {
                return;
            }
        }
        // Its thread may have gone to sleep behind the end of the turn.
        let Some(was_deposed) = reactor.depose(watched.number) else { return };
        self.slow = Some(Instant::now());
        self.pool.shared.set_slow(true);
        if was_deposed {
            self.taken = self.slow;
            self.pool.relieve(number);
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
