//! One request and its response: how it is sent, what is made of all that may come back, and how both can go wrong.

use std::io::{self, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wgi::testing::Client;
use wgi::{App, Body, Environ, Error, ErrorSink, Errors, PeerError, StartResponse, StatusCode};
use wgi_engine::{Address, Engine, Listener, Options};
use wgi_fastcgi::record::{ABORT_REQUEST, END_REQUEST, STDERR, STDIN, STDOUT};
use wgi_fastcgi::{FastCgi, Upstream, UpstreamOptions};
use wgi_middleware::LintLayer;
use wgi_testbed::gateway::{call, pieces};

use super::{answer, answered, answered_with, client, end, played, record, tcp};

#[test]
fn a_request_is_sent_as_the_specification_has_it() {
    let (sender, asked) = channel();
    let (address, playing) = played(vec![Box::new(move |peer| {
        sender.send(peer.ask().unwrap()).unwrap();
        peer.answer(answer("hello"));
    })]);
    let client = Client::new(Upstream::new(address).param("ADDED", "x")).mount("/app");
    let response = client
        .post("/app/a%20b?c=d")
        .header("X-Long", "v".repeat(200))
        .header("Proxy", "http://evil.example")
        .header("Authorization", "Basic c2VjcmV0")
        .var("OTHER", "x")
        .body("the body")
        .send();
    assert_eq!(response.text(), "hello");
    playing.join().unwrap();
    let asked = asked.recv().unwrap();
    assert_eq!((asked.flags, &asked.body[..]), (1, &b"the body"[..]));
    for (name, value) in [
        ("REQUEST_METHOD", "POST"),
        ("SCRIPT_NAME", "/app"),
        ("PATH_INFO", "/a b"),
        ("QUERY_STRING", "c=d"),
        ("CONTENT_LENGTH", "8"),
        ("REDIRECT_STATUS", "200"),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("ADDED", "x"),
    ] {
        assert_eq!(asked.var(name), Some(value), "{name}");
    }
    assert_eq!(asked.var("HTTP_X_LONG").unwrap().len(), 200);
    for name in ["HTTP_PROXY", "HTTP_AUTHORIZATION", "OTHER", "SCRIPT_FILENAME"] {
        assert_eq!(asked.var(name), None, "{name}");
    }
}

#[test]
fn what_comes_back_is_read_in_any_pieces() {
    let whole = [
        record(STDERR, "a line\nhalf a li"),
        record(STDOUT, "Status: 404 Nothing\r\nContent-"),
        // A management record, which nobody asked for.
        vec![1, 11, 0, 0, 0, 8, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0],
        record(STDERR, "ne\n"),
        record(STDOUT, "Type: text/plain\r\n\r\nhel"),
        record(STDOUT, "lo"),
        record(STDERR, ""),
        record(STDOUT, ""),
        end(0, 0),
    ]
    .concat();
    for size in [whole.len(), 1, 7] {
        let pieces: Vec<_> = whole.chunks(size).map(<[u8]>::to_vec).collect();
        let (address, playing) = played(vec![Box::new(move |peer| {
            peer.ask();
            peer.0.set_nodelay(true).unwrap();
            for piece in pieces {
                peer.answer(piece);
            }
        })]);
        let response = client(Upstream::new(address.clone())).get("/").send();
        playing.join().unwrap();
        assert_eq!((response.status.as_u16(), &response.reason[..]), (404, &b"Nothing"[..]));
        assert_eq!(response.text(), "hello");
        assert_eq!(response.errors, format!("{address}: a line\n{address}: half a line\n"));
    }
}

#[test]
fn what_an_application_says_of_itself_decides() {
    let with_head = record(STDOUT, "Content-Type: text/plain\r\n\r\npartial");
    for (bytes, status, said) in [
        (end(0, 2), 503, "no room"),
        (end(0, 1), 502, "another request on this connection"),
        (end(0, 3), 502, "the role Responder"),
        (end(0, 9), 502, "unknown protocol status 9"),
        (end(0, 0), 502, "it gave no response"),
        (vec![], 502, "without a response"),
        (record(STDOUT, "Content-Type"), 502, "before the end of its response"),
        (record(STDOUT, "no head\r\n\r\n"), 502, "is no field"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), 502, "another version than 1"),
        (vec![1, STDIN, 0, 1, 0, 0, 0, 0], 502, "a type that applications do not send"),
        (vec![1, STDOUT, 0, 2, 0, 0, 0, 0], 502, "was not asked"),
        (vec![1, END_REQUEST, 0, 1, 0, 7, 0, 0], 502, "another length than 8"),
        ([record(STDOUT, ""), with_head.clone()].concat(), 502, "behind its end"),
        ([with_head.clone(), end(0, 2)].concat(), 503, "no room"),
    ] {
        let response = answered(bytes.clone()).unwrap_or_else(|cut| *cut.response);
        assert!(response.errors.contains(said), "{said}: {}", response.errors);
        // The whole of it may be there before the application returns, or not.
        assert!([status, 200].contains(&response.status.as_u16()), "{said}: {}", response.status);
        if !bytes.starts_with(&with_head[..8]) {
            assert_eq!(response.status.as_u16(), status, "{said}");
        }
    }
}

