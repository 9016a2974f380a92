//! One connection's way in: socket → inbox → codec → requests, with what was collected of their bodies.

use std::io;
use std::mem;
use std::ops::Range;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use wgi::server::Framing;
use wgi::{Environ, Error, Head, PeerError, ServerError};

use crate::codec::{Codec, Decoded, Event, Id, Request, RequestBody};
use crate::inbox::Inbox;
use crate::layer::Layer;
use crate::options::Options;
use crate::outbox::Outbox;
use crate::socket::{Socket, Tried};

/// What all request bodies that wait on one connection may hold together, in multiples of `body_buffer`. Only a
/// multiplexed protocol gets there: others send one body at a time.
const WAITING_BODIES: usize = 64;

/// A connection without the exchange that is under way on it.
pub(crate) struct Wire {
    pub(crate) socket: Arc<Socket>,
    pub(crate) codec: Box<dyn Codec>,
    /// What comes before the bytes that the codec is for.
    pub(crate) layer: Option<Box<Layer>>,
    pub(crate) inbox: Inbox,
    pub(crate) outbox: Outbox,
    /// Requests that have begun and whose reply has not ended, in the order in which they came. A request without
    /// a body is not among them: it is answered as it is decoded.
    pub(crate) incoming: Vec<Incoming>,
    /// There may be something to read: no read has come up short since the last event.
    pub(crate) readable: bool,
    /// The peer has closed its side: behind what can be read is the end, and no further event tells of it.
    pub(crate) ends: bool,
    /// The end was read.
    pub(crate) ended: bool,
    /// A reply has ended before its request had come in.
    pub(crate) leaves_unread: bool,
    /// The system tells the reactor of no events: an application waits for them itself.
    pub(crate) unwatched: bool,
    /// An asynchronous application waits for input.
    pub(crate) read_waker: Option<Waker>,
    options: Arc<Options>,
}

/// A request whose body is on its way in.
pub(crate) struct Incoming {
    pub(crate) id: Id,
    /// Taken when the application is called.
    pub(crate) request: Option<Request>,
    /// What came in of the body and was not read.
    pub(crate) body: Vec<u8>,
    pub(crate) progress: Progress,
    /// The request is answered with this instead of by the application.
    pub(crate) refused: Option<Error>,
    /// Its reply has ended.
    released: bool,
    /// Nobody wants the rest of the body.
    pub(crate) discard: bool,
    /// How many bytes were dropped since nobody wants them.
    pub(crate) dropped: u64,
    /// The peer waits to be told to send the body.
    pub(crate) awaits_proceed: bool,
    /// How many bytes are still to come, where that is known.
    pub(crate) rest: Option<u64>,
    received: u64,
    /// How long the peer was waited for, up to `last`.
    waited: Duration,
    pub(crate) last: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Receiving,
    Complete,
    Aborted,
}

/// What one step of receiving came to.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Step {
    /// A request without a body, complete.
    Request(Id, Request),
    /// Something else came in; there may be more.
    Progress,
    /// The peer takes this request back.
    Aborted(Id),
    /// Nothing more can be had without waiting.
    Blocked,
    /// The peer has closed its side, and all that it sent was decoded.
    Ended,
}

impl Wire {
    pub(crate) fn new(socket: Socket, codec: Box<dyn Codec>, options: Arc<Options>) -> Wire {
        Wire {
            socket: Arc::new(socket),
            codec,
            layer: None,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            incoming: Vec::new(),
            readable: true,
            ends: false,
            ended: false,
            leaves_unread: false,
            unwatched: false,
            read_waker: None,
            options,
        }
    }

