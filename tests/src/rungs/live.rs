//! The third rung: an engine that listens on a socket, and a client that connects to it.

use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use wgi::{App, Body, Environ, Error, StartResponse};
use wgi_engine::{Address, Engine, Handle, Listener, Options, Protocol};

use super::Report;
use super::memory::info;
use crate::adapter::BODY_LIMIT;
use crate::client::PATIENCE;
use crate::{Adapter, Capability, Case, Journal, Seen};

/// What this rung adds to an adapter's capabilities.
const CAPABILITIES: &[Capability] = &[
    Capability::SameProcess,
    Capability::Disconnects,
    Capability::BodyLimit,
    Capability::CallsOften,
    Capability::Environ,
];

/// Runs every case against one engine.
///
/// # Errors
/// When the engine cannot be started.
pub fn run(adapter: &impl Adapter) -> io::Result<Report> {
    let capabilities = [adapter.can(), CAPABILITIES].concat();
    let server = Server::start(adapter)?;
    Ok(Report::of(&capabilities, |case, journal| {
        server.host(case.host(journal));
        let others: Vec<io::Result<TcpStream>> = (0..case.beside).map(|_| ask(server.address, adapter, case)).collect();
        let seen = exchange(server.address, adapter, case, journal);
        for other in others {
            // They are there to be in the way; that they were answered is all that matters.
            let read = other.and_then(|stream| adapter.decode(&mut BufReader::new(stream), &case.request));
            read.map_err(|error| format!("a request beside it: {error}"))?;
        }
        seen.map_err(|error| error.to_string())
    }))
}

/// An engine with the application of one case after another.
struct Server {
    address: SocketAddr,
    app: Arc<Stage>,
    handle: Handle,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Server {
    fn start(adapter: &impl Adapter) -> io::Result<Server> {
        let listener = Listener::bind(&Address::Tcp { host: Ipv4Addr::LOCALHOST.to_string(), port: 0 })?;
        let address = listener.address().to_string().parse().map_err(io::Error::other)?;
        let mut options = Options::default();
        options.max_body = BODY_LIMIT;
        let app = Arc::new(Stage::default());
        let mut engine = Engine::new(options);
        engine.listen(listener, adapter.protocol(), app.clone());
        let handle = engine.handle();
        let thread = Some(thread::spawn(move || engine.run()));
        Ok(Server { address, app, handle, thread })
    }

    fn host(&self, app: Arc<dyn App>) {
        *self.app.app.lock().unwrap_or_else(PoisonError::into_inner) = Some(app);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.handle.stop();
        if let Some(thread) = self.thread.take() {
            // What it ended with has nothing to do with the cases, which are over.
            let _ = thread.join();
        }
    }
}

/// Where the application of the current case stands.
#[derive(Default)]
struct Stage {
    app: Mutex<Option<Arc<dyn App>>>,
}

impl App for Stage {
    fn call(&self, environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
        let app = self.app.lock().unwrap_or_else(PoisonError::into_inner).clone();
        app.ok_or_else(|| Error::new("no case is running"))?.call(environ, start_response)
    }
}

/// Sends the request of a case on a connection of its own, and leaves the response for later.
fn ask(address: SocketAddr, adapter: &impl Adapter, case: &Case) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&adapter.encode(&case.request, true))?;
    Ok(stream)
}

fn exchange(address: SocketAddr, adapter: &impl Adapter, case: &Case, journal: &Journal) -> io::Result<Seen> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    if adapter.protocol().codec(&info()).is_on_demand() && case.request.leaves_after.is_none() {
        let mut received = BufReader::new(Received { stream: &stream, journal });
        if let Some(before) = &case.before {
            adapter.converse(&mut received, &stream, before, false)?;
        }
        return adapter.converse(&mut received, &stream, &case.request, true);
    }
    let mut bytes = case.before.as_ref().map(|before| adapter.encode(before, false)).unwrap_or_default();
    bytes.extend(adapter.encode(&case.request, true));
    let mut sender = stream.try_clone()?;
    let breaks_off = case.request.breaks_off.is_some();
    thread::scope(|scope| {
        // Beside the reading: a server may answer before it has read all, and neither side must wait for the other.
        scope.spawn(move || {
            let sent = sender.write_all(&bytes);
            if sent.is_ok() && breaks_off {
                let _ = sender.shutdown(Shutdown::Write);
            }
        });
        let mut received = BufReader::new(Received { stream: &stream, journal });
        let seen = match case.request.leaves_after {
            Some(after) => {
                let read = io::copy(&mut (&mut received).take(after as u64), &mut io::sink());
                read.and_then(|_| Err(io::Error::other("the client left")))
            }
            None => (|| {
                if let Some(before) = &case.before {
                    adapter.decode(&mut received, before)?;
                }
                adapter.decode(&mut received, &case.request)
            })(),
        };
        let _ = stream.shutdown(Shutdown::Both);
        seen
    })
}

/// What comes to the client, which the journal hears of.
struct Received<'a> {
    stream: &'a TcpStream,
    journal: &'a Journal,
}

impl Read for Received<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(into)?;
        self.journal.received(&into[..read]);
        Ok(read)
    }
}
