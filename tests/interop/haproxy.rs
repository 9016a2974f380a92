//! HAProxy: over HTTP, and over FastCGI with its `fcgi-app`, one request at a time or several on each connection.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::process::Command;

use wgi_conformance::client::Connection;

use crate::host::eventually;
use crate::pair::{ITS_OWN_ADDRESS, Pair, probe, probe_at_port, probe_at_socket};
use crate::process::{Place, Process, find};

const WANTS_LENGTH: &str = "HAProxy refuses a request without a length that does not fit into its buffer";
const IN_TURN: &str = "what came on one connection is answered in turn, and all wait for a page that takes a minute";

pub(crate) const HTTP: Pair = Pair {
    name: "haproxy_http",
    needs: &["haproxy"],
    prefix: "",
    cannot: &[],
    lacks: &[("REMOTE_ADDR", ITS_OWN_ADDRESS)],
    start: |place, address| {
        let (probe, port) = probe_at_port(place, "--http")?;
        Ok(vec![haproxy(place, address, "", &format!("server probe {port}"))?, probe])
    },
};

/// With a header of the PROXY protocol, which says who the client is.
pub(crate) const HTTP_SEND_PROXY: Pair = Pair {
    name: "haproxy_http_send_proxy",
    needs: &["haproxy"],
    prefix: "",
    cannot: &[],
    lacks: &[],
    start: |place, address| {
        let mut probe = probe(place, "probe", &["--http", "127.0.0.1:0", "--proxy-protocol-from", "127.0.0.1"])?;
        let port = probe.await_address()?;
        Ok(vec![haproxy(place, address, "", &format!("server probe {port} send-proxy-v2"))?, probe])
    },
};

/// As HAProxy does it unless it is told otherwise: a connection for each request.
pub(crate) const FASTCGI: Pair = Pair {
    name: "haproxy_fastcgi",
    needs: &["haproxy"],
    prefix: "",
    cannot: &[("upload_chunked", WANTS_LENGTH)],
    lacks: &[],
    start: |place, address| {
        let (probe, port) = probe_at_port(place, "--fastcgi")?;
        let app = "fcgi-app probe
            docroot /srv
            log-stderr global
            no option keep-conn";
        Ok(vec![haproxy(place, address, app, &format!("use-fcgi-app probe\nserver probe {port} proto fcgi"))?, probe])
    },
};

/// On kept connections, below a path, over a Unix socket. It would share them out among requests at the same time, but
/// asks first, and is told not to.
pub(crate) const FASTCGI_KEPT: Pair = Pair {
    name: "haproxy_fastcgi_kept",
    needs: &["haproxy"],
    prefix: "/app",
    cannot: &[("upload_chunked", WANTS_LENGTH)],
    lacks: &[],
    start: |place, address| {
        let (probe, socket) = probe_at_socket(place, "--fastcgi")?;
        let app = "fcgi-app probe
            docroot /srv
            log-stderr global
            path-info ^(/app)(/.*)?$
            option keep-conn
            option mpxs-conns
            option get-values";
        let server = format!("use-fcgi-app probe\nhttp-reuse always\nserver probe unix@{socket} proto fcgi");
        Ok(vec![haproxy(place, address, app, &server)?, probe])
    },
};

/// Requests of several clients at the same time on one connection, as HAProxy is told to and does not ask.
pub(crate) const FASTCGI_MULTIPLEXED: Pair = Pair {
    name: "haproxy_fastcgi_multiplexed",
    needs: &["haproxy"],
    prefix: "",
    cannot: &[("upload_chunked", WANTS_LENGTH), ("drip", IN_TURN), ("async", IN_TURN)],
    lacks: &[],
    start: |place, address| {
        let (probe, port) = probe_at_port(place, "--fastcgi")?;
        let app = "fcgi-app probe
            docroot /srv
            log-stderr global
            option keep-conn
            option mpxs-conns
            option max-reqs 8";
        let server = format!("use-fcgi-app probe\nhttp-reuse always\nserver probe {port} proto fcgi");
        Ok(vec![haproxy(place, address, app, &server)?, probe])
    },
};

/// What HAProxy counts of its server under these names.
fn counts<const N: usize>(place: &Place, names: [&str; N]) -> Result<[u64; N], Box<dyn Error>> {
    let mut socket = UnixStream::connect(place.path("haproxy.stats"))?;
    socket.write_all(b"show stat\n")?;
    let mut table = String::new();
    socket.read_to_string(&mut table)?;
    let mut lines = table.lines();
    let header = lines.next().unwrap_or_default();
    let server = lines.find(|line| line.starts_with("back,probe,")).ok_or("HAProxy knows of no server")?;
    let mut counts = [0; N];
    for (count, name) in counts.iter_mut().zip(names) {
        let column = header.split(',').position(|column| column == name).ok_or("no such column")?;
        *count = server.split(',').nth(column).unwrap_or_default().parse()?;
    }
    Ok(counts)
}

/// Eight requests are under way at once, on fewer connections; each gets the answer that is its own.
#[test]
fn haproxy_fastcgi_interleaves() {
    let Some(running) = FASTCGI_MULTIPLEXED.start() else { return };
    let body = |client: usize| vec![b'a' + client as u8; 60_000 + 1000 * client];
    // More than HAProxy's buffer: it passes a request on when that is full, or the request complete.
    const FIRST: usize = 30_000;
    let mut clients = Vec::new();
    for client in 0..8 {
        let mut connection = Connection::open(running.host.address).unwrap();
        let (body, host) = (body(client), running.host.address);
        let head = format!("POST /echo HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n\r\n", body.len());
        connection.send([head.as_bytes(), &body[..FIRST]].concat()).unwrap();
        clients.push((connection, body));
        // The first is to be there before HAProxy asks itself whether another connection is needed.
        let under_way = || match counts(&running.place, ["scur"]) {
            Ok([current]) => Ok(current == client as u64 + 1),
            Err(error) => Err(io::Error::other(error.to_string())),
        };
        assert!(eventually(under_way).unwrap(), "request {client} is not passed on\n{}", running.place.logs());
    }
    let [connections, reused] = counts(&running.place, ["connect", "reuse"]).unwrap();
    assert!(connections < 8 && reused > 0, "{connections} connections for 8 requests, {reused} times used again");
    for (connection, body) in clients.iter_mut().rev() {
        connection.send(&body[FIRST..]).unwrap();
    }
    for (connection, body) in &mut clients {
        let response = connection.receive("POST").unwrap();
        assert_eq!(response.status, 200);
        assert!(response.body == *body, "the body of another, or part of one: {}", response.text());
    }
}

/// Starts HAProxy with an application and a backend.
fn haproxy(place: &Place, address: SocketAddr, app: &str, backend: &str) -> io::Result<Process> {
    // A thread has connections of its own; with one alone it is known which are shared.
    let config = format!(
        "global
            log stdout format raw daemon
            maxconn 256
            nbthread 1
            stats socket {stats} mode 600 level operator
        defaults
            mode http
            timeout connect 10s
            timeout client 60s
            timeout server 120s
        frontend front
            bind {address}
            default_backend back
        {app}
        backend back
            {backend}\n",
        stats = place.text("haproxy.stats")
    );
    let config = place.write("haproxy.cfg", &config)?;
    Process::start(place, "haproxy", Command::new(find("haproxy").unwrap_or_default()).arg("-db").arg("-f").arg(config))
}
