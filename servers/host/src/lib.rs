#![doc = include_str!("../README.md")]
//! # How it works
//!
//! The way from a started process to a running server, a file each:
//!
//! | step | file |
//! | --- | --- |
//! | what the process was started with: [`Started`] | `started.rs` |
//! | the options, their variables and their help, as one table | `options.rs`, `values.rs`, `help.rs` |
//! | options that a program has of its own | `own.rs` |
//! | what is to be done: [`Plan`], [`Settings`] | `plan.rs`, `settings.rs` |
//! | listeners, protocols and an engine | `serve.rs` |
//! | what the service manager is told | `notify.rs` |
//! | certificates, read anew when they change | `tls.rs` |
//!
//! A CGI program comes no further than the first line of [`Host::run`]: its start is part of every request.

use std::io::{self, Write};
use std::path::Path;
use std::process::{self, ExitCode};
use std::sync::Arc;

use wgi::{App, Environ, Error, StartResponse};
use wgi_middleware::Lint;

mod help;
mod notify;
mod options;
mod own;
mod plan;
mod serve;
mod settings;
mod started;
#[cfg(feature = "tls")]
mod tls;
mod values;

pub use own::{Given, OwnOption};
pub use plan::{Plan, Usage};
pub use settings::{Listen, Place, Protocol, Settings, TlsFiles};
pub use started::Started;

/// The exit status of a server that was stopped, and of a CGI program whose response was whole.
const SERVED: i32 = 0;
/// The exit status of what could not be done.
const FAILED: i32 = 1;
/// The exit status of a program whose options are wrong.
const MISUSED: i32 = 2;

/// What a program is called that nobody named.
const NAMELESS: &str = "wgi";

/// Hosts `app` as this process was started: as a CGI program, on a socket it was given, or on the addresses that its
/// options name; over HTTP on 127.0.0.1:8080 when nothing was said. Ends the process.
///
/// The exit status is 0 when the server was stopped or the CGI response was whole, 2 when the options are wrong, and 1
/// when anything else failed.
///
/// ```no_run
/// # use wgi::{Body, Environ, Error, StartResponse, StatusCode, header::CONTENT_TYPE};
/// # fn hello(_environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
/// #     start_response.start(StatusCode::OK, [(CONTENT_TYPE, "text/plain")])?;
/// #     Ok(Body::from("Hello, world!"))
/// # }
/// fn main() {
///     wgi_host::run(hello)
/// }
/// ```
pub fn run(app: impl App + 'static) -> ! {
    Host::new(app).run()
}

/// An application with what the launcher says of it.
///
/// ```no_run
/// # use wgi::{Body, Environ, Error, StartResponse};
/// # fn bookshelf(_: Environ, _: &mut dyn StartResponse) -> Result<Body, Error> { Ok(Body::empty()) }
/// wgi_host::Host::new(bookshelf)
///     .name("bookshelf")
///     .version(env!("CARGO_PKG_VERSION"))
///     .about("A list of books, with a search by author.")
///     .run()
/// ```
pub struct Host {
    make: Make,
    own: Vec<OwnOption>,
    name: Option<String>,
    version: Option<String>,
    about: Option<String>,
}

/// Makes the application, of what was given of its own options.
type Make = Box<dyn FnOnce(&Given) -> Result<Arc<dyn App>, String>>;

// Of no type of application, so that all of this is compiled once, with this crate, and what a program has of its own
// stays small: a CGI program is read in anew for each request, page by page.
impl Host {
    /// Hosts `app` under the name that the program was called by.
    pub fn new(app: impl App + 'static) -> Host {
        Host::configured(|_| Ok::<_, String>(app))
    }

