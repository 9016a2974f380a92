//! The interface between an exchange and the way to a back end: a process with its pipes, a connection with its protocol.
//!
//! There are two ends, which two threads may use at once: an [`Outlet`] takes the request, a [`Conversation`] gives the
//! response. Neither keeps time, and a conversation never waits.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use wgi::{Error, StatusCode};

use crate::Lines;

/// The end that takes the request.
pub trait Outlet: Send + 'static {
    /// Sends what can be sent without waiting, and says how many bytes that was.
    ///
    /// # Errors
    /// When the back end takes no more.
    fn try_send(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Sends all of these bytes.
    ///
    /// # Errors
    /// When the back end takes no more, or is too slow to.
    fn send(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Writes a piece of the request's body as it has to stand on the wire. The default is the piece itself.
    fn frame(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(piece);
    }

    /// Writes what stands on the wire behind the body. The default is nothing. Dropping the outlet follows.
    fn end(&mut self, out: &mut Vec<u8>) {
        let _ = out;
    }
}

/// The end that gives the response.
pub trait Conversation: Send + 'static {
    /// Takes what has come, without waiting: appends what belongs to the response to `output`, and tells `errors` what
    /// belongs there.
    fn receive(&mut self, output: &mut Vec<u8>, errors: &mut Lines) -> Received;

    /// What is to be waited for until there is more to receive.
    fn descriptors(&self) -> Vec<BorrowedFd<'_>>;

    /// When [`receive`](Conversation::receive) has something to do even if nothing came. The default is never.
    fn wakes_at(&self) -> Option<Instant> {
        None
    }

    /// What makes the other side give up, from another thread: so that what is received comes to an end.
    fn breaker(&self) -> Breaker;

    /// The exchange is over. `is_sent` says whether the request was sent whole.
    fn leave(self: Box<Self>, how: Leave, is_sent: bool);
}

/// Makes a back end give up.
pub type Breaker = Box<dyn Fn() + Send + Sync>;

/// What [`Conversation::receive`] came to.
#[derive(Debug)]
pub enum Received {
    /// There may be more at once; something was taken.
    Some,
    /// Nothing more for now.
    Blocked,
    /// The response is whole.
    End,
    /// There will be no more of it.
    Failed(Failure),
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// With the end that the back end gave it.
    Ended,
    /// With the last byte that its Content-Length announced, before the back end gave it an end.
    Complete,
    /// Before its end: it failed, or nobody wants the rest.
    Broken,
}

/// Why there is no response, or no more of it.
#[derive(Debug)]
pub struct Failure {
    /// What the client is told, as long as there is no head.
    pub status: StatusCode,
    /// What the operator is told.
    pub reason: String,
    /// The back end was gone before it gave anything.
    pub is_unanswered: bool,
    /// It is the fault of somebody else, who is told this.
    pub error: Option<Error>,
}

impl Failure {
    /// A response that is none: 502.
    pub fn bad_gateway(reason: impl Into<String>) -> Failure {
        Failure { status: StatusCode::BAD_GATEWAY, reason: reason.into(), is_unanswered: false, error: None }
    }

    /// A response that does not come: 504.
    pub fn timeout(reason: impl Into<String>) -> Failure {
        Failure { status: StatusCode::GATEWAY_TIMEOUT, ..Failure::bad_gateway(reason) }
    }

    /// A back end that cannot take the request now: 503.
    pub fn unavailable(reason: impl Into<String>) -> Failure {
        Failure { status: StatusCode::SERVICE_UNAVAILABLE, ..Failure::bad_gateway(reason) }
    }

    /// A back end that could not be connected to within `timeout`: 504 where it took longer, otherwise 502.
    pub fn not_connected(error: &io::Error, timeout: Duration) -> Failure {
        match error.kind() {
            io::ErrorKind::TimedOut => Failure::timeout(format!("connecting took more than {timeout:?}")),
            _ => Failure::bad_gateway(format!("it cannot be connected to: {error}")),
        }
    }

    /// The error to answer with. What the operator is told, the client is not.
    pub fn into_error(self) -> Error {
        let told = match self.status {
            StatusCode::GATEWAY_TIMEOUT => "the program behind this server took too long",
            StatusCode::SERVICE_UNAVAILABLE => "the program behind this server cannot be reached now",
            _ => "the program behind this server gave no valid response",
        };
        self.error.unwrap_or_else(|| Error::refused(self.status, told))
    }
}
