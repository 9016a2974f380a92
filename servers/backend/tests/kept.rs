//! Connections, and those that are kept.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use wgi_backend::{Kept, Socket};

const LONG: Duration = Duration::from_secs(600);

/// A connection, and its other side.
fn pair() -> (Socket, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    (Socket::new(near.into()).unwrap(), far)
}

fn keep(kept: &Arc<Kept<Socket>>) -> UnixStream {
    let (socket, far) = pair();
    kept.put(socket);
    far
}

/// Who is at the other side of a kept connection.
fn is_at(socket: &Socket, far: &mut UnixStream) -> bool {
    socket.send(b"?").unwrap();
    far.set_nonblocking(true).unwrap();
    far.read(&mut [0]).is_ok_and(|read| read == 1)
}

fn eventually(is_so: impl Fn() -> bool) -> bool {
    (0..2000).any(|_| {
        thread::sleep(Duration::from_millis(5));
        is_so()
    })
}

#[test]
fn the_last_one_kept_is_the_first_one_used() {
    let kept = Kept::new(2, LONG);
    assert!(kept.take().is_err());
    let (mut first, mut second) = (keep(&kept), keep(&kept));
    let _one_too_many = keep(&kept);
    assert_eq!(kept.len(), 2);
    assert!(is_at(&kept.take().ok().unwrap(), &mut second));
    assert!(is_at(&kept.take().ok().unwrap(), &mut first));
    assert!(kept.take().is_err());
}

#[test]
fn one_that_is_closed_or_speaks_is_not_used() {
    let kept = Kept::new(3, LONG);
    let mut open = keep(&kept);
    drop(keep(&kept));
    let mut speaks = keep(&kept);
    speaks.write_all(b"x").unwrap();
    assert!(is_at(&kept.take().ok().unwrap(), &mut open));
    assert!(kept.take().is_err());
}

#[test]
fn what_is_closed_goes_by_itself() {
    let kept = Kept::new(3, LONG);
    let (first, _second) = (keep(&kept), keep(&kept));
    drop(first);
    assert!(eventually(|| kept.len() == 1));
}

#[test]
fn what_is_idle_for_long_goes_by_itself() {
    let kept = Kept::new(3, Duration::from_millis(20));
    let mut far = keep(&kept);
    assert!(eventually(|| kept.is_empty()));
    assert_eq!(far.read(&mut [0]).unwrap(), 0, "it is closed");
}

/// A back end with few processes would never come to the new connection, as long as they sit on idle ones.
#[test]
fn none_is_kept_while_a_new_one_waits() {
    let kept = Kept::new(3, LONG);
    let waiting = kept.take().err().unwrap();
    let mut far = keep(&kept);
    assert_eq!(far.read(&mut [0]).unwrap(), 0, "it is closed");
    drop(waiting);
    let _far = keep(&kept);
    assert_eq!(kept.len(), 1);
}

#[test]
fn connections_are_made_over_tcp_and_unix() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let socket = Socket::connect_tcp("localhost", port, LONG).unwrap();
    socket.send(b"hello").unwrap();
    socket.shut_down();
    let mut text = String::new();
    listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello");
    drop(listener);
    assert!(Socket::connect_tcp("127.0.0.1", port, LONG).is_err());

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    assert!(Socket::connect_unix(&path, LONG).is_err());
    let listener = UnixListener::bind(&path).unwrap();
    let socket = Socket::connect_unix(&path, LONG).unwrap();
    assert!(socket.is_silent());
    listener.accept().unwrap().0.write_all(b"hello").unwrap();
    let mut read = Vec::with_capacity(10);
    while socket.receive(&mut read).unwrap() != Some(0) {}
    assert_eq!(read, b"hello");
}

/// Nobody accepts, and the queue is full.
#[test]
fn connecting_has_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let socket = rustix::net::socket(rustix::net::AddressFamily::UNIX, rustix::net::SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &rustix::net::SocketAddrUnix::new(&path).unwrap()).unwrap();
    rustix::net::listen(&socket, 0).unwrap();
    let _queued = Socket::connect_unix(&path, Duration::from_millis(50)).unwrap();
    let error = Socket::connect_unix(&path, Duration::from_millis(50)).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
}
