//! Replies out: the form of CGI, and the end of the connection behind it.

mod feed;

use feed::{codec, feed_codec, get};
use wgi::server::Framing;
use wgi::{Error, Head, Status, StatusCode};
use wgi_engine::Codec;
use wgi_scgi::Scgi;

/// A codec that has had a request.
fn asked() -> Box<dyn Codec> {
    let mut codec = codec(&Scgi::new());
    let fed = feed_codec(&mut *codec, [&get()[..]]);
    assert_eq!(fed.seen.len(), 2, "{fed:?}");
    codec
}

fn head(status: impl Into<Status>, headers: &[(&'static str, &'static str)]) -> Head {
    Head::new(status, headers).unwrap()
}

/// [10.10], [10.28]
#[test]
fn a_reply_as_bytes() {
    let mut codec = asked();
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
    let expected =
        "Status: 404 Nowhere\r\nset-cookie: a=1\r\nx-a: b\r\nset-cookie: b=2\r\ncontent-length: 5\r\n\r\nhello";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn a_reply_of_unknown_length_has_no_framing() {
    let mut codec = asked();
    let mut out = Vec::new();
    codec.head(0, &head(StatusCode::OK, &[]), Framing { length: None, has_body: true }, &mut out);
    // All that there is goes out as it is, however much.
    assert_eq!(codec.frame(0, u64::MAX, &mut out), u64::MAX);
    codec.unframe(0, u64::MAX, &mut out);
    assert_eq!(out, b"Status: 200 OK\r\n\r\n");
    assert!(codec.cut_resets(), "a cut must not look like the end");
    assert!(!codec.cut(0, &mut out));
    assert_eq!(out, b"Status: 200 OK\r\n\r\n", "nor is anything added");
}

/// [9.2]
#[test]
fn a_refusal_does_not_go_into_a_reply_that_has_begun() {
    let mut codec = asked();
    let mut out = Vec::new();
    codec.head(0, &head(StatusCode::OK, &[]), Framing { length: None, has_body: true }, &mut out);
    let length = out.len();
    codec.refuse(&Error::refused(StatusCode::BAD_REQUEST, "too late"), &mut out);
    assert_eq!(out.len(), length);
}

#[test]
fn a_connection_is_idle_before_its_request_and_behind_it() {
    let mut codec = codec(&Scgi::new());
    assert!(codec.is_idle());
    let input = feed::request(&[("REQUEST_METHOD", "POST"), ("REQUEST_URI", "/")], b"hello");
    feed_codec(&mut *codec, [&input[..input.len() - 1]]);
    assert!(!codec.is_idle(), "in the middle of a body");
    feed_codec(&mut *codec, [&input[input.len() - 1..]]);
    assert!(codec.is_idle());
}
