//! The target of a request, in its four forms (RFC 9112 §3.2).

use std::borrow::Cow;

use wgi::{Error, StatusCode, percent};

use crate::host::Host;
use crate::token::malformed;

/// What a request is for.
#[derive(Debug)]
pub(crate) struct Target<'a> {
    /// The decoded path, or `*`.
    pub(crate) path: Cow<'a, [u8]>,
    /// What stands behind the `?`, as it was sent.
    pub(crate) query: &'a [u8],
    /// The host of an absolute target.
    pub(crate) host: Option<Host<'a>>,
}

impl<'a> Target<'a> {
    /// Parses a target that has no whitespace, no control characters and only ASCII.
    pub(crate) fn parse(method: &str, target: &'a str) -> Result<Target<'a>, Error> {
        if method == "CONNECT" {
            // Its target is an authority to tunnel to, which is a proxy's business (RFC 9110 §9.3.6).
            return Err(Error::refused(StatusCode::NOT_IMPLEMENTED, "CONNECT is for proxies"));
        }
        // Most targets are a path and nothing else.
        if target.starts_with('/') && !target.bytes().any(|byte| matches!(byte, b'?' | b'%' | b'#')) {
            return Ok(Target { path: Cow::Borrowed(target.as_bytes()), query: b"", host: None });
        }
        if target.contains('#') {
            return Err(malformed("the request target has a fragment, which is never sent"));
        }
        if target.starts_with('/') {
            return Target::new(target, None);
        }
        if target == "*" && method == "OPTIONS" {
            return Target::new(target, None);
        }
        let (scheme, rest) =
            target.split_once("://").ok_or_else(|| malformed("the request target is of no known form"))?;
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return Err(malformed("the scheme of the request target is neither http nor https"));
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let host = Some(Host::parse(authority.as_bytes())?);
        match path {
            // What a proxy would send on as `OPTIONS *` (RFC 9112 §3.2.4).
            "" if method == "OPTIONS" => Target::new("*", host),
            // An empty path stands for `/` (RFC 9110 §4.2.3).
            "" => Target::new("/", host),
            path if path.starts_with('?') => Ok(Target { path: Cow::Borrowed(b"/"), ..Target::new(path, host)? }),
            path => Target::new(path, host),
        }
    }

    fn new(path_and_query: &'a str, host: Option<Host<'a>>) -> Result<Target<'a>, Error> {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let path = percent::decode(path.as_bytes())
            .ok_or_else(|| malformed("the path has a percent sign that starts no escape, or escapes a NUL"))?;
        Ok(Target { path, query: query.as_bytes(), host })
    }
}
