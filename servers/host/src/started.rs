//! What a process was started with, taken once: everything that decides is here.

use std::env;
use std::ffi::{OsStr, OsString};

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;

use crate::Usage;
use crate::notify::Notifier;

/// More sockets than any service manager passes on.
const MOST_SOCKETS: usize = 1024;

/// What a process was started with.
#[derive(Default)]
pub struct Started {
    /// What it was called by: the first word of its command line.
    pub program: Option<OsString>,
    /// The rest of its command line.
    pub args: Vec<OsString>,
    /// Its environment.
    pub vars: Vec<(OsString, OsString)>,
    /// Descriptor 0 is a listening socket, as FastCGI's process managers have it (FastCGI §2.2).
    pub listens_on_stdin: bool,
    /// How many sockets a service manager passed on (`LISTEN_FDS`).
    pub sockets: usize,
    /// These sockets.
    pub(crate) inherited: Option<ListenFd>,
    /// The service manager that wants to be told how the server is doing (`NOTIFY_SOCKET`).
    pub(crate) notifier: Option<Notifier>,
}

impl Started {
    /// What this process was started with.
    ///
    /// `LISTEN_FDS`, `LISTEN_PID`, `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` are taken out of the environment,
    /// for they are not meant for a process that this one starts. So this is for the start of a process, while no other
    /// thread of it looks at the environment.
    ///
    /// # Errors
    /// When `LISTEN_FDS` is not a reasonable number.
    pub fn from_process() -> Result<Started, Usage> {
        let mut args = env::args_os();
        let mut started = Started {
            program: args.next(),
            args: args.collect(),
            vars: env::vars_os().collect(),
            listens_on_stdin: socket_acceptconn(rustix::stdio::stdin()).unwrap_or(false),
            ..Started::default()
        };
        if let Some(count) = started.var("LISTEN_FDS") {
            if count.to_str().and_then(|count| count.parse().ok()).is_none_or(|count: usize| count > MOST_SOCKETS) {
                return Err(Usage::new(format!("LISTEN_FDS is `{}`, no number of sockets", count.display())));
            }
            // Gives none where LISTEN_PID says that they are meant for another process.
            let inherited = ListenFd::from_env();
            started.sockets = inherited.len();
            started.inherited = Some(inherited);
        }
        started.notifier = Notifier::from_process();
        Ok(started)
    }

    /// The value of an environment variable; none where it is empty.
    pub(crate) fn var(&self, name: &str) -> Option<&OsStr> {
        let (_, value) = self.vars.iter().find(|(candidate, _)| candidate == name)?;
        Some(value.as_os_str()).filter(|value| !value.is_empty())
    }
}
