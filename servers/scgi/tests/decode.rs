//! Requests in: what the bytes of SCGI mean, and which are none.

mod feed;

use feed::{Seen, codec, decode, decode_with, environ_with, feed, get, netstring, pairs, request, var};
use wgi::Scheme;
use wgi_scgi::Scgi;

/// What is answered to a request that is refused.
#[track_caller]
fn refused(input: impl AsRef<[u8]>) -> u16 {
    let fed = decode(input);
    match fed.seen[..] {
        [Seen::Refused(status)] => {
            assert!(fed.out.starts_with(format!("Status: {status} ").as_bytes()), "{}", fed.out.escape_ascii());
            status
        }
        ref seen => panic!("{seen:?}"),
    }
}

/// [10.24], [10.26]
#[test]
fn the_request_of_the_specification() {
    let input = b"70:CONTENT_LENGTH\x0027\0SCGI\x001\0REQUEST_METHOD\0POST\0REQUEST_URI\0/deepthought\0,\
                  What is the answer to life?";
    let fed = decode(input);
    let [Seen::Request(vars, Some(27), Scheme::Http), Seen::Data(body), Seen::End] = &fed.seen[..] else {
        panic!("{:?}", fed.seen)
    };
    assert_eq!(body, b"What is the answer to life?");
    for (name, value) in [
        ("CONTENT_LENGTH", "27"),
        ("REQUEST_METHOD", "POST"),
        ("REQUEST_URI", "/deepthought"),
        ("SCRIPT_NAME", ""),
        ("PATH_INFO", "/deepthought"),
        ("QUERY_STRING", ""),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
    ] {
        assert_eq!(var(vars, name), Some(value), "{name}");
    }
    assert!(fed.out.is_empty());
}

#[test]
fn a_request_without_a_body_is_complete_at_once() {
    let fed = decode(get());
    let [Seen::Request(vars, None, _), Seen::End] = &fed.seen[..] else { panic!("{:?}", fed.seen) };
    assert_eq!(var(vars, "CONTENT_LENGTH"), None, "as in HTTP: there is no such field");
}

/// [10.26]
#[test]
fn a_length_that_lies_is_refused() {
    let head = pairs(&[("CONTENT_LENGTH", "0"), ("SCGI", "1"), ("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/")]);
    let with = |length: &str| [length.as_bytes(), b":", &head, b","].concat();
    let length = head.len();
    assert!(matches!(decode(with(&length.to_string())).seen[..], [Seen::Request(..), Seen::End]));
    // Too short: no comma is where it should be. Leading zeros; no number.
    assert_eq!(refused(with(&(length - 1).to_string())), 400);
    for bad in ["0", "1", "", "+60", "-1", "0x3c", "6_0", " 60", "60 ", "\u{ff16}"] {
        assert_eq!(refused(with(bad)), 400, "{bad:?}");
    }
    assert_eq!(refused(with(&format!("0{length}"))), 400);
    assert_eq!(refused(with(&format!("00{length}"))), 400);
    // Too long: the rest is waited for. It never comes to a request.
    let mut codec = codec(&Scgi::new());
    let fed = feed::feed_codec(&mut *codec, [&with(&(length + 9).to_string())[..]]);
    assert!(fed.seen.is_empty() && fed.out.is_empty());
}

/// [10.26]
#[test]
fn the_comma_is_looked_at() {
    let mut input = get();
    *input.last_mut().unwrap() = b';';
    assert_eq!(refused(&input), 400);
    *input.last_mut().unwrap() = 0;
    assert_eq!(refused(&input), 400);
}

/// [11.1]
#[test]
fn a_length_over_the_limit_is_refused_by_its_digits() {
    let scgi = Scgi::new().max_head(100);
    for long in ["101", "999", "4294967296", "18446744073709551616", "99999999999999999999999999999999999999999"] {
        let fed = decode_with(&scgi, long);
        assert_eq!(fed.seen, [Seen::Refused(431)], "{long}");
        assert!(fed.out.starts_with(b"Status: 431 "), "{}", fed.out.escape_ascii());
    }
    // And a head of just that much is taken.
    let vars = [("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/"), ("X", &"y".repeat(100 - 60))];
    let input = request(&vars, b"");
    assert!(input.starts_with(b"100:"), "{}", input.escape_ascii());
    assert!(matches!(decode_with(&scgi, input).seen[..], [Seen::Request(..), Seen::End]));
}

/// [10.26]
#[test]
fn content_length_comes_first() {
    let post = |vars: &[(&str, &str)]| netstring(pairs(vars));
    let rest = [("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/")];
    assert_eq!(refused(post(&[&[("SCGI", "1"), ("CONTENT_LENGTH", "0")], &rest[..]].concat())), 400);
    assert_eq!(refused(post(&[&[("SCGI", "1")], &rest[..]].concat())), 400);
    assert_eq!(refused(post(&[&[("content_length", "0"), ("SCGI", "1")], &rest[..]].concat())), 400);
    for bad in ["", "+1", "-1", "0x1", "1_0", " 5", "5 ", "5,5", "18446744073709551616", "five"] {
        assert_eq!(refused(post(&[&[("CONTENT_LENGTH", bad), ("SCGI", "1")], &rest[..]].concat())), 400, "{bad:?}");
    }
    assert_eq!(refused("0:,"), 400);
}

