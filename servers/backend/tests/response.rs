//! Heads of responses: every case is read whole, byte by byte, and with bytes trailing.

use wgi::{Bytes, Head, StatusCode};
use wgi_backend::response::{Answer, Form, HeadReader, Malformed};

const MAX_HEAD: usize = 200;
const MAX_FIELDS: usize = 5;

fn reader(form: Form) -> HeadReader {
    HeadReader::new(form, MAX_HEAD, MAX_FIELDS)
}

/// What a response is read as; `None` where its head does not end.
fn read_as(form: Form, bytes: &[u8]) -> Result<Option<(Answer, Bytes)>, Malformed> {
    let whole = reader(form).push(bytes);
    let mut reader = reader(form);
    let mut single = Ok(None);
    let mut behind = Vec::new();
    for byte in bytes {
        match &single {
            Ok(None) => single = reader.push(&[*byte]),
            Ok(Some(_)) => behind.push(*byte),
            Err(_) => break,
        }
    }
    if let Ok(Some((_, rest))) = &mut single {
        assert!(rest.is_empty());
        *rest = behind.into();
    }
    assert_eq!(whole, single, "{}", bytes.escape_ascii());
    whole
}

fn read(bytes: impl AsRef<[u8]>) -> Result<Option<(Answer, Bytes)>, Malformed> {
    read_as(Form::Cgi, bytes.as_ref())
}

#[track_caller]
fn head_of(form: Form, bytes: &str) -> Head {
    match read_as(form, format!("{bytes}\r\nbody\n\n").as_bytes()) {
        Ok(Some((Answer::Response(head), rest))) => {
            assert_eq!(rest, "body\n\n");
            head
        }
        other => panic!("{other:?}"),
    }
}

/// The status line and the fields of a response.
#[track_caller]
fn shown(form: Form, bytes: &str) -> String {
    let head = head_of(form, bytes);
    let fields = head.headers.iter().map(|(name, value)| format!("{name}: {}", value.as_bytes().escape_ascii()));
    [head.status.to_string()].into_iter().chain(fields).collect::<Vec<_>>().join("|")
}

#[track_caller]
fn is_malformed(bytes: impl AsRef<[u8]>, reason: &str) {
    let error = read(&bytes).expect_err(&bytes.as_ref().escape_ascii().to_string());
    assert!(error.to_string().contains(reason), "{}: {error}", bytes.as_ref().escape_ascii());
}

#[test]
fn a_document_has_a_type_and_perhaps_a_status() {
    for (head, expected) in [
        ("Content-Type: text/plain\r\n", "200 OK|content-type: text/plain"),
        ("content-type:text/plain\n", "200 OK|content-type: text/plain"),
        ("Status: 404\nContent-Type: a/b\nX-A: 1\nX-A: 2\n", "404 Not Found|content-type: a/b|x-a: 1|x-a: 2"),
        ("Status: 404 Nothing Here\r\n", "404 Nothing Here"),
        ("X-First: 1\nStatus:\t299  Quite Right \n", "299 Quite Right|x-first: 1"),
        ("Status: 200 OK\nContent-Type:\n", "200 OK"),
        ("Content-Type: a/b\nStatus:\n", "200 OK|content-type: a/b"),
        ("Content-Type: a/b\nX-Empty:\nContent-Length: 5\n", "200 OK|content-type: a/b|x-empty: |content-length: 5"),
    ] {
        assert_eq!(shown(Form::Cgi, head), expected, "{head:?}");
    }
    assert_eq!(head_of(Form::Cgi, "Content-Type: a/\u{e9}\n").headers.get("content-type").unwrap(), "a/\u{e9}");
}

#[test]
fn a_location_is_for_the_client_unless_it_is_a_path_alone() {
    for (head, expected) in [
        ("Location: http://example.org/a#b\n", "302 Found|location: http://example.org/a#b"),
        ("Location: /a\nStatus: 303 See Other\n", "303 See Other|location: /a"),
        ("Location: /a\nSet-Cookie: a=b\n", "302 Found|location: /a|set-cookie: a=b"),
        ("Location: //example.org/a\n", "302 Found|location: //example.org/a"),
        ("Location: a.html\n", "302 Found|location: a.html"),
        ("Status: 201\nLocation: /made\nContent-Type: a/b\n", "201 Created|location: /made|content-type: a/b"),
    ] {
        assert_eq!(shown(Form::Cgi, head), expected, "{head:?}");
    }
    for head in ["Location: /a?b=c\n\n", "Content-Type: a/b\r\nLocation: /a?b=c\r\n\r\n", "LOCATION:/a?b=c\n\n"] {
        let (answer, rest) = read(head).unwrap().unwrap();
        assert_eq!((answer, rest), (Answer::LocalRedirect("/a?b=c".into()), Bytes::new()), "{head:?}");
    }
}

