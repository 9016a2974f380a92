//! A slow application delays nobody else.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use wgi::{App, Body, Environ, StartResponse, StatusCode};

use super::server::{Gate, PATIENCE, Server, ask, get, hello, meeting, options, read_answer};

#[test]
fn slow_applications_delay_nobody() {
    let gate = Gate::default();
    let waiting = gate.clone();
    let server = Server::start(options(4), move |environ: Environ, start_response: &mut dyn StartResponse| {
        if environ.path_info() == b"/wait" {
            waiting.wait();
        }
        hello(environ, start_response)
    });
    let blocked: Vec<_> = (0..3).map(|_| server.send(&get("/wait"))).collect();
    gate.await_waiting(3);
    for _ in 0..20 {
        assert!(server.get("/").ends_with("hello"));
    }
    gate.open();
    for mut connection in blocked {
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("hello"));
    }
}

#[test]
fn one_free_thread_serves_all_connections() {
    // As many threads as blocked applications and one more; connections are spread over all reactors.
    const THREADS: usize = 8;
    let gate = Gate::default();
    let waiting = gate.clone();
    let server = Server::start(options(THREADS), move |environ: Environ, start_response: &mut dyn StartResponse| {
        if environ.path_info() == b"/wait" {
            waiting.wait();
        }
        hello(environ, start_response)
    });
    let mut kept: Vec<_> = (0..20).map(|_| server.connect()).collect();
    let blocked: Vec<_> = (1..THREADS).map(|_| server.send(&get("/wait"))).collect();
    gate.await_waiting(THREADS - 1);
    for _ in 0..3 {
        for connection in &mut kept {
            connection.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            let mut answer = [0; 1024];
            let mut length = 0;
            while !answer[..length].ends_with(b"hello") {
                let read = connection.read(&mut answer[length..]).expect("an answer while all others are blocked");
                assert!(read > 0);
                length += read;
            }
        }
        assert!(server.get("/").ends_with("hello"));
    }
    gate.open();
    drop(blocked);
}

#[test]
fn as_many_applications_as_threads_may_wait_for_each_other() {
    const THREADS: usize = 8;
    let server = Server::start(options(THREADS), meeting(THREADS));
    let clients = [(); THREADS].map(|()| {
        let mut connection = server.connect();
        // Again and again: the engine knows by then that they are slow.
        thread::spawn(move || (0..200).for_each(|_| ask(&mut connection, "/meet")))
    });
    for client in clients {
        client.join().unwrap();
    }
}

