//! What the engine promises holds with TLS too: slow peers hold no thread, slow applications delay nobody, a panic
//! costs one response, a stop is graceful.

use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection};
use wgi::{App, Body, Bytes, Environ, Error, StartResponse, StatusCode};
use wgi_engine::Options;

use crate::common::{Authority, Files, PATIENCE, Server, get, options};

fn hello(_: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
    start_response.start(StatusCode::OK, [("content-type", "text/plain")])?;
    Ok(Body::from("hello"))
}

fn start(options: Options, app: impl App + 'static) -> (Server, Arc<ClientConfig>, Files) {
    let authority = Authority::new("authority");
    let files = Files::new(&authority.identity("server"));
    let server = Server::start(options, files.certificate_files(), app);
    (server, Arc::new(authority.client(rustls::ALL_VERSIONS, None)), files)
}

/// A gate that applications wait at until the test opens it.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<(bool, usize)>, Condvar)>);

impl Gate {
    fn wait(&self) {
        let (state, changed) = &*self.0;
        let mut state = state.lock().unwrap();
        state.1 += 1;
        changed.notify_all();
        let _unused = changed.wait_while(state, |(open, _)| !*open).unwrap();
    }

    fn await_waiting(&self, count: usize) {
        let (state, changed) = &*self.0;
        let state = state.lock().unwrap();
        let (_state, timeout) = changed.wait_timeout_while(state, PATIENCE, |(_, waiting)| *waiting < count).unwrap();
        assert!(!timeout.timed_out(), "the application was not called often enough");
    }

    fn open(&self) {
        self.0.0.lock().unwrap().0 = true;
        self.0.1.notify_all();
    }
}

/// The first bytes that a client says.
fn client_hello(config: &Arc<ClientConfig>) -> Vec<u8> {
    let mut client = ClientConnection::new(config.clone(), "localhost".try_into().unwrap()).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    hello
}

#[test]
fn slow_peers_hold_no_thread() {
    let (server, client, _files) = start(options(1), |environ: Environ, start: &mut dyn StartResponse| {
        if environ.path_info() == b"/large" {
            start.start(StatusCode::OK, ())?;
            return Ok(Body::from_chunks((0..10_000).map(|_| Bytes::from_static(&[b'x'; 65_536]))));
        }
        hello(environ, start)
    });
    let first = client_hello(&client);
    let unspoken: Vec<_> = (0..20).map(|_| server.tcp()).collect();
    let half: Vec<_> = (1..20)
        .map(|part| {
            let mut stream = server.tcp();
            stream.write_all(&first[..first.len() * part / 20]).unwrap();
            stream
        })
        .collect();
    // The server's part of the handshake is sent, and not read.
    let unread: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = server.tcp();
            stream.write_all(&first).unwrap();
            stream
        })
        .collect();
    let unfinished: Vec<_> =
        ["", "GET / HTTP/1.1\r\nHost: loc", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n1"]
            .into_iter()
            .flat_map(|part| (0..10).map(move |_| part))
            .map(|part| {
                let mut connection = server.connect(&client);
                connection.0.conn.complete_io(&mut connection.0.sock).unwrap();
                connection.send(part).unwrap();
                connection
            })
            .collect();
    let readers: Vec<_> = (0..5)
        .map(|_| {
            let mut reader = server.connect(&client);
            reader.send(get("/large")).unwrap();
            // The response has begun, and is far larger than all that lies between.
            reader.0.read_exact(&mut [0; 1]).unwrap();
            reader
        })
        .collect();
    assert!(server.get(&client, "/").unwrap().ends_with("hello"));
    drop((unspoken, half, unread, unfinished, readers));
}

/// [10.41] [11.9]
#[test]
fn a_slow_handshake_is_given_up() {
    let mut options = options(1);
    options.head_timeout = Duration::from_millis(300);
    options.keep_alive_timeout = Duration::from_secs(60 * 60);
    let (server, client, _files) = start(options, hello);
    let first = client_hello(&client);
    for length in [1, 5, first.len() / 2, first.len() - 1, first.len()] {
        let mut stream = server.tcp();
        stream.write_all(&first[..length]).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let has_flight = length == first.len();
        assert_eq!(!answer.is_empty(), has_flight, "nothing but the server's own part: {}", answer.escape_ascii());
    }
    // Also a head that does not end within TLS, which is told so.
    let mut connection = server.connect(&client);
    connection.send("GET / HTTP/1.1\r\nHost").unwrap();
    assert!(connection.rest().unwrap().starts_with("HTTP/1.1 408 "));
}

#[test]
fn a_reader_that_does_not_read_is_given_up() {
    let (sender, receiver) = channel();
    let held = Mutex::new(Some(Dropped(sender)));
    let mut options = options(1);
    options.write_timeout = Duration::from_millis(300);
    let (server, client, _files) = start(options, move |_: Environ, start: &mut dyn StartResponse| {
        start.start(StatusCode::OK, ())?;
        let held = held.lock().unwrap().take();
        Ok::<_, Error>(Body::from_chunks((0..u64::MAX).map(move |_| {
            let _held = &held;
            Bytes::from_static(&[b'x'; 65_536])
        })))
    });
    let mut connection = server.connect(&client);
    connection.send(get("/")).unwrap();
    receiver.recv_timeout(PATIENCE).expect("its body is still held");
    assert!(connection.rest().is_err(), "what was cut is no end");
}

