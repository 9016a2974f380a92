//! A codec for protocols of one request a connection: a head, a body of a known length, a reply that ends with the
//! connection.
//!
//! The head is waited for in the input, as a whole; the body is not copied. What differs from protocol to protocol is how
//! the head of a request is written, and how that of a reply starts: that is all that a [`Single`] has to know.

use std::mem;

use wgi::server::Framing;
use wgi::{Error, Head, StatusCode};

use crate::codec::{Codec, Decoded, Event, Id, Request, RequestBody};
use crate::head::write_head;

/// There is one request, and it needs no number.
const ID: Id = 0;

/// A protocol in which a connection takes one request: the heads of both directions.
pub trait Single: Send {
    /// What stands before the status in the head of a reply.
    const START: &'static str;

    /// Decodes the head that `input` starts with: how many bytes it has, and the request. The body is never
    /// [`RequestBody::Unknown`]. Gives nothing as long as the head is not whole.
    ///
    /// # Errors
    /// When it is malformed, or over a limit.
    fn request(&mut self, input: &[u8]) -> Result<Option<(usize, Request)>, Error>;
}

/// The codec of one connection of such a protocol.
#[derive(Debug)]
pub struct SingleCodec<S> {
    protocol: S,
    reading: Reading,
    /// The head of the reply is written.
    is_answering: bool,
}

/// What is read next.
#[derive(Clone, Copy, Debug)]
enum Reading {
    Head,
    /// The body, with what is left of it.
    Body(u64),
    /// Nothing: the request is complete. What comes behind it means nothing.
    Complete,
    /// Nothing: the request was refused.
    Refused,
}

impl<S: Single> SingleCodec<S> {
    /// For a new connection.
    pub fn new(protocol: S) -> SingleCodec<S> {
        SingleCodec { protocol, reading: Reading::Head, is_answering: false }
    }

    fn decode_head(&mut self, input: &[u8]) -> Result<Decoded, Error> {
        let Some((used, request)) = self.protocol.request(input)? else { return Ok(incomplete()) };
        self.reading = match request.body {
            RequestBody::Length(length) => Reading::Body(length),
            RequestBody::None | RequestBody::Unknown => Reading::Complete,
        };
        Ok(Decoded { used, event: Event::Request(ID, request) })
    }

    fn decode_body(&mut self, left: u64, input: &[u8]) -> Decoded {
        if left == 0 {
            self.reading = Reading::Complete;
            return Decoded { used: 0, event: Event::End(ID) };
        }
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
        if length == 0 {
            return incomplete();
        }
        self.reading = Reading::Body(left - length as u64);
        Decoded { used: length, event: Event::Data(ID, 0..length) }
    }
}

fn incomplete() -> Decoded {
    Decoded { used: 0, event: Event::Incomplete }
}

impl<S: Single> Codec for SingleCodec<S> {
    fn decode(&mut self, input: &[u8], _out: &mut Vec<u8>) -> Result<Decoded, Error> {
        let decoded = match self.reading {
            Reading::Head => self.decode_head(input),
            Reading::Body(left) => Ok(self.decode_body(left, input)),
            Reading::Complete => Ok(incomplete()),
            Reading::Refused => {
                Err(Error::refused(StatusCode::BAD_REQUEST, "nothing is read behind a head that was refused"))
            }
        };
        if decoded.is_err() {
            self.reading = Reading::Refused;
        }
        decoded
    }

    fn refuse(&mut self, error: &Error, out: &mut Vec<u8>) {
        self.reading = Reading::Refused;
        if mem::replace(&mut self.is_answering, true) {
            // A second head would be taken for a part of the first reply's body.
            return;
        }
        let (head, body) = error.reply();
        write_head(S::START, &head, Framing { length: Some(body.len() as u64), has_body: true }, out);
        out.extend_from_slice(&body);
    }

    fn head(&mut self, _id: Id, head: &Head, framing: Framing, out: &mut Vec<u8>) {
        self.is_answering = true;
        write_head(S::START, head, framing, out);
    }

    fn frame(&mut self, _id: Id, available: u64, _out: &mut Vec<u8>) -> u64 {
        available
    }

    fn unframe(&mut self, _id: Id, _length: u64, _out: &mut Vec<u8>) {}

    fn end(&mut self, _id: Id, _out: &mut Vec<u8>) -> bool {
        // The connection takes one request, and its end is that of the reply.
        false
    }

    fn cut_resets(&self) -> bool {
        true
    }

    fn close_after(&mut self) {}

    fn is_idle(&self) -> bool {
        matches!(self.reading, Reading::Head | Reading::Complete)
    }
}
