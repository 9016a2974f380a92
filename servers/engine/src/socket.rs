//! A connected socket: the system calls on it, and nothing else.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, recv, send, sendmsg, shutdown, sockopt};

/// A connected stream socket in non-blocking mode.
#[derive(Debug)]
pub(crate) struct Socket {
    fd: OwnedFd,
}

/// What a system call that does not wait came to.
pub(crate) enum Tried<T> {
    Done(T),
    /// It would have waited: an event will tell when to try again.
    Blocked,
}

impl Socket {
    pub(crate) fn new(fd: OwnedFd) -> Socket {
        Socket { fd }
    }

    /// Reads into the spare capacity of `buffer`, and gives the number of bytes; 0 at the end.
    pub(crate) fn read(&self, buffer: &mut Vec<u8>) -> io::Result<Tried<usize>> {
        // Not `read`, which goes through what the system does for files first.
        tried(|| recv(&self.fd, spare_capacity(buffer), RecvFlags::empty()).map(|(received, _)| received))
    }

    /// Writes one piece.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<Tried<usize>> {
        tried(|| send(&self.fd, bytes, SendFlags::NOSIGNAL))
    }

    /// Writes several pieces in one call. Where more follows at once, the system may keep the end of them until then.
    pub(crate) fn write_all_of(&self, pieces: &[IoSlice<'_>], more: bool) -> io::Result<Tried<usize>> {
        let flags = if more { SendFlags::NOSIGNAL | SendFlags::MORE } else { SendFlags::NOSIGNAL };
        tried(|| sendmsg(&self.fd, pieces, &mut SendAncillaryBuffer::default(), flags))
    }

    /// Lets the system send a part of a file; 0 at the file's end.
    pub(crate) fn send_file(&self, file: &File, offset: u64, length: u64) -> io::Result<Tried<u64>> {
        // The system sends at most 2 GiB in one call; less keeps one connection from holding a worker for long.
        const MOST: u64 = 1 << 20;
        let mut offset = offset;
        let length = length.min(MOST) as usize;
        match tried(|| rustix::fs::sendfile(&self.fd, file, Some(&mut offset), length))? {
            Tried::Done(sent) => Ok(Tried::Done(sent as u64)),
            Tried::Blocked => Ok(Tried::Blocked),
        }
    }

    /// Waits until the socket can be read, or until the time is over; says which.
    pub(crate) fn wait_readable(&self, timeout: Duration) -> io::Result<bool> {
        self.wait(PollFlags::IN, timeout)
    }

    /// Waits until the socket can be written, or until the time is over; says which.
    pub(crate) fn wait_writable(&self, timeout: Duration) -> io::Result<bool> {
        self.wait(PollFlags::OUT, timeout)
    }

    fn wait(&self, events: PollFlags, timeout: Duration) -> io::Result<bool> {
        let timeout = Timespec::try_from(timeout).ok();
        loop {
            match poll(&mut [PollFd::new(&self.fd, events)], timeout.as_ref()) {
                Ok(ready) => return Ok(ready > 0),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Keeps what is written from here on until the end goes with it, in one segment (tcp(7), TCP_CORK). On a Unix socket
    /// there is no such thing.
    pub(crate) fn hold_back(&self) {
        let _ = sockopt::set_tcp_cork(&self.fd, true);
    }

    /// Says that nothing more will be written.
    pub(crate) fn finish(&self) {
        // A peer that is gone has nothing to be told.
        let _ = shutdown(&self.fd, Shutdown::Write);
    }

    /// Makes closing a reset, so that a peer for whom the end of the connection is the end of the message can tell.
    pub(crate) fn reset_on_close(&self) {
        let _ = sockopt::set_socket_linger(&self.fd, Some(Duration::ZERO));
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn tried<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<Tried<T>> {
    loop {
        match call() {
            Ok(value) => return Ok(Tried::Done(value)),
            Err(Errno::AGAIN) => return Ok(Tried::Blocked),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
