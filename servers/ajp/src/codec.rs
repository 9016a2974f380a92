//! One connection: packets in, events out; parts of a reply in, packets out.
//!
//! What a packet is goes by its place: where a body is to come it is data, for it has no code to tell; everywhere else
//! its first byte says what it is. So the codec counts with care which packets of a body are to come: the first one
//! comes by itself where Content-Length says that there is a body, and then one for each GET_BODY_CHUNK. When a reply
//! ends before its body was read, the packet that was asked for last is awaited and dropped, and none is asked for any
//! more.
//!
//! FORWARD_REQUEST is waited for in the input, where it takes no more than a packet; the data of a body is taken as it
//! comes, in any pieces, and not copied.

use std::sync::Arc;

use wgi::server::Framing;
use wgi::{Error, Gateway, Head, StatusCode};
use wgi_engine::{Codec, ConnectionInfo, Decoded, Event, Id, RequestBody};

use crate::environ;
use crate::forward_request::ForwardRequest;
use crate::packet::{CPING, CPONG, FORWARD_REQUEST, FROM_SERVER, HEADER_LEN, write_packet};
use crate::reply::{
    BODY_OVERHEAD, CHUNK_END, TooLarge, chunk_length, write_chunk_start, write_end_response, write_flush,
    write_get_body_chunk, write_head,
};
use crate::settings::{Dialect, Settings};

/// There is one exchange at a time, and it needs no number.
const ID: Id = 0;

/// Whoever reads it in the log should know what to do about it.
const ONE_LENGTH: &str =
    "a packet of the request body has one length, or two that differ (lighttpd's: set its dialect)";

/// How much lighttpd is asked for beyond what came, in bytes, as soon as the header of a packet is there: it writes
/// header and data one by one, and TCP holds the data back until the header is acknowledged, which our asking does.
/// Else each packet would take the 40 ms that an acknowledgement may be put off. It must not be 60 KiB: where lighttpd
/// 1.4.69 passes bodies on as they come (`stream-request-body` 2), it then stops reading from its client, and does not
/// go on.
const LIGHTTPD_AHEAD: usize = 32 * 1024;

/// The state of one connection.
pub(crate) struct AjpCodec {
    settings: Arc<Settings>,
    gateway: Gateway,
    /// Anybody may connect, and nothing is asked of them.
    is_unguarded: bool,
    stage: Stage,
    /// The body that is coming in, up to its [`Event::End`].
    body: Option<Body>,
    /// The pieces of the reply's body: one chunk is made of several where it is longer than a packet.
    pieces: Pieces,
    /// The connection is closed behind the reply.
    is_closing: bool,
    /// The input was refused: nothing more is read.
    is_broken: bool,
}

/// How far an exchange is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// There is none.
    Idle,
    /// A request was decoded. Its reply goes by its method.
    Asked { is_head: bool },
    /// The head of the reply is written.
    Answering,
    /// The reply is written, END_RESPONSE and all, though the engine does not know yet.
    Answered,
}

/// A request's body on its way in.
#[derive(Debug)]
struct Body {
    /// What is still to come of a declared length.
    rest: Option<u64>,
    /// How many bytes of it may still come of what was asked for, or comes by itself.
    due: usize,
    /// What is still to come of the packet that has begun.
    packet: usize,
    /// A packet came when none was due: how many more do is not known.
    is_ahead: bool,
    /// The reply has ended, and nobody wants it.
    is_abandoned: bool,
}

/// What is known of the payload.
#[derive(Clone, Copy, Debug, Default)]
struct Pieces {
    /// The web server is told to pass each chunk on: it could not know otherwise, for it does not know how much is to
    /// come.
    flush: bool,
    /// What was framed last is the end of a chunk.
    is_last: bool,
}

impl AjpCodec {
    pub(crate) fn new(settings: Arc<Settings>, connection: &ConnectionInfo) -> AjpCodec {
        // Neither address is known of a Unix socket.
        let known = connection.local.or(connection.peer);
        let is_local = known.is_none_or(|known| known.ip().to_canonical().is_loopback());
        AjpCodec {
            gateway: connection.gateway,
            is_unguarded: settings.secret.is_none() && !is_local,
            settings,
            stage: Stage::Idle,
            body: None,
            pieces: Pieces::default(),
            is_closing: false,
            is_broken: false,
        }
    }

    // In: packets with a code.

