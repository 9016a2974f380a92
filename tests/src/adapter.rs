//! How a server plugs into the suite.

use std::io::{self, BufRead, Write};
use std::net::TcpStream;

use wgi_engine::Protocol;

use crate::{Request, Seen};

/// A wire protocol of the engine, as the suite sees it: how its client writes a request and reads a response.
///
/// ```
/// use std::io::{self, BufRead};
/// use wgi_conformance::{Adapter, Capability, Request, Seen};
/// # use wgi_engine::{Codec, ConnectionInfo, Protocol};
/// # struct MyProtocol;
/// # impl Protocol for MyProtocol {
/// #     fn codec(&self, _: &ConnectionInfo) -> Box<dyn Codec> { unimplemented!() }
/// #     fn name(&self) -> &'static str { "mine" }
/// # }
///
/// struct Mine;
///
/// impl Adapter for Mine {
///     type Protocol = MyProtocol;
///
///     fn protocol(&self) -> MyProtocol {
///         MyProtocol
///     }
///     fn can(&self) -> &'static [Capability] {
///         &[Capability::Reason]
///     }
///     fn encode(&self, request: &Request, _is_last: bool) -> Vec<u8> {
///         format!("{} {} HTTP/1.0\r\n\r\n", request.method, request.target).into_bytes()
///     }
///     fn decode(&self, mut from: &mut dyn BufRead, request: &Request) -> io::Result<Seen> {
///         Seen::read_http(&mut from, request.method)
///     }
/// }
/// ```
pub trait Adapter {
    /// The engine's side of it.
    type Protocol: Protocol;

    /// Makes the engine's side of it.
    fn protocol(&self) -> Self::Protocol;

    /// What the protocol can carry. A case that needs something else is left out.
    fn can(&self) -> &'static [Capability];

    /// Writes a request. Behind the last one on a connection, the client wants no other.
    fn encode(&self, request: &Request, is_last: bool) -> Vec<u8>;

    /// Reads a response, and nothing behind it.
    ///
    /// # Errors
    /// When there is no response: the connection ends before its head is there. One that is cut behind its head is a
    /// value.
    fn decode(&self, from: &mut dyn BufRead, request: &Request) -> io::Result<Seen>;

    /// Sends a request and reads its response, on a live connection of a protocol that
    /// [is on demand](wgi_engine::Codec::is_on_demand): there a client may not send all that
    /// [`encode`](Adapter::encode) writes at once. Where the request breaks off, it shuts its side down. The default is
    /// for protocols that are not.
    ///
    /// # Errors
    /// As [`decode`](Adapter::decode), and what sending gives.
    fn converse(
        &self,
        from: &mut dyn BufRead,
        mut to: &TcpStream,
        request: &Request,
        is_last: bool,
    ) -> io::Result<Seen> {
        to.write_all(&self.encode(request, is_last))?;
        self.decode(from, request)
    }
}

/// What not every protocol, and not every rung, can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Capability {
    /// Responses carry a reason phrase.
    Reason,
    /// A connection takes several requests, one after another.
    KeepAlive,
    /// The request `OPTIONS *` can be written.
    Star,
    /// The errors stream comes to the client's side, or is seen by the rung.
    Errors,
    /// The rung sees the lines for the log.
    Log,
    /// The application runs in the test's process: it can wait for what the client receives.
    SameProcess,
    /// A client that goes away is noticed while the response is under way.
    Disconnects,
    /// Request bodies are limited to [`BODY_LIMIT`] bytes.
    BodyLimit,
    /// The environ is made by a server, and not by the rung.
    Environ,
    /// The process ends behind the response, as that of CGI does.
    RunsOnce,
    /// The process lives on, for other calls.
    CallsOften,
}

/// What the rungs limit a request's body to where they can, in bytes.
pub const BODY_LIMIT: u64 = 1 << 20;
