//! Requests that two parsers might read in two ways: each is refused, the connection is closed, and what was
//! pipelined behind it is never run.

use crate::server::Server;

/// What an attacker would have run.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";

/// Sends a request with another one behind it. One response of that status must come, with `Connection: close`, and
/// nothing behind it; the application must not have been called for the other one.
#[track_caller]
fn is_refused(server: &Server, request: &str, status: u16) {
    is_refused_bytes(server, request.as_bytes(), status);
}

#[track_caller]
fn is_refused_bytes(server: &Server, request: &[u8], status: u16) {
    let request = [request, SMUGGLED.as_bytes()].concat();
    let shown = request.escape_ascii().to_string();
    let responses = server.responses(&request, &["GET"]);
    assert_eq!(responses[0].status, status, "{shown}: {}", responses[0].text());
    assert_eq!(responses[0].header("connection"), Some("close"), "{shown}");
    let calls = server.calls.lines();
    assert!(!calls.iter().any(|call| call.contains("/smuggled")), "{shown}: {calls:?}");
}

/// [11.3] [11.5]
#[test]
fn ambiguous_framing_is_refused() {
    let server = Server::listing();
    let chunked = "5\r\nhello\r\n0\r\n\r\n";
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: \r\n",
        "Transfer-Encoding: ,chunked,\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5_0\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: \r\n",
        "Content-Length: five\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length: 99999999999999999999999999\r\n",
    ] {
        let request = format!("POST / HTTP/1.1\r\nHost: h\r\n{fields}\r\n{chunked}");
        let responses = server.responses([&request, SMUGGLED].concat(), &["POST"]);
        // A coding that is not chunked at the end is unknown as much as it is ambiguous.
        assert!(matches!(responses[0].status, 400 | 501), "{fields:?}: {}", responses[0].status);
        assert_eq!(responses[0].header("connection"), Some("close"), "{fields:?}");
    }
    let http_1_0 = format!("POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}");
    is_refused(&server, &http_1_0, 400);
    assert_eq!(server.calls.lines(), [""; 0]);
    server.is_well();
}

