//! Feeds a codec and notes what came of it; builds the requests to feed it with. The fuzz target uses it too.

#![allow(dead_code, unused_imports)] // Each test uses some of it.

use wgi::Scheme;
use wgi_scgi::Scgi;
use wgi_testbed::Wire;
use wgi_testbed::feed::feed_in_every_way;
pub(crate) use wgi_testbed::feed::{Fed, Seen, codec, feed, feed_codec, var};

/// The protocol as its tests see it.
pub(crate) struct ScgiWire;

impl Wire for ScgiWire {
    type Protocol = Scgi;

    const START: &'static str = "Status: ";
    const PATH: &'static str = "REQUEST_URI";
    const MALFORMED: &'static [u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    const BEGINNING: &'static [u8] = b"70:CON";

    fn protocol(&self) -> Scgi {
        Scgi::new()
    }

    fn request(&self, vars: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
        request(vars, body)
    }
}

/// Feeds the same bytes whole, one by one, and with the beginning of a request behind them: what comes of it is the same.
#[track_caller]
pub(crate) fn decode_with(scgi: &Scgi, input: impl AsRef<[u8]>) -> Fed {
    feed_in_every_way(scgi, input.as_ref(), ScgiWire::BEGINNING)
}

/// As [`decode_with`], with the default limit.
#[track_caller]
pub(crate) fn decode(input: impl AsRef<[u8]>) -> Fed {
    decode_with(&Scgi::new(), input)
}

/// What an application would be called with for a request of these variables.
#[track_caller]
pub(crate) fn environ_with(scgi: &Scgi, vars: &[(&str, &str)]) -> (Vec<(String, String)>, Scheme) {
    let fed = decode_with(scgi, request(vars, b""));
    match &fed.seen[..] {
        [Seen::Request(vars, _, scheme), ..] => (vars.clone(), *scheme),
        seen => panic!("{seen:?}"),
    }
}

// Requests.

pub(crate) fn netstring(content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    [format!("{}:", content.len()).as_bytes(), content, b","].concat()
}

/// Names and values, each with a NUL behind it.
pub(crate) fn pairs(vars: &[(&str, &str)]) -> Vec<u8> {
    vars.iter().flat_map(|(name, value)| format!("{name}\0{value}\0").into_bytes()).collect()
}

/// A request of these variables and that body, with the two that the protocol asks for in front.
pub(crate) fn request(vars: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let length = body.len().to_string();
    let head = [pairs(&[("CONTENT_LENGTH", &length), ("SCGI", "1")]), pairs(vars)].concat();
    [netstring(head), body.to_vec()].concat()
}

/// A request for `/` without a body.
pub(crate) fn get() -> Vec<u8> {
    request(&[("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/")], b"")
}
