//! Protocols of one request a connection under the engine, over sockets: what only shows where both work together, as
//! tests for each of them.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use wgi::{Body, Environ, Error, StartResponse, StatusCode};
use wgi_engine::{Address, Engine, Handle, Listener, Options, Protocol};

use crate::Wire;

/// How long a test waits for what has to come, before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// Larger than every buffer on the way.
const LARGE: usize = 16 * 1024 * 1024;

/// An engine with an application of some behaviours.
struct Server {
    address: Address,
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(wire: &impl Wire, address: &Address) -> Server {
        let listener = Listener::bind(address).unwrap();
        let address = listener.address().clone();
        let mut engine = Engine::new(Options::default());
        engine.listen(listener, wire.protocol(), Arc::new(answer));
        let handle = engine.handle();
        let thread = Some(std::thread::spawn(move || engine.run().unwrap()));
        Server { address, handle, thread }
    }

    fn on_tcp(wire: &impl Wire) -> Server {
        Server::start(wire, &"127.0.0.1:0".parse().unwrap())
    }

    fn connect(&self) -> TcpStream {
        let Address::Tcp { host, port } = &self.address else { panic!("{:?}", self.address) };
        let socket = TcpStream::connect(SocketAddr::new(host.parse().unwrap(), *port)).unwrap();
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
        "/large" => Body::from(vec![b'y'; LARGE]),
        "/chunks" => Body::from_chunks(["one ", "two ", "three"]),
        "/broken" => Body::from_results([Ok("part"), Err(Error::new("broken"))]),
        "/unread" => Body::from("unread"),
        _ => Body::from(environ.input().read_all(u64::MAX)?),
    };
    start_response.start(StatusCode::OK, ())?;
    Ok(body)
}

/// Reads to the end of the connection, which is that of the response.
fn read(mut socket: impl Read) -> String {
    let mut response = Vec::new();
    socket.read_to_end(&mut response).unwrap();
    String::from_utf8(response).unwrap()
}

/// Also where another request follows: only one is answered.
pub fn the_end_of_the_response_is_that_of_the_connection<W: Wire>(wire: &W) {
    let server = Server::on_tcp(wire);
    let mut socket = server.connect();
    socket.write_all(&wire.ask("PUT", "/chunks", b"")).unwrap();
    assert_eq!(read(&socket), format!("{}200 OK\r\n\r\none two three", W::START));
    // Also where the peer has sent another request behind the first: only one is answered.
    let mut socket = server.connect();
    socket.write_all(&[wire.ask("PUT", "/echo", b"hello"), wire.ask("PUT", "/echo", b"again")].concat()).unwrap();
    assert_eq!(read(&socket), format!("{}200 OK\r\ncontent-length: 5\r\n\r\nhello", W::START));
}

/// A body that breaks off must not look whole.
pub fn a_cut_is_a_reset<W: Wire>(wire: &W) {
    let server = Server::on_tcp(wire);
    let mut socket = server.connect();
    socket.write_all(&wire.ask("PUT", "/broken", b"")).unwrap();
    let mut response = Vec::new();
    let error = socket.read_to_end(&mut response).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

/// What the application left unread does not reset the connection under its reply.
pub fn a_reply_arrives_although_nobody_read_the_body<W: Wire>(wire: &W) {
    let server = Server::on_tcp(wire);
    let mut socket = server.connect();
    socket.write_all(&wire.ask("PUT", "/unread", &vec![b'x'; 200_000])).unwrap();
    assert_eq!(read(&socket), format!("{}200 OK\r\ncontent-length: 6\r\n\r\nunread", W::START));
}

/// Both ways.
pub fn bodies_larger_than_every_buffer_pass<W: Wire>(wire: &W) {
    let server = Server::on_tcp(wire);
    // The web server does not read before all of the body is sent; the application takes it in first.
    let mut socket = server.connect();
    socket.write_all(&wire.ask("PUT", "/echo", &vec![b'x'; LARGE])).unwrap();
    assert_eq!(read(&socket).len(), format!("{}200 OK\r\ncontent-length: {LARGE}\r\n\r\n", W::START).len() + LARGE);
    let mut socket = server.connect();
    socket.write_all(&wire.ask("PUT", "/large", b"")).unwrap();
    assert!(read(&socket).ends_with("yyyy"));
}

/// Half a body never looks whole.
pub fn a_body_that_breaks_off_is_an_error<W: Wire>(wire: &W) {
    let server = Server::on_tcp(wire);
    let mut socket = server.connect();
    let input = wire.ask("PUT", "/echo", &vec![b'x'; 100_000]);
    socket.write_all(&input[..input.len() - 1]).unwrap();
    socket.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(read(&socket).starts_with(&format!("{}400 ", W::START)));
}

/// And no other connection is harmed.
pub fn what_is_malformed_is_answered_and_closed<W: Wire>(wire: &W) {
    let server = Server::on_tcp(wire);
    let mut socket = server.connect();
    socket.write_all(W::MALFORMED).unwrap();
    let response = read(&socket);
    assert!(response.starts_with(&format!("{}400 ", W::START)), "{response}");
    // No other connection is harmed.
    let mut socket = server.connect();
    socket.write_all(&wire.ask("PUT", "/echo", b"hello")).unwrap();
    assert!(read(&socket).ends_with("hello"));
}

/// As over TCP.
pub fn over_a_unix_socket<W: Wire>(wire: &W) {
    let path = std::env::temp_dir().join(format!("wgi-{}-{}.sock", wire.protocol().name(), std::process::id()));
    let server = Server::start(wire, &Address::Unix(path.clone()));
    let ask = |path: &Path| {
        let mut socket = UnixStream::connect(path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(&wire.ask("PUT", "/echo", b"hello")).unwrap();
        read(&socket)
    };
    assert_eq!(ask(&path), format!("{}200 OK\r\ncontent-length: 5\r\n\r\nhello", W::START));
    drop(server);
}
