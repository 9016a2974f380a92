//! An in-process client: tests an application without a server.
//!
//! It builds the environ that a server would build, calls the application through [`Reply`], which keeps the rules
//! for every server, and collects what would have gone out. Nothing is sent, so nothing has to be started.
//!
//! An application is tested in three lines:
//!
//! ```
//! # use wgi::{Body, Environ, Error, StartResponse, StatusCode, header::CONTENT_TYPE};
//! # fn hello(_environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
//! #     start_response.start(StatusCode::OK, [(CONTENT_TYPE, "text/plain")])?;
//! #     Ok(Body::from("Hello, world!"))
//! # }
//! let response = wgi::testing::Client::new(hello).get("/?name=world").send();
//! assert_eq!(response.status, 200);
//! assert_eq!(response.text(), "Hello, world!");
//! ```
//!
//! One client is one visitor: it keeps the cookies it is given, and follows redirects when asked to.
//!
//! ```
//! use wgi::{Body, Environ, Error, StartResponse, StatusCode};
//!
//! /// Asks for a name once, and knows it from then on.
//! fn doorman(mut environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
//!     if environ.method() == "POST" {
//!         let name = environ.input().read_all(100)?;
//!         let cookie = format!("name={}", String::from_utf8_lossy(&name));
//!         start_response.start(StatusCode::SEE_OTHER, [("location", "/"), ("set-cookie", &cookie)])?;
//!         return Ok(Body::empty());
//!     }
//!     start_response.start(StatusCode::OK, [("content-type", "text/plain")])?;
//!     Ok(Body::from(environ.text("HTTP_COOKIE")?.to_owned()))
//! }
//!
//! let visitor = wgi::testing::Client::new(doorman).follow_redirects();
//! assert_eq!(visitor.post("/").body("Ada").send().text(), "name=Ada");
//! assert_eq!(visitor.get("/").send().text(), "name=Ada");
//! ```

mod cookies;
mod redirects;

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, io, mem};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, StatusCode, header};

use crate::server::{Framing, Part, Reply, Transmit};
use crate::{App, Environ, Error, ErrorSink, Errors, Head, Headers, Input, Scheme, percent};
use cookies::Jar;

/// How many redirects are followed behind one request.
const MAX_REDIRECTS: usize = 10;

/// A client of one application, in the same process. It keeps the cookies that it is given.
///
/// Requests go to `http://localhost`. A response is held in memory whole.
pub struct Client<A> {
    app: A,
    cookies: Mutex<Jar>,
    mount: String,
    scheme: Scheme,
    follow: bool,
}

/// A request that is being put together; [`send`](Request::send) ends it.
#[must_use = "nothing happens before it is sent"]
pub struct Request<'a, A> {
    client: &'a Client<A>,
    method: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    vars: Vec<(String, Vec<u8>)>,
    body: RequestBody,
}

enum RequestBody {
    None,
    Whole(Bytes),
    /// A body that can be sent once.
    Streamed(Input),
}

/// A response, as a server would have sent it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Response {
    /// The path and query that it answers; behind redirects, those of the last request.
    pub target: String,
    /// The status.
    pub status: StatusCode,
    /// The reason phrase.
    pub reason: Bytes,
    /// The headers in order. Content-Length is there exactly where a server would announce it.
    pub headers: Headers,
    /// The body, all of it.
    pub body: Bytes,
    /// The body in the pieces in which a server sends it, none of them empty.
    pub chunks: Vec<Bytes>,
    /// What was written to the errors stream.
    pub errors: String,
    /// What went wrong, in order: what a server writes to its log. A response with faults may well be a clean 500.
    pub faults: Vec<Error>,
}

/// A response that broke off behind its head. The client of a server sees a connection that is cut.
#[derive(Debug)]
pub struct Cut {
    /// What came before that. The reason is the last of its faults.
    pub response: Box<Response>,
}

