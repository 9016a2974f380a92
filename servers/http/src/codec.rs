//! The codec of one connection: where it stands in reading requests, and in writing the reply.

use std::sync::Arc;

use wgi::server::Framing;
use wgi::{Error, Head};
use wgi_engine::{Codec, ConnectionInfo, Decoded, Event, Id};

use crate::chunked::{Chunked, Piece};
use crate::framing::BodyLength;
use crate::reply::{Coding, Persistence, write_chunk_size, write_head};
use crate::request::{Connection, FIELDS_ON_STACK, Parsed};
use crate::scan::Scan;
use crate::settings::Settings;
use crate::token::malformed;

/// There is one exchange at a time, and it needs no number.
const ID: Id = 0;
/// How many empty lines may stand in front of a request: some clients end a body with one (RFC 9112 §2.2).
const MAX_EMPTY_LINES: u8 = 4;

/// The state machine of one connection.
#[derive(Debug)]
pub(crate) struct HttpCodec {
    settings: Arc<Settings>,
    connection: Connection,
    reading: Reading,
    /// The empty lines since the last request.
    empty_lines: u8,
    exchange: Exchange,
    /// The engine closes the connection behind the next reply.
    is_closing: bool,
}

/// What is read next.
#[derive(Debug)]
enum Reading {
    /// The head of a request.
    Head(Scan),
    /// So many bytes of a body.
    Sized(u64),
    /// A chunked body.
    Chunked(Chunked),
    /// Nothing any more: the input was malformed.
    Nothing,
}

/// The request that is to be answered, as far as its reply has to know it.
#[derive(Debug)]
struct Exchange {
    stage: Stage,
    is_http_11: bool,
    is_persistent: bool,
    is_head: bool,
    /// The peer holds its body back until it is told to send it, and has not sent any.
    holds_body: bool,
    /// The reply's body ends with the connection.
    ends_with_connection: bool,
}

/// How far an exchange is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No request was decoded.
    Idle,
    /// A request was decoded.
    Asked,
    /// The head of the reply is written.
    Answering(Coding),
}

impl Exchange {
    /// Before a request is known: a reply now can only be a refusal.
    const fn idle() -> Exchange {
        Exchange {
            stage: Stage::Idle,
            is_http_11: true,
            is_persistent: true,
            is_head: false,
            holds_body: false,
            ends_with_connection: false,
        }
    }
}

impl HttpCodec {
    pub(crate) fn new(settings: Arc<Settings>, connection: &ConnectionInfo) -> HttpCodec {
        HttpCodec {
            settings,
            connection: Connection::new(connection),
            reading: Reading::Head(Scan::default()),
            empty_lines: 0,
            exchange: Exchange::idle(),
            is_closing: false,
        }
    }

    fn decode_head(&mut self, mut scan: Scan, input: &[u8]) -> Result<Decoded, Error> {
        // What is pipelined waits until the request in front of it is answered.
        if self.exchange.stage != Stage::Idle {
            return Ok(Decoded { used: 0, event: Event::Incomplete });
        }
        if scan.is_fresh() {
            match input {
                [] | [b'\r'] => return Ok(Decoded { used: 0, event: Event::Incomplete }),
                [b'\r', b'\n', ..] if self.empty_lines < MAX_EMPTY_LINES => {
                    self.empty_lines += 1;
                    return Ok(Decoded { used: 2, event: Event::Skipped });
                }
                _ => {}
            }
        }
        // A head mostly arrives in one piece, and one look at it is enough. Where that does not do, the scan says why:
        // only what it lets through too is taken here, so how the bytes were cut makes no difference.
        if scan.is_fresh()
            && let Ok(Some(parsed)) = self.connection.parse(input, FIELDS_ON_STACK, &self.settings)
        {
            return Ok(self.begin(parsed));
        }
        let Some(complete) = scan.advance(input, &self.settings)? else {
            self.reading = Reading::Head(scan);
            return Ok(Decoded { used: 0, event: Event::Incomplete });
        };
        let parsed = self.connection.parse(&input[..complete.length], complete.fields, &self.settings)?;
        Ok(self.begin(parsed.ok_or_else(|| malformed("the request head is malformed"))?))
    }

    fn begin(&mut self, parsed: Parsed) -> Decoded {
        let Parsed { length, request, body, is_http_11, is_persistent, is_head } = parsed;
        self.empty_lines = 0;
        let holds_body = request.expects_continue;
        self.exchange =
            Exchange { stage: Stage::Asked, is_http_11, is_persistent, is_head, holds_body, ..Exchange::idle() };
        self.reading = match body {
            BodyLength::Sized(0) => Reading::Head(Scan::default()),
            BodyLength::Sized(length) => Reading::Sized(length),
            BodyLength::Chunked => Reading::Chunked(Chunked::new()),
        };
        Decoded { used: length, event: Event::Request(ID, request) }
    }

