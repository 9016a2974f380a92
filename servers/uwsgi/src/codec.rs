//! One connection: a request in, its reply out, and that is all there is.
//!
//! The variables of the request are waited for in the input, as a whole: they are 64 KiB at the most. The body is not
//! copied. The reply is one of HTTP; its end is the end of the connection.

use std::mem;
use std::sync::Arc;

use wgi::server::Framing;
use wgi::server::meta_variables::{Normal, normalise};
use wgi::{Environ, Error, Gateway, Head, StatusCode};
use wgi_engine::{Codec, ConnectionInfo, Decoded, Event, Id, Request, RequestBody};

use crate::packet::{self, HEADER_LEN};
use crate::reply::write_head;
use crate::settings::Settings;

/// There is one request, and it needs no number.
const ID: Id = 0;

/// The state of one connection.
pub(crate) struct UwsgiCodec {
    settings: Arc<Settings>,
    gateway: Gateway,
    reading: Reading,
    /// The head of the reply is written.
    is_answering: bool,
}

/// What is read next.
#[derive(Clone, Copy)]
enum Reading {
    Packet,
    /// The body, with what is left of it.
    Body(u64),
    /// Nothing: the request is complete. What comes behind it means nothing.
    Complete,
    /// Nothing: the request was refused.
    Refused,
}

impl UwsgiCodec {
    pub(crate) fn new(settings: Arc<Settings>, connection: &ConnectionInfo) -> UwsgiCodec {
        UwsgiCodec { settings, gateway: connection.gateway, reading: Reading::Packet, is_answering: false }
    }

    fn decode_packet(&mut self, input: &[u8]) -> Result<Decoded, Error> {
        let Some(content) = packet::parse(input, self.settings.max_vars)? else { return Ok(incomplete()) };
        let vars = packet::vars(content)?;
        let is_chunked = vars.get("HTTP_TRANSFER_ENCODING").is_some();
        let Normal { vars, scheme, content_length } = normalise(vars, self.settings.mount.as_ref())?;
        let body = match content_length {
            Some(length) if length > 0 => RequestBody::Length(length),
            // uWSGI's own HTTP router passes a chunked body on as it came, or not at all, and leaves the connection open
            // for the response: nothing that this protocol knows tells where the body ends.
            None if is_chunked => {
                let reason = "the request's body comes without its length, which uwsgi has no other way to tell";
                return Err(Error::refused(StatusCode::LENGTH_REQUIRED, reason));
            }
            _ => RequestBody::None,
        };
        self.reading = match body {
            RequestBody::Length(length) => Reading::Body(length),
            _ => Reading::Complete,
        };
        let mut gateway = self.gateway;
        gateway.url_scheme = scheme;
        let request = Request { environ: Environ::new(vars, gateway), body, expects_continue: false };
        Ok(Decoded { used: HEADER_LEN + content.len(), event: Event::Request(ID, request) })
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

impl Codec for UwsgiCodec {
    fn decode(&mut self, input: &[u8], _out: &mut Vec<u8>) -> Result<Decoded, Error> {
        let decoded = match self.reading {
            Reading::Packet => self.decode_packet(input),
            Reading::Body(left) => Ok(self.decode_body(left, input)),
            Reading::Complete => Ok(incomplete()),
            Reading::Refused => {
                Err(Error::refused(StatusCode::BAD_REQUEST, "nothing is read behind a packet that was refused"))
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
        write_head(&head, Framing { length: Some(body.len() as u64), has_body: true }, out);
        out.extend_from_slice(&body);
    }

    fn head(&mut self, _id: Id, head: &Head, framing: Framing, out: &mut Vec<u8>) {
        self.is_answering = true;
        write_head(head, framing, out);
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
        matches!(self.reading, Reading::Packet | Reading::Complete)
    }
}
