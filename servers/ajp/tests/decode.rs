//! Packets in: what web servers send, and what has gone wrong in others. What a request means is in `environ.rs`.

mod feed;

use feed::{
    ANSWER, Fed, Forward, Seen, answer, attribute, body, codec, codec_at, decode, decode_with, environ, environ_with,
    feed_codec, get, is_malformed, is_malformed_with, is_refused, is_refused_with, no_string, packet, post,
    req_attribute, string, var,
};
use wgi::Scheme;
use wgi_ajp::packet::{
    ARE_DONE, CPING, CPONG, END_RESPONSE, GET_BODY_CHUNK, PING, QUERY_STRING, SECRET, SEND_BODY_CHUNK, SEND_HEADERS,
    SHUTDOWN, SSL_KEY_SIZE,
};
use wgi_ajp::{Ajp, Dialect};
use wgi_engine::RequestBody;

/// The body of the first request, if it came to its end.
fn body_of(fed: &Fed) -> Option<Vec<u8>> {
    match &fed.seen[..] {
        [Seen::Request(..), Seen::End, ..] => Some(Vec::new()),
        [Seen::Request(..), Seen::Data(data), Seen::End, ..] => Some(data.clone()),
        _ => None,
    }
}

// What web servers send, to the byte.

/// [10.24]
#[test]
fn a_request_of_apache() {
    let input = b"\x12\x34\0\xe4\x02\x02\0\x08HTTP/1.1\0\0\x0d/a/b%2541/%FF\0\0\x09127.0.0.1\0\xff\xff\0\x09127.0.0.1\0\
        \x46\xa2\0\0\x07\xa0\x0b\0\x0f127.0.0.1:18082\0\xa0\x0e\0\x0bcurl/7.88.1\0\xa0\x01\0\x03*/*\0\0\x07X-Empty\0\0\0\0\
        \0\x03X-A\0\0\x011\0\0\x03X_b\0\0\x012\0\0\x05Proxy\0\0\x01p\0\x0c\0\x06sesame\0\x05\0\x07x=%20+y\0\
        \x0a\0\x0fAJP_REMOTE_PORT\0\0\x0539146\0\x0a\0\x0eAJP_LOCAL_ADDR\0\0\x09127.0.0.1\0\xff";
    let (mut vars, scheme) = environ_with(&Ajp::new().secret("sesame"), input);
    vars.sort();
    let expected = [
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("HTTP_ACCEPT", "*/*"),
        ("HTTP_HOST", "127.0.0.1:18082"),
        ("HTTP_USER_AGENT", "curl/7.88.1"),
        ("HTTP_X_A", "1"),
        ("HTTP_X_EMPTY", ""),
        ("PATH_INFO", "/a/b%41/\u{fffd}"),
        ("QUERY_STRING", "x=%20+y"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("REMOTE_PORT", "39146"),
        ("REQUEST_METHOD", "GET"),
        ("REQUEST_SCHEME", "http"),
        ("REQUEST_URI", "/a/b%2541/%FF?x=%20+y"),
        ("SCRIPT_NAME", ""),
        ("SERVER_ADDR", "127.0.0.1"),
        ("SERVER_NAME", "127.0.0.1"),
        ("SERVER_PORT", "18082"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("SERVER_SOFTWARE", concat!("wgi/", env!("CARGO_PKG_VERSION"))),
    ];
    assert_eq!(vars, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(scheme, Scheme::Http);
}

/// [10.24]
#[test]
fn a_request_of_lighttpd_and_the_empty_packet_behind_it() {
    let input = b"\x12\x34\0\x96\x02\x02\0\x08HTTP/1.1\0\0\x09/a/b%41/\xff\0\0\x09127.0.0.1\0\xff\xff\0\x09127.0.0.1\0\
        \x46\xa1\0\0\x07\xa0\x08\0\x010\0\xa0\x0b\0\x0f127.0.0.1:18081\0\xa0\x0e\0\x0bcurl/7.88.1\0\xa0\x01\0\x03*/*\0\
        \0\x03X-A\0\0\x011\0\0\x03X_b\0\0\x012\0\0\x05Proxy\0\0\x01p\0\x05\0\x07x=%20+y\0\xff\x12\x34\0\0";
    let lighttpd = Ajp::new().dialect(Dialect::Lighttpd);
    let fed = decode_with(&lighttpd, input);
    let [Seen::Request(vars, RequestBody::None, Scheme::Http), Seen::End] = &fed.seen[..] else { panic!("{fed:?}") };
    for (name, value) in [
        ("PATH_INFO", Some("/a/b%41/\u{fffd}")),
        ("REQUEST_URI", Some("/a/b%2541/%FF?x=%20+y")),
        ("CONTENT_LENGTH", None),
        ("HTTP_X_A", Some("1")),
        ("HTTP_X_B", None),
        ("HTTP_PROXY", None),
        ("SERVER_PORT", Some("18081")),
        ("REMOTE_PORT", None),
    ] {
        assert_eq!(var(vars, name), value, "{name}");
    }
    assert_eq!(fed.out, ANSWER);
}

#[test]
fn a_body_of_lighttpd() {
    let lighttpd = Ajp::new().dialect(Dialect::Lighttpd);
    // In any packets, also such as look like a length that stands twice.
    let fed = decode_with(&lighttpd, [post("9"), packet(b"\0\x02hi"), packet(b"there"), packet(b""), get()].concat());
    assert_eq!(body_of(&fed).unwrap(), b"\0\x02hithere");
    assert_eq!(fed.seen.len(), 5, "{:?}", fed.seen);
    // By the standard, that is no packet.
    let fed = decode([post("9"), packet(b"hi there!")].concat());
    assert_eq!(fed.seen[1..], [Seen::Refused(400)]);
}

#[test]
fn the_size_of_a_key_is_a_number_or_lighttpds_text() {
    let mut request = Forward::new("GET", "/").attribute([SSL_KEY_SIZE, 1, 0]);
    request.is_ssl = 1;
    assert_eq!(var(&environ(request.packet()), "SSL_CIPHER_USEKEYSIZE"), Some("256"));
    let mut request = Forward::new("GET", "/").attribute(attribute(SSL_KEY_SIZE, "256"));
    request.is_ssl = 1;
    let (vars, _) = environ_with(&Ajp::new().dialect(Dialect::Lighttpd), request.packet());
    assert_eq!(var(&vars, "SSL_CIPHER_USEKEYSIZE"), Some("256"));
}

// Who is there.

/// [10.29]
#[test]
fn cping_is_answered_between_requests() {
    let cping = packet(&[CPING]);
    assert_eq!(cping, b"\x12\x34\0\x01\x0a");
    let fed = decode([&cping[..], &cping, &get(), &cping].concat());
    assert!(matches!(fed.seen[..], [Seen::Request(..), Seen::End]));
    let cpong = b"AB\0\x01\x09";
    assert_eq!(fed.out, [cpong, &cpong[..], ANSWER, cpong].concat());
    assert_eq!(cpong[4], CPONG);
    is_malformed(packet(&[CPING, 0]));
}

/// [10.29]
#[test]
fn packets_that_no_web_server_sends_close_the_connection() {
    for code in [SHUTDOWN, PING, CPONG, SEND_HEADERS, SEND_BODY_CHUNK, END_RESPONSE, GET_BODY_CHUNK, 0, 1, 11, 0xff] {
        is_malformed(packet(&[code]));
        is_malformed(packet(&[code, 0, 0, 0]));
    }
}

/// [11.11]
#[test]
fn what_is_not_ajp_closes_the_connection() {
    is_malformed(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n");
    is_malformed(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03");
    is_malformed(b"AB\0\x01\x0a");
    is_malformed(b"\x12\x35\0\x01\x0a");
    is_malformed(b"\x34\x12\0\x01\x0a");
}

#[test]
fn nothing_is_read_behind_what_was_refused() {
    is_malformed([packet(&[SHUTDOWN]), get()].concat());
    is_refused([Forward::new("GET", "nowhere").packet(), get()].concat(), 400);
    let mut codec = codec(&Ajp::new());
    feed_codec(&mut *codec, [&packet(&[SHUTDOWN])[..]]);
    assert!(!codec.is_idle());
    assert_eq!(feed_codec(&mut *codec, [&get()[..]]), Fed { seen: vec![Seen::Refused(400)], out: Vec::new() });
}

/// The end of a body that is over: web servers send one too many now and then.
#[test]
fn an_empty_packet_between_requests_says_nothing() {
    let fed = decode([&packet(b"")[..], &body(b""), &get(), &packet(b""), &packet(b""), &get()].concat());
    assert!(matches!(fed.seen[..], [Seen::Request(..), Seen::End, Seen::Request(..), Seen::End]), "{fed:?}");
}

/// [11.1]
#[test]
fn a_packet_over_the_packet_size_is_refused_by_its_header() {
    // 8 KiB is all of a packet.
    is_malformed([0x12, 0x34, 0x1f, 0xfd]);
    let fed = decode([0x12, 0x34, 0x1f, 0xfc]);
    assert!(fed.seen.is_empty() && fed.out.is_empty());
    let large = Ajp::new().packet_size(64 * 1024);
    is_malformed_with(&large, [0x12, 0x34, 0xff, 0xfd]);
    assert!(decode_with(&large, [0x12, 0x34, 0xff, 0xfc]).seen.is_empty());
    // Neither less nor more than the protocol allows.
    is_malformed_with(&Ajp::new().packet_size(0), [0x12, 0x34, 0x1f, 0xfd]);
    is_malformed_with(&Ajp::new().packet_size(usize::MAX), [0x12, 0x34, 0xff, 0xfd]);
}

#[test]
fn requests_fill_a_packet() {
    let filled = |size: usize| {
        let empty = Forward::new("GET", "/").field("X-Filling", "").packet().len();
        Forward::new("GET", "/").field("X-Filling", "x".repeat(size - empty)).packet()
    };
    assert!(var(&environ(filled(8192)), "HTTP_X_FILLING").is_some_and(|filling| filling.len() > 8000));
    is_malformed(filled(8193));
    let large = Ajp::new().packet_size(64 * 1024);
    assert!(environ_with(&large, filled(65_536)).0.iter().any(|(name, _)| name == "HTTP_X_FILLING"));
}

// The secret.

/// [10.25]
#[test]
fn who_does_not_know_the_secret_is_refused() {
    let ajp = Ajp::new().secret("open sesame");
    let request = Forward::new("GET", "/");
    environ_with(&ajp, request.clone().attribute(attribute(SECRET, "open sesame")).packet());
    is_refused_with(&ajp, request.packet(), 403);
    for wrong in ["", "open", "open sesame!", "Open sesame", "\0pen sesame"] {
        is_refused_with(&ajp, request.clone().attribute(attribute(SECRET, wrong)).packet(), 403);
    }
    // What else is wrong with a request, nobody is told who does not know it.
    is_refused_with(&ajp, Forward::new("GET", "nowhere").packet(), 403);
    // Without one, what is sent is of no matter; and an empty one is none.
    environ(request.clone().attribute(attribute(SECRET, "whatever")).packet());
    environ_with(&Ajp::new().secret(""), request.packet());
}

#[test]
fn the_secret_is_no_variable() {
    let request = Forward::new("GET", "/").attribute(attribute(SECRET, "open sesame"));
    for ajp in [Ajp::new(), Ajp::new().secret("open sesame")] {
        let (vars, _) = environ_with(&ajp, request.packet());
        assert!(!format!("{vars:?}").contains("open sesame"));
        assert!(!format!("{ajp:?}").contains("open sesame"));
    }
}

/// [10.25]
#[test]
fn without_a_secret_only_this_machine_is_believed() {
    for local in ["127.0.0.1:8009", "127.1.2.3:8009", "[::1]:8009", "[::ffff:127.0.0.1]:8009"] {
        let fed = feed_codec(&mut *codec_at(&Ajp::new(), local), [&get()[..]]);
        assert!(matches!(fed.seen[..], [Seen::Request(..), Seen::End]), "{local}");
    }
    for local in ["192.0.2.1:8009", "[2001:db8::1]:8009", "[::ffff:192.0.2.1]:8009", "10.0.0.1:8009"] {
        let fed = feed_codec(&mut *codec_at(&Ajp::new(), local), [&get()[..]]);
        assert_eq!(fed, Fed { seen: vec![Seen::Refused(400)], out: Vec::new() }, "{local}");
        let known = Forward::new("GET", "/").attribute(attribute(SECRET, "sesame")).packet();
        let fed = feed_codec(&mut *codec_at(&Ajp::new().secret("sesame"), local), [&known[..]]);
        assert!(matches!(fed.seen[..], [Seen::Request(..), Seen::End]), "{local}");
    }
}

// Lengths.

/// [11.11]
#[test]
fn a_request_that_ends_anywhere_else_is_malformed() {
    let request = Forward::new("PATCH", "/").field("X-A", "1").attribute(req_attribute("AJP_REMOTE_PORT", "1"));
    let content = request.content();
    for end in 1..content.len() {
        is_malformed(packet(&content[..end]));
    }
    is_malformed(packet(&[&content[..], b"\0"].concat()));
    is_malformed(packet(&[&content[..], &[ARE_DONE]].concat()));
}

/// [11.11]
#[test]
fn a_number_of_fields_that_lies_is_malformed() {
    for (fields, count) in [(1, 0), (1, 2), (1, 0xffff), (3, 1), (3, 2), (0, 1)] {
        let mut request = Forward::new("GET", "/").field("X-A", "1").field("X-B", "2");
        request.fields.truncate(fields);
        request.count = Some(count);
        is_malformed(request.packet());
    }
}

/// [11.11]
#[test]
fn strings_that_lie_are_malformed() {
    let lies = [
        // Without the NUL, with another byte in its place, and with a length that is too short or too long.
        b"\0\x01a".to_vec(),
        b"\0\x01ab".to_vec(),
        b"\0\x01ab\0".to_vec(),
        b"\0\x03ab\0".to_vec(),
        b"\xff\xfeab\0".to_vec(),
        b"\x7f\xff".to_vec(),
        b"\0".to_vec(),
    ];
    for lie in &lies {
        for place in 0..8 {
            let mut request = Forward::new("GET", "/");
            match place {
                0 => request.protocol.clone_from(lie),
                1 => request.uri.clone_from(lie),
                2 => request.remote_addr.clone_from(lie),
                3 => request.remote_host.clone_from(lie),
                4 => request.server_name.clone_from(lie),
                5 => request.fields.push((lie.clone(), string(b"x"))),
                6 => request.fields.push((string(b"x"), lie.clone())),
                _ => request.attributes = [&[QUERY_STRING][..], lie].concat(),
            }
            is_malformed(request.packet());
        }
    }
}

#[test]
fn a_string_that_is_none_is_none() {
    let mut request = Forward::new("GET", "/");
    request.fields.push((string(b"X-A"), no_string()));
    assert_eq!(var(&environ(request.packet()), "HTTP_X_A"), Some(""));
    request.fields.push((no_string(), string(b"x")));
    is_malformed(request.packet());
}

#[test]
fn flags_are_flags() {
    for is_ssl in [2, 0xff] {
        let mut request = Forward::new("GET", "/");
        request.is_ssl = is_ssl;
        is_malformed(request.packet());
    }
}

// Bodies.

/// [10.30]
#[test]
fn the_first_packet_of_a_body_comes_by_itself() {
    let request = b"\x12\x34\0\x39\x02\x04\0\x08HTTP/1.1\0\0\x01/\0\0\x03::1\0\xff\xff\0\x0bexample.org\0\0\x50\0\
        \0\x02\xa0\x0b\0\x01h\0\xa0\x08\0\x015\0\xff\x12\x34\0\x07\0\x05hello";
    let fed = decode([&request[..], &get()].concat());
    assert!(matches!(fed.seen[0], Seen::Request(_, RequestBody::Length(5), _)));
    assert_eq!(body_of(&fed).unwrap(), b"hello");
    assert!(matches!(fed.seen[3..], [Seen::Request(..), Seen::End]));
}

/// [10.30]
#[test]
fn a_body_in_several_packets() {
    let data: Vec<u8> = (0..20_000_u32).map(|n| (n * 7) as u8).collect();
    let packets: Vec<u8> = data.chunks(8186).flat_map(body).collect();
    let fed = decode([post("20000"), packets, get()].concat());
    assert_eq!(body_of(&fed).unwrap(), data);
    assert_eq!(fed.out, [ANSWER, ANSWER].concat());
}

/// [10.32]: mod_proxy_ajp passes `Transfer-Encoding: chunked` on, and sends the content without chunks.
#[test]
fn a_body_of_unknown_length_ends_with_an_empty_packet() {
    let chunked = Forward::new("POST", "/").field("Transfer-Encoding", "Chunked").packet();
    for end in [packet(b""), body(b"")] {
        for pieces in [vec![], vec![body(b"hello")], vec![body(b"hello"), body(b" world")]] {
            let fed = decode([&chunked, &pieces.concat(), &end[..], &get()].concat());
            let Seen::Request(vars, RequestBody::Unknown, _) = &fed.seen[0] else { panic!("{fed:?}") };
            assert_eq!(var(vars, "CONTENT_LENGTH"), None);
            assert_eq!(var(vars, "HTTP_TRANSFER_ENCODING"), None);
            assert_eq!(body_of(&fed).unwrap(), &b"hello world"[..[0, 5, 11][pieces.len()]]);
            assert!(matches!(fed.seen[fed.seen.len() - 2..], [Seen::Request(..), Seen::End]));
        }
    }
}

/// [10.32], CVE-2022-26377
#[test]
fn framing_that_could_be_read_in_two_ways_is_refused() {
    let post = || Forward::new("POST", "/");
    is_refused(post().field("Transfer-Encoding", "chunked").field("Content-Length", "5").packet(), 400);
    is_refused(post().field("Content-Length", "5").field("Transfer-Encoding", "chunked").packet(), 400);
    is_refused(post().field("Transfer-Encoding", "chunked").field("Transfer-Encoding", "chunked").packet(), 400);
    for other in
        ["", "identity", "gzip", "gzip, chunked", "chunked, chunked", "chunked,", "chunked x", " chunked", "xchunked"]
    {
        is_refused(post().field("Transfer-Encoding", other).packet(), 501);
    }
    let mut old = post().field("Transfer-Encoding", "chunked");
    old.protocol = string(b"HTTP/1.0");
    is_refused(old.packet(), 400);
    for bad in ["", "+5", "-1", "0x1", "1_0", " 5", "5 ", "5, 5", "18446744073709551616"] {
        is_refused(post().field("Content-Length", bad).packet(), 400);
    }
}

/// [11.11]
#[test]
fn the_two_lengths_of_a_packet_have_to_agree() {
    for bad in [&b"\0"[..], b"\0\x01", b"\0\x06hello", b"\0\x04hello", b"\0\0hello", b"\xff\xffhello", b"hello"] {
        let fed = decode([post("5"), packet(bad)].concat());
        assert_eq!(fed.seen[1..], [Seen::Refused(400)], "{bad:?}");
        assert_eq!(feed::packets(&fed.out).last(), Some(&vec![END_RESPONSE, 0]));
    }
    // Nor is the packet of a body larger than one may be.
    let fed = decode([post("9000"), vec![0x12, 0x34, 0x1f, 0xfd]].concat());
    assert_eq!(fed.seen[1..], [Seen::Refused(400)]);
}

/// [4.35], [10.30]
#[test]
fn a_body_of_another_length_than_was_said_is_never_whole() {
    for short in [vec![packet(b"")], vec![body(b"")], vec![body(b"hell"), packet(b"")]] {
        let fed = decode([post("5"), short.concat(), get()].concat());
        assert_eq!(fed.seen.last(), Some(&Seen::Refused(400)), "{fed:?}");
        assert!(!fed.seen.contains(&Seen::End));
    }
    for long in [vec![body(b"hello!")], vec![body(b"hell"), body(b"o!")]] {
        let fed = decode([post("5"), long.concat(), get()].concat());
        assert_eq!(fed.seen.last(), Some(&Seen::Refused(400)), "{fed:?}");
        assert!(!fed.seen.contains(&Seen::End));
    }
}

#[test]
fn a_packet_before_the_end_of_the_response_in_front_is_refused() {
    for early in [get(), packet(&[CPING])] {
        let mut codec = codec(&Ajp::new());
        let mut out = Vec::new();
        codec.decode(&get(), &mut out).unwrap();
        assert!(codec.decode(&early, &mut out).is_err());
        // That response goes out all the same, and is the last.
        assert!(!answer(&mut *codec, &mut out));
        assert_eq!(out, [&ANSWER[..ANSWER.len() - 1], &[0]].concat());
    }
}
