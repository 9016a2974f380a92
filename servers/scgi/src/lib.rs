#![doc = include_str!("../README.md")]
//! # How it works
//!
//! [`Scgi`] is the [`Protocol`] to give to an engine's listener. The codec behind it is a state machine without sockets:
//! it takes bytes and gives events, takes parts of a reply and gives bytes. The way a request takes:
//!
//! | step | file |
//! | --- | --- |
//! | the netstring that its head is | `netstring.rs` |
//! | names and values in it | `head.rs` |
//! | the variables become the environ that HTTP would give | [`wgi::server::meta_variables`] |
//! | the body, and the reply | `codec.rs` |
//! | the gateway's side of all this | `upstream.rs` |
//!
//! Source: SCGI, "A Simple Common Gateway Interface alternative" (N. Schemenauer, 2008); RFC 3875 for the variables and
//! the form of the response.

mod codec;
mod head;
mod netstring;
mod settings;
mod upstream;

pub use upstream::{Upstream, UpstreamOptions};
pub use wgi_backend::{Limits, LocalRedirects, LocalRedirectsLayer, Variables};

use std::sync::Arc;

use wgi::server::meta_variables::Mount;
use wgi_engine::{Codec, ConnectionInfo, Protocol, SingleCodec};

use crate::codec::Connection;
use crate::settings::Settings;

/// SCGI, on the application's side: the protocol to give to a listener.
///
/// ```
/// use wgi_scgi::Scgi;
///
/// let scgi = Scgi::new().max_head(32 * 1024).script_name("/shop");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Scgi {
    settings: Arc<Settings>,
}

impl Scgi {
    /// SCGI with the default limit, that finds the mount point in what the web server sends.
    pub fn new() -> Scgi {
        Scgi::default()
    }

    /// The most bytes that the head of a request may have, which is all of its variables with the NUL behind each name
    /// and value; beyond it, 431. Default: 64 KiB.
    pub fn max_head(mut self, bytes: usize) -> Scgi {
        self.settings_mut().max_head = bytes;
        self
    }

    /// Where the application is mounted, as a decoded path: `/shop`, or an empty one for the root. Slashes at its
    /// end are left out.
    ///
    /// With it, `SCRIPT_NAME` and `PATH_INFO` are taken from `REQUEST_URI`, the target as the client sent it, whatever
    /// the web server says of them. Without it, they are what the web server says, with the known oddities of each put
    /// right.
    pub fn script_name(mut self, path: impl AsRef<[u8]>) -> Scgi {
        self.settings_mut().mount = Some(Mount::at(path));
        self
    }

    fn settings_mut(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.settings)
    }
}

impl Protocol for Scgi {
    fn codec(&self, connection: &ConnectionInfo) -> Box<dyn Codec> {
        Box::new(SingleCodec::new(Connection::new(Arc::clone(&self.settings), connection)))
    }

    fn name(&self) -> &'static str {
        "scgi"
    }
}