/// [10.19], from the other side.
#[test]
fn a_response_without_its_end_is_cut() {
    let part = record(STDOUT, "Content-Type: text/plain\r\n\r\npartial");
    match answered(part.clone()) {
        Ok(response) => assert_eq!(response.status, 502),
        Err(cut) => assert_eq!(cut.response.body, "partial"),
    }
    // By its length it is whole.
    let whole = record(STDOUT, "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nwhole");
    assert_eq!(answered(whole).unwrap().text(), "whole");
    // An application status is what PHP has for `exit`.
    let with_status = [part, end(3, 0)].concat();
    let response = answered(with_status.clone()).unwrap();
    assert_eq!(response.text(), "partial");
    assert!(response.errors.contains("it ended with status 3"), "{}", response.errors);
    let mut options = UpstreamOptions::default();
    options.heed_app_status = true;
    match answered_with(options, with_status) {
        Ok(response) => assert_eq!(response.status, 502),
        Err(cut) => assert_eq!(cut.response.body, "partial"),
    }
}

#[test]
fn a_body_goes_out_while_the_response_comes_back() {
    // An application that reads nothing, and answers with more than every buffer holds.
    let (address, playing) = played(vec![Box::new(|peer| {
        peer.answer(record(STDOUT, "Content-Type: text/plain\r\n\r\n"));
        for _ in 0..100 {
            peer.answer(record(STDOUT, vec![b'y'; 60_000]));
        }
        peer.answer(end(0, 0));
        // What is left of the request is of no use, and the connection neither.
        let _ = io::copy(&mut peer.0, &mut io::sink());
    })]);
    let client = client(Upstream::new(address));
    let request = client.post("/").input(pieces(50_000_000, false)).header("content-length", "50000000");
    assert_eq!(request.send().body.len(), 6_000_000);
    playing.join().unwrap();
}

#[test]
fn half_a_request_never_looks_whole() {
    let (sender, seen) = channel();
    let (address, playing) = played(vec![Box::new(move |peer| {
        sender.send(peer.ask().is_none()).unwrap();
    })]);
    let mut environ = Environ::for_testing("POST", "/").with_input(pieces(100_000, true));
    environ.set_var("CONTENT_LENGTH", "500000");
    let error = call(&Upstream::new(address), environ).unwrap_err();
    assert!(matches!(error, Error::Peer(PeerError::Disconnected { .. })), "{error}");
    playing.join().unwrap();
    assert!(seen.recv().unwrap(), "STDIN came to an end");
}

