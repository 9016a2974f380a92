//! What protocols of one request a connection have in common, as tests for each: the codec between byte strings.

use wgi::server::Framing;
use wgi::{Error, Head, PeerError, Status, StatusCode};
use wgi_engine::{Codec, Protocol};

use crate::feed::{Seen, codec, feed_codec, feed_in_every_way};

/// A protocol of one request a connection, as a web server speaks it.
pub trait Wire {
    /// The application's side of it.
    type Protocol: Protocol;

    /// What stands before the status in the head of a reply.
    const START: &'static str;

    /// The variable that a request has its path in.
    const PATH: &'static str;

    /// What no request begins with.
    const MALFORMED: &'static [u8];

    /// The beginning of a request.
    const BEGINNING: &'static [u8];

    /// The application's side of it, with the default limits.
    fn protocol(&self) -> Self::Protocol;

    /// A request of these variables and that body.
    fn request(&self, vars: &[(&str, &str)], body: &[u8]) -> Vec<u8>;

    /// A request of that method for that path, and with that body.
    fn ask(&self, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
        self.request(&[("REQUEST_METHOD", method), (Self::PATH, path)], body)
    }
}

/// What stands behind a body is no part of it.
pub fn a_body_ends_at_its_length<W: Wire>(wire: &W) {
    let input = [&wire.ask("POST", "/", b"hello")[..], b" and more"].concat();
    let fed = feed_in_every_way(&wire.protocol(), &input, W::BEGINNING);
    assert!(matches!(&fed.seen[..], [Seen::Request(_, Some(5), _), Seen::Data(body), Seen::End] if body == b"hello"));
}

/// A body that is short of its length is waited for.
pub fn a_body_that_is_not_there_yet_is_no_end<W: Wire>(wire: &W) {
    let input = wire.ask("POST", "/", b"hello");
    let fed = feed_in_every_way(&wire.protocol(), &input[..input.len() - 1], W::BEGINNING);
    assert!(matches!(&fed.seen[..], [Seen::Request(_, Some(5), _), Seen::Data(body)] if body == b"hell"));
}

/// What follows is not decoded, and gets no second answer.
pub fn nothing_is_read_behind_a_request_that_was_refused<W: Wire>(wire: &W) {
    let mut codec = codec(&wire.protocol());
    let mut out = Vec::new();
    let error = codec.decode(b"x", &mut out).unwrap_err();
    codec.refuse(&error, &mut out);
    let length = out.len();
    let error = codec.decode(&wire.ask("GET", "/", b""), &mut out).unwrap_err();
    codec.refuse(&error, &mut out);
    assert_eq!(out.len(), length, "it is answered once");
}

/// A head that does not come to its end is answered with 408.
pub fn a_slow_request_is_told_so<W: Wire>(wire: &W) {
    let mut codec = codec(&wire.protocol());
    let input = wire.ask("GET", "/", b"");
    let fed = feed_codec(&mut *codec, [&input[..10]]);
    assert!(fed.seen.is_empty());
    let mut out = Vec::new();
    codec.refuse(&PeerError::Timeout { doing: "to send the request head" }.into(), &mut out);
    assert!(out.starts_with(format!("{}{} ", W::START, StatusCode::REQUEST_TIMEOUT.as_str()).as_bytes()));
}

/// A codec that has had a request.
fn asked<W: Wire>(wire: &W) -> Box<dyn Codec> {
    let mut codec = codec(&wire.protocol());
    let fed = feed_codec(&mut *codec, [&wire.ask("GET", "/", b"")[..]]);
    assert_eq!(fed.seen.len(), 2, "{fed:?}");
    codec
}

fn head(status: impl Into<Status>, headers: &[(&'static str, &'static str)]) -> Head {
    Head::new(status, headers).unwrap()
}

/// A head with a reason and a repeated field, and a body of a known length.
pub fn a_reply_as_bytes<W: Wire>(wire: &W) {
    let mut codec = asked(wire);
    let mut out = Vec::new();
    let head = head(
        Status::with_reason(StatusCode::NOT_FOUND, "Nowhere").unwrap(),
        &[("set-cookie", "a=1"), ("content-length", "5"), ("x-a", "b"), ("set-cookie", "b=2")],
    );
    codec.head(0, &head, Framing { length: Some(5), has_body: true }, &mut out);
    assert_eq!(codec.frame(0, 5, &mut out), 5);
    out.extend_from_slice(b"hello");
    codec.unframe(0, 5, &mut out);
    assert!(!codec.end(0, &mut out), "the connection ends with the reply");
    let expected = "404 Nowhere\r\nset-cookie: a=1\r\nx-a: b\r\nset-cookie: b=2\r\ncontent-length: 5\r\n\r\nhello";
    assert_eq!(String::from_utf8(out).unwrap(), format!("{}{expected}", W::START));
}

/// The connection's end is that of the body, and a reset that of one that was cut.
pub fn a_reply_of_unknown_length_has_no_framing<W: Wire>(wire: &W) {
    let mut codec = asked(wire);
    let mut out = Vec::new();
    codec.head(0, &head(StatusCode::OK, &[]), Framing { length: None, has_body: true }, &mut out);
    // All that there is goes out as it is, however much.
    assert_eq!(codec.frame(0, u64::MAX, &mut out), u64::MAX);
    codec.unframe(0, u64::MAX, &mut out);
    assert_eq!(out, format!("{}200 OK\r\n\r\n", W::START).as_bytes());
    assert!(codec.cut_resets(), "a cut must not look like the end");
    assert!(!codec.cut(0, &mut out));
    assert_eq!(out, format!("{}200 OK\r\n\r\n", W::START).as_bytes(), "nor is anything added");
}

/// It would be taken for a part of the body.
pub fn a_refusal_does_not_go_into_a_reply_that_has_begun<W: Wire>(wire: &W) {
    let mut codec = asked(wire);
    let mut out = Vec::new();
    codec.head(0, &head(StatusCode::OK, &[]), Framing { length: None, has_body: true }, &mut out);
    let length = out.len();
    codec.refuse(&Error::refused(StatusCode::BAD_REQUEST, "too late"), &mut out);
    assert_eq!(out.len(), length);
}

/// And not in the middle of a body.
pub fn a_connection_is_idle_before_its_request_and_behind_it<W: Wire>(wire: &W) {
    let mut codec = codec(&wire.protocol());
    assert!(codec.is_idle());
    let input = wire.ask("POST", "/", b"hello");
    feed_codec(&mut *codec, [&input[..input.len() - 1]]);
    assert!(!codec.is_idle(), "in the middle of a body");
    feed_codec(&mut *codec, [&input[input.len() - 1..]]);
    assert!(codec.is_idle());
}
