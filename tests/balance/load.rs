//! Clients that ask without a pause, each one request after the other, and count what they get.
//!
//! A request counts as lost when it is not answered with 200 and a whole body, whatever the reason: that a browser
//! would ask again is no excuse here. A connection is used for some requests, then a new one is opened, so both that
//! and the reuse of one run into whatever happens behind the balancer.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use wgi_conformance::client::{Connection, Response};

/// How many requests a connection is used for.
const PER_CONNECTION: u64 = 20;

/// Where a client gives up: a test is over long before.
const MOST_REQUESTS: u64 = 100_000;
const MOST_TIME: Duration = Duration::from_secs(120);

/// How long an event under load is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the clients ask for: a request's method and path, and its body.
#[derive(Clone, Copy)]
pub(crate) struct Ask {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) body: &'static str,
}

/// A request that is safe to repeat.
pub(crate) const GET: Ask = Ask { method: "GET", path: "/bytes/1000", body: "" };

/// One that a process has for a while, so that there are always some under way.
pub(crate) const SLOW_GET: Ask = Ask { method: "GET", path: "/sleep/5", body: "" };

/// A request that no balancer may send twice.
pub(crate) const POST: Ask = Ask { method: "POST", path: "/length", body: "how long is this?" };

/// Clients under way. Dropping it stops them.
pub(crate) struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// What the clients have seen so far.
#[derive(Clone, Default)]
pub(crate) struct State {
    stopped: bool,
    /// How many requests each client has had an answer to, or lost.
    pub(crate) done: Vec<u64>,
    /// How many answers all clients had when each had its last.
    last: Vec<u64>,
    /// What was lost, and how.
    pub(crate) lost: Vec<String>,
    /// How many were answered by each process, by the name that the balancer tells in `X-Served-By`.
    pub(crate) served: BTreeMap<String, u64>,
}

impl Load {
    /// Starts a client for each of `asks`, at `address`.
    pub(crate) fn start(address: SocketAddr, asks: &[Ask]) -> Load {
        let state = State { done: vec![0; asks.len()], last: vec![0; asks.len()], ..State::default() };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let clients = asks.iter().enumerate().map(|(number, &ask)| {
            let shared = shared.clone();
            thread::spawn(move || shared.run(number, address, ask))
        });
        let clients = clients.collect();
        Load { shared, clients }
    }

    /// Waits until every client has had `more` further answers.
    pub(crate) fn await_more(&self, more: u64) {
        let before = self.shared.lock().done.clone();
        self.wait(|state| state.done.iter().zip(&before).all(|(done, before)| *done >= before + more));
    }

    /// Waits until a client gets no answer, while the others have had many: its request is held by a process that
    /// stands still.
    pub(crate) fn await_held(&self) {
        self.wait(|state| state.last.iter().any(|last| state.answers() - last > 200));
    }

    /// Waits until the process of that name has answered again.
    pub(crate) fn await_served_by(&self, name: &str) {
        let before = self.shared.lock().served_by(name);
        self.wait(|state| state.served_by(name) > before);
    }

    /// Stops the clients, each behind its answer; gives what they have seen.
    pub(crate) fn finish(mut self) -> State {
        self.stop();
        self.shared.lock().clone()
    }

    fn wait(&self, mut is_so: impl FnMut(&State) -> bool) {
        let state = self.shared.lock();
        let waited = self.shared.changed.wait_timeout_while(state, PATIENCE, |state| !is_so(state));
        let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(
            !timeout.timed_out(),
            "the clients do not get there: {:?} answered, by {:?}; lost: {:#?}",
            state.done,
            state.served,
            state.lost
        );
    }

    fn stop(&mut self) {
        self.shared.lock().stopped = true;
        for client in self.clients.drain(..) {
            let _ = client.join();
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop();
    }
}

impl State {
    fn answers(&self) -> u64 {
        self.done.iter().sum()
    }

    fn served_by(&self, name: &str) -> u64 {
        self.served.get(name).copied().unwrap_or_default()
    }
}

impl Shared {
    fn run(&self, number: usize, address: SocketAddr, ask: Ask) {
        let end = Instant::now() + MOST_TIME;
        let mut connection = None;
        for count in 0..MOST_REQUESTS {
            if self.lock().stopped || Instant::now() > end {
                return;
            }
            if count % PER_CONNECTION == 0 {
                connection = None;
            }
            let answer = request(address, &mut connection, ask);
            let mut state = self.lock();
            state.done[number] += 1;
            state.last[number] = state.answers();
            match answer {
                Ok(response) if response.status == 200 && response.is_whole() => {
                    *state.served.entry(served_by(&response)).or_default() += 1;
                }
                Ok(response) => state.lost.push(format!("{} {}: {:?}", ask.method, response.status, response.text())),
                Err(error) => state.lost.push(format!("{} on request {count}: {error}", ask.method)),
            }
            drop(state);
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which process has answered: where several were tried, the last.
pub(crate) fn served_by(response: &Response) -> String {
    let names = response.header("x-served-by").unwrap_or_default();
    let name = names.rsplit(", ").next().unwrap_or_default();
    // Apache has a URL for it.
    name.rsplit("://").next().unwrap_or_default().to_owned()
}

fn request(address: SocketAddr, kept: &mut Option<Connection>, ask: Ask) -> io::Result<Response> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => Connection::open(address)?,
    };
    let Ask { method, path, body } = ask;
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    connection.send(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n{body}"))?;
    let response = connection.receive(method)?;
    let closes = response.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    if !closes && response.is_whole() {
        *kept = Some(connection);
    }
    Ok(response)
}