#[test]
fn who_goes_away_takes_the_request_back() {
    let (sender, seen) = channel();
    let (address, playing) = played(vec![Box::new(move |peer| {
        peer.ask();
        peer.answer(record(STDOUT, "Content-Type: text/plain\r\n\r\nfirst"));
        sender.send(peer.record()).unwrap();
        assert!(peer.record().is_none(), "it is closed");
    })]);
    let (head, mut body) = call(&Upstream::new(address), Environ::for_testing("GET", "/")).unwrap();
    assert_eq!(head.status, StatusCode::OK);
    assert_eq!(body.next().unwrap().unwrap(), "first");
    drop(body);
    assert_eq!(seen.recv().unwrap(), Some((ABORT_REQUEST, vec![])));
    playing.join().unwrap();
}

#[test]
fn an_application_has_its_time() {
    let mut options = UpstreamOptions::default();
    options.limits.silence = Duration::from_millis(200);
    for first in ["", "Content-Type: text/plain\r\n\r\npartial"] {
        let (address, playing) = played(vec![Box::new(move |peer| {
            peer.ask();
            if !first.is_empty() {
                peer.answer(record(STDOUT, first));
            }
            let _ = io::copy(&mut peer.0, &mut io::sink());
        })]);
        match client(Upstream::with_options(address, options.clone())).get("/").try_send() {
            Ok(response) => assert_eq!((response.status.as_u16(), first), (504, "")),
            Err(cut) => assert_eq!((&cut.response.body[..], first.is_empty()), (&b"partial"[..], false)),
        }
        playing.join().unwrap();
    }
}

#[test]
fn one_that_is_not_there_is_said_to_be_so() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp(listener.local_addr().unwrap());
    drop(listener);
    let response = Client::new(Upstream::new(address.clone())).get("/").send();
    assert_eq!(response.status, 502);
    assert!(response.errors.starts_with(&format!("wgi: {address}: it cannot be connected to")), "{}", response.errors);
    assert!(!response.text().contains("127.0.0.1"), "{}", response.text());
    let nowhere = Upstream::new("unix:/nonexistent/socket".parse().unwrap());
    assert_eq!(Client::new(nowhere).get("/").send().status, 502);
}

#[test]
fn only_so_many_are_asked_at_once() {
    let (address, playing) = played(vec![Box::new(|peer| {
        peer.ask();
        peer.answer(record(STDOUT, "Content-Type: text/plain\r\n\r\nfirst"));
        let _ = io::copy(&mut peer.0, &mut io::sink());
    })]);
    let mut options = UpstreamOptions::default();
    options.max_connections = 1;
    options.limits.queue = Duration::from_millis(20);
    let app = Upstream::with_options(address, options);
    let (_, body) = call(&app, Environ::for_testing("GET", "/")).unwrap();
    assert_eq!(call(&app, Environ::for_testing("GET", "/")).unwrap_err().status(), 503);
    drop(body);
    playing.join().unwrap();
}

/// An application of wgi's own, over a Unix socket.
struct Hosted {
    _folder: tempfile::TempDir,
    address: Address,
    handle: wgi_engine::Handle,
    running: Option<JoinHandle<io::Result<()>>>,
}

fn hosted(app: impl App + 'static) -> Hosted {
    let folder = tempfile::tempdir().unwrap();
    let address = Address::Unix(folder.path().join("socket"));
    let mut engine = Engine::new(Options::default());
    engine.listen(Listener::bind(&address).unwrap(), FastCgi::new(), Arc::new(app));
    let handle = engine.handle();
    let running = Some(thread::spawn(move || engine.run()));
    Hosted { _folder: folder, address, handle, running }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        self.handle.stop();
        if let Some(running) = self.running.take() {
            running.join().unwrap().unwrap();
        }
    }
}

