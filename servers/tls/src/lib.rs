#![doc = include_str!("../README.md")]
//! # How it works
//!
//! | step | file |
//! | --- | --- |
//! | certificates, a key and the client's authorities are read and checked, anew when they change | `files.rs`, `watch.rs` |
//! | each connection is a state machine of rustls, fed by the engine | `connection.rs` |
//! | what is known of the connection and its client becomes variables | `variables.rs` |

mod connection;
mod files;
mod variables;
mod watch;

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert, UnbufferedServerConnection};
use rustls::sign::CertifiedKey;
use wgi::{Error, ServerError};
use wgi_engine::{Transport, Transports};

use crate::connection::Connection;
pub use crate::files::{CertificateFiles, Unusable};
pub use crate::watch::Watch;

/// TLS for a listener: give it to [`Listener::over`](wgi_engine::Listener::over).
///
/// What it is set to can be replaced while it serves: connections that are open go on with what they began with.
#[derive(Debug)]
pub struct Tls {
    config: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// TLS as rustls is configured. [`CertificateFiles::load`] makes a configuration from files.
    ///
    /// ALPN is left as it is set there: it should offer `http/1.1`.
    pub fn new(config: ServerConfig) -> Tls {
        Tls { config: RwLock::new(Arc::new(config)) }
    }

    /// Takes another configuration for the connections that come from now on.
    pub fn replace(&self, config: ServerConfig) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }
}

impl Transports for Tls {
    fn transport(&self) -> Result<Box<dyn Transport>, Error> {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner).clone();
        // The name that the client asks for is told to who chooses the certificate, and to nobody else.
        let named = Arc::new(Named { resolver: config.cert_resolver.clone(), name: OnceLock::new() });
        let mut config = ServerConfig::clone(&config);
        config.cert_resolver = named.clone();
        let tls = UnbufferedServerConnection::new(Arc::new(config))
            .map_err(|_| ServerError::Overloaded("no connection of TLS could be made"))?;
        Ok(Box::new(Connection::new(tls, named)))
    }
}

/// Chooses the certificate of one connection as another resolver does, and notes which name was asked for.
#[derive(Debug)]
struct Named {
    resolver: Arc<dyn ResolvesServerCert>,
    name: OnceLock<Box<str>>,
}

impl ResolvesServerCert for Named {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if let Some(name) = hello.server_name() {
            let _ = self.name.set(name.into());
        }
        self.resolver.resolve(hello)
    }

    fn only_raw_public_keys(&self) -> bool {
        self.resolver.only_raw_public_keys()
    }
}
