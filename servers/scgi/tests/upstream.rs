//! The gateway's side: what goes to an application, and what is made of what one may send back. The application is a socket
//! of the test, or an engine.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wgi::testing::{Client, Cut, Response};
use wgi::{App, Body, Environ, Error, PeerError, StartResponse, StatusCode};
use wgi_engine::{Address, Engine, Handle, Listener, Options};
use wgi_middleware::LintLayer;
use wgi_scgi::{Scgi, Upstream, UpstreamOptions};
use wgi_testbed::gateway::pieces;

/// Reads the head of a request: its names and values, in order; none where there is none.
fn ask(peer: &mut TcpStream) -> Option<Vec<(String, String)>> {
    let mut length = String::new();
    loop {
        let mut byte = [0];
        peer.read_exact(&mut byte).ok()?;
        match byte[0] {
            b':' => break,
            digit => length.push(digit.into()),
        }
    }
    let mut pairs = vec![0; length.parse().unwrap()];
    peer.read_exact(&mut pairs).ok()?;
    let mut comma = [0];
    peer.read_exact(&mut comma).ok()?;
    assert_eq!((&comma, pairs.last()), (b",", Some(&0)));
    let text = String::from_utf8(pairs).unwrap();
    let parts: Vec<_> = text.trim_end_matches('\0').split('\0').collect();
    // A last value that is empty has lost its own NUL to the trimming.
    let values = parts.chunks(2).map(|pair| (pair[0].to_owned(), pair.get(1).copied().unwrap_or_default().to_owned()));
    Some(values.collect())
}

/// An application that the test plays on one connection.
fn played(play: impl FnOnce(&mut TcpStream) + Send + 'static) -> (Address, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string().parse().unwrap();
    (address, thread::spawn(move || play(&mut listener.accept().unwrap().0)))
}

/// Asks an application that answers with these bytes, and closes.
fn answered(bytes: &'static str) -> Result<Response, Cut> {
    let (address, playing) = played(move |peer| {
        ask(peer);
        peer.write_all(bytes.as_bytes()).unwrap();
    });
    let response = Client::new(Upstream::new(address).with(LintLayer)).get("/").try_send();
    playing.join().unwrap();
    response
}

#[test]
fn a_request_is_sent_as_the_specification_has_it() {
    let (address, playing) = played(|peer| {
        let vars = ask(peer).unwrap();
        assert_eq!(vars[..2], [("CONTENT_LENGTH".into(), "8".into()), ("SCGI".into(), "1".into())]);
        let all =
            |name: &str| vars.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect();
        for (name, value) in [
            ("REQUEST_METHOD", "POST"),
            ("SCRIPT_NAME", "/app"),
            ("PATH_INFO", "/a b"),
            ("QUERY_STRING", "c=d"),
            ("ADDED", "x"),
            ("CONTENT_LENGTH", "8"),
            ("HTTP_X_TEST", "y"),
        ] {
            let seen: Vec<&str> = all(name);
            assert_eq!(seen, [value], "{name}");
        }
        for name in ["HTTP_PROXY", "HTTP_AUTHORIZATION", "OTHER"] {
            let seen: Vec<&str> = all(name);
            assert!(seen.is_empty(), "{name}");
        }
        let mut body = [0; 8];
        peer.read_exact(&mut body).unwrap();
        assert_eq!(&body, b"the body");
        peer.write_all(b"Status: 201 Made\r\nContent-Type: text/plain\r\n\r\nhello").unwrap();
    });
    let client = Client::new(Upstream::new(address).param("ADDED", "x")).mount("/app");
    let response = client
        .post("/app/a%20b?c=d")
        .header("X-Test", "y")
        .header("Proxy", "http://evil.example")
        .header("Authorization", "Basic c2VjcmV0")
        .var("OTHER", "x")
        .body("the body")
        .send();
    playing.join().unwrap();
    assert_eq!(
        (response.status.as_u16(), &response.reason[..], response.text().as_ref()),
        (201, &b"Made"[..], "hello")
    );
}

#[test]
fn a_request_without_a_body_says_so() {
    let (address, playing) = played(|peer| {
        assert_eq!(ask(peer).unwrap()[0], ("CONTENT_LENGTH".into(), "0".into()));
        peer.write_all(b"Status: 204\n\n").unwrap();
    });
    assert_eq!(Client::new(Upstream::new(address).with(LintLayer)).get("/").send().status, 204);
    playing.join().unwrap();
}

