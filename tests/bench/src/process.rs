//! A server process: started on its core, waited for, asked for its CPU time and memory, stopped.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use crate::cores::on_core;

/// How long a server may take to listen, and to end.
const PATIENCE: Duration = Duration::from_secs(15);

/// A running server. It is stopped when dropped.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

/// The memory of a process and its descendants, in KiB.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    pub resident: u64,
    /// Shared pages counted in parts.
    pub proportional: u64,
}

/// An address nobody listens on now.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

impl Server {
    /// Starts a server that binds `address` itself, and waits until it listens.
    pub fn start(mut command: Command, address: SocketAddr, core: usize) -> Result<Server> {
        quiet(&mut command).stdin(Stdio::null());
        let mut server = Server { child: spawn(command, core)?, address };
        let deadline = Instant::now() + PATIENCE;
        while !is_listening(address) {
            if let Some(status) = server.child.try_wait()? {
                bail!("ended at once with {status} (WGI_BENCH_VERBOSE=1 shows what it says)");
            }
            if Instant::now() > deadline {
                bail!("does not listen on {address}");
            }
            sleep(Duration::from_millis(5));
        }
        Ok(server)
    }

    /// Starts a server that has its listening socket as descriptor 0, as FastCGI wants it.
    pub fn start_listening(mut command: Command, core: usize) -> Result<Server> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        quiet(&mut command).stdin(OwnedFd::from(listener));
        Ok(Server { child: spawn(command, core)?, address })
    }

    /// The CPU time of all its threads and processes that live, and of its threads that lived, so far.
    pub fn cpu_time(&self) -> Result<Duration> {
        let mut total = Duration::ZERO;
        for process in self.processes() {
            // The scheduler's own clock: nanoseconds, where `/proc/PID/stat` counts ticks of 10 ms.
            let clock = clock_getcpuclockid(pid(process))?;
            total += Duration::from(clock_gettime(clock)?);
        }
        Ok(total)
    }

    pub fn memory(&self) -> Result<Memory> {
        let mut memory = Memory::default();
        for process in self.processes() {
            let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
            memory.resident += kibibytes(&rollup, "Rss:")?;
            memory.proportional += kibibytes(&rollup, "Pss:")?;
        }
        Ok(memory)
    }

    /// The most that was resident at any time, in KiB.
    pub fn peak_memory(&self) -> Result<u64> {
        let peaks = self.processes().into_iter().map(|process| {
            let status = fs::read_to_string(format!("/proc/{process}/status"))?;
            kibibytes(&status, "VmHWM:")
        });
        peaks.sum()
    }

    /// Asks it to end, and waits until it has: what it writes at its end is there then.
    pub fn finish(mut self, patience: Duration) -> Result<()> {
        kill(pid(self.child.id()), Signal::SIGTERM)?;
        let deadline = Instant::now() + patience;
        while self.child.try_wait()?.is_none() {
            ensure!(Instant::now() < deadline, "does not end when it is asked to");
            sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// The process and its descendants, its workers.
    fn processes(&self) -> Vec<u32> {
        let mut all = vec![self.child.id()];
        let mut next = 0;
        while let Some(&process) = all.get(next) {
            next += 1;
            let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
            for task in tasks {
                let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
                all.extend(children.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
            }
        }
        all
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let workers = self.processes();
        let _ = kill(pid(self.child.id()), Signal::SIGTERM);
        let deadline = Instant::now() + Duration::from_secs(1);
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                // The first of them is this child, not waited for yet: none of these numbers can be another's.
                for worker in workers {
                    let _ = kill(pid(worker), Signal::SIGKILL);
                }
                break;
            }
            sleep(Duration::from_millis(2));
        }
        let _ = self.child.wait();
    }
}

/// Whether somebody listens there, by the kernel's own table: a connection made to find out would be one more that the
/// server has to deal with.
fn is_listening(address: SocketAddr) -> bool {
    const LISTEN: &str = "0A";
    let port = format!(":{:04X}", address.port());
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| fs::read_to_string(table).unwrap_or_default());
    tables.iter().flat_map(|table| table.lines().skip(1)).any(|line| {
        let mut columns = line.split_whitespace().skip(1);
        let (local, state) = (columns.next(), columns.nth(1));
        local.is_some_and(|local| local.ends_with(&port)) && state == Some(LISTEN)
    })
}

fn spawn(mut command: Command, core: usize) -> Result<Child> {
    let program = command.get_program().to_owned();
    on_core(core, || command.spawn().with_context(|| format!("{program:?} cannot be started")))
}

/// Keeps what a server says out of the tables.
fn quiet(command: &mut Command) -> &mut Command {
    if std::env::var_os("WGI_BENCH_VERBOSE").is_none() {
        command.stdout(Stdio::null()).stderr(Stdio::null());
    }
    command
}

fn pid(process: u32) -> Pid {
    Pid::from_raw(process.cast_signed())
}

fn kibibytes(table: &str, field: &str) -> Result<u64> {
    let line = table.lines().find_map(|line| line.strip_prefix(field)).with_context(|| format!("no {field}"))?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
