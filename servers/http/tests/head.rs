//! Request heads: what is taken, what becomes of it, and what is refused.

mod feed;

use feed::{Seen, decode, decode_with, refused, tcp, var, vars};
use wgi::Scheme;
use wgi_engine::{Protocol, RequestBody};
use wgi_http::Http;

/// A request with these lines behind its request line and Host.
fn with(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n")
}

fn with_target(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn with_host(host: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

#[test]
fn a_request_becomes_an_environ() {
    let input = "POST /a%20b/c?d=%20&e HTTP/1.1\r\nHost: example.com:81\r\nContent-Type: text/plain\r\n\
                 Content-Length: 2\r\nAccept: a\r\nX-Empty:\r\nAccept: b\r\n\r\nhi";
    let expected = [
        ("REQUEST_METHOD", "POST"),
        ("PATH_INFO", "/a b/c"),
        ("QUERY_STRING", "d=%20&e"),
        ("REQUEST_URI", "/a%20b/c?d=%20&e"),
        ("HTTP_ACCEPT", "a, b"),
        ("HTTP_X_EMPTY", ""),
        ("HTTP_HOST", "example.com:81"),
        ("SERVER_NAME", "example.com"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("CONTENT_TYPE", "text/plain"),
        ("CONTENT_LENGTH", "2"),
        ("SCRIPT_NAME", ""),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("SERVER_SOFTWARE", concat!("wgi/", env!("CARGO_PKG_VERSION"))),
        ("REMOTE_ADDR", "192.0.2.1"),
        ("REMOTE_PORT", "40000"),
        ("SERVER_ADDR", "198.51.100.1"),
        ("SERVER_PORT", "8080"),
        ("REQUEST_SCHEME", "http"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let request = Seen::Request(expected, RequestBody::Length(2), false);
    assert_eq!(decode(input), [request, Seen::Data(b"hi".to_vec()), Seen::End]);
}

#[test]
fn the_version_is_that_of_the_request() {
    assert_eq!(var("GET / HTTP/1.0\r\n\r\n", "SERVER_PROTOCOL").unwrap(), "HTTP/1.0");
    assert_eq!(var(with_target("/"), "SERVER_PROTOCOL").unwrap(), "HTTP/1.1");
}

#[test]
fn any_token_is_a_method() {
    for method in ["GET", "get", "PROPFIND", "M-SEARCH", "!#$%&'*+-.^_`|~", &"M".repeat(64)] {
        assert_eq!(var(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"), "REQUEST_METHOD").unwrap(), method);
    }
    for method in ["", "G@T", "G\u{e9}T", "(GET)", "G\tT", "\"GET\"", "GET:"] {
        refused(400, format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
    refused(501, format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", "M".repeat(65)));
}

#[test]
fn the_four_forms_of_a_target() {
    let path = |method: &str, target: &str| {
        let vars = vars(format!("{method} {target} HTTP/1.1\r\nHost: a:81\r\n\r\n"));
        let get = |name| vars.iter().find(|(candidate, _)| candidate == name).unwrap().1.clone();
        assert_eq!(get("REQUEST_URI"), target);
        (get("SERVER_NAME"), get("PATH_INFO"), get("QUERY_STRING"))
    };
    let expected = |name: &str, path: &str, query: &str| (name.to_owned(), path.to_owned(), query.to_owned());
    assert_eq!(path("GET", "/"), expected("a", "/", ""));
    assert_eq!(path("GET", "/b?c?d/"), expected("a", "/b", "c?d/"));
    assert_eq!(path("GET", "//b//?"), expected("a", "//b//", ""));
    assert_eq!(path("GET", "http://a:81/b?c"), expected("a", "/b", "c"));
    assert_eq!(path("GET", "HTTPS://A:81/b"), expected("A", "/b", ""));
    assert_eq!(path("GET", "http://a:81"), expected("a", "/", ""));
    assert_eq!(path("GET", "http://a:81?c"), expected("a", "/", "c"));
    assert_eq!(path("OPTIONS", "*"), expected("a", "*", ""));
    assert_eq!(path("OPTIONS", "http://a:81"), expected("a", "*", ""));
    assert_eq!(path("OPTIONS", "/"), expected("a", "/", ""));
    refused(400, with_target("*"));
    refused(400, "OPTIONS *? HTTP/1.1\r\nHost: a\r\n\r\n");
    refused(501, "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n");
    for target in ["a", "a:443", "a/b", "ftp://a/b", "://a/", "http:/a", "?", "?a", ""] {
        refused(400, with_target(target));
    }
}

#[test]
fn a_path_is_decoded_once_and_strictly() {
    assert_eq!(var(with_target("/%2541/%c3%A9/a%2Fb+c"), "PATH_INFO").unwrap(), "/%41/\u{e9}/a/b+c");
    for target in ["/%", "/%4", "/%zz", "/%00", "/a%"] {
        refused(400, with_target(target));
    }
    assert_eq!(var(with_target("/?%zz%00"), "QUERY_STRING").unwrap(), "%zz%00");
}

#[test]
fn a_target_with_a_space_a_control_character_or_a_fragment() {
    for target in
        ["/a b", "/a  b", " /a", "/a ", "/a\tb", "/a\0", "/a\x1f", "/a\x7f", "/\u{e9}", "/a\rb", "/#a", "/?a#b"]
    {
        refused(400, with_target(target));
    }
}

#[test]
fn what_browsers_leave_unescaped_is_taken() {
    assert_eq!(var(with_target("/[a]|\\^?{b}`\"<>|"), "PATH_INFO").unwrap(), "/[a]|\\^");
}

#[test]
fn an_absolute_target_with_another_host() {
    for fields in ["HTTP/1.1\r\nHost: a", "HTTP/1.1\r\nHost: b:81", "HTTP/1.0\r\nHost: a", "HTTP/1.0"] {
        let input = format!("GET http://b:81/ {fields}\r\n\r\n");
        assert_eq!(var(&input, "SERVER_NAME").unwrap(), "b");
        assert_eq!(var(&input, "HTTP_HOST").unwrap(), "b:81");
    }
    // What is not heeded must still be there, once, and valid.
    refused(400, "GET http://a/ HTTP/1.1\r\n\r\n");
    refused(400, "GET http://a/ HTTP/1.1\r\nHost: b, a\r\n\r\n");
    refused(400, "GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    for authority in ["", ":80", "u@a", "u:p@a", "a:b", "[::1", "a\\b"] {
        refused(400, format!("GET http://{authority}/ HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
    }
}

#[test]
fn host_missing_or_repeated() {
    refused(400, "GET / HTTP/1.1\r\n\r\n");
    refused(400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n");
    refused(400, "GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n");
    refused(400, "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n");
    assert_eq!(var("GET / HTTP/1.0\r\n\r\n", "SERVER_NAME").unwrap(), "198.51.100.1");
    assert_eq!(var("GET / HTTP/1.0\r\n\r\n", "HTTP_HOST"), None);
}

#[test]
fn host_valid_or_not() {
    let valid = [
        ("a", "a"),
        ("a-b.c_d.example.", "a-b.c_d.example."),
        ("a:1", "a"),
        ("a:", "a"),
        ("a:65535", "a"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("[::1]", "[::1]"),
        ("[2001:db8::1]:81", "[2001:db8::1]"),
        ("caf%C3%A9", "caf%C3%A9"),
    ];
    for (host, name) in valid {
        assert_eq!(var(with_host(host), "SERVER_NAME").unwrap(), name);
        assert_eq!(var(with_host(host), "HTTP_HOST").unwrap(), host);
    }
    for host in [
        "",
        ":80",
        "a b",
        "a, b",
        "a/b",
        "a?b",
        "a#b",
        "u@a",
        "a@",
        "http://a",
        "a:b",
        "a:-1",
        "a:+1",
        "a:65536",
        "a:1:2",
        "::1",
        "[::1",
        "[::1]a",
        "[a]",
        "[]",
        "[::1%25eth0]",
        "a%",
        "a%2",
        "a%zz",
        "a\"b",
        "<a>",
        "a\\b",
        "\u{e9}",
        "a]",
        "a\tb",
        "{a}",
    ] {
        refused(400, with_host(host));
    }
}

#[test]
fn versions_that_are_not_served() {
    for line in ["GET / HTTP/2.0", "GET / HTTP/1.2", "GET / HTTP/0.9", "GET / HTTP/3.0", "GET /", "PRI * HTTP/2.0"] {
        refused(505, format!("{line}\r\n\r\n"));
        refused(505, format!("{line}\r\n"));
    }
    for line in [
        "GET / http/1.1",
        "GET / HTTP/1",
        "GET / HTTP/1.",
        "GET / HTTP/11.1",
        "GET / HTTP/1.10",
        "GET / HTTP/1.1 ",
        "GET / HTTP/1.x",
        "GET / HTTPS/1.1",
        "GET /  HTTP/1.1",
        "GET  / HTTP/1.1",
        "GET /\tHTTP/1.1",
        "GET HTTP/1.1",
        "GET / XHTTP/1.1",
        "GET",
        "GET ",
        "POST /",
        "/ HTTP/1.1",
        "HTTP/1.1",
    ] {
        refused(400, format!("{line}\r\nHost: a\r\n\r\n"));
    }
}

#[test]
fn a_bare_lf_or_cr_anywhere_in_the_head() {
    let head = "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\n";
    assert!(matches!(decode(head)[..], [Seen::Request(..)]));
    for at in head.match_indices('\n').map(|(at, _)| at) {
        refused(400, [&head[..at - 1], &head[at..], "\r\n\r\n"].concat());
        refused(400, [&head[..at], &head[at + 1..], "\r\n\r\n"].concat());
    }
    for fields in ["X: a\rb", "X: a\nb", "X\r: a", "X\n: a", "X:\ra", "X: a\r\r", "X: \r\r", "\rX: a", "X: a\n\r"] {
        refused(400, with(fields));
    }
    refused(400, "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    refused(400, "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

#[test]
fn obs_fold() {
    for fields in ["X: a\r\n b", "X: a\r\n\tb", "X: a\r\n ", " X: a", "\tX: a", "X:\r\n a"] {
        refused(400, with(fields));
    }
    refused(400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n");
}

#[test]
fn a_space_before_the_colon_or_an_empty_name() {
    for fields in
        ["X : a", "X\t: a", ": a", " : a", "X", "X a", "X Y: a", "Content-Length : 5", "\u{a0}X: a", "X\x0b: a"]
    {
        refused(400, with(fields));
    }
}

#[test]
fn names_that_are_no_token() {
    for byte in (0..=255_u8).filter(|&byte| byte != b':' && byte != b'\r' && byte != b'\n') {
        let input = [b"GET / HTTP/1.1\r\nHost: a\r\nX", &[byte][..], b"Y: a\r\n\r\n"].concat();
        if byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte) {
            assert!(matches!(decode(input)[..], [Seen::Request(..)]), "{byte:#x}");
        } else {
            refused(400, input);
        }
    }
}

#[test]
fn nul_and_other_control_characters_in_a_value() {
    for byte in 0..=255_u8 {
        let input = [b"GET / HTTP/1.1\r\nHost: a\r\nX: a", &[byte][..], b"b\r\n\r\n"].concat();
        if byte == b'\t' || byte >= b' ' && byte != 0x7f {
            assert!(matches!(decode(input)[..], [Seen::Request(..)]), "{byte:#x}");
        } else {
            refused(400, input);
        }
    }
}

#[test]
fn whitespace_around_a_value_is_not_part_of_it() {
    assert_eq!(var(with("X: \t a  b \t"), "HTTP_X").unwrap(), "a  b");
    assert_eq!(var(with("X:a"), "HTTP_X").unwrap(), "a");
    assert_eq!(var(with("X: \t "), "HTTP_X").unwrap(), "");
}

#[test]
fn underscores_and_proxy_never_reach_the_environ() {
    let fields = "X_Forwarded_For: spoofed\r\nX-Forwarded-For: real\r\nContent_Length: 9\r\nProxy: evil\r\npROXY: evil\r\n\
                  X.Y: a\r\nContent_Type: evil\r\nTransfer_Encoding: chunked\r\nX-Forwarded_For: spoofed";
    let vars = vars(with(fields));
    let fields: Vec<_> =
        vars.iter().filter(|(name, _)| name.starts_with("HTTP_") || name.starts_with("CONTENT_")).collect();
    let expected = [("HTTP_X_FORWARDED_FOR", "real"), ("HTTP_HOST", "a")];
    assert_eq!(fields.len(), 2, "{fields:?}");
    assert!(fields.iter().zip(expected).all(|(seen, expected)| (&seen.0[..], &seen.1[..]) == expected), "{fields:?}");
}

#[test]
fn the_connections_own_fields_are_the_servers() {
    let fields = "Connection: X-Kept, keep-alive\r\nKeep-Alive: 5\r\nProxy-Connection: a\r\nTE: trailers\r\nTrailer: a\r\n\
                  Upgrade: h2c\r\nX-Kept: yes";
    let vars = vars(with(fields));
    let fields: Vec<_> = vars.iter().map(|(name, _)| &name[..]).filter(|name| name.starts_with("HTTP_")).collect();
    assert_eq!(fields, ["HTTP_X_KEPT", "HTTP_HOST"]);
}

#[test]
fn repeated_fields_are_joined() {
    let fields = "X: a\r\nCookie: b=1\r\nx: c\r\nCOOKIE: d=2\r\nX:\r\nX: e";
    assert_eq!(var(with(fields), "HTTP_X").unwrap(), "a, c, , e");
    assert_eq!(var(with(fields), "HTTP_COOKIE").unwrap(), "b=1; d=2");
    refused(400, with("Content-Type: a/b\r\nContent-Type: a/b"));
}

#[test]
fn no_variable_stands_for_content_type_or_length_twice() {
    let input = "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: a/b\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(var(input, "HTTP_CONTENT_TYPE"), None);
    assert_eq!(var(input, "HTTP_CONTENT_LENGTH"), None);
    assert_eq!(var(input, "CONTENT_LENGTH").unwrap(), "0");
}

#[test]
fn expectations() {
    let expects = |version: &str, fields: &str| {
        let seen = decode(format!("POST / HTTP/{version}\r\nHost: a\r\n{fields}\r\n\r\n"));
        matches!(seen[0], Seen::Request(_, _, true))
    };
    assert!(expects("1.1", "Content-Length: 5\r\nExpect: 100-continue"));
    assert!(expects("1.1", "Transfer-Encoding: chunked\r\nExpect: 100-Continue"));
    assert!(!expects("1.1", "Expect: 100-continue"), "there is no body to wait for");
    assert!(!expects("1.1", "Content-Length: 0\r\nExpect: 100-continue"));
    assert!(!expects("1.0", "Content-Length: 5\r\nExpect: 100-continue"), "HTTP/1.0 has none");
    assert!(!expects("1.0", "Content-Length: 5\r\nExpect: something"));
    for value in ["", "200-ok", "100-continue, x", "100", "100-continue;q=1"] {
        refused(417, with(&format!("Expect: {value}")));
    }
}

#[test]
fn empty_lines_in_front_of_a_request_are_skipped_within_a_bound() {
    let request = with_target("/");
    for count in [1, 4] {
        assert_eq!(decode("\r\n".repeat(count) + &request), decode(&request));
        assert_eq!(decode(request.clone() + &"\r\n".repeat(count) + &request), decode(request.repeat(2)));
    }
    refused(400, "\r\n".repeat(5) + &request);
    refused(400, "\r\r\n");
}

#[test]
fn what_is_no_request_is_refused_from_its_first_bytes() {
    // A TLS hello, an SSL 2 hello, text, a PROXY protocol header of version 2.
    for start in [&b"\x16"[..], b"\x80", b"{", b" ", b"\0", b"\x0d\x0a\x0d\x0a\x00"] {
        assert_eq!(feed::feed(&Http::new(), [start]), [Seen::Refused(400)], "{}", start.escape_ascii());
    }
    assert_eq!(feed::feed(&Http::new(), [&b"GET /\x01"[..]]), [Seen::Refused(400)]);
    assert_eq!(feed::feed(&Http::new(), [&b"GET / HTTP/2.0\r\n"[..]]), [Seen::Refused(505)]);
}

#[test]
fn a_head_that_is_too_large() {
    let http = Http::new().max_head(100);
    let head = |length: usize| {
        let start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
        format!("{start}{}\r\n\r\n", "x".repeat(length - start.len() - 4))
    };
    assert!(matches!(decode_with(&http, head(100))[..], [Seen::Request(..)]));
    assert_eq!(decode_with(&http, head(101)), [Seen::Refused(431)]);
    // It is told as soon as the bytes show it, and the end is never waited for.
    let endless = &head(200).into_bytes()[..100];
    assert_eq!(feed::feed(&http, [&endless[..99]]), []);
    assert_eq!(feed::feed(&http, [endless]), [Seen::Refused(431)]);
    assert_eq!(decode(head(32 * 1024 + 1)), [Seen::Refused(431)]);
    assert!(matches!(decode(head(32 * 1024))[..], [Seen::Request(..)]));
}

#[test]
fn too_many_fields() {
    let head = |fields: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X:\r\n".repeat(fields - 1));
    assert!(matches!(decode(head(100))[..], [Seen::Request(..)]));
    assert_eq!(decode(head(101)), [Seen::Refused(431)]);
    let many = Http::new().max_fields(1000);
    assert!(matches!(decode_with(&many, head(1000))[..], [Seen::Request(..)]));
    assert_eq!(decode_with(&many, head(1001)), [Seen::Refused(431)]);
    assert_eq!(decode_with(&Http::new().max_fields(0), head(1)), [Seen::Refused(431)]);
}

#[test]
fn a_target_that_is_too_long() {
    let target = |length: usize| format!("/{}", "x".repeat(length - 1));
    assert!(matches!(decode(with_target(&target(8192)))[..], [Seen::Request(..)]));
    assert_eq!(decode(with_target(&target(8193))), [Seen::Refused(414)]);
    let http = Http::new().max_target(10);
    assert_eq!(decode_with(&http, with_target(&target(11))), [Seen::Refused(414)]);
    assert_eq!(decode_with(&http, "GET /".to_owned() + &target(20)), [Seen::Refused(414)]);
}

#[test]
fn limits_without_bound_are_no_panic() {
    let http = Http::new().max_head(usize::MAX).max_fields(usize::MAX).max_target(usize::MAX);
    assert!(matches!(decode_with(&http, with_target("/"))[..], [Seen::Request(..)]));
}

#[test]
fn a_peer_without_an_address() {
    let get = |connection: &wgi_engine::ConnectionInfo, name: &str| {
        let seen = feed::feed_codec(&mut *Http::new().codec(connection), [&b"GET / HTTP/1.0\r\n\r\n"[..]]);
        let Seen::Request(vars, ..) = &seen[0] else { panic!("{seen:?}") };
        vars.iter().find(|(candidate, _)| candidate == name).map(|(_, value)| value.clone())
    };
    let mut gone = tcp();
    gone.peer = None;
    assert_eq!(get(&gone, "REMOTE_ADDR"), None);
    assert_eq!(get(&gone, "REMOTE_PORT"), None);

    let mut unix = gone.clone();
    unix.local = None;
    assert_eq!(get(&unix, "REMOTE_ADDR"), None);
    assert_eq!(get(&unix, "SERVER_PORT").unwrap(), "80");
    assert_eq!(get(&unix, "SERVER_NAME").unwrap(), "localhost");
    unix.gateway.url_scheme = Scheme::Https;
    assert_eq!(get(&unix, "SERVER_PORT").unwrap(), "443");

    let mut mapped = tcp();
    mapped.peer = Some("[::ffff:192.0.2.7]:1".parse().unwrap());
    mapped.local = Some("[2001:db8::1]:2".parse().unwrap());
    assert_eq!(get(&mapped, "REMOTE_ADDR").unwrap(), "192.0.2.7");
    assert_eq!(get(&mapped, "SERVER_NAME").unwrap(), "[2001:db8::1]");
}

#[test]
fn https_is_told() {
    let mut connection = tcp();
    connection.gateway.url_scheme = Scheme::Https;
    let seen = feed::feed_codec(&mut *Http::new().codec(&connection), [with_target("/").as_bytes()]);
    let Seen::Request(vars, ..) = &seen[0] else { panic!("{seen:?}") };
    assert!(vars.contains(&("HTTPS".into(), "on".into())));
    assert!(vars.contains(&("REQUEST_SCHEME".into(), "https".into())));
}

/// Every field is there once, in order, however many there are and whichever are repeated.
#[test]
fn many_fields_with_repeats_among_them() {
    let names: Vec<String> = (0..90).map(|number| format!("X-Field-{}", number % 80)).collect();
    let fields: String = names.iter().enumerate().map(|(at, name)| format!("{name}: {at}\r\n")).collect();
    let input = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    for number in 0..80 {
        let expected = if number < 10 { format!("{number}, {}", number + 80) } else { number.to_string() };
        assert_eq!(var(&input, &format!("HTTP_X_FIELD_{number}")).unwrap(), expected);
    }
}
