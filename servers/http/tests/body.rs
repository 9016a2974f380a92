//! Request bodies: how long they are, and what is refused because two readers might not agree on it.

mod feed;

use feed::{Seen, body, decode, decode_with, refused, var};
use wgi_engine::RequestBody;
use wgi_http::Http;

fn post(fields: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{body}")
}

fn chunked(body: &str) -> String {
    post("Transfer-Encoding: chunked", body)
}

/// Checks that a chunked body is refused, behind the request and what data there was.
#[track_caller]
fn refused_body(status: u16, body: &str) {
    let seen = decode(chunked(body));
    assert!(matches!(seen[0], Seen::Request(..)), "{body:?}: {seen:?}");
    assert_eq!(seen.last(), Some(&Seen::Refused(status)), "{body:?}: {seen:?}");
    assert!(!seen.contains(&Seen::End), "{body:?}: {seen:?}");
}

#[test]
fn without_a_length_there_is_no_body() {
    for head in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"] {
        assert!(matches!(decode(head)[..], [Seen::Request(_, RequestBody::None, false)]));
    }
}

#[test]
fn a_sized_body() {
    assert_eq!(body(post("Content-Length: 5", "hello")), b"hello");
    assert_eq!(body(post("Content-Length: 0005", "hello")), b"hello");
    assert!(matches!(decode(post("Content-Length: 5", ""))[..], [Seen::Request(_, RequestBody::Length(5), _)]));
    assert!(matches!(decode(post("Content-Length: 5", "hell"))[..], [Seen::Request(..), Seen::Data(_)]));
    let largest = post("Content-Length: 18446744073709551615", "x");
    assert!(matches!(decode(largest)[0], Seen::Request(_, RequestBody::Length(u64::MAX), _)));
}

#[test]
fn a_body_that_nobody_read_does_not_become_the_next_request() {
    let inner = "GET /inner HTTP/1.1\r\nHost: a\r\n\r\n";
    let outer = post(&format!("Content-Length: {}", inner.len()), inner);
    assert_eq!(body(outer), inner.as_bytes());
    // The reply is over before the body is.
    let mut codec = feed::codec(&Http::new());
    let head = post(&format!("Content-Length: {}", inner.len()), "");
    assert_eq!(feed::feed_codec(&mut *codec, [head.as_bytes()]).len(), 1);
    let mut out = Vec::new();
    let head = wgi::Head::new(wgi::StatusCode::OK, ()).unwrap();
    codec.head(0, &head, wgi::server::Framing { length: Some(0), has_body: true }, &mut out);
    assert!(codec.end(0, &mut out));
    assert!(!codec.is_idle());
    assert_eq!(feed::feed_codec(&mut *codec, [inner.as_bytes()]), [Seen::Data(inner.into()), Seen::End]);
}

#[test]
fn content_length_that_is_no_number() {
    for length in [
        "",
        "+5",
        "-1",
        "0x1",
        "1_0",
        "5 5",
        "5,",
        "5, 5",
        ",5",
        "5.0",
        "1e1",
        "five",
        "18446744073709551616",
        "99999999999999999999999",
        "5\u{a0}",
        "\u{a0}5",
        "\u{665}",
        "5;",
        "0b1",
        "'5'",
        "5\0",
        "\x0b5",
        "5\x0c",
    ] {
        refused(400, post(&format!("Content-Length: {length}"), "hello"));
    }
    // Optional whitespace is not part of the value.
    assert_eq!(body(post("Content-Length: \t 5 \t", "hello")), b"hello");
}

#[test]
fn content_length_repeated() {
    refused(400, post("Content-Length: 5\r\nContent-Length: 5", "hello"));
    refused(400, post("Content-Length: 5\r\ncontent-length: 6", "hello"));
}

#[test]
fn transfer_encoding_with_content_length() {
    refused(400, post("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n"));
    refused(400, post("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n"));
    refused(400, post("Content-Length: 5\r\nTransfer-Encoding: identity", "hello"));
    refused(400, post("Content-Length: 5\r\nTransfer-Encoding:", "hello"));
}