impl<A: App> Client<A> {
    /// A client of `app`, without cookies.
    pub fn new(app: A) -> Client<A> {
        Client { app, cookies: Mutex::default(), mount: String::new(), scheme: Scheme::Http, follow: false }
    }

    /// Follows redirects (RFC 9110 §15.4) that lead back to the application, up to 10 behind one request.
    ///
    /// 303 is followed with GET, and so are 301 and 302 behind a POST; the body is left out then. Everything else,
    /// and 307 and 308, repeats the request as it was. What leads elsewhere is given as it is.
    pub fn follow_redirects(mut self) -> Client<A> {
        self.follow = true;
        self
    }

    /// Mounts the application below a path, as CGI does: `/cgi-bin/app` becomes SCRIPT_NAME.
    ///
    /// Targets are still those of the whole site: `/cgi-bin/app/page`. What is not below the mount point gets a 404
    /// that is not the application's.
    pub fn mount(mut self, path: &str) -> Client<A> {
        path.trim_end_matches('/').clone_into(&mut self.mount);
        self
    }

    /// Asks over HTTPS, as far as the application can see.
    pub fn https(mut self) -> Client<A> {
        self.scheme = Scheme::Https;
        self
    }

    /// A GET request. `target` is a path with its query, percent-encoded, or a URL of `localhost`.
    pub fn get(&self, target: &str) -> Request<'_, A> {
        self.request("GET", target)
    }

    /// A HEAD request.
    pub fn head(&self, target: &str) -> Request<'_, A> {
        self.request("HEAD", target)
    }

    /// A POST request.
    pub fn post(&self, target: &str) -> Request<'_, A> {
        self.request("POST", target)
    }

    /// A PUT request.
    pub fn put(&self, target: &str) -> Request<'_, A> {
        self.request("PUT", target)
    }

    /// A DELETE request.
    pub fn delete(&self, target: &str) -> Request<'_, A> {
        self.request("DELETE", target)
    }

    /// A request of any method.
    pub fn request(&self, method: &str, target: &str) -> Request<'_, A> {
        Request {
            client: self,
            method: method.to_owned(),
            target: redirects::target_of(self.scheme, target),
            headers: Vec::new(),
            vars: Vec::new(),
            body: RequestBody::None,
        }
    }

    /// The value of a cookie that this client keeps.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.jar().get(name)
    }

    /// Gives this client a cookie for every path.
    pub fn set_cookie(&self, name: &str, value: &str) {
        self.jar().store(&format!("{name}={value}; Path=/"), "/");
    }

    fn jar(&self) -> MutexGuard<'_, Jar> {
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The path within the application, still encoded, of a target that is below the mount point.
    fn below_mount<'t>(&self, target: &'t str) -> Option<&'t str> {
        let rest = target.strip_prefix(self.mount.as_str())?;
        (self.mount.is_empty() || rest.is_empty() || rest.starts_with(['/', '?'])).then_some(rest)
    }
}

