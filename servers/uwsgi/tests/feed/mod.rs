//! Feeds a codec and notes what came of it; builds the requests to feed it with. The fuzz target uses it too.

#![allow(dead_code, unused_imports)] // Each test uses some of it.

use wgi::Scheme;
use wgi_testbed::Wire;
use wgi_testbed::feed::feed_in_every_way;
pub(crate) use wgi_testbed::feed::{Fed, Seen, codec, feed, feed_codec, var};
use wgi_uwsgi::Uwsgi;

/// The protocol as its tests see it.
pub(crate) struct UwsgiWire;

impl Wire for UwsgiWire {
    type Protocol = Uwsgi;

    const START: &'static str = "HTTP/1.1 ";
    const PATH: &'static str = "PATH_INFO";
    const MALFORMED: &'static [u8] = b"\0\x04\0\0\x05\0AB";
    const BEGINNING: &'static [u8] = b"\0\x10\0\0RE";

    fn protocol(&self) -> Uwsgi {
        Uwsgi::new()
    }

    fn request(&self, vars: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
        request(vars, body)
    }
}

/// Feeds the same bytes whole, one by one, and with the beginning of a request behind them: what comes of it is the same.
#[track_caller]
pub(crate) fn decode_with(uwsgi: &Uwsgi, input: impl AsRef<[u8]>) -> Fed {
    feed_in_every_way(uwsgi, input.as_ref(), UwsgiWire::BEGINNING)
}

/// As [`decode_with`], with the default limit.
#[track_caller]
pub(crate) fn decode(input: impl AsRef<[u8]>) -> Fed {
    decode_with(&Uwsgi::new(), input)
}

/// What an application would be called with for a request of these variables.
#[track_caller]
pub(crate) fn environ_with(uwsgi: &Uwsgi, vars: &[(&str, &str)]) -> (Vec<(String, String)>, Scheme) {
    let fed = decode_with(uwsgi, request(vars, b""));
    match &fed.seen[..] {
        [Seen::Request(vars, _, scheme), ..] => (vars.clone(), *scheme),
        seen => panic!("{seen:?}"),
    }
}

// Requests.

/// Names and values, each with its size in front.
pub(crate) fn pairs(vars: &[(&str, &str)]) -> Vec<u8> {
    let sized = |text: &str| [&(text.len() as u16).to_le_bytes(), text.as_bytes()].concat();
    vars.iter().flat_map(|(name, value)| [sized(name), sized(value)].concat()).collect()
}

/// A packet of that content.
pub(crate) fn packet(modifier1: u8, content: &[u8], modifier2: u8) -> Vec<u8> {
    let [low, high] = u16::try_from(content.len()).expect("the content of one packet").to_le_bytes();
    [&[modifier1, low, high, modifier2], content].concat()
}

/// A request of these variables and that body.
pub(crate) fn request(vars: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let length = if body.is_empty() { Vec::new() } else { pairs(&[("CONTENT_LENGTH", &body.len().to_string())]) };
    [packet(0, &[pairs(vars), length].concat(), 0), body.to_vec()].concat()
}

/// A request for `/` without a body.
pub(crate) fn get() -> Vec<u8> {
    request(&[("REQUEST_METHOD", "GET"), ("PATH_INFO", "/")], b"")
}