/// [10.26]
#[test]
fn scgi_is_there_and_is_1() {
    let with = |scgi: &[(&str, &str)]| {
        netstring(pairs(
            &[&[("CONTENT_LENGTH", "0")], scgi, &[("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/")]].concat(),
        ))
    };
    assert!(matches!(decode(with(&[("SCGI", "1")])).seen[..], [Seen::Request(..), Seen::End]));
    for bad in [&[][..], &[("SCGI", "2")], &[("SCGI", "")], &[("SCGI", "11")], &[("scgi", "1")]] {
        assert_eq!(refused(with(bad)), 400, "{bad:?}");
    }
}

/// [10.26]
#[test]
fn what_frames_the_request_is_not_repeated() {
    let rest = [("REQUEST_METHOD", "POST"), ("REQUEST_URI", "/")];
    for again in [("CONTENT_LENGTH", "0"), ("CONTENT_LENGTH", "5"), ("CONTENT_LENGTH", ""), ("SCGI", "1")] {
        assert_eq!(refused(request(&[&rest[..], &[again]].concat(), b"")), 400, "{again:?}");
    }
}

/// [10.24]
#[test]
fn other_names_that_are_repeated_become_one() {
    let (vars, _) = environ_with(
        &Scgi::new(),
        &[
            ("REQUEST_METHOD", "GET"),
            ("REQUEST_URI", "/"),
            ("SERVER_NAME", "a.example"),
            ("HTTP_X_A", "1"),
            ("HTTP_COOKIE", "a=1"),
            ("HTTP_X_A", "2"),
            ("HTTP_COOKIE", "b=2"),
            ("SERVER_NAME", "b.example"),
        ],
    );
    assert_eq!(var(&vars, "HTTP_X_A"), Some("1, 2"));
    assert_eq!(var(&vars, "HTTP_COOKIE"), Some("a=1; b=2"));
    assert_eq!(var(&vars, "SERVER_NAME"), Some("b.example"));
}

/// [10.26]
#[test]
fn names_and_values_end_with_nul() {
    let good = pairs(&[("CONTENT_LENGTH", "0"), ("SCGI", "1"), ("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/")]);
    // A value without its end, a name without its value, a name that is cut.
    for bad in [&good[..good.len() - 1], &[&good[..], b"X\0"].concat(), &[&good[..], b"X"].concat(), b"CONTENT_LENGTH"]
    {
        assert_eq!(refused(netstring(bad)), 400, "{}", bad.escape_ascii());
    }
    // A name that is empty, or could be no variable's.
    for bad in [&b"\0\0"[..], b"\0x\0", b"A=B\0x\0"] {
        assert_eq!(refused(netstring([&good[..], bad].concat())), 400, "{}", bad.escape_ascii());
    }
    // No value is longer than a NUL can end, however many follow: all of them are read as pairs.
    let (vars, _) = environ_with(&Scgi::new(), &[("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/"), ("X", "")]);
    assert_eq!(var(&vars, "X"), Some(""));
}

#[test]
fn values_of_every_length_survive() {
    for length in [0, 1, 127, 128, 129, 255, 256, 40_000] {
        let value = "v".repeat(length);
        let vars = [("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/"), ("HTTP_X", &value), ("LAST", "1")];
        let fed = feed(&Scgi::new(), [&request(&vars, b"")[..]]);
        let [Seen::Request(vars, ..), Seen::End] = &fed.seen[..] else { panic!("{length}: {:?}", fed.seen) };
        assert_eq!(var(vars, "HTTP_X"), Some(&value[..]), "{length}");
        assert_eq!(var(vars, "LAST"), Some("1"));
    }
}

/// [4.36]
#[test]
fn a_body_that_is_longer_than_the_web_server_says_is_refused() {
    // nginx with `scgi_request_buffering off` counts what it has received so far.
    let sent = |whole| {
        let vars = [("REQUEST_METHOD", "POST"), ("REQUEST_URI", "/"), ("HTTP_CONTENT_LENGTH", whole)];
        request(&vars, b"hello")
    };
    assert_eq!(refused(sent("6")), 400);
    // One that was made longer on the way, as by decompression, is whole.
    for whole in ["5", "4", "", "no number"] {
        assert!(matches!(&decode(sent(whole)).seen[..], [Seen::Request(_, Some(5), _), Seen::Data(_), Seen::End]));
    }
}

#[test]
fn what_cannot_be_served_is_refused() {
    let uri = ("REQUEST_URI", "/");
    for bad in [&[uri][..], &[("REQUEST_METHOD", ""), uri], &[("REQUEST_METHOD", "GE T"), uri]] {
        assert_eq!(refused(request(bad, b"")), 400, "{bad:?}");
    }
    assert_eq!(refused(request(&[("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/%zz")], b"")), 400);
    assert_eq!(refused(request(&[("REQUEST_METHOD", "GET"), uri, ("HTTP_HOST", "a/b")], b"")), 400);
}
