//! Local redirects (RFC 3875 §6.2.2): a back end answers with the path of another resource of the same server, and the
//! server answers with what is there.
//!
//! A back end cannot ask the whole site, of which it is a part, nor should it hold it. So its application says where to by
//! the [`Redirector`] that it finds in its environ, and [`LocalRedirects`], around the site, asks again.

use std::sync::{Arc, Mutex, PoisonError};

use wgi::{App, Body, Bytes, Environ, Error, Gateway, Layer, StartResponse, StatusCode, Vars, percent};

/// How many redirects are followed for one request, unless it is said otherwise.
const MOST: usize = 10;

/// Where an application tells a local redirect: an extension of the environ, put there by [`LocalRedirects`].
#[derive(Clone, Debug, Default)]
pub struct Redirector(Arc<Mutex<Option<Bytes>>>);

impl Redirector {
    /// Tells the target, a path of this server with its query, percent-encoded. Gives the error for the application to
    /// return, which [`LocalRedirects`] answers.
    pub fn redirect(&self, target: Bytes) -> Error {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(target);
        Error::refused(StatusCode::BAD_GATEWAY, "the redirect to another path of this server was not followed")
    }

    fn take(&self) -> Option<Bytes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Follows the local redirects of the back ends in an application.
///
/// The new request is a GET (or still a HEAD) without a body, and otherwise as the first one was: with its fields, its
/// client and its extensions. `REDIRECT_URL` is the path that redirected. It has to lead to a path below this
/// application; another one is left to the client, with 302.
#[derive(Clone, Debug)]
pub struct LocalRedirects<A> {
    app: A,
    most: usize,
}

/// [`LocalRedirects`] as a layer.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalRedirectsLayer;

impl<A> Layer<A> for LocalRedirectsLayer {
    type Service = LocalRedirects<A>;

    fn layer(&self, app: A) -> LocalRedirects<A> {
        LocalRedirects::new(app)
    }
}

impl<A> LocalRedirects<A> {
    /// Around `app`: the whole site, or that part of it that redirects may lead to.
    pub fn new(app: A) -> LocalRedirects<A> {
        LocalRedirects { app, most: MOST }
    }

    /// How many redirects are followed for one request; beyond them, 502. Default: 10.
    pub fn most(mut self, redirects: usize) -> LocalRedirects<A> {
        self.most = redirects;
        self
    }
}

impl<A: App> App for LocalRedirects<A> {
    fn call(&self, mut environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
        let first = First::of(&mut environ);
        for _ in 0..=self.most {
            let redirector = Redirector::default();
            let from = [environ.script_name(), environ.path_info()].concat();
            environ.extensions_mut().insert(redirector.clone());
            match self.app.call(environ, start_response) {
                Ok(body) => return Ok(body),
                Err(error) => match redirector.take() {
                    None => return Err(error),
                    Some(target) => match first.redirected(&target, &from)? {
                        Some(again) => environ = again,
                        None => {
                            start_response.start(StatusCode::FOUND, [("location", &target[..])])?;
                            return Ok(Body::empty());
                        }
                    },
                },
            }
        }
        Err(Error::refused(StatusCode::BAD_GATEWAY, "the redirects within this server do not come to an end"))
    }
}

/// What is kept of the first request.
struct First {
    vars: Vars,
    gateway: Gateway,
    errors: wgi::Errors,
    extensions: http::Extensions,
}

impl First {
    fn of(environ: &mut Environ) -> First {
        First {
            vars: environ.vars().clone(),
            gateway: *environ.gateway(),
            errors: environ.errors().clone(),
            extensions: environ.extensions().clone(),
        }
    }

    /// The request for another path; none where that is not below this application.
    fn redirected(&self, target: &Bytes, from: &[u8]) -> Result<Option<Environ>, Error> {
        let wrong = || Error::refused(StatusCode::BAD_GATEWAY, "the redirect within this server leads to no path");
        let end = target.iter().position(|&byte| byte == b'#').unwrap_or(target.len());
        let target = &target[..end];
        let (path, query) = match target.iter().position(|&byte| byte == b'?') {
            Some(mark) => (&target[..mark], &target[mark + 1..]),
            None => (target, &b""[..]),
        };
        let path = percent::decode(path).ok_or_else(wrong)?;
        let mount = self.vars.get("SCRIPT_NAME").unwrap_or_default();
        let Some(rest) = path.strip_prefix(mount).filter(|rest| rest.is_empty() || rest.starts_with(b"/")) else {
            return Ok(None);
        };
        let mut environ = Environ::new(self.vars.clone(), self.gateway).with_errors(self.errors.clone());
        *environ.extensions_mut() = self.extensions.clone();
        for gone in ["CONTENT_LENGTH", "CONTENT_TYPE", "PATH_TRANSLATED"] {
            environ.remove_var(gone);
        }
        if environ.method() != "HEAD" {
            environ.set_var("REQUEST_METHOD", "GET");
        }
        environ.set_var("PATH_INFO", rest);
        environ.set_var("QUERY_STRING", query);
        environ.set_var("REQUEST_URI", target);
        environ.set_var("REDIRECT_URL", from);
        Ok(Some(environ))
    }
}
