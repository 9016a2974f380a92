//! A CGI program as a process: its pipes, its end, and the end of what it has started.
//!
//! Its process group is its own. It is signalled only as long as the process is not reaped, for until then its id cannot
//! be anybody else's.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{self, ChildStdin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, pidfd_open, waitid,
};
use wgi_backend::{Breaker, Conversation, Failure, Leave, Lines, Outlet, Place, Received};

/// How much of the errors stream is read at once, in bytes.
const PIECE: usize = 16 * 1024;
/// How long a program that has closed its output may take to end, before it is left to itself.
const LINGER: Duration = Duration::from_secs(1);
/// How often a process is looked at where the system has no descriptor for it (before Linux 5.3).
const LOOK: Duration = Duration::from_millis(10);

/// A program that is running, with its output.
pub(crate) struct Child {
    process: Arc<Process>,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
    errors: Vec<u8>,
    /// When its output ended.
    silent_since: Option<Instant>,
    heeds_status: bool,
}

/// Standard input of a program.
pub(crate) struct Stdin(OwnedFd);

/// Standard input of a program that has none.
pub(crate) struct Nothing;

/// The process, which whoever has to do with it may end.
struct Process {
    pid: Option<Pid>,
    /// None where the system has none.
    descriptor: Option<OwnedFd>,
    /// None once it is reaped.
    child: Mutex<Option<process::Child>>,
    grace: Duration,
    /// When it has to end, however well it does.
    deadline: Instant,
    /// Held until it is reaped.
    _place: Place,
}

/// How a process ended.
enum Ended {
    Exited(i32),
    Killed(i32),
}

impl Child {
    pub(crate) fn new(
        mut child: process::Child,
        grace: Duration,
        heeds_status: bool,
        total: Duration,
        place: Place,
    ) -> io::Result<(Child, Option<ChildStdin>)> {
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().map(OwnedFd::from);
        let stderr = child.stderr.take().map(OwnedFd::from);
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let process = Process {
            pid,
            descriptor: pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()),
            child: Mutex::new(Some(child)),
            grace,
            deadline: Instant::now() + total,
            _place: place,
        };
        // From here on it is ended whatever happens.
        let child =
            Child { process: Arc::new(process), stdout, stderr, errors: Vec::new(), silent_since: None, heeds_status };
        for pipe in child.stdout.iter().chain(&child.stderr) {
            do_not_wait(pipe)?;
        }
        if let Some(stdin) = &stdin {
            do_not_wait(stdin)?;
        }
        Ok((child, stdin))
    }

    /// Reads the errors stream once; says whether there was something.
    fn receive_errors(&mut self, lines: &mut Lines) -> bool {
        let Some(stderr) = &self.stderr else { return false };
        self.errors.clear();
        self.errors.reserve(PIECE);
        match read(stderr, &mut self.errors) {
            Some(0) => self.stderr = None,
            Some(_) => lines.push(&self.errors),
            None => return false,
        }
        true
    }

    /// Its output has ended: what is left is how it ends itself.
    fn receive_end(&mut self, lines: &mut Lines) -> Received {
        let since = *self.silent_since.get_or_insert_with(Instant::now);
        if self.receive_errors(lines) {
            return Received::Some;
        }
        match self.process.ended() {
            Some(Ended::Exited(0)) => Received::End,
            Some(Ended::Exited(status)) if self.heeds_status => {
                Received::Failed(Failure::bad_gateway(format!("it ended with exit status {status}")))
            }
            Some(Ended::Exited(status)) => {
                lines.note(&format!("it ended with exit status {status}"));
                Received::End
            }
            Some(Ended::Killed(signal)) => {
                Received::Failed(Failure::bad_gateway(format!("it was ended by signal {signal}")))
            }
            None if !self.heeds_status && since.elapsed() >= LINGER => Received::End,
            None => Received::Blocked,
        }
    }
}

impl Conversation for Child {
    fn receive(&mut self, output: &mut Vec<u8>, lines: &mut Lines) -> Received {
        let Some(stdout) = &self.stdout else { return self.receive_end(lines) };
        match read(stdout, output) {
            Some(0) => {
                self.stdout = None;
                Received::Some
            }
            Some(_) => {
                self.receive_errors(lines);
                Received::Some
            }
            None if self.receive_errors(lines) => Received::Some,
            None => Received::Blocked,
        }
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let process = self.process.descriptor.as_ref().filter(|_| self.stdout.is_none());
        self.stdout.iter().chain(&self.stderr).chain(process).map(AsFd::as_fd).collect()
    }

