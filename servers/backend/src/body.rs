//! From what a back end answered to what the application gives: a head and a body, or a redirect.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_core::Stream;
use wgi::{Body, Bytes, Environ, Error, Head, HeaderName, HeaderValue, Headers, StartResponse, StatusCode, header};

use crate::Exchange;
use crate::conversation::{Failure, Leave};
use crate::exchange::{ROUNDS, Step};
use crate::redirect::Redirector;
use crate::response::Answer;

/// How much of a response that is at hand is collected before the application returns, in bytes: where that is all, it is
/// one chunk.
const AT_HAND: usize = 64 * 1024;
/// How much of a body that nobody gets is read so that the back end comes to its end, in bytes.
const UNWANTED: usize = 1 << 20;

/// How long that may take: a back end that never comes to its end holds the thread that the application was called on.
const UNWANTED_FOR: Duration = Duration::from_secs(3);

/// What is to be known of a request when its response is there.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The method is HEAD: there will be no body.
    pub is_head: bool,
    /// The method is idempotent (RFC 9110 §9.2.2): asking twice is as good as asking once.
    pub is_idempotent: bool,
    /// Where a local redirect is to be told.
    pub redirector: Option<Redirector>,
}

impl Asked {
    /// Of the request with that environ.
    pub fn of(environ: &Environ) -> Asked {
        let redirector = environ.extensions().get::<Redirector>().cloned();
        let method = environ.var("REQUEST_METHOD").unwrap_or_default();
        let is_idempotent = matches!(method, b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE" | b"PUT" | b"DELETE");
        Asked { is_head: method == b"HEAD", is_idempotent, redirector }
    }
}

impl Exchange {
    /// Gives the head to `start_response`, and the body.
    ///
    /// # Errors
    /// When the response turns out to be none, and what `start_response` says. A local redirect that there is a
    /// [`Redirector`] for is an error too, on its way to there.
    pub fn respond(
        mut self,
        answer: Answer,
        asked: &Asked,
        start_response: &mut dyn StartResponse,
    ) -> Result<Body, Error> {
        let head = match answer {
            Answer::Response(head) => head,
            Answer::LocalRedirect(target) => {
                self.discard();
                if let Some(redirector) = &asked.redirector {
                    return Err(redirector.redirect(target));
                }
                // Nobody here can answer for the other path; but the client can ask for it.
                found(&target)?
            }
        };
        if asked.is_head || has_no_body(&head) {
            self.discard();
            start_response.start_head(head)?;
            return Ok(Body::empty());
        }
        let content = Content {
            owed: head.content_length()?,
            is_typed: head.headers.contains(header::CONTENT_TYPE),
            left: self.limits.max_output,
            is_over: false,
        };
        let mut response = Response { first: Bytes::new(), exchange: Some(self), content };
        let body = match response.collect() {
            Ok(Some(whole)) => Body::from(whole),
            Ok(None) => Body::from_stream(response),
            Err(failure) => return Err(response.fail(failure)),
        };
        start_response.start_head(head)?;
        Ok(body)
    }

    /// Reads what nobody gets, so that the back end comes to its end in good order.
    fn discard(&mut self) {
        let mut length = mem::take(&mut self.first).len();
        self.until = Some(Instant::now() + UNWANTED_FOR);
        let how = loop {
            match self.next() {
                Ok(Some(bytes)) => length += bytes.len(),
                Ok(None) => break Leave::Ended,
                Err(failure) => {
                    self.lines.note(&failure.reason);
                    break Leave::Broken;
                }
            }
            if length > UNWANTED {
                break Leave::Broken;
            }
        };
        self.leave(how);
    }
}

/// The body of a response that is on its way.
struct Response {
    /// Bytes that were at hand when the application returned.
    first: Bytes,
    exchange: Option<Exchange>,
    content: Content,
}

/// What a body is held to.
struct Content {
    /// What Content-Length still owes, where there is one.
    owed: Option<u64>,
    is_typed: bool,
    /// How many bytes it may still have.
    left: u64,
    /// It had more bytes than Content-Length said.
    is_over: bool,
}

impl Content {
    /// What of the output belongs to the body.
    fn take(&mut self, mut output: Bytes) -> Result<Bytes, Failure> {
        if let Some(owed) = &mut self.owed {
            let taken = output.len().min(usize::try_from(*owed).unwrap_or(usize::MAX));
            self.is_over |= taken < output.len();
            output.truncate(taken);
            *owed -= taken as u64;
        }
        if !output.is_empty() && !self.is_typed {
            return Err(Failure::bad_gateway("the response has a body and no Content-Type"));
        }
        self.left = self
            .left
            .checked_sub(output.len() as u64)
            .ok_or_else(|| Failure::bad_gateway("the body of the response is longer than it may be"))?;
        Ok(output)
    }

