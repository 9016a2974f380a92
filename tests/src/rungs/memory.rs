//! The second rung: an adapter's codec between byte strings, driven as the engine drives it, with neither socket nor
//! clock nor thread.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};
use std::net::{Ipv4Addr, SocketAddr};

use wgi::server::{Part, Reply, Transmit};
use wgi::{App, Environ, Error, Errors, Gateway, Input};
use wgi_engine::{Codec, ConnectionInfo, Decoded, Event, Id, Protocol, Request, RequestBody};

use super::{BreaksOff, Report, Sink};
use crate::{Adapter, Capability, Case, Journal, Seen};

/// How the bytes of a connection come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// In one piece.
    Whole,
    /// One by one.
    ByteByByte,
    /// In one piece, with the first half of another request behind.
    Trailing,
}

/// What this rung adds to an adapter's capabilities.
const CAPABILITIES: &[Capability] = &[
    Capability::Log,
    Capability::Errors,
    Capability::SameProcess,
    Capability::Disconnects,
    Capability::CallsOften,
    Capability::Environ,
];

/// Runs every case, fed in one way.
pub fn run(adapter: &impl Adapter, feed: Feed) -> Report {
    let capabilities = [adapter.can(), CAPABILITIES].concat();
    Report::of(&capabilities, |case, journal| exchange(adapter, case, journal, feed))
}

fn exchange(adapter: &impl Adapter, case: &Case, journal: &Journal, feed: Feed) -> Result<Seen, String> {
    let mut input = case.before.as_ref().map(|before| adapter.encode(before, false)).unwrap_or_default();
    input.extend(adapter.encode(&case.request, true));
    if feed == Feed::Trailing && case.request.breaks_off.is_none() {
        let another = adapter.encode(&case.request, true);
        input.extend_from_slice(&another[..another.len() / 2]);
    }
    let app = case.host(journal);
    let mut connection = Connection {
        codec: adapter.protocol().codec(&info()),
        app: &*app,
        open: BTreeMap::new(),
        wire: Wire { out: Vec::new(), received: 0, is_reset: false, journal, errors: Sink::new() },
        log: Vec::new(),
        leaves_after: case.request.leaves_after,
    };
    match feed {
        Feed::ByteByByte => connection.serve(input.chunks(1)),
        Feed::Whole | Feed::Trailing => connection.serve([&input[..]].into_iter()),
    }
    let mut output = Output { rest: &connection.wire.out, is_reset: connection.wire.is_reset };
    let seen = (|| {
        if let Some(before) = &case.before {
            adapter.decode(&mut output, before)?;
        }
        adapter.decode(&mut output, &case.request)
    })();
    let mut seen = seen.map_err(|error| format!("{error}; the wire has {}", connection.wire.out.escape_ascii()))?;
    seen.errors.extend(connection.wire.errors.take());
    seen.log = connection.log;
    Ok(seen)
}

/// What is known of a connection.
pub(super) fn info() -> ConnectionInfo {
    let address = |port| Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    ConnectionInfo { peer: address(54321), local: address(8080), gateway: Gateway::new() }
}

/// One connection, from its first byte to its last.
struct Connection<'a> {
    codec: Box<dyn Codec>,
    app: &'a dyn App,
    /// The requests whose bodies are being collected.
    open: BTreeMap<Id, (Request, Vec<u8>)>,
    wire: Wire<'a>,
    log: Vec<String>,
    leaves_after: Option<usize>,
}

/// The way to the client.
struct Wire<'a> {
    out: Vec<u8>,
    /// How much of it the client has.
    received: usize,
    /// The connection is reset behind what was sent, instead of being ended.
    is_reset: bool,
    journal: &'a Journal,
    errors: std::sync::Arc<Sink>,
}

