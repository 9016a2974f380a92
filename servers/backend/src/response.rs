//! The head of what a CGI program answers (RFC 3875 §6), read strictly: bytes in, a head or a redirect out.
//!
//! [`HeadReader`] collects bytes up to the empty line and then reads them once. The grammar that it holds a program to:
//!
//! ```text
//! response      = 1*( field NL ) NL [ body ]
//! field         = name ":" value                one of Content-Type, Location and Status at least, none of them twice
//! Status        = 3DIGIT [ SP reason ]          200 to 599
//! Location      = URI / local-path [ "?" query ]
//! NL            = LF / CR LF
//! ```
//!
//! A [`Form::Http`] response, which a script of the kind "non-parsed headers" gives (RFC 3875 §5), has the status line
//! of HTTP in front and no such rules for its fields.
//!
//! What is left is the head that an application may give to a server: fields of the connection are gone, and so are
//! those that a status does not have.

use httparse::{EMPTY_HEADER, Header};
use wgi::{Bytes, Head, HeaderName, HeaderValue, Headers, Status, StatusCode, header, is_hop_by_hop};

/// In which form a program answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Fields, among them `Status` (RFC 3875 §6): CGI, FastCGI and SCGI.
    #[default]
    Cgi,
    /// A status line and fields (RFC 9112 §4): CGI scripts whose name starts with `nph-`.
    Http,
}

/// What a head said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A response: the head to give to the client; the body follows.
    Response(Head),
    /// The response is that of another resource of this server (RFC 3875 §6.2.2): a path, percent-encoded, that starts
    /// with one slash, and perhaps a query.
    LocalRedirect(Bytes),
}

/// Why a head is none: one sentence for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(String);

/// Collects the bytes of a head.
#[derive(Debug)]
pub struct HeadReader {
    form: Form,
    max_head: usize,
    max_fields: usize,
    head: Vec<u8>,
    /// Where the line starts that was not seen to its end yet.
    line: usize,
}

impl HeadReader {
    /// Reads a head of that form, of up to `max_head` bytes with its empty line, and up to `max_fields` fields.
    pub fn new(form: Form, max_head: usize, max_fields: usize) -> HeadReader {
        HeadReader { form, max_head, max_fields, head: Vec::new(), line: 0 }
    }

    /// Takes the next bytes of the response. Once the head is complete, gives what it says and the bytes behind it; a
    /// reader that has done so is not used again.
    ///
    /// # Errors
    /// [`Malformed`] when it is no head, or over a limit.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<(Answer, Bytes)>, Malformed> {
        // What comes behind the head is not copied into it, however much that is.
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let (line, behind) = rest.split_at(end + 1);
            self.append(line)?;
            rest = behind;
            let is_empty = matches!(self.head.get(self.line..), Some(b"\n" | b"\r\n"));
            self.line = self.head.len();
            if is_empty {
                let answer = read(&self.head, self.form, self.max_fields)?;
                return Ok(Some((answer, Bytes::copy_from_slice(rest))));
            }
        }
        self.append(rest)?;
        Ok(None)
    }

    /// What is wrong when the response ends here, within its head.
    pub fn ended(&self) -> Malformed {
        if self.head.is_empty() {
            return malformed("it gave no response");
        }
        malformed("the response ended before the empty line behind its head")
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        if self.head.len() + bytes.len() > self.max_head {
            return Err(malformed(format!("the head of the response is over {} bytes", self.max_head)));
        }
        self.head.extend_from_slice(bytes);
        Ok(())
    }
}

/// Reads a whole head, with its empty line.
fn read(head: &[u8], form: Form, max_fields: usize) -> Result<Answer, Malformed> {
    let mut fields = vec![EMPTY_HEADER; max_fields];
    match form {
        Form::Cgi => match httparse::parse_headers(head, &mut fields) {
            Ok(httparse::Status::Complete((_, fields))) => cgi(fields),
            Ok(httparse::Status::Partial) => Err(malformed("the head of the response has an empty line in it")),
            Err(error) => Err(not_parsed(error, max_fields)),
        },
        Form::Http => {
            let mut response = httparse::Response::new(&mut fields);
            match (response.parse(head), response.code) {
                (Ok(httparse::Status::Complete(_)), Some(code)) => http(code, response.reason, response.headers),
                (Err(error), _) => Err(not_parsed(error, max_fields)),
                _ => Err(malformed("the response has no status line")),
            }
        }
    }
}

