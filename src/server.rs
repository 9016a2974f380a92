//! For servers: one exchange with an application, as the parts that go out over the wire.
//!
//! Every rule about a response that does not depend on the wire protocol is kept here, once: the head goes out with
//! the first non-empty chunk or at the end; an error before that becomes a clean response; Content-Length is held;
//! a panic is an error; the body is dropped once. A server calls [`Reply::call`] and sends what
//! [`Reply::poll_part`] gives. It does no I/O, keeps no time and knows no protocol.
//!
//! What front-ends send in place of a request is put in order by [`meta_variables`].
//!
//! Source: spec clause 7.

pub mod meta_variables;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use http::StatusCode;

use crate::body::block_on;
pub use crate::head::field_name;
use crate::{App, ApplicationError, Body, Environ, Error, FileRange, Head, StartResponse, Violation};

/// One part of a response, in the order in which they come: a head, chunks or files, an end or a cut.
#[derive(Debug)]
pub enum Part {
    /// The head, and how the body behind it is framed.
    Head(Head, Framing),
    /// Bytes of the body; never none. The next part must not be asked for before these are on their way.
    Chunk(Bytes),
    /// A part of a file, to be sent whole.
    File(FileRange),
    /// The response is whole.
    End,
    /// The response broke off behind its head: the server ends it so that the client can tell.
    /// [`Reply::take_fault`] has the reason.
    Cut,
}

/// A response that is at hand as a whole ([`Reply::take_whole`]); its end follows.
#[derive(Debug)]
pub struct Whole {
    /// The head.
    pub head: Head,
    /// How the body behind it is framed.
    pub framing: Framing,
    /// The body; may be empty.
    pub body: Bytes,
}

/// How the body of a response is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// The Content-Length to announce. It stands for a `Content-Length` among the headers, which a server skips.
    pub length: Option<u64>,
    /// Whether bytes may follow. They never do for HEAD, 204, 205 and 304.
    pub has_body: bool,
}

/// Where a server sends what an application writes with the `write` callable, before `call` returns.
pub trait Transmit {
    /// Sends a part, a head or a chunk, now.
    ///
    /// # Errors
    /// When the peer is gone or too slow.
    fn transmit(&mut self, part: Part) -> Result<(), Error>;
}

/// The response of one exchange.
pub struct Reply {
    head: Option<Head>,
    /// The Content-Length that the head gives.
    declared: Option<u64>,
    head_only: bool,
    body: Body,
    /// The first chunk, taken from the body before the head was sent.
    first: Option<Bytes>,
    /// What Content-Length still owes, where there is one.
    owed: Option<u64>,
    /// The application wrote what was not sent (HEAD, 204), so that the body is not all there is.
    written: bool,
    stage: Stage,
    fault: Option<Error>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The head is still here, and may be replaced.
    Unsent,
    /// The head is out.
    Sent,
    /// Nothing more goes out but an end.
    Ending,
    /// Nothing more goes out but a cut.
    Cutting,
}

impl Reply {
    /// Calls an application.
    ///
    /// `transmit` is used only by an application that calls `write`.
    pub fn call(app: &dyn App, environ: Environ, transmit: &mut dyn Transmit) -> Reply {
        let mut reply = Reply::idle();
        reply.begin(app, environ, transmit);
        reply
    }

    /// Calls an application, as [`call`](Reply::call) does, in the place of a reply that is idle or over: a server
    /// that answers one request after the other needs no room for each.
    pub fn begin(&mut self, app: &dyn App, environ: Environ, transmit: &mut dyn Transmit) {
        *self = Reply::unsent(environ.var("REQUEST_METHOD") == Some(b"HEAD"));
        let mut starting = Starting { reply: self, transmit, started: false, fatal: None };
        let result = unwinding(|| app.call(environ, &mut starting));
        let fatal = starting.fatal;
        match (result, fatal) {
            (Ok(body), None) if self.head.is_some() || self.stage != Stage::Unsent => self.body = body,
            (Ok(body), None) => {
                self.body = body;
                self.fail(violation(
                    "3.2",
                    "the application returned a body and never called start_response".into(),
                    "call start_response.start(status, headers) before you return Ok",
                ));
            }
            (Ok(body), Some(error)) => {
                self.body = body;
                self.fail(error);
            }
            (Err(error), _) => self.fail(error),
        }
    }

