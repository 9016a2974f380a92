//! Replies out: heads, payload, ends and cuts.

mod feed;

use feed::{Seen, begin, codec, feed_codec, get, params, post, record};
use wgi::server::Framing;
use wgi::{Error, Head, PeerError, Status, StatusCode};
use wgi_engine::Codec;
use wgi_fastcgi::FastCgi;
use wgi_fastcgi::record::{
    ABORT_REQUEST, END_REQUEST, Header, KEEP_CONN, RESPONDER, STDERR, STDIN, STDOUT, UNKNOWN_TYPE,
};

/// A codec with these requests open.
fn open(input: &[Vec<u8>]) -> Box<dyn Codec> {
    let mut codec = codec(&FastCgi::new());
    let fed = feed_codec(&mut *codec, [&input.concat()[..]]);
    assert!(fed.out.is_empty() && !fed.seen.iter().any(|seen| matches!(seen, Seen::Refused(_))), "{fed:?}");
    codec
}

fn head(headers: &[(&'static str, &'static str)]) -> Head {
    Head::new(StatusCode::OK, headers).unwrap()
}

fn of_length(length: u64) -> Framing {
    Framing { length: Some(length), has_body: true }
}

const UNKNOWN: Framing = Framing { length: None, has_body: true };

/// Sends payload as an engine does: what `frame` takes stands behind it.
fn send(codec: &mut dyn Codec, id: u16, mut payload: &[u8], out: &mut Vec<u8>) {
    while !payload.is_empty() {
        let length = codec.frame(id, payload.len() as u64, out);
        assert!(length >= 1);
        let (piece, rest) = payload.split_at(length as usize);
        out.extend_from_slice(piece);
        codec.unframe(id, length, out);
        payload = rest;
    }
}

/// The records of some output.
fn records(mut out: &[u8]) -> Vec<(u8, u16, Vec<u8>)> {
    let mut records = Vec::new();
    while let Some((header, rest)) = out.split_first_chunk() {
        let header = Header::parse(header);
        let (content, rest) = rest.split_at(header.content_length.into());
        records.push((header.record_type, header.request_id, content.to_vec()));
        out = &rest[usize::from(header.padding_length)..];
    }
    assert!(out.is_empty());
    records
}

/// All of one stream, and how many records it had; that it is ended is checked.
fn stream(out: &[u8], record_type: u8, id: u16) -> (Vec<u8>, usize) {
    let records = records(out);
    let mut contents: Vec<_> =
        records.into_iter().filter(|record| (record.0, record.1) == (record_type, id)).map(|record| record.2).collect();
    assert_eq!(contents.pop(), Some(vec![]), "the stream is not ended");
    assert!(contents.iter().all(|content| !content.is_empty()), "the stream is ended early");
    (contents.concat(), contents.len())
}

/// [10.15], [10.19]
#[test]
fn a_small_reply_as_bytes() {
    let mut codec = open(&[get(1, KEEP_CONN)]);
    let mut out = Vec::new();
    codec.head(
        1,
        &head(&[("content-type", "text/plain"), ("set-cookie", "a"), ("set-cookie", "b")]),
        of_length(2),
        &mut out,
    );
    send(&mut *codec, 1, b"hi", &mut out);
    assert!(codec.end(1, &mut out));
    let stdout =
        b"Status: 200 OK\r\ncontent-type: text/plain\r\nset-cookie: a\r\nset-cookie: b\r\ncontent-length: 2\r\n\r\nhi";
    let expected = [record(STDOUT, 1, stdout), record(STDOUT, 1, b""), record(END_REQUEST, 1, &[0; 8])].concat();
    assert_eq!(out, expected);
    assert!(codec.is_idle());
}