#[test]
fn fast_requests_get_through_among_slow_ones() {
    // Pairs that wait for each other, fast ones beside them, and ever new connections; with threads to spare, with just
    // as many as it takes, and from one connection several at once.
    for threads in [3, 4, 16] {
        let server = Server::start(options(threads), meeting(2));
        let mut clients: Vec<_> = ["/meet", "/meet", "/", "/", "/"]
            .map(|path| {
                let mut connection = server.connect();
                thread::spawn(move || (0..300).for_each(|_| ask(&mut connection, path)))
            })
            .into();
        let address = server.address;
        clients.push(thread::spawn(move || {
            for _ in 0..100 {
                let mut connection = TcpStream::connect(address).unwrap();
                connection.set_read_timeout(Some(PATIENCE)).unwrap();
                connection.write_all("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(40).as_bytes()).unwrap();
                connection.write_all(get("/").as_bytes()).unwrap();
                let mut answers = String::new();
                connection.read_to_string(&mut answers).unwrap();
                assert_eq!(answers.matches("hello").count(), 41);
            }
        }));
        for client in clients {
            client.join().unwrap();
        }
    }
}

#[test]
fn requests_of_one_connection_are_run_one_at_a_time_however_slow() {
    let inside = AtomicUsize::new(0);
    let (meeting, calls) = (meeting(2), Arc::new(Mutex::new(Vec::new())));
    let noted = calls.clone();
    let server = Server::start(options(8), move |environ: Environ, start_response: &mut dyn StartResponse| {
        if environ.path_info() == b"/meet" {
            return meeting.call(environ, start_response);
        }
        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
        noted.lock().unwrap().push(environ.text("QUERY_STRING")?.to_owned());
        thread::sleep(Duration::from_micros(100));
        inside.fetch_sub(1, Ordering::SeqCst);
        hello(environ, start_response)
    });
    let slow = [(); 2].map(|()| {
        let mut connection = server.connect();
        thread::spawn(move || (0..200).for_each(|_| ask(&mut connection, "/meet")))
    });
    let requests: String = (0..200).map(|n| format!("GET /?{n} HTTP/1.1\r\nHost: localhost\r\n\r\n")).collect();
    let answers = server.exchange(&(requests + &get("/?200")));
    assert_eq!(answers.matches("hello").count(), 201);
    assert_eq!(*calls.lock().unwrap(), (0..=200).map(|n: u32| n.to_string()).collect::<Vec<_>>());
    for client in slow {
        client.join().unwrap();
    }
}

#[test]
fn a_slow_application_holds_up_no_reply_to_what_was_pipelined_in_front_of_it() {
    let gate = Gate::default();
    let waiting = gate.clone();
    let server = Server::start(options(8), move |environ: Environ, start_response: &mut dyn StartResponse| {
        match environ.path_info() {
            b"/sleep" => thread::sleep(Duration::from_millis(20)),
            b"/wait" => waiting.wait(),
            _ => {}
        }
        hello(environ, start_response)
    });
    // By then the engine knows that applications are slow.
    let mut connection = server.connect();
    (0..10).for_each(|_| ask(&mut connection, "/sleep"));
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    connection.write_all((request("/") + &request("/wait")).as_bytes()).unwrap();
    read_answer(&mut connection);
    gate.open();
    read_answer(&mut connection);
}

#[test]
fn a_blocked_application_is_finished_when_all_threads_are() {
    let gate = Gate::default();
    let waiting = gate.clone();
    let server = Server::start(options(2), move |environ: Environ, start_response: &mut dyn StartResponse| {
        if environ.path_info() == b"/wait" {
            waiting.wait();
        }
        hello(environ, start_response)
    });
    let blocked: Vec<_> = (0..2).map(|_| server.send(&get("/wait"))).collect();
    gate.await_waiting(2);
    let mut late = server.send(&get("/"));
    gate.open();
    let mut answer = String::new();
    late.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("hello"));
    drop(blocked);
}

#[test]
fn one_thread_calls_from_one_thread() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let noted = calls.clone();
    let server = Server::start(options(1), move |environ: Environ, start_response: &mut dyn StartResponse| {
        assert!(!environ.gateway().multithread);
        noted.lock().unwrap().push(thread::current().id());
        hello(environ, start_response)
    });
    for _ in 0..5 {
        server.get("/");
    }
    let calls = calls.lock().unwrap();
    assert!(calls.len() == 5 && calls.iter().all(|id| id == &calls[0]));
}

#[test]
fn an_engine_with_a_thread_left_is_responsive() {
    let gate = Gate::default();
    let waiting = gate.clone();
    let server = Server::start(options(2), move |_: Environ, start_response: &mut dyn StartResponse| {
        waiting.wait();
        start_response.start(StatusCode::OK, ())?;
        Ok(Body::empty())
    });
    let await_answer = |expected| {
        let start = Instant::now();
        while server.handle.is_responsive() != expected {
            assert!(start.elapsed() < PATIENCE, "it is not {expected}");
            // Time for a thread to look.
            assert!(!server.handle.await_stop(Duration::from_millis(20)), "nobody told it to stop");
        }
    };
    let first = server.send(&get("/"));
    gate.await_waiting(1);
    await_answer(true);
    let second = server.send(&get("/"));
    gate.await_waiting(2);
    await_answer(false);
    gate.open();
    await_answer(true);
    drop((first, second));
    server.handle.stop();
    assert!(server.handle.await_stop(PATIENCE));
}
