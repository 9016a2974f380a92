//! One request and its reply: what the connection keeps of it, and how parts of the reply become pieces of the outbox.

use std::io;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;

use wgi::server::{Part, Reply, Transmit};
use wgi::{Bytes, Error, ErrorSink, PeerError};

use crate::codec::Id;
use crate::lend::Lent;
use crate::outbox::{FilePart, Flushed};
use crate::wire::{Progress, Wire, disconnected};

/// How much of the errors stream is kept for the peer at once; more goes to standard error.
const ERRORS: usize = 64 * 1024;

/// The exchange that is under way on a connection.
pub(crate) struct Exchange {
    pub(crate) id: Id,
    pub(crate) reply: Reply,
    pub(crate) errors: Option<Arc<Lines>>,
    /// A file that is being sent, in the pieces that the protocol makes of it.
    pub(crate) file: Option<FilePart>,
    pub(crate) waker: Option<Waker>,
}

impl Exchange {
    pub(crate) const fn idle() -> Exchange {
        Exchange { id: 0, reply: Reply::idle(), errors: None, file: None, waker: None }
    }

    /// Drops the application's response, and all that is left of the request. The place for errors is of use again,
    /// unless the application has kept it.
    pub(crate) fn clear(&mut self) {
        if !self.reply.is_over() {
            self.reply = Reply::idle();
        }
        self.errors = self.errors.take().and_then(Lines::emptied);
        self.file = None;
        self.waker = None;
    }

    pub(crate) fn is_aborted(&self, wire: &Wire) -> bool {
        wire.incoming.iter().any(|incoming| incoming.id == self.id && incoming.progress == Progress::Aborted)
    }

    /// Puts what stands on the errors stream into the reply.
    pub(crate) fn send_errors(&self, wire: &mut Wire) {
        let Some(lines) = &self.errors else { return };
        send_errors(lines, wire, self.id);
    }

    /// Puts the next piece of a file into the outbox, and keeps the rest.
    pub(crate) fn send_file(&mut self, mut file: FilePart, wire: &mut Wire) {
        let length = wire.codec.frame(self.id, file.length, &mut wire.outbox.tail).clamp(1, file.length);
        wire.outbox.push_file(file.split_to(length));
        self.file = Some(file).filter(|rest| rest.length > 0);
        wire.codec.unframe(self.id, length, &mut wire.outbox.tail);
    }
}

fn send_errors(lines: &Lines, wire: &mut Wire, id: Id) {
    let text = mem::take(&mut *lines.0.lock().unwrap_or_else(PoisonError::into_inner));
    if !text.is_empty() {
        wire.codec.errors(id, &text, &mut wire.outbox.tail);
    }
}

/// Puts a chunk into the outbox, in the pieces that the protocol makes of it.
pub(crate) fn push(wire: &mut Wire, id: Id, mut chunk: Bytes) {
    let mut length = wire.codec.frame(id, chunk.len() as u64, &mut wire.outbox.tail);
    while (length as usize) < chunk.len() {
        let piece = chunk.split_to((length as usize).max(1));
        wire.outbox.push_bytes(piece);
        wire.codec.unframe(id, length, &mut wire.outbox.tail);
        length = wire.codec.frame(id, chunk.len() as u64, &mut wire.outbox.tail);
    }
    wire.outbox.push_bytes(chunk);
    wire.codec.unframe(id, length, &mut wire.outbox.tail);
}

/// The errors stream of one request, until it goes to the peer.
#[derive(Default)]
pub(crate) struct Lines(Mutex<Vec<u8>>);

impl Lines {
    /// The same without what stands in it, if nobody else has it.
    pub(crate) fn emptied(mut lines: Arc<Lines>) -> Option<Arc<Lines>> {
        *Arc::get_mut(&mut lines)?.0.get_mut().unwrap_or_else(PoisonError::into_inner) = Vec::new();
        Some(lines)
    }
}

impl ErrorSink for Lines {
    fn write(&self, text: &[u8]) -> io::Result<()> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() + text.len() > ERRORS {
            return io::Write::write_all(&mut io::stderr(), text);
        }
        lines.extend_from_slice(text);
        Ok(())
    }
}

/// Sends what an application writes with the `write` callable: at once, on the thread that it writes on.
pub(crate) struct Direct<'a> {
    pub(crate) place: Place<'a>,
    pub(crate) id: Id,
    pub(crate) errors: Option<&'a Lines>,
    pub(crate) timeout: Duration,
}

pub(crate) enum Place<'a> {
    Here(&'a mut Wire),
    Lent(&'a Lent),
}

impl Transmit for Direct<'_> {
    fn transmit(&mut self, part: Part) -> Result<(), Error> {
        match &mut self.place {
            Place::Here(wire) => transmit(wire, self.id, part, self.errors, self.timeout),
            Place::Lent(lent) => {
                let mut wire = lent.take().ok_or_else(|| disconnected("before the response was sent"))?;
                let sent = transmit(&mut wire, self.id, part, self.errors, self.timeout);
                lent.give(wire);
                sent
            }
        }
    }
}

fn transmit(wire: &mut Wire, id: Id, part: Part, errors: Option<&Lines>, timeout: Duration) -> Result<(), Error> {
    if let Some(lines) = errors {
        send_errors(lines, wire, id);
    }
    match part {
        Part::Head(head, framing) => {
            // What goes out now cannot be changed when more of the request's body is left unread than is drained.
            wire.codec.head(id, &head, framing, &mut wire.outbox.tail);
            return Ok(());
        }
        Part::Chunk(chunk) => push(wire, id, chunk),
        Part::File(_) | Part::End | Part::Cut => return Ok(()),
    }
    let gone = |_| disconnected("before the response was sent");
    loop {
        match wire.flush().map_err(gone)? {
            Flushed::All => return Ok(()),
            Flushed::Part => {}
            Flushed::Blocked if wire.socket.wait_writable(timeout).map_err(gone)? => {}
            Flushed::Blocked => return Err(PeerError::Timeout { doing: "to read the response" }.into()),
        }
    }
}
