//! The meta-variables of RFC 3875 §4.1 as the environ that every other host would give.
//!
//! Everything is taken over as it is; then the few variables that servers are known to send in another form, or not
//! at all, are set right. What holds for every server is in [`meta_variables`]; what does not:
//!
//! - The environment of a process has no name twice, and holds more than meta-variables: what could be none is left out,
//!   and refuses nothing.
//! - `SCRIPT_NAME` and `PATH_INFO` are taken for what they are, for the server found the script by them.
//! - `HTTPS` that is there and not `on` overrules `REQUEST_SCHEME`. A small server has no port of its own: the one of
//!   `HTTP_HOST` is its; and where it says nothing of the request's protocol, that is `HTTP/1.0`.
//! - A `REMOTE_ADDR` that is no address is left as it is: the server is on this machine, and it is for its log.

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use wgi::authority::is_port;
use wgi::server::meta_variables::{self, divide, is_absent, is_method, is_withheld, split_port};
use wgi::{Error, Gateway, PeerError, Scheme, StatusCode, Vars};

/// The variables, the `wgi.*` variables, and the length of the body in bytes; or why the request is refused, which
/// comes with the variables all the same.
pub(crate) struct Request {
    pub(crate) vars: Vars,
    pub(crate) gateway: Gateway,
    pub(crate) body: Result<u64, Error>,
}

/// Whether a variable is left out where it is empty, as a server's way to say that there is no such thing. Beside those
/// that every server's are: REMOTE_ADDR, and the fields that Python's http.server gives empty when a request has none.
fn is_left_empty(name: &[u8]) -> bool {
    matches!(name, b"HTTP_COOKIE" | b"HTTP_REFERER" | b"HTTP_USER_AGENT" | b"REMOTE_ADDR")
}

pub(crate) fn request(environment: impl IntoIterator<Item = (OsString, OsString)>, max_body: u64) -> Request {
    // Room for most requests; and the C library has a block of this size at hand whose memory was touched already, the
    // one through which it learned where the stack is.
    let mut vars = Vars::with_capacity(1024);
    let mut is_chunked = false;
    for (name, value) in environment {
        let (name, value) = (name.as_bytes(), value.as_bytes());
        is_chunked |= name == b"HTTP_TRANSFER_ENCODING";
        let is_left_out = name.is_empty()
            || name.contains(&b'=')
            || is_withheld(name)
            || (value.is_empty() && (is_left_empty(name) || (is_absent(name, value) && name != b"HTTPS")));
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
    let (script_name, path_info) =
        (vars.get("SCRIPT_NAME").unwrap_or_default(), vars.get("PATH_INFO").unwrap_or_default());
    let is_asterisk = path_info == b"*" && vars.get("REQUEST_METHOD") == Some(b"OPTIONS");
    let (script_name, path_info) = match divide(script_name, path_info) {
        (script_name, _) if is_asterisk => (script_name, Cow::Borrowed(path_info)),
        // The root.
        (script_name, path_info) if script_name.is_empty() && path_info.is_empty() => (script_name, b"/"[..].into()),
        divided => divided,
    };
    if vars.get("SCRIPT_NAME") == Some(&*script_name) && vars.get("PATH_INFO") == Some(&*path_info) {
        return;
    }
    let (script_name, path_info) = (script_name.into_owned(), path_info.into_owned());
    vars.set("SCRIPT_NAME", script_name);
    vars.set("PATH_INFO", path_info);
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
    let from_host = |vars: &Vars| {
        let (host, port) = split_port(vars.get("HTTP_HOST").unwrap_or_default());
        (host.to_vec(), port.filter(|port| is_port(port)).map(<[u8]>::to_vec))
    };
    if vars.get("SERVER_NAME").unwrap_or_default().is_empty() {
        let (host, _) = from_host(vars);
        vars.set("SERVER_NAME", if host.is_empty() { b"localhost" } else { &host[..] });
    }
    if !vars.get("SERVER_PORT").is_some_and(is_port) {
        let (_, port) = from_host(vars);
        vars.set("SERVER_PORT", port.unwrap_or_else(|| scheme.default_port().to_string().into()));
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

/// REMOTE_ADDR as an address alone.
fn set_peer(vars: &mut Vars) {
    let sent = vars.get("REMOTE_ADDR").unwrap_or_default();
    let remote = meta_variables::remote(sent);
    let Some(address) = remote.address.filter(|address| **address != *sent) else { return };
    let (address, port) = (address.into_owned(), remote.port.map(<[u8]>::to_vec));
    vars.set("REMOTE_ADDR", address);
    if let Some(port) = port.filter(|_| vars.get("REMOTE_PORT").is_none()) {
        vars.push("REMOTE_PORT", port);
    }
}

fn check_method(vars: &Vars) -> Result<(), Error> {
    if !vars.get("REQUEST_METHOD").is_some_and(is_method) {
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
    let length = meta_variables::content_length(value)
        .ok_or_else(|| Error::refused(StatusCode::BAD_REQUEST, "CONTENT_LENGTH is no decimal number of 64 bits"))?;
    if length > max_body {
        return Err(PeerError::TooLarge { limit: max_body }.into());
    }
    Ok(length)
}
