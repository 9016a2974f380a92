//! Feeds a codec as an engine would, cut in any way, and notes what it makes of the bytes.

#![allow(dead_code, unreachable_pub)] // Each test binary uses its part of this.

use std::net::SocketAddr;

use wgi::server::Framing;
use wgi::{Gateway, Head, StatusCode};
use wgi_engine::{Codec, ConnectionInfo, Event, Protocol, RequestBody};
use wgi_http::Http;

/// What came out of a codec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A request: its variables, what is known of its body, whether `100 Continue` is waited for.
    Request(Vec<(String, String)>, RequestBody, bool),
    /// Data, as much as came in a row.
    Data(Vec<u8>),
    /// The end of a body.
    End,
    /// The input was refused with that status.
    Refused(u16),
    /// The connection is closed behind the reply to the last request.
    Closed,
}

/// A TCP connection from 192.0.2.1:40000 to 198.51.100.1:8080.
pub fn tcp() -> ConnectionInfo {
    let address = |text: &str| Some(text.parse::<SocketAddr>().unwrap());
    ConnectionInfo { peer: address("192.0.2.1:40000"), local: address("198.51.100.1:8080"), gateway: Gateway::new() }
}

pub fn codec(http: &Http) -> Box<dyn Codec> {
    http.codec(&tcp())
}

/// Answers each request with an empty reply once it is complete.
pub fn feed<'a>(http: &Http, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Seen> {
    feed_codec(&mut *codec(http), pieces)
}

pub fn feed_codec<'a>(codec: &mut dyn Codec, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Seen> {
    let mut seen = Vec::new();
    let (mut input, mut out) = (Vec::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            let decoded = match codec.decode(&input, &mut out) {
                Ok(decoded) => decoded,
                Err(error) => {
                    assert!(
                        codec.decode(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", &mut out).is_err(),
                        "read on behind an error"
                    );
                    assert_eq!(out, b"", "decoding has nothing to say by itself");
                    codec.refuse(&error, &mut out);
                    seen.push(Seen::Refused(refusal(&out)));
                    assert!(!codec.end(0, &mut out), "the connection must be closed");
                    return seen;
                }
            };
            assert!(decoded.used <= input.len());
            let is_complete = match decoded.event {
                Event::Incomplete => {
                    input.drain(..decoded.used);
                    break;
                }
                Event::Skipped => false,
                Event::Request(0, request) => {
                    assert!(!codec.is_idle());
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    let vars = request.environ.vars().iter().map(|(name, value)| (text(name), text(value))).collect();
                    seen.push(Seen::Request(vars, request.body, request.expects_continue));
                    request.body == RequestBody::None
                }
                Event::Data(0, range) => {
                    assert!(range.start < range.end && range.end <= decoded.used, "{range:?} of {}", decoded.used);
                    match seen.last_mut() {
                        Some(Seen::Data(data)) => data.extend_from_slice(&input[range]),
                        _ => seen.push(Seen::Data(input[range].to_vec())),
                    }
                    false
                }
                Event::End(0) => {
                    seen.push(Seen::End);
                    true
                }
                other => panic!("{other:?}"),
            };
            input.drain(..decoded.used);
            if is_complete && !reply(codec) {
                seen.push(Seen::Closed);
                return seen;
            }
        }
    }
    seen
}

/// An empty reply; says whether the connection goes on.
pub fn reply(codec: &mut dyn Codec) -> bool {
    let mut out = Vec::new();
    codec.head(0, &Head::new(StatusCode::OK, ()).unwrap(), Framing { length: Some(0), has_body: true }, &mut out);
    let goes_on = codec.end(0, &mut out);
    let says_close = String::from_utf8_lossy(&out).contains("\r\nconnection: close\r\n");
    assert_eq!(goes_on, !says_close, "what the reply says is what happens");
    if goes_on {
        assert!(codec.is_idle());
    }
    goes_on
}

/// The status of a refusal, which must be a whole response that announces the close.
fn refusal(out: &[u8]) -> u16 {
    let text = String::from_utf8(out.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("\r\nconnection: close"), "{head}");
    // That of a HEAD has its length, and no body.
    let is_whole = head.contains(&format!("\r\ncontent-length: {}\r\n", body.len()));
    assert!(is_whole || body.is_empty(), "{text}");
    head.strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap()
}

/// Feeds the input whole, byte by byte, and with a further request behind it, and checks that it comes to the same.
pub fn decode(input: impl AsRef<[u8]>) -> Vec<Seen> {
    decode_with(&Http::new(), input)
}

pub fn decode_with(http: &Http, input: impl AsRef<[u8]>) -> Vec<Seen> {
    let input = input.as_ref();
    let whole = feed(http, [input]);
    assert_eq!(feed(http, input.chunks(1)), whole, "byte by byte: {}", input.escape_ascii());

    const NEXT: &[u8] = b"GET /next HTTP/1.1\r\nHost: next\r\n\r\n";
    let trailing = feed(http, [&[input, NEXT].concat()[..]]);
    match whole.last() {
        Some(Seen::Refused(_) | Seen::Closed) => {
            assert_eq!(trailing, whole, "something ran behind {}", input.escape_ascii());
        }
        Some(Seen::End | Seen::Request(_, RequestBody::None, _)) => {
            let next = [whole.clone(), feed(http, [NEXT])].concat();
            assert_eq!(trailing, next, "with a request behind {}", input.escape_ascii());
        }
        _ => {}
    }
    whole
}

/// The variables of the only request in the input.
pub fn vars(input: impl AsRef<[u8]>) -> Vec<(String, String)> {
    let mut seen = decode(input.as_ref()).into_iter();
    match seen.next() {
        Some(Seen::Request(vars, ..)) => vars,
        other => panic!("{:?} for {}", other, input.as_ref().escape_ascii()),
    }
}

/// One variable of the only request in the input.
pub fn var(input: impl AsRef<[u8]>, name: &str) -> Option<String> {
    let mut values = vars(input).into_iter().filter(|(candidate, _)| candidate == name).map(|(_, value)| value);
    let value = values.next();
    assert_eq!(values.next(), None, "{name} stands twice");
    value
}

/// The data of the only request in the input, which must be complete.
pub fn body(input: impl AsRef<[u8]>) -> Vec<u8> {
    match &decode(input.as_ref())[..] {
        [Seen::Request(..), Seen::Data(data), Seen::End] => data.clone(),
        [Seen::Request(..), Seen::End] => Vec::new(),
        other => panic!("{:?} for {}", other, input.as_ref().escape_ascii()),
    }
}

/// Checks that the input is refused with that status, before any request comes of it.
#[track_caller]
pub fn refused(status: u16, input: impl AsRef<[u8]>) {
    assert_eq!(decode(input.as_ref()), [Seen::Refused(status)], "{}", input.as_ref().escape_ascii());
}