fn cgi(fields: &[Header<'_>]) -> Result<Answer, Malformed> {
    let status = once(fields, "Status")?.map(status).transpose()?;
    let location = once(fields, "Location")?;
    let content_type = once(fields, "Content-Type")?;
    match location {
        // Two slashes start an authority, and with it a client's URI (RFC 3986 §4.2).
        Some(path) if path.starts_with(b"/") && !path.starts_with(b"//") && status.is_none() => {
            // Some libraries add a type to every response; with any other field it is meant for the client.
            let only = |field: &Header<'_>| is_named(field, "Location") || is_named(field, "Content-Type");
            if fields.iter().all(only) {
                return Ok(Answer::LocalRedirect(Bytes::copy_from_slice(path)));
            }
        }
        None if status.is_none() && content_type.is_none() => {
            return Err(malformed("the head of the response has no Content-Type, no Location and no Status"));
        }
        _ => {}
    }
    let default = if location.is_some() { StatusCode::FOUND } else { StatusCode::OK };
    Ok(Answer::Response(finish(status.unwrap_or(default.into()), fields, true)?))
}

fn http(code: u16, reason: Option<&str>, fields: &[Header<'_>]) -> Result<Answer, Malformed> {
    let text = format!("{code:03} {}", reason.unwrap_or_default());
    Ok(Answer::Response(finish(status(text.as_bytes())?, fields, false)?))
}

/// The head that goes on to the client.
fn finish(status: Status, fields: &[Header<'_>], is_cgi: bool) -> Result<Head, Malformed> {
    let mut headers = Headers::with_capacity(fields.len());
    for field in fields {
        // An empty value says of a field that CGI defines that it is not there (RFC 3875 §6.3).
        if is_cgi && (is_named(field, "Status") || (field.value.is_empty() && is_cgi_field(field))) {
            continue;
        }
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| bad_name())?;
        if name == header::TRANSFER_ENCODING {
            // The body behind it would have to be decoded, which RFC 3875 has no program ask for.
            return Err(malformed("the response has a Transfer-Encoding"));
        }
        if is_hop_by_hop(&name) || name.as_str() == "status" {
            continue;
        }
        headers.append(name, HeaderValue::from_bytes(field.value).map_err(|_| bad_value())?);
    }
    let mut head = Head { status, headers };
    if let Err(violation) = head.content_length() {
        return Err(malformed(violation.seen));
    }
    match head.status.code() {
        // RFC 9110 §8.6, §15.3.5, §15.3.6, §15.4.5: there is no content to have a type, and only 304 tells a length.
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT => {
            head.headers.remove(header::CONTENT_TYPE);
            head.headers.remove(header::CONTENT_LENGTH);
        }
        StatusCode::NOT_MODIFIED => drop(head.headers.remove(header::CONTENT_TYPE)),
        _ => {}
    }
    Ok(head)
}

/// The value of a field that may stand once, unless it is empty.
fn once<'a>(fields: &[Header<'a>], name: &'static str) -> Result<Option<&'a [u8]>, Malformed> {
    let mut values = fields.iter().filter(|field| is_named(field, name)).map(|field| field.value);
    match (values.next(), values.next()) {
        (value, None) => Ok(value.filter(|value| !value.is_empty())),
        _ => Err(malformed(format!("the head of the response has more than one {name}"))),
    }
}

/// `404 Not Found`: three digits, a space and a reason, which may be absent.
fn status(value: &[u8]) -> Result<Status, Malformed> {
    let wrong = || malformed(format!("the status of the response is `{}`, not 200 to 599", value.escape_ascii()));
    let (digits, reason) = value.split_at_checked(3).ok_or_else(wrong)?;
    let is_end = matches!(reason.first(), None | Some(b' ' | b'\t'));
    if !is_end || !digits.iter().all(u8::is_ascii_digit) || !matches!(digits[0], b'2'..=b'5') {
        return Err(wrong());
    }
    let code = StatusCode::from_bytes(digits).map_err(|_| wrong())?;
    match reason.trim_ascii() {
        b"" => Ok(code.into()),
        reason => Status::with_reason(code, reason.to_vec()).map_err(|_| wrong()),
    }
}

fn is_named(field: &Header<'_>, name: &str) -> bool {
    field.name.eq_ignore_ascii_case(name)
}

fn is_cgi_field(field: &Header<'_>) -> bool {
    ["Content-Type", "Location", "Status"].iter().any(|name| is_named(field, name))
}

fn not_parsed(error: httparse::Error, max_fields: usize) -> Malformed {
    match error {
        httparse::Error::TooManyHeaders => {
            malformed(format!("the head of the response has more than {max_fields} fields"))
        }
        httparse::Error::HeaderName => bad_name(),
        httparse::Error::HeaderValue => bad_value(),
        httparse::Error::NewLine => malformed("a line of the response's head has a bare CR"),
        httparse::Error::Status | httparse::Error::Version | httparse::Error::Token => {
            malformed("the response has no status line")
        }
    }
}

fn bad_name() -> Malformed {
    malformed("a line of the response's head is no field: its name is no token, or not followed by a colon")
}

fn bad_value() -> Malformed {
    malformed("the value of a field of the response holds a control character")
}

fn malformed(what: impl Into<String>) -> Malformed {
    Malformed(what.into())
}
