//! What names and values are: methods, lengths, versions, and variables that stand for nothing.

use super::name::{Meaning, meaning};

/// Whether it is a method: a `token` (RFC 9110 §5.6.2, §9.1).
pub fn is_method(method: &[u8]) -> bool {
    let is_token_char = |&byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !method.is_empty() && method.iter().all(is_token_char)
}

/// The number of bytes that `CONTENT_LENGTH` says: decimal digits of 64 bits (RFC 9110 §8.6), and nothing else may be
/// taken for one.
///
/// ```
/// use wgi::server::meta_variables::content_length;
///
/// assert_eq!(content_length(b"12"), Some(12));
/// for bad in [&b""[..], b"+1", b"0x1", b" 1", b"18446744073709551616"] {
///     assert_eq!(content_length(bad), None);
/// }
/// ```
pub fn content_length(value: &[u8]) -> Option<u64> {
    let number = value.iter().try_fold(0_u64, |length, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        length.checked_mul(10)?.checked_add(digit)
    });
    number.filter(|_| !value.is_empty())
}

/// Whether a variable is a header field that an application must not see (spec clauses 4.12, 4.17, 7.15).
pub fn is_withheld(name: &[u8]) -> bool {
    meaning(name) == Some(Meaning::Withheld)
}

/// Whether a variable's value stands for its absence (RFC 3875 §4.1): it is empty where that means nothing, or
/// `HTTPS` is `off`.
pub fn is_absent(name: &[u8], value: &[u8]) -> bool {
    match value {
        b"" => matches!(meaning(name), Some(Meaning::OrAbsent)),
        value => name == b"HTTPS" && value.eq_ignore_ascii_case(b"off"),
    }
}

/// Whether it is `HTTP/1.1`, or `HTTP/2` as some have it.
pub(crate) fn is_version(protocol: &[u8]) -> bool {
    match protocol.strip_prefix(b"HTTP/") {
        Some([major]) => major.is_ascii_digit(),
        Some([major, b'.', minor]) => major.is_ascii_digit() && minor.is_ascii_digit(),
        _ => false,
    }
}
