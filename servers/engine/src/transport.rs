//! The interface between the engine and a transport under the codec, as TLS is: sealed bytes in, plain bytes out, and
//! back.
//!
//! A [`Transport`] is a state machine for one connection. It does no I/O, keeps no time and starts no threads.

use std::fmt;

use wgi::{Error, Vars};

/// Makes the transport for each connection of a listener.
pub trait Transports: Send + Sync + 'static {
    /// The transport for a new connection.
    ///
    /// # Errors
    /// When there can be none just now: the connection is closed.
    fn transport(&self) -> Result<Box<dyn Transport>, Error>;
}

/// The state machine of one connection's transport.
pub trait Transport: Send {
    /// What was received and is not opened yet. The engine appends what the peer sends, and then calls
    /// [`open`](Transport::open), which takes away what it is done with, and the memory with the last of it.
    fn received(&mut self) -> &mut Vec<u8>;

    /// Opens what was received, as far as it is complete: `plain` takes what the peer says, and `out` what it is to be
    /// told by the transport itself.
    ///
    /// # Errors
    /// When it cannot be opened. What stands in `out` is sent still, and nothing else is opened.
    fn open(&mut self, plain: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<(), NotOpened>;

    /// Seals what the peer is to be told, once the transport [is open](Transport::is_open).
    ///
    /// # Errors
    /// When that cannot be, as behind an error of [`open`](Transport::open).
    fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Error>;

    /// Says that nothing more will come: what was sealed is whole.
    fn close(&mut self, out: &mut Vec<u8>);

    /// Whether the handshake is over, so that something can be sealed.
    fn is_open(&self) -> bool;

    /// Whether nothing is half done: nothing was received yet, or the handshake is over and all that was received was
    /// opened.
    fn is_idle(&self) -> bool;

    /// Whether the peer has said that nothing more will come.
    fn has_ended(&self) -> bool;

    /// Adds to the variables of a request what the transport knows of its client (`SSL_PROTOCOL`).
    fn describe(&self, variables: &mut Vars);
}

/// Why something was not opened.
#[derive(Debug)]
pub enum NotOpened {
    /// The peer does not speak this transport, but most likely the protocol above it: it is answered in that, in clear,
    /// that this will not do.
    Foreign(Error),
    /// What it sent is malformed, or not acceptable.
    Refused(Error),
}

impl fmt::Display for NotOpened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (NotOpened::Foreign(error) | NotOpened::Refused(error)) = self;
        error.fmt(f)
    }
}
