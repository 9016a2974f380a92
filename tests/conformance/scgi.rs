//! SCGI as an adapter: the front-end's side of it.

use std::io::{self, BufRead};

use wgi_conformance::rungs::memory::{self, Feed};
use wgi_conformance::{Adapter, Capability, Request, Seen, rungs};
use wgi_scgi::Scgi;

struct ScgiAdapter;

impl Adapter for ScgiAdapter {
    type Protocol = Scgi;

    fn protocol(&self) -> Scgi {
        Scgi::new()
    }

    fn can(&self) -> &'static [Capability] {
        &[Capability::Reason, Capability::Star]
    }

    fn encode(&self, request: &Request, _is_last: bool) -> Vec<u8> {
        let vars = request.vars();
        let length = vars.get("CONTENT_LENGTH").unwrap_or(b"0");
        let mut head = [b"CONTENT_LENGTH\0", length, b"\0SCGI\x001\0"].concat();
        for (name, value) in vars.iter().filter(|(name, _)| name != b"CONTENT_LENGTH") {
            head.extend([name, b"\0", value, b"\0"].concat());
        }
        [format!("{}:", head.len()).as_bytes(), &head, b",", request.sent_body()].concat()
    }

    fn decode(&self, from: &mut dyn BufRead, request: &Request) -> io::Result<Seen> {
        let mut output = Vec::new();
        // The end of the connection is the end of the response, and a reset is a cut.
        let is_ended = match from.read_to_end(&mut output) {
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => false,
            Err(error) => return Err(error),
        };
        let mut seen = Seen::read_cgi(&output)?;
        if request.method == "HEAD" && !seen.body.is_empty() {
            return Err(io::Error::other("a body to HEAD"));
        }
        seen.is_whole &= is_ended;
        Ok(seen)
    }
}

#[test]
fn scgi_in_memory() {
    memory::run(&ScgiAdapter, Feed::Whole).assert_passed();
}

#[test]
fn scgi_in_memory_byte_by_byte() {
    memory::run(&ScgiAdapter, Feed::ByteByByte).assert_passed();
}

#[test]
fn scgi_in_memory_with_bytes_trailing() {
    memory::run(&ScgiAdapter, Feed::Trailing).assert_passed();
}

#[test]
fn scgi_live() {
    rungs::live::run(&ScgiAdapter).unwrap().assert_passed();
}
