//! Three processes of the probe, to be killed and started again at the address that they had.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::process::{Place, Process, free_port};

/// What a socket unit of systemd does: the socket is descriptor 3 of the process, and stays when that is gone.
const PASS_SOCKET: &str = "export LISTEN_PID=$$; exec \"$0\" \"$@\" 3<&0 </dev/null";

/// How long a process may take to end: longer than it gives its last requests.
const END: Duration = Duration::from_secs(60);

/// Who listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sockets {
    /// Each process: while it is not there, connections are refused.
    OfProcesses,
    /// The test, as a service manager would: while a process is not there, connections wait for the next one.
    Kept,
}

/// A process of the probe.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    protocol: &'static str,
    name: String,
    kept: Option<TcpListener>,
    process: Option<Process>,
    /// How many processes there were.
    starts: usize,
}

/// Starts three of them.
pub(crate) fn start(place: &Place, protocol: &'static str, sockets: Sockets) -> io::Result<Vec<Backend>> {
    place.program("probe")?;
    let start = |number| {
        let kept = match sockets {
            Sockets::OfProcesses => None,
            Sockets::Kept => Some(TcpListener::bind("127.0.0.1:0")?),
        };
        let address = kept.as_ref().map_or_else(free_port, TcpListener::local_addr)?;
        let name = format!("probe-{number}");
        let mut backend = Backend { address, protocol, name, kept, process: None, starts: 0 };
        backend.start(place)?;
        Ok(backend)
    };
    (1..=3).map(start).collect()
}

impl Backend {
    /// Starts its process, the first one or one more.
    pub(crate) fn start(&mut self, place: &Place) -> io::Result<()> {
        self.starts += 1;
        let log = format!("{}-{}", self.name, self.starts);
        let mut process = match &self.kept {
            None => {
                let mut command = Command::new(place.path("probe"));
                command.arg(format!("--{}", self.protocol)).arg(self.address.to_string());
                Process::start(place, &log, &mut command)?
            }
            Some(socket) => {
                let mut command = Command::new("sh");
                command.args(["-c", PASS_SOCKET]).arg(place.path("probe"));
                command.env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", self.protocol);
                Process::start_with(place, &log, &mut command, OwnedFd::from(socket.try_clone()?))?
            }
        };
        process.await_address()?;
        self.process = Some(process);
        Ok(())
    }

    /// What a balancer calls it.
    pub(crate) fn name(&self) -> String {
        self.address.to_string()
    }

    /// Stops the process where it is: it holds what it has, and what comes in.
    pub(crate) fn freeze(&self) -> io::Result<()> {
        self.process()?.signal(Signal::STOP)
    }

    /// Kills the process, and waits until it is gone.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.process()?.signal(Signal::KILL)?;
        self.end().map(drop)
    }

    /// Asks the process to stop, and waits until it has.
    pub(crate) fn stop(&mut self) -> io::Result<()> {
        self.process()?.signal(Signal::TERM)?;
        match self.end()? {
            Some(0) => Ok(()),
            code => Err(io::Error::other(format!("{} ended with {code:?}", self.name))),
        }
    }

    fn end(&mut self) -> io::Result<Option<i32>> {
        let mut process = self.process.take().ok_or(io::ErrorKind::NotFound)?;
        Ok(process.await_end(END)?.code())
    }

    fn process(&self) -> io::Result<&Process> {
        self.process.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}
