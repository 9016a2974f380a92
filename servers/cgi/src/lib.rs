//! CGI/1.1 (RFC 3875), both sides of it: hosts a wgi application as a CGI program, one process, one request, one response
//! ([`run`]); and runs CGI programs as applications ([`Script`], [`Directory`]).
//!
//! ```no_run
//! use wgi::{Body, Environ, Error, StartResponse, StatusCode, header::CONTENT_TYPE};
//!
//! fn hello(_environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
//!     start_response.start(StatusCode::OK, [(CONTENT_TYPE, "text/plain")])?;
//!     Ok(Body::from("Hello, world!"))
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     wgi_cgi::run(hello)
//! }
//! ```
//!
//! The way of the data: the process's environment becomes an [`Environ`](wgi::Environ) (`variables`), standard input
//! its body (`input`), the application's answer a head (`head`) and bytes on standard output (`output`); `exchange`
//! puts these together. Nothing is buffered, no thread is started, and nothing is set up that a request does not need:
//! the start-up of a CGI program is paid for by every request.
//!
//! # What the application gets
//! Every variable of the process's environment, as bytes, but for `HTTP_PROXY` (CVE-2016-5385) and for what RFC 3875
//! does not allow; so what the server's configuration sets (`SetEnv`, `setenv.add-environment`) is there, and so is
//! `PATH`. `wgi.run_once` and `wgi.multiprocess` are true, `wgi.multithread` is false. The errors stream is standard
//! error, which servers take to their log.
//!
//! # What CGI cannot do
//! A response that breaks off behind its head ends the process with status 1, which is all that CGI has to say so;
//! most servers do not look at it. A client can tell by the `Content-Length`, where there is one.
//!
//! The command line is never looked at: the client writes it (RFC 3875 §4.4, CVE-2012-1823).
//!
//! # The other side
//! A [`Script`] or a [`Directory`] says which program is to run (`script`, `directory`) with which variables (`program`);
//! a process with its pipes (`child`) is what an exchange of [`wgi_backend`] goes through. Nothing of this is touched when
//! an application is hosted.

use std::env;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use wgi::{App, Errors, Vars};

mod child;
mod directory;
mod exchange;
mod head;
mod input;
mod output;
mod program;
mod script;
mod stdio;
mod variables;

pub use directory::Directory;
pub use exchange::Interrupted;
pub use program::ProgramOptions;
pub use script::Script;
pub use wgi_backend::{Limits, Links, LocalRedirects, LocalRedirectsLayer, Variables};

/// What a deployer may set.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The longest request body in bytes. Default: 2 GiB.
    pub max_body: u64,
    /// Variables that are added to the environment, in place of any of that name. Default: none.
    pub variables: Vars,
}

impl Default for Options {
    fn default() -> Options {
        Options { max_body: 1 << 31, variables: Vars::new() }
    }
}

/// Whether this process was started as a CGI program: `GATEWAY_INTERFACE` is set to a version of CGI (RFC 3875
/// §4.1.4).
pub fn is_cgi() -> bool {
    env::var_os("GATEWAY_INTERFACE").is_some_and(|interface| interface.as_encoded_bytes().starts_with(b"CGI/"))
}

/// Answers the one request that this process was started for, and gives the status to exit with: success when the
/// response was whole or nobody is there any more to take it, failure when it was cut.
pub fn run(app: impl App) -> ExitCode {
    run_with(app, &Options::default())
}

/// As [`run`], with options.
pub fn run_with(app: impl App, options: &Options) -> ExitCode {
    run_dyn(&app, options)
}

/// One function for every type of application: it is compiled with this crate, and so ends up beside what it calls. Each
/// page of code that a start comes to is a page fault.
fn run_dyn(app: &dyn App, options: &Options) -> ExitCode {
    if !is_cgi() && env::var_os("REQUEST_METHOD").is_none() {
        // Started by hand: there is no server to answer to, but somebody who reads this.
        let _ = writeln!(
            io::stderr(),
            "this is a CGI program and there is no request: REQUEST_METHOD is not set\n\
             put it into a web server's cgi-bin, or try: GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=GET PATH_INFO=/ {}",
            env::args_os().next().unwrap_or_default().display(),
        );
        return ExitCode::FAILURE;
    }
    match exchange::on_stdio(app, options, env::vars_os()) {
        Ok(()) | Err(Interrupted::Disconnected) => ExitCode::SUCCESS,
        Err(Interrupted::Cut) => ExitCode::FAILURE,
    }
}

/// Answers the request that the meta-variables `vars` describe (RFC 3875 §4.1), with its body from `stdin` and the
/// response to `stdout`, unbuffered: each chunk is flushed before the application is asked for the next.
///
/// What goes wrong is told on `errors`, one line each.
///
/// # Errors
/// [`Interrupted`] when the response did not go out whole.
///
/// # Example
/// ```
/// # use wgi::{Body, Environ, Error, Errors, StartResponse, StatusCode, header::CONTENT_TYPE};
/// # fn hello(_environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
/// #     start_response.start(StatusCode::OK, [(CONTENT_TYPE, "text/plain")])?;
/// #     Ok(Body::from("Hello, world!"))
/// # }
/// let vars = [("REQUEST_METHOD".into(), "GET".into()), ("PATH_INFO".into(), "/".into())];
/// let mut stdout = Vec::new();
/// wgi_cgi::serve(&hello, &Default::default(), vars, std::io::empty(), &mut stdout, Errors::stderr())?;
/// assert_eq!(stdout, b"Status: 200 OK\r\ncontent-type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!");
/// # Ok::<(), wgi_cgi::Interrupted>(())
/// ```
pub fn serve(
    app: &dyn App,
    options: &Options,
    vars: impl IntoIterator<Item = (OsString, OsString)>,
    stdin: impl Read + Send + 'static,
    stdout: impl Write,
    errors: Errors,
) -> Result<(), Interrupted> {
    exchange::on_streams(app, options, vars, stdin, stdout, errors)
}