#[test]
fn what_cannot_be_sent_on_is_left_out() {
    let connection = "Connection: close\nKeep-Alive: 5\nTrailer: x\nUpgrade: y\nContent-Type: a/b\n";
    assert_eq!(shown(Form::Cgi, connection), "200 OK|content-type: a/b");
    let nothing = "Status: 204\nContent-Type: text/html\nContent-Length: 0\nETag: a\n";
    assert_eq!(shown(Form::Cgi, nothing), "204 No Content|etag: a");
    let unchanged = "Status: 304\nContent-type: text/html\nContent-Length: 5\n";
    assert_eq!(shown(Form::Cgi, unchanged), "304 Not Modified|content-length: 5");
}

#[test]
fn non_parsed_headers_have_a_status_line() {
    for (head, expected) in [
        ("HTTP/1.0 200 OK\r\nServer: x\r\nContent-Type: a/b\r\n", "200 OK|server: x|content-type: a/b"),
        ("HTTP/1.1 404 Nothing\nLocation: /a\nConnection: close\n", "404 Nothing|location: /a"),
        ("HTTP/1.1 299\nStatus: 404\n", "299 "),
    ] {
        assert_eq!(shown(Form::Http, head), expected, "{head:?}");
    }
    for head in ["Content-Type: a/b\n\n", "HTTP/1.1 OK\n\n", "HTTP/1.1 100 Continue\n\n", "HTTP/2 200 OK\n\n", "\n"] {
        assert!(read_as(Form::Http, head.as_bytes()).is_err(), "{head:?}");
    }
    assert!(read_as(Form::Http, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
    // In the other form, a status line is a line without a colon.
    is_malformed("HTTP/1.1 200 OK\nContent-Type: a/b\n\n", "is no field");
}

#[test]
fn a_head_that_is_none_is_refused() {
    for (head, reason) in [
        ("\n", "no Content-Type, no Location and no Status"),
        ("\r\nContent-Type: a/b\r\n\r\n", "no Content-Type, no Location and no Status"),
        ("X-A: b\n\n", "no Content-Type, no Location and no Status"),
        ("Location:\n\n", "no Content-Type, no Location and no Status"),
        ("Hello, world!\n\n", "is no field"),
        ("Traceback (most recent call last):\n\n", "is no field"),
        ("Content-Type : a/b\n\n", "is no field"),
        (": a/b\n\n", "is no field"),
        ("Content-Type: a/b\n folded\n\n", "is no field"),
        ("Content-Type: a/b\0\n\n", "control character"),
        ("Content-Type: a/b\x1b[2J\n\n", "control character"),
        ("Content-Type: a\rX-B: c\n\n", "control character"),
        ("Content-Type: a/b\nContent-Type: a/b\n\n", "more than one Content-Type"),
        ("Status: 200\nstatus: 200\n\n", "more than one Status"),
        ("Location: /a\nLocation: /b\n\n", "more than one Location"),
        ("Content-Type: a/b\nTransfer-Encoding: chunked\n\n", "Transfer-Encoding"),
        ("Content-Type: a/b\nContent-Length: 5\nContent-Length: 5\n\n", "more than one Content-Length"),
        ("Content-Type: a/b\nContent-Length: +5\n\n", "Content-Length: +5"),
        ("Content-Type: a/b\nA: 1\nB: 2\nC: 3\nD: 4\nE: 5\n\n", "more than 5 fields"),
    ] {
        is_malformed(head, reason);
    }
    for status in ["20", "2000", "2x0", "+20", "099", "100", "101", "199", "600", "999", "OK", "HTTP/1.1 200", "200OK"]
    {
        is_malformed(format!("Status: {status}\n\n"), "the status of the response");
    }
}

#[test]
fn a_head_has_its_limit_and_a_body_none() {
    let largest = format!("Content-Type: {}\n\n", "a".repeat(MAX_HEAD - "Content-Type: \n\n".len()));
    let (_, rest) = read(format!("{largest}{}", "body\n\n".repeat(1000))).unwrap().unwrap();
    assert_eq!(rest.len(), 6000);
    is_malformed(format!("X{largest}"), "over 200 bytes");
    is_malformed("a".repeat(MAX_HEAD + 1), "over 200 bytes");
}

#[test]
fn a_response_that_ends_within_its_head_says_so() {
    assert_eq!(read("Content-Type: a/b\n").unwrap(), None);
    let mut reader = reader(Form::Cgi);
    assert_eq!(reader.ended().to_string(), "it gave no response");
    assert_eq!(reader.push(b"Status: 200\nContent").unwrap(), None);
    assert!(reader.ended().to_string().contains("before the empty line"));
}

#[test]
fn a_status_with_its_usual_reason_is_the_usual_one() {
    assert_eq!(head_of(Form::Cgi, "Status: 404 Not Found\n").status, StatusCode::NOT_FOUND);
}
