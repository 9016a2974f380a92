//! One connection, from its first byte to its last: requests in, applications called, replies out.
//!
//! [`Connection::run`] does all that can be done without waiting for the peer, and says what to wait for. It runs on
//! the thread that found the connection ready; the application is called right there.

use std::io;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use wgi::server::{Part, Reply, Whole};
use wgi::{App, ApplicationError, Environ, Error, Errors, Input, PeerError};

use crate::codec::Id;
use crate::exchange::{Direct, Exchange, Lines, Place, push};
use crate::lend::{Lent, LentBody};
use crate::options::Options;
use crate::outbox::Flushed;
use crate::socket::{Socket, Tried};
use crate::turn::{Ready, Turn};
use crate::wire::{Progress, Step, Wire};

/// How many bytes are collected before they are sent, while it costs nobody a wait.
const BATCH: usize = 256 * 1024;

/// How long a peer that was refused may take to read why, before the connection is closed under it.
const LINGER: Duration = Duration::from_secs(2);

/// How long a peer may take to send a request on an open connection, once the engine stops.
const LAST_REQUEST: Duration = Duration::from_secs(1);

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
        let deadline = *self.head_since.get_or_insert(turn.now) + LAST_REQUEST;
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

    // The call of the application.

    /// Begins the exchange of a request that is in the wire's list, with as much of its body as there is.
    fn begin_collected(&mut self, id: Id, turn: &mut Turn<'_>) -> Flow {
        self.head_since = None;
        let Some(wire) = self.wire.as_mut() else { return Flow::Stop(Verdict::Close) };
        let Some(incoming) = wire.incoming_mut(id) else { return Flow::On };
        let Some(environ) = incoming.take_environ() else { return Flow::On };
        if let Some(error) = incoming.refused.take() {
            incoming.discard = true;
            turn.tally.refused += 1;
            let head_only = environ.method() == "HEAD";
            let mut exchange = turn.exchange();
            exchange.id = id;
            exchange.reply = Reply::error(error, head_only);
            self.exchange = Some(exchange);
            return Flow::On;
        }
        match incoming.progress {
            Progress::Complete => {
                let body = mem::take(&mut incoming.body);
                wire.release(id);
                self.begin(id, environ.with_input(body), turn)
            }
            Progress::Aborted => {
                wire.release(id);
                Flow::On
            }
            Progress::Receiving => {
                let lent = Lent::new(turn.watch(), self.options.clone());
                self.lent = Some(lent.clone());
                self.begin(id, environ.with_input(Input::new(Box::new(LentBody::new(lent, id)))), turn)
            }
        }
    }

    fn begin(&mut self, id: Id, mut environ: Environ, turn: &mut Turn<'_>) -> Flow {
        turn.begin_exchange();
        if let Some(layer) = self.wire.as_ref().and_then(|wire| wire.layer.as_ref()) {
            layer.describe(environ.vars_mut());
        }
        for (name, value) in self.options.variables.iter() {
            environ.set_var(name, value);
        }
        let mut exchange = turn.exchange();
        exchange.id = id;
        if self.wire.as_ref().is_some_and(|wire| wire.codec.has_errors()) {
            let lines: &Arc<Lines> = exchange.errors.get_or_insert_default();
            *environ.errors() = Errors::new(lines.clone());
        } else {
            exchange.errors = None;
        }
        let lent = self.lend(turn.generation());
        let place = match (&lent, self.wire.as_mut()) {
            (Some(lent), _) => Place::Lent(lent),
            (None, Some(wire)) => Place::Here(wire),
            (None, None) => return Flow::Stop(Verdict::Close),
        };
        let Exchange { reply, errors, .. } = &mut *exchange;
        let mut direct = Direct { place, id, errors: errors.as_deref(), timeout: self.options.write_timeout };
        reply.begin(&*self.app, environ, &mut direct);
        self.exchange = Some(exchange);
        turn.resume();
        self.unlend()
    }

    /// Lays the wire down where the application's input finds it, if the application has such an input.
    fn lend(&mut self, generation: u64) -> Option<Arc<Lent>> {
        let lent = self.lent.clone()?;
        lent.lend(self.wire.take()?, generation);
        Some(lent)
    }

    /// Takes the wire back, if it was lent.
    fn unlend(&mut self) -> Flow {
        if let Some(lent) = &self.lent {
            match lent.take_back() {
                Some(wire) => self.wire = Some(wire),
                None => return Flow::Stop(Verdict::Close),
            }
        }
        Flow::On
    }

    // Out: the reply, part by part.

    fn reply(&mut self, turn: &mut Turn<'_>) -> Flow {
        let (Some(wire), Some(exchange)) = (self.wire.as_mut(), self.exchange.as_mut()) else {
            return Flow::Stop(Verdict::Close);
        };
        if exchange.is_aborted(wire) {
            return self.finish(true, turn);
        }
        // What is written must be on its way before more is asked for, unless more is at hand already. Of files there is
        // one part at a time, and what stands in front of it goes out with it.
        let at_hand = exchange.file.is_some() || exchange.reply.is_ready();
        let due = exchange.reply.is_started() && !at_hand;
        let is_full = wire.outbox.held() >= BATCH || (exchange.file.is_some() && wire.outbox.has_file());
        if (due || is_full) && !wire.outbox.is_empty() {
            turn.sent(wire.outbox.length());
            match wire.flush() {
                Ok(Flushed::All) if !turn.is_spent() => {}
                Ok(Flushed::All | Flushed::Part) => return Flow::Stop(Verdict::Again),
                Ok(Flushed::Blocked) => return self.wait_for_reader(turn),
                Err(error) => return self.lose(&error),
            }
        }
        if wire.may_read_ahead() && exchange.reply.is_started() {
            return self.read_ahead(turn);
        }
        if let Some(file) = exchange.file.take() {
            exchange.send_file(file, wire);
            return Flow::On;
        }
        if let Some(whole) = exchange.reply.take_whole() {
            return self.send_whole(whole, turn);
        }
        // What is at hand runs none of the application's code, but for what is to be done when the body is closed; and that
        // may read on.
        let polled = if at_hand && self.lent.is_none() {
            exchange.reply.poll_part(&mut Context::from_waker(Waker::noop()))
        } else {
            let waker = exchange.reply.is_stream().then(|| exchange.waker.get_or_insert_with(|| turn.waker()).clone());
            let waker = waker.as_ref().unwrap_or(Waker::noop());
            let polled = self.poll_application(waker, turn.generation());
            turn.resume();
            polled
        };
        if let Flow::Stop(verdict) = self.unlend_if_lent() {
            return Flow::Stop(verdict);
        }
        match polled {
            Poll::Ready(part) => self.send(part, turn),
            Poll::Pending => self.wait_for_application(turn),
        }
    }

    /// Sends a reply that is at hand as a whole: most are.
    fn send_whole(&mut self, Whole { head, framing, body }: Whole, turn: &mut Turn<'_>) -> Flow {
        let (Some(wire), Some(exchange)) = (self.wire.as_mut(), self.exchange.as_mut()) else {
            return Flow::Stop(Verdict::Close);
        };
        exchange.send_errors(wire);
        let closes = turn.is_stopping() || wire.leaves_too_much(exchange.id, &self.options);
        exchange.send_head(&head, framing, closes, wire);
        if !body.is_empty() {
            push(wire, exchange.id, body);
        }
        let keep = wire.codec.end(exchange.id, &mut wire.outbox.tail);
        self.finish(keep, turn)
    }

    fn poll_application(&mut self, waker: &Waker, generation: u64) -> Poll<Part> {
        self.lend(generation);
        match self.exchange.as_mut() {
            Some(exchange) => exchange.reply.poll_part(&mut Context::from_waker(waker)),
            None => Poll::Ready(Part::Cut),
        }
    }

    fn unlend_if_lent(&mut self) -> Flow {
        if self.wire.is_none() { self.unlend() } else { Flow::On }
    }

    fn send(&mut self, part: Part, turn: &mut Turn<'_>) -> Flow {
        let (Some(wire), Some(exchange)) = (self.wire.as_mut(), self.exchange.as_mut()) else {
            return Flow::Stop(Verdict::Close);
        };
        if let Some(fault) = exchange.reply.take_fault() {
            turn.tally.panics += u64::from(matches!(fault, Error::Application(ApplicationError::Panicked(_))));
            log(&fault);
        }
        exchange.send_errors(wire);
        match part {
            Part::Head(head, framing) => {
                let closes = turn.is_stopping() || wire.leaves_too_much(exchange.id, &self.options);
                exchange.send_head(&head, framing, closes, wire);
            }
            Part::Chunk(chunk) => push(wire, exchange.id, chunk),
            Part::File(file) => exchange.file = Some(file.into()),
            Part::End => {
                let keep = wire.codec.end(exchange.id, &mut wire.outbox.tail);
                return self.finish(keep, turn);
            }
            Part::Cut => {
                turn.tally.cut += 1;
                wire.cut();
                if wire.codec.cut_resets() {
                    wire.socket.reset_on_close();
                    // No lingering either: that would end the connection in good order first.
                    wire.ended = true;
                }
                let keep = wire.codec.cut(exchange.id, &mut wire.outbox.tail);
                return self.finish(keep, turn);
            }
        }
        Flow::On
    }

    /// The exchange is over.
    fn finish(&mut self, keep: bool, turn: &mut Turn<'_>) -> Flow {
        let Some(exchange) = self.exchange.take() else { return Flow::On };
        let id = exchange.id;
        // An input that the application holds in its response is dropped here, while the wire lies where it finds it.
        self.lend(turn.generation());
        turn.give_back(exchange);
        if let Flow::Stop(verdict) = self.unlend_if_lent() {
            return Flow::Stop(verdict);
        }
        if let Some(lent) = self.lent.take() {
            lent.end();
        }
        let Some(wire) = self.wire.as_mut() else { return Flow::Stop(Verdict::Close) };
        wire.read_waker = None;
        wire.release(id);
        if !keep {
            self.stage = Stage::Closing;
        }
        if turn.is_spent() && keep {
            return match self.send_all(turn) {
                Flow::On if self.has_more() => Flow::Stop(Verdict::Again),
                flow => flow,
            };
        }
        Flow::On
    }

    /// Whether there is or may be something of another request.
    fn has_more(&self) -> bool {
        self.wire.as_ref().is_some_and(|wire| wire.readable || !wire.inbox.is_empty() || !wire.incoming.is_empty())
    }

    /// Sends all that is in the outbox; stops where that has to wait.
    fn send_all(&mut self, turn: &Turn<'_>) -> Flow {
        let Some(wire) = self.wire.as_mut() else { return Flow::Stop(Verdict::Close) };
        match wire.flush() {
            Ok(Flushed::All) => Flow::On,
            Ok(Flushed::Part) => Flow::Stop(Verdict::Again),
            Ok(Flushed::Blocked) => wait_to_send(wire, &self.options, turn.now),
            Err(_) => Flow::Stop(Verdict::Close),
        }
    }

    /// The peer does not read as fast as the application answers: the connection parks with its body.
    fn wait_for_reader(&mut self, turn: &mut Turn<'_>) -> Flow {
        let Some(wire) = self.wire.as_mut() else { return Flow::Stop(Verdict::Close) };
        if wire.may_read_ahead() {
            return self.read_ahead(turn);
        }
        wait_to_send(wire, &self.options, turn.now)
    }

    fn wait_for_application(&mut self, turn: &mut Turn<'_>) -> Flow {
        let (Some(wire), Some(exchange)) = (self.wire.as_mut(), self.exchange.as_mut()) else {
            return Flow::Stop(Verdict::Close);
        };
        exchange.send_errors(wire);
        match wire.flush() {
            Ok(Flushed::All) => {}
            Ok(Flushed::Part) => return Flow::Stop(Verdict::Again),
            Ok(Flushed::Blocked) => return self.wait_for_reader(turn),
            Err(error) => return self.lose(&error),
        }
        if wire.may_read_ahead() {
            return self.read_ahead(turn);
        }
        let deadline = wire.read_waker.as_ref().and_then(|_| wire.body_deadline());
        Flow::Stop(Verdict::Park(deadline))
    }

    /// Takes in what the peer sends while a reply is under way.
    fn read_ahead(&mut self, turn: &mut Turn<'_>) -> Flow {
        loop {
            let Some(wire) = self.wire.as_mut() else { return Flow::Stop(Verdict::Close) };
            match wire.receive(turn.now) {
                Ok(Step::Request(id, request)) => wire.hold(id, request, turn.now),
                // The codec has ended it, and its id may be used again: no byte more of this reply may go out.
                Ok(Step::Aborted(id)) if self.exchange.as_ref().is_some_and(|exchange| exchange.id == id) => {
                    return self.finish(true, turn);
                }
                Ok(Step::Progress | Step::Aborted(_)) => {}
                Ok(Step::Blocked) => return Flow::On,
                Ok(Step::Ended) => {
                    // A peer may close its side and still read; but not in a protocol in which it is a server that asks.
                    if wire.codec.is_multiplexed() {
                        return self.lose(&io::ErrorKind::ConnectionReset.into());
                    }
                    wire.readable = false;
                    return Flow::On;
                }
                Err(error) => {
                    tracing::info!("a connection was closed: {error}");
                    return Flow::Stop(Verdict::Close);
                }
            }
            // What was read is decoded now, where no event will ask for it any more.
            if wire.readable || wire.inbox.is_empty() {
                return Flow::On;
            }
        }
    }

    /// The peer is gone while a reply is under way.
    fn lose(&mut self, error: &io::Error) -> Flow {
        tracing::debug!("the peer went away while a response was sent: {error}");
        Flow::Stop(Verdict::Close)
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
        self.stage = Stage::Lingering(turn.now + LINGER);
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

impl Wire {
    /// Whether so much of a request's body is yet to come that the connection is better closed behind the reply.
    fn leaves_too_much(&self, id: Id, options: &Options) -> bool {
        self.incoming.iter().any(|incoming| {
            incoming.id == id
                && incoming.progress == Progress::Receiving
                && (incoming.awaits_proceed
                    || incoming.is_over(options)
                    || incoming.rest.is_some_and(|rest| rest > options.max_drain))
        }) && !self.codec.is_multiplexed()
            && !self.codec.is_on_demand()
    }
}

/// One line for what went wrong, at the level of whose fault it is.
fn log(fault: &Error) {
    match fault {
        // What an application refuses is its business with the client, a 404 for one.
        Error::Peer(error) => tracing::debug!("{error}"),
        Error::Application(error) => tracing::error!("the application failed: {error}"),
        Error::Server(error) => tracing::error!("{error}"),
        _ => tracing::error!("{fault}"),
    }
}
