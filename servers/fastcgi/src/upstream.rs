//! The gateway's side of FastCGI: an application that forwards to another one, as a web server does.
//!
//! The way of a request: its variables become PARAMS (here), its body STDIN (`connection`), and the records that come back
//! (`decoder`) the response, by an exchange of [`wgi_backend`].

mod connection;
pub mod decoder;

use std::sync::Arc;
use std::time::Duration;

use wgi::{App, Body, Environ, Error, ServerError, StartResponse, Vars};
use wgi_backend::response::Form;
use wgi_backend::{
    Asked, Exchange, Failure, Kept, Limits, Lines, RequestBody, Room, Scripts, Socket, Unanswered, Variables,
};
use wgi_engine::Address;

use self::connection::Connection;
use self::decoder::REQUEST_ID;
use crate::record::{BeginRequest, KEEP_CONN, PARAMS, RESPONDER, write_stream, write_stream_end};

/// What a FastCGI application that is forwarded to gets and is allowed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UpstreamOptions {
    /// Which variables it gets beside those of CGI. Default: none.
    pub variables: Variables,
    /// Its limits and timeouts.
    pub limits: Limits,
    /// How long connecting may take; beyond it, 504. Default: 5 s.
    pub connect_timeout: Duration,
    /// How many requests it gets at once, each on a connection of its own; further ones wait for [`Limits::queue`], and
    /// then get 503. For PHP, which has a process for each connection: as many as it has processes (`pm.max_children`).
    /// Default: 64.
    pub max_connections: usize,
    /// How many connections are kept that have no request on them; 0 for a new connection for each. Default: 16.
    pub max_idle: usize,
    /// How long such a connection is kept. Default: 15 s.
    pub idle_timeout: Duration,
    /// Whether an application status other than 0 says that the response is not whole, and cuts it. It does for an
    /// application of wgi; PHP has the value of `exit` there. Default: no.
    pub heed_app_status: bool,
}

impl Default for UpstreamOptions {
    fn default() -> UpstreamOptions {
        UpstreamOptions {
            variables: Variables::default(),
            limits: Limits::default(),
            connect_timeout: Duration::from_secs(5),
            max_connections: 64,
            max_idle: 16,
            idle_timeout: Duration::from_secs(15),
            heed_app_status: false,
        }
    }
}

/// A FastCGI application, in another process, as an application: what a web server's `fastcgi_pass` does.
///
/// ```no_run
/// use wgi_fastcgi::{Scripts, Upstream};
///
/// let shop = Upstream::new("127.0.0.1:9000".parse()?);
/// let blog = Upstream::new("unix:/run/php/php-fpm.sock".parse()?)
///     .scripts(Scripts::local("/srv/blog")?.fallback("index.php"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The application gets the variables of CGI and the fields of the request, in the role Responder. Its STDERR goes to the
/// errors stream of the request, line by line.
///
/// Connections are kept. A request that fails because the application closed such a connection before it gave anything
/// is sent again on a new one, where that cannot do something twice: where nothing of it was sent, or where its method is
/// idempotent (RFC 9110 §9.2.2) and its body, if any, is still there. When nobody wants the rest of a response, the
/// application is told (ABORT_REQUEST), and the connection closed.
///
/// | answer | when |
/// | --- | --- |
/// | 404 | there is no such script ([`Scripts`]) |
/// | 502 | it cannot be connected to, its records are malformed, or what it gave is no response |
/// | 503 | it has no room (FCGI_OVERLOADED), or gets as many requests as it may |
/// | 504 | it took too long |
///
/// Behind the head of a response, each of these cuts it.
#[derive(Clone)]
pub struct Upstream {
    address: Address,
    scripts: Option<Scripts>,
    options: UpstreamOptions,
    limits: Arc<Limits>,
    room: Arc<Room>,
    kept: Arc<Kept<Connection>>,
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
        let kept = Kept::new(options.max_idle, options.idle_timeout);
        Upstream { address, scripts: None, options, limits, room, kept }
    }

    /// Names the script that a request is for, as an application wants that runs files, like PHP. Without it, the
    /// application gets SCRIPT_NAME and PATH_INFO as the environ has them.
    pub fn scripts(mut self, scripts: Scripts) -> Upstream {
        self.scripts = Some(scripts);
        self
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
        // PHP takes it for a sign that a server asks.
        vars.push("REDIRECT_STATUS", "200");
        if let Some(scripts) = &self.scripts {
            scripts.set(&mut vars)?;
        }
        self.options.variables.finish(&mut vars);
        Ok(vars)
    }

    fn connect(&self, unanswered: Unanswered<Connection>) -> Result<Connection, Failure> {
        let timeout = self.options.connect_timeout;
        let connected = match &self.address {
            Address::Tcp { host, port } => Socket::connect_tcp(host, *port, timeout),
            Address::Unix(path) => Socket::connect_unix(path, timeout),
        };
        let socket = connected.map_err(|error| Failure::not_connected(&error, timeout))?;
        Ok(Connection::new(socket, self.kept.clone(), unanswered, self.options.heed_app_status))
    }

    /// The records in front of STDIN.
    fn head(&self, vars: &Vars) -> Vec<u8> {
        let flags = if self.options.max_idle > 0 { KEEP_CONN } else { 0 };
        let mut head = Vec::with_capacity(vars.as_block().len() + 64);
        BeginRequest { role: RESPONDER, flags }.write(REQUEST_ID, &mut head);
        write_stream(PARAMS, REQUEST_ID, vars.as_block(), &mut head);
        write_stream_end(PARAMS, REQUEST_ID, &mut head);
        head
    }
}

impl App for Upstream {
    fn call(&self, mut environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
        let mut body = RequestBody::take(&mut environ, self.limits.max_spool)?;
        let head = self.head(&self.vars(&environ)?);
        let asked = Asked::of(&environ);
        let errors = environ.errors().clone();
        let lines = || Lines::new(errors.clone(), self.address.to_string(), self.limits.max_errors);
        let place = self.room.enter(self.limits.queue)?;
        let mut kept = self.kept.take();
        loop {
            let was_kept = kept.is_ok();
            let mut connection = match kept {
                Ok(connection) => connection,
                Err(unanswered) => match self.connect(unanswered) {
                    Ok(connection) => connection,
                    Err(failure) => {
                        lines().note(&failure.reason);
                        return Err(failure.into_error());
                    }
                },
            };
            connection.begin();
            let again = body.again();
            let sender = Box::new(connection.sender());
            let mut exchange = Exchange::begin(
                Box::new(connection),
                sender,
                head.clone(),
                body,
                lines(),
                self.limits.clone(),
                place.clone(),
            )
            .map_err(|source| ServerError::Io { doing: "starting a thread", source })?;
            match (exchange.head(Form::Cgi), again) {
                (Ok(answer), _) => return exchange.respond(answer, &asked, start_response),
                (Err(failure), Some(again))
                    if was_kept && failure.is_unanswered && (asked.is_idempotent || exchange.is_unsent()) =>
                {
                    body = again;
                    kept = Err(self.kept.unanswered());
                }
                (Err(failure), _) => return Err(exchange.fail(failure)),
            }
        }
    }
}
