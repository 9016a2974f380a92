//! Replies, as literal bytes.

mod feed;

use wgi::server::Framing;
use wgi::{Error, Head, HeaderValue, IntoHeaders, Status, StatusCode};
use wgi_engine::{Codec, Event};
use wgi_http::Http;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const GET_1_0: &str = "GET / HTTP/1.0\r\n\r\n";
const KEPT_1_0: &str = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";

/// A codec without a name that has decoded this head.
fn asked(request: &str) -> Box<dyn Codec> {
    let mut codec = feed::codec(&Http::new().server(None));
    assert!(matches!(codec.decode(request.as_bytes(), &mut Vec::new()).unwrap().event, Event::Request(..)));
    codec
}

/// What is written for a reply with that head and these chunks, and whether the connection goes on.
fn reply(codec: &mut dyn Codec, head: &Head, framing: Framing, chunks: &[&str]) -> (String, bool) {
    let mut out = Vec::new();
    codec.head(0, head, framing, &mut out);
    for chunk in chunks {
        let length = chunk.len() as u64;
        assert_eq!(codec.frame(0, length, &mut out), length);
        out.extend_from_slice(chunk.as_bytes());
        codec.unframe(0, length, &mut out);
    }
    let goes_on = codec.end(0, &mut out);
    (String::from_utf8(out).unwrap(), goes_on)
}

/// A head whose Date is given, so that the bytes are always the same.
fn dated(headers: &[(&'static str, &'static str)]) -> Head {
    Head::new(StatusCode::OK, [headers, &[("date", "D")]].concat()).unwrap()
}

const SIZED: Framing = Framing { length: Some(2), has_body: true };
const UNSIZED: Framing = Framing { length: None, has_body: true };
const BODILESS: Framing = Framing { length: None, has_body: false };

#[test]
fn a_sized_reply() {
    let head =
        dated(&[("content-type", "text/plain"), ("set-cookie", "a"), ("content-length", "9"), ("set-cookie", "b")]);
    let expected = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nset-cookie: a\r\nset-cookie: b\r\ndate: D\r\n\
                    content-length: 2\r\n\r\nhi";
    assert_eq!(reply(&mut *asked(GET), &head, SIZED, &["h", "i"]), (expected.into(), true));
}

#[test]
fn a_chunked_reply() {
    let expected = "HTTP/1.1 200 OK\r\ndate: D\r\ntransfer-encoding: chunked\r\n\r\n\
                    2\r\nhi\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n";
    let chunks = ["hi", "abcdefghijklmnopqrstuvwxyz"];
    assert_eq!(reply(&mut *asked(GET), &dated(&[]), UNSIZED, &chunks), (expected.into(), true));
}

#[test]
fn chunk_sizes() {
    let mut codec = asked(GET);
    codec.head(0, &dated(&[]), UNSIZED, &mut Vec::new());
    for size in [1, 9, 15, 16, 255, 256, 65_535, 65_536, 0x1000_0000, u64::MAX] {
        let mut out = Vec::new();
        assert_eq!(codec.frame(0, size, &mut out), size);
        assert_eq!(String::from_utf8(out).unwrap(), format!("{size:x}\r\n"));
    }
}

#[test]
fn an_unsized_reply_to_http_1_0_ends_with_the_connection() {
    let expected = "HTTP/1.1 200 OK\r\ndate: D\r\nconnection: close\r\n\r\nhi";
    for request in [GET_1_0, KEPT_1_0] {
        assert_eq!(reply(&mut *asked(request), &dated(&[]), UNSIZED, &["h", "i"]), (expected.into(), false));
    }
}

#[test]
fn http_1_0_stays_only_when_it_asked_to() {
    let kept = "HTTP/1.1 200 OK\r\ndate: D\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nhi";
    let closed = "HTTP/1.1 200 OK\r\ndate: D\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi";
    assert_eq!(reply(&mut *asked(KEPT_1_0), &dated(&[]), SIZED, &["hi"]), (kept.into(), true));
    assert_eq!(reply(&mut *asked(GET_1_0), &dated(&[]), SIZED, &["hi"]), (closed.into(), false));
}

#[test]
fn the_connection_is_a_list_of_options_in_any_case() {
    let goes_on = |version: &str, connection: &str| {
        let mut codec = asked(&format!("GET / HTTP/{version}\r\nHost: a\r\n{connection}\r\n\r\n"));
        reply(&mut *codec, &dated(&[]), SIZED, &["hi"]).1
    };
    for connection in ["Connection: close", "Connection: a, CLOSE ,b", "Connection: keep-alive\r\nConnection: Close"] {
        assert!(!goes_on("1.1", connection) && !goes_on("1.0", connection), "{connection}");
    }
    for connection in ["Connection: Keep-Alive", "connection: a,\tKEEP-ALIVE"] {
        assert!(goes_on("1.1", connection) && goes_on("1.0", connection), "{connection}");
    }
    for connection in ["Connection: closed", "Connection: keep-alive2", "Connection:", "Keep-Alive: 5"] {
        assert!(goes_on("1.1", connection) && !goes_on("1.0", connection), "{connection}");
    }
}