    /// Decodes one event of what is there, for which it may read more first.
    ///
    /// # Errors
    /// When the peer sent what is malformed.
    pub(crate) fn receive(&mut self, now: Instant) -> Result<Step, Error> {
        loop {
            // A body may be complete with nothing behind it: only the codec knows.
            if !self.inbox.is_empty() || self.is_receiving() {
                let Decoded { used, event } = self.codec.decode(self.inbox.bytes(), &mut self.outbox.tail)?;
                let step = match event {
                    Event::Incomplete => None,
                    Event::Skipped => Some(Step::Progress),
                    Event::Request(id, request) if request.body == RequestBody::None => {
                        Some(Step::Request(id, request))
                    }
                    Event::Request(id, request) => {
                        self.begin(id, request, now);
                        Some(Step::Progress)
                    }
                    Event::Data(id, range) => {
                        take_in(&mut self.incoming, id, &mut self.inbox, range, &self.options, now);
                        Some(Step::Progress)
                    }
                    Event::End(id) => {
                        self.set_progress(id, Progress::Complete);
                        Some(Step::Progress)
                    }
                    Event::Abort(id) => {
                        self.set_progress(id, Progress::Aborted);
                        Some(Step::Aborted(id))
                    }
                };
                self.inbox.consume(used);
                if let Some(step) = step {
                    return Ok(step);
                }
            }
            if self.ended {
                return Ok(Step::Ended);
            }
            if !self.readable {
                return Ok(Step::Blocked);
            }
            let has_read = match self.layer.take() {
                None => self.read_socket(),
                Some(layer) => self.read_below(layer)?,
            };
            if !has_read {
                return Ok(Step::Blocked);
            }
        }
    }

    /// Reads what the system has into the inbox; says whether that was anything, or the end.
    pub(crate) fn read_socket(&mut self) -> bool {
        let room = self.inbox.room();
        let space = room.capacity() - room.len();
        let read = self.socket.read(room);
        self.note_read(read, space)
    }

    /// Notes what came of a read for which there was so much space; says whether that was anything, or the end.
    pub(crate) fn note_read(&mut self, read: io::Result<Tried<usize>>, space: usize) -> bool {
        match read {
            Ok(Tried::Done(0)) => self.ended = true,
            // A read that comes up short has emptied the socket: the next bytes raise a new event.
            Ok(Tried::Done(length)) => self.readable = length == space || self.ends,
            Ok(Tried::Blocked) => {
                self.readable = false;
                return false;
            }
            Err(_) => self.ended = true,
        }
        true
    }

    /// Whether the connection is between requests, and nothing of another one has come.
    pub(crate) fn is_idle(&self) -> bool {
        self.codec.is_idle() && self.inbox.is_empty() && self.layer.as_ref().is_none_or(|layer| layer.is_idle())
    }

    fn begin(&mut self, id: Id, request: Request, now: Instant) {
        let rest = match request.body {
            RequestBody::Length(length) => Some(length),
            RequestBody::None | RequestBody::Unknown => None,
        };
        let refused = rest.filter(|&length| length > self.options.max_body).map(|_| self.too_large());
        self.incoming.push(Incoming {
            id,
            awaits_proceed: request.expects_continue,
            request: Some(request),
            body: Vec::new(),
            progress: Progress::Receiving,
            released: false,
            discard: refused.is_some(),
            refused,
            dropped: 0,
            rest,
            received: 0,
            waited: Duration::ZERO,
            last: now,
        });
    }

    /// Keeps a request without a body until its turn comes.
    pub(crate) fn hold(&mut self, id: Id, request: Request, now: Instant) {
        self.begin(id, request, now);
        self.set_progress(id, Progress::Complete);
    }

    fn too_large(&self) -> Error {
        PeerError::TooLarge { limit: self.options.max_body }.into()
    }

    fn set_progress(&mut self, id: Id, progress: Progress) {
        if let Some(incoming) = self.incoming_mut(id) {
            incoming.progress = progress;
        }
        // What nobody waits for any more makes room for the next of its number.
        self.incoming.retain(|incoming| !incoming.released || incoming.progress == Progress::Receiving);
    }

    fn is_receiving(&self) -> bool {
        self.incoming.iter().any(|incoming| incoming.progress == Progress::Receiving)
    }

    pub(crate) fn incoming_mut(&mut self, id: Id) -> Option<&mut Incoming> {
        self.incoming.iter_mut().find(|incoming| incoming.id == id)
    }

