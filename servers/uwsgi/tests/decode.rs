//! Requests in: what the bytes of uwsgi mean, and which are none.

mod feed;

use feed::{Seen, codec, decode, decode_with, environ_with, feed, packet, pairs, request, var};
use wgi::Scheme;
use wgi_uwsgi::Uwsgi;

/// What is answered to a request that is refused.
#[track_caller]
fn refused(input: impl AsRef<[u8]>) -> u16 {
    let fed = decode(input);
    match fed.seen[..] {
        [Seen::Refused(status)] => {
            assert!(fed.out.starts_with(format!("HTTP/1.1 {status} ").as_bytes()), "{}", fed.out.escape_ascii());
            status
        }
        ref seen => panic!("{seen:?}"),
    }
}

/// [10.24], [10.27]
#[test]
fn a_request_as_bytes() {
    let input = b"\0\x39\0\0\x0e\0REQUEST_METHOD\x04\0POST\x09\0PATH_INFO\x02\0/x\x0e\0CONTENT_LENGTH\x02\x0027\
                  What is the answer to life?";
    let fed = decode(input);
    let [Seen::Request(vars, Some(27), Scheme::Http), Seen::Data(body), Seen::End] = &fed.seen[..] else {
        panic!("{:?}", fed.seen)
    };
    assert_eq!(body, b"What is the answer to life?");
    for (name, value) in [
        ("CONTENT_LENGTH", "27"),
        ("REQUEST_METHOD", "POST"),
        ("SCRIPT_NAME", ""),
        ("PATH_INFO", "/x"),
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
    for length in [&[][..], &[("CONTENT_LENGTH", "")], &[("CONTENT_LENGTH", "0")]] {
        let vars = [&[("REQUEST_METHOD", "GET"), ("PATH_INFO", "/")], length].concat();
        assert!(matches!(decode(request(&vars, b"")).seen[..], [Seen::Request(_, None, _), Seen::End]), "{length:?}");
    }
}

/// [10.27]
#[test]
fn other_modifiers_get_an_end() {
    for modifier1 in [1, 5, 6, 14, 17, 30, 100, 224, 255] {
        let input = packet(modifier1, &pairs(&[("REQUEST_METHOD", "GET"), ("PATH_INFO", "/")]), 0);
        assert_eq!(refused(&input), 501, "{modifier1}");
        assert_eq!(refused([modifier1]), 501, "nothing more is waited for");
        let error = codec(&Uwsgi::new()).decode(&input, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains(&format!("modifier1 {modifier1}")), "{error}");
    }
    // The second one says nothing about a request.
    let input = packet(0, &pairs(&[("REQUEST_METHOD", "GET"), ("PATH_INFO", "/")]), 9);
    assert!(matches!(decode(input).seen[..], [Seen::Request(..), Seen::End]));
}

/// [10.27]
#[test]
fn a_size_that_lies_is_refused() {
    let vars = pairs(&[("REQUEST_METHOD", "GET"), ("PATH_INFO", "/")]);
    let good = packet(0, &vars, 0);
    assert!(matches!(decode(&good).seen[..], [Seen::Request(..), Seen::End]));
    // Too short: a variable is cut.
    let mut short = good.clone();
    short[1] -= 1;
    assert_eq!(refused(&short), 400);
    short[1..3].copy_from_slice(&1_u16.to_le_bytes());
    assert_eq!(refused(&short), 400);
    short[1..3].copy_from_slice(&0_u16.to_le_bytes());
    assert_eq!(refused(&short), 400, "a request without a method");
    // Too long: the rest is waited for. It never comes to a request.
    let mut long = good.clone();
    long[1..3].copy_from_slice(&u16::MAX.to_le_bytes());
    let fed = feed(&Uwsgi::new(), [&long[..]]);
    assert!(fed.seen.is_empty() && fed.out.is_empty());
}

/// [10.27]
#[test]
fn variables_that_are_cut_are_refused() {
    let all = [("REQUEST_METHOD", "GET"), ("PATH_INFO", "/"), ("X", "abc")];
    let vars = pairs(&all);
    let whole_pairs = [1, 2].map(|count| pairs(&all[..count]).len());
    for end in 0..vars.len() {
        let fed = decode(packet(0, &vars[..end], 0));
        let is_whole = whole_pairs.contains(&end);
        assert_eq!(matches!(fed.seen[0], Seen::Request(..)), is_whole, "{end}");
        assert!(is_whole || fed.seen == [Seen::Refused(400)], "{end}: {:?}", fed.seen);
    }
    for bad in [&b"\xff\xff"[..], b"\x01\0", b"\x01\0X", b"\x01\0X\x05", b"\x01\0X\x05\0abcd", b"\0\x01X\0\0"] {
        assert_eq!(refused(packet(0, &[&vars[..], bad].concat(), 0)), 400, "{}", bad.escape_ascii());
    }
    // A name that is empty, or could be no variable's; a NUL.
    for bad in [[("", "x")], [("A=B", "x")], [("A\0B", "x")], [("X", "a\0b")]] {
        assert_eq!(refused(packet(0, &[&vars[..], &pairs(&bad)].concat(), 0)), 400, "{bad:?}");
    }
}

/// [11.1]
#[test]
fn variables_over_the_limit_are_refused_by_their_size() {
    let uwsgi = Uwsgi::new().max_vars(100);
    for size in [101_u16, 256, u16::MAX] {
        let [low, high] = size.to_le_bytes();
        let fed = decode_with(&uwsgi, [0, low, high, 0]);
        assert_eq!(fed.seen, [Seen::Refused(431)], "{size}");
        assert!(fed.out.starts_with(b"HTTP/1.1 431 "), "{}", fed.out.escape_ascii());
    }
    // And just that much is taken.
    let used = pairs(&[("REQUEST_METHOD", "GET"), ("PATH_INFO", "/"), ("X", "")]).len();
    let input = request(&[("REQUEST_METHOD", "GET"), ("PATH_INFO", "/"), ("X", &"y".repeat(100 - used))], b"");
    assert_eq!(input[1], 100);
    assert!(matches!(decode_with(&uwsgi, input).seen[..], [Seen::Request(..), Seen::End]));
}

/// [10.24]
#[test]
fn names_that_are_repeated_become_one() {
    let (vars, _) = environ_with(
        &Uwsgi::new(),
        &[
            ("REQUEST_METHOD", "GET"),
            ("PATH_INFO", "/"),
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

#[test]
fn values_of_every_length_survive() {
    for length in [0, 1, 127, 128, 129, 255, 256, 40_000, 65_400] {
        let value = "v".repeat(length);
        let vars = [("REQUEST_METHOD", "GET"), ("PATH_INFO", "/"), ("HTTP_X", &value), ("LAST", "1")];
        let fed = feed(&Uwsgi::new(), [&request(&vars, b"")[..]]);
        let [Seen::Request(vars, ..), Seen::End] = &fed.seen[..] else { panic!("{length}: {:?}", fed.seen) };
        assert_eq!(var(vars, "HTTP_X"), Some(&value[..]), "{length}");
        assert_eq!(var(vars, "LAST"), Some("1"));
    }
}

/// [10.27]
#[test]
fn a_body_without_its_length_is_refused() {
    let vars = [("REQUEST_METHOD", "POST"), ("PATH_INFO", "/"), ("HTTP_TRANSFER_ENCODING", "chunked")];
    assert_eq!(refused([packet(0, &pairs(&vars), 0), b"5\r\nhello\r\n0\r\n\r\n".to_vec()].concat()), 411);
    // A web server that collected it says how long it is; the field then says nothing any more.
    let fed = decode(request(&vars, b"hello"));
    let [Seen::Request(vars, Some(5), _), Seen::Data(body), Seen::End] = &fed.seen[..] else {
        panic!("{:?}", fed.seen)
    };
    assert_eq!((&body[..], var(vars, "HTTP_TRANSFER_ENCODING")), (&b"hello"[..], None));
}

#[test]
fn what_cannot_be_served_is_refused() {
    let path = ("PATH_INFO", "/");
    for bad in [&[path][..], &[("REQUEST_METHOD", ""), path], &[("REQUEST_METHOD", "GE T"), path]] {
        assert_eq!(refused(request(bad, b"")), 400, "{bad:?}");
    }
    for bad in ["+1", "-1", "0x1", "1_0", " 5", "5,5", "18446744073709551616", "five"] {
        assert_eq!(refused(request(&[("REQUEST_METHOD", "POST"), path, ("CONTENT_LENGTH", bad)], b"")), 400, "{bad:?}");
    }
    assert_eq!(refused(request(&[("REQUEST_METHOD", "GET"), path, ("HTTP_HOST", "a/b")], b"")), 400);
}
