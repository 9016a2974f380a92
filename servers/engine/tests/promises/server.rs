//! A server of the test's own, and the applications and clients that the tests share.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wgi::{App, Body, Environ, Error, StartResponse, StatusCode, header};
use wgi_engine::{Address, Engine, Handle, Listener, Options};
use wgi_http::Http;

/// How long a test waits for what must come; no test waits for it to be over.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// An engine that runs for the time of a test.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) handle: Handle,
    pub(crate) thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Server {
    pub(crate) fn start(options: Options, app: impl App + 'static) -> Server {
        let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).unwrap();
        let Address::Tcp { host, port } = listener.address() else { panic!("an address of TCP") };
        let address = SocketAddr::new(host.parse().unwrap(), *port);
        let mut engine = Engine::new(options);
        engine.listen(listener, Http::default(), Arc::new(app));
        let handle = engine.handle();
        let thread = Some(thread::spawn(move || engine.run()));
        Server { address, handle, thread }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A connection on which this was sent.
    pub(crate) fn send(&self, request: &str) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    /// The whole of what comes back, up to the end of the connection.
    pub(crate) fn exchange(&self, request: &str) -> String {
        let mut answer = Vec::new();
        self.send(request).read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub(crate) fn get(&self, path: &str) -> String {
        self.exchange(&get(path))
    }

    pub(crate) fn stop(&mut self) -> std::io::Result<()> {
        self.handle.stop();
        self.thread.take().map_or(Ok(()), |thread| thread.join().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.handle.stop();
    }
}

pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
}

pub(crate) fn options(threads: usize) -> Options {
    let mut options = Options::default();
    options.threads = threads;
    options
}

pub(crate) fn hello(_: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
    start_response.start(StatusCode::OK, [(header::CONTENT_TYPE, "text/plain")])?;
    Ok(Body::from("hello"))
}

/// A gate that applications wait at until the test opens it.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<(bool, usize)>, Condvar)>);

impl Gate {
    pub(crate) fn wait(&self) {
        let (state, changed) = &*self.0;
        let mut state = state.lock().unwrap();
        state.1 += 1;
        changed.notify_all();
        let _unused = changed.wait_while(state, |(open, _)| !*open).unwrap();
    }

    pub(crate) fn await_waiting(&self, count: usize) {
        let (state, changed) = &*self.0;
        let state = state.lock().unwrap();
        let (_state, timeout) = changed.wait_timeout_while(state, PATIENCE, |(_, waiting)| *waiting < count).unwrap();
        assert!(!timeout.timed_out(), "the application was not called often enough");
    }

    pub(crate) fn open(&self) {
        self.0.0.lock().unwrap().0 = true;
        self.0.1.notify_all();
    }
}

/// Tells the test when it is dropped.
pub(crate) struct Dropped(Sender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

pub(crate) fn dropped() -> (Arc<Mutex<Option<Dropped>>>, Receiver<()>) {
    let (sender, receiver) = channel();
    (Arc::new(Mutex::new(Some(Dropped(sender)))), receiver)
}

/// Sends a request on a kept connection, and reads its answer.
pub(crate) fn ask(connection: &mut TcpStream, path: &str) {
    connection.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).unwrap();
    read_answer(connection);
}

pub(crate) fn read_answer(connection: &mut TcpStream) {
    let mut answer = Vec::new();
    while !answer.ends_with(b"hello") {
        let mut piece = [0; 1024];
        let length = connection.read(&mut piece).expect("an answer");
        assert!(length > 0, "the connection is closed behind {:?}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&piece[..length]);
    }
}

/// An application that answers on `/meet` only when as many others are in it at the same time.
pub(crate) fn meeting(count: usize) -> impl App {
    let barrier = Barrier::new(count);
    move |environ: Environ, start_response: &mut dyn StartResponse| {
        if environ.path_info() == b"/meet" {
            barrier.wait();
        }
        hello(environ, start_response)
    }
}
