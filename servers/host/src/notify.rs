//! Tells the service manager how the server is doing: the protocol of sd_notify(3), a datagram for each change.
//!
//! Whoever does not listen to it does no harm: that a message cannot be sent is a line in the log.

use std::env;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use sd_notify::NotifyState;
use wgi_engine::Handle;

/// How often the watchdog is told within the time after which it gives a service up. sd_watchdog_enabled(3) advises
/// two; whether the engine gets on is known only at the next look.
const LOOKS: u32 = 4;

/// The least time between two looks.
const LEAST: Duration = Duration::from_millis(1);

/// For how long to wait where there is no watchdog: a wait has to have an end.
const LONG: Duration = Duration::from_secs(3600);

/// The socket of the service manager.
#[derive(Debug)]
pub(crate) struct Notifier {
    socket: UnixDatagram,
    manager: SocketAddr,
    /// After how long without a sign of life the service is given up.
    watchdog: Option<Duration>,
}

impl Notifier {
    /// The one that `NOTIFY_SOCKET` names. Takes the variables out of the environment: a process that the application
    /// starts does not speak for this one.
    pub(crate) fn from_process() -> Option<Notifier> {
        let name = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty())?;
        let notifier = Notifier::new(&name, watchdog()).map_err(|error| {
            // The log is set up later.
            let _ = writeln!(io::stderr(), "NOTIFY_SOCKET is `{}`, which cannot be used: {error}", name.display());
        });
        // Removing a variable is for who knows that no thread reads one; at the start of a process that holds. This
        // also is the first message, where the socket has a path.
        let _ = sd_notify::notify(true, &[NotifyState::Status("starting")]);
        sd_notify::watchdog_enabled(true, &mut 0);
        notifier.ok()
    }

    fn new(name: &OsStr, watchdog: Option<Duration>) -> io::Result<Notifier> {
        let manager = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(name)?,
            _ => return Err(io::Error::new(io::ErrorKind::Unsupported, "it is neither a path nor an abstract name")),
        };
        Ok(Notifier { socket: UnixDatagram::unbound()?, manager, watchdog })
    }

    /// Says that the server listens, and where.
    pub(crate) fn ready(&self, listening: &[String]) {
        let status = if listening.is_empty() { "serving".into() } else { listening.join("; ") };
        self.send(&format!("READY=1\n{}", status_line(&status)));
    }

    /// Says that the server stops, as soon as it does; until then, that it gets on, as often as a watchdog wants it.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub(crate) fn watch(self: Arc<Notifier>, engine: Handle) -> io::Result<JoinHandle<()>> {
        let pause = self.watchdog.map_or(LONG, |watchdog| (watchdog / LOOKS).max(LEAST));
        thread::Builder::new().name("wgi-notify".into()).stack_size(64 * 1024).spawn(move || {
            while !engine.await_stop(pause) {
                if self.watchdog.is_some() && engine.is_responsive() {
                    self.send("WATCHDOG=1\n");
                }
            }
            self.send(&format!("STOPPING=1\n{}", status_line("stopping, when requests in flight are finished")));
        })
    }

    /// Says that files are read anew, and then that this is over: what systemd waits for where it asked for it
    /// (`Type=notify-reload`).
    #[cfg(feature = "tls")]
    pub(crate) fn while_reloading(&self, reload: impl FnOnce()) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let microseconds = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}\n"));
        reload();
        self.send("READY=1\n");
    }

    fn send(&self, message: &str) {
        if let Err(error) = self.socket.send_to_addr(message.as_bytes(), &self.manager) {
            tracing::warn!("the service manager cannot be told: {error}");
        }
    }
}

/// A line for a person. The path of a socket may hold a line break, behind which another assignment would stand.
fn status_line(status: &str) -> String {
    format!("STATUS={}\n", status.replace(|char: char| char.is_control(), "?"))
}

/// After how long the watchdog gives this process up (sd_watchdog_enabled(3)); none where it watches another one.
fn watchdog() -> Option<Duration> {
    let number = |name| env::var(name).ok()?.parse::<u64>().ok();
    if env::var_os("WATCHDOG_PID").is_some() && number("WATCHDOG_PID") != Some(process::id().into()) {
        return None;
    }
    number("WATCHDOG_USEC").filter(|&microseconds| microseconds > 0).map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_line() {
        assert_eq!(status_line("listening on unix:/a\nMAINPID=1"), "STATUS=listening on unix:/a?MAINPID=1\n");
    }

    #[test]
    fn a_socket_of_another_kind_is_no_socket() {
        for name in ["vsock:2:1", "relative", ""] {
            assert!(Notifier::new(OsStr::new(name), None).is_err(), "{name}");
        }
    }
}
