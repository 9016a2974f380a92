//! The gateway's side of SCGI: an application that forwards to another one, as a web server does.
//!
//! A connection has one request: a netstring of names and values, then the body. What comes back until the connection ends
//! is the response, of the form that CGI has.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use wgi::{App, Body, Environ, Error, ServerError, StartResponse, Vars};
use wgi_backend::response::Form;
use wgi_backend::{
    Asked, Breaker, Conversation, Exchange, Failure, Leave, Limits, Lines, Outlet, Received, RequestBody, Room, Socket,
    Variables,
};
use wgi_engine::Address;

/// What an SCGI application that is forwarded to gets and is allowed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UpstreamOptions {
    /// Which variables it gets beside those of CGI. Default: none.
    pub variables: Variables,
    /// Its limits and timeouts.
    pub limits: Limits,
    /// How long connecting may take; beyond it, 504. Default: 5 s.
    pub connect_timeout: Duration,
    /// How many requests it gets at once; further ones wait for [`Limits::queue`], and then get 503. Default: 64.
    pub max_connections: usize,
}

impl Default for UpstreamOptions {
    fn default() -> UpstreamOptions {
        UpstreamOptions {
            variables: Variables::default(),
            limits: Limits::default(),
            connect_timeout: Duration::from_secs(5),
            max_connections: 64,
        }
    }
}

/// An SCGI application, in another process, as an application: what a web server's `scgi_pass` does.
///
/// ```no_run
/// use wgi_scgi::Upstream;
///
/// let shop = Upstream::new("127.0.0.1:4000".parse()?);
/// # Ok::<(), String>(())
/// ```
///
/// The application gets the variables of CGI and the fields of the request. SCGI has no errors stream, and no end of a
/// response but that of its connection: one that breaks off in good order without a Content-Length looks whole, and only a
/// connection that is reset tells.
///
/// | answer | when |
/// | --- | --- |
/// | 502 | it cannot be connected to, or what it gave is no response |
/// | 503 | it gets as many requests as it may |
/// | 504 | it took too long |
///
/// Behind the head of a response, each of these cuts it. When nobody wants the rest, the connection is closed.
#[derive(Clone)]
pub struct Upstream {
    address: Address,
    options: UpstreamOptions,
    limits: Arc<Limits>,
    room: Arc<Room>,
}

impl Upstream {
    /// The application at that address. Nothing is connected before the first request.
    pub fn new(address: Address) -> Upstream {
        Upstream::with_options(address, UpstreamOptions::default())
    }

    /// As [`new`](Upstream::new), with options.
    pub fn with_options(address: Address, options: UpstreamOptions) -> Upstream {
        let limits = Arc::new(options.limits.clone());
        let room = Room::new(options.max_connections);
        Upstream { address, options, limits, room }
    }

    /// Adds a variable to every request, in place of any of that name.
    pub fn param(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Upstream {
        self.options.variables.add(name, value);
        self
    }

    fn vars(&self, environ: &Environ) -> Result<Vars, Error> {
        let mut vars = self.options.variables.of(environ)?;
        // An application tells by its being there that the path was split.
        if vars.get("PATH_INFO").is_none() {
            vars.push("PATH_INFO", "");
        }
        self.options.variables.finish(&mut vars);
        Ok(vars)
    }

    fn connect(&self) -> Result<Socket, Failure> {
        let timeout = self.options.connect_timeout;
        let connected = match &self.address {
            Address::Tcp { host, port } => Socket::connect_tcp(host, *port, timeout),
            Address::Unix(path) => Socket::connect_unix(path, timeout),
        };
        connected.map_err(|error| Failure::not_connected(&error, timeout))
    }
}

impl App for Upstream {
    fn call(&self, mut environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
        let body = RequestBody::take(&mut environ, self.limits.max_spool)?;
        let head = head(&self.vars(&environ)?, body.length());
        let asked = Asked::of(&environ);
        let mut lines = Lines::new(environ.errors().clone(), self.address.to_string(), self.limits.max_errors);
        let place = self.room.enter(self.limits.queue)?;
        let socket = match self.connect() {
            Ok(socket) => socket,
            Err(failure) => {
                lines.note(&failure.reason);
                return Err(failure.into_error());
            }
        };
        let connection = Box::new(Connection { socket: socket.clone(), is_answered: false });
        let mut exchange =
            Exchange::begin(connection, Box::new(Sender(socket)), head, body, lines, self.limits.clone(), place)
                .map_err(|source| ServerError::Io { doing: "starting a thread", source })?;
        match exchange.head(Form::Cgi) {
            Ok(answer) => exchange.respond(answer, &asked, start_response),
            Err(failure) => Err(exchange.fail(failure)),
        }
    }
}

/// The netstring in front of the body: CONTENT_LENGTH first, and `SCGI` with the value `1`.
fn head(vars: &Vars, length: u64) -> Vec<u8> {
    let mut pairs = Vec::with_capacity(vars.as_block().len() + 64);
    let mut push = |name: &[u8], value: &[u8]| {
        // A name or value of the deployer's with a NUL in it would end there.
        if !name.contains(&0) && !value.contains(&0) {
            for part in [name, value] {
                pairs.extend_from_slice(part);
                pairs.push(0);
            }
        }
    };
    push(b"CONTENT_LENGTH", itoa::Buffer::new().format(length).as_bytes());
    push(b"SCGI", b"1");
    for (name, value) in vars.iter().filter(|(name, _)| !matches!(*name, b"CONTENT_LENGTH" | b"SCGI")) {
        push(name, value);
    }
    let mut head = itoa::Buffer::new().format(pairs.len()).as_bytes().to_vec();
    head.push(b':');
    head.append(&mut pairs);
    head.push(b',');
    head
}

/// A connection, from its first byte back.
struct Connection {
    socket: Socket,
    is_answered: bool,
}

/// The end of it that takes the request.
struct Sender(Socket);

impl Conversation for Connection {
    fn receive(&mut self, output: &mut Vec<u8>, _lines: &mut Lines) -> Received {
        match self.socket.receive(output) {
            Ok(None) => Received::Blocked,
            Ok(Some(0)) => Received::End,
            Ok(Some(_)) => {
                self.is_answered = true;
                Received::Some
            }
            Err(error) if self.is_answered => {
                Received::Failed(Failure::bad_gateway(format!("its connection broke: {error}")))
            }
            Err(error) => {
                let failure = Failure::bad_gateway(format!("its connection broke without a response: {error}"));
                Received::Failed(Failure { is_unanswered: true, ..failure })
            }
        }
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.socket.as_fd()]
    }

    fn breaker(&self) -> Breaker {
        let socket = self.socket.clone();
        Box::new(move || socket.shut_down())
    }

    fn leave(self: Box<Self>, _how: Leave, _is_sent: bool) {
        // Whoever still sends the request gives up by this.
        self.socket.shut_down();
    }
}

impl Outlet for Sender {
    fn try_send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_send(bytes)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.send(bytes)
    }
}
