//! The meta-variables of RFC 3875 §4.1 as the environ that every other host would give.
//!
//! Everything is taken over as it is; then the few variables that servers are known to send in another form, or not
//! at all, are set right.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStrExt;

use wgi::{Error, Gateway, PeerError, Scheme, StatusCode, Vars};

/// The variables, the `wgi.*` variables, and the length of the body in bytes; or why the request is refused, which
/// comes with the variables all the same.
pub(crate) struct Request {
    pub(crate) vars: Vars,
    pub(crate) gateway: Gateway,
    pub(crate) body: Result<u64, Error>,
}

/// Variables that are left out where they are empty, as a server's way to say that there is no such thing. The fields are
/// those that Python's http.server gives empty when a request has none.
const OPTIONAL: [&[u8]; 11] = [
    b"AUTH_TYPE",
    b"CONTENT_LENGTH",
    b"CONTENT_TYPE",
    b"HTTP_COOKIE",
    b"HTTP_REFERER",
    b"HTTP_USER_AGENT",
    b"PATH_TRANSLATED",
    b"REMOTE_ADDR",
    b"REMOTE_HOST",
    b"REMOTE_IDENT",
    b"REMOTE_USER",
];

/// Header fields that never become variables of an application: HTTP_PROXY would be taken for the program's own
/// configuration (CVE-2016-5385), those of the content have variables of their own (RFC 3875 §4.1.18), and the
/// connection is the server's.
const FORBIDDEN: [&[u8]; 10] = [
    b"HTTP_PROXY",
    b"HTTP_CONTENT_LENGTH",
    b"HTTP_CONTENT_TYPE",
    b"HTTP_CONNECTION",
    b"HTTP_KEEP_ALIVE",
    b"HTTP_PROXY_CONNECTION",
    b"HTTP_TE",
    b"HTTP_TRAILER",
    b"HTTP_TRANSFER_ENCODING",
    b"HTTP_UPGRADE",
];

pub(crate) fn request(environment: impl IntoIterator<Item = (OsString, OsString)>, max_body: u64) -> Request {
    let mut vars = Vars::with_capacity(2048);
    let mut is_chunked = false;
    for (name, value) in environment {
        let (name, value) = (name.as_bytes(), value.as_bytes());
        is_chunked |= name == b"HTTP_TRANSFER_ENCODING";
        let is_left_out = name.is_empty()
            || name.contains(&b'=')
            || FORBIDDEN.contains(&name)
            || (value.is_empty() && OPTIONAL.contains(&name));
        if !is_left_out {
            vars.push(name, value);
        }
    }
    set_path(&mut vars);
    let scheme = set_scheme(&mut vars);
    set_server(&mut vars, scheme);
    set_peer(&mut vars);
    let body = check_method(&vars).and_then(|()| body_length(&vars, is_chunked, max_body));
    if body.is_err() {
        // Where the length is a lie, none is better.
        vars.remove("CONTENT_LENGTH");
    }
    let mut gateway = Gateway::new();
    gateway.url_scheme = scheme;
    gateway.multiprocess = true;
    gateway.run_once = true;
    gateway.sends_files = true;
    Request { vars, gateway, body }
}

/// SCRIPT_NAME without a slash at its end, PATH_INFO with one at its start; the URL that they make stays the same.
fn set_path(vars: &mut Vars) {
    let sent = vars.get("SCRIPT_NAME").unwrap_or_default();
    let end = sent.iter().rposition(|&byte| byte != b'/').map_or(0, |last| last + 1);
    let script_name = rooted(&sent[..end]);
    let path_info = vars.get("PATH_INFO").unwrap_or_default();
    let is_asterisk = path_info == b"*" && vars.get("REQUEST_METHOD") == Some(b"OPTIONS");
    let path_info = match path_info {
        // The slash that the script's name had at its end, or that of the root.
        b"" if end < sent.len() || script_name.is_empty() => b"/".to_vec(),
        path if is_asterisk => path.to_vec(),
        path => rooted(path),
    };
    for (name, value) in [("SCRIPT_NAME", script_name), ("PATH_INFO", path_info)] {
        if vars.get(name) != Some(&value) {
            vars.set(name, value);
        }
    }
}

/// A path with a slash at its start, unless it is empty.
fn rooted(path: &[u8]) -> Vec<u8> {
    match path {
        b"" | [b'/', ..] => path.to_vec(),
        path => [b"/", path].concat(),
    }
}

