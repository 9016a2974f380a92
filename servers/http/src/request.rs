//! The head of a request, as an environ (RFC 3875 §4.1).

use std::borrow::Cow;
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};

use httparse::Header;
use wgi::{Environ, Error, Gateway, Scheme, StatusCode, Vars};
use wgi_engine::{ConnectionInfo, Request, RequestBody};

use crate::framing::{BodyLength, FramingFields};
use crate::host::Host;
use crate::scan::MAX_METHOD;
use crate::settings::{SOFTWARE, Settings};
use crate::target::Target;
use crate::token::{is_plain, is_token_char, list, malformed};

/// Up to how many fields a head is parsed on the stack.
pub(crate) const FIELDS_ON_STACK: usize = 128;
/// More than the variables take that are in every environ, beyond what the head itself gives.
const FIXED_VARIABLES: usize = 256;
/// What a field takes at the most beyond its name and value: `HTTP_` and two lengths of four bytes, less the colon
/// and the CRLF that it had.
const FIELD_OVERHEAD: usize = 10;

/// How long a host is that is kept for the next request: that of a name (RFC 1035 §2.3.4) with a port. No connection
/// that is idle holds more.
const LONGEST_HOST: usize = 255 + ":65535".len();

/// What is the same in all requests of a connection.
#[derive(Debug)]
pub(crate) struct Connection {
    peer: Option<SocketAddr>,
    local: Option<SocketAddr>,
    gateway: Gateway,
    /// The variables of it, made for the first request: most connections that are open are idle.
    vars: Vars,
    /// The variables of the last request's `Host` and version: a client has the same in all requests of a connection.
    host: Vars,
    is_http_11: bool,
}

/// A request, and what its reply needs to know of it.
#[derive(Debug)]
pub(crate) struct Parsed {
    /// How many bytes the head has.
    pub(crate) length: usize,
    pub(crate) request: Request,
    pub(crate) body: BodyLength,
    pub(crate) is_http_11: bool,
    pub(crate) is_persistent: bool,
    pub(crate) is_head: bool,
}

impl Connection {
    pub(crate) fn new(connection: &ConnectionInfo) -> Connection {
        let ConnectionInfo { peer, local, gateway } = *connection;
        Connection { peer, local, gateway, vars: Vars::new(), host: Vars::new(), is_http_11: true }
    }

    /// Parses the head that `input` starts with, when that is a whole one of up to `fields` fields.
    ///
    /// # Errors
    /// When it is malformed or over a limit.
    pub(crate) fn parse(&mut self, input: &[u8], fields: usize, settings: &Settings) -> Result<Option<Parsed>, Error> {
        if fields <= FIELDS_ON_STACK {
            self.parse_into(input, &mut [const { MaybeUninit::uninit() }; FIELDS_ON_STACK], settings)
        } else {
            self.parse_into(input, &mut vec![MaybeUninit::uninit(); fields], settings)
        }
    }

