//! What a server puts into an environ: section 4 of the specification.

use std::net::IpAddr;

use wgi::{Environ, Scheme, Violation, authority};

/// The version of the protocol that is checked.
const VERSION: (u8, u8) = (1, 0);

/// The first clause that `environ` breaks.
pub(super) fn check(environ: &Environ) -> Result<(), Violation> {
    check_gateway(environ)?;
    check_names(environ)?;
    check_request(environ)?;
    check_paths(environ)?;
    check_addresses(environ)
}

fn check_gateway(environ: &Environ) -> Result<(), Violation> {
    let gateway = environ.gateway();
    if gateway.version != VERSION {
        let (major, minor) = gateway.version;
        return broken("4.28", format!("version {major}.{minor}"), "give (1, 0), or use a validator of your version");
    }
    let encrypted = environ.var("HTTPS").is_some_and(|value| value.eq_ignore_ascii_case(b"on") || value == b"1");
    if encrypted != (gateway.url_scheme == Scheme::Https) {
        let seen = format!("url_scheme {} with {}", gateway.url_scheme.as_str(), shown(environ, "HTTPS"));
        return broken("4.20", seen, "set HTTPS to `on` for https, and leave it out for http");
    }
    Ok(())
}

fn check_names(environ: &Environ) -> Result<(), Violation> {
    for (name, value) in environ.vars().iter() {
        if name.is_empty() || name.contains(&b'=') || name.contains(&0) {
            let seen = format!("a variable named `{}`", name.escape_ascii());
            return broken("4.22", seen, "leave out what CGI could not pass on");
        }
        if value.contains(&0) {
            let seen = format!("a NUL in the value of {}", name.escape_ascii());
            return broken("4.22", seen, "refuse a request with a NUL in its head");
        }
    }
    for name in ["HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"] {
        if environ.var(name).is_some() {
            return broken("4.12", format!("the variable {name}"), "give it without HTTP_");
        }
    }
    if environ.var("HTTP_PROXY").is_some() {
        return broken("4.17", "the variable HTTP_PROXY".into(), "drop the field Proxy");
    }
    Ok(())
}

fn check_request(environ: &Environ) -> Result<(), Violation> {
    let method = value(environ, "REQUEST_METHOD");
    if method.is_empty() || !method.iter().copied().all(is_token_byte) {
        return broken("4.3", shown(environ, "REQUEST_METHOD"), "give the method of the request, a token");
    }
    if !is_http_version(value(environ, "SERVER_PROTOCOL")) {
        let seen = shown(environ, "SERVER_PROTOCOL");
        return broken("4.6", seen, "give HTTP/ and the version of the request, as in HTTP/1.1");
    }
    let length = value(environ, "CONTENT_LENGTH");
    if !length.is_empty() && decimal(length).is_none() {
        let seen = shown(environ, "CONTENT_LENGTH");
        return broken("4.13", seen, "give decimal digits, or leave it out when the length is not known");
    }
    Ok(())
}

fn check_paths(environ: &Environ) -> Result<(), Violation> {
    let (script_name, path_info) = (environ.script_name(), environ.path_info());
    if script_name == b"/" || !(script_name.is_empty() || script_name.starts_with(b"/")) {
        let seen = shown(environ, "SCRIPT_NAME");
        return broken("4.7", seen, "start it with `/`, and give the root as an empty one with `/` in PATH_INFO");
    }
    let is_asterisk = path_info == b"*" && environ.method() == "OPTIONS";
    if !(path_info.is_empty() || path_info.starts_with(b"/") || is_asterisk) {
        let seen = format!("{} with {}", shown(environ, "PATH_INFO"), environ.method());
        return broken("4.8", seen, "start it with `/`; only OPTIONS has `*`");
    }
    if script_name.is_empty() && path_info.is_empty() {
        let seen = "neither SCRIPT_NAME nor PATH_INFO".into();
        return broken("4.9", seen, "give the root of the server as `/` in PATH_INFO");
    }
    Ok(())
}

fn check_addresses(environ: &Environ) -> Result<(), Violation> {
    if !authority::is_host(value(environ, "SERVER_NAME")) {
        return broken("4.4", shown(environ, "SERVER_NAME"), "give a host name or an IP address");
    }
    if decimal(value(environ, "SERVER_PORT")).is_none_or(|port| port > u16::MAX.into()) {
        let seen = shown(environ, "SERVER_PORT");
        return broken("4.5", seen, "give the port, or the usual one of the scheme where there is none");
    }
    let host = value(environ, "HTTP_HOST");
    if !host.is_empty() && authority::split(host).is_none() {
        return broken("4.18", shown(environ, "HTTP_HOST"), "refuse a request whose Host is not valid");
    }
    if environ.var("REMOTE_ADDR").is_some_and(|address| !is_address(address)) {
        let seen = shown(environ, "REMOTE_ADDR");
        return broken("4.19", seen, "give an IP address without port, or leave it out");
    }
    Ok(())
}

fn broken(clause: &'static str, seen: String, remedy: &'static str) -> Result<(), Violation> {
    Err(Violation { clause, seen, remedy })
}

fn value<'a>(environ: &'a Environ, name: &str) -> &'a [u8] {
    environ.var(name).unwrap_or_default()
}

/// A variable as a violation shows it. Only those that carry no credentials are ever shown.
fn shown(environ: &Environ, name: &str) -> String {
    match environ.var(name) {
        Some(value) => format!("{name}={:?}", value.escape_ascii().to_string()),
        None => format!("no {name}"),
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(digits).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// RFC 9110 §5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// `HTTP/2` or `HTTP/1.1`.
fn is_http_version(protocol: &[u8]) -> bool {
    match protocol.strip_prefix(b"HTTP/") {
        Some([major]) => major.is_ascii_digit(),
        Some([major, b'.', minor]) => major.is_ascii_digit() && minor.is_ascii_digit(),
        _ => false,
    }
}

/// An IP address; one of IPv6 may have a zone (RFC 4007 §11).
fn is_address(address: &[u8]) -> bool {
    let end = address.iter().position(|&byte| byte == b'%').unwrap_or(address.len());
    parses::<IpAddr>(&address[..end])
}

fn parses<T: std::str::FromStr>(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<T>().is_ok())
}