impl<A: App> Request<'_, A> {
    /// Adds a header field. Fields of one name are joined, as CGI joins them.
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Sets a variable of the environ, as `REMOTE_USER`.
    pub fn var(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.vars.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Sets the body, and with it CONTENT_LENGTH.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = RequestBody::Whole(body.into());
        self
    }

    /// Sets a body whose length the application isn't told: one that comes in pieces, or breaks off.
    pub fn input(mut self, input: impl Into<Input>) -> Self {
        self.body = RequestBody::Streamed(input.into());
        self
    }

    /// Sets a body of form fields, as a browser sends them (`application/x-www-form-urlencoded`).
    pub fn form<K: AsRef<str>, V: AsRef<str>>(self, fields: impl IntoIterator<Item = (K, V)>) -> Self {
        let mut body = String::new();
        for (name, value) in fields {
            if !body.is_empty() {
                body.push('&');
            }
            push_form_encoded(&mut body, name.as_ref());
            body.push('=');
            push_form_encoded(&mut body, value.as_ref());
        }
        self.header("content-type", "application/x-www-form-urlencoded").body(body)
    }

    /// Calls the application and gives its whole response. A failure or panic of the application before the head is
    /// a clean 500 here, as it is in a server.
    ///
    /// # Panics
    /// When the response broke off behind its head: a test never takes a part for the whole.
    /// [`try_send`](Request::try_send) gives that as a value.
    #[track_caller]
    pub fn send(self) -> Response {
        match self.try_send() {
            Ok(response) => response,
            Err(cut) => panic!("{cut}"),
        }
    }

    /// Calls the application and gives its response, or what there is of one.
    ///
    /// # Errors
    /// [`Cut`] when the response broke off behind its head.
    pub fn try_send(mut self) -> Result<Response, Cut> {
        let mut redirects = 0;
        loop {
            let can_repeat = !matches!(self.body, RequestBody::Streamed(_));
            let response = self.exchange()?;
            if !self.client.follow || redirects == MAX_REDIRECTS {
                return Ok(response);
            }
            let Some(next) = redirects::next(&self.method, &self.target, self.client.scheme, &response) else {
                return Ok(response);
            };
            if next.keeps_body && !can_repeat || self.client.below_mount(&next.target).is_none() {
                return Ok(response);
            }
            if !next.keeps_body {
                self.body = RequestBody::None;
                // RFC 9110 §15.4, 1.4: what described the content goes with it.
                self.headers.retain(|(name, _)| !name.to_ascii_lowercase().starts_with("content-"));
            }
            self.method = next.method;
            self.target = next.target;
            redirects += 1;
        }
    }

    /// One request and its response, without following it.
    fn exchange(&mut self) -> Result<Response, Cut> {
        let written = Arc::new(Written::default());
        let mut collected = Collected::default();
        let mut reply = match self.environ(&written) {
            Some(environ) => Reply::call(&self.client.app, environ, &mut collected),
            None => {
                let outside = Error::refused(StatusCode::NOT_FOUND, "outside of the mount point");
                Reply::error(outside, self.method == "HEAD")
            }
        };
        let is_whole = loop {
            collected.faults.extend(reply.take_fault());
            match reply.next_part() {
                Part::End => break !collected.is_broken,
                Part::Cut => break false,
                part => collected.take(part),
            }
        };
        collected.faults.extend(reply.take_fault());
        drop(reply);

        let errors = String::from_utf8_lossy(&written.take()).into_owned();
        let response = collected.into_response(self.target.clone(), errors);
        let mut jar = self.client.jar();
        for cookie in response.headers.get_all(header::SET_COOKIE) {
            jar.store(&String::from_utf8_lossy(cookie.as_bytes()), &self.target);
        }
        if is_whole { Ok(response) } else { Err(Cut { response: Box::new(response) }) }
    }

    /// The environ of this request; `None` outside of the mount point.
    fn environ(&mut self, written: &Arc<Written>) -> Option<Environ> {
        let mut environ = Environ::for_testing(&self.method, self.client.below_mount(&self.target)?);
        let mount = self.client.mount.as_bytes();
        environ.set_var("SCRIPT_NAME", percent::decode(mount).unwrap_or(mount.into()));
        if self.client.scheme == Scheme::Https {
            environ.gateway_mut().url_scheme = Scheme::Https;
            environ.set_var("SERVER_PORT", "443");
            environ.set_var("HTTPS", "on");
        }
        let cookies = self.client.jar().header(&self.target, self.client.scheme);
        if !cookies.is_empty() {
            environ.set_var("HTTP_COOKIE", cookies);
        }
        *environ.errors() = Errors::new(written.clone());
        match &mut self.body {
            RequestBody::None => {}
            RequestBody::Whole(body) => {
                environ.set_var("CONTENT_LENGTH", body.len().to_string());
                *environ.input() = Input::from(body.clone());
            }
            RequestBody::Streamed(input) => *environ.input() = mem::take(input),
        }
        for (name, value) in &self.headers {
            set_field(&mut environ, name, value);
        }
        for (name, value) in &self.vars {
            environ.set_var(name, value);
        }
        Some(environ)
    }
}

