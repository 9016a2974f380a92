//! HAProxy: over HTTP, and over FastCGI with its `fcgi-app`, one request at a time or several on each connection.

use std::io;
use std::net::SocketAddr;
use std::process::Command;

use crate::pair::{ITS_OWN_ADDRESS, Pair, probe, probe_at_port, probe_at_socket};
use crate::process::{Place, Process, find};

const WANTS_LENGTH: &str = "HAProxy refuses a request without a length that does not fit into its buffer";
const IN_TURN: &str =
    "what came on one connection is answered in turn, and all wait for a page that blocks for a minute";

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
