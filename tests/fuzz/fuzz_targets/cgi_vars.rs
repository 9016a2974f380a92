//! The meta-variables of CGI: an exchange with any environment and any standard input.
//!
//! The input is the environment as /proc has it, `NAME=VALUE` with NUL between, and behind two of these standard input.
//!
//! Invariant: it never panics, and is answered whole. The application sees a method, a path that starts with `/` or is
//! `*`, no `HTTP_PROXY`, and a scheme that `HTTPS` agrees with; its input has exactly CONTENT_LENGTH bytes, or ends with
//! an error.

#![no_main]

use std::ffi::OsString;
use std::io::{Cursor, Read};
use std::os::unix::ffi::OsStringExt;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use wgi::{Body, Environ, Error, Errors, Scheme, StartResponse, StatusCode};

fuzz_target!(|data: &[u8]| {
    let end = data.windows(2).position(|two| two == [0, 0]).unwrap_or(data.len());
    let stdin = data.get(end + 2..).unwrap_or_default().to_vec();
    let vars = data[..end].split(|&byte| byte == 0).filter_map(|pair| {
        let name = pair.iter().position(|&byte| byte == b'=')?;
        Some((OsString::from_vec(pair[..name].to_vec()), OsString::from_vec(pair[name + 1..].to_vec())))
    });
    let mut stdout = Vec::new();
    let options = wgi_cgi::Options::default();
    let served = wgi_cgi::serve(&app, &options, vars, Cursor::new(stdin), &mut stdout, Errors::new(Arc::new(Nowhere)));
    assert_eq!(served, Ok(()));
    assert!(stdout.starts_with(b"Status: ") || stdout.starts_with(b"HTTP/1.1 "));
    assert!(stdout.windows(4).any(|four| four == b"\r\n\r\n"));
    assert!(!stdout.starts_with(b"Status: 500") && !stdout.starts_with(b"HTTP/1.1 500"), "an assertion below failed");
});

fn app(mut environ: Environ, start: &mut dyn StartResponse) -> Result<Body, Error> {
    assert!(!environ.method().is_empty());
    let path = environ.path_info();
    assert!(path.is_empty() || path.starts_with(b"/") || (path == b"*" && environ.method() == "OPTIONS"));
    let script_name = environ.script_name();
    assert!(script_name.is_empty() || (script_name.starts_with(b"/") && !script_name.ends_with(b"/")));
    assert!(!path.is_empty() || !script_name.is_empty());
    assert!(environ.var("HTTP_PROXY").is_none());
    assert_eq!(environ.var("HTTPS").is_some(), environ.gateway().url_scheme == Scheme::Https);
    for name in ["SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL"] {
        assert!(environ.var(name).is_some_and(|value| !value.is_empty()), "{name}");
    }
    let declared = environ.content_length();
    let mut body = Vec::new();
    match environ.input().read_to_end(&mut body) {
        Ok(length) => assert_eq!(length as u64, declared.unwrap_or(0)),
        Err(_) => assert!((body.len() as u64) < declared.unwrap_or(0)),
    }
    start.start(StatusCode::OK, [("content-type", "application/octet-stream")])?;
    Ok(Body::from(body))
}

/// A log that nobody reads.
struct Nowhere;

impl wgi::ErrorSink for Nowhere {
    fn write(&self, _text: &[u8]) -> std::io::Result<()> {
        Ok(())
    }
}
