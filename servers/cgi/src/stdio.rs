//! Standard input and output as they are: no buffer, no lock, and the system's way to send a file.

use std::fs::File;
use std::io::{self, IoSlice, Read, Write};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::sockopt::socket_type;
use rustix::net::{Shutdown, shutdown};
use rustix::stdio;
use wgi::FileRange;

/// How many bytes a pipe that is ready takes without blocking (POSIX: PIPE_BUF).
pub(crate) const READY: usize = 4096;
/// How much of what is dropped is read with one call, in bytes.
const READ_AT_ONCE: usize = 64 * 1024;
/// How long a server may be silent before what it has still to send is of no interest.
const SILENCE: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };
/// How much of a file is sent with one call, in bytes: below what Linux takes at once (0x7ffff000).
const SENT_AT_ONCE: u64 = 1 << 30;

/// Standard input.
pub(crate) struct Stdin;

/// Standard output.
pub(crate) struct Stdout;

/// Which of the two can be used without blocking.
pub(crate) struct Ready {
    pub(crate) input: bool,
    pub(crate) output: bool,
}

/// Waits until standard input has something (its end included) or standard output takes something (an error included).
pub(crate) fn wait() -> io::Result<Ready> {
    let (input, output) = (stdio::stdin(), stdio::stdout());
    let mut both = [PollFd::new(&input, PollFlags::IN), PollFd::new(&output, PollFlags::OUT)];
    retry_on_intr(|| poll(&mut both, None))?;
    let [input, output] = both.map(|one| !one.revents().is_empty());
    Ok(Ready { input, output })
}

/// Reads and drops up to `left` bytes of a body that nobody read, where standard input is a socket or a pipe.
///
/// When a socket is closed with something unread in it, the other end gets an error behind what it was sent, and
/// Apache's mod_cgid then takes a whole response for a broken one. When a pipe is closed, its other end cannot write
/// what it still has, and fcgiwrap then drops the response. The end of the response is told first, so nobody waits for
/// what is done here, and a server that keeps silent is not waited for either.
pub(crate) fn drop_unread(mut left: u64) {
    let (input, output) = (stdio::stdin(), stdio::stdout());
    if left == 0 {
        return;
    }
    if socket_type(input).is_ok() {
        let _ = shutdown(output, Shutdown::Write);
    } else if fstat(input).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo) {
        // A pipe ends when nobody has it any more.
        let _ = File::create("/dev/null").map(stdio::dup2_stdout);
    } else {
        return;
    }
    let mut piece = vec![0; READ_AT_ONCE];
    while left > 0 {
        let mut waiting = [PollFd::new(&input, PollFlags::IN)];
        match retry_on_intr(|| poll(&mut waiting, Some(&SILENCE))) {
            Ok(1..) => {}
            Ok(0) | Err(_) => return,
        }
        match Stdin.read(&mut piece) {
            Ok(0) | Err(_) => return,
            Ok(length) => left = left.saturating_sub(length as u64),
        }
    }
}

impl Stdout {
    /// Sends a part of a file, by the system where it can. Says how much it sent: less when the file became shorter.
    pub(crate) fn send(&mut self, file: &FileRange) -> io::Result<u64> {
        let mut offset = file.offset;
        let end = file.offset.saturating_add(file.length);
        while offset < end {
            let count = (end - offset).min(SENT_AT_ONCE) as usize;
            match retry_on_intr(|| rustix::fs::sendfile(stdio::stdout(), &file.file, Some(&mut offset), count)) {
                Ok(0) => break,
                Ok(_) => {}
                Err(Errno::AGAIN) => wait_for(&stdio::stdout(), PollFlags::OUT)?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(offset - file.offset)
    }
}

impl Read for Stdin {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match retry_on_intr(|| rustix::io::read(stdio::stdin(), &mut *buffer)) {
                // Whoever shares the open file may have made it non-blocking.
                Err(Errno::AGAIN) => wait_for(&stdio::stdin(), PollFlags::IN)?,
                result => return Ok(result?),
            }
        }
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        loop {
            match retry_on_intr(|| rustix::io::writev(stdio::stdout(), pieces)) {
                Err(Errno::AGAIN) => wait_for(&stdio::stdout(), PollFlags::OUT)?,
                result => return Ok(result?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn wait_for(descriptor: &impl std::os::fd::AsFd, flags: PollFlags) -> io::Result<()> {
    retry_on_intr(|| poll(&mut [PollFd::new(descriptor, flags)], None))?;
    Ok(())
}
