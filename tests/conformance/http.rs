//! HTTP/1.1 as an adapter.

use std::io::{self, BufRead};

use wgi_conformance::rungs::memory::{self, Feed};
use wgi_conformance::{Adapter, Capability, HOST, Request, Seen, rungs};
use wgi_http::Http;

struct HttpAdapter;

impl Adapter for HttpAdapter {
    type Protocol = Http;

    fn protocol(&self) -> Http {
        Http::new()
    }

    fn can(&self) -> &'static [Capability] {
        &[Capability::Reason, Capability::KeepAlive, Capability::Star]
    }

    fn encode(&self, request: &Request, is_last: bool) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\nHost: {HOST}\r\n", request.method, request.target).into_bytes();
        if is_last {
            bytes.extend_from_slice(b"Connection: close\r\n");
        }
        if let Some(body) = &request.body {
            bytes.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
        }
        for (name, value) in &request.fields {
            bytes.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        [&bytes, &b"\r\n"[..], request.sent_body()].concat()
    }

    fn decode(&self, mut from: &mut dyn BufRead, request: &Request) -> io::Result<Seen> {
        Seen::read_http(&mut from, request.method)
    }
}

#[test]
fn http_in_memory() {
    memory::run(&HttpAdapter, Feed::Whole).assert_passed();
}

#[test]
fn http_in_memory_byte_by_byte() {
    memory::run(&HttpAdapter, Feed::ByteByByte).assert_passed();
}

#[test]
fn http_in_memory_with_bytes_trailing() {
    memory::run(&HttpAdapter, Feed::Trailing).assert_passed();
}

#[test]
fn http_live() {
    rungs::live::run(&HttpAdapter).unwrap().assert_passed();
}
