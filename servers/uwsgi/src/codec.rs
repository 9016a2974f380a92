//! The heads of one connection: a packet of variables in, the head of an HTTP response out.

use std::sync::Arc;

use wgi::server::Framing;
use wgi::server::meta_variables::{Normal, normalise};
use wgi::{Environ, Error, Gateway, Head, StatusCode};
use wgi_engine::{ConnectionInfo, Request, RequestBody, Single};

use crate::packet::{self, HEADER_LEN};
use crate::reply;
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

    fn write_head(&self, head: &Head, framing: Framing, out: &mut Vec<u8>) {
        reply::write_head(head, framing, out);
    }
}