    fn wakes_at(&self) -> Option<Instant> {
        let since = self.silent_since?;
        match &self.process.descriptor {
            Some(_) if self.heeds_status => None,
            Some(_) => Some(since + LINGER),
            None => Some(Instant::now() + LOOK),
        }
    }

    fn breaker(&self) -> Breaker {
        let process = self.process.clone();
        Box::new(move || process.end_soon(Duration::ZERO))
    }

    fn leave(mut self: Box<Self>, how: Leave, _is_sent: bool) {
        // What it still writes fails, which ends most programs.
        self.stdout = None;
        self.stderr = None;
        match how {
            Leave::Broken => self.process.end_soon(Duration::ZERO),
            Leave::Ended | Leave::Complete => {
                // It has done what it was asked for, and may do what it has left to do.
                if self.process.ended().is_none() {
                    self.process.end_soon(self.process.deadline.saturating_duration_since(Instant::now()));
                }
            }
        }
    }
}

impl Process {
    /// How it ended; none while it runs. It is not reaped by that.
    fn ended(&self) -> Option<Ended> {
        let child = self.lock();
        // Once reaped, nobody asks.
        child.as_ref()?;
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        let status = retry_on_intr(|| waitid(WaitId::Pid(self.pid.ok_or(Errno::SRCH)?), options)).ok().flatten()?;
        Some(how_it_ended(&status))
    }

    /// Ends it and its group after `patience`, without waiting for that.
    fn end_soon(self: &Arc<Process>, patience: Duration) {
        let process = self.clone();
        if patience.is_zero() {
            self.signal(Signal::TERM);
        }
        let ending = move || {
            if !patience.is_zero() && process.wait(patience) {
                return;
            }
            process.signal(Signal::TERM);
            process.wait(process.grace);
            // Those of its group that are left, too.
            process.signal(Signal::KILL);
        };
        let started = thread::Builder::new().name("wgi-cgi-end".into()).stack_size(128 * 1024).spawn(ending);
        if started.is_err() {
            self.signal(Signal::KILL);
        }
    }

    /// Waits for its end; says whether it came within `patience`.
    fn wait(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while self.ended().is_none() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            match &self.descriptor {
                Some(descriptor) => {
                    let timeout = Timespec::try_from(left).ok();
                    let _ = retry_on_intr(|| poll(&mut [PollFd::new(descriptor, PollFlags::IN)], timeout.as_ref()));
                }
                None => thread::sleep(left.min(LOOK)),
            }
        }
        true
    }

    fn signal(&self, signal: Signal) {
        let child = self.lock();
        if let (Some(_), Some(pid)) = (child.as_ref(), self.pid) {
            // All of them may have ended.
            let _ = kill_process_group(pid, signal);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<process::Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    /// Nobody has to do with it any more: it is reaped.
    fn drop(&mut self) {
        if self.ended().is_none() {
            self.signal(Signal::KILL);
        }
        if let Some(mut child) = self.lock().take() {
            let _ = child.wait();
        }
    }
}

impl Stdin {
    pub(crate) fn new(stdin: ChildStdin) -> Stdin {
        Stdin(stdin.into())
    }
}

impl Outlet for Stdin {
    fn try_send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut sent = 0;
        while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
            match retry_on_intr(|| rustix::io::write(&self.0, rest)) {
                Ok(length) => sent += length,
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(sent)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut sent = 0;
        while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
            match self.try_send(rest)? {
                // A program that reads nothing is ended by the time that it may be silent.
                0 => drop(retry_on_intr(|| poll(&mut [PollFd::new(&self.0, PollFlags::OUT)], None))?),
                length => sent += length,
            }
        }
        Ok(())
    }
}

impl Outlet for Nothing {
    fn try_send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn send(&mut self, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

fn how_it_ended(status: &WaitIdStatus) -> Ended {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(status), _) => Ended::Exited(status),
        (None, signal) => Ended::Killed(signal.unwrap_or_default()),
    }
}

/// Reads what there is: the number of bytes, 0 at the end; none where there is nothing yet.
fn read(pipe: &OwnedFd, into: &mut Vec<u8>) -> Option<usize> {
    match retry_on_intr(|| rustix::io::read(pipe, spare_capacity(into))) {
        Err(Errno::AGAIN) => None,
        // What cannot be read any more has ended.
        result => Some(result.unwrap_or(0)),
    }
}

fn do_not_wait(pipe: &impl AsFd) -> io::Result<()> {
    Ok(fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)?)
}
