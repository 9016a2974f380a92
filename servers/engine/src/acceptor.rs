//! From a listener's queue to a connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::{SocketAddrAny, SocketFlags, acceptfrom_with, getsockname};
use wgi::{App, Gateway, Scheme};

use crate::codec::{ConnectionInfo, Protocol};
use crate::connection::Connection;
use crate::layer::{Awaited, Layer};
use crate::listener::Listener;
use crate::options::Options;
use crate::sealed::Sealed;
use crate::socket::Socket;
use crate::transport::Transports;
use crate::wire::Wire;

/// What becomes of the connections of one listener.
pub(crate) struct Service {
    pub(crate) protocol: Arc<dyn Protocol>,
    pub(crate) app: Arc<dyn App>,
}

/// What one look at a listener's queue came to.
pub(crate) enum Accepted {
    Connection(Box<Connection>),
    /// A connection that was turned away, or was gone before it was accepted.
    Turned,
    /// The queue is empty.
    None,
    /// The system has no descriptor left.
    Full,
}

impl Service {
    /// Accepts a connection.
    pub(crate) fn accept(&self, listener: &Listener, options: &Arc<Options>) -> Accepted {
        // What a listening socket has set (no delay, keep-alive) is handed down to the connection: no call for it here.
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (fd, peer) = match acceptfrom_with(&listener.socket, flags) {
            Ok(accepted) => accepted,
            Err(Errno::AGAIN) => return Accepted::None,
            // Errors of the connection, not of the listener (accept(2), "Error handling").
            Err(
                Errno::INTR | Errno::CONNABORTED | Errno::PROTO | Errno::PERM | Errno::NETDOWN | Errno::HOSTUNREACH,
            ) => {
                return Accepted::Turned;
            }
            Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                tracing::warn!("no descriptor is left for another connection; it waits");
                return Accepted::Full;
            }
            Err(error) => {
                tracing::error!("accepting a connection: {}", io::Error::from(error));
                return Accepted::Full;
            }
        };
        let peer = peer.and_then(internet);
        if let Some(allowed) = &listener.allowed
            && !peer.is_some_and(|peer| allowed.contains(&peer.ip().to_canonical()))
        {
            tracing::warn!("a connection from a peer that is not allowed was closed");
            return Accepted::Turned;
        }
        let local = match listener.local {
            Some(local) if local.ip().is_unspecified() => getsockname(&fd).ok().and_then(internet),
            local => local,
        };
        let mut gateway = Gateway::new();
        gateway.multithread = options.threads > 1;
        gateway.multiprocess = options.multiprocess;
        gateway.sends_files = true;
        let transport = match listener.transports.as_deref().map(Transports::transport).transpose() {
            Ok(transport) => transport,
            Err(error) => {
                tracing::error!("a connection was closed: {error}");
                return Accepted::Turned;
            }
        };
        if transport.is_some() {
            gateway.url_scheme = Scheme::Https;
            gateway.sends_files = false;
        }
        let info = ConnectionInfo { peer, local, gateway };
        let mut wire = Wire::new(Socket::new(fd), self.protocol.codec(&info), options.clone());
        wire.layer = match (listener.awaits_header(peer), transport) {
            (None, None) => None,
            (None, Some(transport)) => Some(Box::new(Layer::Sealed(Sealed::new(transport)))),
            (Some(max), transport) => {
                let protocol = self.protocol.clone();
                Some(Box::new(Layer::Awaited(Awaited { held: Vec::new(), max, protocol, info, transport })))
            }
        };
        Accepted::Connection(Box::new(Connection::new(wire, self.app.clone(), options.clone())))
    }
}

/// An address of the internet; others (a Unix socket's) have nothing that an application could use.
fn internet(address: SocketAddrAny) -> Option<SocketAddr> {
    let address = SocketAddr::try_from(address).ok()?;
    // A dual-stack listener shows an IPv4 peer as `::ffff:a.b.c.d`.
    Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
}
