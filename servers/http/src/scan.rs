//! Where the head of a request ends.
//!
//! A head may arrive byte by byte, and nothing is parsed before all of it is there. So that a peer cannot make us
//! read the same bytes over and over, a scan goes on where it stopped. On its way it looks at what can be told early:
//! every limit, the version, lines that end in anything but CRLF, and bytes that no request line has, for a TLS hello
//! or another protocol altogether is refused at once. What it finds does not depend on how the bytes were cut.

use memchr::{memchr, memchr_iter};
use wgi::{Error, StatusCode};

use crate::settings::Settings;
use crate::token::{is_token_char, malformed};

/// A server that knows no method of that length says 501 (RFC 9112 §3).
pub(crate) const MAX_METHOD: usize = 64;

/// The version and the space in front of it, as they end a request line.
const VERSION_LENGTH: usize = " HTTP/1.1".len();

/// How far the search for the end of a head has come. All positions are from the start of the head.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scan {
    /// Up to where the bytes were looked at.
    at: usize,
    /// Where the current line starts.
    line: usize,
    /// Where the method ends, once that was seen.
    method: Option<usize>,
    /// How many header fields were seen.
    fields: usize,
}

/// A head that is there as a whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Complete {
    /// Its length in bytes, up to and with the empty line.
    pub(crate) length: usize,
    /// How many header fields it has.
    pub(crate) fields: usize,
}

impl Scan {
    /// Whether nothing of a head was seen yet.
    pub(crate) fn is_fresh(&self) -> bool {
        self.at == 0
    }

    /// Goes on through `input`, which starts with the head; gives nothing as long as its end is not there.
    pub(crate) fn advance(&mut self, input: &[u8], settings: &Settings) -> Result<Option<Complete>, Error> {
        let window = &input[..input.len().min(settings.max_head)];
        let is_behind_request_line = self.line > 0 || self.request_line(window, settings)?;
        let complete = if is_behind_request_line { self.fields(window, settings)? } else { None };
        if complete.is_none() && input.len() >= settings.max_head {
            return Err(too_large("the request head is too large"));
        }
        Ok(complete)
    }

    /// Looks at the request line; says whether it is complete.
    fn request_line(&mut self, window: &[u8], settings: &Settings) -> Result<bool, Error> {
        let end = memchr(b'\n', &window[self.at..]).map(|distance| self.at + distance);
        // A CR that nothing follows yet may be that of the line's end: it is looked at with what follows.
        let line = &window[..end.unwrap_or(window.len())];
        let line = line.strip_suffix(b"\r").unwrap_or(line);

        if line.first().is_some_and(|&first| !is_token_char(first)) {
            return Err(malformed("the request does not start with a method"));
        }
        if self.method.is_none() {
            self.method = memchr(b' ', &line[..line.len().min(MAX_METHOD + 1)]);
        }
        let bound = match self.method {
            Some(method) => (method + 1).saturating_add(settings.max_target).saturating_add(VERSION_LENGTH),
            None => MAX_METHOD,
        };
        let new = line.get(self.at..line.len().min(bound)).unwrap_or_default();
        // Without a branch for each byte, which is what lets the compiler take sixteen at once.
        if new.iter().fold(false, |found, byte| found | !(b' '..=b'~').contains(byte)) {
            return Err(malformed("the request line holds a control character or one that is not ASCII"));
        }
        if line.len() > bound {
            return Err(match self.method {
                Some(_) => Error::refused(StatusCode::URI_TOO_LONG, "the request target is too long"),
                None => Error::refused(StatusCode::NOT_IMPLEMENTED, "the method is none that is known"),
            });
        }
        self.at = line.len();
        let Some(end) = end else { return Ok(false) };
        if line.len() == end {
            return Err(bare_line_feed());
        }
        check_version(line)?;
        self.at = end + 1;
        self.line = self.at;
        Ok(true)
    }

    fn fields(&mut self, window: &[u8], settings: &Settings) -> Result<Option<Complete>, Error> {
        let from = self.at;
        for distance in memchr_iter(b'\n', &window[from..]) {
            let end = from + distance;
            if window[..end].last() != Some(&b'\r') {
                return Err(bare_line_feed());
            }
            // The line has nothing but its CR.
            if end == self.line + 1 {
                return Ok(Some(Complete { length: end + 1, fields: self.fields }));
            }
            self.line = end + 1;
            self.fields += 1;
            if self.fields > settings.max_fields {
                return Err(too_large("the request has too many header fields"));
            }
        }
        self.at = window.len();
        Ok(None)
    }
}

/// Tells versions that are not served from lines that are no request line at all.
fn check_version(line: &[u8]) -> Result<(), Error> {
    if line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0") {
        return Ok(());
    }
    let is_versioned = matches!(line, [.., b' ', b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
        if major.is_ascii_digit() && minor.is_ascii_digit());
    // The request of HTTP/0.9 is `GET`, a space and a path.
    let is_simple = line.strip_prefix(b"GET ").is_some_and(|path| !path.is_empty() && !path.contains(&b' '));
    if is_versioned || is_simple {
        return Err(Error::refused(StatusCode::HTTP_VERSION_NOT_SUPPORTED, "only HTTP/1.1 and HTTP/1.0 are served"));
    }
    Err(malformed("the request line does not end with a version of HTTP"))
}

fn bare_line_feed() -> Error {
    malformed("a line of the request head ends without CR")
}

fn too_large(reason: &'static str) -> Error {
    Error::refused(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, reason)
}
