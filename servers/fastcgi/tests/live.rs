//! The codec under the engine, over a socket: what only shows where both work together.

mod feed;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use feed::{begin, get, params, post, record, stdin};
use wgi::{Body, Bytes, Environ, Error, StartResponse, StatusCode};
use wgi_engine::{Address, Engine, Handle, Listener, Options};
use wgi_fastcgi::FastCgi;
use wgi_fastcgi::record::{
    ABORT_REQUEST, END_REQUEST, HEADER_LEN, Header, KEEP_CONN, RESPONDER, STDERR, STDIN, STDOUT,
};

/// How long a test waits for what has to come, before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

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
        let (sender, closed) = mpsc::channel();
        let sender = Mutex::new(sender);
        let app = move |environ: Environ, start_response: &mut dyn StartResponse| {
            let sender = sender.lock().unwrap().clone();
            answer(environ, start_response).map(|body| body.on_close(move || sender.send(()).unwrap_or(())))
        };
        let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).unwrap();
        let Address::Tcp { host, port } = listener.address() else { panic!("{:?}", listener.address()) };
        let address = SocketAddr::new(host.parse().unwrap(), *port);
        let mut engine = Engine::new(Options::default());
        engine.listen(listener, FastCgi::new(), Arc::new(app));
        let handle = engine.handle();
        let thread = Some(std::thread::spawn(move || engine.run().unwrap()));
        Server { address, handle, closed, thread }
    }

    fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket
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

fn answer(mut environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
    let body = match environ.text("PATH_INFO")? {
        "/endless" => Body::from_chunks(std::iter::repeat_with(|| Bytes::from_static(&[b'x'; 64 * 1024]))),
        "/large" => Body::from(vec![b'y'; LARGE]),
        "/errors" => {
            writeln!(environ.errors(), "something is odd")?;
            Body::empty()
        }
        "/broken" => Body::from_results([Ok("part"), Err(Error::new("broken"))]),
        _ => Body::from(environ.input().read_all(u64::MAX)?),
    };
    start_response.start(StatusCode::OK, ())?;
    Ok(body)
}

/// Larger than every buffer on the way.
const LARGE: usize = 16 * 1024 * 1024;

fn request(id: u16, path: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len().to_string();
    let vars = [("REQUEST_METHOD", "PUT"), ("SCRIPT_NAME", path), ("CONTENT_LENGTH", &length)];
    let body = body.chunks(0xffff).flat_map(|piece| record(STDIN, id, piece));
    [begin(id, RESPONDER, KEEP_CONN), params(id, &vars)]
        .concat()
        .into_iter()
        .chain(body)
        .chain(stdin(id, b""))
        .collect()
}

fn read_record(mut socket: &TcpStream) -> (u8, u16, Vec<u8>) {
    let mut header = [0; HEADER_LEN];
    socket.read_exact(&mut header).unwrap();
    let header = Header::parse(&header);
    let mut content = vec![0; header.content_length.into()];
    socket.read_exact(&mut content).unwrap();
    (header.record_type, header.request_id, content)
}

/// What comes on a stream of a request up to its end.
fn read_stream(socket: &TcpStream, record_type: u8, id: u16) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        match read_record(socket) {
            (END_REQUEST, ended, _) if ended == id => return all,
            (seen, for_id, content) if (seen, for_id) == (record_type, id) => all.extend(content),
            _ => {}
        }
    }
}

fn head(length: usize) -> Vec<u8> {
    format!("Status: 200 OK\r\ncontent-length: {length}\r\n\r\n").into_bytes()
}

#[test]
fn an_id_is_used_again_behind_a_body_that_nobody_wanted() {
    let server = Server::start();
    let mut socket = server.connect();
    // The reply is over before the body is: the web server sends no more of it.
    let vars = [("REQUEST_METHOD", "PUT"), ("SCRIPT_NAME", "/errors"), ("CONTENT_LENGTH", "1000000")];
    socket.write_all(&[begin(1, RESPONDER, KEEP_CONN), params(1, &vars)].concat()).unwrap();
    for _ in 0..2 {
        socket.write_all(&record(STDIN, 1, &[b'x'; 0xffff])).unwrap();
    }
    assert_eq!(read_stream(&socket, STDOUT, 1), head(0));
    for _ in 0..2 {
        socket.write_all(&post(1, KEEP_CONN, "5", b"hello")).unwrap();
        assert!(read_stream(&socket, STDOUT, 1).ends_with(b"\r\n\r\nhello"));
    }
}