#[test]
fn a_head_that_was_sent_does_not_wait_for_its_payload() {
    let mut codec = open(&[get(1, KEEP_CONN)]);
    let mut out = Vec::new();
    codec.head(1, &head(&[]), UNKNOWN, &mut out);
    assert_eq!(out, record(STDOUT, 1, b"Status: 200 OK\r\n\r\n"));
    // The engine has sent it: what follows is a record of its own, whatever the buffer holds by then.
    let sent = out.len();
    out.clear();
    send(&mut *codec, 1, b"hi", &mut out);
    assert_eq!(out, record(STDOUT, 1, b"hi"));
    let mut codec = open(&[get(1, KEEP_CONN)]);
    codec.head(1, &head(&[]), UNKNOWN, &mut Vec::new());
    let mut out = vec![0; sent];
    send(&mut *codec, 1, b"hi", &mut out);
    assert_eq!(out[sent..], record(STDOUT, 1, b"hi"));
    // Something else stands behind the head.
    let mut codec = open(&[get(1, KEEP_CONN)]);
    let mut out = Vec::new();
    codec.head(1, &head(&[]), UNKNOWN, &mut out);
    codec.errors(1, b"oh\n", &mut out);
    send(&mut *codec, 1, b"hi", &mut out);
    assert_eq!(out[sent..], [record(STDERR, 1, b"oh\n"), record(STDOUT, 1, b"hi")].concat());
}

#[test]
fn content_length_is_what_the_framing_says() {
    for (framing, expected) in [
        (of_length(5), "Status: 200 OK\r\nx: y\r\ncontent-length: 5\r\n\r\n"),
        (UNKNOWN, "Status: 200 OK\r\nx: y\r\n\r\n"),
        (Framing { length: None, has_body: false }, "Status: 200 OK\r\nx: y\r\n\r\n"),
        (Framing { length: Some(7), has_body: false }, "Status: 200 OK\r\nx: y\r\ncontent-length: 7\r\n\r\n"),
    ] {
        let mut codec = open(&[get(1, KEEP_CONN)]);
        let mut out = Vec::new();
        codec.head(1, &head(&[("content-length", "99"), ("x", "y")]), framing, &mut out);
        assert_eq!(out, record(STDOUT, 1, expected.as_bytes()));
    }
}

#[test]
fn a_reason_phrase_survives_and_may_be_missing() {
    for (status, expected) in [
        (Status::with_reason(StatusCode::OK, "Fine, thanks").unwrap(), "Status: 200 Fine, thanks\r\n\r\n"),
        (StatusCode::from_u16(299).unwrap().into(), "Status: 299 \r\n\r\n"),
    ] {
        let mut codec = open(&[get(1, KEEP_CONN)]);
        let mut out = Vec::new();
        codec.head(1, &Head::new(status, ()).unwrap(), UNKNOWN, &mut out);
        assert_eq!(out, record(STDOUT, 1, expected.as_bytes()));
    }
}

#[test]
fn an_empty_response_and_one_without_a_content_type() {
    let mut codec = open(&[get(1, KEEP_CONN)]);
    let mut out = Vec::new();
    codec.head(1, &head(&[]), of_length(0), &mut out);
    assert!(codec.end(1, &mut out));
    assert_eq!(stream(&out, STDOUT, 1).0, b"Status: 200 OK\r\ncontent-length: 0\r\n\r\n");
}

#[test]
fn stdout_over_65535_bytes() {
    for length in [65_000, 65_487, 65_488, 65_535, 65_536, 200_000] {
        let mut codec = open(&[get(1, KEEP_CONN)]);
        let (mut out, payload) = (Vec::new(), vec![b'x'; length]);
        codec.head(1, &head(&[]), UNKNOWN, &mut out);
        send(&mut *codec, 1, &payload, &mut out);
        assert!(codec.end(1, &mut out));
        assert_eq!(stream(&out, STDOUT, 1).0, [b"Status: 200 OK\r\n\r\n", &payload[..]].concat());
    }
    // Of a file, more may be there than an address can say.
    assert_eq!(open(&[get(1, KEEP_CONN)]).frame(1, u64::MAX, &mut Vec::new()), 65_528);
}

#[test]
fn a_head_over_65535_bytes() {
    let value: &'static str = Box::leak("v".repeat(70_000).into_boxed_str());
    let mut codec = open(&[get(1, KEEP_CONN)]);
    let mut out = b"something that was there before".to_vec();
    let before = out.len();
    codec.head(1, &head(&[("x", value)]), UNKNOWN, &mut out);
    send(&mut *codec, 1, b"hi", &mut out);
    assert!(codec.end(1, &mut out));
    let (stdout, records) = stream(&out[before..], STDOUT, 1);
    assert_eq!(stdout, format!("Status: 200 OK\r\nx: {value}\r\n\r\nhi").as_bytes());
    assert_eq!(records, 3);
}

