//! The characters of which names and values are made, and lists of them (RFC 9110 §5.5, §5.6).

use wgi::{Error, StatusCode};

/// `tchar`: what names and methods are made of (RFC 9110 §5.6.2).
pub(crate) fn is_token_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What a field name is made of for which there is a variable: letters, digits and hyphens.
pub(crate) fn is_plain(byte: u8) -> bool {
    PLAIN[usize::from(byte)]
}

/// A table, for it is asked for every byte of every name.
static PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0;
    while byte < plain.len() {
        plain[byte] = (byte as u8).is_ascii_alphanumeric() || byte as u8 == b'-';
        byte += 1;
    }
    plain
};

/// What may stand in a field value or a quoted string: HTAB, SP, VCHAR, obs-text (RFC 9110 §5.5, §5.6.4).
pub(crate) fn is_text_char(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Whether these bytes are a token.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_token_char)
}

/// The members of a comma-separated list, empty ones too, without the whitespace around them (RFC 9110 §5.6.1).
pub(crate) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim)
}

/// Optional whitespace is SP and HTAB, and nothing else: 0x0B or 0xA0 beside a value is part of it, and makes it
/// another one (RFC 9110 §5.6.3).
fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The error of a request that is malformed.
pub(crate) fn malformed(reason: &'static str) -> Error {
    Error::refused(StatusCode::BAD_REQUEST, reason)
}
