//! One pass over the variables as they were sent: what matters is found, and what is to be mended is said.

use crate::authority::{self, is_port};
use crate::{Error, Scheme, Vars};

use super::form::{content_length, is_absent, is_foul, is_method, is_version, is_withheld_field};
use super::host::{is_host, remote, split_port};
use super::path::{Mount, split_path};
use super::refused;
use super::repeats::Names;

/// What is to be changed.
pub(crate) struct Changes {
    /// Variables that are new, or replace one that was sent.
    pub(crate) new: Vars,
    pub(crate) has_unwanted: bool,
    pub(crate) scheme: Scheme,
    pub(crate) content_length: Option<u64>,
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
    pub(crate) may_repeat: bool,
}

impl<'a> Sent<'a> {
    pub(crate) fn scan(vars: &'a Vars) -> Sent<'a> {
        let mut sent = Sent::default();
        let (mut names, mut zeros) = (Names::new(), 0);
        for (name, value) in vars.iter() {
            sent.may_repeat |= names.add(name);
            sent.is_foul |= name.is_empty();
            zeros += zeros_of_length(name.len()) + zeros_of_length(value.len());
            if let [b'H', b'T', b'T', b'P', b'_', field @ ..] = name {
                sent.has_unwanted |= is_withheld_field(field);
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

    pub(crate) fn changes(&self, mount: Option<&Mount>) -> Result<Changes, Error> {
        if self.is_foul {
            return Err(refused("a variable without a name, or with NUL in it"));
        }
        if self.host.is_some_and(|host| !host.is_empty() && authority::split(host).is_none()) {
            return Err(refused("Host is not a host"));
        }
        let Some(method) = self.method.filter(|method| is_method(method)) else {
            return Err(refused("REQUEST_METHOD is not a method"));
        };
        let (script_name, path_info) = split_path(self, mount)?;
        if *path_info == *b"*" && method != b"OPTIONS" {
            return Err(refused("only OPTIONS can be for * (RFC 9112 §3.2.4)"));
        }
        let content_length = match self.length {
            Some(sent) => Some(content_length(sent).ok_or_else(|| refused("CONTENT_LENGTH is not a number"))?),
            None => None,
        };
        let scheme = self.scheme();
        let mut new = Vars::new();
        if self.script_name != Some(&*script_name) || self.path_info != Some(&*path_info) {
            new.push("SCRIPT_NAME", &script_name);
            new.push("PATH_INFO", &path_info);
        }
        self.mend(scheme, &mut new);
        Ok(Changes { new, has_unwanted: self.has_unwanted, scheme, content_length })
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
        let remote = remote(sent);
        match remote.address {
            Some(address) if *address == *sent => {}
            Some(address) => new.push("REMOTE_ADDR", address),
            // Never one that somebody may trust.
            None => new.push("REMOTE_ADDR", "0.0.0.0"),
        }
        if let (Some(port), None) = (remote.port, self.remote_port) {
            new.push("REMOTE_PORT", port);
        }
    }
}

fn is_blank(value: Option<&[u8]>) -> bool {
    value.is_none_or(<[u8]>::is_empty)
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
