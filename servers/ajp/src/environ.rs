//! From FORWARD_REQUEST to the environ that HTTP would have given.
//!
//! A web server decodes the fields, and could hand over any; the rules for them are those of a server that does it
//! itself (spec clauses 4.14 to 4.17), and of framing nothing is let through that could be read in two ways. What the
//! variables have to be beyond that is [`normalise`]'s, as for every server behind a web server.

use std::borrow::Cow;

use wgi::authority::{is_host, is_port};
use wgi::server::meta_variables::{Normal, content_length, normalise, remote};
use wgi::{Environ, Error, Gateway, StatusCode, Vars, percent};
use wgi_engine::{Request, RequestBody};

use crate::forward_request::{ForwardRequest, KeySize};
use crate::settings::{Dialect, Settings};

/// What the variables take that are in every environ, in bytes, as a rule.
const FIXED: usize = 384;
/// What a field takes at the most beyond what the packet had: `HTTP_`, two lengths, and a name for its code.
const FIELD_OVERHEAD: usize = 24;

/// Makes the request that an application is called with.
///
/// # Errors
/// When it cannot be served: 400, 431, 501.
pub(crate) fn request(sent: &ForwardRequest<'_>, settings: &Settings, gateway: Gateway) -> Result<Request, Error> {
    if sent.method == b"CONNECT" {
        // Its target is an authority to tunnel to, which is a proxy's business (RFC 9110 §9.3.6).
        return Err(Error::refused(StatusCode::NOT_IMPLEMENTED, "CONNECT is for proxies"));
    }
    if sent.fields.len() > settings.max_fields {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        let most = settings.max_fields;
        return Err(Error::refused(status, format!("the request has more than {most} header fields")));
    }
    let known = Known::of(sent)?;
    let body = known.body(sent.protocol)?;
    let Normal { vars, scheme, .. } = normalise(&variables(sent, &known, settings)?, settings.mount.as_ref())?;
    let mut gateway = gateway;
    gateway.url_scheme = scheme;
    Ok(Request {
        environ: Environ::new(vars, gateway),
        body,
        // The first packet of a body with a length is on its way already, and the web server had to have it for that.
        expects_continue: known.expects_continue && body == RequestBody::Unknown,
    })
}

/// The fields that mean something to the server.
#[derive(Debug, Default)]
struct Known<'a> {
    content_type: Option<&'a [u8]>,
    content_length: Option<&'a [u8]>,
    transfer_encoding: Option<&'a [u8]>,
    expects_continue: bool,
}

