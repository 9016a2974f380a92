//! Bytes of a connection, from its first request on.
//!
//! Invariant: the codec never panics; it comes to the same whether the bytes arrive whole, one by one, or in two parts;
//! it uses no more bytes than there are; nothing is read behind what it refused; and of what it lets through, each
//! variable has a name of `A-Z 0-9 _` that stands once, a value without NUL, CR and LF (but for CR and LF that a path
//! escaped), a method, and a path that starts with `/` or is the `*` of OPTIONS.

#![no_main]

#[path = "../../../servers/http/tests/feed/mod.rs"]
mod feed;

use std::collections::BTreeMap;

use feed::Seen;
use libfuzzer_sys::fuzz_target;
use wgi_http::Http;

fuzz_target!(|input: &[u8]| {
    // Once as it is by default, once with limits that short inputs run into.
    for http in [Http::new(), Http::new().max_head(128).max_fields(4).max_target(16)] {
        let whole = feed::feed(&http, [input]);
        assert_eq!(feed::feed(&http, input.chunks(1)), whole);
        let (front, back) = input.split_at(input.len() / 2);
        assert_eq!(feed::feed(&http, [front, back]), whole);
        for seen in &whole {
            if let Seen::Request(vars, ..) = seen {
                check(vars);
            }
        }
    }
});

fn check(vars: &[(String, String)]) {
    let names: BTreeMap<&str, &str> = vars.iter().map(|(name, value)| (&name[..], &value[..])).collect();
    assert_eq!(names.len(), vars.len(), "a name stands twice: {vars:?}");
    for (name, value) in &names {
        assert!(name.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_')), "{name}");
        assert!(!value.contains('\0'), "{name}");
        assert!(*name == "PATH_INFO" || !value.contains(['\r', '\n']), "{name}");
    }
    let (method, path) = (names["REQUEST_METHOD"], names["PATH_INFO"]);
    assert!(!method.is_empty());
    assert!(path.starts_with('/') || (path == "*" && method == "OPTIONS"), "{method} {path}");
    assert!(!names["SERVER_NAME"].is_empty());
}