    /// The response to nothing, which [`begin`](Reply::begin) replaces.
    pub const fn idle() -> Reply {
        Reply::unsent(false)
    }

    /// The response that an error maps to, where no application was called.
    pub fn error(error: Error, head_only: bool) -> Reply {
        let mut reply = Reply::unsent(head_only);
        reply.fail(error);
        reply
    }

    const fn unsent(head_only: bool) -> Reply {
        Reply {
            head: None,
            declared: None,
            head_only,
            body: Body::empty(),
            first: None,
            owed: None,
            written: false,
            stage: Stage::Unsent,
            fault: None,
        }
    }

    /// Whether the next part is at hand: asking for it runs no code of the application's. A server that has more
    /// than one part at hand may send them at once; before it asks for one that is not, it must have sent the rest.
    pub fn is_ready(&self) -> bool {
        match self.stage {
            Stage::Unsent | Stage::Sent => {
                // A file is given out as it is.
                self.first.is_some() || self.owed == Some(0) || self.body.is_ready() || self.body.is_file()
            }
            Stage::Ending | Stage::Cutting => true,
        }
    }

    /// Whether asking for the next part may be pending, so that a waker is needed.
    pub fn is_stream(&self) -> bool {
        self.body.is_stream()
    }

    /// Whether the head is out, so that nothing can be replaced any more.
    pub fn is_started(&self) -> bool {
        self.stage != Stage::Unsent
    }