    fn end(&self) -> Result<(), Failure> {
        match self.owed {
            Some(owed @ 1..) => {
                Err(Failure::bad_gateway(format!("the response ended {owed} bytes short of its Content-Length")))
            }
            _ => Ok(()),
        }
    }

    fn is_complete(&self) -> bool {
        self.owed == Some(0)
    }
}

impl Response {
    /// Takes what is at hand. Gives the body where that is all of it.
    fn collect(&mut self) -> Result<Option<Bytes>, Failure> {
        let Some(exchange) = &mut self.exchange else { return Ok(None) };
        let mut pieces = vec![self.content.take(mem::take(&mut exchange.first))?];
        let mut length = pieces.iter().map(Bytes::len).sum::<usize>();
        loop {
            if self.content.is_complete() {
                self.finish();
                return Ok(Some(join(pieces)));
            }
            match exchange.step()? {
                Step::Output(bytes) if length < AT_HAND => {
                    length += bytes.len();
                    pieces.push(self.content.take(bytes)?);
                }
                Step::Output(bytes) => {
                    exchange.first = bytes;
                    break;
                }
                Step::End => {
                    self.content.end()?;
                    exchange.leave(Leave::Ended);
                    return Ok(Some(join(pieces)));
                }
                Step::Other | Step::Blocked => break,
            }
        }
        self.first = join(pieces);
        Ok(None)
    }

    fn poll_output(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        loop {
            let Some(exchange) = &mut self.exchange else { return Poll::Ready(None) };
            let output = match mem::take(&mut exchange.first) {
                first if !first.is_empty() => first,
                _ => match exchange.poll_next(context) {
                    Poll::Ready(Ok(Some(output))) => output,
                    Poll::Ready(Ok(None)) => {
                        if let Err(failure) = self.content.end() {
                            return Poll::Ready(Some(Err(failure)));
                        }
                        exchange.leave(Leave::Ended);
                        self.exchange = None;
                        return Poll::Ready(None);
                    }
                    Poll::Ready(Err(failure)) => return Poll::Ready(Some(Err(failure))),
                    Poll::Pending => return Poll::Pending,
                },
            };
            let output = match self.content.take(output) {
                Ok(output) => output,
                Err(failure) => return Poll::Ready(Some(Err(failure))),
            };
            if self.content.is_complete() {
                self.finish();
            }
            if !output.is_empty() {
                return Poll::Ready(Some(Ok(output)));
            }
        }
    }

    /// The body is whole. What the back end does behind it concerns nobody any more, but where its end is at hand, it is
    /// taken: a server drops a body behind its last byte.
    fn finish(&mut self) {
        let Some(mut exchange) = self.exchange.take() else { return };
        let mut how = Leave::Complete;
        for _ in 0..ROUNDS {
            match exchange.step() {
                Ok(Step::End) => how = Leave::Ended,
                Ok(Step::Other) => continue,
                Ok(Step::Blocked) => {}
                Ok(Step::Output(_)) => self.content.is_over = true,
                Err(failure) => {
                    exchange.lines.note(&format!("behind its response: {}", failure.reason));
                    how = Leave::Broken;
                }
            }
            break;
        }
        if self.content.is_over {
            exchange.lines.note("the response has more bytes than its Content-Length says; they were dropped");
            how = Leave::Broken;
        }
        exchange.leave(how);
    }

    fn fail(&mut self, failure: Failure) -> Error {
        match self.exchange.take() {
            Some(mut exchange) => exchange.fail(failure),
            None => failure.into_error(),
        }
    }
}

impl Stream for Response {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let first = mem::take(&mut self.first);
        if !first.is_empty() {
            return Poll::Ready(Some(Ok(first)));
        }
        match self.poll_output(context) {
            Poll::Ready(Some(Err(failure))) => Poll::Ready(Some(Err(self.fail(failure)))),
            Poll::Ready(Some(Ok(output))) => Poll::Ready(Some(Ok(output))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

fn join(mut pieces: Vec<Bytes>) -> Bytes {
    pieces.retain(|piece| !piece.is_empty());
    match pieces.len() {
        0 => Bytes::new(),
        1 => pieces.remove(0),
        _ => pieces.concat().into(),
    }
}

/// RFC 9110 §15.3.5, §15.3.6, §15.4.5.
fn has_no_body(head: &Head) -> bool {
    matches!(head.status.code(), StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED)
}

/// A redirect for the client, in place of one for the server.
fn found(target: &Bytes) -> Result<Head, Error> {
    let mut headers = Headers::with_capacity(1);
    headers.append(HeaderName::from_static("location"), HeaderValue::from_bytes(target)?);
    Ok(Head { status: StatusCode::FOUND.into(), headers })
}
