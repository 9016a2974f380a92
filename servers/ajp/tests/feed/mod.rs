//! Feeds a codec and notes what came of it; builds the packets to feed it with. The fuzz target uses it too.

#![allow(dead_code)] // Each test uses some of it.

use std::net::SocketAddr;

use wgi::server::Framing;
use wgi::{Gateway, Head, Scheme, StatusCode};
use wgi_ajp::Ajp;
use wgi_ajp::packet::{
    ARE_DONE, CODED, END_RESPONSE, FORWARD_REQUEST, FROM_SERVER, HEADER_LEN, METHOD_IS_STORED, METHODS, NO_STRING,
    REQ_ATTRIBUTE, REQUEST_FIELDS, SEND_HEADERS, STORED_METHOD, TO_SERVER,
};
use wgi_engine::{Codec, ConnectionInfo, Event, Protocol, RequestBody};

/// What a codec made of its input, independent of how that was cut: neighbouring data are one, and a request without
/// a body is one whose body has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Request(Vec<(String, String)>, RequestBody, Scheme),
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
pub(crate) fn codec(ajp: &Ajp) -> Box<dyn Codec> {
    ajp.codec(&ConnectionInfo { peer: None, local: None, gateway: Gateway::new() })
}

/// The codec of a connection that came in at that address.
pub(crate) fn codec_at(ajp: &Ajp, local: &str) -> Box<dyn Codec> {
    let local: SocketAddr = local.parse().expect("an address");
    ajp.codec(&ConnectionInfo { peer: None, local: Some(local), gateway: Gateway::new() })
}

/// Feeds pieces to a new codec.
pub(crate) fn feed<'a>(ajp: &Ajp, pieces: impl IntoIterator<Item = &'a [u8]>) -> Fed {
    feed_codec(&mut *codec(ajp), pieces)
}

/// Feeds pieces to a codec as an engine does: what was not used is passed again, with the next piece behind it. Each
/// request is answered once it is complete.
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
            let is_complete = note(&mut fed.seen, decoded.event, &input[..decoded.used]);
            input.drain(..decoded.used);
            if is_complete {
                answer(codec, &mut fed.out);
            }
            if is_incomplete {
                break;
            }
        }
    }
    fed
}

/// Notes an event. Says whether a request is complete.
fn note(seen: &mut Vec<Seen>, event: Event, used: &[u8]) -> bool {
    match event {
        Event::Incomplete | Event::Skipped => {}
        Event::Request(_, request) => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let vars = request.environ.vars().iter().map(|(name, value)| (text(name), text(value))).collect();
            seen.push(Seen::Request(vars, request.body, request.environ.gateway().url_scheme));
            if request.body == RequestBody::None {
                seen.push(Seen::End);
                return true;
            }
        }
        Event::Data(_, range) => {
            let data = &used[range];
            assert!(!data.is_empty(), "data of no bytes");
            match seen.last_mut() {
                Some(Seen::Data(before)) => before.extend_from_slice(data),
                _ => seen.push(Seen::Data(data.to_vec())),
            }
        }
        Event::End(_) => {
            seen.push(Seen::End);
            return true;
        }
        Event::Abort(_) => panic!("AJP has no such packet"),
    }
    false
}

/// Answers with 204.
pub(crate) fn answer(codec: &mut dyn Codec, out: &mut Vec<u8>) -> bool {
    let head = Head { status: StatusCode::NO_CONTENT.into(), headers: Default::default() };
    codec.head(0, &head, Framing { length: None, has_body: false }, out);
    codec.end(0, out)
}

/// What [`answer`] writes where the connection goes on.
pub(crate) const ANSWER: &[u8] = b"AB\0\x12\x04\0\xcc\0\x0aNo Content\0\0\0AB\0\x02\x05\x01";

/// Feeds the same bytes whole, one by one, and with the beginning of a packet behind them: what comes of it is the
/// same.
#[track_caller]
pub(crate) fn decode_with(ajp: &Ajp, input: impl AsRef<[u8]>) -> Fed {
    let input = input.as_ref();
    let whole = feed(ajp, [input]);
    assert_eq!(feed(ajp, input.chunks(1)), whole, "byte by byte");
    assert_eq!(feed(ajp, [&[input, &[0x12, 0x34, 0]].concat()[..]]), whole, "with bytes trailing");
    whole
}

/// As [`decode_with`], with the default limits.
#[track_caller]
pub(crate) fn decode(input: impl AsRef<[u8]>) -> Fed {
    decode_with(&Ajp::new(), input)
}

/// What an application would be called with.
#[track_caller]
pub(crate) fn environ_with(ajp: &Ajp, input: impl AsRef<[u8]>) -> (Vec<(String, String)>, Scheme) {
    let fed = decode_with(ajp, input);
    match &fed.seen[..] {
        [Seen::Request(vars, _, scheme), ..] => (vars.clone(), *scheme),
        seen => panic!("{seen:?}"),
    }
}

/// As [`environ_with`], with the default limits.
#[track_caller]
pub(crate) fn environ(input: impl AsRef<[u8]>) -> Vec<(String, String)> {
    environ_with(&Ajp::new(), input).0
}

/// The value of a variable; that it stands but once is checked.
#[track_caller]
pub(crate) fn var<'a>(vars: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut values = vars.iter().filter(|(candidate, _)| candidate == name).map(|(_, value)| &value[..]);
    let value = values.next();
    assert_eq!(values.next(), None, "{name} stands twice");
    value
}

