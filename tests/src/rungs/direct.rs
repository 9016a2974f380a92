//! The first rung: the rules for every server, [`Reply`], without a protocol.

use bytes::Bytes;
use wgi::server::{Framing, Part, Reply, Transmit};
use wgi::{App, Environ, Error, Errors, Gateway, Head, header};

use super::{Report, Sink, input_of};
use crate::{Capability, Case, Journal, Request, Seen};

/// What can be tested without a protocol.
const CAPABILITIES: &[Capability] = &[
    Capability::Reason,
    Capability::KeepAlive,
    Capability::Star,
    Capability::Errors,
    Capability::Log,
    Capability::SameProcess,
    Capability::Disconnects,
    Capability::CallsOften,
];

/// Runs every case.
pub fn run() -> Report {
    Report::of(CAPABILITIES, |case, journal| {
        let app = case.host(journal);
        if let Some(before) = &case.before {
            exchange(&*app, before, case, journal);
        }
        exchange(&*app, &case.request, case, journal).ok_or_else(|| "there was no head".into())
    })
}

fn exchange(app: &dyn App, request: &Request, case: &Case, journal: &Journal) -> Option<Seen> {
    let sink = Sink::new();
    let environ = Environ::new(request.vars(), Gateway::new())
        .with_input(input_of(request))
        .with_errors(Errors::new(sink.clone()));
    let mut client = Client { head: None, seen: Seen::default(), journal };
    let mut reply = Reply::call(app, environ, &mut client);
    loop {
        client.seen.log.extend(reply.take_fault().map(|fault| fault.to_string()));
        if case.request.leaves_after.is_some_and(|after| client.seen.body.len() >= after) {
            break;
        }
        match reply.next_part() {
            Part::End => {
                client.seen.is_whole = true;
                break;
            }
            Part::Cut => break,
            part => client.take(part),
        }
    }
    client.seen.log.extend(reply.take_fault().map(|fault| fault.to_string()));
    drop(reply);
    client.seen.errors = sink.take();
    client.into_seen()
}

/// Takes the parts of a response as its client would get them.
struct Client<'a> {
    head: Option<(Head, Framing)>,
    seen: Seen,
    journal: &'a Journal,
}

impl Client<'_> {
    fn take(&mut self, part: Part) {
        match part {
            Part::Head(head, framing) => self.head = Some((head, framing)),
            Part::Chunk(chunk) => self.take_bytes(&chunk),
            Part::File(file) => file.flatten().for_each(|bytes: Bytes| self.take_bytes(&bytes)),
            Part::End | Part::Cut => {}
        }
    }

    fn take_bytes(&mut self, bytes: &[u8]) {
        self.seen.body.extend_from_slice(bytes);
        self.journal.received(bytes);
    }

    fn into_seen(self) -> Option<Seen> {
        let (head, framing) = self.head?;
        let mut seen = self.seen;
        seen.status = head.status.code().as_u16();
        seen.reason = head.status.reason().to_vec();
        let fields = head.headers.iter().filter(|(name, _)| name != header::CONTENT_LENGTH);
        seen.headers = fields.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
        let length = framing.length.map(|length| ("content-length".to_owned(), length.to_string().into_bytes()));
        seen.headers.extend(length);
        Some(seen)
    }
}

impl Transmit for Client<'_> {
    fn transmit(&mut self, part: Part) -> Result<(), Error> {
        self.take(part);
        Ok(())
    }
}
