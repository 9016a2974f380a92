//! The heads of one connection: a netstring of variables in, what a CGI program would write out.

use std::sync::Arc;

use wgi::server::meta_variables::{Normal, normalise};
use wgi::{Environ, Error, Gateway};
use wgi_engine::{ConnectionInfo, Request, RequestBody, Single};

use crate::settings::Settings;
use crate::{head, netstring};

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
    /// As in CGI (RFC 3875 §6): that is what every web server expects of SCGI, which says nothing of it.
    const START: &'static str = "Status: ";

    fn request(&mut self, input: &[u8]) -> Result<Option<(usize, Request)>, Error> {
        let Some(netstring) = netstring::parse(input, self.settings.max_head)? else { return Ok(None) };
        let vars = head::parse(netstring.content)?;
        let Normal { vars, scheme, content_length } = normalise(&vars, self.settings.mount.as_ref())?;
        let body = match content_length {
            Some(0) | None => RequestBody::None,
            Some(length) => RequestBody::Length(length),
        };
        let mut gateway = self.gateway;
        gateway.url_scheme = scheme;
        let request = Request { environ: Environ::new(vars, gateway), body, expects_continue: false };
        Ok(Some((netstring.length, request)))
    }
}
