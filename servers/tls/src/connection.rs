//! One connection: records in, the client's bytes out, and back. rustls does it; here no buffer is held while nothing is
//! under way, so that a connection that is idle costs little.

use std::fmt;
use std::sync::Arc;

use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus};
use wgi::{Error, ServerError, StatusCode, Vars};
use wgi_engine::{NotOpened, Transport};

use crate::{Named, variables};

/// The plain text of a record (RFC 8446 §5.1).
const RECORD: usize = 1 << 14;

/// More than a record adds to it: header, nonce, type, tag.
const AROUND: usize = 64;

/// Room for what goes out in front of it: a key update, an alert.
const IN_FRONT: usize = 1024;

pub(crate) struct Connection {
    tls: UnbufferedServerConnection,
    named: Arc<Named>,
    /// What is not complete: rustls refuses a record of more than 16 KiB, and a message of more than 64 KiB.
    received: Vec<u8>,
    /// Something of the handshake has come.
    begun: bool,
    /// The client has said that nothing more comes.
    ended: bool,
    /// Something could not be opened: whatever is sealed behind the alert that says so, nobody would take.
    failed: bool,
}

/// What is to be sealed.
#[derive(Clone, Copy)]
enum Sealing<'a> {
    Plain(&'a [u8]),
    /// That nothing more comes: close_notify (RFC 8446 §6.1).
    Close,
}

impl Connection {
    pub(crate) fn new(tls: UnbufferedServerConnection, named: Arc<Named>) -> Connection {
        Connection { tls, named, received: Vec::new(), begun: false, ended: false, failed: false }
    }

    /// Opens what is complete; gives how much of what was received is done with.
    fn open_records(&mut self, plain: &mut Vec<u8>, out: &mut Vec<u8>) -> (usize, Result<(), rustls::Error>) {
        let mut done = 0;
        loop {
            let rest = self.received.get_mut(done..).unwrap_or_default();
            let UnbufferedStatus { mut discard, state, .. } = self.tls.process_tls_records(rest);
            let mut result = None;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        match record {
                            Ok(record) => {
                                plain.extend_from_slice(record.payload);
                                discard += record.discard;
                            }
                            Err(error) => result = Some(Err(error)),
                        }
                    }
                }
                Ok(ConnectionState::EncodeTlsData(data)) => encode(data, out),
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.ended = true,
                // More has to come first.
                Ok(_) => result = Some(Ok(())),
                Err(error) => result = Some(Err(error)),
            }
            done += discard;
            if let Some(result) = result {
                return (done, result);
            }
        }
    }

    /// Takes what the client is told of an error. Behind one rustls may be asked for that, and for nothing else: it has
    /// marks in what was received, which it would follow.
    fn take_alert(&mut self, out: &mut Vec<u8>) {
        while self.tls.wants_write()
            && let Ok(ConnectionState::EncodeTlsData(data)) = self.tls.process_tls_records(&mut []).state
        {
            encode(data, out);
        }
    }

    fn seal_record(&mut self, what: Sealing<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        while !self.failed {
            let UnbufferedStatus { discard, state, .. } = self.tls.process_tls_records(&mut self.received);
            let result = match state {
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    let room = match what {
                        Sealing::Plain(plain) => plain.len() + plain.len().div_ceil(RECORD) * AROUND,
                        Sealing::Close => AROUND,
                    };
                    let is_sealed = write(out, room + IN_FRONT, |room| {
                        let sealed = match what {
                            Sealing::Plain(plain) => traffic.encrypt(plain, room),
                            Sealing::Close => traffic.queue_close_notify(room),
                        };
                        sealed.map_err(|error| match error {
                            EncryptError::InsufficientSize(size) => Some(size.required_size),
                            EncryptError::EncryptExhausted => None,
                        })
                    });
                    Some(is_sealed)
                }
                Ok(ConnectionState::EncodeTlsData(data)) => {
                    encode(data, out);
                    None
                }
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    None
                }
                // The handshake is not over, or it broke, or all was said.
                Ok(_) | Err(_) => Some(false),
            };
            self.received.drain(..discard.min(self.received.len()));
            match result {
                None => {}
                Some(true) => return Ok(()),
                Some(false) => break,
            }
        }
        Err(ServerError::Overloaded("the connection of TLS takes nothing more").into())
    }
}

impl Transport for Connection {
    fn received(&mut self) -> &mut Vec<u8> {
        &mut self.received
    }

    fn open(&mut self, plain: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<(), NotOpened> {
        if !self.begun {
            match self.received.first() {
                None => return Ok(()),
                // What begins with a letter is the method of a request in clear.
                Some(first) if first.is_ascii_uppercase() => {
                    let reason = "this port is for https, and was spoken to in clear";
                    return Err(NotOpened::Foreign(Error::refused(StatusCode::BAD_REQUEST, reason)));
                }
                Some(_) => self.begun = true,
            }
        }
        if self.failed {
            return Err(refused("nothing is opened behind what could not be"));
        }
        let (done, result) = self.open_records(plain, out);
        self.received.drain(..done.min(self.received.len()));
        if result.is_err() {
            self.failed = true;
            self.take_alert(out);
        }
        if self.ended || self.failed {
            self.received.clear();
        }
        if self.received.is_empty() {
            self.received = Vec::new();
        }
        result.map_err(refused)
    }

    fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        self.seal_record(Sealing::Plain(plain), out)
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        // Where it cannot be said, the client takes what it has for cut off.
        let _ = self.seal_record(Sealing::Close, out);
    }

    fn is_open(&self) -> bool {
        !self.tls.is_handshaking() && !self.failed
    }

    fn is_idle(&self) -> bool {
        self.received.is_empty() && (!self.begun || self.is_open())
    }

    fn has_ended(&self) -> bool {
        self.ended
    }

    fn describe(&self, variables: &mut Vars) {
        variables::describe(&self.tls, self.named.name.get().map(|name| &**name), variables);
    }
}

fn refused(error: impl fmt::Display) -> NotOpened {
    NotOpened::Refused(Error::refused(StatusCode::BAD_REQUEST, format!("the client and TLS: {error}")))
}

fn encode(mut data: EncodeTlsData<'_, ServerConnectionData>, out: &mut Vec<u8>) {
    write(out, IN_FRONT, |room| {
        data.encode(room).map_err(|error| match error {
            EncodeError::InsufficientSize(size) => Some(size.required_size),
            EncodeError::AlreadyEncoded => None,
        })
    });
}

/// Lets `fill` write behind what is in `out`, with more room where it asks for more; says whether it has written.
fn write(out: &mut Vec<u8>, mut room: usize, mut fill: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>) -> bool {
    let start = out.len();
    loop {
        out.resize(start + room, 0);
        let filled = fill(&mut out[start..]);
        out.truncate(start + *filled.as_ref().unwrap_or(&0));
        match filled {
            Ok(_) => return true,
            Err(Some(more)) if more > room => room = more,
            Err(_) => return false,
        }
    }
}
