//! Connections that are kept: when they are used again, and what is sent again on another one.

use std::sync::mpsc::channel;

use wgi::testing::Client;
use wgi_fastcgi::record::{STDERR, STDOUT};
use wgi_fastcgi::{Upstream, UpstreamOptions};

use super::{Play, answer, client, end, played, record};

#[test]
fn a_connection_is_kept_and_used_again() {
    let (address, playing) = played(vec![Box::new(|peer| {
        for turn in 0..3 {
            assert_eq!(peer.ask().unwrap().flags, 1);
            peer.answer(answer(&format!("turn {turn}")));
        }
    })]);
    let client = client(Upstream::new(address));
    for turn in 0..3 {
        assert_eq!(client.post("/").body("x").send().text(), format!("turn {turn}"));
    }
    playing.join().unwrap();
}

#[test]
fn a_connection_is_kept_behind_a_response_whose_end_comes_late() {
    let (release, released) = channel();
    let (sent, is_sent) = channel();
    let (address, playing) = played(vec![Box::new(move |peer| {
        peer.ask();
        peer.answer(record(STDOUT, "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nfirst"));
        released.recv().unwrap();
        peer.answer([record(STDERR, ""), end(0, 0)].concat());
        sent.send(()).unwrap();
        peer.ask().expect("the same connection");
        peer.answer(answer("second"));
    })]);
    let client = client(Upstream::new(address));
    assert_eq!(client.get("/").send().text(), "first");
    release.send(()).unwrap();
    is_sent.recv().unwrap();
    assert_eq!(client.get("/").send().text(), "second");
    playing.join().unwrap();
}

#[test]
fn none_is_kept_where_it_is_said_so() {
    let play = || -> Play {
        Box::new(|peer| {
            assert_eq!(peer.ask().unwrap().flags, 0);
            peer.answer(answer("hello"));
            assert!(peer.ask().is_none(), "it is closed");
        })
    };
    let (address, playing) = played(vec![play(), play()]);
    let mut options = UpstreamOptions::default();
    options.max_idle = 0;
    let client = client(Upstream::with_options(address, options));
    assert_eq!(client.get("/").send().text(), "hello");
    assert_eq!(client.get("/").send().text(), "hello");
    playing.join().unwrap();
}

/// Answers a request, takes another one without an answer, and closes.
fn deserter() -> Play {
    Box::new(|peer| {
        peer.ask();
        peer.answer(answer("kept"));
        peer.ask();
    })
}

/// RFC 9110 §9.2.2.
#[test]
fn what_may_be_done_twice_is_sent_again() {
    for (method, body) in [("GET", None), ("HEAD", None), ("PUT", Some("x")), ("DELETE", None)] {
        let (address, playing) = played(vec![
            deserter(),
            Box::new(move |peer| {
                let asked = peer.ask().unwrap();
                assert_eq!((asked.var("REQUEST_METHOD"), asked.body.len()), (Some(method), body.map_or(0, str::len)));
                peer.answer(answer("again"));
            }),
        ]);
        // Without the validator, behind which no body is in memory.
        let client = Client::new(Upstream::new(address));
        assert_eq!(client.get("/").send().text(), "kept");
        let request = client.request(method, "/");
        let request = if let Some(body) = body { request.body(body) } else { request };
        let response = request.send();
        assert_eq!(response.status, 200, "{method}: {}", response.errors);
        assert_eq!(response.text(), if method == "HEAD" { "" } else { "again" });
        playing.join().unwrap();
    }
}

#[test]
fn what_may_not_be_done_twice_is_not() {
    let (address, playing) = played(vec![deserter()]);
    let client = client(Upstream::new(address));
    assert_eq!(client.get("/").send().text(), "kept");
    let response = client.post("/").body("pay").send();
    assert_eq!(response.status, 502);
    assert!(response.errors.contains("without a response"), "{}", response.errors);
    playing.join().unwrap();

    // Nor anything on a new connection, or behind the first byte of a response.
    let (address, playing) = played(vec![Box::new(|peer| drop(peer.ask()))]);
    assert_eq!(Client::new(Upstream::new(address)).get("/").send().status, 502);
    playing.join().unwrap();
    let (address, playing) = played(vec![Box::new(|peer| {
        peer.ask();
        peer.answer(answer("kept"));
        peer.ask();
        peer.answer(&record(STDOUT, "Content-Type")[..9]);
    })]);
    let client = Client::new(Upstream::new(address));
    assert_eq!(client.get("/").send().text(), "kept");
    assert_eq!(client.get("/").send().status, 502);
    playing.join().unwrap();
}

#[test]
fn a_connection_that_was_closed_meanwhile_is_not_used() {
    let (closed, is_closed) = channel();
    let (address, playing) = played(vec![
        Box::new(move |peer| {
            peer.ask();
            peer.answer(answer("first"));
            peer.0.shutdown(std::net::Shutdown::Both).unwrap();
            closed.send(()).unwrap();
        }),
        Box::new(|peer| {
            assert_eq!(peer.ask().unwrap().body, b"pay");
            peer.answer(answer("second"));
        }),
    ]);
    let client = client(Upstream::new(address));
    assert_eq!(client.get("/").send().text(), "first");
    is_closed.recv().unwrap();
    assert_eq!(client.post("/").body("pay").send().text(), "second");
    playing.join().unwrap();
}
