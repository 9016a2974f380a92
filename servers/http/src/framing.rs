//! How long the body of a request is, decided once (RFC 9112 §6.3).
//!
//! Whatever two readers might take differently is refused: that is where one request hides inside another.

use wgi::{Error, StatusCode};

use crate::token::{is_token, list, malformed};

/// The length of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyLength {
    /// So many bytes; none when there is neither Content-Length nor Transfer-Encoding.
    Sized(u64),
    /// As many as its chunks say.
    Chunked,
}

/// The fields that frame a body, as they came, and how often.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FramingFields<'a> {
    /// Content-Length.
    pub(crate) content_length: Option<&'a [u8]>,
    /// Transfer-Encoding.
    pub(crate) transfer_encoding: Option<&'a [u8]>,
    /// One of the two came more than once.
    pub(crate) is_repeated: bool,
}

impl FramingFields<'_> {
    /// Decides.
    pub(crate) fn body_length(&self, is_http_11: bool) -> Result<BodyLength, Error> {
        if self.is_repeated {
            return Err(malformed("Content-Length or Transfer-Encoding is repeated"));
        }
        match (self.content_length, self.transfer_encoding) {
            (None, None) => Ok(BodyLength::Sized(0)),
            (Some(_), Some(_)) => Err(malformed("Content-Length and Transfer-Encoding are both there")),
            (Some(length), None) => content_length(length).map(BodyLength::Sized),
            (None, Some(_)) if !is_http_11 => Err(malformed("HTTP/1.0 has no Transfer-Encoding")),
            (None, Some(codings)) => transfer_encoding(codings),
        }
    }
}

/// `Content-Length = 1*DIGIT` (RFC 9110 §8.6): no sign, no list.
fn content_length(value: &[u8]) -> Result<u64, Error> {
    let digits = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| malformed("Content-Length is not a number"))
}

/// `chunked`, once and last (RFC 9112 §6.1, §7). It takes no parameters.
///
/// Codings that are not known at all are 501, with or without `chunked` behind them; §6.3 would have 400 without.
fn transfer_encoding(value: &[u8]) -> Result<BodyLength, Error> {
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    if is_chunked(value) {
        return Ok(BodyLength::Chunked);
    }
    let before_last = list(value).count() - 1;
    if !list(value).all(is_token) || list(value).take(before_last).any(is_chunked) {
        return Err(malformed("Transfer-Encoding is not `chunked`, once and last"));
    }
    Err(Error::refused(StatusCode::NOT_IMPLEMENTED, "only the transfer coding `chunked` is known"))
}
