//! The call of the application for a request of a connection, and its reply, part by part.

use std::io;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use wgi::server::{Part, Reply, Whole};
use wgi::{ApplicationError, Environ, Error, Errors, Input};

use super::{Connection, Flow, Stage, Verdict, wait_to_send};
use crate::codec::Id;
use crate::exchange::{Direct, Exchange, Lines, Place, push};
use crate::lend::{Lent, LentBody};
use crate::outbox::Flushed;
use crate::turn::Turn;
use crate::wire::{Progress, Step};

/// How many bytes are collected before they are sent, while it costs nobody a wait.
const BATCH: usize = 256 * 1024;

impl Connection {
    // The call.

    /// Begins the exchange of a request that is in the wire's list, with as much of its body as there is.
    pub(super) fn begin_collected(&mut self, id: Id, turn: &mut Turn<'_>) -> Flow {
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

    pub(super) fn begin(&mut self, id: Id, mut environ: Environ, turn: &mut Turn<'_>) -> Flow {
        turn.begin_exchange();
        if let Some(layer) = self.wire.as_ref().and_then(|wire| wire.layer.as_ref()) {
            layer.describe(environ.vars_mut());
        }
        for (name, value) in self.options.variables.iter() {
            environ.set_var(name, value);
        }
        if turn.is_aside()
            && let Some(wire) = self.wire.as_mut()
            && !wire.outbox.is_empty()
        {
            // Applications are slow: this one is not to hold up the replies to what was pipelined in front of it. Should
            // the peer be gone, sending the rest will tell.
            turn.sent(wire.outbox.length());
            let _ = wire.flush();
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

    pub(super) fn reply(&mut self, turn: &mut Turn<'_>) -> Flow {
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
        wire.send_head(exchange.id, &head, framing, turn.is_stopping());
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
            Part::Head(head, framing) => wire.send_head(exchange.id, &head, framing, turn.is_stopping()),
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
    pub(super) fn send_all(&mut self, turn: &Turn<'_>) -> Flow {
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
