//! A connection to a back end: the system calls on it, none of which waits but [`Socket::send`].

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, ioctl_fionbio, retry_on_intr};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType, connect, recv, send,
    shutdown, socket_with,
};

/// A connected stream socket. Clones are the same connection, which is closed with the last of them.
#[derive(Clone, Debug)]
pub struct Socket(Arc<OwnedFd>);

impl Socket {
    /// Connects to a host, at the first of its addresses that accepts; `timeout` is for all of them. An empty host is
    /// this machine.
    ///
    /// # Errors
    /// What the system says of the last address.
    pub fn connect_tcp(host: &str, port: u16, timeout: Duration) -> io::Result<Socket> {
        // Where to listen, an empty host is every interface; where to connect, it is this machine.
        let host = if host.is_empty() { "localhost" } else { host };
        let deadline = Instant::now() + timeout;
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in (host, port).to_socket_addrs()? {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match TcpStream::connect_timeout(&address, left) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Socket::new(stream.into());
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Connects to a Unix socket. It waits only while the queue there is full.
    ///
    /// # Errors
    /// What the system says.
    pub fn connect_unix(path: &Path, timeout: Duration) -> io::Result<Socket> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        // Connecting takes the time that sending may (unix(7) has no other).
        set_socket_timeout(&socket, Timeout::Send, Some(timeout))?;
        match retry_on_intr(|| connect(&socket, &SocketAddrUnix::new(path)?)) {
            Err(Errno::AGAIN) => Err(io::ErrorKind::TimedOut.into()),
            result => {
                result?;
                Socket::new(socket)
            }
        }
    }

    /// Takes over a connected socket.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(socket: OwnedFd) -> io::Result<Socket> {
        ioctl_fionbio(&socket, true)?;
        Ok(Socket(Arc::new(socket)))
    }

    /// Sends what can be sent without waiting; says how many bytes that was.
    ///
    /// # Errors
    /// When the other side takes no more.
    pub fn try_send(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut sent = 0;
        while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
            match retry_on_intr(|| send(&self.0, rest, SendFlags::NOSIGNAL)) {
                Ok(length) => sent += length,
                Err(Errno::AGAIN) => break,
                // What was taken before that is not lost.
                Err(_) if sent > 0 => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(sent)
    }

    /// Sends all bytes, for as long as it takes, or until [`shut_down`](Socket::shut_down).
    ///
    /// # Errors
    /// When the other side takes no more.
    pub fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let mut sent = 0;
        while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
            match self.try_send(rest)? {
                0 => drop(retry_on_intr(|| poll(&mut [PollFd::new(&self.0, PollFlags::OUT)], None))?),
                length => sent += length,
            }
        }
        Ok(())
    }

    /// Takes what has come into the spare capacity of `buffer`: the number of bytes, 0 at the end; none when nothing has
    /// come yet.
    ///
    /// # Errors
    /// When the connection broke.
    pub fn receive(&self, buffer: &mut Vec<u8>) -> io::Result<Option<usize>> {
        match retry_on_intr(|| recv(&self.0, spare_capacity(buffer), RecvFlags::empty())) {
            Ok((length, _)) => Ok(Some(length)),
            Err(Errno::AGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether it is open, and nothing has come.
    pub fn is_silent(&self) -> bool {
        let mut byte = [0];
        matches!(retry_on_intr(|| recv(&self.0, &mut byte, RecvFlags::PEEK)), Err(Errno::AGAIN))
    }

    /// Ends the connection in both directions, for all that wait on it.
    pub fn shut_down(&self) {
        // One that is gone has nothing to be told.
        let _ = shutdown(&self.0, Shutdown::Both);
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
