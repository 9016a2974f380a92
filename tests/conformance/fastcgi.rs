//! FastCGI 1.0 as an adapter: the front-end's side of it, for the role Responder.

use std::io::{self, BufRead};

use wgi_conformance::rungs::memory::{self, Feed};
use wgi_conformance::{Adapter, Capability, Request, Seen, rungs};
use wgi_fastcgi::FastCgi;

const BEGIN_REQUEST: u8 = 1;
const END_REQUEST: u8 = 3;
const PARAMS: u8 = 4;
const STDIN: u8 = 5;
const STDOUT: u8 = 6;
const STDERR: u8 = 7;

struct FastCgiAdapter;

impl Adapter for FastCgiAdapter {
    type Protocol = FastCgi;

    fn protocol(&self) -> FastCgi {
        FastCgi::new()
    }

    fn can(&self) -> &'static [Capability] {
        &[Capability::Reason, Capability::KeepAlive, Capability::Star, Capability::Errors]
    }

    fn encode(&self, request: &Request, is_last: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Role Responder, and FCGI_KEEP_CONN unless it is the last.
        record(&mut bytes, BEGIN_REQUEST, &[0, 1, u8::from(!is_last), 0, 0, 0, 0, 0]);
        let vars = request.vars();
        // Of a size that splits pairs anywhere.
        vars.as_block().chunks(101).for_each(|part| record(&mut bytes, PARAMS, part));
        record(&mut bytes, PARAMS, &[]);
        request.sent_body().chunks(8000).for_each(|part| record(&mut bytes, STDIN, part));
        if request.breaks_off.is_none() {
            record(&mut bytes, STDIN, &[]);
        }
        bytes
    }

    fn decode(&self, from: &mut dyn BufRead, request: &Request) -> io::Result<Seen> {
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        let is_whole = loop {
            let mut header = [0; 8];
            if let Err(error) = from.read_exact(&mut header) {
                match error.kind() {
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => break false,
                    _ => return Err(error),
                }
            }
            let length = u16::from_be_bytes([header[4], header[5]]);
            let mut content = vec![0; usize::from(length) + usize::from(header[6])];
            from.read_exact(&mut content)?;
            content.truncate(length.into());
            match header[1] {
                STDOUT => output.append(&mut content),
                STDERR => errors.append(&mut content),
                // Application status 0 and FCGI_REQUEST_COMPLETE.
                END_REQUEST => break content[..5] == [0; 5],
                // A management record is no part of the response.
                _ if header[2..4] == [0, 0] => {}
                other => return Err(io::Error::other(format!("a record of type {other}"))),
            }
        };
        let mut seen = Seen::read_cgi(&output)?;
        if request.method == "HEAD" && !seen.body.is_empty() {
            return Err(io::Error::other("a body to HEAD"));
        }
        seen.is_whole = is_whole;
        seen.errors = errors;
        Ok(seen)
    }
}

/// Writes a record of request 1, padded to eight bytes as some front-ends do.
fn record(bytes: &mut Vec<u8>, kind: u8, content: &[u8]) {
    let length = (content.len() as u16).to_be_bytes();
    let padding = content.len().wrapping_neg() & 7;
    bytes.extend_from_slice(&[1, kind, 0, 1, length[0], length[1], padding as u8, 0]);
    bytes.extend_from_slice(content);
    bytes.extend(std::iter::repeat_n(0, padding));
}

#[test]
fn fastcgi_in_memory() {
    memory::run(&FastCgiAdapter, Feed::Whole).assert_passed();
}

#[test]
fn fastcgi_in_memory_byte_by_byte() {
    memory::run(&FastCgiAdapter, Feed::ByteByByte).assert_passed();
}

#[test]
fn fastcgi_in_memory_with_bytes_trailing() {
    memory::run(&FastCgiAdapter, Feed::Trailing).assert_passed();
}

#[test]
fn fastcgi_live() {
    rungs::live::run(&FastCgiAdapter).unwrap().assert_passed();
}