/// Closed without an answer: it is no packet of AJP.
#[track_caller]
pub(crate) fn is_malformed(input: impl AsRef<[u8]>) {
    is_malformed_with(&Ajp::new(), input);
}

#[track_caller]
pub(crate) fn is_malformed_with(ajp: &Ajp, input: impl AsRef<[u8]>) {
    let fed = decode_with(ajp, input);
    assert_eq!(fed, Fed { seen: vec![Seen::Refused(400)], out: Vec::new() });
}

/// Answered, with nothing run.
#[track_caller]
pub(crate) fn is_refused(input: impl AsRef<[u8]>, status: u16) {
    is_refused_with(&Ajp::new(), input, status);
}

#[track_caller]
pub(crate) fn is_refused_with(ajp: &Ajp, input: impl AsRef<[u8]>, status: u16) {
    let fed = decode_with(ajp, input);
    assert_eq!(fed.seen, [Seen::Refused(status)]);
    let packets = packets(&fed.out);
    assert_eq!(packets[0][..3], [&[SEND_HEADERS][..], &status.to_be_bytes()].concat());
    assert_eq!(packets.last(), Some(&vec![END_RESPONSE, 0]), "the connection ends here");
}

// Packets.

/// A packet from a web server.
pub(crate) fn packet(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("the content of one packet");
    [&FROM_SERVER, &length.to_be_bytes()[..], content].concat()
}

/// A packet of a request's body.
pub(crate) fn body(data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("the data of one packet");
    packet(&[&length.to_be_bytes()[..], data].concat())
}

pub(crate) fn string(text: &[u8]) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a string");
    [&length.to_be_bytes()[..], text, &[0]].concat()
}

pub(crate) fn no_string() -> Vec<u8> {
    NO_STRING.to_be_bytes().to_vec()
}

/// A field's name, as its code where it has one.
pub(crate) fn name(name: &str) -> Vec<u8> {
    match REQUEST_FIELDS.iter().position(|coded| coded.eq_ignore_ascii_case(name)) {
        Some(index) => vec![CODED, index as u8 + 1],
        None => string(name.as_bytes()),
    }
}

pub(crate) fn attribute(code: u8, value: &str) -> Vec<u8> {
    [&[code], &string(value.as_bytes())[..]].concat()
}

pub(crate) fn req_attribute(name: &str, value: &str) -> Vec<u8> {
    [&attribute(REQ_ATTRIBUTE, name), &string(value.as_bytes())[..]].concat()
}

/// A request, in parts that can be changed.
#[derive(Clone, Debug)]
pub(crate) struct Forward {
    pub(crate) method: u8,
    pub(crate) protocol: Vec<u8>,
    pub(crate) uri: Vec<u8>,
    pub(crate) remote_addr: Vec<u8>,
    pub(crate) remote_host: Vec<u8>,
    pub(crate) server_name: Vec<u8>,
    pub(crate) port: u16,
    pub(crate) is_ssl: u8,
    pub(crate) count: Option<u16>,
    pub(crate) fields: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) attributes: Vec<u8>,
    pub(crate) end: Vec<u8>,
}

impl Forward {
    pub(crate) fn new(method: &str, uri: &str) -> Forward {
        let code = METHODS.iter().position(|coded| *coded == method).map(|index| index as u8 + 1);
        Forward {
            method: code.unwrap_or(METHOD_IS_STORED),
            protocol: string(b"HTTP/1.1"),
            uri: string(uri.as_bytes()),
            remote_addr: string(b"192.0.2.7"),
            remote_host: no_string(),
            server_name: string(b"example.org"),
            port: 80,
            is_ssl: 0,
            count: None,
            fields: Vec::new(),
            attributes: if code.is_some() { Vec::new() } else { attribute(STORED_METHOD, method) },
            end: vec![ARE_DONE],
        }
        .field("Host", "example.org")
    }

    pub(crate) fn field(mut self, field: &str, value: impl AsRef<[u8]>) -> Forward {
        self.fields.push((name(field), string(value.as_ref())));
        self
    }

    pub(crate) fn attribute(mut self, attribute: impl AsRef<[u8]>) -> Forward {
        self.attributes.extend_from_slice(attribute.as_ref());
        self
    }

    pub(crate) fn content(&self) -> Vec<u8> {
        let count = self.count.unwrap_or(self.fields.len() as u16);
        [
            &[FORWARD_REQUEST, self.method][..],
            &self.protocol,
            &self.uri,
            &self.remote_addr,
            &self.remote_host,
            &self.server_name,
            &self.port.to_be_bytes(),
            &[self.is_ssl],
            &count.to_be_bytes(),
            &self.fields.iter().flat_map(|(name, value)| [&name[..], value].concat()).collect::<Vec<_>>(),
            &self.attributes,
            &self.end,
        ]
        .concat()
    }

    pub(crate) fn packet(&self) -> Vec<u8> {
        packet(&self.content())
    }
}

/// A request for `/` without a body.
pub(crate) fn get() -> Vec<u8> {
    Forward::new("GET", "/").packet()
}

/// A request whose body is to have that length, without the packets of that.
pub(crate) fn post(length: &str) -> Vec<u8> {
    Forward::new("POST", "/").field("Content-Length", length).packet()
}

/// The packets to a web server: their contents.
#[track_caller]
pub(crate) fn packets(mut out: &[u8]) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    while !out.is_empty() {
        assert_eq!(out[..2], TO_SERVER);
        let end = HEADER_LEN + usize::from(u16::from_be_bytes([out[2], out[3]]));
        packets.push(out[HEADER_LEN..end].to_vec());
        out = &out[end..];
    }
    packets
}
