//! Several requests on one connection: keep-alive, pipelining, and their ends.

use std::io::Write;
use std::thread;
use std::time::Duration;

use wgi::{Body, StatusCode, header};
use wgi_conformance::client::{Ending, Response};
use wgi_engine::Options;

use crate::server::Server;

/// [10.4] [7.19]
#[test]
fn pipelined_requests_are_all_answered_in_order() {
    let server = Server::listing();
    let mut requests = String::new();
    for number in 0..16 {
        requests.push_str(&format!("POST /{number} HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{number:02}"));
    }
    requests.push_str("HEAD /head HTTP/1.1\r\nHost: h\r\n\r\n");
    requests
        .push_str("GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /behind HTTP/1.1\r\nHost: h\r\n\r\n");
    let methods = [&["POST"; 16][..], &["HEAD", "GET"]].concat();
    let responses = server.responses(requests, &methods);
    for (number, response) in responses[..16].iter().enumerate() {
        assert_eq!(response.text(), format!("POST /{number} {number:02}"));
    }
    assert_eq!(responses[17].text(), "GET /last ");
    assert!(!server.calls.lines().contains(&"GET /behind".to_owned()), "behind Connection: close");
}

/// [10.4]: the same one byte at a time.
#[test]
fn requests_may_come_byte_by_byte() {
    let server = Server::listing();
    let mut connection = server.connect();
    let requests = "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-T: t\r\n\r\n\
                    GET /b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    for byte in requests.bytes() {
        connection.send([byte]).unwrap();
    }
    assert_eq!(connection.receive("POST").unwrap().text(), "POST /a abcde");
    assert_eq!(connection.receive("GET").unwrap().text(), "GET /b ");
    assert_eq!(connection.rest().unwrap(), b"");
}

/// [10.2] [10.3]
#[test]
fn connections_are_kept_as_the_version_has_it() {
    let server = Server::listing();
    let kept = |head: &str| {
        let mut connection = server.connect();
        connection.send(format!("{head}\r\n\r\n")).unwrap();
        let response = connection.receive("GET").unwrap();
        let says_close = response.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        // Whether another request is answered shows whether it was kept.
        let _ = connection.send("GET /again HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        (connection.receive("GET").is_ok(), says_close)
    };
    assert_eq!(kept("GET / HTTP/1.1\r\nHost: h"), (true, false));
    assert_eq!(kept("GET / HTTP/1.1\r\nHost: h\r\nConnection: close"), (false, true));
    assert_eq!(kept("GET / HTTP/1.1\r\nHost: h\r\nConnection: x, CLOSE"), (false, true));
    assert!(!kept("GET / HTTP/1.0\r\nHost: h").0);
    assert_eq!(kept("GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive"), (true, false));
}

/// [10.6] [7.5]
#[test]
fn an_unknown_length_ends_with_the_connection_on_1_0() {
    let server = Server::new(Options::default(), |_, start, _| {
        start.start(StatusCode::OK, [(header::CONTENT_TYPE, "text/plain")])?;
        Ok(Body::from_chunks(["one ", "two"]))
    });
    let responses = server.responses("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &["GET"]);
    assert_eq!((responses[0].ending, responses[0].text()), (Ending::Close, "one two".to_owned()));
    let responses = server.responses("GET / HTTP/1.1\r\nHost: h\r\n\r\n", &["GET"]);
    assert_eq!((responses[0].ending, responses[0].text()), (Ending::Chunked, "one two".to_owned()));
}

/// [11.13]: a client that pipelines and does not read is not worked for without bound.
#[test]
fn pipelining_without_reading_is_bounded() {
    const REQUESTS: usize = 3000;
    let server = Server::new(Options::default(), |_, start, calls| {
        calls.note("called");
        start.start(StatusCode::OK, [(header::CONTENT_TYPE, "text/plain")])?;
        Ok(Body::from(vec![b'x'; 100_000]))
    });
    let mut connection = server.connect();
    let mut sender = connection.socket().try_clone().unwrap();
    let sending = thread::spawn(move || {
        let requests = "GET / HTTP/1.1\r\nHost: h\r\n\r\n".repeat(REQUESTS);
        sender.write_all(requests.as_bytes())
    });
    // Until nothing moves any more. On a slow machine this ends early, with fewer calls.
    let mut before = 0;
    loop {
        thread::sleep(Duration::from_millis(300));
        let calls = server.calls.lines().len();
        if calls == before && calls > 0 {
            break;
        }
        before = calls;
    }
    assert!(before < REQUESTS / 10, "{before} responses of 100 kB were made for a client that reads none");
    for _ in 0..REQUESTS {
        assert_eq!(connection.receive("GET").unwrap().body.len(), 100_000);
    }
    sending.join().unwrap().unwrap();
}

/// [9.5]: an error behind the head costs the connection, and what was pipelined behind it is not run.
#[test]
fn a_cut_response_ends_the_connection() {
    let server = Server::new(Options::default(), |environ, start, calls| {
        calls.note(String::from_utf8_lossy(environ.path_info()));
        start.start(StatusCode::OK, [(header::CONTENT_TYPE, "text/plain")])?;
        Ok(Body::from_results([Ok("partial"), Err(wgi::Error::new("failed"))]))
    });
    let request = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
    let output = server.talk([request, request].concat());
    let mut rest = &output[..];
    let response = Response::read(&mut rest, "GET").unwrap();
    assert_eq!((response.ending, response.text()), (Ending::Cut, "partial".to_owned()));
    assert_eq!(server.calls.lines(), ["/a"]);
}
