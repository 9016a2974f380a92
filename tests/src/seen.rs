//! What a client saw of a response.

use std::io::{self, BufRead};

use crate::client;

/// A response as its receiver saw it, in no protocol's terms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The status code.
    pub status: u16,
    /// The reason phrase, where the protocol carries one.
    pub reason: Vec<u8>,
    /// The header fields in order, without those that frame the message or concern the connection.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
    /// Whether the response is whole, as far as its receiver can tell.
    pub is_whole: bool,
    /// What came on the errors stream, where that can be seen.
    pub errors: Vec<u8>,
    /// The lines for the log, where they can be seen.
    pub log: Vec<String>,
}

impl Seen {
    /// The values of all fields of that name, in any case, in order.
    pub fn values(&self, name: &str) -> Vec<String> {
        let named = self.headers.iter().filter(|(candidate, _)| candidate.eq_ignore_ascii_case(name));
        named.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
    }

    /// Reads a response of HTTP/1.
    ///
    /// # Errors
    /// As [`client::Response::read`].
    pub fn read_http(from: &mut impl BufRead, method: &str) -> io::Result<Seen> {
        let response = client::Response::read(from, method)?;
        let is_whole = response.is_whole();
        Ok(Seen {
            status: response.status,
            reason: response.reason,
            headers: response.headers,
            body: response.body,
            is_whole,
            ..Seen::default()
        })
    }

    /// Reads the output of a CGI script (RFC 3875 §6), as FastCGI and SCGI have it too: fields, an empty line, a body.
    /// Whether it is whole is for the caller to say; here it is so when Content-Length is kept.
    ///
    /// # Errors
    /// When there is no head.
    pub fn read_cgi(output: &[u8]) -> io::Result<Seen> {
        let mut seen = Seen { status: 200, is_whole: true, ..Seen::default() };
        let mut rest = output;
        loop {
            let end = rest.iter().position(|&byte| byte == b'\n').ok_or_else(|| no_head(output))?;
            let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
            rest = &rest[end + 1..];
            if line.is_empty() {
                break;
            }
            let colon = line.iter().position(|&byte| byte == b':').ok_or_else(|| no_head(output))?;
            let (name, value) = (String::from_utf8_lossy(&line[..colon]).into_owned(), line[colon + 1..].trim_ascii());
            if name.eq_ignore_ascii_case("status") {
                let (code, reason) = value.split_at_checked(3).ok_or_else(|| no_head(output))?;
                let code = std::str::from_utf8(code).ok().and_then(|code| code.parse().ok());
                seen.status = code.ok_or_else(|| no_head(output))?;
                seen.reason = reason.trim_ascii().to_vec();
            } else {
                seen.headers.push((name, value.to_vec()));
            }
        }
        seen.body = rest.to_vec();
        Ok(seen)
    }
}

fn no_head(output: &[u8]) -> io::Error {
    let start = &output[..output.len().min(200)];
    io::Error::new(io::ErrorKind::InvalidData, format!("no head of CGI: {}", start.escape_ascii()))
}
