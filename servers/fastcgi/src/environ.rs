//! From a PARAMS stream to the environ that HTTP would have given: web servers differ in what they send.
//!
//! The block of pairs is taken over as it came. One pass over it finds what is to be mended; only where there is
//! something, a second pass takes pairs out, and new ones are appended. The rules:
//!
//! **Path.** `SCRIPT_NAME` is where the application is mounted, `PATH_INFO` the rest, both percent-decoded. The first
//! rule that fits decides:
//!
//! 1. A mount point that was set ([`FastCgi::script_name`](crate::FastCgi::script_name)) is the truth: the path is
//!    that of `REQUEST_URI`, decoded. Outside of the mount point, `SCRIPT_NAME` is empty.
//! 2. `*` (of `OPTIONS *`) is `PATH_INFO`.
//! 3. Neither `SCRIPT_NAME` nor `PATH_INFO` (an Authorizer gets none, FastCGI specification §6.3): the path of
//!    `REQUEST_URI` is `PATH_INFO`.
//! 4. `SCRIPT_FILENAME` starts with `proxy:` (Apache's mod_proxy_fcgi). By `ProxyPass` it ends with the path that the
//!    application is asked for, and `SCRIPT_NAME` is the whole path: what that has in front is the mount point. By
//!    `SetHandler` it ends with a file's name, and `SCRIPT_NAME` ends where there is no such file, which is an accident:
//!    the mount point is that of the `Alias` (`CONTEXT_PREFIX`), or the root.
//! 5. No `PATH_INFO`, and nginx or HAProxy by `SERVER_SOFTWARE`, or no `SCRIPT_FILENAME` either: `SCRIPT_NAME` is the
//!    whole path, for nobody was told to split it. The mount point is the root.
//! 6. Both are the same, and the request's path is too short to be both of them (nginx with
//!    `fastcgi_param PATH_INFO $fastcgi_script_name`): the mount point is the root.
//! 7. They are as they were sent: mod_fcgid, lighttpd, Caddy, and every server that was told where to split.
//!
//! These rules compare what the server sent with itself. What a client can write into its request moves the line
//! between `SCRIPT_NAME` and `PATH_INFO` in none of them, but for the path that it asks for. A slash at the end of
//! `SCRIPT_NAME` belongs to `PATH_INFO`.
//!
//! **Header fields.** A repeated one (nginx before 1.23, HAProxy) is joined with `, `, `Cookie` with `; ` (RFC 3875
//! §4.1.18). Those of the connection go, and so do `HTTP_PROXY` (httpoxy), `HTTP_CONTENT_TYPE` and
//! `HTTP_CONTENT_LENGTH`. Of any other variable the last one counts, as in every server that puts them into a map:
//! that is how `fastcgi_param` behind an `include` replaces one of the file's.
//!
//! **The rest.** Empty variables that stand for absent ones go (`CONTENT_LENGTH`, `REMOTE_USER` and the like).
//! `REMOTE_ADDR` and `SERVER_NAME` lose a port (HAProxy). `SERVER_NAME`, where it is empty or a pattern, is the host of
//! `HTTP_HOST`. The scheme is https when `HTTPS` is there and not `off`, or when `REQUEST_SCHEME` says so; both then say
//! the same. What has no value that could be put right is answered with 400: a method, a path, a length or a host that is
//! none, and a NUL anywhere.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;

use wgi::{Error, Scheme, StatusCode, Vars, percent};

use crate::host::{is_authority, is_host, is_port, split_port, without_brackets};

/// What is known of a request once its variables are in order.
#[derive(Debug)]
pub(crate) struct Normal {
    pub(crate) vars: Vars,
    pub(crate) scheme: Scheme,
    /// `CONTENT_LENGTH`, where there is one.
    pub(crate) length: Option<u64>,
}