    fn parse_into<'a>(
        &mut self,
        input: &'a [u8],
        headers: &mut [MaybeUninit<Header<'a>>],
        settings: &Settings,
    ) -> Result<Option<Parsed>, Error> {
        let mut parsed = httparse::Request::new(&mut []);
        let status = parsed.parse_with_uninit_headers(input, headers).map_err(|error| malformed(reason(error)))?;
        let (httparse::Status::Complete(length), Some(method), Some(target_text), Some(minor)) =
            (status, parsed.method, parsed.path, parsed.version)
        else {
            return Ok(None);
        };
        let head = &input[..length];
        check(head, method, target_text, parsed.headers, settings)?;
        let is_http_11 = minor == 1;
        let target = Target::parse(method, target_text)?;

        if self.vars.is_empty() {
            self.vars = self.variables(settings);
        }
        // Each part of the head stands in one variable, but the target, which stands in two, and the host, for which
        // there is room in all but rare cases: an environ takes one allocation.
        let room = self.vars.as_block().len()
            + head.len()
            + target_text.len()
            + parsed.headers.len() * FIELD_OVERHEAD
            + FIXED_VARIABLES;
        let mut vars = Vars::with_capacity(room);
        // What is looked up most stands first.
        vars.push("REQUEST_METHOD", method);
        vars.push("PATH_INFO", &target.path);
        vars.push("QUERY_STRING", target.query);
        vars.push("REQUEST_URI", target_text);
        let known = push_fields(parsed.headers, &mut vars)?;
        let body = known.framing.body_length(is_http_11)?;
        self.push_host(known.host, target.host, is_http_11, &mut vars)?;
        if let Some(content_type) = known.content_type {
            vars.push("CONTENT_TYPE", content_type);
        }
        if let Some(content_length) = known.framing.content_length {
            vars.push("CONTENT_LENGTH", content_length);
        }
        vars.extend(&self.vars);

        let request_body = match body {
            BodyLength::Sized(0) => RequestBody::None,
            BodyLength::Sized(length) => RequestBody::Length(length),
            BodyLength::Chunked => RequestBody::Unknown,
        };
        let expects_continue = is_http_11 && known.expects_continue()? && request_body != RequestBody::None;
        Ok(Some(Parsed {
            length,
            request: Request { environ: Environ::new(vars, self.gateway), body: request_body, expects_continue },
            body,
            is_http_11,
            is_persistent: !known.closes && (is_http_11 || known.keeps_alive),
            is_head: method == "HEAD",
        }))
    }

    /// Appends the variables of the request's version and host: that of its target, or of `Host`, which must be there and
    /// valid even where the target counts (RFC 9112 §3.2, §3.2.2).
    fn push_host(
        &mut self,
        field: Option<&[u8]>,
        target: Option<Host<'_>>,
        is_http_11: bool,
        vars: &mut Vars,
    ) -> Result<(), Error> {
        let is_last = self.is_http_11 == is_http_11 && target.is_none();
        if is_last && field.is_some() && self.host.get("HTTP_HOST") == field {
            vars.extend(&self.host);
            return Ok(());
        }
        let protocol = if is_http_11 { "HTTP/1.1" } else { "HTTP/1.0" };
        let host = match (field.map(Host::parse).transpose()?, target) {
            (None, _) if is_http_11 => return Err(malformed("Host is missing")),
            (_, Some(host)) | (Some(host), None) => host,
            (None, None) => {
                vars.push("SERVER_NAME", self.local_name());
                vars.push("SERVER_PROTOCOL", protocol);
                return Ok(());
            }
        };
        let host_vars = host.variables(protocol);
        vars.extend(&host_vars);
        if target.is_none() && host.authority.len() <= LONGEST_HOST {
            (self.host, self.is_http_11) = (host_vars, is_http_11);
        }
        Ok(())
    }

    /// The variables that every request of the connection has.
    fn variables(&self, settings: &Settings) -> Vars {
        let scheme = self.gateway.url_scheme;
        let mut vars = Vars::with_capacity(FIXED_VARIABLES);
        vars.push("SCRIPT_NAME", "");
        vars.push("GATEWAY_INTERFACE", "CGI/1.1");
        match &settings.server {
            Some(server) => vars.push("SERVER_SOFTWARE", server),
            None => vars.push("SERVER_SOFTWARE", SOFTWARE),
        }
        if let Some(peer) = self.peer {
            vars.push("REMOTE_ADDR", peer.ip().to_canonical().to_string());
            vars.push("REMOTE_PORT", peer.port().to_string());
        }
        if let Some(local) = self.local {
            vars.push("SERVER_ADDR", local.ip().to_canonical().to_string());
        }
        let port = self.local.map_or(scheme.default_port(), |local| local.port());
        vars.push("SERVER_PORT", port.to_string());
        vars.push("REQUEST_SCHEME", scheme.as_str());
        if scheme == Scheme::Https {
            vars.push("HTTPS", "on");
        }
        vars
    }

    /// SERVER_NAME where the request names no host (RFC 3875 §4.1.14).
    fn local_name(&self) -> String {
        match self.local.map(|local| local.ip().to_canonical()) {
            Some(IpAddr::V6(address)) => format!("[{address}]"),
            Some(IpAddr::V4(address)) => address.to_string(),
            None => "localhost".into(),
        }
    }
}

