//! Feeds a codec and notes what came of it; builds the records to feed it with. The fuzz targets use it too.

#![allow(dead_code)] // Each test uses some of it.

use wgi::{Gateway, Scheme, Vars};
use wgi_engine::{Codec, ConnectionInfo, Event, Protocol, RequestBody};
use wgi_fastcgi::FastCgi;
use wgi_fastcgi::record::{BEGIN_REQUEST, Header, PARAMS, RESPONDER, STDIN};

/// What a codec made of its input, independent of how that was cut: neighbouring data are one, and a request without
/// a body is one whose body has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Request(u16, Vec<(String, String)>, Option<u64>, Scheme),
    Data(u16, Vec<u8>),
    End(u16),
    Abort(u16),
    Refused(u16),
}

/// Everything that came of some input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fed {
    pub(crate) seen: Vec<Seen>,
    pub(crate) out: Vec<u8>,
}

/// The codec of a connection that came in over a Unix socket.
pub(crate) fn codec(fastcgi: &FastCgi) -> Box<dyn Codec> {
    fastcgi.codec(&ConnectionInfo { peer: None, local: None, gateway: Gateway::new() })
}

/// Feeds pieces to a new codec.
pub(crate) fn feed<'a>(fastcgi: &FastCgi, pieces: impl IntoIterator<Item = &'a [u8]>) -> Fed {
    feed_codec(&mut *codec(fastcgi), pieces)
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
        Event::Incomplete | Event::Skipped => {}
        Event::Request(id, request) => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let vars = request.environ.vars().iter().map(|(name, value)| (text(name), text(value))).collect();
            let length = match request.body {
                RequestBody::Length(length) => Some(length),
                RequestBody::None | RequestBody::Unknown => None,
            };
            seen.push(Seen::Request(id, vars, length, request.environ.gateway().url_scheme));
            if request.body == RequestBody::None {
                seen.push(Seen::End(id));
            }
        }
        Event::Data(id, range) => {
            let data = &used[range];
            assert!(!data.is_empty(), "data of no bytes");
            match seen.last_mut() {
                Some(Seen::Data(last, before)) if *last == id => before.extend_from_slice(data),
                _ => seen.push(Seen::Data(id, data.to_vec())),
            }
        }
        Event::End(id) => seen.push(Seen::End(id)),
        Event::Abort(id) => seen.push(Seen::Abort(id)),
    }
}

/// Feeds the same bytes whole, one by one, and with the beginning of a record behind them: what comes of it is the same.
#[track_caller]
pub(crate) fn decode_with(fastcgi: &FastCgi, input: impl AsRef<[u8]>) -> Fed {
    let input = input.as_ref();
    let whole = feed(fastcgi, [input]);
    assert_eq!(feed(fastcgi, input.chunks(1)), whole, "byte by byte");
    assert_eq!(feed(fastcgi, [&[input, &[1, 5, 0]].concat()[..]]), whole, "with bytes trailing");
    whole
}

/// As [`decode_with`], with the default limits.
#[track_caller]
pub(crate) fn decode(input: impl AsRef<[u8]>) -> Fed {
    decode_with(&FastCgi::new(), input)
}

/// What an application would be called with for a request of these variables.
#[track_caller]
pub(crate) fn environ_with(fastcgi: &FastCgi, vars: &[(&str, &str)]) -> (Vec<(String, String)>, Scheme) {
    let fed = decode_with(fastcgi, [begin(1, RESPONDER, 1), params(1, vars), stdin(1, b"")].concat());
    match &fed.seen[..] {
        [Seen::Request(1, vars, _, scheme), ..] => (vars.clone(), *scheme),
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

// Records.

pub(crate) fn record(record_type: u8, id: u16, content: &[u8]) -> Vec<u8> {
    padded(record_type, id, content, 0)
}

/// The padding is of bytes that must never be read as anything else.
pub(crate) fn padded(record_type: u8, id: u16, content: &[u8], padding_length: u8) -> Vec<u8> {
    let length = content.len().try_into().expect("the content of one record");
    let header = Header { padding_length, ..Header::new(record_type, id, length) };
    [&header.to_bytes(), content, &vec![0xff; padding_length.into()]].concat()
}

pub(crate) fn begin(id: u16, role: u16, flags: u8) -> Vec<u8> {
    record(BEGIN_REQUEST, id, &[0, role as u8, flags, 0, 0, 0, 0, 0])
}

pub(crate) fn block(vars: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vars::new();
    for (name, value) in vars {
        block.push(name, value);
    }
    block.as_block().to_vec()
}

/// A whole PARAMS stream.
pub(crate) fn params(id: u16, vars: &[(&str, &str)]) -> Vec<u8> {
    [record(PARAMS, id, &block(vars)), record(PARAMS, id, b"")].concat()
}

/// A whole STDIN stream.
pub(crate) fn stdin(id: u16, body: &[u8]) -> Vec<u8> {
    let content = if body.is_empty() { Vec::new() } else { record(STDIN, id, body) };
    [content, record(STDIN, id, b"")].concat()
}

/// A request for `/` without a body.
pub(crate) fn get(id: u16, flags: u8) -> Vec<u8> {
    [begin(id, RESPONDER, flags), params(id, &[("REQUEST_METHOD", "GET"), ("SCRIPT_NAME", "/")]), stdin(id, b"")]
        .concat()
}

/// A request with a body, whose variables say its length as given.
pub(crate) fn post(id: u16, flags: u8, length: &str, body: &[u8]) -> Vec<u8> {
    let vars = [("REQUEST_METHOD", "POST"), ("SCRIPT_NAME", "/"), ("CONTENT_LENGTH", length)];
    [begin(id, RESPONDER, flags), params(id, &vars), stdin(id, body)].concat()
}