/// Puts the variables of a request in order.
///
/// # Errors
/// When this request cannot be served: its method, path or length is not one.
pub(crate) fn normalise(mut vars: Vars, mount: Option<&[u8]>) -> Result<Normal, Error> {
    if may_repeat(&vars) {
        vars = join_repeated(&vars);
    }
    let sent = Sent::scan(&vars);
    if sent.is_foul {
        return Err(refused("a variable without a name, or with NUL in it"));
    }
    if sent.host.is_some_and(|host| !host.is_empty() && !is_authority(host)) {
        return Err(refused("Host is not a host"));
    }
    let Some(method) = sent.method.filter(|method| is_token(method)) else {
        return Err(refused("REQUEST_METHOD is not a method"));
    };
    let (script_name, path_info) = split_path(&sent, mount)?;
    if *path_info == *b"*" && method != b"OPTIONS" {
        return Err(refused("only OPTIONS can be for * (RFC 9112 §3.2.4)"));
    }
    let length = sent.length.map(parse_length).transpose()?;
    let scheme = sent.scheme();

    let mut new = Vars::new();
    if sent.script_name != Some(&*script_name) || sent.path_info != Some(&*path_info) {
        new.push("SCRIPT_NAME", &script_name);
        new.push("PATH_INFO", &path_info);
    }
    sent.mend(scheme, &mut new);

    if sent.has_unwanted || !new.is_empty() {
        let replaced = new;
        vars.retain(|name, value| !is_unwanted(name, value) && replaced.get(name).is_none());
        vars.extend(&replaced);
    }
    Ok(Normal { vars, scheme, length })
}

/// The variables that matter here, as they were sent.
#[derive(Default)]
struct Sent<'a> {
    method: Option<&'a [u8]>,
    script_name: Option<&'a [u8]>,
    path_info: Option<&'a [u8]>,
    query: Option<&'a [u8]>,
    uri: Option<&'a [u8]>,
    script_filename: Option<&'a [u8]>,
    document_root: Option<&'a [u8]>,
    context_document_root: Option<&'a [u8]>,
    context_prefix: Option<&'a [u8]>,
    software: Option<&'a [u8]>,
    interface: Option<&'a [u8]>,
    protocol: Option<&'a [u8]>,
    server_name: Option<&'a [u8]>,
    server_port: Option<&'a [u8]>,
    remote_addr: Option<&'a [u8]>,
    remote_port: Option<&'a [u8]>,
    request_scheme: Option<&'a [u8]>,
    https: Option<&'a [u8]>,
    host: Option<&'a [u8]>,
    /// Never empty.
    length: Option<&'a [u8]>,
    has_unwanted: bool,
    /// A name or value that no variable of a process could have.
    is_foul: bool,
}

