//! The interface between the engine and a wire protocol: bytes in, events out; parts of a reply in, bytes out.
//!
//! A [`Codec`] is a state machine for one connection. It does no I/O, keeps no time and starts no threads, so a test
//! can feed it byte by byte.

use std::net::SocketAddr;
use std::ops::Range;

use wgi::server::Framing;
use wgi::{Environ, Error, Gateway, Head};

/// A wire protocol: makes the codec for each connection of a listener.
pub trait Protocol: Send + Sync + 'static {
    /// The codec for a new connection.
    fn codec(&self, connection: &ConnectionInfo) -> Box<dyn Codec>;

    /// The protocol's name for the log: `http`.
    fn name(&self) -> &'static str;
}

/// What is known of a connection when it is accepted.
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    /// The address of the peer; none over a Unix socket, or when the peer was gone before it could be asked for.
    pub peer: Option<SocketAddr>,
    /// The address it came in at; none over a Unix socket.
    pub local: Option<SocketAddr>,
    /// The `wgi.*` variables of every request of this connection, as far as the engine knows them.
    pub gateway: Gateway,
}

/// Which of the requests that are open on a connection. Protocols without such a number use 0.
pub type Id = u16;

/// One step of decoding.
#[derive(Debug)]
pub struct Decoded {
    /// How many bytes at the front of the input are done with. They are not passed again.
    pub used: usize,
    /// What they meant.
    pub event: Event,
}

/// What a step of decoding came to.
#[derive(Debug)]
// A box for the request would cost each one more than moving it does.
#[allow(clippy::large_enum_variant)]
pub enum Event {
    /// Nothing more can be made of the input: the next call gets the same rest (behind `used`) with more behind it.
    Incomplete,
    /// Something that concerns only the protocol; call again with the rest.
    Skipped,
    /// The head of a request is complete.
    Request(Id, Request),
    /// Bytes of a request's body, as a range of the input that was passed.
    Data(Id, Range<usize>),
    /// A request's body is complete.
    End(Id),
    /// The peer takes a request back, or its body broke off: it is not to be answered, and reading its body is an
    /// error. The codec has written what the protocol wants to hear.
    Abort(Id),
}

/// The head of a request.
#[derive(Debug)]
pub struct Request {
    /// The environment, still without input and errors.
    pub environ: Environ,
    /// What is known of the body.
    pub body: RequestBody,
    /// The peer waits for [`Codec::proceed`] before it sends the body (`Expect: 100-continue`).
    pub expects_continue: bool,
}

/// What the head of a request says of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestBody {
    /// There is none: the request is complete, and no [`Event::End`] follows.
    None,
    /// So many bytes, then [`Event::End`].
    Length(u64),
    /// As many as come before [`Event::End`].
    Unknown,
}

/// The state machine of one connection.
///
/// Decoding: the engine calls [`decode`](Codec::decode) until it is [`Event::Incomplete`], or until a request is
/// complete and its reply begins. Encoding: for each reply `head`, then pairs of `frame` and `unframe` around the
/// payload, then `end`, or `cut` at any point behind `head`. All of these append to `out`.
pub trait Codec: Send {
    /// Decodes one event from the front of `input`.
    ///
    /// `out` takes answers that are the protocol's own (FastCGI's GET_VALUES_RESULT).
    ///
    /// # Errors
    /// When the input is malformed or over a limit of the codec's: the engine calls [`refuse`](Codec::refuse),
    /// sends, and closes; nothing behind it is decoded.
    fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<Decoded, Error>;

    /// Writes the answer to malformed input, as far as the protocol has one.
    fn refuse(&mut self, error: &Error, out: &mut Vec<u8>);

    /// Tells the peer to send the body (`100 Continue`), or more of it where the protocol
    /// [is on demand](Codec::is_on_demand). The default has nothing to say.
    fn proceed(&mut self, id: Id, out: &mut Vec<u8>) {
        let _ = (id, out);
    }

    /// Writes the head of a reply.
    fn head(&mut self, id: Id, head: &Head, framing: Framing, out: &mut Vec<u8>);

    /// Writes what goes in front of the next piece of payload. Of `available` bytes (at least 1) it takes as many as
    /// it returns (at least 1); the engine sends exactly these behind it.
    fn frame(&mut self, id: Id, available: u64, out: &mut Vec<u8>) -> u64;

    /// Writes what goes behind a piece of payload of `length` bytes.
    fn unframe(&mut self, id: Id, length: u64, out: &mut Vec<u8>);

    /// Whether the protocol has an errors stream. Otherwise that goes to the process's standard error.
    fn has_errors(&self) -> bool {
        false
    }

    /// Writes text for the errors stream, where the protocol has one.
    fn errors(&mut self, id: Id, text: &[u8], out: &mut Vec<u8>) {
        let _ = (id, text, out);
    }

    /// Writes the end of a reply. Says whether the connection can go on; if not, it is closed when `out` is sent.
    fn end(&mut self, id: Id, out: &mut Vec<u8>) -> bool;

    /// Ends a reply that broke off behind its head, so that the client can tell. Says, as [`end`](Codec::end) does,
    /// whether the connection can go on. The default closes.
    fn cut(&mut self, id: Id, out: &mut Vec<u8>) -> bool {
        let _ = (id, out);
        false
    }

    /// Whether the end of the reply's body is the end of the connection, so that a cut has to reset it: otherwise the
    /// peer would take what it got for the whole.
    fn cut_resets(&self) -> bool {
        false
    }

    /// The connection will be closed behind the next reply: the reply should say so, where the protocol can.
    fn close_after(&mut self);

    /// Whether the codec is between requests: nothing of one was decoded that is not complete.
    fn is_idle(&self) -> bool;

    /// Whether requests may arrive interleaved, so that the engine goes on decoding while a reply is under way. The
    /// default says no: what is pipelined waits in the socket.
    fn is_multiplexed(&self) -> bool {
        false
    }

    /// Whether the peer sends no more of a body than it is asked for (AJP's GET_BODY_CHUNK). Then the engine calls
    /// [`proceed`](Codec::proceed) whenever it waits for bytes that somebody wants, also where it was called before: the
    /// codec knows what is on its way. What is left of a body when its reply has ended is never sent; the codec tells
    /// [`Event::End`] once nothing that it had asked for is to come. The default says no.
    fn is_on_demand(&self) -> bool {
        false
    }
}
