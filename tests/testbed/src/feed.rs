//! Feeds a codec of one request a connection, and notes what came of it.

use wgi::{Gateway, Scheme};
use wgi_engine::{Codec, ConnectionInfo, Event, Protocol, RequestBody};

/// What a codec made of its input, independent of how that was cut: neighbouring data are one, and a request without
/// a body is one whose body has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A request: its variables, the length of its body if it has one, and its scheme.
    Request(Vec<(String, String)>, Option<u64>, Scheme),
    /// A part of its body.
    Data(Vec<u8>),
    /// The end of its body.
    End,
    /// It was refused, with this status.
    Refused(u16),
}

/// Everything that came of some input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fed {
    /// What an engine would have got.
    pub seen: Vec<Seen>,
    /// What a peer would have got.
    pub out: Vec<u8>,
}

/// The codec of a connection that came in over a Unix socket.
pub fn codec(protocol: &impl Protocol) -> Box<dyn Codec> {
    protocol.codec(&ConnectionInfo { peer: None, local: None, gateway: Gateway::new() })
}

/// Feeds pieces to a new codec.
pub fn feed<'a>(protocol: &impl Protocol, pieces: impl IntoIterator<Item = &'a [u8]>) -> Fed {
    feed_codec(&mut *codec(protocol), pieces)
}

/// Feeds pieces to a codec as an engine does: what was not used is passed again, with the next piece behind it.
pub fn feed_codec<'a>(codec: &mut dyn Codec, pieces: impl IntoIterator<Item = &'a [u8]>) -> Fed {
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
                RequestBody::Unknown => panic!("a body without length"),
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

/// Feeds the same bytes whole, one by one, and with others behind them: what comes of it is the same, unless a body is
/// still under way.
#[track_caller]
pub fn feed_in_every_way(protocol: &impl Protocol, input: &[u8], behind: &[u8]) -> Fed {
    let whole = feed(protocol, [input]);
    assert_eq!(feed(protocol, input.chunks(1)), whole, "byte by byte");
    if whole.seen.last().is_some_and(|last| !matches!(last, Seen::Request(..) | Seen::Data(_))) {
        assert_eq!(feed(protocol, [&[input, behind].concat()[..]]), whole, "with bytes trailing");
    }
    whole
}

/// The value of a variable; that it stands but once is checked.
#[track_caller]
pub fn var<'a>(vars: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut values = vars.iter().filter(|(candidate, _)| candidate == name).map(|(_, value)| &value[..]);
    let value = values.next();
    assert_eq!(values.next(), None, "{name} stands twice");
    value
}