/// The fields that mean something to the server.
#[derive(Debug, Default)]
struct Known<'a> {
    host: Option<&'a [u8]>,
    content_type: Option<&'a [u8]>,
    framing: FramingFields<'a>,
    /// `Expect`, and that there is a member other than `100-continue`.
    expects: bool,
    expects_other: bool,
    /// The options of `Connection` (RFC 9112 §9.3).
    closes: bool,
    keeps_alive: bool,
}

impl<'a> Known<'a> {
    /// Takes a field that means something.
    fn take(&mut self, field: Field, value: &'a [u8]) -> Result<(), Error> {
        match field {
            Field::Host if self.host.replace(value).is_some() => return Err(malformed("Host is repeated")),
            Field::ContentType if self.content_type.replace(value).is_some() => {
                return Err(malformed("Content-Type is repeated"));
            }
            Field::ContentLength => {
                self.framing.is_repeated |= self.framing.content_length.replace(value).is_some();
            }
            Field::TransferEncoding => {
                self.framing.is_repeated |= self.framing.transfer_encoding.replace(value).is_some();
            }
            Field::Connection => {
                self.closes |= list(value).any(|option| option.eq_ignore_ascii_case(b"close"));
                self.keeps_alive |= list(value).any(|option| option.eq_ignore_ascii_case(b"keep-alive"));
            }
            Field::Expect => {
                self.expects = true;
                self.expects_other |= !value.eq_ignore_ascii_case(b"100-continue");
            }
            Field::Host | Field::ContentType | Field::Dropped | Field::Other => {}
        }
        Ok(())
    }

    /// `Expect: 100-continue` (RFC 9110 §10.1.1).
    fn expects_continue(&self) -> Result<bool, Error> {
        if self.expects_other {
            return Err(Error::refused(StatusCode::EXPECTATION_FAILED, "only `100-continue` can be expected"));
        }
        Ok(self.expects)
    }
}

/// What a field is to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Host,
    ContentType,
    ContentLength,
    TransferEncoding,
    Connection,
    Expect,
    /// The environ does not have it.
    Dropped,
    Other,
}

impl Field {
    fn of(name: &str) -> Field {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        match name.len() {
            2 if is("te") => Field::Dropped,
            4 if is("host") => Field::Host,
            5 if is("proxy") => Field::Dropped,
            6 if is("expect") => Field::Expect,
            7 if is("trailer") || is("upgrade") => Field::Dropped,
            10 if is("connection") => Field::Connection,
            10 if is("keep-alive") => Field::Dropped,
            12 if is("content-type") => Field::ContentType,
            14 if is("content-length") => Field::ContentLength,
            16 if is("proxy-connection") => Field::Dropped,
            17 if is("transfer-encoding") => Field::TransferEncoding,
            // `X_Y` and `X-Y` would be the same variable: one that could be taken for another's is left out.
            _ if name.bytes().all(is_plain) => Field::Other,
            _ => Field::Dropped,
        }
    }

    /// Whether it becomes an `HTTP_` variable as it stands.
    fn is_variable(self) -> bool {
        matches!(self, Field::Expect | Field::Other)
    }
}

/// Appends the fields as variables, each name once; gives those that mean something to the server.
fn push_fields<'a>(fields: &[Header<'a>], vars: &mut Vars) -> Result<Known<'a>, Error> {
    let mut known = Known::default();
    let repeats = Repeats::of(fields);
    for (index, field) in fields.iter().enumerate() {
        let kind = Field::of(field.name);
        known.take(kind, field.value)?;
        if !kind.is_variable() {
            continue;
        }
        if repeats.as_ref().is_some_and(|repeats| !repeats.may_have(field.name)) {
            vars.push_field(field.name.as_bytes(), field.value);
            continue;
        }
        let is_same = |other: &&Header<'_>| other.name.eq_ignore_ascii_case(field.name);
        let (before, behind) = fields.split_at(index);
        if before.iter().any(|other| is_same(&other)) {
            continue;
        }
        // The rest of a list is joined in a block of its own, for repeats are rare.
        let separator: &[u8] = if field.name.eq_ignore_ascii_case("cookie") { b"; " } else { b", " };
        let mut value = Cow::Borrowed(field.value);
        for other in behind.iter().skip(1).filter(is_same) {
            value.to_mut().extend_from_slice(separator);
            value.to_mut().extend_from_slice(other.value);
        }
        vars.push_field(field.name.as_bytes(), &value);
    }
    Ok(known)
}