/// [11.8] [11.5]
#[test]
fn unknown_codings_and_versions_are_refused() {
    let server = Server::listing();
    is_refused(&server, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501);
    is_refused(&server, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501);
    is_refused(&server, "GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505);
    is_refused(&server, "GET / HTTP/1.2\r\nHost: h\r\n\r\n", 505);
    is_refused(&server, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
    // No version of this form was ever one, and one that has no version is HTTP/0.9.
    for line in ["GET /", "GET / HTTP/1.10", "GET / http/1.1", "GET / HTTP/3"] {
        let responses = server.responses(format!("{line}\r\nHost: h\r\n\r\n{SMUGGLED}"), &["GET"]);
        assert!(matches!(responses[0].status, 400 | 505), "{line}: {}", responses[0].status);
    }
    assert_eq!(server.calls.lines(), [""; 0]);
}

/// [11.8]: Host.
#[test]
fn a_host_that_is_missing_repeated_or_invalid_is_refused() {
    let server = Server::listing();
    for fields in [
        "",
        "Host: a\r\nHost: a\r\n",
        "Host: a\r\nhost: b\r\n",
        "Host: a b\r\n",
        "Host: a/b\r\n",
        "Host: a@b\r\n",
        "Host: a:b\r\n",
        "Host: a:80:80\r\n",
        "Host: [::1\r\n",
        "Host: a, b\r\n",
        "Host: a\\b\r\n",
    ] {
        is_refused(&server, &format!("GET / HTTP/1.1\r\n{fields}\r\n"), 400);
    }
    assert_eq!(server.calls.lines(), [""; 0]);
}

/// [11.2] [11.5]
#[test]
fn malformed_heads_are_refused() {
    let server = Server::listing();
    let of_fields: &[&[u8]] = &[
        b"Host : h\r\n",
        b"Host\t: h\r\n",
        b"Host: h\r\n: empty\r\n",
        b"Host: h\r\nno colon\r\n",
        b"Host: h\r\nX: a\0b\r\n",
        b"Host: h\r\nX: a\x01b\r\n",
        b"Host: h\r\nX: a\x7fb\r\n",
        b"Host: h\r\nX: a\x0bb\r\n",
        b"Host: h\r\nX: a\rb\r\n",
        b"Host: h\r\nX: a\nb\r\n",
        b"Host: h\r\nX: a\r\n folded\r\n",
        b"Host: h\r\nX: a\r\n\tfolded\r\n",
        b" Host: h\r\n",
        b"Host: h\r\nX(: a\r\n",
        b"Host: h\r\nX\xa0: a\r\n",
        b"Host: h\r\nTransfer-Encoding\x0b: chunked\r\n",
        b"Host: h\r\nTransfer-Encoding : chunked\r\n",
        b"Host: h\r\nContent-Length\xa0: 5\r\n",
        b"Host: h\n",
        b"Host: h\r\nX: a\n",
    ];
    for fields in of_fields {
        is_refused_bytes(&server, &[&b"GET / HTTP/1.1\r\n"[..], fields, b"\r\n"].concat(), 400);
    }
    for line in [
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET\t/ HTTP/1.1",
        " GET / HTTP/1.1",
        "GET / x HTTP/1.1",
        "GET /\x01 HTTP/1.1",
        "G(T / HTTP/1.1",
        "/ HTTP/1.1",
        "GET / HTTP/1.1\n",
        "GET HTTP/1.1",
        "\x16\x03\x01\x02 HTTP/1.1",
        "GET /\x7f HTTP/1.1",
    ] {
        is_refused(&server, &format!("{line}\r\nHost: h\r\n\r\n"), 400);
    }
    is_refused(&server, "GET / HTTP/1.1\nHost: h\n\n", 400);
    assert_eq!(server.calls.lines(), [""; 0]);
    server.is_well();
}

/// [7.12]: odd bytes around `chunked` do not make it another coding, or are refused; never is it overlooked.
#[test]
fn a_coding_behind_odd_bytes_is_never_overlooked() {
    let server = Server::listing();
    let values: &[&[u8]] =
        &[b"\x0bchunked", b"chunked\x0b", b"\xa0chunked", b"chunked\xa0", b"\"chunked\"", b"chunked;a=b", b"xchunked"];
    for value in values {
        let head = [&b"POST /first HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "[..], value, b"\r\n\r\n"].concat();
        let output = server.talk([&head[..], b"0\r\n\r\n", SMUGGLED.as_bytes()].concat());
        let shown = value.escape_ascii();
        let status = output.get(9..12).unwrap_or_default();
        assert!(status == b"400" || status == b"501", "{shown}: {}", output.escape_ascii());
    }
    assert_eq!(server.calls.lines(), [""; 0]);
}

/// [11.4] [11.5]: the application may have been called by the time a chunk is malformed, but nothing behind it is.
#[test]
fn malformed_chunks_break_the_body() {
    let server = Server::listing();
    for chunks in [
        "\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5_0\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "g\r\nhello\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "10000000000000000\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5;a\rb\r\nhello\r\n0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\r\n0\r\nno colon\r\n\r\n",
        "5\r\nhello\r\n0\r\n\n",
    ] {
        let head = "POST /broken HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
        let output = server.talk([head, chunks, SMUGGLED].concat());
        let mut rest = &output[..];
        if let Ok(response) = wgi_conformance::client::Response::read(&mut rest, "POST") {
            assert_eq!(response.status, 400, "{chunks:?}: {}", response.text());
        }
        assert!(rest.is_empty(), "{chunks:?}: {}", rest.escape_ascii());
    }
    let calls = server.calls.lines();
    assert!(calls.iter().all(|call| call == "POST /broken"), "{calls:?}");
    server.is_well();
}

/// [11.4]: an extension without end.
#[test]
fn a_chunk_extension_is_bounded() {
    let server = Server::listing();
    let head = "POST /broken HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;";
    let output = server.talk([head, &"a".repeat(10_000_000)].concat());
    assert!(!output.windows(5).any(|window| window == b" 200 "), "{}", output.escape_ascii());
    server.is_well();
}

/// [7.13]: a body that nobody read is not the next request.
#[test]
fn an_unread_body_is_no_request() {
    let server = Server::new(wgi_engine::Options::default(), |environ, start, calls| {
        calls.note(String::from_utf8_lossy(environ.path_info()));
        start.start(wgi::StatusCode::NO_CONTENT, ())?;
        Ok(wgi::Body::empty())
    });
    let length = SMUGGLED.len();
    let first = format!("POST /first HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{SMUGGLED}");
    let chunked = format!(
        "POST /chunked HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{SMUGGLED}\r\n0\r\n\r\n"
    );
    let last = "GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let responses = server.responses([&first, &chunked, last].concat(), &["POST", "POST", "GET"]);
    assert!(responses.iter().all(|response| response.status == 204));
    assert_eq!(server.calls.lines(), ["/first", "/chunked", "/last"]);
}

/// [11.14]: a request that says nothing of a body has none.
#[test]
fn bytes_behind_a_request_are_the_next_one() {
    let server = Server::listing();
    let responses = server.responses("GET /a HTTP/1.1\r\nHost: h\r\n\r\nhello\r\n\r\n", &["GET", "GET"]);
    assert_eq!((responses[0].status, responses[1].status), (200, 400));
    assert_eq!(server.calls.lines(), ["GET /a"]);
}
