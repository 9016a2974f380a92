//! One connection, from its first byte to its last: requests in, applications called, replies out.
//!
//! [`Connection::run`] does all that can be done without waiting for the peer, and says what to wait for. It runs on
//! the thread that found the connection ready; the application is called right there (`connection/call.rs`).

mod call;

use std::sync::Arc;
use std::time::{Duration, Instant};

use wgi::{App, Error, PeerError};

use crate::exchange::Exchange;
use crate::lend::Lent;
use crate::options::Options;
use crate::socket::{Socket, Tried};
use crate::turn::{Ready, Turn};
use crate::wire::{Step, Wire};

/// A connection.
pub(crate) struct Connection {
    /// Here, unless it is lent.
    wire: Option<Box<Wire>>,
    lent: Option<Arc<Lent>>,
    /// Boxed, for most connections that are open are idle.
    exchange: Option<Box<Exchange>>,
    app: Arc<dyn App>,
    options: Arc<Options>,
    stage: Stage,
    /// Since when the head of a request is waited for: since its first byte came, or since the engine stops.
    head_since: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// What is in the outbox is the last.
    Closing,
    /// All is sent and said to be; the peer is given time to read it.
    Lingering(Instant),
}

/// What a connection waits for, once it has done all that it could.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// An event of the socket, or of the application's stream; or this point in time.
    Park(Option<Instant>),
    /// Nothing: others are to have their turn.
    Again,
    /// The connection is over.
    Close,
}

/// What one step came to.
enum Flow {
    On,
    Stop(Verdict),
}

impl Connection {
    pub(crate) fn new(wire: Wire, app: Arc<dyn App>, options: Arc<Options>) -> Connection {
        Connection {
            wire: Some(Box::new(wire)),
            lent: None,
            exchange: None,
            app,
            options,
            stage: Stage::Open,
            head_since: None,
        }
    }

    /// The connection's socket, while the connection is here.
    pub(crate) fn socket(&self) -> Option<Arc<Socket>> {
        self.wire.as_ref().map(|wire| wire.socket.clone())
    }

    /// Does all that can be done without waiting for the peer.
    pub(crate) fn run(&mut self, ready: Ready, turn: &mut Turn<'_>) -> Verdict {
        let Some(mut wire) = self.take_wire() else { return Verdict::Close };
        wire.inbox.borrow(turn.inbox);
        wire.outbox.borrow(turn.outbox);
        if ready.contains(Ready::READABLE) {
            wire.readable = true;
            wire.ends |= ready.contains(Ready::ENDED);
            if let Some(waker) = wire.read_waker.take() {
                waker.wake();
            }
        }
        self.wire = Some(wire);
        let mut verdict = self.advance(ready, turn);
        let Some(mut wire) = self.wire.take() else { return Verdict::Close };
        wire.inbox.give_back(turn.inbox);
        wire.outbox.give_back(turn.outbox);
        if wire.incoming.is_empty() && wire.incoming.capacity() > 0 {
            wire.incoming = Vec::new();
        }
        if wire.unwatched && verdict != Verdict::Close {
            wire.unwatched = !turn.watch().set(&wire.socket, true);
            if wire.unwatched {
                tracing::error!("a connection could no longer be watched, and was closed");
                verdict = Verdict::Close;
            }
        }
        match &self.lent {
            Some(lent) => lent.give(wire),
            None => self.wire = Some(wire),
        }
        verdict
    }

    fn take_wire(&mut self) -> Option<Box<Wire>> {
        match &self.lent {
            Some(lent) => lent.take(),
            None => self.wire.take(),
        }
    }