    /// Whether all of it was given out, and nothing of the application's is left in it: it need not be dropped before the
    /// next [`begin`](Reply::begin).
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Ending && self.body.is_closed() && self.first.is_none() && self.fault.is_none()
    }

    /// What went wrong since this was last asked, for the log; one line each.
    pub fn take_fault(&mut self) -> Option<Error> {
        self.fault.take()
    }

    /// The whole response, where it is at hand and as simple as most are: a body of one chunk or none, with nothing to be
    /// told, run or left out. Behind it there is only [`Part::End`].
    ///
    /// These are the parts that [`poll_part`](Reply::poll_part) would give, in one go: a server that asks for them first
    /// has less to do for most requests. `None` changes nothing.
    pub fn take_whole(&mut self) -> Option<Whole> {
        if self.stage != Stage::Unsent || self.head_only || self.first.is_some() || self.fault.is_some() {
            return None;
        }
        let length = self.body.len();
        if is_bodiless(self.head.as_ref()?.status.code())
            || self.declared.is_some_and(|declared| length != Some(declared))
        {
            return None;
        }
        let body = self.body.take_chunk()?;
        self.stage = Stage::Ending;
        Some(Whole { head: self.head.take()?, framing: Framing { length, has_body: true }, body })
    }

    /// The next part. Behind [`Part::End`] and [`Part::Cut`] nothing follows: the same is given again.
    pub fn poll_part(&mut self, context: &mut Context<'_>) -> Poll<Part> {
        if self.stage == Stage::Unsent {
            return self.poll_head(context);
        }
        if let Some(first) = self.first.take() {
            return Poll::Ready(self.chunk(first));
        }
        match self.stage {
            Stage::Ending => {
                self.close();
                return Poll::Ready(Part::End);
            }
            Stage::Cutting => {
                self.close();
                return Poll::Ready(Part::Cut);
            }
            Stage::Unsent | Stage::Sent => {}
        }
        if self.owed == Some(0) {
            return Poll::Ready(self.end());
        }
        if let Some(file) = self.body.take_file().filter(|file| file.length > 0) {
            return Poll::Ready(match self.pay(file.length) {
                Ok(()) => Part::File(file),
                Err(error) => self.cut(error),
            });
        }
        loop {
            match self.poll_chunk(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(chunk))) if chunk.is_empty() => {}
                Poll::Ready(Some(Ok(chunk))) => return Poll::Ready(self.chunk(chunk)),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(self.cut(error)),
                Poll::Ready(None) => return Poll::Ready(self.end()),
            }
        }
    }

    /// The next part of a response whose parts may be waited for in place: blocks the calling thread.
    pub fn next_part(&mut self) -> Part {
        block_on(|context| self.poll_part(context))
    }

    fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<Part> {
        let Some(head) = &self.head else {
            self.fail(Error::new("a response without a head"));
            return self.poll_head(context);
        };
        let declared = self.declared;
        match head.status.code() {
            StatusCode::NO_CONTENT => return self.bodiless(None),
            StatusCode::RESET_CONTENT => return self.bodiless(Some(0)),
            StatusCode::NOT_MODIFIED => return self.bodiless(declared),
            _ => {}
        }
        // A chunk that an error or the end may take the place of is asked for before the head goes out.
        while self.body.len().is_none() && self.first.is_none() && declared != Some(0) {
            match self.poll_chunk(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(chunk))) if chunk.is_empty() => {}
                Poll::Ready(Some(Ok(chunk))) => self.first = Some(chunk),
                Poll::Ready(Some(Err(error))) => {
                    self.fail(error);
                    return self.poll_head(context);
                }
                Poll::Ready(None) => {}
            }
        }
        // The length is known before the head is sent: of one chunk, a file, or of what has ended.
        let first = self.first.as_ref().map_or(0, |first| first.len() as u64);
        let known = self.body.len().map(|rest| rest.saturating_add(first));
        if self.head_only {
            let length = declared.or(known.filter(|&known| known > 0 && !self.written));
            return self.bodiless(length);
        }
        if let Some(declared) = declared
            && (known.is_some_and(|known| known != declared) || first > declared)
        {
            self.fail(wrong_length(declared, known.unwrap_or(first)));
            return self.poll_head(context);
        }
        let length = declared.or(known);
        self.owed = length;
        self.send_head(Framing { length, has_body: true })
    }

    fn bodiless(&mut self, length: Option<u64>) -> Poll<Part> {
        self.first = None;
        let part = self.send_head(Framing { length, has_body: false });
        self.stage = Stage::Ending;
        self.close();
        part
    }

    fn send_head(&mut self, framing: Framing) -> Poll<Part> {
        self.stage = Stage::Sent;
        match self.head.take() {
            Some(head) => Poll::Ready(Part::Head(head, framing)),
            None => Poll::Ready(Part::Cut),
        }
    }

    /// Gives a chunk out, unless it goes beyond Content-Length: of such a one not a byte is sent, so that the client
    /// sees that some are missing.
    fn chunk(&mut self, chunk: Bytes) -> Part {
        match self.pay(chunk.len() as u64) {
            Ok(()) => Part::Chunk(chunk),
            Err(error) => self.cut(error),
        }
    }

    /// Takes bytes that are about to be sent off what Content-Length owes.
    fn pay(&mut self, length: u64) -> Result<(), Error> {
        if let Some(owed) = &mut self.owed {
            *owed = owed.checked_sub(length).ok_or_else(|| wrong_length(*owed, length))?;
        }
        Ok(())
    }

    fn cut(&mut self, error: Error) -> Part {
        self.fail(error);
        Part::Cut
    }

    fn end(&mut self) -> Part {
        if let Some(owed) = self.owed.filter(|&owed| owed > 0) {
            return self.cut(violation(
                "6.5",
                format!("the body ended {owed} bytes short of Content-Length"),
                "give the length that the body has, or leave Content-Length out",
            ));
        }
        self.stage = Stage::Ending;
        self.close();
        Part::End
    }

    /// An error: the response that it maps to if the head is still here, otherwise a cut.
    fn fail(&mut self, mut error: Error) {
        self.close();
        if self.stage == Stage::Unsent {
            let (mut head, mut body) = error.reply();
            self.declared = checked(&head).unwrap_or_else(|violation| {
                error = ApplicationError::Violation(violation).into();
                (head, body) = error.reply();
                None
            });
            self.head = Some(head);
            self.first = None;
            self.body = Body::from(body);
            // What was written before belongs to the response that this one replaces.
            self.written = false;
        } else {
            self.stage = Stage::Cutting;
        }
        self.fault = Some(error);
    }

    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if self.body.is_ready() {
            return Pin::new(&mut self.body).poll_next(context);
        }
        let polled = unwinding(|| match Pin::new(&mut self.body).poll_next(context) {
            Poll::Ready(item) => item.transpose().map(Poll::Ready),
            Poll::Pending => Ok(Poll::Pending),
        });
        match polled {
            Ok(polled) => polled.map(|item| item.map(Ok)),
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }

    /// Drops the body: PEP 3333's `close()`.
    fn close(&mut self) {
        if self.body.is_closed() {
            return;
        }
        let body = std::mem::take(&mut self.body);
        if let Err(error) = unwinding(|| {
            drop(body);
            Ok(())
        }) {
            self.fault.get_or_insert(error);
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        // An application's destructor may panic; that costs this response only.
        self.close();
    }
}

