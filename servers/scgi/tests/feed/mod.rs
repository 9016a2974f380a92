//! Feeds a codec and notes what came of it; builds the requests to feed it with. The fuzz target uses it too.

#![allow(dead_code)] // Each test uses some of it.

use wgi::{Gateway, Scheme};
use wgi_engine::{Codec, ConnectionInfo, Event, Protocol, RequestBody};
use wgi_scgi::Scgi;

/// What a codec made of its input, independent of how that was cut: neighbouring data are one, and a request without
/// a body is one whose body has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Request(Vec<(String, String)>, Option<u64>, Scheme),
    Data(Vec<u8>),
    End,
    Refused(u16),
}

/// Everything that came of some input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fed {
    pub(crate) seen: Vec<Seen>,
    pub(crate) out: Vec<u8>,
}

/// The codec of a connection that came in over a Unix socket.
pub(crate) fn codec(scgi: &Scgi) -> Box<dyn Codec> {
    scgi.codec(&ConnectionInfo { peer: None, local: None, gateway: Gateway::new() })
}

/// Feeds pieces to a new codec.
pub(crate) fn feed<'a>(scgi: &Scgi, pieces: impl IntoIterator<Item = &'a [u8]>) -> Fed {
    feed_codec(&mut *codec(scgi), pieces)
}

/// Feeds pieces to a codec as an engine does: what was not used is passed again, with the next piece behind it.
pub(crate) fn feed_codec<'a>(codec: &mut dyn Codec, pieces: impl IntoIterator<Item = &'a [u8]>) -> Fed {
    let mut fed = Fed { seen: Vec::new(), out: Vec::new() };
    let mut input = Vec::new();
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            let decoded = match codec.decode(&input, &mut fed.out) {
                Ok(decoded) => decoded,
                Err(error) => {
                    codec.refuse(&error, &mut fed.out);
                    fed.seen.push(Seen::Refused(error.status().as_u16()));
                    return fed;
                }
            };
            let is_incomplete = matches!(decoded.event, Event::Incomplete);
            note(&mut fed.seen, decoded.event, &input[..decoded.used]);
            input.drain(..decoded.used);
            if is_incomplete {
                break;
            }
        }
    }
    fed
}

fn note(seen: &mut Vec<Seen>, event: Event, used: &[u8]) {
    match event {
        Event::Incomplete => {}
        Event::Request(0, request) => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let vars = request.environ.vars().iter().map(|(name, value)| (text(name), text(value))).collect();
            let length = match request.body {
                RequestBody::Length(length) => Some(length),
                RequestBody::None => None,
                RequestBody::Unknown => panic!("SCGI knows the length of every body"),
            };
            seen.push(Seen::Request(vars, length, request.environ.gateway().url_scheme));
            if length.is_none() {
                seen.push(Seen::End);
            }
        }
        Event::Data(0, range) => {
            let data = &used[range];
            assert!(!data.is_empty(), "data of no bytes");
            match seen.last_mut() {
                Some(Seen::Data(before)) => before.extend_from_slice(data),
                _ => seen.push(Seen::Data(data.to_vec())),
            }
        }
        Event::End(0) => seen.push(Seen::End),
        event => panic!("{event:?}"),
    }
}

/// Feeds the same bytes whole, one by one, and with the beginning of a request behind them: what comes of it is the same.
#[track_caller]
pub(crate) fn decode_with(scgi: &Scgi, input: impl AsRef<[u8]>) -> Fed {
    let input = input.as_ref();
    let whole = feed(scgi, [input]);
    assert_eq!(feed(scgi, input.chunks(1)), whole, "byte by byte");
    if whole.seen.last().is_some_and(|last| !matches!(last, Seen::Request(..) | Seen::Data(_))) {
        assert_eq!(feed(scgi, [&[input, b"70:CON"].concat()[..]]), whole, "with bytes trailing");
    }
    whole
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

/// The value of a variable; that it stands but once is checked.
#[track_caller]
pub(crate) fn var<'a>(vars: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut values = vars.iter().filter(|(candidate, _)| candidate == name).map(|(_, value)| &value[..]);
    let value = values.next();
    assert_eq!(values.next(), None, "{name} stands twice");
    value
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
