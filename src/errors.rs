//! The errors stream: lines for the operator.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

/// Where a server takes the errors stream: FastCGI's STDERR stream, the server's log.
pub trait ErrorSink: Send + Sync {
    /// Takes text as it was written: whole lines or pieces of them.
    ///
    /// # Errors
    /// What the place it goes to says.
    fn write(&self, text: &[u8]) -> io::Result<()>;
}

/// The errors stream (`wgi.errors`): text for the operator, never for the client.
///
/// A cheap handle that can be cloned and kept. It is unbuffered towards the sink; without one it is the process's
/// standard error. Any bytes are taken; lines of UTF-8 text are expected.
///
/// ```
/// use std::io::Write;
///
/// let mut errors = wgi::Errors::stderr();
/// writeln!(errors, "the price list is {} days old", 12)?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Source: spec clauses 4.40 to 4.43.
#[derive(Clone, Default)]
pub struct Errors {
    sink: Option<Arc<dyn ErrorSink>>,
}

impl Errors {
    /// The process's standard error.
    pub const fn stderr() -> Errors {
        Errors { sink: None }
    }

    /// A stream into a sink of the server's.
    pub fn new(sink: Arc<dyn ErrorSink>) -> Errors {
        Errors { sink: Some(sink) }
    }
}

impl Write for Errors {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        match &self.sink {
            Some(sink) => sink.write(text)?,
            None => io::stderr().lock().write_all(text)?,
        }
        Ok(text.len())
    }

    /// Takes formatted text in one piece, so that lines written from several threads stay whole.
    fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        match text.as_str() {
            Some(text) => self.write_all(text.as_bytes()),
            None => self.write_all(text.to_string().as_bytes()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.sink.is_some() { "Errors(sink)" } else { "Errors(stderr)" })
    }
}
