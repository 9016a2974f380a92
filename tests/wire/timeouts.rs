//! Slow peers. The timeouts are short here, and the tests wait for what must come of them; none measures time.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use wgi::{Body, StatusCode, header};
use wgi_engine::Options;

use crate::server::{Server, listing};

const SHORT: Duration = Duration::from_millis(200);

/// An answer of 408, or none, and then the end.
#[track_caller]
fn is_timeout(output: &[u8]) {
    assert!(output.is_empty() || output.starts_with(b"HTTP/1.1 408 "), "{}", output.escape_ascii());
}

/// [11.9]
#[test]
fn a_slow_head_is_given_up() {
    let mut options = Options::default();
    options.head_timeout = SHORT;
    let server = Server::new(options, listing);
    for part in ["G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: h\r\n"] {
        let mut connection = server.connect();
        connection.send(part).unwrap();
        is_timeout(&connection.rest().unwrap());
    }
    // Also behind a request that was answered.
    let mut connection = server.connect();
    connection.send("GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /half").unwrap();
    assert_eq!(connection.receive("GET").unwrap().status, 200);
    is_timeout(&connection.rest().unwrap());
    assert_eq!(server.calls.lines(), ["GET /"]);
}

/// [11.9]: a byte now and then does not extend it.
#[test]
fn a_dripping_head_is_given_up() {
    let mut options = Options::default();
    options.head_timeout = SHORT;
    let server = Server::new(options, listing);
    let mut connection = server.connect();
    connection.send("GET /").unwrap();
    let mut sender = connection.socket().try_clone().unwrap();
    let given_up = AtomicBool::new(false);
    thread::scope(|scope| {
        let dripping = scope.spawn(|| {
            // A minute's worth. A server may read and drop what comes behind its answer.
            for _ in 0..3000 {
                if given_up.load(Ordering::Relaxed) || sender.write_all(b"x").is_err() {
                    return;
                }
                thread::sleep(Duration::from_millis(20));
            }
            panic!("the server waited for the whole head");
        });
        let output = connection.rest().unwrap();
        given_up.store(true, Ordering::Relaxed);
        dripping.join().unwrap();
        is_timeout(&output);
    });
}

/// [11.9]: an idle connection is closed without a word, which a client would take for the answer to its next request.
#[test]
fn an_idle_connection_is_closed() {
    let mut options = Options::default();
    options.keep_alive_timeout = SHORT;
    options.head_timeout = SHORT;
    let server = Server::new(options, listing);
    let mut connection = server.connect();
    connection.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    assert_eq!(connection.receive("GET").unwrap().status, 200);
    assert_eq!(connection.rest().unwrap(), b"");
    let mut silent = server.connect();
    assert_eq!(silent.rest().unwrap(), b"");
}

/// [11.9] [7.17]
#[test]
fn a_slow_body_is_given_up() {
    let mut options = Options::default();
    options.body_timeout = SHORT;
    // So that the application is called, and waits for the rest.
    options.body_buffer = 10;
    let server = Server::new(options, |mut environ, start, calls| {
        let read = environ.input().read_to_end(&mut Vec::new());
        calls.note(if read.is_ok() { "whole" } else { "broken" });
        read?;
        start.start(StatusCode::OK, [(header::CONTENT_TYPE, "text/plain")])?;
        Ok(Body::from("read"))
    });
    let mut connection = server.connect();
    connection.send(format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{}", "x".repeat(50))).unwrap();
    is_timeout(&connection.rest().unwrap());
    assert_eq!(server.calls.lines(), ["broken"]);
    // And one that is short enough to be collected first.
    let mut connection = server.connect();
    connection.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nxx").unwrap();
    is_timeout(&connection.rest().unwrap());
    assert!(!server.calls.lines().contains(&"whole".to_owned()));
}

/// [11.9]
#[test]
fn a_reader_that_does_not_read_is_given_up() {
    let mut options = Options::default();
    options.write_timeout = SHORT;
    let server = Server::new(options, |_, start, calls| {
        start.start(StatusCode::OK, [(header::CONTENT_TYPE, "text/plain")])?;
        let closed = calls.note_at_drop("closed");
        let body = Body::from_chunks(std::iter::repeat_with(|| vec![b'x'; 100_000]));
        Ok(body.on_close(move || drop(closed)))
    });
    let mut connection = server.connect();
    connection.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    assert!(server.calls.await_lines(|lines| lines == ["closed"]), "its body is still held");
    drop(connection);
}