#[test]
fn replies_without_a_body() {
    let mut codec = asked("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    let expected = "HTTP/1.1 200 OK\r\ndate: D\r\ncontent-length: 5\r\n\r\n";
    let framing = Framing { length: Some(5), has_body: false };
    assert_eq!(reply(&mut *codec, &dated(&[]), framing, &[]), (expected.into(), true));

    let mut codec = asked("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(reply(&mut *codec, &dated(&[]), BODILESS, &[]), ("HTTP/1.1 200 OK\r\ndate: D\r\n\r\n".into(), true));

    let mut head = dated(&[]);
    head.status = StatusCode::NO_CONTENT.into();
    let expected = "HTTP/1.1 204 No Content\r\ndate: D\r\nconnection: keep-alive\r\n\r\n";
    assert_eq!(reply(&mut *asked(KEPT_1_0), &head, BODILESS, &[]), (expected.into(), true));
}

#[test]
fn any_status_and_reason() {
    let line = |status: Status| {
        let head = Head { status, headers: ().into_headers().unwrap() };
        let (text, _) = reply(&mut *asked(GET), &head, SIZED, &["hi"]);
        text.split_once("\r\n").unwrap().0.to_owned()
    };
    let code = StatusCode::from_u16;
    assert_eq!(line(code(599).unwrap().into()), "HTTP/1.1 599 ");
    assert_eq!(line(Status::with_reason(code(200).unwrap(), "Very Well").unwrap()), "HTTP/1.1 200 Very Well");
    assert_eq!(line(Status::with_reason(code(404).unwrap(), "").unwrap()), "HTTP/1.1 404 ");
}

#[test]
fn date_and_server_are_added_and_can_be_given() {
    let written = |http: Http, headers: &[(&'static str, &'static str)]| {
        let mut codec = feed::codec(&http);
        codec.decode(GET.as_bytes(), &mut Vec::new()).unwrap();
        reply(&mut *codec, &Head::new(StatusCode::OK, headers).unwrap(), SIZED, &["hi"]).0
    };
    let text = written(Http::new(), &[]);
    assert!(text.contains(concat!("\r\nserver: wgi/", env!("CARGO_PKG_VERSION"), "\r\n")), "{text}");
    assert!(text.contains(" GMT\r\n") && text.matches("\r\ndate: ").count() == 1, "{text}");
    let text = written(Http::new(), &[("Server", "mine"), ("Date", "today")]);
    assert!(text.contains("\r\nserver: mine\r\ndate: today\r\ncontent-length"), "{text}");
    let text = written(Http::new().server(Some(HeaderValue::from_static("other/1"))), &[]);
    assert!(text.contains("\r\nserver: other/1\r\n"), "{text}");
    assert!(!written(Http::new().server(None), &[]).contains("\r\nserver:"));
}

#[test]
fn no_application_gets_at_the_framing() {
    // A head that replaces another one after an error has not been checked by anyone.
    let head = dated(&[("transfer-encoding", "gzip"), ("connection", "upgrade"), ("keep-alive", "1"), ("x", "y")]);
    let expected = "HTTP/1.1 200 OK\r\nx: y\r\ndate: D\r\ncontent-length: 2\r\n\r\nhi";
    assert_eq!(reply(&mut *asked(GET), &head, SIZED, &["hi"]), (expected.into(), true));
}

#[test]
fn a_close_is_announced() {
    let mut codec = asked(GET);
    codec.close_after();
    let expected = "HTTP/1.1 200 OK\r\ndate: D\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi";
    assert_eq!(reply(&mut *codec, &dated(&[]), SIZED, &["hi"]), (expected.into(), false));
    // Too late to be announced, it still happens.
    let mut codec = asked(GET);
    let mut out = Vec::new();
    codec.head(0, &dated(&[]), BODILESS, &mut out);
    codec.close_after();
    assert!(!codec.end(0, &mut out));
}

#[test]
fn a_cut_reply_has_no_last_chunk() {
    let mut codec = asked(GET);
    let mut out = Vec::new();
    codec.head(0, &dated(&[]), UNSIZED, &mut out);
    let before = out.len();
    assert!(!codec.cut_resets());
    assert!(!codec.cut(0, &mut out));
    assert_eq!(out.len(), before);
}

#[test]
fn a_reply_that_ends_with_the_connection_is_cut_by_a_reset() {
    let mut codec = asked(GET_1_0);
    codec.head(0, &dated(&[]), UNSIZED, &mut Vec::new());
    assert!(codec.cut_resets());
    // Content-Length tells.
    let mut codec = asked(GET_1_0);
    codec.head(0, &dated(&[]), SIZED, &mut Vec::new());
    assert!(!codec.cut_resets());
}

#[test]
fn a_reply_to_a_body_that_turned_out_malformed_is_the_last() {
    let mut codec = asked("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    codec.decode(b"x", &mut Vec::new()).unwrap_err();
    let expected = "HTTP/1.1 200 OK\r\ndate: D\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi";
    assert_eq!(reply(&mut *codec, &dated(&[]), SIZED, &["hi"]), (expected.into(), false));
}

#[test]
fn a_refusal_is_a_whole_response() {
    let mut codec = feed::codec(&Http::new().server(None));
    let error = codec.decode(b"\x16\x03\x01", &mut Vec::new()).unwrap_err();
    let mut out = Vec::new();
    codec.refuse(&error, &mut out);
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.starts_with("HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ndate: "),
        "{text}"
    );
    let tail = "\r\ncontent-length: 63\r\nconnection: close\r\n\r\n400 Bad Request\nthe request does not start with a method\n";
    assert!(
        text.ends_with(
            &tail.replace("63", &"400 Bad Request\nthe request does not start with a method\n".len().to_string())
        ),
        "{text}"
    );
}

#[test]
fn a_refusal_behind_a_head_writes_nothing() {
    let mut codec = asked("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut out = Vec::new();
    codec.head(0, &dated(&[]), UNSIZED, &mut out);
    let before = out.len();
    let error = codec.decode(b"x", &mut out).unwrap_err();
    codec.refuse(&error, &mut out);
    assert_eq!(out.len(), before);
    assert!(!codec.end(0, &mut out));
}

#[test]
fn a_refusal_of_head_has_no_body() {
    let mut codec = asked("HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    let mut out = Vec::new();
    codec.refuse(&Error::refused(StatusCode::REQUEST_TIMEOUT, "late"), &mut out);
    let text = String::from_utf8(out).unwrap();
    assert!(text.starts_with("HTTP/1.1 408 ") && text.ends_with("connection: close\r\n\r\n"), "{text}");
    // Neither where the head itself is what is refused.
    let mut codec = feed::codec(&Http::new());
    let error = codec.decode(b"HEAD / HTTP/1.1\r\n\r\n", &mut Vec::new()).unwrap_err();
    let mut out = Vec::new();
    codec.refuse(&error, &mut out);
    let text = String::from_utf8(out).unwrap();
    assert!(text.starts_with("HTTP/1.1 400 ") && text.ends_with("connection: close\r\n\r\n"), "{text}");
}

#[test]
fn continue_is_said_once_and_only_to_who_waits() {
    let expecting = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    let proceed = |codec: &mut dyn Codec| {
        let mut out = Vec::new();
        codec.proceed(0, &mut out);
        String::from_utf8(out).unwrap()
    };
    let mut codec = asked(expecting);
    assert_eq!(proceed(&mut *codec), "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(proceed(&mut *codec), "");
    codec.decode(b"hi", &mut Vec::new()).unwrap();
    codec.decode(b"", &mut Vec::new()).unwrap();
    assert!(reply(&mut *codec, &dated(&[]), SIZED, &["hi"]).1);

    // The peer did not wait, so there is nothing to tell it.
    let mut codec = asked(expecting);
    codec.decode(b"h", &mut Vec::new()).unwrap();
    assert_eq!(proceed(&mut *codec), "");

    // It may never send the body now: only the end of the connection tells what comes next.
    let mut codec = asked(expecting);
    let (text, goes_on) = reply(&mut *codec, &dated(&[]), SIZED, &["hi"]);
    assert!(text.contains("\r\nconnection: close\r\n") && !goes_on);
    assert_eq!(proceed(&mut *codec), "");
}

#[test]
fn a_codec_is_idle_between_requests_only() {
    let mut codec = feed::codec(&Http::new());
    let mut out = Vec::new();
    assert!(codec.is_idle());
    codec.decode(b"", &mut out).unwrap();
    assert!(codec.is_idle());
    codec.decode(b"G", &mut out).unwrap();
    assert!(!codec.is_idle());
    codec.decode(GET.as_bytes(), &mut out).unwrap();
    assert!(!codec.is_idle());
    codec.head(0, &dated(&[]), BODILESS, &mut out);
    assert!(!codec.is_idle());
    assert!(codec.end(0, &mut out));
    assert!(codec.is_idle());
}
