//! From a PARAMS stream to the environ that HTTP would have given: web servers differ in what they send.
//!
//! The block of pairs is taken over as it came. One pass over it finds what is to be mended; only where there is
//! something, a second pass takes pairs out, and new ones are appended. The rules:
//!
//! **Path.** `SCRIPT_NAME` is where the application is mounted, `PATH_INFO` the rest: see `path.rs`.
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

use std::net::IpAddr;

use wgi::authority::{self, is_port};
use wgi::{Error, Scheme, StatusCode, Vars};

use crate::host::{is_host, split_port, without_brackets};
use crate::path::split_path;
use crate::repeats::{Names, join_repeated};

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
/// When this request cannot be served: its method, path, host or length is not one.
pub(crate) fn normalise(mut vars: Vars, mount: Option<&[u8]>) -> Result<Normal, Error> {
    let changes = match Sent::scan(&vars) {
        sent if !sent.may_repeat => sent.changes(mount)?,
        _ => {
            vars = join_repeated(&vars);
            Sent::scan(&vars).changes(mount)?
        }
    };
    let Changes { new, has_unwanted, scheme, length } = changes;
    if has_unwanted || !new.is_empty() {
        vars.retain(|name, value| match name {
            [b'H', b'T', b'T', b'P', b'_', field @ ..] => !is_unwanted(field),
            name => !is_absent(name, value) && new.get(name).is_none(),
        });
        vars.extend(&new);
    }
    Ok(Normal { vars, scheme, length })
}

/// What is to be changed.
struct Changes {
    /// Variables that are new, or replace one that was sent.
    new: Vars,
    has_unwanted: bool,
    scheme: Scheme,
    length: Option<u64>,
}

/// The variables that matter here, as they were sent.
#[derive(Default)]
pub(crate) struct Sent<'a> {
    method: Option<&'a [u8]>,
    pub(crate) script_name: Option<&'a [u8]>,
    pub(crate) path_info: Option<&'a [u8]>,
    query: Option<&'a [u8]>,
    /// Never empty.
    pub(crate) uri: Option<&'a [u8]>,
    pub(crate) script_filename: Option<&'a [u8]>,
    pub(crate) document_root: Option<&'a [u8]>,
    pub(crate) context_document_root: Option<&'a [u8]>,
    pub(crate) context_prefix: Option<&'a [u8]>,
    pub(crate) software: Option<&'a [u8]>,
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
    /// A name may stand twice. Then nothing else here is of use.
    may_repeat: bool,
}