    /// Lets go of a request whose reply has ended. One whose body is still coming in stays, to be dropped; but not on a
    /// multiplexed connection, where nothing more comes of a request that has ended, and its id may be used again.
    pub(crate) fn release(&mut self, id: Id) {
        let is_multiplexed = self.codec.is_multiplexed();
        self.incoming.retain_mut(|incoming| {
            if incoming.id != id {
                return true;
            }
            self.leaves_unread |= incoming.progress == Progress::Receiving;
            incoming.released = true;
            incoming.discard = true;
            incoming.body = Vec::new();
            incoming.progress == Progress::Receiving && !is_multiplexed
        });
    }

    /// Moves what there is of a request's body into an empty buffer; nothing moved is the body's end, and `None` means
    /// that the peer has to be waited for.
    ///
    /// # Errors
    /// When the body broke off, is too long or malformed.
    pub(crate) fn read_body(&mut self, id: Id, buffer: &mut Vec<u8>, now: Instant) -> io::Result<Option<()>> {
        loop {
            let Some(incoming) = self.incoming_mut(id) else {
                return Err(disconnected("before the end of the request body").into());
            };
            if !incoming.body.is_empty() {
                mem::swap(&mut incoming.body, buffer);
                return Ok(Some(()));
            }
            if let Some(error) = incoming.refused.take() {
                return Err(error.into());
            }
            match incoming.progress {
                Progress::Complete => return Ok(Some(())),
                Progress::Aborted => return Err(disconnected("before the end of the request body").into()),
                Progress::Receiving => {}
            }
            if mem::take(&mut incoming.awaits_proceed) || self.codec.is_on_demand() {
                self.proceed(id, now);
            }
            match self.receive(now) {
                Ok(Step::Blocked) => return Ok(None),
                Ok(Step::Ended) => return Err(disconnected("before the end of the request body").into()),
                // A request without a body that came in between, on a multiplexed connection: it waits for its turn.
                Ok(Step::Request(id, request)) => self.hold(id, request, now),
                Ok(Step::Progress | Step::Aborted(_)) => {}
                Err(error) => {
                    // The rest of the connection is of no use; the response may still be sent. Whether the application tells
                    // of it is its business.
                    tracing::info!("a request body is malformed: {error}");
                    self.ended = true;
                    self.inbox.clear();
                    return Err(error.into());
                }
            }
        }
    }

    /// Asks the peer for more of the body that is being collected, in a protocol in which it waits for that.
    pub(crate) fn collect(&mut self, now: Instant) {
        let collected = |incoming: &&Incoming| {
            incoming.progress == Progress::Receiving && incoming.request.is_some() && !incoming.discard
        };
        if self.codec.is_on_demand()
            && let Some(id) = self.incoming.iter().find(collected).map(|incoming| incoming.id)
        {
            self.proceed(id, now);
        }
    }

    fn proceed(&mut self, id: Id, now: Instant) {
        let before = self.outbox.tail.len();
        self.codec.proceed(id, &mut self.outbox.tail);
        if self.outbox.tail.len() > before
            && let Some(incoming) = self.incoming_mut(id)
        {
            // Until now it had nothing to send: how long that took is not its fault.
            incoming.last = now;
        }
    }

    /// Puts the head of a reply into the outbox, which says whether the connection is closed behind that reply.
    pub(crate) fn send_head(&mut self, id: Id, head: &Head, framing: Framing, is_last: bool) {
        if is_last || self.leaves_too_much(id) {
            self.codec.close_after();
        }
        self.codec.head(id, head, framing, &mut self.outbox.tail);
    }

    /// Whether so much of a request's body is yet to come that the connection is better closed behind the reply.
    fn leaves_too_much(&self, id: Id) -> bool {
        self.incoming.iter().any(|incoming| {
            incoming.id == id
                && incoming.progress == Progress::Receiving
                && (incoming.awaits_proceed
                    || incoming.is_over(&self.options)
                    || incoming.rest.is_some_and(|rest| rest > self.options.max_drain))
        }) && !self.codec.is_multiplexed()
            && !self.codec.is_on_demand()
    }

    /// Whether so much was dropped of a body which nobody wants that the connection is better closed.
    pub(crate) fn has_dropped_too_much(&self) -> bool {
        self.incoming.iter().any(|incoming| incoming.discard && incoming.dropped > self.options.max_drain)
            && !self.codec.is_on_demand()
    }

