//! A server as a process of a test: found, started on a free port in a folder of its own, awaited, stopped by its id.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

/// How long a server may take to answer at all, or to end.
const START: Duration = Duration::from_secs(30);
const STOP: Duration = Duration::from_secs(5);

/// The user that servers run their work as when the tests are run by root, as Apache refuses to be root.
pub(crate) const USER: &str = "www-data";

/// A folder for one test: configuration, sockets, logs, and a copy of the probe.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    /// A new folder, open to every user: a server that is started by root gives its rights away.
    pub(crate) fn new() -> io::Result<Place> {
        let folder = tempfile::Builder::new().prefix("wgi-interop-").tempdir()?;
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777))?;
        Ok(Place { folder })
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A path in the folder as text, for a configuration.
    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Makes a folder inside, open to every user.
    pub(crate) fn folder(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.path(name);
        fs::create_dir_all(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o777))?;
        Ok(path)
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.path(name);
        fs::write(&path, text)?;
        Ok(path)
    }

    /// Puts the probe in, where every user may run it.
    pub(crate) fn program(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.path(name);
        let probe = Path::new(env!("CARGO_BIN_EXE_probe"));
        if fs::hard_link(probe, &path).is_err() {
            // By another process: a program that is being written here, while another test of this process starts one,
            // is open for writing in that one too, and could not be started (ETXTBSY).
            output(Command::new("cp").arg(probe).arg(&path), b"")?;
        }
        Ok(path)
    }

    /// The ends of all logs, for a report.
    pub(crate) fn logs(&self) -> String {
        let mut text = String::new();
        for entry in fs::read_dir(self.folder.path()).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension() == Some(OsStr::new("log")) {
                let log = fs::read(&path).unwrap_or_default();
                let tail = &log[log.len().saturating_sub(2000)..];
                text.push_str(&format!("--- {}\n{}\n", path.display(), String::from_utf8_lossy(tail)));
            }
        }
        text
    }
}

/// A running program, in a process group of its own. Dropping it ends the group.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program in `place`, with its output in `NAME.log` there.
    pub(crate) fn start(place: &Place, name: &str, command: &mut Command) -> io::Result<Process> {
        Process::start_with(place, name, command, Stdio::null())
    }

    /// The same, with something for its standard input.
    pub(crate) fn start_with(
        place: &Place,
        name: &str,
        command: &mut Command,
        stdin: impl Into<Stdio>,
    ) -> io::Result<Process> {
        let log = place.path(&format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log)?;
        let child = command
            .current_dir(place.path(""))
            .stdin(stdin)
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0)
            .spawn()?;
        Ok(Process { child, log })
    }

    /// Waits until a TCP connection is accepted.
    pub(crate) fn await_tcp(&mut self, address: SocketAddr) -> io::Result<()> {
        self.poll(|| TcpStream::connect(address).ok().map(drop))
    }

    /// Waits until a connection to a Unix socket is accepted.
    pub(crate) fn await_unix(&mut self, path: &Path) -> io::Result<()> {
        self.poll(|| UnixStream::connect(path).ok().map(drop))
    }

    /// Waits until the program has said where it listens, and gives the address.
    pub(crate) fn await_address(&mut self) -> io::Result<SocketAddr> {
        self.await_text(address_in)
    }

    /// Waits until something can be made of what the program has said.
    pub(crate) fn await_text<T>(&mut self, find: impl Fn(&str) -> Option<T>) -> io::Result<T> {
        let log = self.log.clone();
        self.poll(|| find(&fs::read_to_string(&log).ok()?))
    }

    /// Asks again and again, less and less often, until there is an answer or the process is gone.
    fn poll<T>(&mut self, mut ready: impl FnMut() -> Option<T>) -> io::Result<T> {
        let start = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(value) = ready() {
                // It may have been somebody else's port: the process must have stayed.
                thread::sleep(Duration::from_millis(10));
                return match self.child.try_wait()? {
                    None => Ok(value),
                    Some(status) => Err(self.failed(&format!("ended with {status}"))),
                };
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(self.failed(&format!("ended with {status}")));
            }
            if start.elapsed() > START {
                return Err(self.failed("is not ready"));
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(rustix::process::kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// Waits until it has ended by itself.
    pub(crate) fn await_end(&mut self, within: Duration) -> io::Result<ExitStatus> {
        let start = Instant::now();
        while start.elapsed() < within {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(5));
        }
        Err(self.failed("does not end"))
    }

    fn failed(&self, what: &str) -> io::Error {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        io::Error::other(format!("{} {what}:\n{log}", self.log.display()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) else { return };
        // The leader is asked first; then whatever it left behind in its group is ended.
        let _ = rustix::process::kill_process(group, Signal::TERM);
        let _ = self.await_end(STOP);
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.child.wait();
    }
}

/// A port on 127.0.0.1 that was free a moment ago. Somebody else may take it; then the server is started again.
pub(crate) fn free_port() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// A program by its name, also where only root has it on the path.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

/// Says on the terminal, past the test harness, that a test did not run, and why.
pub(crate) fn skipped(test: &str, reason: &str) {
    let _ = writeln!(io::stderr(), "skipped {test}: {reason}");
}

/// Whether the tests are run by root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs a program to its end, with `input` as its standard input; gives its standard output.
pub(crate) fn output(command: &mut Command, input: &[u8]) -> io::Result<Vec<u8>> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let mut stderr = child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let input = input.to_vec();
    let writer = thread::spawn(move || stdin.write_all(&input));
    let reader = thread::spawn(move || {
        let mut text = String::new();
        let _ = stderr.read_to_string(&mut text);
        text
    });
    let output = child.wait_with_output()?;
    let _ = writer.join();
    match output.status.success() {
        true => Ok(output.stdout),
        false => {
            let errors = reader.join().unwrap_or_default();
            Err(io::Error::other(format!("{command:?} ended with {}: {errors}", output.status)))
        }
    }
}

/// The first `127.0.0.1:PORT` in a text.
fn address_in(text: &str) -> Option<SocketAddr> {
    let start = text.find("127.0.0.1:")?;
    let rest = &text[start..];
    let end = rest["127.0.0.1:".len()..].find(|c: char| !c.is_ascii_digit())?;
    rest[.."127.0.0.1:".len() + end].parse().ok()
}
