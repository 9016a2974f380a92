#![doc = include_str!("../README.md")]
//! # How it works
//!
//! [`FastCgi`] is the [`Protocol`] to give to an engine's listener. The codec behind it is a state machine without
//! sockets: it takes bytes and gives events, takes parts of a reply and gives bytes. The way a request takes:
//!
//! | step | file |
//! | --- | --- |
//! | records | `record.rs` |
//! | what they mean for the requests that are open | `codec.rs` |
//! | the variables become the environ that HTTP would give | [`wgi::server::meta_variables`] |
//! | the reply | `codec.rs`, `reply.rs` |
//! | what the web server asks about the application | `values.rs` |
//! | the gateway's side of all this | `upstream.rs`, `upstream/` |
//!
//! Malformed records close the connection. What is wrong with one request alone is answered with a response of its own
//! (400, 431), and the others on its connection go on.
//!
//! Source: FastCGI specification 1.0; RFC 3875 for the variables and the form of the response.

mod codec;
pub mod record;
mod reply;
mod settings;
pub mod upstream;
mod values;

pub use upstream::{Upstream, UpstreamOptions};
pub use wgi_backend::{Limits, Links, LocalRedirects, LocalRedirectsLayer, Scripts, Variables};

use std::sync::Arc;

use wgi::server::meta_variables::Mount;
use wgi_engine::{Codec, ConnectionInfo, Protocol};

use crate::codec::FastCgiCodec;
use crate::settings::Settings;

/// FastCGI 1.0, on the application's side: the protocol to give to a listener.
///
/// ```
/// use wgi_fastcgi::FastCgi;
///
/// let fastcgi = FastCgi::new().max_params(32 * 1024).script_name("/shop");
/// ```
#[derive(Clone, Debug, Default)]
pub struct FastCgi {
    settings: Arc<Settings>,
}

impl FastCgi {
    /// FastCGI with the default limits, that finds the mount point in what the web server sends.
    pub fn new() -> FastCgi {
        FastCgi::default()
    }

    /// The most bytes that the variables of one request may take, with their lengths; beyond it, 431. Default: 64 KiB.
    pub fn max_params(mut self, bytes: usize) -> FastCgi {
        self.settings_mut().max_params = bytes;
        self
    }

    /// The most requests that may be open at once on one connection; beyond it, END_REQUEST with OVERLOADED. Default: 64.
    pub fn max_requests(mut self, requests: usize) -> FastCgi {
        self.settings_mut().max_requests = requests;
        self
    }

    /// What a web server that asks for FCGI_MAX_CONNS or FCGI_MAX_REQS is told: the engine's `max_connections`. Default:
    /// 50,000.
    pub fn max_connections(mut self, connections: usize) -> FastCgi {
        self.settings_mut().max_connections = connections;
        self
    }

    /// Where the application is mounted, as a decoded path: `/shop`, or an empty one for the root. Slashes at its
    /// end are left out.
    ///
    /// With it, `SCRIPT_NAME` and `PATH_INFO` are taken from `REQUEST_URI`, the target as the client sent it, whatever
    /// the web server says of them. Without it, they are what the web server says, with the known oddities of each put
    /// right.
    pub fn script_name(mut self, path: impl AsRef<[u8]>) -> FastCgi {
        self.settings_mut().mount = Some(Mount::at(path));
        self
    }

    fn settings_mut(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.settings)
    }
}

impl Protocol for FastCgi {
    fn codec(&self, connection: &ConnectionInfo) -> Box<dyn Codec> {
        Box::new(FastCgiCodec::new(Arc::clone(&self.settings), connection))
    }

    fn name(&self) -> &'static str {
        "fastcgi"
    }
}
