//! The heads of one connection: a packet of variables in, the head of an HTTP response out.

use std::sync::Arc;

use wgi::server::meta_variables::{Normal, normalise};
use wgi::{Environ, Error, Gateway, StatusCode};
use wgi_engine::{ConnectionInfo, Request, RequestBody, Single};

use crate::packet::{self, HEADER_LEN};
use crate::settings::Settings;

/// What the requests of one connection are decoded with.
pub(crate) struct Connection {
    settings: Arc<Settings>,
    gateway: Gateway,
}

impl Connection {
    pub(crate) fn new(settings: Arc<Settings>, connection: &ConnectionInfo) -> Connection {
        Connection { settings, gateway: connection.gateway }
    }
}

impl Single for Connection {
    /// As in HTTP: the head is what uwsgi, by its specification, leaves to the application.
    ///
    /// Apache asks for a status line; nginx and lighttpd take one; and uWSGI's own HTTP router passes on what it gets,
    /// byte for byte. Its version is 1.1, for by 1.0 that router would not keep the client's connection. There are no
    /// chunks: nobody but that router would take them out again. Date and Server are the web server's to give.
    const START: &'static str = "HTTP/1.1 ";

    fn request(&mut self, input: &[u8]) -> Result<Option<(usize, Request)>, Error> {
        let Some(content) = packet::parse(input, self.settings.max_vars)? else { return Ok(None) };
        let vars = packet::vars(content)?;
        let is_chunked = vars.get("HTTP_TRANSFER_ENCODING").is_some();
        let Normal { vars, scheme, content_length } = normalise(&vars, self.settings.mount.as_ref())?;
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
        let mut gateway = self.gateway;
        gateway.url_scheme = scheme;
        let request = Request { environ: Environ::new(vars, gateway), body, expects_continue: false };
        Ok(Some((HEADER_LEN + content.len(), request)))
    }
}
