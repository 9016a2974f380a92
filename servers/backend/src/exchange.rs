//! One request and its response, between an application's call and a back end.
//!
//! While the application is called, the head of the response is waited for in place ([`Exchange::head`]). Behind it the
//! body is a stream that waits without a thread ([`crate::watch`]). Time is kept here, for both: how long the back end may
//! do nothing, and how long the whole may take.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use std::{io, mem};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use wgi::{Bytes, Error};

use crate::conversation::{Conversation, Failure, Leave, Outlet, Received};
use crate::pump::Pump;
use crate::request_body::{PIECE, RequestBody};
use crate::response::{Answer, Form, HeadReader};
use crate::room::Place;
use crate::watch::Watched;
use crate::{Limits, Lines};

/// How often in a row a stream looks for output where there are only other things, before others have their turn.
pub(crate) const ROUNDS: usize = 16;

/// A request that is on its way to a back end, with the response that comes back.
pub struct Exchange {
    conversation: Option<Box<dyn Conversation>>,
    pump: Arc<Pump>,
    pub(crate) lines: Lines,
    pub(crate) limits: Arc<Limits>,
    started: Instant,
    /// Since when the back end is waited for.
    waiting: Option<Instant>,
    watched: Watched,
    buffer: Vec<u8>,
    /// What the conversation came to, behind the output that was given out first.
    next: Option<Received>,
    /// Until when it is waited for, where nobody gets what is waited for.
    pub(crate) until: Option<Instant>,
    /// What came behind the head.
    pub(crate) first: Bytes,
    place: Option<Place>,
}

/// What can be had without waiting.
pub(crate) enum Step {
    Output(Bytes),
    /// Something came that is no output.
    Other,
    Blocked,
    End,
}

impl Exchange {
    /// Begins to send a request: `head`, then its body. `place` is held until all of it is over.
    ///
    /// # Errors
    /// When the system has no thread for it.
    pub fn begin(
        conversation: Box<dyn Conversation>,
        outlet: Box<dyn Outlet>,
        head: Vec<u8>,
        body: RequestBody,
        lines: Lines,
        limits: Arc<Limits>,
        place: Place,
    ) -> io::Result<Exchange> {
        let pump = Pump::start(outlet, head, body, conversation.breaker(), place.clone())?;
        Ok(Exchange {
            conversation: Some(conversation),
            pump,
            lines,
            limits,
            started: Instant::now(),
            waiting: None,
            watched: Watched::new(),
            buffer: Vec::new(),
            next: None,
            until: None,
            first: Bytes::new(),
            place: Some(place),
        })
    }

    /// Waits for the head of the response.
    ///
    /// # Errors
    /// Why there is none. The exchange is over then.
    pub fn head(&mut self, form: Form) -> Result<Answer, Failure> {
        let answer = self.read_head(form);
        if answer.is_err() {
            self.leave(Leave::Broken);
        }
        answer
    }

    fn read_head(&mut self, form: Form) -> Result<Answer, Failure> {
        let mut reader = HeadReader::new(form, self.limits.max_head, self.limits.max_fields);
        loop {
            let Some(bytes) = self.next()? else { return Err(Failure::bad_gateway(reader.ended().to_string())) };
            match reader.push(&bytes) {
                Ok(None) => {}
                Ok(Some((answer, rest))) => {
                    self.first = rest;
                    return Ok(answer);
                }
                Err(malformed) => return Err(Failure::bad_gateway(malformed.to_string())),
            }
        }
    }

    /// Whether the back end has nothing of the request, and never will.
    pub fn is_unsent(&self) -> bool {
        self.pump.is_unsent()
    }

    /// Tells the operator of a failure, and gives the error to answer with.
    pub fn fail(&mut self, failure: Failure) -> Error {
        // What the client did wrong, the client is told.
        if failure.error.is_none() {
            self.lines.note(&failure.reason);
        }
        self.leave(Leave::Broken);
        failure.into_error()
    }