    fn decode_packet(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<Decoded, Error> {
        let Some(length) = self.packet_length(input)? else { return Ok(incomplete()) };
        let used = HEADER_LEN + length;
        let Some(content) = input.get(HEADER_LEN..used) else { return Ok(incomplete()) };
        match content {
            // The end of a body that is over: lighttpd sends it behind a request without one.
            [] | [0, 0] => Ok(Decoded { used, event: Event::Skipped }),
            [CPING] if self.stage == Stage::Idle => {
                write_packet(&[CPONG], out);
                Ok(Decoded { used, event: Event::Skipped })
            }
            [FORWARD_REQUEST, content @ ..] if self.stage == Stage::Idle => {
                let event = self.forward_request(content)?;
                Ok(Decoded { used, event })
            }
            [FORWARD_REQUEST | CPING, ..] if self.stage != Stage::Idle => {
                malformed("a packet came before the end of the response in front")
            }
            [CPING, ..] => malformed("CPING is longer than its code"),
            // SHUTDOWN and PING among them.
            _ => malformed("a packet is of a kind that no web server sends"),
        }
    }

    /// The length of the content of the packet that `input` begins with, once its header is there.
    fn packet_length(&self, input: &[u8]) -> Result<Option<usize>, Error> {
        let Some(&[first, second, high, low]) = input.first_chunk::<HEADER_LEN>() else { return Ok(None) };
        if [first, second] != FROM_SERVER {
            return malformed("what came is not AJP");
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        if HEADER_LEN + length > self.settings.packet_size {
            return malformed("a packet is over the packet size; the web server was told another one");
        }
        Ok(Some(length))
    }

    fn forward_request(&mut self, content: &[u8]) -> Result<Event, Error> {
        if self.is_unguarded {
            return malformed("no secret is set, and the listener is open to others than this machine");
        }
        let sent = match ForwardRequest::read(content, self.settings.dialect) {
            Ok(sent) => sent,
            Err(reason) => return malformed(reason),
        };
        self.stage = Stage::Asked { is_head: sent.method == b"HEAD" };
        // Who does not know it is told nothing else.
        if let Some(secret) = &self.settings.secret
            && !sent.attributes.secret.is_some_and(|sent| secret.is(sent))
        {
            let error = Error::refused(StatusCode::FORBIDDEN, "the web server did not send the secret that is set");
            return Err(error);
        }
        let request = environ::request(&sent, &self.settings, self.gateway)?;
        self.body = match request.body {
            RequestBody::None => None,
            RequestBody::Length(length) => Some(Body::new(
                Some(length),
                match self.settings.dialect {
                    Dialect::Standard => self.settings.packet_size,
                    // Where it passes bodies on as they come, the first packet does not come by itself.
                    Dialect::Lighttpd => 0,
                },
            )),
            RequestBody::Unknown => Some(Body::new(None, 0)),
        };
        Ok(Event::Request(ID, request))
    }

    // In: the packets of a body.

    fn decode_body(&mut self, input: &[u8]) -> Result<Decoded, Error> {
        let Some(body) = &mut self.body else { return Ok(incomplete()) };
        if body.is_over() {
            self.body = None;
            return Ok(Decoded { used: 0, event: Event::End(ID) });
        }
        if body.packet > 0 {
            return Ok(body.take(0, input.len()));
        }
        let Some(length) = self.packet_length(input)? else { return Ok(incomplete()) };
        let (front, length) = match (self.settings.dialect, length) {
            (Dialect::Lighttpd, length) | (_, length @ 0) => (HEADER_LEN, length),
            (Dialect::Standard, 1) => return malformed(ONE_LENGTH),
            (Dialect::Standard, length) => match input.get(HEADER_LEN..).and_then(<[u8]>::first_chunk) {
                None => return Ok(incomplete()),
                Some(&data) if usize::from(u16::from_be_bytes(data)) == length - 2 => (HEADER_LEN + 2, length - 2),
                Some(_) => return malformed(ONE_LENGTH),
            },
        };
        let Some(body) = &mut self.body else { return Ok(incomplete()) };
        body.is_ahead |= body.due == 0;
        body.due = match self.settings.dialect {
            // One packet for each time that it was asked, however much that holds.
            Dialect::Standard => 0,
            // As many as it takes.
            Dialect::Lighttpd => body.due.saturating_sub(length),
        };
        if length == 0 {
            if body.rest.is_some() && !body.is_abandoned {
                return malformed("the request body is shorter than Content-Length");
            }
            self.body = None;
            return Ok(Decoded { used: front, event: Event::End(ID) });
        }
        if let Some(rest) = &mut body.rest {
            match rest.checked_sub(length as u64) {
                Some(left) => *rest = left,
                None => return malformed("the request body is longer than Content-Length"),
            }
        }
        body.packet = length;
        Ok(body.take(front, input.len()))
    }

    // Out.

    /// Answers an error by itself.
    fn answer(&mut self, error: &Error, is_head: bool, out: &mut Vec<u8>) {
        let (head, body) = error.reply();
        let framing = Framing { length: Some(body.len() as u64), has_body: !is_head };
        // Its few fields fit, and its text into one packet.
        if write_head(&head, framing, &self.settings, out).is_ok() && !is_head && !body.is_empty() {
            let length = chunk_length(body.len() as u64, &self.settings);
            write_chunk_start(length, out);
            out.extend_from_slice(body.get(..length.into()).unwrap_or(&body));
            out.push(CHUNK_END);
        }
        write_end_response(false, out);
        self.stage = Stage::Answered;
        self.is_closing = true;
    }

    /// Whether it is known which packet comes first when the reply has ended.
    fn is_in_step(&self) -> bool {
        match &self.body {
            None => true,
            Some(body) => body.is_over() || (!body.is_ahead && self.settings.dialect == Dialect::Standard),
        }
    }
}

impl Body {
    fn new(rest: Option<u64>, due: usize) -> Body {
        Body { rest, due, packet: 0, is_ahead: false, is_abandoned: false }
    }

    /// Whether no packet of it is to come.
    fn is_over(&self) -> bool {
        self.packet == 0 && (self.rest == Some(0) || (self.is_abandoned && self.due == 0))
    }

    /// Takes what there is of a packet's data, which starts at `front` and may go on to `end`.
    fn take(&mut self, front: usize, end: usize) -> Decoded {
        let length = self.packet.min(end.saturating_sub(front));
        self.packet -= length;
        let used = front + length;
        let event = match length {
            0 if used == 0 => Event::Incomplete,
            0 => Event::Skipped,
            _ if self.is_abandoned => Event::Skipped,
            _ => Event::Data(ID, front..used),
        };
        Decoded { used, event }
    }
}

impl Codec for AjpCodec {
    fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<Decoded, Error> {
        if self.is_broken {
            return Err(Error::refused(StatusCode::BAD_REQUEST, "nothing is read behind refused packets"));
        }
        let decoded = match self.body {
            Some(_) => self.decode_body(input),
            None => self.decode_packet(input, out),
        };
        self.is_broken = decoded.is_err();
        decoded
    }

    fn refuse(&mut self, error: &Error, out: &mut Vec<u8>) {
        self.is_closing = true;
        self.is_broken = true;
        // Of malformed packets nobody is told anything: there is no request to answer. A second head is no part of a
        // reply.
        if let Stage::Asked { is_head } = self.stage {
            self.answer(error, is_head, out);
        }
    }

    fn proceed(&mut self, _id: Id, out: &mut Vec<u8>) {
        let Some(body) = &mut self.body else { return };
        let most = match self.settings.dialect {
            Dialect::Standard if body.due > 0 || body.packet > 0 => 0,
            Dialect::Standard => self.settings.packet_size - BODY_OVERHEAD,
            Dialect::Lighttpd => LIGHTTPD_AHEAD.saturating_sub(body.due),
        };
        if most > 0 && !self.is_broken && !body.is_abandoned && !body.is_over() {
            body.due += most;
            write_get_body_chunk(most, out);
        }
    }

    fn head(&mut self, _id: Id, head: &Head, framing: Framing, out: &mut Vec<u8>) {
        let Stage::Asked { is_head } = self.stage else { return };
        self.stage = Stage::Answering;
        self.pieces = Pieces { flush: framing.has_body && framing.length.is_none(), is_last: false };
        if let Err(TooLarge { length }) = write_head(head, framing, &self.settings, out) {
            let most = self.settings.packet_size;
            tracing::error!(
                "the application gave a head that takes {length} bytes, and a packet of AJP has {most}: 500 was sent. \
                 A larger packet size has to be set on both sides"
            );
            // The web server closes at this end, and reads nothing of what the engine sends behind it.
            self.answer(&Error::new("the head is too large"), is_head, out);
        }
    }

    fn frame(&mut self, _id: Id, available: u64, out: &mut Vec<u8>) -> u64 {
        let length = chunk_length(available, &self.settings);
        self.pieces.is_last = u64::from(length) == available;
        write_chunk_start(length, out);
        length.into()
    }

    fn unframe(&mut self, _id: Id, _length: u64, out: &mut Vec<u8>) {
        out.push(CHUNK_END);
        if self.pieces.flush && self.pieces.is_last {
            write_flush(out);
        }
    }

    fn end(&mut self, _id: Id, out: &mut Vec<u8>) -> bool {
        let goes_on = !self.is_closing && !self.is_broken && self.is_in_step();
        if self.stage != Stage::Answered {
            write_end_response(goes_on, out);
        }
        self.stage = if goes_on { Stage::Idle } else { Stage::Answered };
        if let Some(body) = &mut self.body {
            body.is_abandoned = true;
        }
        goes_on
    }

    fn close_after(&mut self) {
        self.is_closing = true;
    }

    fn is_idle(&self) -> bool {
        self.stage == Stage::Idle && self.body.is_none() && !self.is_broken
    }

    fn is_on_demand(&self) -> bool {
        true
    }
}

fn incomplete() -> Decoded {
    Decoded { used: 0, event: Event::Incomplete }
}

fn malformed<T>(reason: &'static str) -> Result<T, Error> {
    Err(Error::refused(StatusCode::BAD_REQUEST, reason))
}
