//! Three processes of the probe behind a balancer, under load: one is killed, and all are restarted one after the
//! other. What the clients get is counted on their side.
//!
//! The balancers run the configurations of `docs/deployment.md`. One that is not installed is skipped, and said to be.

mod backends;
mod fronts;
mod load;
#[path = "../interop/process.rs"]
#[allow(dead_code, reason = "shared with the tests of single servers, which need more of it")]
mod process;

use std::io;
use std::net::SocketAddr;

use wgi_conformance::client::Connection;

use backends::{Backend, Sockets};
use fronts::Front;
use load::{GET, Load, POST, SLOW_GET};
use process::{Place, Process, find, skipped};

/// How many responses are begun at the most, until the process that is to be killed has one under way.
const MOST_HELD: usize = 50;

/// What such a response ends with.
const LAST_TICK: &str = "tick 100\n";

#[test]
fn haproxy_http_kill() {
    kill(&fronts::HAPROXY_HTTP);
}

#[test]
fn haproxy_fastcgi_kill() {
    kill(&fronts::HAPROXY_FASTCGI);
}

#[test]
fn nginx_http_kill() {
    kill(&fronts::NGINX_HTTP);
}

#[test]
fn nginx_fastcgi_kill() {
    kill(&fronts::NGINX_FASTCGI);
}

#[test]
fn apache_ajp_kill() {
    kill(&fronts::APACHE_AJP);
}

#[test]
fn haproxy_http_rolling_restart() {
    rolling_restart(&fronts::HAPROXY_HTTP);
}

#[test]
fn haproxy_fastcgi_rolling_restart() {
    rolling_restart(&fronts::HAPROXY_FASTCGI);
}

#[test]
fn nginx_http_rolling_restart() {
    rolling_restart(&fronts::NGINX_HTTP);
}

#[test]
fn nginx_fastcgi_rolling_restart() {
    rolling_restart(&fronts::NGINX_FASTCGI);
}

#[test]
fn apache_ajp_rolling_restart() {
    rolling_restart(&fronts::APACHE_AJP);
}

/// Everything that runs for a test; what stands in front ends first.
struct Running {
    _front: Process,
    address: SocketAddr,
    backends: Vec<Backend>,
    place: Place,
}

/// Starts a balancer and what is behind it; none where the balancer is not installed.
fn start(front: &Front, sockets: Sockets, test: &str) -> Option<Running> {
    if find(front.program).is_none() {
        skipped(&format!("{}_{test}", front.name), &format!("{} is not installed", front.program));
        return None;
    }
    let attempt = || {
        let place = Place::new()?;
        let backends = backends::start(&place, front.protocol, sockets)?;
        let (process, address) = front.start(&place, &backends)?;
        io::Result::Ok(Running { _front: process, address, backends, place })
    };
    // Somebody else may have taken a port that was free.
    let running = attempt().or_else(|_| attempt()).or_else(|_| attempt());
    Some(running.unwrap_or_else(|error| panic!("{}: {error}", front.name)))
}

/// One of three processes is killed: the responses that it had begun are cut, and nothing else is lost. What it had
/// not answered is asked of another, for it is safe to repeat.
fn kill(front: &Front) {
    let Some(mut running) = start(front, Sockets::OfProcesses, "kill") else { return };
    let load = Load::start(running.address, &[SLOW_GET; 8]);
    for backend in &running.backends {
        load.await_served_by(&backend.name());
    }

    let victim = running.backends[0].name();
    let mut held: Vec<Response> = Vec::new();
    let is_from_victim = |response: &Response| response.from == victim;
    while held.iter().all(is_from_victim) || !held.last().is_some_and(is_from_victim) {
        assert!(held.len() < MOST_HELD, "{victim} gets nothing to do: {held:?}");
        held.push(Response::begin(running.address).unwrap());
    }
    running.backends[0].freeze().unwrap();
    load.await_held();
    running.backends[0].kill().unwrap();
    load.await_more(50);

    for response in &mut held {
        let body = response.rest().unwrap();
        let is_expected = response.from != victim;
        assert_eq!(body.contains(LAST_TICK), is_expected, "from {}: {body}\n{}", response.from, running.place.logs());
        let seems_whole = body.ends_with("\r\n0\r\n\r\n");
        assert_eq!(seems_whole, is_expected || !front.sees_cuts, "from {}: {body}", response.from);
    }
    running.backends[0].start(&running.place).unwrap();
    load.await_served_by(&victim);
    let seen = load.finish();
    assert!(seen.lost.is_empty(), "{} lost: {:#?}\n{}", front.name, seen.lost, running.place.logs());
}

/// Each of three processes is stopped, and another started on its socket: nothing is lost, of whatever method.
fn rolling_restart(front: &Front) {
    let Some(mut running) = start(front, Sockets::Kept, "rolling_restart") else { return };
    let load = Load::start(running.address, &[GET, POST, GET, POST, GET, POST, GET, POST]);
    for backend in &mut running.backends {
        load.await_served_by(&backend.name());
        load.await_more(50);
        backend.stop().unwrap();
        backend.start(&running.place).unwrap();
        load.await_served_by(&backend.name());
    }
    load.await_more(50);
    let seen = load.finish();
    assert!(seen.lost.is_empty(), "{} lost: {:#?}\n{}", front.name, seen.lost, running.place.logs());
}

/// A response that has begun, and takes its time.
#[derive(Debug)]
struct Response {
    connection: Connection,
    /// Which process it comes from.
    from: String,
}

impl Response {
    /// Asks for it, by a method that is not safe to repeat, and reads its head.
    fn begin(address: SocketAddr) -> io::Result<Response> {
        let mut connection = Connection::open(address)?;
        let fields = "Host: localhost\r\nContent-Length: 0\r\nConnection: close\r\n";
        connection.send(format!("POST /drip/100/20 HTTP/1.1\r\n{fields}\r\n"))?;
        let head = connection.receive_head()?;
        assert_eq!(head.status, 200);
        Ok(Response { connection, from: load::served_by(&head) })
    }

    /// Reads it to its end.
    fn rest(&mut self) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&self.connection.rest()?).into_owned())
    }
}
