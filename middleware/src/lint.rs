//! The validator: holds an application and the server that calls it to the [specification](wgi::spec).
//!
//! [`Lint`] is an application around an application. What passes through it in either direction is compared with
//! every clause that can be checked while a program runs ([`Lint::CLAUSES`]), and is otherwise left alone: chunks
//! are not held back, a body of one chunk stays one, a file stays a file and a stream a stream.
//!
//! A broken clause becomes one line on the errors stream, which says by whom, which clause, what was seen and what to
//! do, and an error in place of what broke it: before the head is sent the client gets a clean 500, behind it the
//! response is cut. So what slips through on one server, because that happens to be lenient, is found on every other.
//!
//! ```
//! use wgi::testing::Client;
//! use wgi::{App, Body, Environ, Error, StartResponse, StatusCode};
//! use wgi_middleware::LintLayer;
//!
//! fn untyped(_environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
//!     start_response.start(StatusCode::OK, ())?;
//!     Ok(Body::from("What am I?"))
//! }
//!
//! let response = Client::new(untyped.with(LintLayer)).get("/").send();
//! assert_eq!(response.status, 500);
//! ```
//!
//! It costs a few comparisons a request; it is meant for tests and for finding faults, `--lint` in the launcher.

mod body;
mod environ;
mod head;
mod input;
mod report;

use std::mem;
use std::sync::{Mutex, PoisonError};

use tower_layer::Layer;
use wgi::{App, Body, Environ, Error, StartResponse, Violation};

use head::CheckedStart;
use report::Report;

/// Puts [`Lint`] around an application.
#[derive(Clone, Copy, Debug, Default)]
pub struct LintLayer;

impl<A> Layer<A> for LintLayer {
    type Service = Lint<A>;

    fn layer(&self, app: A) -> Lint<A> {
        Lint::new(app)
    }
}

/// An application that checks the application inside, and the server that calls it.
#[derive(Debug)]
pub struct Lint<A> {
    app: A,
    calls: Mutex<Calls>,
}

/// The calls under way.
#[derive(Debug, Default)]
struct Calls {
    alone: usize,
    together: usize,
}

impl Lint<()> {
    /// The clauses of the [specification](wgi::spec) that are checked here: those tagged `lint`.
    pub const CLAUSES: &'static [&'static str] = &[
        "3.2", "4.3", "4.4", "4.5", "4.6", "4.7", "4.8", "4.9", "4.12", "4.13", "4.17", "4.18", "4.19", "4.20", "4.22",
        "4.28", "4.30", "4.35", "5.2", "5.3", "5.4", "5.5", "5.6", "5.7", "5.8", "5.16", "5.17", "5.18", "6.5",
    ];
}

impl<A> Lint<A> {
    /// Puts the validator around `app`.
    pub fn new(app: A) -> Lint<A> {
        Lint { app, calls: Mutex::default() }
    }

    /// Notes a call until the guard goes.
    fn enter(&self, multithread: bool) -> Result<Entered<'_>, Violation> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.alone > 0 || (!multithread && calls.together > 0) {
            return Err(Violation {
                clause: "4.30",
                seen: "a call while another one was under way, and multithread is not true in both".into(),
                remedy: "set multithread, or call the application on one thread at a time",
            });
        }
        *calls.count(multithread) += 1;
        Ok(Entered { calls: &self.calls, multithread })
    }
}

impl Calls {
    fn count(&mut self, multithread: bool) -> &mut usize {
        if multithread { &mut self.together } else { &mut self.alone }
    }
}

struct Entered<'a> {
    calls: &'a Mutex<Calls>,
    multithread: bool,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        *self.calls.lock().unwrap_or_else(PoisonError::into_inner).count(self.multithread) -= 1;
    }
}

impl<A: App> App for Lint<A> {
    fn call(&self, mut environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
        let report = Report::new(environ.errors().clone());
        let _entered = match self.enter(environ.gateway().multithread) {
            Ok(entered) => entered,
            Err(violation) => return Err(report.server(violation)),
        };
        if let Err(violation) = environ::check(&environ) {
            return Err(report.server(violation));
        }
        if let Some(length) = environ.content_length() {
            let input = mem::take(environ.input());
            *environ.input() = input::checked(input, length, report.clone());
        }
        let head_only = environ.method() == "HEAD";
        let mut start = CheckedStart::new(start_response, head_only, report.clone());
        match self.app.call(environ, &mut start) {
            Ok(body) => body::checked(body, start.finish()?, report),
            Err(error) => Err(head::check_error(error, &report)),
        }
    }
}
