//! The codec under the engine, over a socket, with a web server that keeps to what mod_proxy_ajp does: what only shows
//! where both work together.

mod feed;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use feed::{Forward, attribute, body, get, packet};
use wgi::{Body, Bytes, Environ, Error, Input, StartResponse, StatusCode};
use wgi_ajp::Ajp;
use wgi_ajp::packet::{
    CPING, CPONG, END_RESPONSE, GET_BODY_CHUNK, HEADER_LEN, SECRET, SEND_BODY_CHUNK, SEND_HEADERS, SHUTDOWN,
};
use wgi_engine::{Address, Engine, Handle, Listener, Options};

/// How long a test waits for what has to come, before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// Larger than every buffer on the way.
const LARGE: usize = 4 * 1024 * 1024;

/// An engine with an application of some behaviours.
struct Server {
    address: SocketAddr,
    handle: Handle,
    /// Gets a message for each body that was dropped.
    closed: mpsc::Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start() -> Server {
        Server::start_with(Ajp::new(), Options::default())
    }

    fn start_with(ajp: Ajp, options: Options) -> Server {
        let (sender, closed) = mpsc::channel();
        let sender = Mutex::new(sender);
        let app = move |environ: Environ, start_response: &mut dyn StartResponse| {
            let sender = sender.lock().unwrap().clone();
            respond(environ, start_response).map(|body| body.on_close(move || sender.send(()).unwrap_or(())))
        };
        let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).unwrap();
        ajp.check(&listener).unwrap();
        let address = listener.local().unwrap();
        let mut engine = Engine::new(options);
        engine.listen(listener, ajp, Arc::new(app));
        let handle = engine.handle();
        let thread = Some(thread::spawn(move || engine.run().unwrap()));
        Server { address, handle, closed, thread }
    }

    fn connect(&self) -> WebServer {
        let socket = TcpStream::connect(self.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        WebServer { socket, asked: 0 }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.handle.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn respond(mut environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
    let body = match environ.text("PATH_INFO")? {
        "/ignore" => Body::from("ignored"),
        "/ten" => {
            let mut ten = vec![0; 10];
            environ.input().read_exact(&mut ten)?;
            Body::from(ten)
        }
        "/echo" => Body::from_reader(std::mem::take(environ.input())),
        "/stream" => {
            let input: Input = std::mem::take(environ.input());
            Body::from_stream::<_, _, Error>(input)
        }
        "/endless" => Body::from_chunks(std::iter::repeat_with(|| Bytes::from_static(&[b'x'; 64 * 1024]))),
        "/broken" => Body::from_results([Ok("part"), Err(Error::new("broken"))]),
        // Longer than a body may pause.
        "/slow" => {
            thread::sleep(Duration::from_millis(2300));
            Body::from(environ.input().read_all(u64::MAX)?)
        }
        _ => Body::from(environ.input().read_all(u64::MAX)?),
    };
    start_response.start(StatusCode::OK, ())?;
    Ok(body)
}

/// A web server with one connection, that sends a body as mod_proxy_ajp does: the first packet by itself where there
/// is a Content-Length, and then one for each GET_BODY_CHUNK.
struct WebServer {
    socket: TcpStream,
    /// How often it was asked for more.
    asked: usize,
}

/// A response.
#[derive(Debug, PartialEq, Eq)]
struct Response {
    status: u16,
    body: Vec<u8>,
    /// END_RESPONSE, and what it says; none where the connection ended before it.
    reuse: Option<bool>,
}

impl WebServer {
    fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    fn packet(&mut self) -> io::Result<Vec<u8>> {
        let mut header = [0; HEADER_LEN];
        self.socket.read_exact(&mut header)?;
        assert_eq!(&header[..2], b"AB");
        let mut content = vec![0; usize::from(u16::from_be_bytes([header[2], header[3]]))];
        self.socket.read_exact(&mut content)?;
        Ok(content)
    }

    fn post(&mut self, path: &str, data: &[u8]) -> Response {
        let request = Forward::new("POST", path).field("Content-Length", data.len().to_string());
        let mut packets = data.chunks(8186);
        let first = packets.next().map(body).unwrap_or_default();
        self.send(&[request.packet(), first].concat());
        self.finish(packets)
    }

    fn post_chunked(&mut self, path: &str, data: &[u8]) -> Response {
        self.send(&Forward::new("POST", path).field("Transfer-Encoding", "chunked").packet());
        self.finish(data.chunks(8186))
    }

    /// Reads a response, and sends of the body what is asked for.
    fn finish<'a>(&mut self, mut packets: impl Iterator<Item = &'a [u8]>) -> Response {
        let mut response = Response { status: 0, body: Vec::new(), reuse: None };
        while let Ok(packet) = self.packet() {
            match packet[0] {
                GET_BODY_CHUNK => {
                    self.asked += 1;
                    self.send(&body(packets.next().unwrap_or_default()));
                }
                SEND_HEADERS => {
                    assert_eq!(response.status, 0, "two heads");
                    response.status = u16::from_be_bytes([packet[1], packet[2]]);
                }
                SEND_BODY_CHUNK => response.body.extend_from_slice(&packet[3..packet.len() - 1]),
                END_RESPONSE => {
                    response.reuse = Some(packet[1] == 1);
                    break;
                }
                other => panic!("a packet of type {other}"),
            }
        }
        response
    }

    fn is_closed(&mut self) -> bool {
        matches!(self.socket.read(&mut [0]), Ok(0)) || self.packet().is_err()
    }
}

fn whole(body: impl Into<Vec<u8>>) -> Response {
    Response { status: 200, body: body.into(), reuse: Some(true) }
}

fn data(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 7 + n / 251) as u8).collect()
}

