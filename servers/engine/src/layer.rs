//! What lies between the socket and the codec, on connections that do not begin with the client's own bytes.
//!
//! Only such a connection has a layer, and the way of all others does not lead through here: [`Wire`] looks for one
//! where it reads from the system, and not where it decodes.

use std::sync::Arc;

use wgi::{Error, StatusCode};

use crate::codec::{ConnectionInfo, Protocol};
use crate::proxy::{Endpoints, Header, decode};
use crate::wire::{Step, Wire};

/// The header of a proxy that is awaited: the codec for what comes behind it is made when it tells whose that is.
pub(crate) struct Layer {
    /// What came of the header.
    held: Vec<u8>,
    max: usize,
    protocol: Arc<dyn Protocol>,
    info: ConnectionInfo,
}

impl Layer {
    pub(crate) fn proxied(max: usize, protocol: Arc<dyn Protocol>, info: ConnectionInfo) -> Layer {
        Layer { held: Vec::new(), max, protocol, info }
    }

    /// Whether nothing has begun to come in that is not complete.
    pub(crate) fn is_idle(&self) -> bool {
        self.held.is_empty()
    }
}

impl Wire {
    /// Reads what comes before the client's bytes, and decodes it if it is complete.
    ///
    /// # Errors
    /// When it is malformed.
    #[cold]
    pub(crate) fn read_below(&mut self, mut layer: Box<Layer>) -> Result<Step, Error> {
        self.inbox.room().append(&mut layer.held);
        let step = self.read_socket();
        let refused = match decode(self.inbox.bytes(), layer.max) {
            Ok(Some(Header { length, endpoints })) => {
                self.inbox.consume(length);
                self.codec = layer.protocol.codec(&with(endpoints, layer.info));
                return Ok(step);
            }
            Ok(None) => None,
            Err(malformed) => {
                let proxy = layer.info.peer.map_or_else(|| "unix:".into(), |peer| peer.ip().to_string());
                let reason = format!("{proxy} has to send a header of the PROXY protocol, and sent none: {malformed}");
                Some(Error::refused(StatusCode::BAD_REQUEST, reason))
            }
        };
        layer.held = self.inbox.bytes().to_vec();
        self.inbox.clear();
        // Also where it is refused: to who speaks another protocol nothing is said.
        self.layer = Some(layer);
        refused.map_or(Ok(step), Err)
    }
}

/// What is known of a connection, once its proxy has told for whom it is.
fn with(endpoints: Endpoints, info: ConnectionInfo) -> ConnectionInfo {
    match endpoints {
        Endpoints::Own => info,
        Endpoints::Internet { peer, local } => ConnectionInfo { peer: Some(peer), local: Some(local), ..info },
        Endpoints::Unix => ConnectionInfo { peer: None, local: None, ..info },
    }
}
