//! Netstrings: `5:hello,`, the form of a request's head (SCGI, "Request Format"; D. J. Bernstein, "Netstrings").

use wgi::{Error, StatusCode};

/// A whole netstring at the front of some input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Netstring<'a> {
    /// What is between the colon and the comma.
    pub(crate) content: &'a [u8],
    /// The length of all of it in bytes.
    pub(crate) length: usize,
}

/// Reads the netstring that `input` starts with; `None` when more of the input is needed. What the length promises is
/// waited for, and nothing else is done on its word.
///
/// # Errors
/// As soon as it can be told: when the length is no decimal number, has leading zeros, or is over `most` bytes, and
/// when no comma ends the content.
pub(crate) fn parse(input: &[u8], most: usize) -> Result<Option<Netstring<'_>>, Error> {
    let mut length = 0_usize;
    for (at, &byte) in input.iter().enumerate() {
        match byte {
            b'0'..=b'9' if at > 0 && length == 0 => return Err(malformed("the head's length has leading zeros")),
            b'0'..=b'9' => length = length.saturating_mul(10).saturating_add(usize::from(byte - b'0')),
            b':' if at > 0 => return content(input, at + 1, length),
            _ => return Err(malformed("the request does not start with the length of its head")),
        }
        if length > most {
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            return Err(Error::refused(status, format!("the request's head is over the limit of {most} bytes")));
        }
    }
    Ok(None)
}

/// The content that starts behind the colon.
fn content(input: &[u8], start: usize, length: usize) -> Result<Option<Netstring<'_>>, Error> {
    let rest = input.get(start..).unwrap_or_default();
    match (rest.get(..length), rest.get(length)) {
        (Some(content), Some(b',')) => Ok(Some(Netstring { content, length: start + length + 1 })),
        (Some(_), Some(_)) => Err(malformed("the head is longer than its length says: no comma is behind it")),
        _ => Ok(None),
    }
}

fn malformed(reason: &'static str) -> Error {
    Error::refused(StatusCode::BAD_REQUEST, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_netstring_is_read_whole_or_not_at_all() {
        let input = b"5:hello,rest";
        assert_eq!(parse(input, 9).unwrap(), Some(Netstring { content: b"hello", length: 8 }));
        for end in 0..8 {
            assert_eq!(parse(&input[..end], 9).unwrap(), None, "{end}");
        }
        assert_eq!(parse(b"0:,", 9).unwrap(), Some(Netstring { content: b"", length: 3 }));
        assert_eq!(parse(b"2:,,,", 9).unwrap(), Some(Netstring { content: b",,", length: 5 }));
    }

    #[test]
    fn a_length_that_lies_is_refused_as_soon_as_it_shows() {
        for bad in ["05", "00", ":", " 5", "+5", "-1", "5 ", "0x5", "a", "\0", "5,", "5:helloo", "5:hello\0"] {
            let error = parse(bad.as_bytes(), 9).unwrap_err();
            assert_eq!(error.status(), StatusCode::BAD_REQUEST, "{bad}");
        }
        for long in ["10", "99999999999999999999999999", "18446744073709551617"] {
            let error = parse(long.as_bytes(), 9).unwrap_err();
            assert_eq!(error.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "{long}");
        }
        // The largest that there is; beyond, nothing is added up that could overflow.
        assert_eq!(parse(format!("{}:", usize::MAX).as_bytes(), usize::MAX).unwrap(), None);
    }
}