impl Connection<'_> {
    fn serve<'b>(&mut self, pieces: impl Iterator<Item = &'b [u8]>) {
        let mut input = Vec::new();
        for piece in pieces {
            input.extend_from_slice(piece);
            loop {
                let Decoded { used, event } = match self.codec.decode(&input, &mut self.wire.out) {
                    Ok(decoded) => decoded,
                    Err(error) => {
                        self.codec.refuse(&error, &mut self.wire.out);
                        self.log.push(error.to_string());
                        return;
                    }
                };
                let data = match &event {
                    Event::Data(_, range) => input[range.clone()].to_vec(),
                    _ => Vec::new(),
                };
                input.drain(..used);
                if matches!(event, Event::Incomplete) {
                    break;
                }
                if !self.take(event, data) {
                    return;
                }
            }
        }
        // Here the client goes away: what it had begun to send breaks off.
        for (id, (request, body)) in std::mem::take(&mut self.open) {
            self.reply(id, request.environ, Input::new(Box::new(BreaksOff(body))));
        }
    }

    /// Acts on an event; says whether the connection goes on.
    fn take(&mut self, event: Event, data: Vec<u8>) -> bool {
        match event {
            Event::Incomplete | Event::Skipped => true,
            Event::Request(id, request) => {
                if request.expects_continue {
                    self.codec.proceed(id, &mut self.wire.out);
                }
                if request.body == RequestBody::None {
                    return self.reply(id, request.environ, Input::empty());
                }
                self.open.insert(id, (request, Vec::new()));
                true
            }
            Event::Data(id, _) => {
                if let Some((_, body)) = self.open.get_mut(&id) {
                    body.extend(data);
                }
                true
            }
            Event::End(id) => match self.open.remove(&id) {
                Some((request, body)) => self.reply(id, request.environ, body.into()),
                None => true,
            },
            Event::Abort(id) => {
                self.open.remove(&id);
                true
            }
        }
    }

    fn reply(&mut self, id: Id, environ: Environ, input: Input) -> bool {
        let environ = environ.with_input(input).with_errors(Errors::new(self.wire.errors.clone()));
        let mut writing = Writing { codec: &mut *self.codec, wire: &mut self.wire, id };
        let mut reply = Reply::call(self.app, environ, &mut writing);
        loop {
            self.log.extend(reply.take_fault().map(|fault| fault.to_string()));
            if self.leaves_after.is_some_and(|after| writing.wire.out.len() >= after) {
                return false;
            }
            let goes_on = match reply.next_part() {
                Part::End => writing.codec.end(id, &mut writing.wire.out),
                Part::Cut => {
                    writing.wire.is_reset = writing.codec.cut_resets();
                    writing.codec.cut(id, &mut writing.wire.out)
                }
                part => {
                    // It takes from memory what it puts there.
                    let _ = writing.transmit(part);
                    continue;
                }
            };
            self.log.extend(reply.take_fault().map(|fault| fault.to_string()));
            return goes_on;
        }
    }
}

/// What the client reads of all that was sent.
struct Output<'a> {
    rest: &'a [u8],
    is_reset: bool,
}

impl BufRead for Output<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.rest.is_empty() && self.is_reset { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(self.rest) }
    }

    fn consume(&mut self, length: usize) {
        self.rest = &self.rest[length..];
    }
}

impl Read for Output<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

/// A reply on its way out.
struct Writing<'a, 'w> {
    codec: &'a mut dyn Codec,
    wire: &'a mut Wire<'w>,
    id: Id,
}

impl Writing<'_, '_> {
    fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = self.codec.frame(self.id, bytes.len() as u64, &mut self.wire.out);
            let (now, later) = bytes.split_at(taken as usize);
            self.wire.out.extend_from_slice(now);
            self.codec.unframe(self.id, taken, &mut self.wire.out);
            bytes = later;
        }
    }
}

impl Transmit for Writing<'_, '_> {
    fn transmit(&mut self, part: Part) -> Result<(), Error> {
        match part {
            Part::Head(head, framing) => self.codec.head(self.id, &head, framing, &mut self.wire.out),
            Part::Chunk(chunk) => self.write(&chunk),
            Part::File(file) => file.flatten().for_each(|bytes| self.write(&bytes)),
            Part::End | Part::Cut => {}
        }
        self.wire.journal.received(&self.wire.out[self.wire.received..]);
        self.wire.received = self.wire.out.len();
        Ok(())
    }
}
