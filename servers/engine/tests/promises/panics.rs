//! A panic costs one response, or one connection.

use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use wgi::{Body, Bytes, Environ, StartResponse, StatusCode};

use super::server::{PATIENCE, Server, get, hello, options};

#[test]
fn a_panic_costs_one_response() {
    let server = Server::start(options(1), |environ: Environ, start_response: &mut dyn StartResponse| {
        if environ.path_info() == b"/panic" {
            panic!("on purpose");
        }
        hello(environ, start_response)
    });
    let mut connection = server.send("GET /panic HTTP/1.1\r\nHost: localhost\r\n\r\n");
    connection.write_all(get("/").as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    assert!(answer.ends_with("hello"), "the connection goes on: {answer}");
    // A turn is counted when it is over, which the client does not wait for.
    let start = Instant::now();
    while server.handle.counters().panics != 1 {
        assert!(start.elapsed() < PATIENCE, "{:?}", server.handle.counters());
        thread::yield_now();
    }
}

#[test]
fn a_panic_outside_of_the_application_costs_its_connection_and_no_more() {
    /// Bytes that panic when they are dropped, which is when they were sent.
    struct Owner;
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            &[b'x'; 10_000]
        }
    }
    impl Drop for Owner {
        fn drop(&mut self) {
            panic!("as the test has it");
        }
    }
    let server = Server::start(options(2), |environ: Environ, start_response: &mut dyn StartResponse| {
        if environ.path_info() == b"/owner" {
            start_response.start(StatusCode::OK, ())?;
            return Ok(Body::from(Bytes::from_owner(Owner)));
        }
        hello(environ, start_response)
    });
    for _ in 0..3 {
        server.get("/owner");
        assert!(server.get("/").ends_with("hello"));
    }
    let start = Instant::now();
    while server.handle.counters().open > 0 {
        assert!(start.elapsed() < PATIENCE, "connections that are over count as open");
        assert!(!server.handle.await_stop(Duration::from_millis(5)), "nobody told it to stop");
    }
    assert_eq!(server.handle.counters().requests, 6);
}
