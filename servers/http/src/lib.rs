//! HTTP/1.1 and HTTP/1.0 for wgi: the wire protocol as a state machine, without sockets.
//!
//! [`Http`] is the [`Protocol`] to give to an engine's listener. The codec behind it takes bytes and gives events,
//! takes parts of a reply and gives bytes. The way a request takes through this crate:
//!
//! | step | file |
//! | --- | --- |
//! | the end of the head is found, limits and the request line are checked on the way | `scan.rs` |
//! | the head becomes an environ; parsing is httparse's | `request.rs`, `target.rs`, `host.rs` |
//! | how long the body is, decided once | `framing.rs` |
//! | the body | `chunked.rs`, `codec.rs` |
//! | the reply | `reply.rs`, `date.rs` |
//!
//! # What it takes
//! Exactly what RFC 9112 and RFC 9110 say, and no more: what two parsers might read in two ways is refused, for that
//! is what request smuggling is made of. Malformed input gets a response of its own (400, 414, 417, 431, 501, 505),
//! the connection is closed, and nothing behind it is run.
//!
//! # The environ
//! Beside what RFC 3875 §4.1 lists there are `REQUEST_URI` (the target as it was sent), `REQUEST_SCHEME`,
//! `SERVER_ADDR`, `REMOTE_PORT`, and `HTTPS=on` where the scheme is https. Choices that the standards leave open:
//!
//! - `PATH_INFO` is the whole path, percent-decoded; `SCRIPT_NAME` is empty. It is `*` for `OPTIONS *` alone.
//! - `SERVER_NAME` is the host of the target or of `Host`, an IPv6 address in brackets (RFC 3875 §4.1.14). In an
//!   HTTP/1.0 request without either it is the address of the listener, and `localhost` over a Unix socket.
//! - `HTTP_HOST` is the authority of an absolute target, whatever `Host` says (RFC 9112 §3.2.2).
//! - `REMOTE_ADDR` and `REMOTE_PORT` are absent over a Unix socket, and where a peer was gone before its address could
//!   be had.
//! - `SERVER_PORT` over a Unix socket is the default port of the scheme.
//! - A repeated header field is joined with `, ` (RFC 9110 §5.3), `Cookie` with `; `.
//! - Fields whose name has anything but letters, digits and `-` are dropped: `X_Forwarded_For` would become the same
//!   variable as `X-Forwarded-For`, behind the back of a proxy that guards the latter. So is `Proxy`, which would
//!   become `HTTP_PROXY` ([httpoxy](https://httpoxy.org)).
//! - The connection's own fields are the server's and are not passed on: `Connection`, `Keep-Alive`,
//!   `Proxy-Connection`, `TE`, `Trailer`, `Transfer-Encoding`, `Upgrade`. Those that `Connection` merely names stay: a
//!   client must not be able to make a field vanish that a proxy has set.

mod chunked;
mod codec;
mod date;
mod framing;
mod host;
mod reply;
mod request;
mod scan;
mod settings;
mod target;
mod token;

use std::sync::Arc;

use wgi::HeaderValue;
use wgi_engine::{Codec, ConnectionInfo, Protocol};

use crate::codec::HttpCodec;
use crate::settings::Settings;

/// HTTP/1.1 and HTTP/1.0: the protocol to give to a listener.
///
/// ```
/// use wgi_http::Http;
///
/// let http = Http::new().max_head(16 * 1024).max_target(4 * 1024).server(None);
/// ```
///
/// Source: RFC 9112, RFC 9110.
#[derive(Clone, Debug, Default)]
pub struct Http {
    settings: Arc<Settings>,
}

impl Http {
    /// HTTP with the default limits.
    pub fn new() -> Http {
        Http::default()
    }

    /// The longest request head in bytes, from the request line to the empty line; beyond it, 431. It bounds the
    /// trailers of a chunked body too. Default: 32 KiB.
    pub fn max_head(mut self, bytes: usize) -> Http {
        self.settings_mut().max_head = bytes;
        self
    }

    /// The most header fields of a request; beyond it, 431. It bounds the trailers of a chunked body too. Default: 100.
    ///
    /// Finding repeated fields takes time that grows with the square of it.
    pub fn max_fields(mut self, fields: usize) -> Http {
        self.settings_mut().max_fields = fields;
        self
    }

    /// The longest request target in bytes; beyond it, 414. Default: 8 KiB.
    pub fn max_target(mut self, bytes: usize) -> Http {
        self.settings_mut().max_target = bytes;
        self
    }

    /// The `Server` field of every response that brings none of its own; `None` to send none. Default:
    /// `wgi/` and the version.
    ///
    /// It is `SERVER_SOFTWARE` too, which stays at its default where it is `None`, as RFC 3875 §4.1.17 wants it set.
    pub fn server(mut self, server: Option<HeaderValue>) -> Http {
        self.settings_mut().set_server(server);
        self
    }

    fn settings_mut(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.settings)
    }
}

impl Protocol for Http {
    fn codec(&self, connection: &ConnectionInfo) -> Box<dyn Codec> {
        Box::new(HttpCodec::new(Arc::clone(&self.settings), connection))
    }

    fn name(&self) -> &'static str {
        "http"
    }
}
