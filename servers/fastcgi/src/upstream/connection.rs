//! A connection to an application, with one request at a time on it: records out, records in.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use wgi::Errors;
use wgi_backend::{
    Breaker, Conversation, Failure, Fitness, Keep, Kept, Leave, Lines, Outlet, Received, Socket, Unanswered,
};

use super::decoder::{Decoded, Decoder, Event, REQUEST_ID};
use crate::record::{
    ABORT_REQUEST, CANT_MPX_CONN, EndRequest, OVERLOADED, REQUEST_COMPLETE, STDIN, UNKNOWN_ROLE, write_stream,
    write_stream_end,
};

/// How much is read at once, in bytes.
const PIECE: usize = 64 * 1024;

/// A connection.
pub(crate) struct Connection {
    socket: Socket,
    decoder: Decoder,
    input: Vec<u8>,
    /// How much of the input is decoded.
    at: usize,
    /// Where it goes when it is kept.
    kept: Arc<Kept<Connection>>,
    /// Nothing has come back on this connection yet.
    unanswered: Option<Unanswered<Connection>>,
    /// Something of the response to this request has come.
    is_answered: bool,
    /// The last request on it is over.
    is_over: bool,
    heeds_status: bool,
}

/// The end of it that takes the request.
pub(crate) struct Sender(Socket);

impl Connection {
    /// A new one, for a request that is `unanswered`.
    pub(crate) fn new(
        socket: Socket,
        kept: Arc<Kept<Connection>>,
        unanswered: Unanswered<Connection>,
        heeds_status: bool,
    ) -> Connection {
        Connection {
            socket,
            decoder: Decoder::default(),
            input: Vec::new(),
            at: 0,
            kept,
            unanswered: Some(unanswered),
            is_answered: false,
            is_over: false,
            heeds_status,
        }
    }

    /// Makes it ready for another request.
    pub(crate) fn begin(&mut self) {
        self.is_answered = false;
        self.is_over = false;
    }

    pub(crate) fn sender(&self) -> Sender {
        Sender(self.socket.clone())
    }

    /// Decodes what is there, until there is something to give.
    fn decode(&mut self, output: &mut Vec<u8>, lines: &mut Lines) -> Option<Received> {
        while output.len() < PIECE {
            let input = self.input.get(self.at..).unwrap_or_default();
            let Decoded { used, event } = match self.decoder.decode(input) {
                Ok(decoded) => decoded,
                Err(malformed) => return Some(failed(format!("it sent {}", malformed.0))),
            };
            match event {
                Event::Incomplete => {
                    self.input.drain(..self.at.min(self.input.len()));
                    self.at = 0;
                    return None;
                }
                Event::Skipped => {}
                Event::Stdout(range) => output.extend_from_slice(input.get(range).unwrap_or_default()),
                Event::Stderr(range) => lines.push(input.get(range).unwrap_or_default()),
                Event::End(end) => {
                    self.at += used;
                    self.is_over = true;
                    return Some(self.judge(end, lines));
                }
            }
            self.at += used;
        }
        Some(Received::Some)
    }

    fn judge(&self, end: EndRequest, lines: &mut Lines) -> Received {
        match end.protocol_status {
            REQUEST_COMPLETE if end.app_status == 0 => Received::End,
            REQUEST_COMPLETE if self.heeds_status => failed(format!("it ended with status {}", end.app_status)),
            REQUEST_COMPLETE => {
                lines.note(&format!("it ended with status {}", end.app_status));
                Received::End
            }
            OVERLOADED => Received::Failed(Failure::unavailable("it has no room for another request")),
            CANT_MPX_CONN => failed("it says that there is another request on this connection"),
            UNKNOWN_ROLE => failed("it serves no requests of this kind (the role Responder)"),
            status => failed(format!("it ended the request with the unknown protocol status {status}")),
        }
    }

    /// The other side has closed.
    fn closed(&self) -> Received {
        if self.is_answered {
            return failed("it closed the connection before the end of its response");
        }
        let failure = Failure::bad_gateway("it closed the connection without a response");
        Received::Failed(Failure { is_unanswered: true, ..failure })
    }
}

impl Conversation for Connection {
    fn receive(&mut self, output: &mut Vec<u8>, lines: &mut Lines) -> Received {
        if let Some(received) = self.decode(output, lines) {
            return received;
        }
        self.input.reserve(PIECE);
        match self.socket.receive(&mut self.input) {
            Ok(None) if output.is_empty() => {
                if self.input.is_empty() {
                    // It may be long, and there may be many.
                    self.input = Vec::new();
                }
                return Received::Blocked;
            }
            Ok(None) => return Received::Some,
            Ok(Some(0)) | Err(_) => return self.closed(),
            Ok(Some(_)) => {}
        }
        self.is_answered = true;
        self.unanswered = None;
        self.decode(output, lines).unwrap_or(Received::Some)
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.socket.as_fd()]
    }

    fn breaker(&self) -> Breaker {
        let socket = self.socket.clone();
        Box::new(move || socket.shut_down())
    }

    fn leave(mut self: Box<Self>, how: Leave, is_sent: bool) {
        self.unanswered = None;
        if how == Leave::Broken || !is_sent {
            if is_sent {
                let mut abort = Vec::new();
                write_stream_end(ABORT_REQUEST, REQUEST_ID, &mut abort);
                // Closing says the same, to those that do not listen.
                let _ = self.socket.try_send(&abort);
            }
            // Whoever still sends the request gives up by this.
            self.socket.shut_down();
            return;
        }
        if self.input.is_empty() || self.at == self.input.len() {
            (self.input, self.at) = (Vec::new(), 0);
        }
        let kept = self.kept.clone();
        kept.put(*self);
    }
}

impl Keep for Connection {
    fn fitness(&mut self) -> Fitness {
        if !self.is_over {
            // Its response was whole by its length; now for its end. What is said behind it concerns no request.
            let (mut output, mut lines) = (Vec::new(), Lines::new(Errors::stderr(), "fastcgi", PIECE));
            match self.receive(&mut output, &mut lines) {
                Received::Some | Received::Blocked if output.is_empty() => return Fitness::Busy,
                Received::End if output.is_empty() => {}
                _ => return Fitness::Dead,
            }
        }
        let is_clean = self.decoder.is_idle() && self.at == self.input.len();
        if is_clean && self.socket.is_silent() { Fitness::Ready } else { Fitness::Dead }
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Outlet for Sender {
    fn try_send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_send(bytes)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.send(bytes)
    }

    fn frame(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        write_stream(STDIN, REQUEST_ID, piece, out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        write_stream_end(STDIN, REQUEST_ID, out);
    }
}

fn failed(reason: impl Into<String>) -> Received {
    Received::Failed(Failure::bad_gateway(reason))
}
