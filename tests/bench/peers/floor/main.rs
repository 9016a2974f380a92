//! The floor: an edge-triggered epoll loop on one thread that reads and writes a fixed answer. It checks nothing, so
//! no server that does its work can be below it; the distance to it is what a server adds to the system's own cost.
//!
//! `peer-floor http ADDRESS LENGTH` answers each blank line it reads with an HTTP response of LENGTH bytes,
//! `peer-floor http-close …` closes the connection behind it, and `peer-floor fastcgi LENGTH` answers, on the listening
//! socket it has as descriptor 0, each empty STDIN record. LENGTH is that of wgi's own answer.

use std::collections::HashMap;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags};

/// Behind which bytes a request is over.
const BLANK_LINE: &[u8] = b"\r\n\r\n";
/// An empty STDIN record of request 1 without padding: the last one of a FastCGI request.
const STDIN_END: &[u8] = &[1, 5, 0, 1, 0, 0, 0, 0];
const LISTENER: u64 = u64::MAX;

struct Floor {
    end_of_request: &'static [u8],
    answer: Vec<u8>,
    closes: bool,
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["http", address, length] => Floor::http(length, false).serve(TcpListener::bind(address)?.into()),
        ["http-close", address, length] => Floor::http(length, true).serve(TcpListener::bind(address)?.into()),
        ["fastcgi", length] => Floor::fastcgi(length).serve(rustix::stdio::stdin().try_clone_to_owned()?),
        _ => Err(io::Error::other("peer-floor http|http-close ADDRESS LENGTH, or peer-floor fastcgi LENGTH")),
    }
}

impl Floor {
    fn http(length: &str, closes: bool) -> Floor {
        let connection = if closes { "Connection: close\r\n" } else { "" };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n{connection}X: ");
        let pad = pad(length, head.len() + "\r\n\r\nHello, world!".len());
        let answer = format!("{head}{pad}\r\n\r\nHello, world!").into_bytes();
        Floor { end_of_request: BLANK_LINE, answer, closes }
    }

    fn fastcgi(length: &str) -> Floor {
        let head = "Status: 200 OK\r\nContent-Type: text/plain\r\nX: ";
        // An STDOUT record and its end, then END_REQUEST.
        let around = 8 + "\r\n\r\nHello, world!".len() + 8 + 16;
        let stdout = format!("{head}{}\r\n\r\nHello, world!", pad(length, around + head.len()));
        let [high, low] = u16::try_from(stdout.len()).expect("a short answer").to_be_bytes();
        let mut answer = vec![1, 6, 0, 1, high, low, 0, 0];
        answer.extend_from_slice(stdout.as_bytes());
        answer.extend_from_slice(&[1, 6, 0, 1, 0, 0, 0, 0]);
        answer.extend_from_slice(&[1, 3, 0, 1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        Floor { end_of_request: STDIN_END, answer, closes: false }
    }

    fn serve(&self, listener: OwnedFd) -> io::Result<()> {
        rustix::io::ioctl_fionbio(&listener, true)?;
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&poll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
        let mut connections: HashMap<u64, OwnedFd> = HashMap::new();
        let mut events = Vec::with_capacity(256);
        let mut buffer = vec![0; 64 * 1024];
        // The answers to all that one read may bring, so that they go out with one write.
        let answers = self.answer.repeat(64);
        loop {
            events.clear();
            epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), None)?;
            for event in &events {
                let data = event.data;
                let token = data.u64();
                if token == LISTENER {
                    while let Ok(socket) = rustix::net::accept_with(&listener, SocketFlags::NONBLOCK) {
                        let token = socket.as_raw_fd() as u64;
                        let interest = epoll::EventFlags::IN | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
                        epoll::add(&poll, &socket, epoll::EventData::new_u64(token), interest)?;
                        connections.insert(token, socket);
                    }
                    continue;
                }
                let Some(socket) = connections.get(&token) else { continue };
                // The fields of an event are packed: they can be copied, not borrowed.
                let flags = event.flags;
                if !self.answer(socket, &mut buffer, &answers) || flags.contains(epoll::EventFlags::RDHUP) {
                    connections.remove(&token);
                }
            }
        }
    }

    /// One read and, if it brought whole requests, one write. Says whether the connection goes on. A read that leaves
    /// room has emptied the socket, so that the next edge comes with new bytes.
    fn answer(&self, socket: &OwnedFd, buffer: &mut [u8], answers: &[u8]) -> bool {
        loop {
            let read = match rustix::net::recv(socket, &mut *buffer, RecvFlags::empty()) {
                Ok((_, 0)) => return false,
                Ok((_, read)) => read,
                Err(Errno::AGAIN) => return true,
                Err(_) => return false,
            };
            // A request that a read cuts in two goes unanswered: load that is pipelined comes in whole requests.
            let requests = memchr::memmem::find_iter(&buffer[..read], self.end_of_request).count();
            let length = (requests * self.answer.len()).min(answers.len());
            if rustix::net::send(socket, &answers[..length], SendFlags::NOSIGNAL) != Ok(length) || self.closes {
                return false;
            }
            if read < buffer.len() {
                return true;
            }
        }
    }
}

fn pad(length: &str, rest: usize) -> String {
    let length: usize = length.parse().expect("LENGTH is a number");
    "x".repeat(length.saturating_sub(rest))
}