impl<'a> Sent<'a> {
    fn scan(vars: &'a Vars) -> Sent<'a> {
        let mut sent = Sent::default();
        for (name, value) in vars.iter() {
            sent.is_foul |= name.is_empty() || name.contains(&b'=') || name.contains(&0) || value.contains(&0);
            let place = match name {
                b"HTTP_HOST" => &mut sent.host,
                field if field.starts_with(b"HTTP_") => {
                    sent.has_unwanted |= is_unwanted(name, value);
                    continue;
                }
                b"REQUEST_METHOD" => &mut sent.method,
                b"SCRIPT_NAME" => &mut sent.script_name,
                b"PATH_INFO" => &mut sent.path_info,
                b"QUERY_STRING" => &mut sent.query,
                b"REQUEST_URI" if !value.is_empty() => &mut sent.uri,
                b"SCRIPT_FILENAME" => &mut sent.script_filename,
                b"DOCUMENT_ROOT" => &mut sent.document_root,
                b"CONTEXT_DOCUMENT_ROOT" => &mut sent.context_document_root,
                b"CONTEXT_PREFIX" => &mut sent.context_prefix,
                b"SERVER_SOFTWARE" => &mut sent.software,
                b"GATEWAY_INTERFACE" => &mut sent.interface,
                b"SERVER_PROTOCOL" => &mut sent.protocol,
                b"SERVER_NAME" => &mut sent.server_name,
                b"SERVER_PORT" => &mut sent.server_port,
                b"REMOTE_ADDR" => &mut sent.remote_addr,
                b"REMOTE_PORT" if !value.is_empty() => &mut sent.remote_port,
                b"REQUEST_SCHEME" => &mut sent.request_scheme,
                _ if is_unwanted(name, value) => {
                    sent.has_unwanted = true;
                    continue;
                }
                b"HTTPS" => &mut sent.https,
                b"CONTENT_LENGTH" => &mut sent.length,
                _ => continue,
            };
            *place = Some(value);
        }
        sent
    }

    /// `HTTPS=on` of Apache and nginx, or the scheme that nginx and others name.
    fn scheme(&self) -> Scheme {
        if self.https.is_some() || self.request_scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"https")) {
            Scheme::Https
        } else {
            Scheme::Http
        }
    }

    /// Collects what is to replace variables that are missing, empty or not what they should be.
    fn mend(&self, scheme: Scheme, new: &mut Vars) {
        if is_blank(self.interface) {
            new.push("GATEWAY_INTERFACE", "CGI/1.1");
        }
        if is_blank(self.software) {
            new.push("SERVER_SOFTWARE", concat!("wgi/", env!("CARGO_PKG_VERSION")));
        }
        // Apache has `INCLUDED` in what it asks for by itself.
        if !self.protocol.is_some_and(is_version) {
            new.push("SERVER_PROTOCOL", "HTTP/1.1");
        }
        if self.query.is_none() {
            new.push("QUERY_STRING", "");
        }
        if self.request_scheme != Some(scheme.as_str().as_bytes()) {
            new.push("REQUEST_SCHEME", scheme.as_str());
        }
        if scheme == Scheme::Https && !matches!(self.https, Some(b"on" | b"1")) {
            new.push("HTTPS", "on");
        }
        if !self.server_port.is_some_and(is_port) {
            new.push("SERVER_PORT", scheme.default_port().to_string());
        }
        self.mend_server_name(new);
        self.mend_remote_addr(new);
    }

    fn mend_server_name(&self, new: &mut Vars) {
        let sent = self.server_name.unwrap_or_default();
        let name = match split_port(sent).0 {
            name if is_host(name) => name,
            // nginx has an empty name by default, `_` by custom, and patterns.
            _ => self.host.map(|host| split_port(host).0).filter(|host| is_host(host)).unwrap_or(b"localhost"),
        };
        if name != sent {
            new.push("SERVER_NAME", name);
        }
    }

    fn mend_remote_addr(&self, new: &mut Vars) {
        let Some(sent) = self.remote_addr else { return };
        let (address, port) = match sent {
            // The client is a process of this machine (nginx, over a Unix socket).
            b"unix:" => (&b"127.0.0.1"[..], None),
            sent => split_port(sent),
        };
        let parsed = std::str::from_utf8(without_brackets(address)).ok().and_then(|text| text.parse::<IpAddr>().ok());
        match parsed.map(|address| (address, address.to_canonical())) {
            Some((address, canonical)) if address != canonical => new.push("REMOTE_ADDR", canonical.to_string()),
            Some(_) if without_brackets(address) == sent => {}
            Some(_) => new.push("REMOTE_ADDR", without_brackets(address)),
            // Never one that somebody may trust.
            None => new.push("REMOTE_ADDR", "0.0.0.0"),
        }
        if let (Some(port), None) = (port.filter(|port| is_port(port)), self.remote_port) {
            new.push("REMOTE_PORT", port);
        }
    }
}

/// Where the application is mounted, and the rest of the path.
type Split<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

fn split_path<'a>(sent: &Sent<'a>, mount: Option<&'a [u8]>) -> Result<Split<'a>, Error> {
    let script_name = sent.script_name.unwrap_or_default();
    let path_info = sent.path_info.unwrap_or_default();
    if let Some(mount) = mount {
        let path = match sent.uri {
            Some(uri) => uri_path(uri)?,
            None => concat(script_name, path_info),
        };
        return Ok(below(mount, path));
    }
    if script_name == b"*" || path_info == b"*" {
        return Ok(at_root(Cow::Borrowed(b"*")));
    }
    if script_name.is_empty() && path_info.is_empty() {
        return Ok(at_root(match sent.uri {
            Some(uri) => uri_path(uri)?,
            None => Cow::Borrowed(b""),
        }));
    }
    if let Some(path) = sent.script_filename.and_then(proxied_path) {
        return Ok(behind_apache(sent, script_name, path_info, path));
    }
    if sent.path_info.is_none() && (splits_nothing(sent.software) || sent.script_filename.is_none()) {
        return Ok(at_root(rooted(script_name)));
    }
    if script_name == path_info
        && let Some(uri) = sent.uri
        && uri_path(uri)?.len() < script_name.len() + path_info.len()
    {
        return Ok(at_root(rooted(path_info)));
    }
    Ok(tidy(script_name, path_info))
}