impl<'a> Known<'a> {
    /// Looks at every field once.
    fn of(sent: &ForwardRequest<'a>) -> Result<Known<'a>, Error> {
        let mut known = Known::default();
        let mut host = None;
        for (name, value) in sent.fields {
            if !is_token(name) {
                return Err(refused("the name of a header field is no token"));
            }
            if !value.iter().all(|&byte| is_text(byte)) {
                return Err(refused("the value of a header field holds a control character"));
            }
            let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
            let place = match name.len() {
                4 if is(b"host") => &mut host,
                12 if is(b"content-type") => &mut known.content_type,
                14 if is(b"content-length") => &mut known.content_length,
                17 if is(b"transfer-encoding") => &mut known.transfer_encoding,
                _ => {
                    known.expects_continue |= is(b"expect") && value.eq_ignore_ascii_case(b"100-continue");
                    continue;
                }
            };
            if place.replace(value).is_some() {
                return Err(refused("Host, Content-Type, Content-Length or Transfer-Encoding is repeated"));
            }
        }
        Ok(known)
    }

    /// How long the body is (RFC 9112 §6.3). mod_proxy_ajp passes `Transfer-Encoding: chunked` on, and the content
    /// without chunks: how long that is shows at its end.
    fn body(&self, protocol: &[u8]) -> Result<RequestBody, Error> {
        match (self.content_length, self.transfer_encoding) {
            (None, None) => Ok(RequestBody::None),
            (Some(length), None) => match content_length(length) {
                Some(0) => Ok(RequestBody::None),
                Some(length) => Ok(RequestBody::Length(length)),
                None => Err(refused("Content-Length is not a number")),
            },
            (Some(_), Some(_)) => Err(refused("Content-Length and Transfer-Encoding are both there")),
            (None, Some(_)) if protocol == b"HTTP/1.0" => Err(refused("HTTP/1.0 has no Transfer-Encoding")),
            (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") => Ok(RequestBody::Unknown),
            // CVE-2022-26377: what the web server took for no coding, the application must not take for one.
            (None, Some(_)) => {
                Err(Error::refused(StatusCode::NOT_IMPLEMENTED, "only the transfer coding `chunked` is known"))
            }
        }
    }
}

/// Whether a field becomes an `HTTP_` variable: not with another name than of letters, digits and `-` (spec clause
/// 4.16). Those of the body and of the connection do not; what else an application must not see, [`normalise`] takes
/// out.
fn is_variable(name: &[u8]) -> bool {
    let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
    name.iter().all(|&byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !(is(b"content-type") || is(b"content-length") || is(b"transfer-encoding") || is(b"connection"))
}

fn variables(sent: &ForwardRequest<'_>, known: &Known<'_>, settings: &Settings) -> Result<Vars, Error> {
    let fields: usize = sent.fields.map(|(name, value)| name.len() + value.len() + FIELD_OVERHEAD).sum();
    let query = sent.attributes.query_string;
    let room = fields + 3 * sent.req_uri.len() + 2 * query.map_or(0, <[u8]>::len) + FIXED;
    let mut vars = Vars::with_capacity(room);
    // What is looked up most stands first.
    vars.push("REQUEST_METHOD", sent.method);
    push_target(sent.req_uri, query, settings.dialect, &mut vars)?;
    vars.push("SERVER_PROTOCOL", sent.protocol);
    push_given("SERVER_NAME", sent.server_name, &mut vars);
    if let Some(content_type) = known.content_type {
        vars.push("CONTENT_TYPE", content_type);
    }
    // lighttpd says the length of no body, too.
    let is_said = |length: &&[u8]| settings.dialect == Dialect::Standard || *length != b"0";
    if let Some(content_length) = known.content_length.filter(is_said) {
        vars.push("CONTENT_LENGTH", content_length);
    }
    for (name, value) in sent.fields.filter(|(name, _)| is_variable(name)) {
        vars.push_field(name, value);
    }
    push_connection(sent, &mut vars);
    vars.push("GATEWAY_INTERFACE", "CGI/1.1");
    vars.push("SERVER_SOFTWARE", concat!("wgi/", env!("CARGO_PKG_VERSION")));
    let attributes = &sent.attributes;
    push_given("REMOTE_USER", attributes.remote_user, &mut vars);
    push_given("AUTH_TYPE", attributes.auth_type, &mut vars);
    push_given("AJP_JVM_ROUTE", attributes.jvm_route, &mut vars);
    if sent.is_ssl {
        push_tls(sent, &mut vars);
    }
    Ok(vars)
}

/// Appends the path, the query, and the target that both make. The path is not split here: what is mounted where, the
/// web server does not say.
fn push_target(path: &[u8], query: Option<&[u8]>, dialect: Dialect, vars: &mut Vars) -> Result<(), Error> {
    if !path.starts_with(b"/") && path != b"*" {
        return Err(refused("req_uri is not a path"));
    }
    let query = query.unwrap_or_default();
    if !query.iter().all(|&byte| is_visible(byte)) {
        return Err(refused("the query holds a space or a control character"));
    }
    let (path_info, uri) = match dialect {
        Dialect::Standard => {
            if !path.iter().all(|&byte| is_visible(byte) && byte != b'?' && byte != b'#') {
                return Err(refused("req_uri holds what has to be percent-encoded in a path"));
            }
            let decoded = percent::decode(path)
                .ok_or_else(|| refused("the path has a percent sign that starts no escape, or escapes a NUL"))?;
            (decoded, Cow::Borrowed(path))
        }
        Dialect::Lighttpd => (Cow::Borrowed(path), Cow::Owned(percent::encode(path).into_bytes())),
    };
    vars.push("PATH_INFO", path_info);
    vars.push("SCRIPT_NAME", "");
    vars.push("QUERY_STRING", query);
    match query {
        b"" => vars.push("REQUEST_URI", uri),
        query => vars.push("REQUEST_URI", [&uri, &b"?"[..], query].concat()),
    }
    Ok(())
}

/// Appends who is at both ends of the client's connection.
fn push_connection(sent: &ForwardRequest<'_>, vars: &mut Vars) {
    push_given("REMOTE_ADDR", sent.remote_addr, vars);
    push_given("REMOTE_PORT", sent.attributes.remote_port.filter(|port| is_port(port)), vars);
    push_given("REMOTE_HOST", sent.remote_host.filter(|host| is_host(host)), vars);
    if let Some(address) = sent.attributes.local_addr.and_then(|sent| remote(sent).address) {
        vars.push("SERVER_ADDR", address);
    }
    // lighttpd has none on a Unix socket.
    if sent.server_port > 0 {
        vars.push("SERVER_PORT", itoa::Buffer::new().format(sent.server_port));
    }
    vars.push("REQUEST_SCHEME", if sent.is_ssl { "https" } else { "http" });
}

/// Appends what is known of TLS, by the names of Apache's mod_ssl.
fn push_tls(sent: &ForwardRequest<'_>, vars: &mut Vars) {
    let attributes = &sent.attributes;
    vars.push("HTTPS", "on");
    push_given("SSL_PROTOCOL", attributes.ssl_protocol, vars);
    push_given("SSL_CIPHER", attributes.ssl_cipher, vars);
    push_given("SSL_SESSION_ID", attributes.ssl_session, vars);
    match attributes.ssl_key_size {
        Some(KeySize::Number(bits)) => vars.push("SSL_CIPHER_USEKEYSIZE", itoa::Buffer::new().format(bits)),
        Some(KeySize::Text(bits)) => vars.push("SSL_CIPHER_USEKEYSIZE", bits),
        None => {}
    }
    push_given("SSL_CLIENT_CERT", attributes.ssl_cert, vars);
}

fn push_given(name: &str, value: Option<&[u8]>, vars: &mut Vars) {
    if let Some(value) = value {
        vars.push(name, value);
    }
}

/// `token` (RFC 9110 §5.6.2).
fn is_token(name: &[u8]) -> bool {
    wgi::server::meta_variables::is_method(name)
}

/// What may stand in a field value: HTAB, SP, VCHAR, obs-text (RFC 9110 §5.5).
fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// What may stand in a target, and what is not ASCII: neither a space nor a control character (RFC 9112 §3.2).
fn is_visible(byte: u8) -> bool {
    byte > b' ' && byte != 0x7f
}

fn refused(reason: &'static str) -> Error {
    Error::refused(StatusCode::BAD_REQUEST, reason)
}
