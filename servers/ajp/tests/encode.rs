//! The parts of a reply out, to the byte, and what is asked of a web server for a request's body.

mod feed;

use feed::{ANSWER, Forward, answer, attribute, body, codec, feed_codec, get, packet, packets, post};
use wgi::server::Framing;
use wgi::{Head, HeaderName, HeaderValue, Headers, PeerError, Status, StatusCode};
use wgi_ajp::packet::{END_RESPONSE, GET_BODY_CHUNK, MAX_PACKET_SIZE, SECRET, SEND_BODY_CHUNK, SEND_HEADERS};
use wgi_ajp::{Ajp, Dialect};
use wgi_engine::{Codec, Event};

const UNKNOWN: Framing = Framing { length: None, has_body: true };

fn known(length: u64) -> Framing {
    Framing { length: Some(length), has_body: true }
}

fn head(fields: &[(&'static str, &str)]) -> Head {
    let mut headers = Headers::new();
    for (name, value) in fields {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    Head { status: StatusCode::OK.into(), headers }
}

/// A codec that has decoded these packets, of a request with all that came of its body.
#[track_caller]
fn asked(ajp: &Ajp, input: &[Vec<u8>]) -> Box<dyn Codec> {
    let mut codec = codec(ajp);
    decode_into(&mut *codec, &input.concat());
    codec
}

/// Decodes without answering.
#[track_caller]
fn decode_into(codec: &mut dyn Codec, input: &[u8]) -> Vec<String> {
    let (mut at, mut events) = (0, Vec::new());
    loop {
        let mut out = Vec::new();
        let decoded = codec.decode(&input[at..], &mut out).unwrap();
        assert!(out.is_empty());
        at += decoded.used;
        match decoded.event {
            Event::Incomplete => break,
            Event::Skipped => events.push("skipped".to_owned()),
            Event::Request(..) => events.push("request".to_owned()),
            Event::Data(_, range) => events.push(format!("data {}", range.len())),
            Event::End(_) => events.push("end".to_owned()),
            Event::Abort(_) => panic!(),
        }
    }
    assert_eq!(at, input.len());
    events
}

/// Sends a chunk as an engine does.
fn send(codec: &mut dyn Codec, mut chunk: &[u8], out: &mut Vec<u8>) {
    while !chunk.is_empty() {
        let length = codec.frame(0, chunk.len() as u64, out);
        let (piece, rest) = chunk.split_at(length as usize);
        out.extend_from_slice(piece);
        codec.unframe(0, length, out);
        chunk = rest;
    }
}

/// The head, one chunk and the end, for a codec that was asked.
fn reply(codec: &mut dyn Codec, head: &Head, framing: Framing, chunk: &[u8]) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    codec.head(0, head, framing, &mut out);
    send(codec, chunk, &mut out);
    let goes_on = codec.end(0, &mut out);
    (out, goes_on)
}

/// How many END_RESPONSE there are.
fn ends(out: &[u8]) -> usize {
    packets(out).iter().filter(|packet| packet[0] == END_RESPONSE).count()
}

// Replies.

#[test]
fn a_reply_to_the_byte() {
    let mut codec = asked(&Ajp::new(), &[get()]);
    let head = head(&[("content-type", "text/plain"), ("x-one", "1"), ("set-cookie", "a=1"), ("set-cookie", "b=2")]);
    let (out, goes_on) = reply(&mut *codec, &head, known(5), b"hello");
    let expected =
        b"AB\0\x3b\x04\0\xc8\0\x02OK\0\0\x05\xa0\x03\0\x015\0\xa0\x01\0\x0atext/plain\0\0\x05x-one\0\0\x011\0\
        \xa0\x07\0\x03a=1\0\xa0\x07\0\x03b=2\0\
        AB\0\x09\x03\0\x05hello\0\
        AB\0\x02\x05\x01";
    assert_eq!(out, expected, "{}", out.escape_ascii());
    assert!(goes_on && codec.is_idle());
}

#[test]
fn names_that_have_a_code_are_sent_as_it() {
    let coded = [
        ("content-type", 1),
        ("content-language", 2),
        ("date", 4),
        ("last-modified", 5),
        ("location", 6),
        ("set-cookie", 7),
        ("set-cookie2", 8),
        ("servlet-engine", 9),
        ("www-authenticate", 11),
    ];
    for (name, code) in coded {
        let mut codec = asked(&Ajp::new(), &[get()]);
        let mut out = Vec::new();
        codec.head(0, &head(&[(name, "v")]), UNKNOWN, &mut out);
        assert_eq!(packets(&out), [[b"\x04\0\xc8\0\x02OK\0\0\x01\xa0", &[code][..], b"\0\x01v\0"].concat()]);
    }
}

#[test]
fn the_framing_counts_for_content_length() {
    let mut codec = asked(&Ajp::new(), &[get()]);
    let mut out = Vec::new();
    codec.head(0, &head(&[("content-length", "99")]), UNKNOWN, &mut out);
    assert_eq!(packets(&out), [b"\x04\0\xc8\0\x02OK\0\0\0"]);
    let mut codec = asked(&Ajp::new(), &[get()]);
    let mut out = Vec::new();
    codec.head(0, &head(&[("content-length", "99"), ("connection", "close")]), known(7), &mut out);
    assert_eq!(packets(&out), [b"\x04\0\xc8\0\x02OK\0\0\x01\xa0\x03\0\x017\0"]);
}

#[test]
fn a_reason_phrase_is_carried() {
    let mut codec = asked(&Ajp::new(), &[get()]);
    let status = Status::with_reason(StatusCode::from_u16(299).unwrap(), "Quite Right").unwrap();
    let mut out = Vec::new();
    codec.head(0, &Head { status, headers: Headers::new() }, UNKNOWN, &mut out);
    assert_eq!(packets(&out), [b"\x04\x01\x2b\0\x0bQuite Right\0\0\0"]);
}

#[test]
fn a_chunk_over_a_packet_is_split() {
    for (ajp, size) in [
        (Ajp::new(), 8192),
        (Ajp::new().packet_size(20_000), 20_000),
        (Ajp::new().packet_size(64 * 1024), MAX_PACKET_SIZE),
    ] {
        let mut codec = asked(&ajp, &[get()]);
        let chunk = vec![b'x'; 200_000];
        let (out, _) = reply(&mut *codec, &head(&[]), known(200_000), &chunk);
        let packets = packets(&out);
        let (mut data, mut largest) = (Vec::new(), 0);
        for packet in packets.iter().filter(|packet| packet[0] == SEND_BODY_CHUNK) {
            let length = usize::from(u16::from_be_bytes([packet[1], packet[2]]));
            assert_eq!(packet.len(), length + 4);
            assert_eq!(packet.last(), Some(&0));
            data.extend_from_slice(&packet[3..3 + length]);
            largest = largest.max(packet.len() + 4);
        }
        assert_eq!((data, largest), (chunk, size));
    }
}

/// Web servers hold back what they get, for more may follow at once; a chunk without data says that it does not.
#[test]
fn each_chunk_of_a_body_of_unknown_length_is_passed_on() {
    let flush = b"AB\0\x04\x03\0\0\0";
    let mut codec = asked(&Ajp::new(), &[get()]);
    let mut out = Vec::new();
    codec.head(0, &head(&[]), UNKNOWN, &mut out);
    out.clear();
    send(&mut *codec, b"tick", &mut out);
    assert_eq!(out, [&b"AB\0\x08\x03\0\x04tick\0"[..], flush].concat());
    out.clear();
    // Once for a chunk, however many packets that takes.
    send(&mut *codec, &[b'x'; 20_000], &mut out);
    assert_eq!(packets(&out).iter().filter(|packet| packet.len() == 4).count(), 1);
    assert!(out.ends_with(flush));

    let mut codec = asked(&Ajp::new(), &[get()]);
    let (out, _) = reply(&mut *codec, &head(&[]), known(4), b"tick");
    assert!(!out.windows(8).any(|window| window == flush));
}

// The end.

/// [10.31]
#[test]
fn the_connection_goes_on_unless_it_is_to_be_closed() {
    let mut codec = asked(&Ajp::new(), &[get()]);
    let mut out = Vec::new();
    assert!(answer(&mut *codec, &mut out));
    assert_eq!(out, ANSWER);
    decode_into(&mut *codec, &get());
    codec.close_after();
    assert!(!answer(&mut *codec, &mut out));
    assert_eq!(out, [ANSWER, &ANSWER[..ANSWER.len() - 1], &[0]].concat());
    assert_eq!(ends(&out), 2);
}

/// [10.31]
#[test]
fn a_cut_reply_has_no_end() {
    let mut codec = asked(&Ajp::new(), &[get()]);
    let mut out = Vec::new();
    codec.head(0, &head(&[]), known(10), &mut out);
    send(&mut *codec, b"hello", &mut out);
    assert!(!codec.cut(0, &mut out));
    assert_eq!(ends(&out), 0);
}

/// [10.31]
#[test]
fn a_head_that_fits_no_packet_is_answered_with_500() {
    let value = "v".repeat(9000);
    let large = head(&[("x-large", &value)]);
    let mut codec = asked(&Ajp::new(), &[get()]);
    let (out, goes_on) = reply(&mut *codec, &large, known(5), b"hello");
    assert!(!goes_on);
    let packets_of = packets(&out);
    assert_eq!(packets_of[0][..3], [SEND_HEADERS, 0x01, 0xf4]);
    assert_eq!(packets_of[2], [END_RESPONSE, 0], "the web server reads up to here");
    assert_eq!(ends(&out), 1);

    // A larger packet holds it; one value that no string can hold fits none.
    let ajp = Ajp::new().packet_size(MAX_PACKET_SIZE);
    let mut codec = asked(&ajp, &[get()]);
    let (out, goes_on) = reply(&mut *codec, &large, known(5), b"hello");
    assert!(goes_on && packets(&out)[0].len() > 9000);
    let value = "v".repeat(70_000);
    let mut codec = asked(&ajp, &[get()]);
    let (out, goes_on) = reply(&mut *codec, &head(&[("x-large", &value)]), known(5), b"hello");
    assert!(!goes_on && packets(&out)[0][..3] == [SEND_HEADERS, 0x01, 0xf4]);
}

#[test]
fn heads_fill_a_packet() {
    let empty = {
        let mut codec = asked(&Ajp::new(), &[get()]);
        let mut out = Vec::new();
        codec.head(0, &head(&[("x-filling", "")]), UNKNOWN, &mut out);
        out.len()
    };
    for (size, status) in [(8192, 200), (8193, 500)] {
        let mut codec = asked(&Ajp::new(), &[get()]);
        let mut out = Vec::new();
        let value = "x".repeat(size - empty);
        codec.head(0, &head(&[("x-filling", &value)]), UNKNOWN, &mut out);
        assert_eq!(u16::from_be_bytes([out[5], out[6]]), status);
    }
}

// Errors.

/// [11.11]
#[test]
fn who_asked_is_told_and_who_did_not_is_not() {
    let slow = PeerError::Timeout { doing: "to send the request body" }.into();
    let mut codec = asked(&Ajp::new(), &[post("5")]);
    let mut out = Vec::new();
    codec.refuse(&slow, &mut out);
    let told = packets(&out);
    assert_eq!(told[0][..3], [SEND_HEADERS, 0x01, 0x98]);
    assert_eq!((told[1][0], &told[2][..]), (SEND_BODY_CHUNK, &[END_RESPONSE, 0][..]));
    assert!(codec.decode(&body(b"hello"), &mut out).is_err());

    // Half a request; nothing at all; and a reply that has begun.
    for codec in [&mut asked(&Ajp::new(), &[]), &mut {
        let mut codec = asked(&Ajp::new(), &[post("5")]);
        codec.head(0, &head(&[]), UNKNOWN, &mut Vec::new());
        codec
    }] {
        let mut out = Vec::new();
        codec.refuse(&slow, &mut out);
        assert!(out.is_empty());
    }
}

#[test]
fn head_is_refused_without_a_body() {
    for (method, packets_of) in [("HEAD", 2), ("GET", 3)] {
        let mut codec = codec(&Ajp::new().secret("sesame"));
        let fed = feed_codec(&mut *codec, [&Forward::new(method, "/").packet()[..]]);
        assert_eq!(packets(&fed.out).len(), packets_of, "{method}");
        assert_eq!(ends(&fed.out), 1);
    }
    let known = Forward::new("GET", "/").attribute(attribute(SECRET, "sesame")).packet();
    asked(&Ajp::new().secret("sesame"), &[known]);
}

/// As an engine does whose application was reading it: it does not refuse.
#[test]
fn a_body_that_broke_off_may_be_answered_by_the_application() {
    let mut codec = asked(&Ajp::new(), &[post("5"), body(b"hell")]);
    assert!(codec.decode(&packet(b""), &mut Vec::new()).is_err());
    assert!(codec.decode(&get(), &mut Vec::new()).is_err(), "nothing more is read");
    let (out, goes_on) = reply(&mut *codec, &head(&[]), known(2), b"no");
    assert!(!goes_on);
    assert_eq!(packets(&out).last(), Some(&vec![END_RESPONSE, 0]));
}

// A body on demand.

/// [10.30]
#[test]
fn more_of_a_body_is_asked_for_one_packet_at_a_time() {
    let get_body_chunk = b"AB\0\x03\x06\x1f\xfa";
    let mut codec = asked(&Ajp::new(), &[post("20000")]);
    assert!(codec.is_on_demand());
    let mut out = Vec::new();
    codec.proceed(0, &mut out);
    assert!(out.is_empty(), "the first packet comes by itself");
    let first = body(&[b'a'; 8186]);
    decode_into(&mut *codec, &first[..100]);
    codec.proceed(0, &mut out);
    assert!(out.is_empty(), "it is still coming");
    decode_into(&mut *codec, &first[100..]);
    codec.proceed(0, &mut out);
    codec.proceed(0, &mut out);
    assert_eq!(out, get_body_chunk);
    decode_into(&mut *codec, &body(&[b'b'; 8186]));
    codec.proceed(0, &mut out);
    assert_eq!(out, [get_body_chunk, &get_body_chunk[..]].concat());
    assert_eq!(decode_into(&mut *codec, &body(&[b'c'; 3628])), ["data 3628", "end"]);
    codec.proceed(0, &mut out);
    assert_eq!(out.len(), 14, "it is complete");
}

/// [10.30]
#[test]
fn the_first_packet_of_a_body_of_unknown_length_is_asked_for() {
    let chunked = Forward::new("POST", "/").field("Transfer-Encoding", "chunked").packet();
    let mut codec = asked(&Ajp::new().packet_size(MAX_PACKET_SIZE), &[chunked]);
    let mut out = Vec::new();
    codec.proceed(0, &mut out);
    assert_eq!(out, b"AB\0\x03\x06\xff\xfa");
    assert_eq!(decode_into(&mut *codec, &body(b"hello")), ["data 5"]);
    out.clear();
    codec.proceed(0, &mut out);
    assert_eq!(packets(&out)[0][0], GET_BODY_CHUNK);
    assert_eq!(decode_into(&mut *codec, &body(b"")), ["end"]);
}

/// A client that waits for `100 Continue` gets that from its web server, which waits for GET_BODY_CHUNK.
#[test]
fn a_request_that_expects_it_is_not_asked_before_somebody_reads() {
    let expects = |field: &str, value: &str| {
        let request = Forward::new("POST", "/").field("Expect", "100-continue").field(field, value).packet();
        match codec(&Ajp::new()).decode(&request, &mut Vec::new()).unwrap().event {
            Event::Request(_, request) => request.expects_continue,
            event => panic!("{event:?}"),
        }
    };
    assert!(expects("Transfer-Encoding", "chunked"));
    assert!(!expects("Content-Length", "5"), "the web server had to ask for the first packet");
    assert!(!expects("X-A", "no body"));
}

/// [10.30]
#[test]
fn what_was_asked_for_and_is_not_wanted_any_more_is_dropped() {
    let request = post("20000");
    let packet_of = |byte: u8| body(&[byte; 8186]);
    // The first packet has not come; it has begun; it has come; and another one was asked for.
    for (before, behind) in [
        (vec![request.clone()], packet_of(b'a')),
        (vec![[&request[..], &packet_of(b'a')[..50]].concat()], packet_of(b'a')[50..].to_vec()),
        (vec![request.clone(), packet_of(b'a')], Vec::new()),
        (vec![request.clone(), packet_of(b'a'), b"?".to_vec()], packet_of(b'b')),
    ] {
        let mut codec = codec(&Ajp::new());
        let mut out = Vec::new();
        for input in &before {
            match &input[..] {
                b"?" => codec.proceed(0, &mut out),
                input => drop(decode_into(&mut *codec, input)),
            }
        }
        out.clear();
        assert!(answer(&mut *codec, &mut out));
        assert_eq!(out, ANSWER);
        codec.proceed(0, &mut out);
        assert_eq!(out, ANSWER, "no more of it is asked for");
        assert!(!codec.is_idle());
        let events = decode_into(&mut *codec, &[behind, get()].concat());
        assert_eq!(events[events.len() - 2..], ["end", "request"], "{events:?}");
        assert!(!events.iter().any(|event| event.starts_with("data")));
    }
}

/// [10.31]
#[test]
fn a_web_server_that_sends_what_nobody_asked_for_is_left() {
    let mut codec = asked(&Ajp::new(), &[post("20000"), body(&[b'a'; 8186]), body(&[b'a'; 8186])]);
    let mut out = Vec::new();
    assert!(!answer(&mut *codec, &mut out), "nobody knows how much more it sends");
    assert_eq!(out.last(), Some(&0));
    // Where all has come, that is known.
    let mut codec = asked(&Ajp::new(), &[post("9"), body(b"hello"), body(b" you")]);
    assert!(answer(&mut *codec, &mut Vec::new()));
}

// lighttpd.

/// lighttpd 1.4.69 takes the first two bytes of the first name for the number of fields.
#[test]
fn lighttpd_gets_a_field_first_that_tells_it_of_enough() {
    let fields = [("etag", "1"), ("x-b", "2"), ("x-c", "3"), ("x-long", "4"), ("x-e", "5"), ("content-type", "6")];
    let order = |ajp: &Ajp, framing| {
        let mut codec = asked(ajp, &[get()]);
        let mut out = Vec::new();
        codec.head(0, &head(&fields), framing, &mut out);
        let head = packets(&out).remove(0);
        head.iter().filter(|byte| byte.is_ascii_digit()).map(|&byte| char::from(byte)).collect::<String>()
    };
    let lighttpd = Ajp::new().dialect(Dialect::Lighttpd);
    assert_eq!(order(&Ajp::new(), UNKNOWN), "123456");
    assert_eq!(order(&lighttpd, UNKNOWN), "412356");
    assert_eq!(order(&lighttpd, known(7)), "7123456");
}

#[test]
fn lighttpd_is_asked_ahead() {
    let lighttpd = Ajp::new().dialect(Dialect::Lighttpd);
    let mut codec = asked(&lighttpd, &[post("100000")]);
    let mut out = Vec::new();
    // The first packet does not come by itself where it passes bodies on as they come.
    codec.proceed(0, &mut out);
    codec.proceed(0, &mut out);
    assert_eq!(out, b"AB\0\x03\x06\x80\0");
    out.clear();
    // What it is asked for comes in as many packets as it takes; with the header of each, it is asked for as much
    // again.
    let packet = packet(&[b'x'; 0x1ffc]);
    assert_eq!(decode_into(&mut *codec, &packet[..4]), ["skipped"]);
    codec.proceed(0, &mut out);
    assert_eq!(out, b"AB\0\x03\x06\x1f\xfc");
    assert_eq!(decode_into(&mut *codec, &packet[4..]), ["data 8188"]);
    codec.proceed(0, &mut out);
    assert_eq!(out.len(), 7);
    // How many more packets come is not known.
    assert!(!answer(&mut *codec, &mut Vec::new()));
}