impl Response {
    /// The body as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The value of the first header field of that name, in any case; `None` also where it is not UTF-8.
    pub fn header(&self, name: impl AsRef<str>) -> Option<&str> {
        std::str::from_utf8(self.headers.get(name)?.as_bytes()).ok()
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Response { target, body, faults, .. } = &*self.response;
        write!(f, "the response to {target} was cut behind {} bytes of its body", body.len())?;
        match faults.last() {
            Some(fault) => write!(f, ": {fault}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Cut {}

/// The parts of a response, in the order in which they came.
#[derive(Default)]
struct Collected {
    head: Option<(Head, Framing)>,
    chunks: Vec<Bytes>,
    faults: Vec<Error>,
    /// A file could not be read to its end.
    is_broken: bool,
}

impl Collected {
    fn take(&mut self, part: Part) {
        match part {
            Part::Head(head, framing) => self.head = Some((head, framing)),
            Part::Chunk(chunk) => self.chunks.push(chunk),
            Part::File(file) => {
                for piece in file {
                    match piece {
                        Ok(piece) => self.chunks.push(piece),
                        Err(error) => {
                            self.faults.push(error);
                            self.is_broken = true;
                        }
                    }
                }
            }
            Part::End | Part::Cut => {}
        }
    }

    fn into_response(self, target: String, errors: String) -> Response {
        let (head, framing) = self.head.unwrap_or_else(|| {
            // A reply gives its head before anything else, whatever happens.
            (Error::new("no head").reply().0, Framing { length: None, has_body: false })
        });
        let mut headers = head.headers;
        match framing.length {
            Some(length) => headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length)),
            None => drop(headers.remove(header::CONTENT_LENGTH)),
        }
        let body = match &self.chunks[..] {
            [only] => only.clone(),
            chunks => chunks
                .iter()
                .fold(BytesMut::new(), |mut body, chunk| {
                    body.extend_from_slice(chunk);
                    body
                })
                .freeze(),
        };
        Response {
            target,
            status: head.status.code(),
            reason: Bytes::copy_from_slice(head.status.reason()),
            headers,
            body,
            chunks: self.chunks,
            errors,
            faults: self.faults,
        }
    }
}

impl Transmit for Collected {
    fn transmit(&mut self, part: Part) -> Result<(), Error> {
        self.take(part);
        Ok(())
    }
}

/// Keeps what is written to the errors stream.
#[derive(Default)]
struct Written(Mutex<Vec<u8>>);

impl Written {
    fn take(&self) -> Vec<u8> {
        mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ErrorSink for Written {
    fn write(&self, text: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(text);
        Ok(())
    }
}

/// Sets a header field under its variable's name (RFC 3875 §4.1.2, §4.1.3, §4.1.18), behind what it holds already.
fn set_field(environ: &mut Environ, name: &str, value: &[u8]) {
    let variable = name.to_ascii_uppercase().replace('-', "_");
    if matches!(variable.as_str(), "CONTENT_TYPE" | "CONTENT_LENGTH" | "HOST") {
        let variable = if variable == "HOST" { "HTTP_HOST" } else { &variable };
        return environ.set_var(variable, value);
    }
    let variable = format!("HTTP_{variable}");
    // RFC 9110 §5.3; cookies alone are joined otherwise (RFC 9113 §8.2.3).
    let separator: &[u8] = if variable == "HTTP_COOKIE" { b"; " } else { b", " };
    let joined = match environ.var(&variable) {
        Some(before) => [before, separator, value].concat(),
        None => value.to_owned(),
    };
    environ.set_var(variable, joined);
}

/// Appends text in the encoding of forms (URL Standard, `application/x-www-form-urlencoded` serialising).
fn push_form_encoded(out: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'*' | b'-' | b'.' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests;