/// [10.30]
#[test]
fn bodies_come_on_demand_and_whole() {
    let server = Server::start();
    let mut web = server.connect();
    for path in ["/read", "/echo", "/stream"] {
        for length in [0, 1, 8186, 8187, 65_536, 100_000, LARGE] {
            let data = data(length);
            web.asked = 0;
            assert!(web.post(path, &data) == whole(&data[..]), "{path} {length}");
            assert_eq!(web.asked, length.div_ceil(8186).saturating_sub(1), "{path} {length}");
            assert!(web.post_chunked(path, &data) == whole(&data[..]), "{path} {length} of unknown length");
        }
    }
}

/// [10.30], [10.31]
#[test]
fn what_nobody_reads_is_not_sent_and_the_connection_goes_on() {
    let server = Server::start();
    let mut web = server.connect();
    let large = data(LARGE);
    for path in ["/ignore", "/ten"] {
        for _ in 0..3 {
            web.asked = 0;
            let expected = if path == "/ten" { large[..10].to_vec() } else { b"ignored".to_vec() };
            assert_eq!(web.post(path, &large), whole(&expected[..]));
            assert_eq!(web.post_chunked(path, &large), whole(&expected[..]));
            // What is collected before the call, and what was asked for when it ended.
            assert!(web.asked <= 2 * (64 * 1024 / 8186 + 2), "{path}: asked {} times", web.asked);
        }
    }
    // Not even when it is over the limit.
    let mut options = Options::default();
    options.max_body = 1000;
    options.max_drain = 0;
    let server = Server::start_with(Ajp::new(), options);
    let mut web = server.connect();
    for _ in 0..3 {
        let response = web.post("/read", &large);
        assert_eq!((response.status, response.reuse, web.asked), (413, Some(true), 0));
    }
    assert_eq!(web.post("/read", &large[..1000]), whole(&large[..1000]));
    let response = web.post_chunked("/read", &large);
    assert_eq!((response.status, response.reuse), (413, Some(true)));
}

