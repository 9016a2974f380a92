//! What can go wrong, sorted by whose fault it is, and the one place that chooses the reply.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::{fmt, io};

use bytes::Bytes;
use http::{StatusCode, header};

use crate::{Head, Headers};

/// An error of a request, sorted by whose fault it is.
///
/// Any `std::error::Error` becomes an [`Application`](Error::Application) error by `?`. As `Error` itself takes
/// that place in the conversion, it is not a `std::error::Error`; it turns into a boxed one and into an
/// [`io::Error`], and comes back out of either unharmed.
///
/// Source: spec clause 9.
#[non_exhaustive]
pub enum Error {
    /// The peer sent what cannot be served, or went away.
    Peer(PeerError),
    /// The application failed, or broke the protocol.
    Application(ApplicationError),
    /// The server could not do its part.
    Server(ServerError),
}

/// What a peer did wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// The request cannot be served as it was sent: the status to answer with (4xx or 5xx), and why.
    #[error("{reason}")]
    Refused {
        /// The status of the reply.
        status: StatusCode,
        /// One sentence for the client and the log.
        reason: Cow<'static, str>,
    },
    /// The request's body is longer than the server takes.
    #[error("the request body is over the limit of {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The peer took too long.
    #[error("the peer took too long {doing}")]
    Timeout {
        /// What was waited for, as in `to send the request body`.
        doing: &'static str,
    },
    /// The peer closed or aborted before its request or our response was over.
    #[error("the peer went away {doing}")]
    Disconnected {
        /// When that was, as in `before the end of the request body`.
        doing: &'static str,
    },
}

/// What an application did wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplicationError {
    /// It returned an error of its own.
    #[error(transparent)]
    Failed(Box<dyn StdError + Send + Sync>),
    /// It failed, and said with what to answer: PEP 3333's `exc_info` while the body is being produced.
    #[error("{cause}")]
    Replaced {
        /// The head that replaces one not yet sent.
        head: Box<Head>,
        /// The body that goes with it.
        body: Bytes,
        /// What happened.
        cause: Box<dyn StdError + Send + Sync>,
    },
    /// It panicked, with that message.
    #[error("panicked: {0}")]
    Panicked(String),
    /// It gave a header field or reason phrase that must not be sent.
    #[error("{what}")]
    InvalidHeader {
        /// Which one and why.
        what: String,
    },
    /// It broke a clause of the protocol.
    #[error(transparent)]
    Violation(#[from] Violation),
}

/// What a server could not do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The operating system refused.
    #[error("{doing}: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Its answer.
        source: io::Error,
    },
    /// There is no room for this request now.
    #[error("{0}")]
    Overloaded(&'static str),
}

/// A broken clause of the protocol: which one, what was seen, what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("spec [{clause}]: {seen}; {remedy}")]
pub struct Violation {
    /// The clause's number in the [specification](crate::spec).
    pub clause: &'static str,
    /// What was seen.
    pub seen: String,
    /// What to do instead.
    pub remedy: &'static str,
}

impl Error {
    /// A failure of the application, with a message for the log. The client gets a plain 500.
    pub fn new(message: impl Into<String>) -> Error {
        ApplicationError::Failed(message.into().into()).into()
    }

    /// A request that cannot be served: the client gets `status` with `reason` as text, and no headers of yours. A 405,
    /// which has to have `Allow`, or a 401 is a response to start yourself.
    ///
    /// ```
    /// use wgi::{Error, StatusCode};
    ///
    /// let error = Error::refused(StatusCode::BAD_REQUEST, "the number of copies is not a number");
    /// assert_eq!(error.status(), StatusCode::BAD_REQUEST);
    /// ```
    pub fn refused(status: StatusCode, reason: impl Into<Cow<'static, str>>) -> Error {
        PeerError::Refused { status, reason: reason.into() }.into()
    }

    /// A failure of the application together with the response that replaces the head, if that was not sent yet.
    pub fn replaced(head: Head, body: impl Into<Bytes>, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        ApplicationError::Replaced { head: Box::new(head), body: body.into(), cause: cause.into() }.into()
    }