/// [10.20]
#[test]
fn an_abort_ends_a_reply_that_is_under_way() {
    let server = Server::start();
    let mut socket = server.connect();
    socket.write_all(&request(1, "/endless", b"")).unwrap();
    assert_eq!(read_record(&socket).0, STDOUT);
    socket.write_all(&record(ABORT_REQUEST, 1, b"")).unwrap();
    // The application learns of it while nobody reads.
    server.closed.recv_timeout(PATIENCE).expect("the body was not dropped");
    assert!(read_stream(&socket, STDOUT, 1).starts_with(b"x"));
    // What comes next is of the next request, of the same id.
    socket.write_all(&post(1, KEEP_CONN, "5", b"hello")).unwrap();
    assert_eq!(read_stream(&socket, STDOUT, 1), [head(5), b"hello".into()].concat());
}

#[test]
fn bodies_larger_than_every_buffer_do_not_lock_up() {
    let server = Server::start();
    // The application does not read, and neither does the web server, before all of the body is sent.
    let mut socket = server.connect();
    socket.write_all(&request(1, "/large", &vec![b'x'; LARGE])).unwrap();
    assert_eq!(read_stream(&socket, STDOUT, 1).len(), head(LARGE).len() + LARGE);
    // And where the application does read.
    socket.write_all(&request(2, "/echo", &vec![b'z'; LARGE])).unwrap();
    assert_eq!(read_stream(&socket, STDOUT, 2).len(), head(LARGE).len() + LARGE);
}

#[test]
fn a_reply_arrives_although_the_connection_ends_in_the_middle_of_a_body() {
    let server = Server::start();
    let mut socket = server.connect();
    let mut input = request(1, "/errors", &vec![b'x'; LARGE]);
    // Without KEEP_CONN.
    input[HEADER_LEN + 2] = 0;
    socket.write_all(&input).unwrap();
    assert_eq!(read_stream(&socket, STDOUT, 1), head(0));
    assert_eq!(socket.read(&mut [0]).unwrap(), 0);
}

/// [10.18]
#[test]
fn interleaved_requests_are_all_served() {
    let server = Server::start();
    let mut socket = server.connect();
    let requests: Vec<_> = (1..=20).map(|id| (id, format!("body of {id}"))).collect();
    let begins = requests.iter().map(|(id, body)| {
        let length = body.len().to_string();
        let vars = [("REQUEST_METHOD", "PUT"), ("SCRIPT_NAME", "/echo"), ("CONTENT_LENGTH", &length)];
        [begin(*id, RESPONDER, KEEP_CONN), params(*id, &vars)].concat()
    });
    socket.write_all(&begins.collect::<Vec<_>>().concat()).unwrap();
    for piece in [0..4, 4..usize::MAX] {
        for (id, body) in requests.iter().rev() {
            let piece = body.as_bytes().get(piece.start..piece.end.min(body.len())).unwrap();
            socket.write_all(&record(STDIN, *id, piece)).unwrap();
        }
    }
    let mut replies = std::collections::BTreeMap::<u16, Vec<u8>>::new();
    let mut ended = 0;
    while ended < requests.len() {
        match read_record(&socket) {
            (END_REQUEST, ..) => ended += 1,
            (_, id, content) => replies.entry(id).or_default().extend(content),
        }
    }
    for (id, body) in &requests {
        assert_eq!(replies[id], [head(body.len()), body.clone().into_bytes()].concat());
    }
}

#[test]
fn errors_arrive_on_stderr() {
    let server = Server::start();
    let mut socket = server.connect();
    socket.write_all(&request(1, "/errors", b"")).unwrap();
    assert_eq!(read_stream(&socket, STDERR, 1), b"something is odd\n");
}

/// [10.21], [11.11]
#[test]
fn the_connection_is_closed_where_it_has_to_be() {
    let server = Server::start();
    let short = post(1, 0, "5", b"hel");
    let vars = [("REQUEST_METHOD", "GET"), ("SCRIPT_NAME", "/broken")];
    let broken = [begin(1, RESPONDER, KEEP_CONN), params(1, &vars), stdin(1, b"")].concat();
    let abort = [begin(1, RESPONDER, 0), record(ABORT_REQUEST, 1, b"")].concat();
    for (name, input, is_ended) in [
        ("without KEEP_CONN", get(1, 0), true),
        ("a short body", short, true),
        ("an abort", abort, true),
        ("no method", [begin(1, RESPONDER, 0), params(1, &[])].concat(), true),
        ("an unknown role", begin(1, 3, 0), true),
        ("another version", b"GET / HTTP/1.1\r\n\r\n".to_vec(), false),
        ("a broken response", broken, false),
    ] {
        let mut socket = server.connect();
        socket.write_all(&input).unwrap();
        let mut all = Vec::new();
        socket.read_to_end(&mut all).unwrap_or_else(|error| panic!("{name}: {error}"));
        let end = record(END_REQUEST, 1, &[0; 8]);
        let end = &end[..HEADER_LEN];
        assert_eq!(all.windows(end.len()).any(|at| at == end), is_ended, "{name}");
    }
    // A web server that closes its side is gone.
    let socket = server.connect();
    socket.shutdown(Shutdown::Write).unwrap();
    assert_eq!((&socket).read(&mut [0]).unwrap(), 0);
}
