//! An engine of the test's own with an application that keeps a list of its calls.

use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use wgi::{App, Body, Environ, Error, StartResponse, StatusCode, header};
use wgi_conformance::Journal;
use wgi_conformance::client::{Connection, Response};
use wgi_engine::{Address, Engine, Handle, Listener, Options};
use wgi_http::Http;

/// A running engine; dropping it stops it.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) calls: Journal,
    pub(crate) handle: Handle,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Server {
    /// With the application of [`listing`], and the default options.
    pub(crate) fn listing() -> Server {
        Server::new(Options::default(), listing)
    }

    /// With an application of the test's.
    pub(crate) fn new(
        options: Options,
        app: impl Fn(Environ, &mut dyn StartResponse, &Journal) -> Result<Body, Error> + Send + Sync + 'static,
    ) -> Server {
        Server::with_http(Http::new(), options, app)
    }

    /// With limits of the test's.
    pub(crate) fn with_http(
        http: Http,
        options: Options,
        app: impl Fn(Environ, &mut dyn StartResponse, &Journal) -> Result<Body, Error> + Send + Sync + 'static,
    ) -> Server {
        let listener = Listener::bind(&Address::Tcp { host: Ipv4Addr::LOCALHOST.to_string(), port: 0 }).unwrap();
        let address = listener.address().to_string().parse().unwrap();
        let calls = Journal::new();
        let mut engine = Engine::new(options);
        let noted = calls.clone();
        let app = move |environ: Environ, start: &mut dyn StartResponse| app(environ, start, &noted);
        let app: Arc<dyn App> = Arc::new(wgi_middleware::Lint::new(app));
        engine.listen(listener, http, app);
        let handle = engine.handle();
        Server { address, calls, handle, thread: Some(thread::spawn(move || engine.run())) }
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.address).unwrap()
    }

    /// Sends bytes on a new connection, says that nothing more will come, and gives all that comes back.
    pub(crate) fn talk(&self, bytes: impl AsRef<[u8]>) -> Vec<u8> {
        let mut connection = self.connect();
        // The server may have closed already.
        let _ = connection.send(bytes);
        let _ = connection.finish();
        connection.rest().unwrap()
    }

    /// As [`talk`](Server::talk), with what comes back as the responses to requests of these methods; nothing may
    /// stand behind the last.
    #[track_caller]
    pub(crate) fn responses(&self, bytes: impl AsRef<[u8]>, methods: &[&str]) -> Vec<Response> {
        let output = self.talk(bytes);
        let mut rest = &output[..];
        let responses = methods.iter().map(|method| match Response::read(&mut rest, method) {
            Ok(response) => response,
            Err(error) => panic!("{error} in {}", output.escape_ascii()),
        });
        let responses: Vec<_> = responses.collect();
        assert!(rest.is_empty(), "behind the last response: {}", rest.escape_ascii());
        responses
    }

    /// Whether a new connection gets a plain answer: whatever happened before did no harm.
    #[track_caller]
    pub(crate) fn is_well(&self) {
        let [response] = &self.responses("GET /well HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", &["GET"])[..]
        else {
            panic!("no response");
        };
        assert_eq!(response.status, 200, "{response:?}");
    }

    /// Ends it, and gives what `run` returned.
    pub(crate) fn stop(mut self) -> io::Result<()> {
        self.handle.stop();
        self.join()
    }

    fn join(&mut self) -> io::Result<()> {
        match self.thread.take() {
            Some(thread) => thread.join().unwrap_or_else(|_| Err(io::Error::other("the engine panicked"))),
            None => Ok(()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.handle.stop();
        let _ = self.join();
    }
}

/// Notes method, path and body of each request, and answers with the same.
pub(crate) fn listing(mut environ: Environ, start: &mut dyn StartResponse, calls: &Journal) -> Result<Body, Error> {
    let line = format!("{} {}", environ.method(), String::from_utf8_lossy(environ.path_info()));
    calls.note(&line);
    let mut body = String::new();
    environ.input().read_to_string(&mut body)?;
    if !body.is_empty() {
        calls.note(format!("body {body}"));
    }
    start.start(StatusCode::OK, [(header::CONTENT_TYPE, "text/plain")])?;
    Ok(Body::from(format!("{line} {body}")))
}