/// [10.15]
#[test]
fn errors_go_to_stderr_and_do_not_end_it() {
    let mut codec = open(&[get(1, KEEP_CONN)]);
    assert!(codec.has_errors());
    let mut out = Vec::new();
    codec.errors(1, b"config error: missing SI_UID\n", &mut out);
    codec.errors(1, b"", &mut out);
    codec.head(1, &head(&[]), UNKNOWN, &mut out);
    codec.errors(1, &[b'e'; 70_000], &mut out);
    assert!(codec.end(1, &mut out));
    let (errors, records) = stream(&out, STDERR, 1);
    assert_eq!((errors.len(), records), (29 + 70_000, 3));
    assert!(out.ends_with(&record(END_REQUEST, 1, &[0; 8])));
    // When the request is over, there is no such stream.
    let mut late = Vec::new();
    codec.errors(1, b"late", &mut late);
    assert!(late.is_empty());
}

/// [10.21]
#[test]
fn keep_conn_is_honoured() {
    let reply = |codec: &mut dyn Codec, id| {
        let mut out = Vec::new();
        codec.head(id, &head(&[]), of_length(0), &mut out);
        codec.end(id, &mut out)
    };
    assert!(reply(&mut *open(&[get(1, KEEP_CONN)]), 1));
    assert!(!reply(&mut *open(&[get(1, 0)]), 1));
    // The last one closes.
    let mut codec = open(&[get(1, 0), get(2, KEEP_CONN)]);
    assert!(reply(&mut *codec, 1));
    assert!(!reply(&mut *codec, 2));
    // One that is still coming in is open too.
    let mut codec = open(&[get(1, 0), begin(2, RESPONDER, KEEP_CONN)]);
    assert!(reply(&mut *codec, 1));
}

#[test]
fn an_engine_that_stops_closes_behind_the_reply() {
    let mut codec = open(&[get(1, KEEP_CONN)]);
    codec.close_after();
    assert!(!codec.end(1, &mut Vec::new()));
}

#[test]
fn an_id_can_be_used_again() {
    let mut codec = codec(&FastCgi::new());
    for _ in 0..3 {
        let fed = feed_codec(&mut *codec, [&get(1, KEEP_CONN)[..]]);
        assert!(matches!(fed.seen[..], [Seen::Request(1, ..), Seen::End(1)]));
        assert!(codec.end(1, &mut Vec::new()));
    }
}

#[test]
fn what_is_left_of_a_body_when_the_reply_is_over_is_skipped() {
    let mut codec = open(&[begin(1, RESPONDER, KEEP_CONN), params(1, &[("REQUEST_METHOD", "PUT")])]);
    assert!(!codec.is_idle());
    // In the middle of a record.
    let content = record(STDIN, 1, &[b'x'; 100]);
    assert!(matches!(feed_codec(&mut *codec, [&content[..50]]).seen[..], [Seen::Data(1, _)]));
    assert!(codec.end(1, &mut Vec::new()));
    let rest = [&content[50..], &record(STDIN, 1, b""), &get(1, KEEP_CONN)].concat();
    let fed = feed_codec(&mut *codec, [&rest[..]]);
    assert!(matches!(fed.seen[..], [Seen::Request(1, ..), Seen::End(1)]), "{:?}", fed.seen);
}

#[test]
fn a_connection_that_ends_in_the_middle_of_a_body_is_not_idle() {
    let vars = params(1, &[("REQUEST_METHOD", "PUT")]);
    let mut codec = open(&[begin(1, RESPONDER, 0), vars]);
    assert!(!codec.end(1, &mut Vec::new()));
    assert!(!codec.is_idle(), "an engine has to read on before it closes, or the reply may be lost");
}

#[test]
fn a_reply_may_be_over_before_its_body_is_said_to_be() {
    let mut codec = codec(&FastCgi::new());
    let input = post(1, KEEP_CONN, "5", b"hello");
    let mut out = Vec::new();
    let mut at = 0;
    // Up to the data, and not to the end that would follow.
    for _ in 0..2 {
        at += codec.decode(&input[at..], &mut out).unwrap().used;
    }
    assert!(codec.end(1, &mut out));
    assert_eq!(feed_codec(&mut *codec, [&input[at..]]).seen, []);
    assert!(codec.is_idle());
}

