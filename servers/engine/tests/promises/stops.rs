//! A stop is graceful: it loses no request, and does not wait for ever.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use wgi::{Environ, StartResponse};

use super::server::{Gate, PATIENCE, Server, ask, get, hello, meeting, options};

#[test]
fn a_stop_among_slow_applications_loses_nothing() {
    for _ in 0..5 {
        let mut server = Server::start(options(6), meeting(2));
        let clients = [(); 2].map(|()| {
            let mut connection = server.connect();
            thread::spawn(move || (0..20).for_each(|_| ask(&mut connection, "/meet")))
        });
        for client in clients {
            client.join().unwrap();
        }
        let address = server.address;
        let connecting = [(); 2].map(|()| thread::spawn(move || while TcpStream::connect(address).is_ok() {}));
        let accepted = server.handle.counters().accepted;
        while server.handle.counters().accepted == accepted {
            thread::yield_now();
        }
        let mut last = [server.connect(), server.connect()];
        for connection in &mut last {
            connection.write_all(get("/meet").as_bytes()).unwrap();
        }
        server.stop().unwrap();
        for mut connection in last {
            let mut answer = String::new();
            connection.read_to_string(&mut answer).unwrap();
            assert!(answer.ends_with("hello"), "{answer}");
        }
        for client in connecting {
            client.join().unwrap();
        }
        assert_eq!(server.handle.counters().open, 0, "nobody has looked at a connection again");
    }
}

#[test]
fn a_stop_is_graceful() {
    let gate = Gate::default();
    let waiting = gate.clone();
    let mut server = Server::start(options(4), move |environ: Environ, start_response: &mut dyn StartResponse| {
        waiting.wait();
        hello(environ, start_response)
    });
    let mut in_flight = server.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut idle = server.connect();
    gate.await_waiting(1);
    server.handle.stop();
    // An idle connection is closed, and with it the listener is.
    assert_eq!(idle.read(&mut [0; 1]).unwrap(), 0);
    gate.open();
    let mut answer = String::new();
    in_flight.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("hello"));
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    server.stop().unwrap();
    assert!(TcpStream::connect(server.address).is_err());
}

#[test]
fn a_stop_waits_for_the_request_of_who_has_just_connected() {
    assert_one_more_request_is_answered(|_| {});
}

#[test]
fn a_stop_waits_for_one_more_request_on_a_kept_connection() {
    assert_one_more_request_is_answered(|connection| {
        connection.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"hello") {
            let mut byte = [0];
            connection.read_exact(&mut byte).unwrap();
            answer.extend(byte);
        }
    });
}

fn assert_one_more_request_is_answered(before_the_stop: impl Fn(&mut TcpStream)) {
    // It does not wait for long, and this thread may be late.
    let is_answered = (0..10).any(|_| {
        let mut server = Server::start(options(1), hello);
        let mut connection = server.connect();
        before_the_stop(&mut connection);
        server.handle.stop();
        // Once the listener is closed, all connections that are idle were looked at.
        let start = Instant::now();
        while TcpStream::connect(server.address).is_ok() {
            assert!(start.elapsed() < PATIENCE, "the listener is not closed");
            thread::sleep(Duration::from_millis(1));
        }
        let mut answer = String::new();
        let exchanged = connection
            .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .and_then(|()| connection.read_to_string(&mut answer));
        server.stop().unwrap();
        exchanged.is_ok() && answer.contains("\r\nconnection: close\r\n") && answer.ends_with("hello")
    });
    assert!(is_answered);
}

#[test]
fn a_stop_loses_no_connection() {
    // Which thread accepts the last ones, and which has stopped by then, is another each time.
    for round in 0..20 {
        let mut server = Server::start(options(2), hello);
        let address = server.address;
        let clients = [(); 2].map(|()| thread::spawn(move || while TcpStream::connect(address).is_ok() {}));
        while server.handle.counters().accepted == 0 {
            thread::yield_now();
        }
        server.stop().unwrap();
        for client in clients {
            client.join().unwrap();
        }
        assert_eq!(server.handle.counters().open, 0, "round {round}: nobody has looked at a connection again");
    }
}

#[test]
fn a_last_request_is_answered_on_a_connection_that_is_kept() {
    let mut options = options(2);
    options.last_request_timeout = PATIENCE;
    let mut server = Server::start(options, hello);
    let mut kept = server.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut first = [0; 1];
    kept.read_exact(&mut first).unwrap();
    server.handle.stop();
    kept.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answers = String::new();
    kept.read_to_string(&mut answers).unwrap();
    assert_eq!(answers.matches("hello").count(), 2, "{answers}");
    assert_eq!(answers.to_lowercase().matches("connection: close").count(), 1, "{answers}");
    server.stop().unwrap();
}

#[test]
fn a_stop_does_not_wait_for_ever() {
    let gate = Gate::default();
    let waiting = gate.clone();
    let mut options = options(2);
    options.stop_timeout = Duration::from_millis(50);
    let mut server = Server::start(options, move |environ: Environ, start_response: &mut dyn StartResponse| {
        waiting.wait();
        hello(environ, start_response)
    });
    let _in_flight = server.send(&get("/"));
    gate.await_waiting(1);
    server.stop().unwrap();
    gate.open();
}