    fn advance(&mut self, ready: Ready, turn: &mut Turn<'_>) -> Verdict {
        if ready.contains(Ready::GONE) && self.exchange.is_some() {
            // Nobody is left to answer; dropping the body is what tells the application.
            return Verdict::Close;
        }
        if ready.contains(Ready::EXPIRED)
            && let Flow::Stop(verdict) = self.expire(turn)
        {
            return verdict;
        }
        loop {
            let flow = match (self.stage, self.exchange.is_some()) {
                (Stage::Closing, _) => self.close(turn),
                (Stage::Lingering(deadline), _) => self.linger(deadline, turn),
                (Stage::Open, true) => self.reply(turn),
                (Stage::Open, false) => self.receive(turn),
            };
            if let Flow::Stop(verdict) = flow {
                return verdict;
            }
        }
    }

    // In: decoding up to the next request.

    fn receive(&mut self, turn: &mut Turn<'_>) -> Flow {
        let Some(wire) = self.wire.as_mut() else { return Flow::Stop(Verdict::Close) };
        if let Some(incoming) = wire.next_request() {
            let id = incoming.id;
            return self.begin_collected(id, turn);
        }
        if wire.has_dropped_too_much() {
            self.stage = Stage::Closing;
            return Flow::On;
        }
        match wire.receive(turn.now) {
            Ok(Step::Request(id, request)) => {
                self.head_since = None;
                self.begin(id, request.environ, turn)
            }
            Ok(Step::Progress) => Flow::On,
            Ok(Step::Aborted(id)) => {
                wire.incoming.retain(|incoming| incoming.id != id);
                Flow::On
            }
            Ok(Step::Blocked) => self.wait_for_request(turn),
            Ok(Step::Ended) => {
                // What was sent is answered; what was not sent whole is nothing that could be answered.
                self.stage = Stage::Closing;
                Flow::On
            }
            Err(error) => {
                turn.tally.refused += 1;
                tracing::info!("a request was refused: {error}");
                self.refuse(&error);
                Flow::On
            }
        }
    }

    fn wait_for_request(&mut self, turn: &mut Turn<'_>) -> Flow {
        if let Some(wire) = self.wire.as_mut() {
            wire.collect(turn.now);
        }
        if let Flow::Stop(verdict) = self.send_all(turn) {
            return Flow::Stop(verdict);
        }
        let Some(wire) = self.wire.as_mut() else { return Flow::Stop(Verdict::Close) };
        if let Some(deadline) = wire.body_deadline() {
            return self.wait_until(deadline, turn);
        }
        if wire.is_idle() {
            if turn.is_stopping() {
                return self.wait_for_last_request(turn);
            }
            self.head_since = None;
            return park(turn.now + self.options.keep_alive_timeout);
        }
        let deadline = *self.head_since.get_or_insert(turn.now) + self.options.head_timeout;
        self.wait_until(deadline, turn)
    }

    /// The engine stops, and no request is under way here. What the peer has sent by now is still answered. One more
    /// may be on its way: who has just connected sends its first, and who keeps connections, as a web server in front
    /// does, may have chosen this one. It would come upon a closed connection, and what is not safe to repeat would be
    /// lost. So there is a little time for it; its response says that it was the last (RFC 9112 §9.6, "graceful" close).
    fn wait_for_last_request(&mut self, turn: &mut Turn<'_>) -> Flow {
        let Some(wire) = self.wire.as_mut() else { return Flow::Stop(Verdict::Close) };
        // The event for it may not have been taken yet.
        if !wire.ended && wire.socket.wait_readable(Duration::ZERO).unwrap_or(false) {
            wire.readable = true;
            return Flow::On;
        }
        let deadline = *self.head_since.get_or_insert(turn.now) + self.options.last_request_timeout;
        self.wait_until(deadline, turn)
    }

    /// Parks for more of a request. A peer that sends a byte now and then is always queued when the sweep looks for
    /// those whose time is up; so its time is looked at here too.
    fn wait_until(&mut self, deadline: Instant, turn: &mut Turn<'_>) -> Flow {
        if deadline <= turn.now { self.expire(turn) } else { park(deadline) }
    }

