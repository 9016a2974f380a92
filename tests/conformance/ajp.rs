//! AJP13 as an adapter: the web server's side of it, as mod_proxy_ajp has it.

use std::io::{self, BufRead, Write};
use std::net::{Shutdown, TcpStream};

use wgi_ajp::Ajp;
use wgi_ajp::packet::{
    ARE_DONE, CODED, END_RESPONSE, FORWARD_REQUEST, FROM_SERVER, GET_BODY_CHUNK, HEADER_LEN, METHOD_IS_STORED, METHODS,
    QUERY_STRING, REQUEST_FIELDS, RESPONSE_FIELDS, SEND_BODY_CHUNK, SEND_HEADERS, STORED_METHOD, TO_SERVER,
};
use wgi_conformance::rungs::memory::{self, Feed};
use wgi_conformance::{Adapter, Capability, HOST, Request, Seen, rungs};

/// The most data in a packet of a request's body.
const DATA: usize = 8186;

struct AjpAdapter;

impl Adapter for AjpAdapter {
    type Protocol = Ajp;

    fn protocol(&self) -> Ajp {
        Ajp::new()
    }

    fn can(&self) -> &'static [Capability] {
        &[Capability::Reason, Capability::KeepAlive, Capability::Star]
    }

    fn encode(&self, request: &Request, _is_last: bool) -> Vec<u8> {
        [forward(request), bodies(request).concat()].concat()
    }

    fn decode(&self, from: &mut dyn BufRead, request: &Request) -> io::Result<Seen> {
        read(from, request, &mut || Ok(()))
    }

    fn converse(
        &self,
        from: &mut dyn BufRead,
        mut to: &TcpStream,
        request: &Request,
        _is_last: bool,
    ) -> io::Result<Seen> {
        let mut packets = bodies(request).into_iter();
        // The first packet of a body comes by itself.
        to.write_all(&[forward(request), packets.next().unwrap_or_default()].concat())?;
        read(from, request, &mut || match packets.next() {
            Some(packet) => to.write_all(&packet),
            None if request.breaks_off.is_some() => to.shutdown(Shutdown::Write),
            None => to.write_all(&packet(&[0, 0])),
        })
    }
}

fn packet(content: &[u8]) -> Vec<u8> {
    [&FROM_SERVER, &(content.len() as u16).to_be_bytes()[..], content].concat()
}

fn string(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes()[..], text, &[0]].concat()
}

/// The request without its body.
fn forward(request: &Request) -> Vec<u8> {
    let code = METHODS.iter().position(|method| *method == request.method).map(|index| index as u8 + 1);
    let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
    let mut content = vec![FORWARD_REQUEST, code.unwrap_or(METHOD_IS_STORED)];
    for text in ["HTTP/1.1", path, "127.0.0.1", "localhost", "example.org"] {
        content.extend(string(text.as_bytes()));
    }
    content.extend(8080_u16.to_be_bytes());
    content.push(0);
    let length = request.body.as_ref().map(|body| ("Content-Length", body.len().to_string().into_bytes()));
    let fields: Vec<_> = [("Host", HOST.as_bytes().to_vec())].into_iter().chain(length).collect();
    let fields = || fields.iter().chain(&request.fields);
    content.extend((fields().count() as u16).to_be_bytes());
    for (name, value) in fields() {
        match REQUEST_FIELDS.iter().position(|coded| coded == name) {
            Some(index) => content.extend([CODED, index as u8 + 1]),
            None => content.extend(string(name.as_bytes())),
        }
        content.extend(string(value));
    }
    if !query.is_empty() {
        content.push(QUERY_STRING);
        content.extend(string(query.as_bytes()));
    }
    if code.is_none() {
        content.push(STORED_METHOD);
        content.extend(string(request.method.as_bytes()));
    }
    content.push(ARE_DONE);
    packet(&content)
}

/// The packets of the body.
fn bodies(request: &Request) -> Vec<Vec<u8>> {
    let data = request.sent_body().chunks(DATA);
    data.map(|data| packet(&[&(data.len() as u16).to_be_bytes()[..], data].concat())).collect()
}

/// Reads a response, and does what is to be done when more of the request's body is asked for.
fn read(from: &mut dyn BufRead, request: &Request, asked: &mut dyn FnMut() -> io::Result<()>) -> io::Result<Seen> {
    let mut seen: Option<Seen> = None;
    loop {
        let content = match read_packet(from) {
            Ok(content) => content,
            Err(error) => match (error.kind(), seen) {
                (io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset, Some(seen)) => return Ok(seen),
                _ => return Err(error),
            },
        };
        match (content.split_first(), &mut seen) {
            (Some((&GET_BODY_CHUNK, _)), _) => asked()?,
            (Some((&SEND_HEADERS, head)), None) => seen = Some(read_head(head)?),
            (Some((&SEND_BODY_CHUNK, [_, _, data @ .., 0])), Some(seen)) if request.method != "HEAD" => {
                seen.body.extend_from_slice(data);
            }
            (Some((&END_RESPONSE, _)), Some(_)) => {
                let mut seen = seen.unwrap_or_default();
                seen.is_whole = true;
                return Ok(seen);
            }
            _ => return Err(io::Error::other(format!("a packet that has no place here: {}", content.escape_ascii()))),
        }
    }
}

fn read_packet(from: &mut dyn BufRead) -> io::Result<Vec<u8>> {
    let mut header = [0; HEADER_LEN];
    from.read_exact(&mut header)?;
    if header[..2] != TO_SERVER {
        return Err(io::Error::other(format!("no packet: {}", header.escape_ascii())));
    }
    let mut content = vec![0; usize::from(u16::from_be_bytes([header[2], header[3]]))];
    from.read_exact(&mut content)?;
    Ok(content)
}

fn read_head(mut head: &[u8]) -> io::Result<Seen> {
    let from = &mut head;
    let mut seen = Seen { status: read_number(from)?, reason: read_string(from)?, ..Seen::default() };
    for _ in 0..read_number(from)? {
        let name = if from.first() == Some(&CODED) {
            let code = usize::from(read_number(from)? & 0xff);
            RESPONSE_FIELDS.get(code.wrapping_sub(1)).ok_or_else(|| io::Error::other("an unknown code"))?.to_string()
        } else {
            String::from_utf8_lossy(&read_string(from)?).into_owned()
        };
        seen.headers.push((name, read_string(from)?));
    }
    Ok(seen)
}

fn read_number(from: &mut &[u8]) -> io::Result<u16> {
    let mut number = [0; 2];
    io::Read::read_exact(from, &mut number)?;
    Ok(u16::from_be_bytes(number))
}

fn read_string(from: &mut &[u8]) -> io::Result<Vec<u8>> {
    let mut string = vec![0; usize::from(read_number(from)?) + 1];
    io::Read::read_exact(from, &mut string)?;
    match string.pop() {
        Some(0) => Ok(string),
        _ => Err(io::Error::other("a string without its NUL")),
    }
}

#[test]
fn ajp_in_memory() {
    memory::run(&AjpAdapter, Feed::Whole).assert_passed();
}

#[test]
fn ajp_in_memory_byte_by_byte() {
    memory::run(&AjpAdapter, Feed::ByteByByte).assert_passed();
}

#[test]
fn ajp_in_memory_with_bytes_trailing() {
    memory::run(&AjpAdapter, Feed::Trailing).assert_passed();
}

#[test]
fn ajp_live() {
    rungs::live::run(&AjpAdapter).unwrap().assert_passed();
}