/// The scheme by `HTTPS` and, where that is absent, by `REQUEST_SCHEME`; `HTTPS` then says the same.
fn set_scheme(vars: &mut Vars) -> Scheme {
    let is_https = match vars.get("HTTPS") {
        Some(value) => value.eq_ignore_ascii_case(b"on") || value == b"1",
        None => vars.get("REQUEST_SCHEME").is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"https")),
    };
    match is_https {
        true if vars.get("HTTPS") != Some(b"on") => vars.set("HTTPS", "on"),
        true => {}
        false => drop(vars.remove("HTTPS")),
    }
    if is_https { Scheme::Https } else { Scheme::Http }
}

/// What has to be there (RFC 3875 §4.1.14 to §4.1.16) where a small server leaves it out.
fn set_server(vars: &mut Vars, scheme: Scheme) {
    let (host, port) = split_port(vars.get("HTTP_HOST").unwrap_or_default());
    let host = if host.is_empty() { b"localhost" } else { host }.to_vec();
    let port = number(port).unwrap_or(scheme.default_port());
    if vars.get("SERVER_NAME").unwrap_or_default().is_empty() {
        vars.set("SERVER_NAME", host);
    }
    if number::<u16>(vars.get("SERVER_PORT").unwrap_or_default()).is_none() {
        vars.set("SERVER_PORT", itoa::Buffer::new().format(port));
    }
    // A server-side include has `INCLUDED` here.
    if !vars.get("SERVER_PROTOCOL").unwrap_or_default().starts_with(b"HTTP/") {
        vars.set("SERVER_PROTOCOL", "HTTP/1.0");
    }
    for (name, value) in [
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("SERVER_SOFTWARE", concat!("wgi/", env!("CARGO_PKG_VERSION"))),
        ("REQUEST_SCHEME", scheme.as_str()),
        ("QUERY_STRING", ""),
    ] {
        if vars.get(name).is_none() {
            vars.push(name, value);
        }
    }
}

/// REMOTE_ADDR as an address alone: some servers put the port behind it, or brackets around it.
fn set_peer(vars: &mut Vars) {
    let Some(text) = vars.get("REMOTE_ADDR").and_then(|value| std::str::from_utf8(value).ok()) else { return };
    let (address, port) = match text.parse::<SocketAddr>() {
        Ok(address) => (address.ip(), Some(address.port())),
        Err(_) => match text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            Ok(address) => (address, None),
            Err(_) => return,
        },
    };
    let plain = address.to_canonical().to_string();
    if plain != text {
        vars.set("REMOTE_ADDR", plain);
    }
    if let Some(port) = port.filter(|_| vars.get("REMOTE_PORT").is_none()) {
        vars.push("REMOTE_PORT", itoa::Buffer::new().format(port));
    }
}

fn check_method(vars: &Vars) -> Result<(), Error> {
    let method = vars.get("REQUEST_METHOD").unwrap_or_default();
    if method.is_empty() || !method.iter().all(|&byte| is_token_char(byte)) {
        return Err(Error::refused(StatusCode::BAD_REQUEST, "REQUEST_METHOD is missing or no method"));
    }
    Ok(())
}

/// The body's length (RFC 3875 §4.1.2): none without CONTENT_LENGTH.
fn body_length(vars: &Vars, is_chunked: bool, max_body: u64) -> Result<u64, Error> {
    let Some(value) = vars.get("CONTENT_LENGTH") else {
        // A server that passes a chunked body on as it comes ends it by closing standard input, whether it is whole or
        // broke off; what cannot be told from a whole one is not taken for one.
        return match is_chunked {
            true => Err(Error::refused(StatusCode::LENGTH_REQUIRED, "the request body comes without its length")),
            false => Ok(0),
        };
    };
    let length = number::<u64>(value)
        .ok_or_else(|| Error::refused(StatusCode::BAD_REQUEST, "CONTENT_LENGTH is no decimal number of 64 bits"))?;
    if length > max_body {
        return Err(PeerError::TooLarge { limit: max_body }.into());
    }
    Ok(length)
}

/// Decimal digits alone: no sign, no space, not nothing.
fn number<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
}

/// The host and the port of a Host field; an empty port where there is none.
fn split_port(host: &[u8]) -> (&[u8], &[u8]) {
    match host.iter().rposition(|&byte| byte == b':') {
        Some(colon) if !host[colon..].contains(&b']') => (&host[..colon], &host[colon + 1..]),
        _ => (host, b""),
    }
}

/// RFC 9110 §5.6.2.
fn is_token_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
