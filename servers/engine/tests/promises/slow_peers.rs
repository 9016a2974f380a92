//! A slow peer never holds a worker, and is given up in time.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use wgi::{Body, Bytes, Environ, Error, StartResponse, StatusCode};
use wgi_engine::{Address, Engine, Listener};
use wgi_http::Http;

use super::server::{PATIENCE, Server, get, hello, options};

#[test]
fn slow_peers_hold_no_worker() {
    let server = Server::start(options(1), |environ: Environ, start_response: &mut dyn StartResponse| {
        if environ.path_info() == b"/large" {
            start_response.start(StatusCode::OK, ())?;
            return Ok(Body::from_chunks((0..10_000).map(|_| Bytes::from_static(&[b'x'; 65_536]))));
        }
        hello(environ, start_response)
    });
    let idle: Vec<_> = (0..50).map(|_| server.connect()).collect();
    let unfinished: Vec<_> = (0..50).map(|_| server.send("GET / HTTP/1.1\r\nHost: loc")).collect();
    let bodiless: Vec<_> =
        (0..50).map(|_| server.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n123")).collect();
    let readers: Vec<_> = (0..20)
        .map(|_| {
            let mut reader = server.send(&get("/large"));
            // The response has begun, and is far larger than all that lies between.
            reader.read_exact(&mut [0; 1]).unwrap();
            reader
        })
        .collect();
    assert!(server.get("/").ends_with("hello"));
    drop((idle, unfinished, bodiless, readers));
}

#[test]
fn streams_with_nothing_ready_hold_no_worker() {
    let (sender, receiver) = channel::<Sender<()>>();
    let sender = Mutex::new(sender);
    let server = Server::start(options(1), move |environ: Environ, start_response: &mut dyn StartResponse| {
        if environ.path_info() == b"/" {
            return hello(environ, start_response);
        }
        start_response.start(StatusCode::OK, ())?;
        let (go, wait) = channel();
        sender.lock().unwrap().send(go).unwrap();
        Ok(Body::from_stream(WhenTold { wait: Arc::new(Mutex::new(wait)), given: 0, asked: false }))
    });
    let mut streams: Vec<_> = (0..20).map(|_| server.send(&get("/stream"))).collect();
    let starters: Vec<_> = (0..20).map(|_| receiver.recv_timeout(PATIENCE).unwrap()).collect();
    assert!(server.get("/").ends_with("hello"));
    for starter in &starters {
        starter.send(()).unwrap();
    }
    for stream in &mut streams {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("0\r\n\r\n"), "{answer}");
    }
}

/// A stream that gives its one chunk when it is told to, and is woken by another thread.
struct WhenTold {
    wait: Arc<Mutex<Receiver<()>>>,
    given: u8,
    asked: bool,
}

impl futures_core::Stream for WhenTold {
    type Item = Result<Bytes, Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        use std::task::Poll;
        if self.given == 1 {
            return Poll::Ready(None);
        }
        if self.asked {
            self.given = 1;
            return Poll::Ready(Some(Ok(Bytes::from_static(b"told"))));
        }
        self.asked = true;
        let (wait, waker) = (self.wait.clone(), context.waker().clone());
        thread::spawn(move || {
            let _ = wait.lock().unwrap().recv_timeout(PATIENCE);
            waker.wake();
        });
        Poll::Pending
    }
}

#[test]
fn a_client_that_sends_but_does_not_read_is_given_up() {
    let mut options = options(1);
    options.write_timeout = Duration::from_secs(1);
    let server = Server::start(options, |_: Environ, start_response: &mut dyn StartResponse| {
        start_response.start(StatusCode::OK, ())?;
        Ok(Body::from(vec![b'x'; 64 << 20]))
    });
    let mut client = server.send(&get("/"));
    let start = Instant::now();
    while client.write_all(b"x").is_ok() {
        assert!(start.elapsed() < PATIENCE, "a byte now and then keeps the connection open");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_time_of_an_application_is_not_taken_for_its_clients() {
    const LENGTH: usize = 4 << 20;
    let timeout = Duration::from_secs(2);
    let mut options = options(2);
    options.write_timeout = timeout;
    let app = move |_: Environ, start_response: &mut dyn StartResponse| {
        start_response.start(StatusCode::OK, ())?;
        thread::sleep(timeout);
        Ok::<_, Error>(Body::from(vec![b'x'; LENGTH]))
    };
    // A Unix socket holds less than the engine sends in a turn, so that it waits in the turn of the call.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let mut engine = Engine::new(options);
    engine.listen(Listener::bind(&Address::Unix(path.clone())).unwrap(), Http::default(), Arc::new(app));
    let handle = engine.handle();
    let engine = thread::spawn(move || engine.run());
    let mut client = BufReader::new(UnixStream::connect(path).unwrap());
    client.get_mut().write_all(get("/").as_bytes()).unwrap();
    client.fill_buf().unwrap();
    // Long enough for the engine to look for connections whose time is up, and much less than the client has.
    thread::sleep(timeout / 4);
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert!(answer.len() > LENGTH, "the response was cut after {} bytes", answer.len());
    handle.stop();
    engine.join().unwrap().unwrap();
}

#[test]
fn slow_requests_are_refused_in_time() {
    let mut options = options(1);
    options.head_timeout = Duration::from_millis(50);
    options.body_timeout = Duration::from_millis(50);
    options.keep_alive_timeout = Duration::from_millis(50);
    options.body_buffer = 16;
    let server = Server::start(options, |mut environ: Environ, start_response: &mut dyn StartResponse| {
        std::io::copy(environ.input(), &mut std::io::sink())?;
        hello(environ, start_response)
    });
    assert!(server.exchange("GET / HTTP/1.1\r\nHost").starts_with("HTTP/1.1 408 "));
    let head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n";
    assert!(server.exchange(&format!("{head}12")).starts_with("HTTP/1.1 408 "), "while it is collected");
    assert!(server.exchange(&format!("{head}{}", "x".repeat(50))).starts_with("HTTP/1.1 408 "), "while it is read");
    assert_eq!(server.exchange(""), "", "an idle connection is closed without a word");
}

#[test]
fn further_connections_wait_for_room() {
    let mut options = options(1);
    options.max_connections = 2;
    let server = Server::start(options, hello);
    let first = server.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let second = server.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    for mut connection in [&first, &second] {
        connection.read_exact(&mut [0; 10]).unwrap();
    }
    let mut third = server.send(&get("/"));
    assert_eq!(server.handle.counters().accepted, 2);
    drop(first);
    let mut answer = String::new();
    third.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("hello"));
}