    /// Hosts the application that `make` makes of what was given of the program's own options ([`option`](Host::option),
    /// [`flag`](Host::flag)).
    ///
    /// It is called once, when it is clear that there is something to host. An error is told like that of any wrong
    /// option, and the exit status is 2; a CGI program answers 500.
    pub fn configured<A, E>(make: impl FnOnce(&Given) -> Result<A, E> + 'static) -> Host
    where
        A: App + 'static,
        E: std::fmt::Display,
    {
        let make: Make = Box::new(|given| match make(given) {
            Ok(app) => Ok(Arc::new(app)),
            Err(error) => Err(error.to_string()),
        });
        Host { make, own: Vec::new(), name: None, version: None, about: None }
    }

    /// Adds an option of the program's own, that takes a value: its name without the dashes, what its value is called in
    /// the help, and what it does. A name that the launcher has is the launcher's.
    ///
    /// It may be given any number of times, and by an environment variable of the program's name and its own:
    /// `GATEWAY_MOUNT`, where several values have blanks between them.
    pub fn option(mut self, name: &'static str, value: &'static str, help: &'static str) -> Host {
        self.own.push(OwnOption { name, value: Some(value), help });
        self
    }

    /// Adds an option of the program's own that takes no value.
    pub fn flag(mut self, name: &'static str, help: &'static str) -> Host {
        self.own.push(OwnOption { name, value: None, help });
        self
    }

    /// The program's name, for messages, `--help` and `--version`.
    pub fn name(mut self, name: impl Into<String>) -> Host {
        self.name = Some(name.into());
        self
    }

    /// The program's version, for `--version`. Usually `env!("CARGO_PKG_VERSION")`.
    pub fn version(mut self, version: impl Into<String>) -> Host {
        self.version = Some(version.into());
        self
    }

    /// What the program is, in a sentence for `--help`.
    pub fn about(mut self, about: impl Into<String>) -> Host {
        self.about = Some(about.into());
        self
    }

    /// Hosts the application as this process was started, and ends the process; see [`run`].
    // In line, and so beside `main`: each part of the program that a start comes to is read in by a page fault.
    #[inline]
    pub fn run(self) -> ! {
        if wgi_cgi::is_cgi() {
            // The command line is the client's here, and is never looked at (RFC 3875 §4.4, CVE-2012-1823).
            process::exit(self.answer_cgi())
        }
        process::exit(self.start(Started::from_process()))
    }

    /// Hosts the application as a process that was started that way, until it is stopped. Gives the exit status.
    // Apart from `run`: a CGI program never comes here.
    #[cold]
    #[inline(never)]
    pub fn start(self, started: Result<Started, Usage>) -> i32 {
        let name = self.program_name(started.as_ref().ok());
        let plan = started.and_then(|started| Plan::with_own(&started, &self.own, &name).map(|plan| (plan, started)));
        let (plan, started) = match plan {
            Ok(planned) => planned,
            Err(usage) => {
                complain(&name, &format!("{usage}\nTry `{name} --help`."));
                return MISUSED;
            }
        };
        let served = match plan {
            Plan::Help => {
                show(&help::text(&name, self.about.as_deref(), &self.own));
                return SERVED;
            }
            Plan::Version => {
                let version = self.version.unwrap_or_else(|| concat!("(wgi ", env!("CARGO_PKG_VERSION"), ")").into());
                show(&format!("{name} {version}\n"));
                return SERVED;
            }
            Plan::Cgi => return self.answer_cgi(),
            Plan::Serve(settings) => match (self.make)(&settings.own) {
                Ok(app) if settings.lint => serve::serve(Arc::new(Lint::new(app)), *settings, started),
                Ok(app) => serve::serve(app, *settings, started),
                Err(wrong) => {
                    complain(&name, &format!("{wrong}\nTry `{name} --help`."));
                    return MISUSED;
                }
            },
        };
        match served {
            Ok(()) => SERVED,
            Err(error) => {
                complain(&name, &error.to_string());
                FAILED
            }
        }
    }

    /// Of the options, a CGI program has those that its variables give: the web server's configuration sets them.
    #[inline]
    fn answer_cgi(self) -> i32 {
        let (mut options, mut lint) = (wgi_cgi::Options::default(), false);
        match Plan::for_cgi() {
            Ok(None) => {}
            Ok(Some(settings)) => {
                options.max_body = settings.engine.max_body;
                lint = settings.lint;
            }
            Err(usage) => complain(&self.program_name(None), &usage.to_string()),
        }
        let given = if self.own.is_empty() { Given::default() } else { self.given_by_variables() };
        let name = self.name;
        let app = (self.make)(&given).unwrap_or_else(|wrong| {
            complain(name.as_deref().unwrap_or(NAMELESS), &wrong);
            Arc::new(|_: Environ, _: &mut dyn StartResponse| Err(Error::new("the program is not configured")))
        });
        let app = if lint { Arc::new(Lint::new(app)) } else { app };
        if wgi_cgi::run_with(&*app, &options) == ExitCode::SUCCESS { SERVED } else { FAILED }
    }

    /// What the environment gives of the program's own options.
    #[cold]
    fn given_by_variables(&self) -> Given {
        let mut given = Given::default();
        let started = Started { vars: std::env::vars_os().collect(), ..Started::default() };
        given.add_variables(&self.own, &started, &self.program_name(None));
        given
    }

    fn program_name(&self, started: Option<&Started>) -> String {
        let called = started.and_then(|started| Path::new(started.program.as_deref()?).file_name());
        match (&self.name, called) {
            (Some(name), _) => name.clone(),
            (None, Some(called)) => called.to_string_lossy().into_owned(),
            (None, None) => NAMELESS.to_owned(),
        }
    }
}

fn complain(name: &str, message: &str) {
    // When standard error is closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "{name}: {message}");
}

fn show(text: &str) {
    // `--help | head` closes early.
    let _ = io::stdout().write_all(text.as_bytes());
}
