//! The rungs on which cases run, from a call to a socket.

pub mod direct;
pub mod live;
pub mod memory;
pub mod process;

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use wgi::{Error, ErrorSink, Input, PeerError, Source};

use crate::{Capability, Case, Journal, Request, Seen, cases};

/// What came of all cases on a rung.
#[derive(Debug, Default)]
pub struct Report {
    /// The names of the cases that passed.
    pub passed: Vec<&'static str>,
    /// The names of the cases that need what this rung or adapter cannot do.
    pub left_out: Vec<&'static str>,
    /// The cases that failed: clauses, name, what was wrong.
    pub failed: Vec<String>,
}

impl Report {
    /// Runs every case that can run.
    fn of(capabilities: &[Capability], mut run: impl FnMut(&Case, &Journal) -> Result<Seen, String>) -> Report {
        let only = std::env::var("WGI_CASE_ONLY").ok();
        let mut report = Report::default();
        for case in cases::all() {
            if only.as_deref().is_some_and(|only| only != case.name) {
                continue;
            }
            if !case.can_run(capabilities) {
                report.left_out.push(case.name);
                continue;
            }
            let journal = Journal::new();
            let seen = run(&case, &journal);
            match case.check(&seen, &journal, capabilities) {
                Ok(()) => report.passed.push(case.name),
                Err(what) => report.failed.push(format!("[{}] {}: {what}", case.clauses.join(", "), case.name)),
            }
        }
        report
    }

    /// For a test: ends it when a case failed, or when none ran.
    ///
    /// # Panics
    /// With the report.
    #[track_caller]
    pub fn assert_passed(&self) {
        assert!(self.failed.is_empty() && !self.passed.is_empty(), "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (passed, left_out) = (self.passed.len(), self.left_out.len());
        writeln!(f, "{passed} cases passed, {} failed, {left_out} left out", self.failed.len())?;
        self.failed.iter().try_for_each(|failed| writeln!(f, "  {failed}"))
    }
}

/// Collects the errors stream.
#[derive(Default)]
struct Sink(Mutex<Vec<u8>>);

impl Sink {
    fn new() -> Arc<Sink> {
        Arc::default()
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ErrorSink for Sink {
    fn write(&self, text: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(text);
        Ok(())
    }
}

/// A body that breaks off behind these bytes.
struct BreaksOff(Vec<u8>);

impl Source for BreaksOff {
    fn fill(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        if self.0.is_empty() {
            return Err(Error::from(PeerError::Disconnected { doing: "before the end of the request body" }).into());
        }
        buffer.append(&mut self.0);
        Ok(())
    }
}

/// The input of a request as a server gives it that has collected all that came.
fn input_of(request: &Request) -> Input {
    match request.breaks_off {
        Some(_) => Input::new(Box::new(BreaksOff(request.sent_body().to_vec()))),
        None => request.body.clone().unwrap_or_default().into(),
    }
}