/// Tells the test when it is dropped.
struct Dropped(Sender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[test]
fn slow_applications_delay_nobody() {
    let gate = Gate::default();
    let waiting = gate.clone();
    let (server, client, _files) = start(options(4), move |environ: Environ, start: &mut dyn StartResponse| {
        if environ.path_info() == b"/wait" {
            waiting.wait();
        }
        hello(environ, start)
    });
    let mut blocked: Vec<_> = (0..3)
        .map(|_| {
            let mut connection = server.connect(&client);
            connection.send(get("/wait")).unwrap();
            connection
        })
        .collect();
    gate.await_waiting(3);
    for _ in 0..10 {
        assert!(server.get(&client, "/").unwrap().ends_with("hello"));
    }
    gate.open();
    for connection in &mut blocked {
        assert!(connection.rest().unwrap().ends_with("hello"));
    }
}

#[test]
fn a_panic_costs_one_response() {
    let (server, client, _files) = start(options(1), |environ: Environ, start: &mut dyn StartResponse| {
        if environ.path_info() == b"/panic" {
            panic!("on purpose");
        }
        hello(environ, start)
    });
    let mut connection = server.connect(&client);
    let answer = connection.exchange(&format!("GET /panic HTTP/1.1\r\nHost: h\r\n\r\n{}", get("/"))).unwrap();
    assert!(answer.starts_with("HTTP/1.1 500 ") && answer.ends_with("hello"), "{answer}");
}

#[test]
fn streams_with_nothing_ready_hold_no_thread() {
    let (sender, receiver) = channel::<Sender<()>>();
    let sender = Mutex::new(sender);
    let (server, client, _files) = start(options(1), move |environ: Environ, start: &mut dyn StartResponse| {
        if environ.path_info() == b"/" {
            return hello(environ, start);
        }
        start.start(StatusCode::OK, ())?;
        let (go, wait) = channel();
        sender.lock().unwrap().send(go).unwrap();
        Ok(Body::from_stream(WhenTold { wait: Some(wait), is_given: Arc::default() }))
    });
    let mut streams: Vec<_> = (0..5)
        .map(|_| {
            let mut connection = server.connect(&client);
            connection.send(get("/stream")).unwrap();
            connection
        })
        .collect();
    let starters: Vec<_> = streams.iter().map(|_| receiver.recv_timeout(PATIENCE).unwrap()).collect();
    assert!(server.get(&client, "/").unwrap().ends_with("hello"));
    for starter in &starters {
        starter.send(()).unwrap();
    }
    for stream in &mut streams {
        assert!(stream.rest().unwrap().ends_with("told\r\n0\r\n\r\n"));
    }
}

/// A stream that gives its one chunk when it is told to, and is woken by another thread.
struct WhenTold {
    wait: Option<Receiver<()>>,
    is_given: Arc<Mutex<Option<bool>>>,
}

impl futures_core::Stream for WhenTold {
    type Item = Result<Bytes, Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        use std::task::Poll;
        if let Some(wait) = self.wait.take() {
            let (is_given, waker) = (self.is_given.clone(), context.waker().clone());
            thread::spawn(move || {
                let _ = wait.recv_timeout(PATIENCE);
                *is_given.lock().unwrap() = Some(false);
                waker.wake();
            });
        }
        let mut is_given = self.is_given.lock().unwrap();
        match *is_given {
            None => Poll::Pending,
            Some(false) => {
                *is_given = Some(true);
                Poll::Ready(Some(Ok(Bytes::from_static(b"told"))))
            }
            Some(true) => Poll::Ready(None),
        }
    }
}

#[test]
fn what_is_written_goes_out_before_the_call_returns() {
    let gate = Gate::default();
    let waiting = gate.clone();
    let (server, client, _files) = start(options(2), move |_: Environ, start: &mut dyn StartResponse| {
        start.start(StatusCode::OK, ())?;
        start.write(Bytes::from_static(b"written"))?;
        waiting.wait();
        Ok::<_, Error>(Body::from("returned"))
    });
    let mut connection = server.connect(&client);
    connection.send(get("/")).unwrap();
    connection.read_until(b"written\r\n");
    gate.open();
    assert_eq!(connection.rest().unwrap(), "8\r\nreturned\r\n0\r\n\r\n");
}

#[test]
fn continue_is_sent_when_the_body_is_read() {
    let (server, client, _files) = start(options(1), |mut environ: Environ, start: &mut dyn StartResponse| {
        let body = environ.input().read_all(1_000)?;
        start.start(StatusCode::OK, ())?;
        Ok::<_, Error>(Body::from(body))
    });
    let mut connection = server.connect(&client);
    connection
        .send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
        .unwrap();
    assert_eq!(connection.read_until(b"\r\n\r\n"), b"HTTP/1.1 100 Continue\r\n\r\n");
    assert!(connection.exchange("body").unwrap().ends_with("\r\n\r\nbody"));
}

#[test]
fn a_stop_is_graceful() {
    let gate = Gate::default();
    let waiting = gate.clone();
    let (mut server, client, _files) = start(options(4), move |environ: Environ, start: &mut dyn StartResponse| {
        if environ.path_info() == b"/wait" {
            waiting.wait();
        }
        hello(environ, start)
    });
    let mut in_flight = server.connect(&client);
    in_flight.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    let mut idle = server.connect(&client);
    idle.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    idle.read_until(b"hello");
    gate.await_waiting(1);
    server.handle.stop();
    assert_eq!(idle.rest().unwrap(), "", "it is said to be the end");
    gate.open();
    let answer = in_flight.rest().unwrap();
    assert!(answer.ends_with("hello") && answer.to_lowercase().contains("connection: close"), "{answer}");
    server.stop().unwrap();
}
