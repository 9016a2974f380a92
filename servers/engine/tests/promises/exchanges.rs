//! Requests and replies of one connection: bodies both ways, what is left unread, what is pipelined.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;

use wgi::{Body, Bytes, Environ, StartResponse, StatusCode, header};

use super::server::{Gate, PATIENCE, Server, dropped, get, hello, options};

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Server::start(options(2), |environ: Environ, start_response: &mut dyn StartResponse| {
        start_response.start(StatusCode::OK, ())?;
        Ok(Body::from(format!("<{}>", environ.text("PATH_INFO")?)))
    });
    let mut requests: String = (0..100).map(|n| format!("GET /{n} HTTP/1.1\r\nHost: localhost\r\n\r\n")).collect();
    requests.push_str(&get("/last"));
    let answer = server.exchange(&requests);
    let mut at = 0;
    for expected in (0..100).map(|n| format!("</{n}>")).chain(["</last>".into()]) {
        at += answer[at..].find(&expected).unwrap_or_else(|| panic!("{expected} is missing"));
    }
}

#[test]
fn a_client_that_closes_its_side_is_answered_and_let_go() {
    let server = Server::start(options(1), hello);
    for _ in 0..100 {
        let mut connection = server.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        connection.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("hello"), "{answer}");
    }
}

#[test]
fn a_large_body_is_streamed_both_ways() {
    let server = Server::start(options(2), |mut environ: Environ, start_response: &mut dyn StartResponse| {
        start_response.start(StatusCode::OK, ())?;
        let mut input = std::mem::take(environ.input());
        Ok(Body::from_results(std::iter::from_fn(move || {
            let chunk = input.fill_buf().map(Bytes::copy_from_slice);
            if let Ok(chunk) = &chunk {
                input.consume(chunk.len());
            }
            (!matches!(&chunk, Ok(chunk) if chunk.is_empty())).then_some(chunk)
        })))
    });
    const SIZE: usize = 5_000_000;
    let mut sender = server.send(&format!("POST / HTTP/1.0\r\nHost: localhost\r\nContent-Length: {SIZE}\r\n\r\n"));
    let mut receiver = sender.try_clone().unwrap();
    let writer = thread::spawn(move || {
        let block: Vec<u8> = (0..SIZE).map(|n| (n % 251) as u8).collect();
        sender.write_all(&block).unwrap();
    });
    let mut answer = Vec::new();
    receiver.read_to_end(&mut answer).unwrap();
    writer.join().unwrap();
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(answer.len() - head, SIZE);
    assert!(answer[head..].iter().enumerate().all(|(n, &byte)| byte == (n % 251) as u8));
}

/// While an application waits for its input, the reactor need not hear of the connection; behind that it has to, both
/// where the client is slow to read and where it sends the next request.
#[test]
fn a_connection_goes_on_behind_an_upload_that_was_waited_for() {
    const PIECE: usize = 100_000;
    const PIECES: usize = 5;
    const ANSWER: usize = 1_000 * 65_536;
    let (read, pieces) = channel();
    let read = Mutex::new(read);
    let server = Server::start(options(8), move |mut environ: Environ, start_response: &mut dyn StartResponse| {
        if environ.method() == "GET" {
            return hello(environ, start_response);
        }
        let mut piece = vec![0; PIECE];
        for number in 0..PIECES {
            environ.input().read_exact(&mut piece)?;
            read.lock().unwrap().send(piece.iter().all(|&byte| usize::from(byte) == number)).unwrap();
        }
        start_response.start(StatusCode::OK, [(header::CONTENT_LENGTH, ANSWER.to_string())])?;
        Ok(Body::from_chunks((0..ANSWER / 65_536).map(|_| Bytes::from_static(&[b'x'; 65_536]))))
    });
    let cores = thread::available_parallelism().unwrap().get();
    let length = PIECE * PIECES;
    let mut upload = server.send(&format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"));
    for number in 0..PIECES {
        upload.write_all(&[number as u8; PIECE]).unwrap();
        assert!(pieces.recv_timeout(PATIENCE).unwrap(), "piece {number} came as it was sent");
        // Some of these belong to the same reactor, so that another thread leads it by the time they are answered.
        let others: Vec<_> = (0..cores * 2).map(|_| server.connect()).collect();
        for mut other in others {
            other.write_all(get("/").as_bytes()).unwrap();
            other.read_to_end(&mut Vec::new()).unwrap();
        }
    }
    let mut upload = BufReader::new(upload);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        assert!(upload.read_line(&mut line).unwrap() > 0);
    }
    let mut answer = vec![0; ANSWER];
    upload.read_exact(&mut answer).unwrap();
    assert!(answer.iter().all(|&byte| byte == b'x'));
    upload.get_mut().write_all(get("/").as_bytes()).unwrap();
    let mut answer = String::new();
    upload.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("hello"), "{answer}");
}

#[test]
fn a_body_that_is_closed_may_read_the_rest_of_its_input() {
    let (closed, rest) = channel();
    let server = Server::start(options(2), move |mut environ: Environ, start_response: &mut dyn StartResponse| {
        let mut input = std::mem::take(environ.input());
        let closed = closed.clone();
        start_response.start(StatusCode::OK, ())?;
        Ok(Body::from("read later").on_close(move || {
            let read = std::io::copy(&mut input, &mut std::io::sink());
            closed.send(read.map_err(|error| error.to_string())).unwrap();
        }))
    });
    const SIZE: usize = 300_000;
    let head = format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {SIZE}\r\n\r\n");
    let mut connection = server.send(&head);
    connection.write_all(&[b'x'; SIZE]).unwrap();
    assert_eq!(rest.recv_timeout(PATIENCE).unwrap(), Ok(SIZE as u64));
}

