#![doc = include_str!("../README.md")]
//! # How it works
//!
//! [`Uwsgi`] is the [`Protocol`] to give to an engine's listener. The codec behind it is a state machine without sockets:
//! it takes bytes and gives events, takes parts of a reply and gives bytes. The way a request takes:
//!
//! | step | file |
//! | --- | --- |
//! | the packet, and the variables in it | `packet.rs` |
//! | they become the environ that HTTP would give | [`wgi::server::meta_variables`] |
//! | the body, and the reply | `codec.rs` |
//!
//! Source: "The uwsgi Protocol" in the documentation of uWSGI, for modifier 0; RFC 3875 for the variables.

mod codec;
mod packet;
mod settings;

use std::sync::Arc;

use wgi::server::meta_variables::Mount;
use wgi_engine::{Codec, ConnectionInfo, Protocol, SingleCodec};

use crate::codec::Connection;
use crate::settings::Settings;

/// The uwsgi protocol, on the application's side: the protocol to give to a listener.
///
/// ```
/// use wgi_uwsgi::Uwsgi;
///
/// let uwsgi = Uwsgi::new().max_vars(32 * 1024).script_name("/shop");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Uwsgi {
    settings: Arc<Settings>,
}

impl Uwsgi {
    /// The uwsgi protocol with the default limit, that finds the mount point in what the web server sends.
    pub fn new() -> Uwsgi {
        Uwsgi::default()
    }

    /// The most bytes that the variables of a request may take in their packet, with their sizes; beyond it, 431. Default:
    /// 64 KiB, which is more than a packet can have.
    pub fn max_vars(mut self, bytes: usize) -> Uwsgi {
        self.settings_mut().max_vars = bytes;
        self
    }

    /// Where the application is mounted, as a decoded path: `/shop`, or an empty one for the root. Slashes at its
    /// end are left out.
    ///
    /// With it, `SCRIPT_NAME` and `PATH_INFO` are taken from `REQUEST_URI`, the target as the client sent it, whatever
    /// the web server says of them. Without it, they are what the web server says, with the known oddities of each put
    /// right.
    pub fn script_name(mut self, path: impl AsRef<[u8]>) -> Uwsgi {
        self.settings_mut().mount = Some(Mount::at(path));
        self
    }

    fn settings_mut(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.settings)
    }
}

impl Protocol for Uwsgi {
    fn codec(&self, connection: &ConnectionInfo) -> Box<dyn Codec> {
        Box::new(SingleCodec::new(Connection::new(Arc::clone(&self.settings), connection)))
    }

    fn name(&self) -> &'static str {
        "uwsgi"
    }
}