/// Apache's mod_proxy_fcgi drops a response when it cannot send the end of STDIN any more.
#[test]
fn a_connection_that_ends_waits_for_the_end_of_stdin() {
    for (length, body) in [("0", &b""[..]), ("5", b"hello")] {
        let input = post(1, 0, length, body);
        let (input, end) = input.split_at(input.len() - 8);
        let mut codec = open(&[input.to_vec()]);
        assert!(!codec.end(1, &mut Vec::new()));
        assert!(!codec.is_idle(), "CONTENT_LENGTH {length}");
        assert_eq!(feed_codec(&mut *codec, [end]).seen, []);
        assert!(codec.is_idle());
    }
}

/// [10.19]
#[test]
fn a_cut_is_no_end() {
    let mut codec = open(&[get(1, KEEP_CONN)]);
    let mut out = Vec::new();
    codec.head(1, &head(&[]), UNKNOWN, &mut out);
    send(&mut *codec, 1, b"partial", &mut out);
    let before = out.len();
    assert!(!codec.cut(1, &mut out), "the connection breaks off");
    // nginx and Caddy take the end of a connection for that of a response. Neither takes a record of version 0.
    assert_eq!(out[before..], [0, UNKNOWN_TYPE, 0, 0, 0, 0, 0, 0]);
    // Others on the connection are not to suffer for it.
    let mut codec = open(&[get(1, KEEP_CONN), get(2, KEEP_CONN)]);
    let mut out = Vec::new();
    codec.head(1, &head(&[]), UNKNOWN, &mut out);
    assert!(codec.cut(1, &mut out));
    assert!(out.ends_with(&record(END_REQUEST, 1, &[0, 0, 0, 1, 0, 0, 0, 0])));
    assert!(codec.end(2, &mut out));
}

#[test]
fn a_reply_to_a_request_that_was_taken_back() {
    let mut codec = open(&[get(1, KEEP_CONN)]);
    let mut out = Vec::new();
    codec.head(1, &head(&[]), UNKNOWN, &mut out);
    let fed = feed_codec(&mut *codec, [&record(ABORT_REQUEST, 1, b"")[..]]);
    assert_eq!(fed.seen, [Seen::Abort(1)]);
    assert_eq!(fed.out, [record(STDOUT, 1, b""), record(END_REQUEST, 1, &[0; 8])].concat());
    // An engine that ends it none the less says nothing to the peer.
    let mut late = Vec::new();
    assert!(codec.end(1, &mut late));
    assert!(codec.cut(1, &mut late));
    assert!(late.is_empty());
}

#[test]
fn a_body_that_broke_off_may_be_answered_by_the_application() {
    // As an engine does whose application was reading it: it does not refuse.
    let mut codec = open(&[begin(1, RESPONDER, 0)]);
    let vars = params(1, &[("REQUEST_METHOD", "PUT"), ("CONTENT_LENGTH", "5")]);
    let input = [vars, record(STDIN, 1, b"hell"), record(STDIN, 1, b"")].concat();
    let mut at = 0;
    for _ in 0..2 {
        at += codec.decode(&input[at..], &mut Vec::new()).unwrap().used;
    }
    assert!(codec.decode(&input[at..], &mut Vec::new()).is_err());
    assert!(codec.decode(&get(2, KEEP_CONN), &mut Vec::new()).is_err(), "nothing more is read");
    let mut out = Vec::new();
    codec.head(1, &head(&[]), UNKNOWN, &mut out);
    send(&mut *codec, 1, b"that is not all", &mut out);
    assert!(!codec.end(1, &mut out));
    assert_eq!(stream(&out, STDOUT, 1).0, b"Status: 200 OK\r\n\r\nthat is not all");
}

#[test]
fn a_request_that_timed_out_is_told_so() {
    let vars = params(1, &[("REQUEST_METHOD", "PUT")]);
    let mut codec = open(&[begin(1, RESPONDER, KEEP_CONN), vars, begin(2, RESPONDER, KEEP_CONN)]);
    let mut out = Vec::new();
    codec.refuse(&PeerError::Timeout { doing: "to send the request body" }.into(), &mut out);
    for id in [1, 2] {
        assert!(stream(&out, STDOUT, id).0.starts_with(b"Status: 408 Request Timeout\r\n"));
    }
    // Malformed records have no answer.
    let mut codec = open(&[get(1, KEEP_CONN)]);
    let mut out = Vec::new();
    codec.refuse(&Error::refused(StatusCode::BAD_REQUEST, "nonsense"), &mut out);
    assert!(out.is_empty());
}
