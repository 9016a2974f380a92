//! What lies between the socket and the codec, on connections that do not carry the client's bytes as they are: the
//! header of a proxy in front of them, or a transport around them.
//!
//! Only such a connection has a layer, and the way of all others does not lead through here: [`Wire`] looks for one
//! where it calls the system, and not where it decodes.

use std::io;
use std::sync::Arc;

use wgi::{Error, StatusCode, Vars};

use crate::codec::{ConnectionInfo, Protocol};
use crate::outbox::Flushed;
use crate::proxy::{Endpoints, Header, decode};
use crate::sealed::Sealed;
use crate::transport::{NotOpened, Transport};
use crate::wire::Wire;

/// What lies between the socket and the codec.
pub(crate) enum Layer {
    /// The header of a proxy is awaited.
    Awaited(Awaited),
    Sealed(Sealed),
}

/// The header of a proxy that is awaited: the codec for what comes behind it is made when it tells whose that is.
pub(crate) struct Awaited {
    /// What came of the header.
    pub(crate) held: Vec<u8>,
    pub(crate) max: usize,
    pub(crate) protocol: Arc<dyn Protocol>,
    pub(crate) info: ConnectionInfo,
    /// What is around the bytes behind the header.
    pub(crate) transport: Option<Box<dyn Transport>>,
}

impl Layer {
    /// Whether nothing has begun to come in that is not complete.
    pub(crate) fn is_idle(&self) -> bool {
        match self {
            Layer::Awaited(awaited) => awaited.held.is_empty(),
            Layer::Sealed(sealed) => sealed.is_idle(),
        }
    }

    /// Adds to the variables of a request what is known here.
    pub(crate) fn describe(&self, variables: &mut Vars) {
        if let Layer::Sealed(sealed) = self {
            sealed.describe(variables);
        }
    }
}

impl Wire {
    /// Reads what comes below the codec, and what that holds for the codec, if it is complete; says whether anything
    /// came, or the end.
    ///
    /// # Errors
    /// When it is malformed.
    #[cold]
    pub(crate) fn read_below(&mut self, mut layer: Box<Layer>) -> Result<bool, Error> {
        let (has_read, next) = match &mut *layer {
            Layer::Awaited(awaited) => self.read_header(awaited),
            Layer::Sealed(sealed) => self.read_sealed(sealed),
        };
        match next {
            Next::Stay(result) => {
                self.layer = Some(layer);
                result.map(|()| has_read)
            }
            Next::None(result) => result.map(|()| has_read),
            Next::Sealed(sealed) => {
                *layer = Layer::Sealed(sealed);
                self.layer = Some(layer);
                Ok(has_read)
            }
        }
    }

    /// Reads the header of a proxy, and decodes it if it is complete.
    fn read_header(&mut self, awaited: &mut Awaited) -> (bool, Next) {
        self.inbox.room().append(&mut awaited.held);
        let has_read = self.read_socket();
        let result = match decode(self.inbox.bytes(), awaited.max) {
            Ok(Some(Header { length, endpoints })) => {
                self.inbox.consume(length);
                self.codec = awaited.protocol.codec(&with(endpoints, &awaited.info));
                let Some(transport) = awaited.transport.take() else { return (has_read, Next::None(Ok(()))) };
                let mut sealed = Sealed::new(transport);
                sealed.receive(self.inbox.bytes());
                self.inbox.clear();
                let opened = self.open(&mut sealed);
                return (has_read, opened.unwrap_or(Next::Sealed(sealed)));
            }
            Ok(None) => Ok(()),
            Err(malformed) => {
                let proxy = awaited.info.peer.map_or_else(|| "unix:".into(), |peer| peer.ip().to_string());
                let reason = format!("{proxy} has to send a header of the PROXY protocol, and sent none: {malformed}");
                Err(Error::refused(StatusCode::BAD_REQUEST, reason))
            }
        };
        awaited.held = self.inbox.bytes().to_vec();
        self.inbox.clear();
        // Also where it is refused: to who speaks another protocol nothing is said.
        (has_read, Next::Stay(result))
    }

    fn read_sealed(&mut self, sealed: &mut Sealed) -> (bool, Next) {
        let (read, space) = sealed.read(&self.socket);
        let has_read = self.note_read(read, space);
        let opened = if has_read { self.open(sealed) } else { None };
        (has_read, opened.unwrap_or(Next::Stay(Ok(()))))
    }

    /// Opens what was received; says what becomes of the layer where that goes wrong.
    fn open(&mut self, sealed: &mut Sealed) -> Option<Next> {
        let opened = sealed.open(self.inbox.room());
        self.ended |= sealed.has_ended();
        match opened {
            Ok(()) => None,
            // The codec answers as if it were alone.
            Err(NotOpened::Foreign(error)) => Some(Next::None(Err(error))),
            Err(NotOpened::Refused(error)) => Some(Next::Stay(Err(error))),
        }
    }

    /// Sends as much of the outbox as the socket takes, and as is fair to the others.
    ///
    /// # Errors
    /// When the peer is gone, or a file is shorter than it was.
    pub(crate) fn flush(&mut self) -> io::Result<Flushed> {
        match self.layer.as_deref_mut() {
            Some(Layer::Sealed(sealed)) => sealed.flush(&mut self.outbox, &self.socket),
            _ => self.outbox.flush(&self.socket),
        }
    }

    /// Writes the answer to what was malformed or too slow, as far as the peer could be understood.
    pub(crate) fn refuse(&mut self, error: &Error) {
        let is_understood = match self.layer.as_deref() {
            None => true,
            Some(Layer::Awaited(_)) => false,
            Some(Layer::Sealed(sealed)) => sealed.is_open(),
        };
        if is_understood {
            self.codec.refuse(error, &mut self.outbox.tail);
        }
    }

    /// What is in the outbox is the last, and the peer is to know that it has all of it.
    pub(crate) fn end(&mut self) {
        if let Some(Layer::Sealed(sealed)) = self.layer.as_deref_mut() {
            sealed.end();
        }
    }

    /// What is in the outbox is the last, and less than the peer was to have.
    pub(crate) fn cut(&mut self) {
        if let Some(Layer::Sealed(sealed)) = self.layer.as_deref_mut() {
            sealed.cut();
        }
    }

    /// Says goodbye on a connection on which nothing is under way, if that can be said at once.
    pub(crate) fn take_leave(&mut self) {
        if self.layer.is_some() && self.outbox.is_empty() {
            self.end();
            let _ = self.flush();
        }
    }
}

/// What becomes of a layer.
enum Next {
    /// It stays; in good order or not.
    Stay(Result<(), Error>),
    /// There is none from here on.
    None(Result<(), Error>),
    /// It is this.
    Sealed(Sealed),
}

/// What is known of a connection, once its proxy has told for whom it is.
fn with(endpoints: Endpoints, info: &ConnectionInfo) -> ConnectionInfo {
    let gateway = info.gateway;
    match endpoints {
        Endpoints::Own => info.clone(),
        Endpoints::Internet { peer, local } => ConnectionInfo { peer: Some(peer), local: Some(local), gateway },
        Endpoints::Unix => ConnectionInfo { peer: None, local: None, gateway },
    }
}