    /// The next request that an application can be called for: one that is complete, that is refused, or of which
    /// as much came in as is collected.
    pub(crate) fn next_request(&mut self) -> Option<&mut Incoming> {
        let enough = self.options.body_buffer;
        self.incoming.iter_mut().find(|incoming| {
            incoming.request.is_some()
                && (incoming.progress != Progress::Receiving
                    || incoming.refused.is_some()
                    || incoming.awaits_proceed
                    || incoming.body.len() >= enough)
        })
    }

    /// Whether more may be read while a reply is under way: on a multiplexed connection, as long as what waits there is
    /// bounded; on any other, to drop what the application will not read.
    pub(crate) fn may_read_ahead(&self) -> bool {
        if !self.readable || self.ended {
            return false;
        }
        if self.codec.is_multiplexed() {
            let held: usize = self.incoming.iter().map(|incoming| incoming.body.len()).sum();
            let waiting = self.incoming.iter().any(|incoming| incoming.request.is_none() && !incoming.body.is_empty());
            return !waiting && held < self.options.body_buffer.saturating_mul(WAITING_BODIES);
        }
        self.incoming.iter().any(|incoming| incoming.discard && incoming.dropped <= self.options.max_drain)
    }

    /// When the peer has been waited for too long for a body, if one is being received.
    pub(crate) fn body_deadline(&self) -> Option<Instant> {
        self.incoming
            .iter()
            .filter(|incoming| incoming.progress == Progress::Receiving)
            .map(|incoming| incoming.deadline(&self.options))
            .min()
    }
}

impl Incoming {
    /// Until when the next bytes have to come: within the pause that is allowed, and so that the rate is kept.
    pub(crate) fn deadline(&self, options: &Options) -> Instant {
        let pause = options.body_timeout;
        let patience = match self.received.checked_div(options.min_body_rate) {
            Some(seconds) => (pause + Duration::from_secs(seconds)).saturating_sub(self.waited).min(pause),
            None => pause,
        };
        self.last + patience
    }

    /// Whether more came in than a request body may have.
    pub(crate) fn is_over(&self, options: &Options) -> bool {
        self.received > options.max_body
    }

    /// Takes the environment for the call of an application.
    pub(crate) fn take_environ(&mut self) -> Option<Environ> {
        self.request.take().map(|request| request.environ)
    }
}

/// Adds bytes of the inbox to a request's body, or drops them when nobody wants them.
fn take_in(all: &mut [Incoming], id: Id, inbox: &mut Inbox, data: Range<usize>, options: &Options, now: Instant) {
    let waiting: usize = all.iter().map(|incoming| incoming.body.len()).sum();
    let Some(incoming) = all.iter_mut().find(|incoming| incoming.id == id) else { return };
    let length = data.len() as u64;
    incoming.waited += now.saturating_duration_since(incoming.last);
    incoming.last = now;
    incoming.received += length;
    incoming.rest = incoming.rest.map(|rest| rest.saturating_sub(length));
    // What comes without being asked for needs no answer to `Expect`.
    incoming.awaits_proceed = false;
    if incoming.is_over(options) && incoming.refused.is_none() && !incoming.discard {
        incoming.refused = Some(PeerError::TooLarge { limit: options.max_body }.into());
        incoming.discard = true;
    }
    if waiting > options.body_buffer.saturating_mul(WAITING_BODIES) && incoming.request.is_some() {
        incoming.refused = Some(ServerError::Overloaded("too much waits on one connection").into());
        incoming.discard = true;
        incoming.body = Vec::new();
    }
    if incoming.discard {
        incoming.dropped += length;
    } else if incoming.request.is_none() {
        // The application reads it: the buffer goes to it, and one that it has read comes back to be filled.
        inbox.move_to(data, &mut incoming.body);
    } else {
        incoming.body.extend_from_slice(inbox.bytes().get(data).unwrap_or_default());
    }
}

pub(crate) fn disconnected(doing: &'static str) -> Error {
    PeerError::Disconnected { doing }.into()
}