/// How long an application took before it read on is no fault of the web server's, which was not asked.
#[test]
fn a_slow_reader_gets_its_body() {
    let mut options = Options::default();
    options.body_timeout = Duration::from_secs(2);
    options.body_buffer = 10_000;
    let server = Server::start_with(Ajp::new(), options);
    let data = data(100_000);
    assert!(server.connect().post("/slow", &data) == whole(&data[..]));
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let mut options = Options::default();
    options.body_timeout = Duration::from_millis(50);
    let server = Server::start_with(Ajp::new(), options);
    for path in ["/read", "/echo"] {
        let mut web = server.connect();
        web.send(&Forward::new("POST", path).field("Content-Length", "10").packet());
        let response = web.finish(std::iter::empty());
        assert_eq!((response.status, response.reuse), (408, Some(false)));
        assert!(web.is_closed());
    }
}

#[test]
fn a_request_that_expects_it_is_asked_when_somebody_reads() {
    let server = Server::start();
    let mut web = server.connect();
    let request = |path| {
        Forward::new("POST", path).field("Transfer-Encoding", "chunked").field("Expect", "100-continue").packet()
    };
    web.send(&request("/ignore"));
    assert_eq!(web.finish(std::iter::empty()), whole("ignored"));
    assert_eq!(web.asked, 0);
    web.send(&request("/read"));
    assert_eq!(web.finish([&b"hello"[..]].into_iter()), whole("hello"));
    assert_eq!(web.asked, 2);
}

/// [10.29]
#[test]
fn cping_is_answered_at_any_time_between() {
    let server = Server::start();
    let mut web = server.connect();
    for _ in 0..3 {
        web.send(&packet(&[CPING]));
        assert_eq!(web.packet().unwrap(), [CPONG]);
        assert_eq!(web.post("/read", b"hello"), whole("hello"));
    }
}

#[test]
fn a_web_server_that_goes_away_is_noticed() {
    let server = Server::start();
    let mut web = server.connect();
    web.send(&Forward::new("GET", "/endless").packet());
    assert_eq!(web.packet().unwrap()[0], SEND_HEADERS);
    drop(web);
    server.closed.recv_timeout(PATIENCE).expect("the body was not dropped");
}

/// [10.31]
#[test]
fn a_response_that_breaks_off_has_no_end() {
    let server = Server::start();
    let mut web = server.connect();
    web.send(&Forward::new("GET", "/broken").packet());
    assert_eq!(web.finish(std::iter::empty()), Response { status: 200, body: b"part".to_vec(), reuse: None });
}

/// [10.31]
#[test]
fn a_server_that_stops_says_so_in_its_last_response() {
    let server = Server::start();
    let mut web = server.connect();
    assert_eq!(web.post("/read", b"hello"), whole("hello"));
    // The reply is under way when the engine stops.
    web.send(&Forward::new("POST", "/echo").field("Content-Length", "70000").packet());
    let data = data(70_000);
    let mut packets = data.chunks(8186);
    web.send(&body(packets.next().unwrap()));
    for packet_of in packets {
        if web.packet().unwrap()[0] != GET_BODY_CHUNK {
            panic!("the body is not asked for");
        }
        server.handle.stop();
        web.send(&body(packet_of));
    }
    let response = web.finish(std::iter::empty());
    assert!(response == Response { status: 200, body: data, reuse: Some(false) });
    assert!(web.is_closed());
}