/// Which names may stand more than once: a filter, so that not every name is compared with every other. It errs only by
/// saying that one may.
struct Repeats {
    again: [u64; Repeats::WORDS],
    /// Any may.
    any: bool,
}

impl Repeats {
    const WORDS: usize = 16;

    /// Fewer fields than this are compared sooner than filtered.
    const WORTH_IT: usize = 4;

    /// The filter for these fields, where they are enough for one.
    fn of(fields: &[Header<'_>]) -> Option<Repeats> {
        if fields.len() < Repeats::WORTH_IT {
            return None;
        }
        let mut seen = [0; Repeats::WORDS];
        let mut repeats = Repeats { again: [0; Repeats::WORDS], any: false };
        for field in fields {
            let (word, bit) = Repeats::place(field.name);
            repeats.any |= seen[word] & bit != 0;
            repeats.again[word] |= seen[word] & bit;
            seen[word] |= bit;
        }
        Some(repeats)
    }

    fn may_have(&self, name: &str) -> bool {
        if !self.any {
            return false;
        }
        let (word, bit) = Repeats::place(name);
        self.again[word] & bit != 0
    }

    /// Where a name has its bit, in whatever case it is written: its bytes, eight at a time, mixed by a multiplication.
    fn place(name: &str) -> (usize, u64) {
        const LOWER_CASE: u64 = 0x2020_2020_2020_2020;
        const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;
        let mix = |hash: u64, bytes: u64| (hash.rotate_left(23) ^ (bytes | LOWER_CASE)).wrapping_mul(GOLDEN_RATIO);
        let (chunks, rest) = name.as_bytes().as_chunks();
        let hash = chunks.iter().fold(0, |hash, chunk| mix(hash, u64::from_le_bytes(*chunk)));
        // The last eight bytes, some of which were in a chunk already; of a short name all that there are.
        let last = match name.as_bytes().last_chunk() {
            Some(last) => u64::from_le_bytes(*last),
            None => rest.iter().fold(0, |bytes, &byte| bytes << 8 | u64::from(byte)),
        };
        let hash = mix(hash, last);
        ((hash >> 58) as usize % Repeats::WORDS, 1 << (hash >> 52 & 63))
    }
}

/// Checks what httparse is lenient about, or has no limit for. [`Scan`](crate::scan::Scan) says the same with more words.
fn check(head: &[u8], method: &str, target: &str, fields: &[Header<'_>], settings: &Settings) -> Result<(), Error> {
    // It skips empty lines in front, takes lines that end in LF alone, and targets with bytes that are not ASCII.
    let starts = head.first().copied().is_some_and(is_token_char);
    let follows_crlf = |field: &Header<'_>| {
        let at = field.name.as_ptr().addr().wrapping_sub(head.as_ptr().addr());
        head.get(..at).is_some_and(|before| before.ends_with(b"\r\n"))
    };
    let has_crlf = head.ends_with(b"\r\n\r\n") && fields.iter().all(follows_crlf);
    let is_within = head.len() <= settings.max_head
        && fields.len() <= settings.max_fields
        && target.len() <= settings.max_target
        && method.len() <= MAX_METHOD;
    if starts && has_crlf && is_within && target.is_ascii() {
        return Ok(());
    }
    Err(malformed("the request head is malformed"))
}

fn reason(error: httparse::Error) -> &'static str {
    match error {
        httparse::Error::HeaderName => "the name of a header field is no token, or not followed by a colon",
        httparse::Error::HeaderValue => "the value of a header field holds a control character",
        httparse::Error::Token => "the request line is not a method, a target and a version",
        _ => "the request head is malformed",
    }
}
