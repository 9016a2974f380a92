//! Where connections come from: addresses and listening sockets.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::str::FromStr;

/// An address to listen at: `HOST:PORT`, `[V6]:PORT`, `:PORT` (every interface) or `unix:PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A host name or IP address (empty: every interface) and a port (0: a free one).
    Tcp {
        /// The host name or IP address; empty for every interface.
        host: String,
        /// The port.
        port: u16,
    },
    /// The path of a Unix socket.
    Unix(PathBuf),
}

/// A listening socket.
#[derive(Debug)]
pub struct Listener {
    pub(crate) socket: OwnedFd,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) allowed: Option<Vec<IpAddr>>,
    address: Address,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(_text: &str) -> Result<Address, String> {
        Err("not yet".into())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp { host, port } => write!(f, "{host}:{port}"),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Listener {
    /// Binds and listens.
    ///
    /// # Errors
    /// What the system says.
    pub fn bind(_address: &Address) -> io::Result<Listener> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Takes over a socket that listens already (descriptor 0 of FastCGI, systemd's).
    ///
    /// # Errors
    /// When it is no listening stream socket.
    pub fn from_fd(_socket: OwnedFd) -> io::Result<Listener> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Accepts connections only from these addresses; others are closed at once (`FCGI_WEB_SERVER_ADDRS`).
    pub fn allow(mut self, peers: Vec<IpAddr>) -> Listener {
        self.allowed = Some(peers);
        self
    }

    /// Where it listens: with the port that the system chose.
    pub fn address(&self) -> &Address {
        &self.address
    }
}
