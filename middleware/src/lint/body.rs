//! The body against the head that came before it: section 6 of the specification.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use wgi::{Body, Error};

use super::head::{Announced, check_error};
use super::report::Report;

/// `body`, checked as a whole where its length is known, and otherwise chunk by chunk as it is asked for.
pub(super) fn checked(body: Body, mut announced: Announced, report: Report) -> Result<Body, Error> {
    if announced.is_bodiless {
        return Ok(body);
    }
    let Some(length) = body.len() else {
        // The server may leave the chunks for HEAD unread, or read the first: the rest is no measure.
        if announced.head_only {
            return Ok(body);
        }
        let is_stream = body.is_stream();
        let body = CheckedBody { body, announced, report };
        return Ok(if is_stream { Body::from_stream(body) } else { Body::from_results(body) });
    };
    // For HEAD an empty body is as good as the one for GET.
    let checked =
        if announced.head_only && length == 0 { Ok(()) } else { announced.add(length).and_then(|()| announced.end()) };
    match checked {
        Ok(()) => Ok(body),
        Err(violation) => Err(report.application(violation)),
    }
}

struct CheckedBody {
    body: Body,
    announced: Announced,
    report: Report,
}

impl CheckedBody {
    /// Takes note of what the body gave, and puts an error in its place where it broke a clause.
    fn note(&mut self, item: Option<Result<Bytes, Error>>) -> Option<Result<Bytes, Error>> {
        let checked = match &item {
            Some(Ok(chunk)) => self.announced.add(chunk.len() as u64),
            Some(Err(_)) => return item.map(|item| item.map_err(|error| check_error(error, &self.report))),
            None => self.announced.end(),
        };
        match checked {
            Ok(()) => item,
            Err(violation) => Some(Err(self.report.application(violation))),
        }
    }
}

impl Iterator for CheckedBody {
    type Item = Result<Bytes, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.body.next();
        self.note(item)
    }
}

impl Stream for CheckedBody {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = ready!(Pin::new(&mut self.body).poll_next(context));
        Poll::Ready(self.note(item))
    }
}
