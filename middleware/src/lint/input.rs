//! The request's body against the length that was announced for it.

use std::io::{self, BufRead};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use wgi::{Error, Input, Source, Violation};

use super::report::Report;

/// An input that passes `input` on, and fails where it does not have `length` bytes.
pub(super) fn checked(input: Input, length: u64, report: Report) -> Input {
    Input::new(Box::new(CheckedInput { input, length, given: 0, report }))
}

struct CheckedInput {
    input: Input,
    length: u64,
    given: u64,
    report: Report,
}

impl CheckedInput {
    /// Takes note of the next bytes; of none at the end.
    fn note(&mut self, bytes: usize) -> Result<(), Error> {
        self.given = self.given.saturating_add(bytes as u64);
        let is_right = if bytes == 0 { self.given == self.length } else { self.given <= self.length };
        if is_right {
            return Ok(());
        }
        Err(self.report.server(Violation {
            clause: "4.35",
            seen: format!(
                "an input of {} {} bytes where CONTENT_LENGTH is {}",
                if bytes == 0 { "only" } else { "at least" },
                self.given,
                self.length
            ),
            remedy: "end the input at CONTENT_LENGTH, and make one that breaks off an error",
        }))
    }
}

impl Source for CheckedInput {
    fn fill(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        let bytes = self.input.fill_buf()?;
        let length = bytes.len();
        buffer.extend_from_slice(bytes);
        self.input.consume(length);
        Ok(self.note(length)?)
    }

    fn poll_fill(&mut self, context: &mut Context<'_>, buffer: &mut Vec<u8>) -> Poll<io::Result<()>> {
        let bytes = ready!(Pin::new(&mut self.input).poll_next(context)).transpose()?.unwrap_or_default();
        buffer.extend_from_slice(&bytes);
        Poll::Ready(self.note(bytes.len()).map_err(io::Error::from))
    }
}
