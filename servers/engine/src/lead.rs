//! Who leads a reactor: which of its threads look for events, and which are in a turn of a connection.
//!
//! A thread *leads* while it looks for events, or is on its way to. What becomes of the lead when it finds a connection
//! and begins a turn, which may be inside an application for long, goes by how many lead and by what applications
//! have been like:
//!
//! - Another leads too: this one goes *aside*, and its turn is nobody's concern, however long it takes.
//! - It is alone, and applications are fast: it keeps the lead in its turn. That costs nothing. Should the turn last
//!   after all, the monitor takes the lead away and calls another thread.
//! - It is alone, and applications have been slow lately, and there is a spare: it calls that one and goes aside.
//!
//! Who kept the lead goes on leading behind the turn. Who went aside, or has lost the lead, leads again if fewer do
//! than there may be: one while applications are fast, [`TOGETHER`] while they are slow. So a fast request among slow
//! ones needs no hop between threads: its thread leads again before the other that leads has anything to do. Only a
//! slow one leaves so few that a spare is called. And a leader to which an event comes while another has its turn lets
//! that one go on first, if it can: one that runs is back sooner than several that share a processor.
//!
//! What holds at any time, until the reactor has stopped: `leaders` is at least 1. Each of them looks for events, or is
//! on its way (called, or waited for where there are more reactors than threads), but for one that keeps the lead in
//! its turn: then it is the only one, and the turn is the one that the monitor watches.

/// How many threads lead at once while applications are slow: one may be in a turn, and another begin one, before a
/// spare has to be called. The system wakes only one of them for an event, the one that came last. Further ones would
/// spare a call now and then, and be taken from other reactors.
pub(crate) const TOGETHER: usize = 3;

/// The generation of a turn that began aside: there never is one of this number.
pub(crate) const ASIDE: u64 = u64::MAX;

/// Who leads a reactor.
pub(crate) struct Lead {
    leaders: usize,
    /// How many of them wait for events in the system.
    waiting: usize,
    /// One that waits was called, and has not looked yet.
    called: bool,
    /// Raised when the lead is taken from one that kept it in its turn.
    generation: u64,
    turns: u64,
    /// How often a thread that went aside leads again, and which was the last.
    returns: u64,
    last: i32,
    watched: Option<Watched>,
}

/// The turn that the monitor looks at: that of the one that keeps the lead, or else one of those aside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watched {
    pub(crate) number: u64,
    pub(crate) thread: i32,
    /// It keeps the lead.
    pub(crate) leads: bool,
}

/// A turn, as the thread that is in it knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    number: u64,
    /// The generation in which it keeps the lead, or [`ASIDE`].
    pub(crate) generation: u64,
    /// A spare is to be called, which leads meanwhile.
    pub(crate) calls: bool,
}

impl Begun {
    /// Whether it began with the lead.
    pub(crate) fn has_lead(self) -> bool {
        self.generation != ASIDE
    }
}

