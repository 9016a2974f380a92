//! uwsgi as an adapter: the front-end's side of it.

use std::io::{self, BufRead};

use wgi_conformance::rungs::memory::{self, Feed};
use wgi_conformance::{Adapter, Capability, Request, Seen, rungs};
use wgi_uwsgi::Uwsgi;

struct UwsgiAdapter;

impl Adapter for UwsgiAdapter {
    type Protocol = Uwsgi;

    fn protocol(&self) -> Uwsgi {
        Uwsgi::new()
    }

    fn can(&self) -> &'static [Capability] {
        &[Capability::Reason, Capability::Star]
    }

    fn encode(&self, request: &Request, _is_last: bool) -> Vec<u8> {
        let mut vars = Vec::new();
        for (name, value) in request.vars().iter() {
            for text in [name, value] {
                vars.extend((text.len() as u16).to_le_bytes());
                vars.extend(text);
            }
        }
        let [low, high] = (vars.len() as u16).to_le_bytes();
        [&[0, low, high, 0], &vars[..], request.sent_body()].concat()
    }

    fn decode(&self, mut from: &mut dyn BufRead, request: &Request) -> io::Result<Seen> {
        Seen::read_http(&mut from, request.method)
    }
}

#[test]
fn uwsgi_in_memory() {
    memory::run(&UwsgiAdapter, Feed::Whole).assert_passed();
}

#[test]
fn uwsgi_in_memory_byte_by_byte() {
    memory::run(&UwsgiAdapter, Feed::ByteByByte).assert_passed();
}

#[test]
fn uwsgi_in_memory_with_bytes_trailing() {
    memory::run(&UwsgiAdapter, Feed::Trailing).assert_passed();
}

#[test]
fn uwsgi_live() {
    rungs::live::run(&UwsgiAdapter).unwrap().assert_passed();
}
