//! A pair: a web server and the probe behind it, started, and put through every row of the table.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::host::Host;
use crate::process::{Place, Process, find, skipped};
use crate::rows::ROWS;

/// Why no count of bodies is to be had from a CGI program.
pub(crate) const ONE_CALL: &str = "each process answers one request, and counts its own bodies alone";

/// Why a response that breaks off cannot be told from a whole one where the end of the connection is its end.
pub(crate) const NO_RESET: &str = "a Unix socket knows no reset";

/// Why REMOTE_ADDR is the web server's own address, where nothing like FastCGI or the PROXY protocol says whose it is.
pub(crate) const ITS_OWN_ADDRESS: &str = "over HTTP the connection is the proxy's, and X-Forwarded-For is not believed";

/// A way to host the probe.
pub(crate) struct Pair {
    /// The test's name.
    pub(crate) name: &'static str,
    /// The programs and files that it takes; the test is skipped where one is missing.
    pub(crate) needs: &'static [&'static str],
    /// What stands in front of the application's own paths: its SCRIPT_NAME.
    pub(crate) prefix: &'static str,
    /// The rows that cannot pass through, each with the reason.
    pub(crate) cannot: &'static [(&'static str, &'static str)],
    /// The variables that it does not pass on as they came, each with the reason.
    pub(crate) lacks: &'static [(&'static str, &'static str)],
    /// Starts the servers in a folder, the web server at that address.
    pub(crate) start: fn(&Place, SocketAddr) -> io::Result<Vec<Process>>,
}

/// What is running. Fields are dropped in order: the web server, what is behind it, the folder.
pub(crate) struct Running {
    pub(crate) host: Host,
    _servers: Vec<Process>,
    _direct: Process,
    pub(crate) place: Place,
}

impl Pair {
    /// Starts the pair; `None` where a program is missing.
    pub(crate) fn start(&self) -> Option<Running> {
        for needed in self.needs {
            if !Path::new(needed).exists() && find(needed).is_none() {
                skipped(self.name, &format!("there is no {needed} here"));
                return None;
            }
        }
        // A port that was free may be taken by the time the server asks for it.
        let mut last = String::new();
        for _ in 0..5 {
            match self.try_start() {
                Ok(running) => return Some(running),
                Err(error) => last = error.to_string(),
            }
        }
        panic!("{} does not start: {last}", self.name);
    }

    fn try_start(&self) -> io::Result<Running> {
        let place = Place::new()?;
        place.program("probe")?;
        let mut direct = probe(&place, "direct", &["--http", "127.0.0.1:0"])?;
        let direct_address = direct.await_address()?;
        let address = crate::process::free_port()?;
        let mut servers = (self.start)(&place, address)?;
        if let Some(front) = servers.first_mut() {
            front.await_tcp(address)?;
        }
        let host =
            Host { address, prefix: self.prefix, direct: direct_address, lacks: self.lacks, folder: place.path("") };
        Ok(Running { host, _servers: servers, _direct: direct, place })
    }

    /// Puts the pair through every row that can pass; `None` where a program is missing.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        for (row, _) in self.cannot {
            assert!(ROWS.iter().any(|known| known.name == *row), "{}: there is no row {row}", self.name);
        }
        let running = self.start()?;
        let only = std::env::var("WGI_ROW").ok();
        let (mut passed, mut failed) = (0, Vec::new());
        for row in ROWS {
            let exempt = self.cannot.iter().any(|(name, _)| *name == row.name);
            if only.as_deref().map_or(exempt, |only| only != row.name) {
                continue;
            }
            match (row.check)(&running.host) {
                Ok(()) => passed += 1,
                Err(what) => failed.push(format!("{}: {what}", row.name)),
            }
        }
        Some(Outcome { passed, failed, logs: running.place.logs() })
    }
}

/// What came of the rows of a pair.
pub(crate) struct Outcome {
    /// How many passed.
    pub(crate) passed: usize,
    /// Those that did not, and why.
    failed: Vec<String>,
    logs: String,
}

impl Outcome {
    /// # Panics
    /// When a row failed, with all that failed and the logs.
    pub(crate) fn assert(&self, pair: &Pair) {
        let Outcome { failed, logs, .. } = self;
        assert!(failed.is_empty(), "{}: {} rows failed\n{}\n{logs}", pair.name, failed.len(), failed.join("\n"));
    }
}

/// Starts the probe with those arguments.
pub(crate) fn probe(place: &Place, name: &str, arguments: &[&str]) -> io::Result<Process> {
    Process::start(place, name, Command::new(place.path("probe")).args(arguments))
}

/// Starts the probe with a TCP listener of its choice, and gives its address.
pub(crate) fn probe_at_port(place: &Place, protocol: &str) -> io::Result<(Process, SocketAddr)> {
    let mut process = probe(place, "probe", &[protocol, "127.0.0.1:0"])?;
    let address = process.await_address()?;
    Ok((process, address))
}

/// Starts the probe at a Unix socket in the folder, open to every user, and gives its path.
pub(crate) fn probe_at_socket(place: &Place, protocol: &str) -> io::Result<(Process, String)> {
    probe_at_socket_with(place, protocol, &[])
}

/// The same, with more arguments.
pub(crate) fn probe_at_socket_with(place: &Place, protocol: &str, more: &[&str]) -> io::Result<(Process, String)> {
    let path = place.path("probe.socket");
    let address = format!("unix:{}", path.display());
    let mut process = probe(place, "probe", &[&[protocol, &address], more].concat())?;
    process.await_unix(&path)?;
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666))?;
    Ok((process, path.display().to_string()))
}