    /// Time is up for whatever was waited for.
    fn expire(&mut self, turn: &mut Turn<'_>) -> Flow {
        let Some(wire) = self.wire.as_mut() else { return Flow::Stop(Verdict::Close) };
        if self.stage != Stage::Open || !wire.outbox.is_empty() {
            return Flow::Stop(Verdict::Close);
        }
        // Between the sweep that found it expired and now, the peer may have been in time after all.
        if wire.readable && self.exchange.is_none() {
            return Flow::On;
        }
        if self.exchange.is_some() {
            // An asynchronous application waits for a body that does not come.
            for incoming in wire.incoming.iter_mut().filter(|incoming| incoming.request.is_none()) {
                incoming.refused = Some(PeerError::Timeout { doing: "to send the request body" }.into());
            }
            if let Some(waker) = wire.read_waker.take() {
                waker.wake();
            }
            return Flow::On;
        }
        if wire.incoming.is_empty() && wire.is_idle() {
            return Flow::Stop(Verdict::Close);
        }
        let doing = if wire.incoming.is_empty() { "to send the request head" } else { "to send the request body" };
        turn.tally.refused += 1;
        self.refuse(&PeerError::Timeout { doing }.into());
        Flow::On
    }

    fn refuse(&mut self, error: &Error) {
        if let Some(wire) = self.wire.as_mut() {
            wire.refuse(error);
        }
        self.stage = Stage::Closing;
    }

    // The end of the connection.

    fn close(&mut self, turn: &mut Turn<'_>) -> Flow {
        if let Some(wire) = self.wire.as_mut() {
            wire.end();
            if turn.is_stopping() {
                // FastCGI cannot say that a response is the last. A peer that saw its end before that of the connection
                // would send the next request here, while this is not even late in closing.
                wire.socket.hold_back();
            }
        }
        if let Flow::Stop(verdict) = self.send_all(turn) {
            return Flow::Stop(verdict);
        }
        let Some(wire) = self.wire.as_mut() else { return Flow::Stop(Verdict::Close) };
        let unread = !wire.inbox.is_empty() || wire.readable || wire.leaves_unread || !wire.codec.is_idle();
        if wire.ended || !unread {
            return Flow::Stop(Verdict::Close);
        }
        // Closing with bytes unread resets the connection, and the peer might never see what it was answered.
        wire.socket.finish();
        self.stage = Stage::Lingering(turn.now + self.options.linger_timeout);
        Flow::On
    }

    fn linger(&mut self, deadline: Instant, turn: &Turn<'_>) -> Flow {
        let Some(wire) = self.wire.as_mut() else { return Flow::Stop(Verdict::Close) };
        wire.inbox.clear();
        match wire.socket.read(wire.inbox.room()) {
            // One read a turn: a peer that sends as fast as this reads must not have the thread to itself.
            Ok(Tried::Done(length)) if length > 0 && turn.now < deadline => Flow::Stop(Verdict::Again),
            Ok(Tried::Blocked) => park(deadline),
            _ => Flow::Stop(Verdict::Close),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let (Stage::Open, None, Some(wire)) = (self.stage, &self.exchange, self.wire.as_mut()) {
            wire.take_leave();
        }
        // The body first, as long as its input finds the wire; then the wire, with the socket.
        if let Some(lent) = &self.lent
            && let Some(wire) = self.wire.take()
        {
            lent.give(wire);
        }
        self.exchange = None;
        if let Some(lent) = self.lent.take() {
            lent.end();
            drop(lent.take());
        }
    }
}

/// Parks for a peer that has to read first. One that sends something now and then is always queued when the sweep looks
/// for those whose time is up; so its time is looked at here too.
fn wait_to_send(wire: &mut Wire, options: &Options, now: Instant) -> Flow {
    let deadline = wire.outbox.blocked_since(now) + options.write_timeout;
    if deadline <= now { Flow::Stop(Verdict::Close) } else { park(deadline) }
}

fn park(deadline: Instant) -> Flow {
    Flow::Stop(Verdict::Park(Some(deadline)))
}