    /// The status of the reply that this error maps to.
    pub fn status(&self) -> StatusCode {
        match self {
            Error::Peer(PeerError::Refused { status, .. }) => *status,
            Error::Peer(PeerError::TooLarge { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            Error::Peer(PeerError::Timeout { .. }) => StatusCode::REQUEST_TIMEOUT,
            Error::Peer(PeerError::Disconnected { .. }) => StatusCode::BAD_REQUEST,
            Error::Application(ApplicationError::Replaced { head, .. }) => head.status.code(),
            Error::Application(_) | Error::Server(ServerError::Io { .. }) => StatusCode::INTERNAL_SERVER_ERROR,
            Error::Server(ServerError::Overloaded(_)) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The response that this error maps to, while no head was sent.
    ///
    /// What a peer did wrong it is told; of what an application or the server did wrong it learns the status alone,
    /// and the log has the rest.
    pub fn reply(&self) -> (Head, Bytes) {
        if let Error::Application(ApplicationError::Replaced { head, body, .. }) = self {
            return ((**head).clone(), body.clone());
        }
        let status = self.status();
        let mut text = format!("{} {}\n", status.as_u16(), status.canonical_reason().unwrap_or("Error"));
        if let Error::Peer(error) = self {
            text.push_str(&format!("{error}\n"));
        }
        let content_type = http::HeaderValue::from_static("text/plain; charset=utf-8");
        let headers = Headers::from_iter([(header::CONTENT_TYPE, content_type)]);
        (Head { status: status.into(), headers }, text.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Peer(error) => error.fmt(f),
            Error::Application(error) => error.fmt(f),
            Error::Server(error) => error.fmt(f),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Peer(error) => f.debug_tuple("Peer").field(error).finish(),
            Error::Application(error) => f.debug_tuple("Application").field(error).finish(),
            Error::Server(error) => f.debug_tuple("Server").field(error).finish(),
        }
    }
}

/// Carries an [`Error`] where a `std::error::Error` is asked for.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Carried(Error);

impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Error {
        from_boxed(Box::new(error))
    }
}

fn from_boxed(error: Box<dyn StdError + Send + Sync>) -> Error {
    let error = match error.downcast::<io::Error>() {
        Ok(error) if error.get_ref().is_some_and(|inner| inner.is::<Carried>()) => match error.into_inner() {
            Some(inner) => inner,
            None => return Error::new("an input or output error"),
        },
        Ok(error) => error,
        Err(error) => error,
    };
    let error = match error.downcast::<Carried>() {
        Ok(carried) => return carried.0,
        Err(error) => error,
    };
    let error = match error.downcast::<PeerError>() {
        Ok(error) => return Error::Peer(*error),
        Err(error) => error,
    };
    let error = match error.downcast::<ApplicationError>() {
        Ok(error) => return Error::Application(*error),
        Err(error) => error,
    };
    let error = match error.downcast::<ServerError>() {
        Ok(error) => return Error::Server(*error),
        Err(error) => error,
    };
    Error::Application(match error.downcast::<Violation>() {
        Ok(violation) => ApplicationError::Violation(*violation),
        Err(error) => ApplicationError::Failed(error),
    })
}

impl From<Error> for Box<dyn StdError + Send + Sync> {
    fn from(error: Error) -> Self {
        match error {
            Error::Application(ApplicationError::Failed(error)) => error,
            error => Box::new(Carried(error)),
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        let kind = match &error {
            Error::Peer(PeerError::Timeout { .. }) => io::ErrorKind::TimedOut,
            Error::Peer(PeerError::Disconnected { .. }) => io::ErrorKind::UnexpectedEof,
            Error::Peer(_) => io::ErrorKind::InvalidData,
            Error::Application(_) | Error::Server(_) => io::ErrorKind::Other,
        };
        io::Error::new(kind, Carried(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_survives_the_way_through_io() {
        let error = io::Error::from(Error::from(PeerError::TooLarge { limit: 5 }));
        assert!(matches!(Error::from(error), Error::Peer(PeerError::TooLarge { limit: 5 })));
    }

    #[test]
    fn an_error_survives_the_way_through_a_box() {
        let boxed: Box<dyn StdError + Send + Sync> = Error::refused(StatusCode::IM_A_TEAPOT, "short and stout").into();
        assert_eq!(from_boxed(boxed).status(), StatusCode::IM_A_TEAPOT);
    }

    #[test]
    fn the_client_learns_of_its_own_faults_only() {
        let (head, body) = Error::new("the password is hunter2").reply();
        assert_eq!(head.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(body, "500 Internal Server Error\n");
        let (_, body) = Error::refused(StatusCode::BAD_REQUEST, "no such number").reply();
        assert_eq!(body, "400 Bad Request\nno such number\n");
    }

    #[test]
    fn a_foreign_error_is_the_applications() {
        let error = "x".parse::<u8>().map_err(Error::from).unwrap_err();
        assert!(matches!(error, Error::Application(ApplicationError::Failed(_))));
    }
}
