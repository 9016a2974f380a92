//! The application: one call from an environment to a body.

use std::sync::Arc;

use crate::{Body, Environ, Error, Layer, StartResponse};

/// An application: anything that turns an [`Environ`] into a [`Body`].
///
/// Functions and closures of this shape are applications, and so are `Box`, `Arc` and references of one. A server
/// may call the same application from several threads at once (`environ.gateway().multithread` says whether).
///
/// Source: spec clause 3.
pub trait App: Send + Sync {
    /// Answers one request.
    ///
    /// `start_response` takes the status and the headers and must have been called before this returns `Ok`. The
    /// [`Body`] returned is sent chunk by chunk and dropped, always and once, when the response is over.
    ///
    /// A request for the application itself comes with an empty PATH_INFO or with `/`, as it was typed.
    ///
    /// # Errors
    /// An [`Error`] becomes the response that it maps to ([`Error::reply`]), unless the head was already sent; then
    /// the connection is cut, so that the client can tell.
    fn call(&self, environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error>;

    /// Wraps this application in a middleware: any [`Layer`] whose service is an application.
    ///
    /// ```
    /// # use wgi::{App, Body, Environ, Error, StartResponse, layer_fn};
    /// # fn hello(_: Environ, _: &mut dyn StartResponse) -> Result<Body, Error> { Ok(Body::empty()) }
    /// struct Named<A>(A);
    ///
    /// impl<A: App> App for Named<A> {
    ///     fn call(&self, mut environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
    ///         environ.set_var("REMOTE_USER", "somebody");
    ///         self.0.call(environ, start_response)
    ///     }
    /// }
    ///
    /// let app = hello.with(layer_fn(Named));
    /// ```
    fn with<L>(self, layer: L) -> L::Service
    where
        Self: Sized,
        L: Layer<Self>,
    {
        layer.layer(self)
    }
}

impl<F> App for F
where
    F: Fn(Environ, &mut dyn StartResponse) -> Result<Body, Error> + Send + Sync,
{
    fn call(&self, environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
        self(environ, start_response)
    }
}

// `Box` and `&` are fundamental types, of which any `F: Fn` may be boxed or borrowed: so only these of the trait object.
impl App for Box<dyn App + '_> {
    fn call(&self, environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
        (**self).call(environ, start_response)
    }
}

impl App for &(dyn App + '_) {
    fn call(&self, environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
        (**self).call(environ, start_response)
    }
}

impl<A: App + ?Sized> App for Arc<A> {
    fn call(&self, environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
        (**self).call(environ, start_response)
    }
}