/// The application is at the root, where no path is `/`.
fn at_root(path: Cow<'_, [u8]>) -> Split<'_> {
    (Cow::Borrowed(b""), if path.is_empty() { Cow::Borrowed(b"/") } else { path })
}

/// Splits a path at a mount point, which has no slash at its end; elsewhere the application is at the root.
fn below<'a>(mount: &'a [u8], path: Cow<'a, [u8]>) -> Split<'a> {
    match path.strip_prefix(mount) {
        Some(rest) if rest.is_empty() || rest.starts_with(b"/") => {
            let rest = rest.to_vec();
            (Cow::Borrowed(mount), Cow::Owned(rest))
        }
        _ => at_root(path),
    }
}

/// Rule 4: `path` is what stands behind `proxy:fcgi://…` in SCRIPT_FILENAME.
fn behind_apache<'a>(sent: &Sent<'a>, script_name: &'a [u8], path_info: &'a [u8], path: &'a [u8]) -> Split<'a> {
    // Two slashes come of `SetHandler "proxy:fcgi://…/"`, and of a `ProxyPass` with one slash too many.
    let path = if path.starts_with(b"//") { path.get(1..).unwrap_or_default() } else { path };
    let is_below = |root: Option<&[u8]>| root.is_some_and(|root| !root.is_empty() && path.starts_with(root));
    let whole = concat(script_name, path_info);
    let Some(asked) = percent::decode(path) else { return at_root(whole) };
    if path_info.is_empty() {
        if let Some(mount) = script_name.strip_suffix(&*asked) {
            let path = script_name.get(mount.len()..).unwrap_or_default();
            return tidy(mount, path);
        }
        // `ProxyPass "/app" "fcgi://host"` asked for `/app`.
        if *asked == *b"/" {
            return tidy(script_name, b"");
        }
    }
    if !path_info.is_empty() || is_below(sent.document_root) || is_below(sent.context_document_root) {
        return below(without_slash(sent.context_prefix.unwrap_or_default()), whole);
    }
    // `ProxyPass "/app/" "fcgi://host/other/"`: as over HTTP, the application is asked for another path.
    at_root(asked)
}

/// Puts the slash between SCRIPT_NAME and PATH_INFO where it belongs: at the front of PATH_INFO.
fn tidy<'a>(script_name: &'a [u8], path_info: &'a [u8]) -> Split<'a> {
    let mount = without_slash(script_name);
    match path_info {
        b"" => (rooted(mount), Cow::Borrowed(script_name.get(mount.len()..).unwrap_or_default())),
        path_info => (rooted(mount), rooted(path_info)),
    }
}

/// A path without the slashes at its end.
pub(crate) fn without_slash(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|&byte| byte != b'/').map_or(0, |last| last + 1);
    path.get(..end).unwrap_or(path)
}

/// A path with a slash at its front, unless it is empty.
fn rooted(path: &[u8]) -> Cow<'_, [u8]> {
    if path.is_empty() || path.starts_with(b"/") { Cow::Borrowed(path) } else { Cow::Owned([b"/", path].concat()) }
}

/// The whole path.
fn concat<'a>(script_name: &'a [u8], path_info: &'a [u8]) -> Cow<'a, [u8]> {
    if path_info.is_empty() {
        return rooted(script_name);
    }
    Cow::Owned([rooted(without_slash(script_name)), rooted(path_info)].concat())
}

/// The decoded path of a request target, in origin form or absolute (RFC 9112 §3.2), or `*`.
fn uri_path(uri: &[u8]) -> Result<Cow<'_, [u8]>, Error> {
    let end = uri.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(uri.len());
    let target = uri.get(..end).unwrap_or_default();
    let path = match behind_authority(target) {
        _ if target.starts_with(b"/") || target == b"*" => target,
        Some(b"") => b"/",
        Some(path) => path,
        None => return Err(refused("REQUEST_URI is not a path")),
    };
    percent::decode(path).ok_or_else(|| refused("the path has a percent sign that starts no escape, or escapes a NUL"))
}

fn proxied_path(script_filename: &[u8]) -> Option<&[u8]> {
    behind_authority(script_filename.strip_prefix(b"proxy:")?)
}

/// What stands behind `scheme://authority`.
fn behind_authority(uri: &[u8]) -> Option<&[u8]> {
    let colon = uri.windows(3).position(|three| three == b"://")?;
    let rest = uri.get(colon + 3..)?;
    let slash = rest.iter().position(|&byte| byte == b'/').unwrap_or(rest.len());
    rest.get(slash..)
}

/// The servers whose SCRIPT_NAME is the whole path where nothing was said of PATH_INFO.
fn splits_nothing(software: Option<&[u8]>) -> bool {
    software.is_some_and(|software| software.starts_with(b"nginx") || software.starts_with(b"HAProxy"))
}

fn is_blank(value: Option<&[u8]>) -> bool {
    value.is_none_or(<[u8]>::is_empty)
}

