//! What happened inside an application, for the test outside: a list of lines, and what the client has received.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::client::PATIENCE;

/// Lines that an application notes down. Clones share them.
///
/// In the test's own process it knows also what has arrived at the client, so that an application can wait for that:
/// a chunk that is only made once the one before it was received shows that the server held nothing back.
#[derive(Clone, Default)]
pub struct Journal {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    file: Option<Mutex<File>>,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    received: Vec<u8>,
}

/// Notes a line when it is dropped.
pub struct NotedAtDrop {
    journal: Journal,
    line: &'static str,
}

impl Journal {
    /// An empty journal, in memory.
    pub fn new() -> Journal {
        Journal::default()
    }

    /// A journal whose lines go to a file, for an application in a process of its own.
    ///
    /// # Errors
    /// When the file cannot be opened for appending.
    pub fn to_file(path: &Path) -> std::io::Result<Journal> {
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Journal { shared: Arc::new(Shared { file: Some(Mutex::new(file)), ..Shared::default() }) })
    }

    /// Notes a line.
    pub fn note(&self, line: impl Into<String>) {
        let line = line.into();
        if let Some(file) = &self.shared.file {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            // Without its lines the case fails; there is nobody else to tell.
            let _ = writeln!(file, "{line}");
        }
        self.state().lines.push(line);
        self.shared.changed.notify_all();
    }

    /// Notes a line when what this gives is dropped: in a body, that is PEP 3333's `close()`.
    pub fn note_at_drop(&self, line: &'static str) -> NotedAtDrop {
        NotedAtDrop { journal: self.clone(), line }
    }

    /// The lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.state().lines.clone()
    }

    /// For rungs: the client has received these bytes, framing and all.
    pub fn received(&self, bytes: &[u8]) {
        self.state().received.extend_from_slice(bytes);
        self.shared.changed.notify_all();
    }

    /// Waits until the client has received these bytes in one piece, and says whether it has; for
    /// [`PATIENCE`](crate::client::PATIENCE) at the longest, behind which the server is taken to hold them back.
    pub fn await_received(&self, bytes: &str) -> bool {
        self.await_state(|state| state.received.windows(bytes.len()).any(|window| window == bytes.as_bytes()))
    }

    /// Waits until the lines are as `are_right` wants them, as long as [`await_received`](Journal::await_received)
    /// does, and says whether they are.
    pub fn await_lines(&self, are_right: impl Fn(&[String]) -> bool) -> bool {
        self.await_state(|state| are_right(&state.lines))
    }

    fn await_state(&self, is_so: impl Fn(&State) -> bool) -> bool {
        let state = self.state();
        let waited = self.shared.changed.wait_timeout_while(state, PATIENCE / 4, |state| !is_so(state));
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        is_so(&state)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for NotedAtDrop {
    fn drop(&mut self) {
        self.journal.note(self.line);
    }
}