    /// The next output, waited for in place; none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            match self.step()? {
                Step::Output(bytes) => return Ok(Some(bytes)),
                Step::End => return Ok(None),
                Step::Other => self.check_time()?,
                Step::Blocked => {
                    self.check_time()?;
                    self.wait()?;
                }
            }
        }
    }

    /// The next output; none at the end. While there is none, the context's waker is called for what happens next.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Failure>> {
        for _ in 0..ROUNDS {
            match self.step() {
                Ok(Step::Output(bytes)) => return Poll::Ready(Ok(Some(bytes))),
                Ok(Step::End) => return Poll::Ready(Ok(None)),
                Ok(Step::Other) => {}
                Ok(Step::Blocked) => {
                    return match self.check_time().and_then(|()| self.watch(context)) {
                        Ok(()) => Poll::Pending,
                        Err(failure) => Poll::Ready(Err(failure)),
                    };
                }
                Err(failure) => return Poll::Ready(Err(failure)),
            }
        }
        if let Err(failure) = self.check_time() {
            return Poll::Ready(Err(failure));
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// What can be had without waiting.
    pub(crate) fn step(&mut self) -> Result<Step, Failure> {
        let Some(conversation) = &mut self.conversation else { return Ok(Step::End) };
        let received = match self.next.take() {
            Some(received) => received,
            None => {
                self.buffer.reserve(PIECE);
                conversation.receive(&mut self.buffer, &mut self.lines)
            }
        };
        if !self.buffer.is_empty() {
            self.next = match received {
                Received::Some | Received::Blocked => None,
                last => Some(last),
            };
            self.waiting = None;
            return Ok(Step::Output(self.take_buffer()));
        }
        match received {
            Received::Some => Ok(Step::Other),
            Received::Blocked => Ok(Step::Blocked),
            Received::End => self.request_error().map_or(Ok(Step::End), Err),
            Received::Failed(failure) => Err(self.request_error().unwrap_or(failure)),
        }
    }

    /// The bytes of the buffer: what is little is copied, so that the buffer can stay.
    fn take_buffer(&mut self) -> Bytes {
        if self.buffer.len() >= PIECE / 4 {
            return mem::take(&mut self.buffer).into();
        }
        let bytes = Bytes::copy_from_slice(&self.buffer);
        self.buffer.clear();
        bytes
    }

    /// Where the request broke off, the back end was made to give up; what it says of that is not the reason.
    fn request_error(&self) -> Option<Failure> {
        let error = self.pump.take_error()?;
        Some(Failure { error: Some(error), ..Failure::bad_gateway("the request body broke off") })
    }

    fn check_time(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        let since = *self.waiting.get_or_insert(now);
        let limits = &self.limits;
        if now.saturating_duration_since(since.max(self.pump.moved_at())) >= limits.silence {
            return Err(Failure::timeout(format!("it did nothing for {:?}", limits.silence)));
        }
        if self.until.is_some_and(|until| until <= now) {
            return Err(Failure::timeout("it does not come to an end, and nobody waits for it"));
        }
        if now.saturating_duration_since(self.started) >= limits.total {
            return Err(Failure::timeout(format!("the request took more than {:?}", limits.total)));
        }
        Ok(())
    }

    /// When there is something to do, even if nothing comes.
    fn wakes_at(&self) -> Instant {
        let since = self.waiting.unwrap_or(self.started).max(self.pump.moved_at());
        let deadline = (since + self.limits.silence).min(self.started + self.limits.total);
        let deadline = self.until.unwrap_or(deadline).min(deadline);
        self.conversation.as_ref().and_then(|conversation| conversation.wakes_at()).unwrap_or(deadline).min(deadline)
    }

    fn wait(&mut self) -> Result<(), Failure> {
        let timeout = Timespec::try_from(self.wakes_at().saturating_duration_since(Instant::now())).ok();
        let descriptors = self.conversation.as_ref().map(|one| one.descriptors()).unwrap_or_default();
        let mut descriptors: Vec<_> =
            descriptors.iter().map(|descriptor| PollFd::from_borrowed_fd(*descriptor, PollFlags::IN)).collect();
        retry_on_intr(|| poll(&mut descriptors, timeout.as_ref())).map(|_| ()).map_err(cannot_wait)
    }

    fn watch(&mut self, context: &Context<'_>) -> Result<(), Failure> {
        // It may be long, and there may be many.
        self.buffer = Vec::new();
        let descriptors = self.conversation.as_ref().map(|one| one.descriptors()).unwrap_or_default();
        self.watched.wait(&descriptors, self.wakes_at(), context.waker()).map_err(cannot_wait)
    }

    /// Ends the exchange.
    pub(crate) fn leave(&mut self, how: Leave) {
        if let Some(conversation) = self.conversation.take() {
            self.watched.forget(&conversation.descriptors());
            conversation.leave(how, self.pump.is_sent());
        }
        self.place = None;
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.leave(Leave::Broken);
    }
}

fn cannot_wait(error: impl Into<io::Error>) -> Failure {
    Failure { status: wgi::StatusCode::INTERNAL_SERVER_ERROR, ..Failure::bad_gateway(error.into().to_string()) }
}
