//! The engine's promises, over HTTP: nobody waits for somebody else, and it stops gracefully.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;

use wgi::{Body, StatusCode, header};
use wgi_conformance::Journal;
use wgi_engine::Options;

use crate::server::{Server, listing};

/// [7.17]: more unfinished heads and idle connections than there are threads delay nobody.
#[test]
fn unfinished_heads_hold_no_thread() {
    let mut options = Options::default();
    options.threads = 1;
    let server = Server::new(options, listing);
    let mut held = Vec::new();
    for number in 0..100 {
        let mut connection = server.connect();
        let part = [
            "",
            "GET / HT",
            "GET / HTTP/1.1\r\nHost: h\r\nX: ",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc",
        ];
        connection.send(part[number % 4]).unwrap();
        held.push(connection);
    }
    for _ in 0..10 {
        server.is_well();
    }
    drop(held);
}

/// [7.17]: nor do more slow readers than there are threads.
#[test]
fn slow_readers_hold_no_thread() {
    let mut options = Options::default();
    options.threads = 2;
    let server = Server::new(options, |environ, start, calls| {
        calls.note("called");
        start.start(StatusCode::OK, [(header::CONTENT_TYPE, "text/plain")])?;
        Ok(match environ.path_info() {
            b"/well" => Body::from("well"),
            b"/chunk" => Body::from(vec![b'x'; 20_000_000]),
            _ => Body::from_chunks(std::iter::repeat_n(vec![b'x'; 100_000], 200)),
        })
    });
    let mut held = Vec::new();
    for number in 0..20 {
        let mut connection = server.connect();
        let path = ["/chunk", "/chunks"][number % 2];
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")).unwrap();
        held.push(connection);
    }
    assert!(server.calls.await_lines(|lines| lines.len() == 20), "not all of them were called");
    for _ in 0..10 {
        server.is_well();
    }
    // And each of them gets all of its response when it reads at last.
    for mut connection in held {
        let response = connection.receive("GET").unwrap();
        assert!(response.is_whole() && response.body.len() == 20_000_000);
    }
}

/// [7.18]: applications that are blocked delay nobody as long as a thread is left.
#[test]
fn blocked_applications_delay_nobody() {
    let mut options = Options::default();
    options.threads = 8;
    let (release, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let server = Server::new(options, move |environ, start, calls| {
        if environ.path_info() == b"/blocked" {
            calls.note("blocked");
            // Each message lets one go.
            let _ = gate.lock().unwrap().recv();
        }
        start.start(StatusCode::OK, [(header::CONTENT_TYPE, "text/plain")])?;
        Ok(Body::from("done"))
    });
    let mut blocked = Vec::new();
    for _ in 0..7 {
        let mut connection = server.connect();
        connection.send("GET /blocked HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
        blocked.push(connection);
    }
    assert!(server.calls.await_lines(|lines| lines.len() == 7), "not all of them run");
    for _ in 0..10 {
        server.is_well();
    }
    // Nobody knows which message lets which one go.
    (0..7).for_each(|_| release.send(()).unwrap());
    for mut connection in blocked {
        assert_eq!(connection.receive("GET").unwrap().text(), "done");
    }
}

/// [6.12]: streams that wait hold no thread.
#[test]
fn waiting_streams_hold_no_thread() {
    let mut options = Options::default();
    options.threads = 1;
    let wakers = Arc::new(Gate::default());
    let gate = wakers.clone();
    let server = Server::new(options, move |environ, start, calls| {
        start.start(StatusCode::OK, [(header::CONTENT_TYPE, "text/plain")])?;
        if environ.path_info() == b"/well" {
            return Ok(Body::from("well"));
        }
        calls.note("waiting");
        Ok(Body::from_stream::<_, _, wgi::Error>(gate.stream()))
    });
    let mut waiting = Vec::new();
    for _ in 0..20 {
        let mut connection = server.connect();
        connection.send("GET /stream HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
        waiting.push(connection);
    }
    assert!(server.calls.await_lines(|lines| lines.len() == 20), "not all of them were called");
    for _ in 0..10 {
        server.is_well();
    }
    wakers.open();
    for mut connection in waiting {
        assert_eq!(connection.receive("GET").unwrap().text(), "opened");
    }
}

/// [7.16]
#[test]
fn with_one_thread_there_is_one_call_at_a_time() {
    let mut options = Options::default();
    options.threads = 1;
    let server = Server::new(options, |environ, start, calls| {
        calls.note("in");
        thread::yield_now();
        calls.note("out");
        assert!(!environ.gateway().multithread);
        start.start(StatusCode::OK, [(header::CONTENT_TYPE, "text/plain")])?;
        Ok(Body::from("done"))
    });
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..10).for_each(|_| server.is_well()));
        }
    });
    let lines = server.calls.lines();
    assert_eq!(lines.len(), 160);
    assert!(lines.chunks(2).all(|pair| pair == ["in", "out"]), "calls overlapped");
}

