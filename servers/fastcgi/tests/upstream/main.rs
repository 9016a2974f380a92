//! The gateway's side: what goes to an application, and what is made of all that one may send back. The application is a
//! socket of the test, or an engine.

mod connections;
mod exchange;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use wgi::testing::{Client, Response};
use wgi::{App, Vars};
use wgi_engine::Address;
use wgi_fastcgi::record::{BEGIN_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT};
use wgi_fastcgi::{Upstream, UpstreamOptions};
use wgi_middleware::LintLayer;

fn record(kind: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let mut record = Vec::new();
    for piece in content.chunks(0xffff).chain(content.is_empty().then_some(content)) {
        let [high, low] = (piece.len() as u16).to_be_bytes();
        // Padded to eight bytes, as some do.
        let padding = piece.len().wrapping_neg() & 7;
        record.extend_from_slice(&[1, kind, 0, 1, high, low, padding as u8, 0]);
        record.extend_from_slice(piece);
        record.extend(std::iter::repeat_n(0xaa, padding));
    }
    record
}

fn end(app_status: u8, protocol_status: u8) -> Vec<u8> {
    record(END_REQUEST, [0, 0, 0, app_status, protocol_status, 0, 0, 0])
}

fn answer(body: &str) -> Vec<u8> {
    [record(STDOUT, format!("Content-Type: text/plain\r\n\r\n{body}")), record(STDOUT, ""), end(0, 0)].concat()
}

/// The application's side of one connection.
struct Peer(TcpStream);

/// What came on it.
#[derive(Debug, Default)]
struct Asked {
    flags: u8,
    vars: Vars,
    body: Vec<u8>,
}

impl Asked {
    fn var(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(|value| std::str::from_utf8(value).unwrap())
    }
}

impl Peer {
    fn record(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut header = [0; 8];
        self.0.read_exact(&mut header).ok()?;
        let mut content = vec![0; usize::from(u16::from_be_bytes([header[4], header[5]]))];
        self.0.read_exact(&mut content).ok()?;
        self.0.read_exact(&mut vec![0; header[6].into()]).ok()?;
        assert_eq!(header[2..4], [0, 1], "the request's id");
        Some((header[1], content))
    }

    /// Reads a whole request; none where the connection ends.
    fn ask(&mut self) -> Option<Asked> {
        let (mut asked, mut block) = (Asked::default(), Vec::new());
        loop {
            match self.record()? {
                (BEGIN_REQUEST, content) => {
                    assert_eq!(content[..2], [0, 1], "the role");
                    asked.flags = content[2];
                }
                (PARAMS, content) if content.is_empty() => {
                    asked.vars = Vars::from_block(std::mem::take(&mut block)).unwrap();
                }
                (PARAMS, content) => block.extend(content),
                (STDIN, content) if content.is_empty() => return Some(asked),
                (STDIN, content) => asked.body.extend(content),
                (kind, _) => panic!("a record of type {kind}"),
            }
        }
    }

    fn answer(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).unwrap();
    }
}

/// What an application does on one connection.
type Play = Box<dyn FnOnce(&mut Peer) + Send>;

/// An application that the test plays: for each connection, in the order in which they come.
fn played(connections: Vec<Play>) -> (Address, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp(listener.local_addr().unwrap());
    let playing = thread::spawn(move || {
        for play in connections {
            play(&mut Peer(listener.accept().unwrap().0));
        }
    });
    (address, playing)
}

fn tcp(address: SocketAddr) -> Address {
    address.to_string().parse().unwrap()
}

fn client(app: impl App) -> Client<impl App> {
    Client::new(app.with(LintLayer))
}

/// Asks an application that answers one request with these bytes, and then closes.
fn answered(bytes: impl Into<Vec<u8>>) -> Result<Response, wgi::testing::Cut> {
    answered_with(UpstreamOptions::default(), bytes)
}

fn answered_with(options: UpstreamOptions, bytes: impl Into<Vec<u8>>) -> Result<Response, wgi::testing::Cut> {
    let bytes = bytes.into();
    let (address, playing) = played(vec![Box::new(move |peer| {
        peer.ask();
        peer.answer(bytes);
    })]);
    let response = client(Upstream::with_options(address, options)).get("/").try_send();
    playing.join().unwrap();
    response
}