#[test]
fn an_unread_body_is_no_request() {
    let server = Server::start(options(1), hello);
    // Longer than what is collected, so that the application is called before all of it is here.
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(5_000);
    let answer = server.exchange(&format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{smuggled}{}",
        smuggled.len(),
        get("/")
    ));
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2, "{answer}");
}

#[test]
fn a_body_behind_an_unread_one_is_its_own() {
    let server = Server::start(options(1), |mut environ: Environ, start_response: &mut dyn StartResponse| {
        if environ.path_info() == b"/unread" {
            return hello(environ, start_response);
        }
        let body = environ.input().read_all(1_000)?;
        start_response.start(StatusCode::OK, ())?;
        Ok(Body::from(body))
    });
    let unread = "x".repeat(100_000);
    let mut connection =
        server.send(&format!("POST /unread HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", unread.len()));
    // So much is collected; it is answered before the rest comes.
    connection.write_all(&unread.as_bytes()[..70_000]).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"hello") {
        let mut byte = [0];
        connection.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    connection.write_all(&unread.as_bytes()[70_000..]).unwrap();
    let head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nConnection: close\r\n\r\n";
    connection.write_all(format!("{head}other").as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("other"), "{answer}");
}

#[test]
fn a_body_over_the_limit_is_refused() {
    let mut options = options(1);
    options.max_body = 1_000;
    let server = Server::start(options, |mut environ: Environ, start_response: &mut dyn StartResponse| {
        std::io::copy(environ.input(), &mut std::io::sink())?;
        hello(environ, start_response)
    });
    let answer =
        server.exchange("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1001\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let chunk = format!("400\r\n{}\r\n", "x".repeat(1024));
    let answer = server.exchange(&format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{chunk}0\r\n\r\n"
    ));
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    // How much is still to come cannot be known, so it is not waited for, and the client is told.
    let answer =
        server.exchange(&format!("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}"));
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert!(server.get("/").ends_with("hello"));
}

#[test]
fn a_client_that_breaks_off_is_an_error_to_the_reader() {
    let (sender, receiver) = channel();
    let sender = Mutex::new(sender);
    let mut options = options(1);
    options.body_buffer = 4;
    let server = Server::start(options, move |mut environ: Environ, start_response: &mut dyn StartResponse| {
        let mut body = Vec::new();
        let result = environ.input().read_to_end(&mut body);
        sender.lock().unwrap().send(result.is_err()).unwrap();
        hello(environ, start_response)
    });
    drop(server.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n12345"));
    assert!(receiver.recv_timeout(PATIENCE).unwrap());
}

#[test]
fn continue_is_sent_when_the_body_is_read_and_not_before() {
    let server = Server::start(options(1), |mut environ: Environ, start_response: &mut dyn StartResponse| {
        if environ.path_info() == b"/read" {
            let body = environ.input().read_all(1_000)?;
            start_response.start(StatusCode::OK, ())?;
            return Ok(Body::from(body));
        }
        hello(environ, start_response)
    });
    let head = |path: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
    };
    let mut connection = BufReader::new(server.send(&head("/read")));
    let mut line = String::new();
    connection.read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 100 Continue\r\n");
    connection.read_line(&mut line).unwrap();
    connection.get_mut().write_all(b"body").unwrap();
    line.clear();
    connection.read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 200 OK\r\n");

    let answer = server.exchange(&head("/ignore"));
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "no 100 in front: {answer}");
    assert!(answer.to_lowercase().contains("connection: close"), "the body may or may not come: {answer}");
}

#[test]
fn a_body_is_dropped_when_the_client_goes() {
    for path in ["/iterator", "/stream"] {
        let (held, gone) = dropped();
        let server = Server::start(options(1), move |environ: Environ, start_response: &mut dyn StartResponse| {
            start_response.start(StatusCode::OK, ())?;
            let held = held.lock().unwrap().take();
            let chunks = Body::from_chunks((0..u64::MAX).map(move |_| {
                let _held = &held;
                Bytes::from_static(&[b'x'; 65_536])
            }));
            Ok(if environ.path_info() == b"/stream" { Body::from_stream(chunks) } else { chunks })
        });
        let mut connection = server.send(&get(path));
        connection.read_exact(&mut [0; 100]).unwrap();
        assert!(gone.try_recv().is_err());
        drop(connection);
        gone.recv_timeout(PATIENCE).unwrap();
        assert!(gone.try_recv().is_err(), "once");
    }
}

#[test]
fn what_is_written_goes_out_before_the_call_returns() {
    let gate = Gate::default();
    let waiting = gate.clone();
    let server = Server::start(options(2), move |_: Environ, start_response: &mut dyn StartResponse| {
        start_response.start(StatusCode::OK, ())?;
        start_response.write(Bytes::from_static(b"written"))?;
        waiting.wait();
        Ok(Body::from("returned"))
    });
    let mut connection = server.send(&get("/"));
    let mut seen = Vec::new();
    while !seen.ends_with(b"written\r\n") {
        let mut byte = [0];
        connection.read_exact(&mut byte).unwrap();
        seen.push(byte[0]);
    }
    gate.open();
    let mut rest = String::new();
    connection.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "8\r\nreturned\r\n0\r\n\r\n");
}