#[test]
fn transfer_encoding_that_is_not_chunked_once_and_last() {
    for codings in [
        "",
        "chunked, chunked",
        "chunked, gzip",
        "chunked,",
        ",chunked",
        "gzip, chunked, gzip",
        "chunked;a=b",
        "\"chunked\"",
        "chunked\u{a0}",
        "\u{a0}chunked",
        "chunked\x0b",
        "\x0bchunked",
        "chun ked",
        "chunked chunked",
        "\0chunked",
        "gzip, chunked, chunked",
        "chunked\x0c",
        "chunked,,chunked",
    ] {
        refused(400, post(&format!("Transfer-Encoding: {codings}"), "0\r\n\r\n"));
    }
    refused(400, post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"));
    refused(400, post("Transfer-Encoding: gzip\r\ntransfer-encoding: chunked", "0\r\n\r\n"));
    refused(400, post("Transfer-Encoding : chunked", "0\r\n\r\n"));
    refused(400, post("Transfer-Encoding\x0b: chunked", "0\r\n\r\n"));
    refused(400, post("Transfer-Encoding:\r\n chunked", "0\r\n\r\n"));
}

#[test]
fn transfer_codings_that_are_not_known() {
    for codings in ["gzip", "gzip, chunked", "identity", "xchunked", "chunkedx", "x-chunked", "compress, gzip"] {
        refused(501, post(&format!("Transfer-Encoding: {codings}"), "0\r\n\r\n"));
    }
}

#[test]
fn transfer_encoding_in_http_1_0() {
    refused(400, "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    refused(400, "POST / HTTP/1.0\r\nTransfer-Encoding: gzip\r\nConnection: keep-alive\r\n\r\n");
}

#[test]
fn a_chunked_body() {
    for (input, expected) in [
        ("0\r\n\r\n", ""),
        ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("1\r\nh\r\n4\r\nello\r\n000\r\n\r\n", "hello"),
        ("00000005\r\nhello\r\n0\r\n\r\n", "hello"),
        ("0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n", "hello"),
        ("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"),
        ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
    ] {
        assert_eq!(body(chunked(input)), expected.as_bytes(), "{input:?}");
    }
    assert_eq!(body(post("transfer-encoding: \t CHUNKED ", "1\r\na\r\n0\r\n\r\n")), b"a");
}

#[test]
fn a_chunked_body_has_no_length_in_the_environ() {
    let input = chunked("0\r\n\r\n");
    assert!(matches!(decode(&input)[0], Seen::Request(_, RequestBody::Unknown, _)));
    assert_eq!(var(&input, "CONTENT_LENGTH"), None);
    assert_eq!(var(&input, "HTTP_TRANSFER_ENCODING"), None);
}

#[test]
fn a_chunk_size_that_is_no_number() {
    for size in [
        "",
        "+5",
        "-1",
        "0x5",
        "1_0",
        " 5",
        "5 ",
        "\t5",
        "5\t",
        "g",
        "5h",
        "h5",
        "\u{a0}5",
        "5\u{a0}",
        "5\0",
        "\x0b5",
        "10000000000000000",
        "00000000000000005",
        "fffffffffffffffff",
        ";a=b",
        "5,",
        "5.0",
        "\"5\"",
    ] {
        refused_body(400, &format!("{size}\r\nhello\r\n0\r\n\r\n"));
        refused_body(400, &format!("1\r\na\r\n{size}\r\nhello\r\n0\r\n\r\n"));
    }
    // 64 bits are taken, and nothing is allocated for them.
    assert!(matches!(decode(chunked("ffffffffffffffff\r\nx"))[..], [Seen::Request(..), Seen::Data(_)]));
}

#[test]
fn a_size_line_that_does_not_end_with_crlf() {
    for body in
        ["5\nhello\r\n0\r\n\r\n", "5\rhello\r\n0\r\n\r\n", "5\r\rhello", "0\n\r\n", "0\r\r\n", "0\r\n\n", "0\r\n\r\r"]
    {
        refused_body(400, body);
    }
}

#[test]
fn anything_but_crlf_behind_chunk_data() {
    for tail in ["\n", "\r", "x\r\n", " \r\n", "\n\r", "0\r\n", "\0\r\n"] {
        refused_body(400, &format!("5\r\nhello{tail}0\r\n\r\n"));
    }
}

#[test]
fn chunk_extensions_are_dropped() {
    for extension in
        [";a", ";a=b", ";a=\"b\"", "; a = \"b c\" ; d", " ;a", "\t;a=b;c", ";a=\"\\\"\\\\;\"", ";a=\"\u{e9}\""]
    {
        assert_eq!(body(chunked(&format!("5{extension}\r\nhello\r\n0{extension}\r\n\r\n"))), b"hello", "{extension:?}");
    }
}

#[test]
fn chunk_extensions_with_line_ends_quotes_or_control_characters() {
    for extension in [
        ";a\n",
        ";a=\nb",
        ";a=\rb",
        ";a=\"b\n\"",
        ";a=\"b\r\"",
        ";a=\"b",
        ";a=\"",
        ";a=\"\\",
        ";a=\"b\\\"",
        ";a\0",
        ";a=\x7f",
        ";a=\x0b",
        ";a=\u{a0}",
        ";a=b,c",
        ";a={b}",
        " a",
        " ",
        ";a=\"\x01\"",
        ";a=\"\\\r\n\"",
    ] {
        refused_body(400, &format!("5{extension}\r\nhello\r\n0\r\n\r\n"));
    }
}

#[test]
fn a_chunk_extension_without_end() {
    let extension = |length: usize| format!(";{}", "a".repeat(length - 1));
    assert_eq!(body(chunked(&format!("1{}\r\na\r\n0{}\r\n\r\n", extension(256), extension(256)))), b"a");
    refused_body(400, &format!("1{}", extension(257)));
    refused_body(400, &format!("1{}", " ".repeat(257)));
}

#[test]
fn trailers_are_read_and_dropped() {
    let input = chunked("1\r\na\r\n0\r\nX: b\r\nContent-Length: 9\r\nY:\r\n\r\n");
    assert_eq!(body(&input), b"a");
    assert_eq!(var(&input, "HTTP_X"), None);
    assert_eq!(var(&input, "CONTENT_LENGTH"), None);
}

#[test]
fn trailers_are_as_strict_as_the_head() {
    for trailers in
        ["X : b", " X: b", "X: b\r\n c", ": b", "X", "X: b\nY: c", "X: b\rY: c", "X: \0", "X: \x7f", "\u{a0}: b", "X\n"]
    {
        refused_body(400, &format!("0\r\n{trailers}\r\n\r\n"));
    }
}

#[test]
fn trailers_without_end() {
    refused_body(431, &format!("0\r\nX: {}", "x".repeat(32 * 1024)));
    refused_body(431, &format!("0\r\n{}\r\n", "X:\r\n".repeat(101)));
    assert_eq!(body(chunked(&format!("0\r\n{}\r\n", "X:\r\n".repeat(100)))), b"");
    let small = Http::new().max_head(64);
    let seen = decode_with(&small, chunked(&format!("0\r\nX: {}", "x".repeat(64))));
    assert_eq!(seen.last(), Some(&Seen::Refused(431)));
}

#[test]
fn requests_may_be_pipelined() {
    let input =
        [&post("Content-Length: 3", "abc"), &chunked("1\r\nd\r\n0\r\n\r\n"), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"]
            .concat();
    let seen = decode(input);
    assert!(matches!(
        &seen[..],
        [Seen::Request(..), Seen::Data(a), Seen::End, Seen::Request(..), Seen::Data(b), Seen::End, Seen::Request(..)]
            if a == b"abc" && b == b"d"
    ));
}

#[test]
fn what_is_pipelined_waits_for_the_reply() {
    let mut codec = feed::codec(&Http::new());
    let (input, mut out) = (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", Vec::new());
    assert!(matches!(codec.decode(input, &mut out).unwrap().event, wgi_engine::Event::Request(..)));
    let decoded = codec.decode(input, &mut out).unwrap();
    assert_eq!(decoded.used, 0);
    assert!(matches!(decoded.event, wgi_engine::Event::Incomplete));
    assert!(feed::reply(&mut *codec));
    assert!(matches!(codec.decode(input, &mut out).unwrap().event, wgi_engine::Event::Request(..)));
}

#[test]
fn nothing_runs_behind_an_error() {
    let next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
    for bad in ["GET / HTTP/1.1\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "X\r\n\r\n"] {
        assert_eq!(decode(bad.to_owned() + next).len(), 1);
    }
    let seen = decode(chunked("1\r\nab") + next);
    assert_eq!(seen[1..], [Seen::Data(b"a".to_vec()), Seen::Refused(400)]);
}