/// [10.25], [11.11]
#[test]
fn what_is_malformed_costs_its_own_connection_alone() {
    let server = Server::start();
    let mut other = server.connect();
    assert_eq!(other.post("/read", b"hello"), whole("hello"));
    let cut_short = Forward::new("GET", "/").content();
    for (name, input) in [
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("SHUTDOWN", packet(&[SHUTDOWN])),
        ("a request that is cut short", packet(&cut_short[..cut_short.len() - 1])),
        ("a packet that is too large", vec![0x12, 0x34, 0xff, 0xff, 2]),
    ] {
        let mut web = server.connect();
        web.send(&input);
        assert_eq!(web.finish(std::iter::empty()), Response { status: 0, body: Vec::new(), reuse: None }, "{name}");
        assert!(web.is_closed(), "{name}");
    }
    for (name, status, input) in [
        ("a body's packet of two lengths", 400, [feed::post("5"), packet(b"\0\x09hello")].concat()),
        ("a body that ends early", 400, [feed::post("5"), body(b"")].concat()),
        ("a path that is none", 400, Forward::new("GET", "nowhere").packet()),
    ] {
        let mut web = server.connect();
        web.send(&input);
        let response = web.finish(std::iter::empty());
        assert_eq!((response.status, response.reuse), (status, Some(false)), "{name}");
        assert!(web.is_closed(), "{name}");
    }
    assert_eq!(other.post("/read", b"hello"), whole("hello"));
    assert_eq!(server.handle.counters().refused, 7);
}

/// [11.11]: behind what is collected before the call, so that the application is reading when it comes.
#[test]
fn a_body_that_turns_out_malformed_is_never_whole() {
    let server = Server::start();
    // The head of the second went out before, and was read past.
    for (path, status, reuse) in [("/read", 400, Some(false)), ("/echo", 0, None)] {
        let mut web = server.connect();
        let data = data(100_000);
        web.send(&Forward::new("POST", path).field("Content-Length", "100000").packet());
        let mut sent = 0;
        let response = loop {
            web.send(&body(&data[sent..sent + 8186]));
            sent += 8186;
            if sent == 10 * 8186 {
                web.send(&packet(b"\0\x09hello"));
                break web.finish(std::iter::empty());
            }
            while web.packet().unwrap()[0] != GET_BODY_CHUNK {}
        };
        assert_eq!((response.status, response.reuse), (status, reuse), "{path}");
        assert!(web.is_closed());
    }
}

/// [10.25]
#[test]
fn a_secret_is_asked_for() {
    let server = Server::start_with(Ajp::new().secret("sesame"), Options::default());
    let mut web = server.connect();
    for _ in 0..2 {
        web.send(&Forward::new("GET", "/").attribute(attribute(SECRET, "sesame")).packet());
        assert_eq!(web.finish(std::iter::empty()), whole(""));
    }
    web.send(&get());
    let response = web.finish(std::iter::empty());
    assert_eq!((response.status, response.reuse), (403, Some(false)));
}

/// [10.25]
#[test]
fn a_listener_for_everybody_needs_a_secret() {
    let open = Listener::bind(&Address::Tcp { host: String::new(), port: 0 }).unwrap();
    let refused = Ajp::new().check(&open).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    Ajp::new().secret("sesame").check(&open).unwrap();
    for local in ["127.0.0.1:0", "localhost:0", "[::1]:0"] {
        // A machine may have no IPv6.
        if let Ok(listener) = Listener::bind(&local.parse().unwrap()) {
            Ajp::new().check(&listener).unwrap();
        }
    }
}

/// Requests come one after another; what comes early waits its turn, and nothing is mixed up.
#[test]
fn a_request_that_comes_early_is_answered_behind_the_one_in_front_or_not_at_all() {
    let server = Server::start();
    let mut web = server.connect();
    web.send(&[get(), Forward::new("GET", "/ignore").packet()].concat());
    assert_eq!(web.finish(std::iter::empty()), whole(""));
    let second = web.finish(std::iter::empty());
    assert!(second == whole("ignored") || second.status == 0, "{second:?}");
    // In the place of a body it is none, and is never run.
    let mut web = server.connect();
    web.send(&[feed::post("100000"), Forward::new("GET", "/ignore").packet()].concat());
    let response = web.finish(std::iter::empty());
    assert_eq!((response.status, response.reuse), (400, Some(false)));
}
