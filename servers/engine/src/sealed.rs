//! A connection's bytes within a transport: what was received is opened, what is in the outbox is sealed and sent.
//!
//! What is sealed stays in the outbox until it is sent, so that whoever looks whether the outbox is empty is told right.

use std::io;

use wgi::Vars;

use crate::outbox::{Flushed, Outbox};
use crate::socket::{Socket, Tried};
use crate::transport::{NotOpened, Transport};

/// How much is read at once, in bytes: more than TLS seals in one piece.
const READ: usize = 32 * 1024;

/// How much is sealed before it is sent.
const SEALED: usize = 64 * 1024;

/// How many bytes one connection may send before others have their turn.
const FAIR: usize = 1 << 20;

/// A transport, and what it has sealed.
pub(crate) struct Sealed {
    transport: Box<dyn Transport>,
    /// What is to be sent to the peer, and how much of it was.
    out: Vec<u8>,
    sent: usize,
    /// How many bytes at the front of the outbox it holds.
    covers: usize,
    end: End,
}

/// How the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Not yet.
    Open,
    /// With what is in the outbox, and a word that this was all.
    Due,
    /// That word was sealed.
    Said,
    /// Without a word.
    Cut,
}

impl Sealed {
    pub(crate) fn new(transport: Box<dyn Transport>) -> Sealed {
        Sealed { transport, out: Vec::new(), sent: 0, covers: 0, end: End::Open }
    }

    /// Reads what the system has; gives what came of it, and how much there was room for.
    pub(crate) fn read(&mut self, socket: &Socket) -> (io::Result<Tried<usize>>, usize) {
        let received = self.transport.received();
        received.reserve(READ);
        let space = received.capacity() - received.len();
        (socket.read(received), space)
    }

    /// Takes what was read already.
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        self.transport.received().extend_from_slice(bytes);
    }

    /// Opens what was received, behind what is in `plain`.
    pub(crate) fn open(&mut self, plain: &mut Vec<u8>) -> Result<(), NotOpened> {
        let opened = self.transport.open(plain, &mut self.out);
        if opened.is_err() {
            self.end = End::Cut;
        }
        opened
    }

    pub(crate) fn is_open(&self) -> bool {
        self.transport.is_open() && self.end == End::Open
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.transport.is_idle()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.transport.has_ended()
    }

    pub(crate) fn describe(&self, variables: &mut Vars) {
        self.transport.describe(variables);
    }

    /// What is in the outbox is the last, and all.
    pub(crate) fn end(&mut self) {
        if self.end == End::Open {
            self.end = End::Due;
        }
    }

    /// What is in the outbox is the last, and not all.
    pub(crate) fn cut(&mut self) {
        self.end = End::Cut;
    }

    /// Seals what is in the outbox and sends it.
    pub(crate) fn flush(&mut self, outbox: &mut Outbox, socket: &Socket) -> io::Result<Flushed> {
        let mut budget = FAIR;
        loop {
            while let rest @ [_, ..] = &self.out[self.sent..] {
                match socket.write(rest)? {
                    Tried::Done(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Tried::Done(sent) => {
                        outbox.unblock();
                        self.sent += sent;
                        budget = budget.saturating_sub(sent);
                    }
                    Tried::Blocked => return Ok(Flushed::Blocked),
                }
            }
            self.out.clear();
            self.sent = 0;
            outbox.advance(std::mem::take(&mut self.covers));
            if outbox.is_empty() {
                if self.end == End::Due && self.transport.is_open() {
                    self.transport.close(&mut self.out);
                    self.end = End::Said;
                    continue;
                }
                self.out = Vec::new();
                return Ok(Flushed::All);
            }
            if budget == 0 {
                return Ok(Flushed::Part);
            }
            self.covers = outbox
                .with_front(SEALED, |plain| self.transport.seal(plain, &mut self.out).map_err(io::Error::from))?;
        }
    }
}