#[test]
fn what_comes_back_is_read_strictly() {
    assert_eq!(answered("Content-Type: text/plain\n\nhello").unwrap().text(), "hello");
    assert_eq!(answered("Content-Type: text/plain\nContent-Length: 3\n\nhello").unwrap().text(), "hel");
    assert_eq!(answered("Location: /other\n\n").unwrap().status, 302);
    for bytes in ["", "Content-Type: text/plain", "Status: 200\n\nbody", "body\n\n", "HTTP/1.0 200 OK\n\n"] {
        assert_eq!(answered(bytes).unwrap().status, 502, "{bytes:?}");
    }
    match answered("Content-Type: text/plain\nContent-Length: 10\n\nhello") {
        Ok(response) => assert_eq!(response.status, 502),
        Err(cut) => assert_eq!(cut.response.body, "hello"),
    }
}

#[test]
fn an_application_has_its_time() {
    let (address, playing) = played(|peer| drop(io::copy(peer, &mut io::sink())));
    let mut options = UpstreamOptions::default();
    options.limits.silence = Duration::from_millis(200);
    assert_eq!(Client::new(Upstream::with_options(address, options)).get("/").send().status, 504);
    playing.join().unwrap();
}

#[test]
fn one_that_is_not_there_is_said_to_be_so() {
    let nowhere = Upstream::new("unix:/nonexistent/socket".parse().unwrap());
    let response = Client::new(nowhere).get("/").send();
    assert_eq!(response.status, 502);
    assert!(response.errors.contains("it cannot be connected to"), "{}", response.errors);
}

#[test]
fn a_body_goes_out_while_the_response_comes_back() {
    let (address, playing) = played(|peer| {
        ask(peer);
        peer.write_all(b"Content-Type: text/plain\r\n\r\n").unwrap();
        for _ in 0..100 {
            peer.write_all(&[b'y'; 60_000]).unwrap();
        }
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        let _ = io::copy(peer, &mut io::sink());
    });
    let client = Client::new(Upstream::new(address));
    let request = client.post("/").input(pieces(50_000_000, false)).header("content-length", "50000000");
    assert_eq!(request.send().body.len(), 6_000_000);
    playing.join().unwrap();
}

#[test]
fn half_a_request_never_looks_whole() {
    let (address, playing) = played(|peer| {
        ask(peer);
        let mut body = Vec::new();
        let _ = peer.read_to_end(&mut body);
        assert!(body.len() < 500_000);
    });
    let client = Client::new(Upstream::new(address));
    let response = client.post("/").input(pieces(100_000, true)).header("content-length", "500000").send();
    assert_eq!(response.status, 400, "the client went away");
    assert!(matches!(response.faults[..], [Error::Peer(PeerError::Disconnected { .. })]), "{:?}", response.faults);
    playing.join().unwrap();
}

/// An application of wgi's own, over a Unix socket.
struct Hosted {
    _folder: tempfile::TempDir,
    address: Address,
    handle: Handle,
    running: Option<JoinHandle<io::Result<()>>>,
}

impl Hosted {
    fn start(app: impl App + 'static) -> Hosted {
        let folder = tempfile::tempdir().unwrap();
        let address = Address::Unix(folder.path().join("socket"));
        let mut engine = Engine::new(Options::default());
        engine.listen(Listener::bind(&address).unwrap(), Scgi::new(), Arc::new(app));
        let handle = engine.handle();
        Hosted { _folder: folder, address, handle, running: Some(thread::spawn(move || engine.run())) }
    }
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
        let (script_name, path_info) = (environ.script_name().escape_ascii(), environ.path_info().escape_ascii());
        let said = format!("{}|{script_name}|{path_info}|{}", environ.method(), environ.url());
        start.start(StatusCode::OK, [("content-type", "text/plain"), ("x-said", &said)])?;
        Ok(Body::from_reader(std::mem::take(environ.input())))
    }
    let hosted = Hosted::start(app.with(LintLayer));
    let client = Client::new(Upstream::new(hosted.address.clone()).with(LintLayer)).mount("/app");
    for length in [0, 5, 20_000, 3_000_000] {
        let body: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let response = client.post("/app/a%2Fb?c").body(body.clone()).send();
        assert_eq!(response.header("x-said"), Some("POST|/app|/a/b|http://localhost/app/a/b?c"));
        assert!(response.body == body, "{length}");
    }
    assert_eq!(client.get("/app").send().header("x-said"), Some("GET|/app||http://localhost/app"));
}