#[test]
fn an_application_of_wgi_is_what_it_would_be_here() {
    fn app(mut environ: Environ, start: &mut dyn StartResponse) -> Result<Body, Error> {
        let said = format!(
            "{}|{}|{}|{}",
            environ.method(),
            String::from_utf8_lossy(environ.script_name()),
            String::from_utf8_lossy(environ.path_info()),
            environ.url(),
        );
        writeln!(environ.errors(), "called")?;
        start.start(StatusCode::OK, [("content-type", "text/plain"), ("x-said", &said)])?;
        Ok(Body::from_reader(std::mem::take(environ.input())))
    }
    let hosted = hosted(app.with(LintLayer));
    let client = Client::new(Upstream::new(hosted.address.clone()).with(LintLayer)).mount("/app");
    for length in [0, 5, 20_000, 3_000_000] {
        let body: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let response = client.post("/app/a%2Fb?c").body(body.clone()).send();
        assert_eq!(response.header("x-said"), Some("POST|/app|/a/b|http://localhost/app/a/b?c"));
        assert!(response.body == body, "{length}");
        assert!(response.errors.contains("called"), "{}", response.errors);
    }
    assert_eq!(client.get("/app").send().header("x-said"), Some("GET|/app||http://localhost/app"));
}

#[test]
fn many_threads_share_the_connections() {
    fn app(environ: Environ, start: &mut dyn StartResponse) -> Result<Body, Error> {
        start.start(StatusCode::OK, [("content-type", "text/plain")])?;
        Ok(Body::from(environ.query_string().repeat(1000)))
    }
    let hosted = hosted(app);
    // Without the validator, for a test's environ says that there is one thread.
    let client = Client::new(Upstream::new(hosted.address.clone()));
    thread::scope(|scope| {
        for number in 0..8 {
            let client = &client;
            scope.spawn(move || {
                for turn in 0..50 {
                    let name = format!("{number}-{turn}|");
                    assert_eq!(client.get(&format!("/?{name}")).send().text(), name.repeat(1000));
                }
            });
        }
    });
}

#[test]
fn an_unknown_length_is_told_once_it_is_known() {
    fn app(mut environ: Environ, start: &mut dyn StartResponse) -> Result<Body, Error> {
        let declared = environ.content_length();
        let read = environ.input().read_all(1 << 30)?.len();
        start.start(StatusCode::OK, [("content-type", "text/plain")])?;
        Ok(Body::from(format!("{declared:?} {read}")))
    }
    let hosted = hosted(app);
    let client = Client::new(Upstream::new(hosted.address.clone()).with(LintLayer));
    assert_eq!(client.post("/").input(pieces(500_000, false)).send().text(), "Some(500000) 500000");
}

#[test]
fn errors_of_others_requests_do_not_mix() {
    #[derive(Default)]
    struct Written(Mutex<Vec<u8>>);
    impl ErrorSink for Written {
        fn write(&self, text: &[u8]) -> io::Result<()> {
            self.0.lock().unwrap().extend_from_slice(text);
            Ok(())
        }
    }
    fn app(mut environ: Environ, start: &mut dyn StartResponse) -> Result<Body, Error> {
        let query = String::from_utf8_lossy(environ.query_string()).into_owned();
        writeln!(environ.errors(), "for {query}")?;
        start.start(StatusCode::OK, [("content-type", "text/plain")])?;
        Ok(Body::from("x"))
    }
    let hosted = hosted(app);
    let upstream = Upstream::new(hosted.address.clone());
    for query in ["a", "b"] {
        let written = Arc::new(Written::default());
        let environ = Environ::for_testing("GET", &format!("/?{query}")).with_errors(Errors::new(written.clone()));
        let (_, body) = call(&upstream, environ).unwrap();
        assert_eq!(body.map(|chunk| chunk.unwrap().len()).sum::<usize>(), 1);
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text, format!("{}: for {query}\n", hosted.address));
    }
}

/// Nothing of this is to be had from a listener that the system has filled for it.
#[test]
fn a_full_queue_has_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    // Never accepted from: connections are made by the system, until its queue is full, and stay silent.
    let _listener = UnixListener::bind(&path).unwrap();
    let mut options = UpstreamOptions::default();
    options.limits.silence = Duration::from_millis(100);
    let response = Client::new(Upstream::with_options(Address::Unix(path), options)).get("/").send();
    assert_eq!(response.status, 504);
}