impl<'a> Sent<'a> {
    fn scan(vars: &'a Vars) -> Sent<'a> {
        let mut sent = Sent::default();
        let (mut names, mut zeros) = (Names::new(), 0);
        for (name, value) in vars.iter() {
            sent.may_repeat |= names.add(name);
            sent.is_foul |= name.is_empty();
            zeros += zeros_of_length(name.len()) + zeros_of_length(value.len());
            if let [b'H', b'T', b'T', b'P', b'_', field @ ..] = name {
                sent.has_unwanted |= is_unwanted(field);
                if field == b"HOST" {
                    sent.host = Some(value);
                }
                continue;
            }
            if is_absent(name, value) {
                sent.has_unwanted = true;
                continue;
            }
            let place = match name {
                b"REQUEST_METHOD" => &mut sent.method,
                b"SCRIPT_NAME" => &mut sent.script_name,
                b"PATH_INFO" => &mut sent.path_info,
                b"QUERY_STRING" => &mut sent.query,
                b"REQUEST_URI" => &mut sent.uri,
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
                b"REMOTE_PORT" => &mut sent.remote_port,
                b"REQUEST_SCHEME" => &mut sent.request_scheme,
                b"HTTPS" => &mut sent.https,
                b"CONTENT_LENGTH" => &mut sent.length,
                _ => continue,
            };
            *place = Some(value);
        }
        // One quick look at the whole block does for most: no NUL is in it but in lengths, and no name can have a `=`.
        let block = vars.as_block();
        if zeros_of(block) != zeros || block.contains(&b'=') {
            sent.is_foul |= vars.iter().any(|(name, value)| is_foul(name, value));
        }
        sent
    }

    fn changes(&self, mount: Option<&[u8]>) -> Result<Changes, Error> {
        if self.is_foul {
            return Err(refused("a variable without a name, or with NUL in it"));
        }
        if self.host.is_some_and(|host| !host.is_empty() && authority::split(host).is_none()) {
            return Err(refused("Host is not a host"));
        }
        let Some(method) = self.method.filter(|method| is_token(method)) else {
            return Err(refused("REQUEST_METHOD is not a method"));
        };
        let (script_name, path_info) = split_path(self, mount)?;
        if *path_info == *b"*" && method != b"OPTIONS" {
            return Err(refused("only OPTIONS can be for * (RFC 9112 §3.2.4)"));
        }
        let length = self.length.map(parse_length).transpose()?;
        let scheme = self.scheme();
        let mut new = Vars::new();
        if self.script_name != Some(&*script_name) || self.path_info != Some(&*path_info) {
            new.push("SCRIPT_NAME", &script_name);
            new.push("PATH_INFO", &path_info);
        }
        self.mend(scheme, &mut new);
        Ok(Changes { new, has_unwanted: self.has_unwanted, scheme, length })
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

/// How many bytes are zero: in runs of a length that a byte can count, so that the compiler takes many at once.
fn zeros_of(block: &[u8]) -> usize {
    let runs = block.chunks(usize::from(u8::MAX));
    runs.map(|run| usize::from(run.iter().fold(0, |zeros: u8, &byte| zeros + u8::from(byte == 0)))).sum()
}

/// How many bytes of a length are zero, in the layout of FastCGI §3.4. Where it is longer than it had to be, there are more.
fn zeros_of_length(length: usize) -> usize {
    if length < 0x80 {
        return usize::from(length == 0);
    }
    let bytes = (length as u32).to_be_bytes();
    bytes.iter().skip(1).filter(|&&byte| byte == 0).count()
}

/// Whether it is a variable that no process could have.
fn is_foul(name: &[u8], value: &[u8]) -> bool {
    name.is_empty() || name.contains(&b'=') || name.contains(&0) || value.contains(&0)
}

pub(crate) fn refused(reason: &'static str) -> Error {
    Error::refused(StatusCode::BAD_REQUEST, reason)
}

/// Whether a header field must not be seen by an application: by its variable's name without `HTTP_`.
fn is_unwanted(field: &[u8]) -> bool {
    matches!(
        field,
        // A client's `Proxy` field is not a proxy to use (httpoxy).
        b"PROXY"
        // They have variables of their own (PEP 3333; RFC 3875 §4.1.18).
        | b"CONTENT_TYPE" | b"CONTENT_LENGTH"
        // The connection is the web server's (RFC 9110 §7.6.1), and the body is decoded.
        | b"CONNECTION" | b"KEEP_ALIVE" | b"PROXY_CONNECTION" | b"TE" | b"TRAILER" | b"TRANSFER_ENCODING" | b"UPGRADE"
    )
}

/// Whether a variable's value stands for its absence (RFC 3875 §4.1).
fn is_absent(name: &[u8], value: &[u8]) -> bool {
    match value {
        b"" => matches!(
            name,
            b"AUTH_TYPE"
                | b"CONTENT_LENGTH"
                | b"CONTENT_TYPE"
                | b"HTTPS"
                | b"PATH_TRANSLATED"
                | b"REMOTE_HOST"
                | b"REMOTE_IDENT"
                | b"REMOTE_PORT"
                | b"REMOTE_USER"
                | b"REQUEST_URI"
        ),
        [b'o' | b'O', b'f' | b'F', b'f' | b'F'] => name == b"HTTPS",
        _ => false,
    }
}
