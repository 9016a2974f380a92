//! Request bodies: `100 Continue`, limits, trailers.

use std::io::Read;

use wgi::{Body, StatusCode, header};
use wgi_engine::Options;

use crate::server::Server;

const EXPECTING: &str = "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";

/// [7.10]
#[test]
fn continue_is_said_when_the_input_is_read() {
    let server = Server::listing();
    let mut connection = server.connect();
    connection.send(EXPECTING).unwrap();
    let mut interim = [0; 25];
    connection.reader().read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    connection.send("helloGET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
    assert_eq!(connection.receive("POST").unwrap().text(), "POST /p hello");
    assert_eq!(connection.receive("GET").unwrap().text(), "GET /next ");
}

/// [7.10] [7.11]: the final response is the answer to a client whose body nobody reads. What it sends next is not
/// taken for a request unless the connection says that it is kept.
#[test]
fn continue_is_not_said_when_the_input_is_not_read() {
    let server = Server::new(Options::default(), |_, start, _| {
        start.start(StatusCode::FORBIDDEN, [(header::CONTENT_TYPE, "text/plain")])?;
        Ok(Body::from("no"))
    });
    let mut connection = server.connect();
    connection.send(EXPECTING).unwrap();
    let response = connection.receive("POST").unwrap();
    assert_eq!((response.status, response.text(), response.interim), (403, "no".to_owned(), vec![]));
}

/// [7.11]
#[test]
fn continue_is_not_said_to_1_0_nor_without_a_body() {
    let server = Server::listing();
    let old = "POST /p HTTP/1.0\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello";
    let responses = server.responses(old, &["POST"]);
    assert_eq!((responses[0].status, responses[0].interim.len()), (200, 0));
    let bodiless = "GET /g HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n";
    let responses = server.responses(bodiless, &["GET"]);
    assert_eq!((responses[0].status, responses[0].interim.len()), (200, 0));
}

/// Only one expectation is known (RFC 9110 §10.1.1).
#[test]
fn another_expectation_fails() {
    let server = Server::listing();
    let request = "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: miracles\r\n\r\nhello";
    assert_eq!(server.responses(request, &["POST"])[0].status, 417);
    assert_eq!(server.calls.lines(), [""; 0]);
}

/// The limit for the tests below.
fn limited() -> Server {
    let mut options = Options::default();
    options.max_body = 100_000;
    Server::new(options, |mut environ, start, calls| {
        calls.note(String::from_utf8_lossy(environ.path_info()));
        let length = std::io::copy(environ.input(), &mut std::io::sink())?;
        calls.note(format!("read {length}"));
        start.start(StatusCode::OK, [(header::CONTENT_TYPE, "text/plain")])?;
        Ok(Body::from("read"))
    })
}

/// [11.7] [7.11]
#[test]
fn a_declared_body_over_the_limit_is_refused_at_once() {
    let server = limited();
    let mut connection = server.connect();
    connection.send("POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 100001\r\nExpect: 100-continue\r\n\r\n").unwrap();
    let response = connection.receive("POST").unwrap();
    assert_eq!((response.status, response.interim), (413, vec![]));
    assert_eq!(server.calls.lines(), [""; 0]);
    // Beyond what could ever be held: nothing is allocated for a length ([11.1]).
    let huge = "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551615\r\n\r\n";
    assert_eq!(server.responses(huge, &["POST"])[0].status, 413);
    server.is_well();
}

/// [11.7]
#[test]
fn a_chunked_body_over_the_limit_is_refused_when_it_gets_there() {
    let server = limited();
    // Its content looks like requests.
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
    let content = smuggled.repeat(10_000 / smuggled.len());
    let chunk = format!("{:x}\r\n{content}\r\n", content.len());
    let head = "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    let output = server.talk([head, &chunk.repeat(11), "0\r\n\r\n"].concat());
    assert!(output.starts_with(b"HTTP/1.1 413 "), "{}", output.escape_ascii());
    assert_eq!(server.calls.lines(), ["/p"]);
    assert_eq!(server.responses([head, &chunk.repeat(10), "0\r\n\r\n"].concat(), &["POST"])[0].status, 200);
}

/// [11.1]: a chunk that claims to be huge costs nothing.
#[test]
fn a_chunk_size_is_only_a_claim() {
    let server = Server::listing();
    let head = "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    for size in ["ffffffffffffffff", "7fffffffffffffff"] {
        let output = server.talk(format!("{head}{size}\r\nabc"));
        assert!(!output.starts_with(b"HTTP/1.1 200"), "{}", output.escape_ascii());
    }
    server.is_well();
}

/// [10.5] [7.12]
#[test]
fn trailers_are_dropped() {
    let server = Server::new(Options::default(), |mut environ, start, _| {
        let body = environ.input().read_all(100)?;
        let names =
            ["HTTP_X_TRAILER", "HTTP_TRANSFER_ENCODING", "CONTENT_LENGTH"].map(|name| environ.var(name).is_some());
        start.start(StatusCode::OK, [(header::CONTENT_TYPE, "text/plain")])?;
        Ok(Body::from(format!("{} {names:?}", body.len())))
    });
    let request = "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n\
                   A;q=\"a\"\r\n0123456789\r\n00\r\nX-Trailer: 1\r\nContent-Length: 5\r\n\r\n";
    assert_eq!(server.responses(request, &["POST"])[0].text(), "10 [false, false, false]");
}

/// [10.5]: trailers are held to the limits of a head.
#[test]
fn trailers_are_limited() {
    let server = Server::listing();
    let head = "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    let output = server.talk([head, &"X-T: aaaaaaaaaaaaaaaa\r\n".repeat(100_000), "\r\n"].concat());
    assert!(!output.starts_with(b"HTTP/1.1 200"), "{}", output.escape_ascii());
    server.is_well();
}

/// A body of 64 MiB both ways, larger than every buffer between: neither side waits for the other for ever, and no
/// more than the bound is held ([4.39]).
#[test]
fn a_body_may_be_echoed_while_it_arrives() {
    const LENGTH: u64 = 64 << 20;
    let server = Server::new(Options::default(), |mut environ, start, _| {
        start.start(StatusCode::OK, [(header::CONTENT_TYPE, "text/plain")])?;
        Ok(Body::from_reader(std::mem::take(environ.input())))
    });
    let mut connection = server.connect();
    let mut sender = connection.socket().try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        use std::io::Write;
        let head = format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {LENGTH}\r\nConnection: close\r\n\r\n");
        sender.write_all(head.as_bytes())?;
        std::io::copy(&mut std::io::repeat(b'x').take(LENGTH), &mut sender)
    });
    let response = connection.receive("POST").unwrap();
    assert!(response.is_whole());
    assert_eq!(response.body.len() as u64, LENGTH);
    assert_eq!(sending.join().unwrap().unwrap(), LENGTH);
}
