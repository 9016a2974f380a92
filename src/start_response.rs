//! The callback with which an application gives the head of its response.

use bytes::Bytes;

use crate::{Error, Head, IntoHeaders, Status};

/// The server's callback (PEP 3333's `start_response`): takes the head of the response.
///
/// Applications call [`start`](trait@StartResponse#method.start) on the `&mut dyn StartResponse` they are given.
/// Servers and middleware implement the three methods of the trait.
///
/// Source: spec clause 5.
pub trait StartResponse {
    /// Takes the head. It is sent with the first byte of the body, or at the body's end.
    ///
    /// # Errors
    /// When a head was given before, or this one may not be sent ([`Head::check`]).
    fn start_head(&mut self, head: Head) -> Result<(), Error>;

    /// Replaces the head, or gives the first one: PEP 3333's `exc_info`.
    ///
    /// # Errors
    /// `cause` itself when the head was sent already: the application should return it. Otherwise as
    /// [`start_head`](StartResponse::start_head).
    fn restart_head(&mut self, head: Head, cause: Error) -> Result<(), Error>;

    /// Sends a piece of the body at once (PEP 3333's `write` callable), in front of the body that is returned.
    ///
    /// It is there for code that can only push. A new application returns a [`Body`](crate::Body).
    ///
    /// # Errors
    /// When there was no head yet, or the peer is gone.
    fn write(&mut self, data: Bytes) -> Result<(), Error>;
}

impl dyn StartResponse + '_ {
    /// Gives the status and the headers of the response.
    ///
    /// ```
    /// use wgi::{Body, Environ, Error, StartResponse, StatusCode, header::CONTENT_TYPE};
    ///
    /// fn app(environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
    ///     start_response.start(StatusCode::OK, [(CONTENT_TYPE, "text/plain")])?;
    ///     Ok(Body::from(format!("{} it is", environ.method())))
    /// }
    /// # assert_eq!(wgi::testing::Client::new(app).get("/").send().text(), "GET it is");
    /// ```
    ///
    /// # Errors
    /// When it was called before ([5.2]), when a header is malformed or one that an application may not send.
    ///
    /// [5.2]: crate::spec
    pub fn start(&mut self, status: impl Into<Status>, headers: impl IntoHeaders) -> Result<(), Error> {
        self.start_head(Head::new(status, headers)?)
    }

    /// Replaces the head because something went wrong, as long as it was not sent.
    ///
    /// # Errors
    /// `cause` itself when the head was sent already, for the application to return.
    pub fn restart(
        &mut self,
        status: impl Into<Status>,
        headers: impl IntoHeaders,
        cause: impl Into<Error>,
    ) -> Result<(), Error> {
        self.restart_head(Head::new(status, headers)?, cause.into())
    }
}

/// A `start_response` that lets a function edit each head before it is passed on: what most middleware needs.
///
/// ```
/// use wgi::{App, Body, EditHead, Environ, Error, HeaderName, HeaderValue, StartResponse};
///
/// struct Stamped<A>(A);
///
/// impl<A: App> App for Stamped<A> {
///     fn call(&self, environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
///         let mut edited = EditHead::new(start_response, |head| {
///             head.headers.insert(HeaderName::from_static("x-stamp"), HeaderValue::from_static("1"));
///             Ok(())
///         });
///         self.0.call(environ, &mut edited)
///     }
/// }
/// ```
pub struct EditHead<'a, F> {
    outer: &'a mut dyn StartResponse,
    edit: F,
}

impl<'a, F> EditHead<'a, F>
where
    F: FnMut(&mut Head) -> Result<(), Error>,
{
    /// Puts `edit` in front of `outer`.
    pub fn new(outer: &'a mut dyn StartResponse, edit: F) -> Self {
        EditHead { outer, edit }
    }
}

impl<F> StartResponse for EditHead<'_, F>
where
    F: FnMut(&mut Head) -> Result<(), Error>,
{
    fn start_head(&mut self, mut head: Head) -> Result<(), Error> {
        (self.edit)(&mut head)?;
        self.outer.start_head(head)
    }

    fn restart_head(&mut self, mut head: Head, cause: Error) -> Result<(), Error> {
        (self.edit)(&mut head)?;
        self.outer.restart_head(head, cause)
    }

    fn write(&mut self, data: Bytes) -> Result<(), Error> {
        self.outer.write(data)
    }
}
