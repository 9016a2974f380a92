//! A server with the probe behind it: how it is asked, and what a check may say of the answer.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use wgi_conformance::client::{Connection, Response};

/// A server with the probe behind it, and the same probe over plain HTTP to compare with.
pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    pub(crate) prefix: &'static str,
    pub(crate) direct: SocketAddr,
    /// The variables that it does not pass on, each with the reason.
    pub(crate) lacks: &'static [(&'static str, &'static str)],
    /// The folder with the logs of everything that runs.
    pub(crate) folder: PathBuf,
}

/// Where the client is: elsewhere than the servers, which connect from 127.0.0.1 to each other.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// What a check says: nothing, or what was wrong.
pub(crate) type Check = Result<(), Box<dyn std::error::Error>>;

impl Host {
    /// Sends a request to the probe's path below the prefix, and reads the response.
    pub(crate) fn request(&self, method: &str, path: &str, fields: &str, body: &[u8]) -> io::Result<Response> {
        request(self.address, method, &format!("{}{path}", self.prefix), fields, body)
    }

    pub(crate) fn get(&self, path: &str) -> io::Result<Response> {
        self.request("GET", path, "", b"")
    }

    /// What `/environ` says to a request, through the server.
    pub(crate) fn environ(
        &self,
        method: &str,
        path: &str,
        fields: &str,
        body: &[u8],
    ) -> Result<Map<String, Value>, Box<dyn std::error::Error>> {
        environ_of(&self.request(method, path, fields, body)?)
    }
}

pub(crate) fn request(
    address: SocketAddr,
    method: &str,
    target: &str,
    fields: &str,
    body: &[u8],
) -> io::Result<Response> {
    let length = match (method, body.len()) {
        ("GET" | "HEAD" | "OPTIONS" | "DELETE", 0) => String::new(),
        (_, length) => format!("Content-Length: {length}\r\n"),
    };
    let head = format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{length}{fields}\r\n");
    exchange(address, method, head.as_bytes(), body)
}

/// Sends a head and a body, and reads the response at the same time: neither side waits for the other's buffers.
pub(crate) fn exchange(address: SocketAddr, method: &str, head: &[u8], body: &[u8]) -> io::Result<Response> {
    let mut connection = Connection::open_from(CLIENT, address)?;
    let mut sender = connection.socket().try_clone()?;
    thread::scope(|scope| {
        scope.spawn(move || {
            // A server may answer and close before it has read everything.
            let _ = io::Write::write_all(&mut sender, head).and_then(|()| io::Write::write_all(&mut sender, body));
        });
        let response = connection.receive(method);
        let _ = connection.socket().shutdown(std::net::Shutdown::Both);
        response
    })
}

pub(crate) fn environ_of(response: &Response) -> Result<Map<String, Value>, Box<dyn std::error::Error>> {
    status_is(response, 200)?;
    match serde_json::from_slice(&response.body) {
        Ok(environ) => Ok(environ),
        Err(error) => Err(format!("{error} in {}", response.text()).into()),
    }
}

pub(crate) fn text<'a>(environ: &'a Map<String, Value>, name: &str) -> &'a str {
    environ.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn status_is(response: &Response, status: u16) -> Check {
    ensure(response.status == status, || format!("status {} instead of {status}: {}", response.status, response.text()))
}

pub(crate) fn equal<T: PartialEq + std::fmt::Debug>(what: &str, seen: T, expected: T) -> Check {
    ensure(seen == expected, || format!("{what} is {seen:?} instead of {expected:?}"))
}

pub(crate) fn ensure(condition: bool, what: impl FnOnce() -> String) -> Check {
    if condition { Ok(()) } else { Err(what().into()) }
}

/// Asks again and again, for as long as a loaded machine may take.
pub(crate) fn eventually(mut is_so: impl FnMut() -> io::Result<bool>) -> io::Result<bool> {
    let start = Instant::now();
    while !is_so()? {
        if start.elapsed() > Duration::from_secs(30) {
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(true)
}