/// A decimal number of bytes (RFC 9110 §8.6): nothing else may be taken for one.
fn parse_length(value: &[u8]) -> Result<u64, Error> {
    value
        .iter()
        .try_fold(0_u64, |length, &byte| {
            let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
            length.checked_mul(10)?.checked_add(digit)
        })
        .ok_or_else(|| refused("CONTENT_LENGTH is not a number"))
}

/// `HTTP/1.1`, or `HTTP/2` as some have it.
fn is_version(protocol: &[u8]) -> bool {
    match protocol.strip_prefix(b"HTTP/") {
        Some([major]) => major.is_ascii_digit(),
        Some([major, b'.', minor]) => major.is_ascii_digit() && minor.is_ascii_digit(),
        _ => false,
    }
}

/// `token` (RFC 9110 §5.6.2), which a method is.
fn is_token(method: &[u8]) -> bool {
    !method.is_empty() && method.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn refused(reason: &'static str) -> Error {
    Error::refused(StatusCode::BAD_REQUEST, reason)
}

/// Whether a variable must not be seen by an application.
fn is_unwanted(name: &[u8], value: &[u8]) -> bool {
    match name {
        // A client's `Proxy` field is not a proxy to use (httpoxy).
        b"HTTP_PROXY" => true,
        // They have variables of their own (PEP 3333; RFC 3875 §4.1.18).
        b"HTTP_CONTENT_TYPE" | b"HTTP_CONTENT_LENGTH" => true,
        // The connection is the web server's (RFC 9110 §7.6.1), and the body is decoded.
        b"HTTP_CONNECTION"
        | b"HTTP_KEEP_ALIVE"
        | b"HTTP_PROXY_CONNECTION"
        | b"HTTP_TE"
        | b"HTTP_TRAILER"
        | b"HTTP_TRANSFER_ENCODING"
        | b"HTTP_UPGRADE" => true,
        // An empty value stands for none (RFC 3875 §4.1).
        b"AUTH_TYPE" | b"CONTENT_LENGTH" | b"CONTENT_TYPE" | b"PATH_TRANSLATED" | b"REMOTE_HOST" | b"REMOTE_IDENT"
        | b"REMOTE_USER" => value.is_empty(),
        b"HTTPS" => value.is_empty() || value.eq_ignore_ascii_case(b"off"),
        _ => false,
    }
}

/// Whether a name might stand twice: `false` is certain, `true` takes a closer look.
///
/// On the way of every request: a few bytes of each name are compared, without a table to allocate.
fn may_repeat(vars: &Vars) -> bool {
    const MOST: usize = 48;
    let mut seen = [0_u64; MOST];
    for (count, (name, _)) in vars.iter().enumerate() {
        let mark = mark(name);
        let (before, rest) = seen.split_at_mut(count.min(MOST));
        let Some(place) = rest.first_mut() else { return true };
        if before.contains(&mark) {
            return true;
        }
        *place = mark;
    }
    false
}

/// The length, the last eight bytes and, of long names, the eight in front of them.
fn mark(name: &[u8]) -> u64 {
    let (rest, last) = last_eight(name);
    let (_, before) = last_eight(rest);
    last ^ before.rotate_left(29) ^ (name.len() as u64).rotate_left(56)
}

fn last_eight(name: &[u8]) -> (&[u8], u64) {
    match name.split_last_chunk::<8>() {
        Some((rest, last)) => (rest, u64::from_le_bytes(*last)),
        None => (&[], name.iter().fold(0, |mark, &byte| mark << 8 | u64::from(byte))),
    }
}

/// Makes one pair of those that share a name, in the place of the first.
fn join_repeated(vars: &Vars) -> Vars {
    let mut places = HashMap::new();
    let mut pairs: Vec<(&[u8], Cow<'_, [u8]>)> = Vec::new();
    for (name, value) in vars.iter() {
        let place = *places.entry(name).or_insert(pairs.len());
        match pairs.get_mut(place) {
            None => pairs.push((name, Cow::Borrowed(value))),
            Some((_, joined)) if name.starts_with(b"HTTP_") => {
                let joined = joined.to_mut();
                joined.extend_from_slice(if name == b"HTTP_COOKIE" { b"; " } else { b", " });
                joined.extend_from_slice(value);
            }
            Some((_, replaced)) => *replaced = Cow::Borrowed(value),
        }
    }
    let mut joined = Vars::with_capacity(vars.as_block().len());
    for (name, value) in pairs {
        joined.push(name, value);
    }
    joined
}
