#![doc = include_str!("../README.md")]
//! # How it works
//!
//! [`Ajp`] is the [`Protocol`] to give to an engine's listener. The codec behind it is a state machine without
//! sockets: it takes bytes and gives events, takes parts of a reply and gives bytes. The way a request takes:
//!
//! | step | file |
//! | --- | --- |
//! | packets, and what they mean by their place | `codec.rs`, `packet.rs` |
//! | FORWARD_REQUEST is taken apart | `forward_request.rs`, `reader.rs` |
//! | who sends it has to know the secret | `secret.rs` |
//! | it becomes the environ that HTTP would give | `environ.rs` |
//! | the reply | `codec.rs`, `reply.rs` |
//!
//! Malformed packets close the connection. A request that is wrong gets a response of its own (400, 403, 431, 501), and
//! then the connection is closed too.
//!
//! Source: the AJPv13 protocol reference of the Apache Tomcat Connectors; mod_proxy_ajp and mod_ajp13 as they are.

mod codec;
mod environ;
mod forward_request;
pub mod packet;
mod reader;
mod reply;
mod secret;
mod settings;

use std::io;
use std::sync::Arc;

use wgi::server::meta_variables::Mount;
use wgi_engine::{Address, Codec, ConnectionInfo, Listener, Protocol};

pub use settings::Dialect;

use crate::codec::AjpCodec;
use crate::packet::{MAX_PACKET_SIZE, PACKET_SIZE};
use crate::secret::Secret;
use crate::settings::Settings;

/// AJP13, on the application's side: the protocol to give to a listener.
///
/// ```
/// use wgi_ajp::Ajp;
///
/// let ajp = Ajp::new().secret("sesame").packet_size(64 * 1024).script_name("/shop");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Ajp {
    settings: Arc<Settings>,
}

impl Ajp {
    /// AJP with the default limits, without a secret: for listeners on loopback and Unix sockets.
    pub fn new() -> Ajp {
        Ajp::default()
    }

    /// What a web server has to send along with each request; one that does not gets 403. An empty one is none.
    /// Default: none.
    ///
    /// AJP believes the web server who the client is, whom it authenticated and whether that came over TLS. So a
    /// listener that is open to others than this machine has to have a secret ([`check`](Ajp::check)); without one, it
    /// takes no request (spec clause 10.25).
    pub fn secret(mut self, secret: impl AsRef<[u8]>) -> Ajp {
        self.settings_mut().secret = Secret::new(secret.as_ref());
        self
    }

    /// The largest packet in bytes, its header included, in both directions: from 8 KiB to 64 KiB; what is outside is
    /// brought to the nearer of the two. Default: 8 KiB.
    ///
    /// The head of a request, and that of a response, has to fit into one packet. The web server has to be set to the
    /// same size: `ProxyIOBufferSize` of Apache. lighttpd's stays at 8 KiB.
    pub fn packet_size(mut self, bytes: usize) -> Ajp {
        self.settings_mut().packet_size = bytes.clamp(PACKET_SIZE, MAX_PACKET_SIZE);
        self
    }

    /// The most header fields of a request; beyond it, 431. Default: 100.
    pub fn max_fields(mut self, fields: usize) -> Ajp {
        self.settings_mut().max_fields = fields;
        self
    }

    /// Where the application is mounted, as a decoded path: `/shop`. Slashes at its end are left out. Default: at the
    /// root, for AJP does not tell.
    ///
    /// It is split off the path that the application is asked for; outside of it, `SCRIPT_NAME` is empty.
    pub fn script_name(mut self, path: impl AsRef<[u8]>) -> Ajp {
        self.settings_mut().mount = Some(Mount::at(path));
        self
    }

    /// How the web server speaks AJP. Default: as the protocol has it.
    pub fn dialect(mut self, dialect: Dialect) -> Ajp {
        self.settings_mut().dialect = dialect;
        self
    }

    /// Whether this may be spoken on that listener: one that is open to others than this machine needs a secret. Unix
    /// sockets are not.
    ///
    /// # Errors
    /// `PermissionDenied` when it may not.
    ///
    /// Source: spec clause 10.25; CVE-2020-1938, "Ghostcat".
    pub fn check(&self, listener: &Listener) -> io::Result<()> {
        let is_local = match listener.address() {
            Address::Unix(_) => true,
            Address::Tcp { .. } => listener.local().is_some_and(|local| local.ip().to_canonical().is_loopback()),
        };
        if is_local || self.settings.secret.is_some() {
            return Ok(());
        }
        let message = format!(
            "cannot listen on {} for AJP without a secret: others than this machine could connect, and would be \
             believed",
            listener.address()
        );
        Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
    }

    fn settings_mut(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.settings)
    }
}

impl Protocol for Ajp {
    fn codec(&self, connection: &ConnectionInfo) -> Box<dyn Codec> {
        Box::new(AjpCodec::new(Arc::clone(&self.settings), connection))
    }

    fn name(&self) -> &'static str {
        "ajp"
    }
}