/// [7.20]
#[test]
fn a_request_in_flight_is_finished_when_it_stops() {
    let (release, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let server = Server::new(Options::default(), move |_, start, calls| {
        calls.note("called");
        let _ = gate.lock().unwrap().recv();
        start.start(StatusCode::OK, [(header::CONTENT_TYPE, "text/plain")])?;
        Ok(Body::from("finished"))
    });
    let mut idle = server.connect();
    let mut connection = server.connect();
    connection.send("GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /behind HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    assert!(server.calls.await_lines(|lines| lines == ["called"]));
    let address = server.address;
    let stopping = thread::spawn(move || server.stop());
    // The idle connection is closed, so the engine has heard of it.
    assert_eq!(idle.rest().unwrap(), b"");
    release.send(()).unwrap();
    let response = connection.receive("GET").unwrap();
    assert_eq!(response.text(), "finished");
    assert_eq!(response.header("connection"), Some("close"));
    drop(connection);
    drop(release);
    stopping.join().unwrap().unwrap();
    assert!(TcpStream::connect(address).is_err(), "it still listens");
}

/// [9.5] [9.4]: panics cost neither threads nor connections.
#[test]
fn panics_cost_one_response_each() {
    let mut options = Options::default();
    options.threads = 2;
    let server = Server::new(options, |environ, start, _| {
        if environ.path_info() == b"/panic" {
            panic!("on purpose");
        }
        start.start(StatusCode::OK, [(header::CONTENT_TYPE, "text/plain")])?;
        Ok(Body::from("well"))
    });
    let mut connection = server.connect();
    for _ in 0..20 {
        connection.send("GET /panic HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        assert_eq!(connection.receive("GET").unwrap().status, 500);
    }
    server.is_well();
    // A turn is counted when it is over, which the client does not wait for.
    assert!(wait_until(|| server.handle.counters().panics == 20), "{:?}", server.handle.counters());
}

/// Peers that are gone before, or while, they are served.
#[test]
fn peers_that_vanish_do_no_harm() {
    let server = Server::listing();
    for number in 0..200 {
        let stream = TcpStream::connect(server.address).unwrap();
        // With nothing left to wait for, closing resets the connection.
        let _ = socket2_linger(&stream);
        let part = [
            "",
            "GET",
            "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab",
        ];
        let _ = (&stream).write_all(part[number % 4].as_bytes());
    }
    server.is_well();
    assert!(wait_until(|| server.handle.counters().open == 0), "{:?}", server.handle.counters());
}

/// [6.11]
#[test]
fn a_file_that_became_shorter_is_cut() {
    let server = Server::new(Options::default(), |_, start, _| {
        let file = tempfile::tempfile()?;
        file.set_len(50_000_000)?;
        let shorter = file.try_clone()?;
        start.start(StatusCode::OK, [(header::CONTENT_TYPE, "text/plain")])?;
        let body = Body::file(file)?;
        shorter.set_len(1_000_000)?;
        Ok(body)
    });
    let output = server.talk("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    let response = wgi_conformance::client::Response::read(&mut &output[..], "GET").unwrap();
    assert!(!response.is_whole() && response.body.len() <= 1_000_000, "{} bytes", response.body.len());
}

/// [4.27]
#[test]
fn the_deployer_adds_variables() {
    let mut options = Options::default();
    options.variables.push("SHELF", "top");
    options.variables.push("SERVER_NAME", "deployed.example");
    let server = Server::new(options, |environ, start, _| {
        start.start(StatusCode::OK, [(header::CONTENT_TYPE, "text/plain")])?;
        Ok(Body::from(format!("{} {}", environ.text("SHELF")?, environ.text("SERVER_NAME")?)))
    });
    let responses = server.responses("GET / HTTP/1.1\r\nHost: h\r\n\r\n", &["GET"]);
    assert_eq!(responses[0].text(), "top deployed.example");
}

/// [4.39]: an application that does not read keeps its peer from sending.
#[test]
fn a_body_is_not_collected_without_bound() {
    let (release, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let server = Server::new(Options::default(), move |mut environ, start, calls: &Journal| {
        calls.note("called");
        let _ = gate.lock().unwrap().recv();
        let length = io::copy(environ.input(), &mut io::sink())?;
        start.start(StatusCode::OK, [(header::CONTENT_TYPE, "text/plain")])?;
        Ok(Body::from(length.to_string()))
    });
    let mut connection = server.connect();
    connection.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 200000000\r\nConnection: close\r\n\r\n").unwrap();
    let mut sender = connection.socket().try_clone().unwrap();
    sender.set_nonblocking(true).unwrap();
    let piece = vec![b'x'; 100_000];
    let mut sent = 0;
    // Until the socket takes no more, with the application called and asleep.
    loop {
        match sender.write(&piece) {
            Ok(length) => sent += length,
            Err(_) if server.calls.lines().is_empty() => thread::yield_now(),
            Err(_) => break,
        }
        assert!(sent < 100_000_000, "{sent} bytes were taken in for an application that reads none");
    }
    sender.set_nonblocking(false).unwrap();
    release.send(()).unwrap();
    let rest = 200_000_000 - sent as u64;
    let sending = thread::spawn(move || io::copy(&mut io::repeat(b'x').take(rest), &mut sender));
    assert_eq!(connection.receive("POST").unwrap().text(), "200000000");
    sending.join().unwrap().unwrap();
}

fn socket2_linger(stream: &TcpStream) -> io::Result<()> {
    rustix::net::sockopt::set_socket_linger(stream, Some(std::time::Duration::ZERO))?;
    Ok(())
}

fn wait_until(mut is_so: impl FnMut() -> bool) -> bool {
    let start = std::time::Instant::now();
    while !is_so() {
        if start.elapsed() > std::time::Duration::from_secs(20) {
            return false;
        }
        thread::sleep(std::time::Duration::from_millis(5));
    }
    true
}

/// Streams that wait until a gate opens.
#[derive(Default)]
struct Gate {
    state: Mutex<(bool, Vec<std::task::Waker>)>,
}

impl Gate {
    fn stream(self: &Arc<Gate>) -> Waiting {
        Waiting { gate: self.clone(), done: false }
    }

    fn open(&self) {
        let mut state = self.state.lock().unwrap();
        state.0 = true;
        state.1.drain(..).for_each(std::task::Waker::wake);
    }
}

struct Waiting {
    gate: Arc<Gate>,
    done: bool,
}

impl futures_core::Stream for Waiting {
    type Item = Result<&'static str, wgi::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        use std::task::Poll;
        let gate = self.gate.clone();
        let mut state = gate.state.lock().unwrap();
        if !state.0 {
            state.1.push(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready((!std::mem::replace(&mut self.done, true)).then_some(Ok("opened")))
    }
}
