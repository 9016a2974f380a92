//! Bytes of a connection, from its first packet on.
//!
//! Invariant: the codec never panics; it comes to the same, events and answers, whether the bytes arrive whole, one by
//! one, or in two parts; it uses no more bytes than there are; what it answers are whole packets of an application,
//! with one END_RESPONSE for each head; of each request it tells one begin and no more than one end, with a body of no
//! other length than was declared; and no variable has NUL in it, stands twice, or came from an attribute that is not
//! known.

#![no_main]

#[path = "../../../servers/ajp/tests/feed/mod.rs"]
mod feed;

use std::collections::BTreeSet;

use feed::Seen;
use libfuzzer_sys::fuzz_target;
use wgi_ajp::packet::{CPONG, END_RESPONSE, SEND_BODY_CHUNK, SEND_HEADERS};
use wgi_ajp::{Ajp, Dialect};
use wgi_engine::RequestBody;

fuzz_target!(|input: &[u8]| {
    // As it is by default, with limits that short inputs run into, and as lighttpd speaks.
    for ajp in [
        Ajp::new(),
        Ajp::new().max_fields(2).secret("s").script_name("/a"),
        Ajp::new().dialect(Dialect::Lighttpd).packet_size(64 * 1024),
    ] {
        let whole = feed::feed(&ajp, [input]);
        assert_eq!(feed::feed(&ajp, input.chunks(1)), whole);
        let (front, back) = input.split_at(input.len() / 2);
        assert_eq!(feed::feed(&ajp, [front, back]), whole);
        check_packets(&whole.out);
        check_order(&whole.seen);
    }
});

fn check_packets(out: &[u8]) {
    let mut open = false;
    for packet in feed::packets(out) {
        match packet[..] {
            [SEND_HEADERS, ..] if !open => open = true,
            [SEND_BODY_CHUNK, .., 0] if open => {}
            [END_RESPONSE, 0 | 1] if open => open = false,
            [CPONG] if !open => {}
            _ => panic!("{packet:?}"),
        }
    }
    assert!(!open, "a response has no end");
}

fn check_order(seen: &[Seen]) {
    let mut open = None;
    for seen in seen {
        match seen {
            Seen::Request(vars, body, _) => {
                check_vars(vars);
                assert!(open.replace((*body, 0)).is_none(), "a request within another");
            }
            Seen::Data(data) => {
                let (body, came) = open.as_mut().expect("a request that is open");
                *came += data.len() as u64;
                assert!(!matches!(body, RequestBody::Length(length) if *came > *length) && *body != RequestBody::None);
            }
            Seen::End => {
                let (body, came) = open.take().expect("a request that is open");
                assert!(!matches!(body, RequestBody::Length(length) if came != length));
            }
            Seen::Refused(status) => assert!((400..600).contains(status)),
        }
    }
}

fn check_vars(vars: &[(String, String)]) {
    let names: BTreeSet<&str> = vars.iter().map(|(name, _)| &name[..]).collect();
    assert_eq!(names.len(), vars.len(), "a name stands twice: {vars:?}");
    for (name, value) in vars {
        assert!(name.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_')), "{name}");
        assert!(!value.contains('\0'), "{name}");
        let known = ["REQUEST_", "SERVER_", "REMOTE_", "SSL_", "CONTENT_", "HTTP_"];
        let alone =
            ["PATH_INFO", "SCRIPT_NAME", "QUERY_STRING", "GATEWAY_INTERFACE", "AUTH_TYPE", "AJP_JVM_ROUTE", "HTTPS"];
        assert!(known.iter().any(|start| name.starts_with(start)) || alone.contains(&&name[..]), "{name}");
    }
    assert!(!names.contains("HTTP_PROXY") && !names.contains("HTTP_TRANSFER_ENCODING"));
    let value = |wanted: &str| vars.iter().find(|(name, _)| name == wanted).map_or("", |(_, value)| value);
    let (path, method) = ([value("SCRIPT_NAME"), value("PATH_INFO")].concat(), value("REQUEST_METHOD"));
    assert!(path.starts_with('/') || (path == "*" && method == "OPTIONS"), "{method} {path}");
    assert!(!method.is_empty() && !value("SERVER_NAME").is_empty());
}