/// The server's side of `start_response`, while the application is being called.
struct Starting<'a> {
    reply: &'a mut Reply,
    transmit: &'a mut dyn Transmit,
    started: bool,
    /// A broken rule that the application may not get away with, even if it ignores the error value.
    fatal: Option<Error>,
}

impl StartResponse for Starting<'_> {
    fn start_head(&mut self, head: Head) -> Result<(), Error> {
        if self.started {
            let error = || {
                violation(
                    "5.2",
                    "start_response was started twice".into(),
                    "use restart to replace a head after an error",
                )
            };
            self.fatal = Some(error());
            return Err(error());
        }
        self.started = true;
        self.take_head(head)
    }

    fn restart_head(&mut self, head: Head, cause: Error) -> Result<(), Error> {
        if self.reply.is_started() {
            return Err(cause);
        }
        self.started = true;
        self.fatal = None;
        self.take_head(head)
    }

    fn write(&mut self, data: Bytes) -> Result<(), Error> {
        if self.reply.head.is_none() && !self.reply.is_started() {
            return Err(violation(
                "5.8",
                "write was called before start_response".into(),
                "call start_response.start(status, headers) first",
            ));
        }
        if self.fatal.is_some() || self.reply.stage == Stage::Cutting {
            return Err(Error::new("write was called behind an error that ends the response"));
        }
        if data.is_empty() {
            return Ok(());
        }
        if let Some(head) = &self.reply.head {
            if self.reply.head_only || is_bodiless(head.status.code()) {
                self.reply.written = true;
                return Ok(());
            }
            // What is written is the body's first chunk; that nothing is known of the rest makes it unframed.
            let length = self.reply.declared;
            if let Some(length) = length
                && data.len() as u64 > length
            {
                self.fatal = Some(wrong_length(length, data.len() as u64));
                return Err(wrong_length(length, data.len() as u64));
            }
            self.reply.owed = length;
            if let Poll::Ready(part) = self.reply.send_head(Framing { length, has_body: true }) {
                self.transmit.transmit(part)?;
            }
        }
        if let Err(error) = self.reply.pay(data.len() as u64) {
            let length = self.reply.owed.unwrap_or_default();
            self.reply.fail(error);
            return Err(wrong_length(length, data.len() as u64));
        }
        self.transmit.transmit(Part::Chunk(data))
    }
}

impl Starting<'_> {
    fn take_head(&mut self, head: Head) -> Result<(), Error> {
        self.reply.declared = checked(&head).map_err(|violation| {
            self.fatal = Some(ApplicationError::Violation(violation.clone()).into());
            ApplicationError::Violation(violation)
        })?;
        self.reply.head = Some(head);
        Ok(())
    }
}

/// Checks a head once; gives the Content-Length that it declares.
fn checked(head: &Head) -> Result<Option<u64>, Violation> {
    head.check()?;
    head.content_length()
}

/// Whether a status has no body (RFC 9110 §15.3.5, §15.3.6, §15.4.5).
fn is_bodiless(code: StatusCode) -> bool {
    matches!(code, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED)
}

fn violation(clause: &'static str, seen: String, remedy: &'static str) -> Error {
    ApplicationError::Violation(Violation { clause, seen, remedy }).into()
}

fn wrong_length(declared: u64, seen: u64) -> Error {
    violation(
        "6.5",
        format!("the body has {seen} bytes where Content-Length left {declared}"),
        "give the length that the body has, or leave Content-Length out",
    )
}

/// Runs code of the application's; a panic becomes its error.
fn unwinding<T>(f: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| {
        let message = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
            (Some(text), _) => (*text).to_owned(),
            (_, Some(text)) => text.clone(),
            _ => {
                // What it is, nobody knows, nor what its destructor does: a second panic would go past here.
                std::mem::forget(panic);
                "of an unknown kind".to_owned()
            }
        };
        Err(ApplicationError::Panicked(message).into())
    })
}

#[cfg(test)]
mod tests;