    fn decode_sized(&mut self, left: u64, input: &[u8]) -> Decoded {
        if left == 0 {
            self.reading = Reading::Head(Scan::default());
            return Decoded { used: 0, event: Event::End(ID) };
        }
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
        if length == 0 {
            return Decoded { used: 0, event: Event::Incomplete };
        }
        self.exchange.holds_body = false;
        self.reading = Reading::Sized(left - length as u64);
        Decoded { used: length, event: Event::Data(ID, 0..length) }
    }

    fn decode_chunked(&mut self, mut chunked: Chunked, input: &[u8]) -> Result<Decoded, Error> {
        self.exchange.holds_body &= input.is_empty();
        let piece = chunked.decode(input, &self.settings)?;
        self.reading = Reading::Chunked(chunked);
        Ok(match piece {
            Piece::Incomplete => Decoded { used: input.len(), event: Event::Incomplete },
            Piece::Data(range) => Decoded { used: range.end, event: Event::Data(ID, range) },
            Piece::End(used) => {
                self.reading = Reading::Head(Scan::default());
                Decoded { used, event: Event::End(ID) }
            }
        })
    }

    fn write_reply_head(&mut self, head: &Head, framing: Framing, out: &mut Vec<u8>) {
        let exchange = &mut self.exchange;
        // A peer that was never told to send its body may leave it out, and then the next bytes can mean two things.
        exchange.is_persistent &= !self.is_closing && !exchange.holds_body;
        let is_unsized = framing.has_body && framing.length.is_none();
        let coding = if is_unsized && exchange.is_http_11 { Coding::Chunked } else { Coding::Identity };
        if is_unsized && !exchange.is_http_11 {
            // HTTP/1.0 has no chunks: the body ends with the connection (RFC 9112 §6.3).
            exchange.is_persistent = false;
            exchange.ends_with_connection = true;
        }
        let persistence = match (exchange.is_persistent, exchange.is_http_11) {
            (false, _) => Persistence::Close,
            (true, false) => Persistence::KeepAlive,
            (true, true) => Persistence::Implied,
        };
        exchange.stage = Stage::Answering(coding);
        write_head(head, framing, coding, persistence, &self.settings, out);
    }

    fn is_chunked(&self) -> bool {
        self.exchange.stage == Stage::Answering(Coding::Chunked)
    }
}

impl Codec for HttpCodec {
    fn decode(&mut self, input: &[u8], _out: &mut Vec<u8>) -> Result<Decoded, Error> {
        let decoded = match self.reading {
            Reading::Head(scan) => self.decode_head(scan, input),
            Reading::Sized(left) => Ok(self.decode_sized(left, input)),
            Reading::Chunked(chunked) => self.decode_chunked(chunked, input),
            Reading::Nothing => Err(malformed("nothing is read behind malformed input")),
        };
        if decoded.is_err() {
            if self.exchange.stage == Stage::Idle {
                // The reply to a head that is refused goes by its method all the same (RFC 9110 §9.3.2).
                self.exchange.is_head = input.starts_with(b"HEAD ");
            }
            // A reply that is under way still goes out; nothing does behind it.
            self.reading = Reading::Nothing;
            self.is_closing = true;
        }
        decoded
    }

    fn refuse(&mut self, error: &Error, out: &mut Vec<u8>) {
        self.is_closing = true;
        self.reading = Reading::Nothing;
        if let Stage::Answering(_) = self.exchange.stage {
            // A second head would be taken for a part of the first reply's body.
            return;
        }
        let (head, body) = error.reply();
        let has_body = !self.exchange.is_head;
        self.write_reply_head(&head, Framing { length: Some(body.len() as u64), has_body }, out);
        if has_body {
            out.extend_from_slice(&body);
        }
    }

    fn proceed(&mut self, _id: Id, out: &mut Vec<u8>) {
        if self.exchange.holds_body && self.exchange.stage == Stage::Asked {
            self.exchange.holds_body = false;
            out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
    }

    fn head(&mut self, _id: Id, head: &Head, framing: Framing, out: &mut Vec<u8>) {
        self.write_reply_head(head, framing, out);
    }

    fn frame(&mut self, _id: Id, available: u64, out: &mut Vec<u8>) -> u64 {
        if self.is_chunked() {
            write_chunk_size(available, out);
        }
        available
    }

    fn unframe(&mut self, _id: Id, _length: u64, out: &mut Vec<u8>) {
        if self.is_chunked() {
            out.extend_from_slice(b"\r\n");
        }
    }

    fn end(&mut self, _id: Id, out: &mut Vec<u8>) -> bool {
        if self.is_chunked() {
            out.extend_from_slice(b"0\r\n\r\n");
        }
        let goes_on = self.exchange.is_persistent && !self.is_closing;
        self.exchange = Exchange::idle();
        goes_on
    }

    fn cut_resets(&self) -> bool {
        self.exchange.ends_with_connection
    }

    fn close_after(&mut self) {
        self.is_closing = true;
    }

    fn is_idle(&self) -> bool {
        self.exchange.stage == Stage::Idle && matches!(self.reading, Reading::Head(scan) if scan.is_fresh())
    }
}