impl Lead {
    /// Of a reactor to which the first thread is on its way.
    pub(crate) fn new() -> Lead {
        Lead { leaders: 1, waiting: 0, called: false, generation: 0, turns: 0, returns: 0, last: 0, watched: None }
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// How many turns there were.
    pub(crate) fn turns(&self) -> u64 {
        self.turns
    }

    /// How often a thread that went aside leads again, if the last was not this one.
    pub(crate) fn returns_of_others(&self, thread: i32) -> Option<u64> {
        (self.last != thread).then_some(self.returns)
    }

    pub(crate) fn watched(&self) -> Option<Watched> {
        self.watched
    }

    /// Whether more lead than may.
    pub(crate) fn is_crowded(&self, most: usize) -> bool {
        self.leaders > most
    }

    /// A leader, or a thread that looks at several reactors, waits for events.
    pub(crate) fn wait(&mut self) {
        self.waiting += 1;
    }

    /// It no longer does.
    pub(crate) fn woke(&mut self) {
        self.waiting -= 1;
    }

    /// Whether one that waits has to be woken, for there is something to do that is no event: from here on it is called.
    pub(crate) fn call(&mut self) -> bool {
        self.waiting > 0 && !std::mem::replace(&mut self.called, true)
    }

    /// The call has come to one of those that waited.
    pub(crate) fn answer(&mut self) {
        self.called = false;
    }

    /// A leader begins a turn: keeps the lead in it, or goes aside, where another leads or is to be called, for
    /// `is_relieved`.
    pub(crate) fn begin(&mut self, thread: i32, is_relieved: bool) -> Begun {
        self.turns += 1;
        let number = self.turns;
        if self.leaders == 1 && !is_relieved {
            self.watched = Some(Watched { number, thread, leads: true });
            return Begun { number, generation: self.generation, calls: false };
        }
        let calls = self.leaders == 1;
        if !calls {
            self.leaders -= 1;
        }
        self.watched.get_or_insert(Watched { number, thread, leads: false });
        Begun { number, generation: ASIDE, calls }
    }

    /// A turn ends; says whether its thread has kept the lead.
    pub(crate) fn end(&mut self, turn: Begun) -> bool {
        let leads = turn.generation == self.generation;
        if leads || self.watched.is_some_and(|watched| watched.number == turn.number) {
            self.watched = None;
        }
        leads
    }

    /// A thread that has no lead would lead again, where at most so many may; says whether it does.
    pub(crate) fn join(&mut self, thread: i32, most: usize) -> bool {
        if self.leaders >= most {
            return false;
        }
        if !self.take() {
            self.leaders += 1;
        }
        self.returns += 1;
        self.last = thread;
        true
    }

    /// A leader that is in no turn wants to leave; says whether others lead on. If not, the caller sees to it that
    /// another comes.
    pub(crate) fn leave(&mut self) -> bool {
        let others = self.leaders > 1;
        if others {
            self.leaders -= 1;
        }
        others
    }

    /// Takes the lead from a turn that keeps it, if this one does: for a thread that the caller sees to. Says whether
    /// it did; nothing if the turn is over.
    pub(crate) fn depose(&mut self, number: u64) -> Option<bool> {
        self.watched.filter(|watched| watched.number == number)?;
        Some(self.take())
    }

    fn take(&mut self) -> bool {
        let Some(watched) = self.watched.as_mut().filter(|watched| watched.leads) else { return false };
        watched.leads = false;
        self.generation += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn who_is_alone_keeps_the_lead_in_its_turn() {
        let mut lead = Lead::new();
        let turn = lead.begin(1, false);
        assert_eq!(lead.watched().map(|watched| (watched.thread, watched.leads)), Some((1, true)));
        assert!(lead.end(turn));
        assert!(lead.watched().is_none());
    }

    #[test]
    fn who_was_deposed_leads_no_more() {
        let mut lead = Lead::new();
        let slow = lead.begin(1, false);
        let number = lead.watched().unwrap().number;
        assert_eq!(lead.depose(number), Some(true));
        assert_eq!(lead.depose(number), Some(false), "there is nothing more to take");
        let fast = lead.begin(2, false);
        assert_eq!(lead.watched().map(|watched| watched.thread), Some(2));
        assert!(!lead.end(slow));
        assert!(!lead.join(1, 1), "another keeps the lead in its turn");
        assert!(lead.end(fast));
        assert_eq!(lead.depose(number), None, "it is over");
    }

    #[test]
    fn who_is_relieved_leads_again_behind_a_fast_turn() {
        let mut lead = Lead::new();
        let turn = lead.begin(1, true);
        assert!(!turn.has_lead() && (lead.leaders == 1));
        assert!(!lead.end(turn) && lead.join(1, 2) && lead.leaders == 2);
        // Further turns of either need nobody.
        let turn = lead.begin(1, true);
        assert!(!turn.has_lead() && (lead.leaders == 1));
        assert!(!lead.end(turn) && lead.join(1, 2));
        assert!(!lead.join(1, 2), "these two are enough");
        assert!(lead.is_crowded(1) && lead.leave() && !lead.leave());
    }

    #[test]
    fn a_lead_that_is_kept_in_a_turn_goes_to_who_comes_back() {
        let mut lead = Lead::new();
        let first = lead.begin(1, true);
        let second = lead.begin(2, false);
        assert!(second.has_lead());
        assert!(!lead.end(first) && lead.join(1, 2));
        assert!((lead.leaders == 1), "it leads in place of the other");
        assert!(!lead.end(second) && lead.join(2, 2) && lead.leaders == 2);
    }

    #[test]
    fn one_is_called_once() {
        let mut lead = Lead::new();
        assert!(!lead.call(), "nobody waits");
        lead.wait();
        assert!(lead.call() && !lead.call());
        lead.woke();
        lead.answer();
        lead.wait();
        assert!(lead.call());
    }

    /// Where a thread of the model is.
    #[derive(Clone, Copy, Debug)]
    enum At {
        Spare,
        Leading,
        InTurn(Begun),
    }

    proptest! {
        /// Threads that do what threads do, in any order: there is always one that leads, or is wanted, or keeps the
        /// lead in the turn that is watched; and it is known how many they are.
        #[test]
        fn somebody_leads_always(steps in prop::collection::vec((0..6_usize, any::<bool>(), any::<bool>()), 0..200)) {
            let mut lead = Lead::new();
            let mut threads = [At::Spare; 6];
            let mut wanted = 1;
            for (thread, slow, monitor) in steps {
                let most = if slow { TOGETHER } else { 1 };
                if monitor && let Some(watched) = lead.watched() {
                    wanted += usize::from(lead.depose(watched.number) == Some(true));
                }
                threads[thread] = match threads[thread] {
                    At::Spare if wanted > 0 => {
                        wanted -= 1;
                        At::Leading
                    }
                    At::Spare => At::Spare,
                    At::Leading if lead.is_crowded(most) => {
                        prop_assert!(lead.leave());
                        At::Spare
                    }
                    At::Leading => {
                        let turn = lead.begin(thread as i32, slow);
                        wanted += usize::from(turn.calls);
                        At::InTurn(turn)
                    }
                    At::InTurn(turn) if lead.end(turn) || lead.join(thread as i32, most) => At::Leading,
                    At::InTurn(_) => At::Spare,
                };
                let leading = threads.iter().filter(|at| matches!(at, At::Leading)).count();
                let kept = usize::from(lead.watched().is_some_and(|watched| watched.leads));
                prop_assert_eq!(lead.leaders, leading + wanted + kept);
                prop_assert!(lead.leaders >= 1 && (kept == 0 || lead.leaders == 1));
                let keeps = |at: &&At| matches!(at, At::InTurn(turn) if turn.generation == lead.generation());
                prop_assert_eq!(threads.iter().filter(keeps).count(), kept);
            }
        }
    }
}
