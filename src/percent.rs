//! Percent-encoding of paths (RFC 3986 §2.1): strict when decoding, minimal when encoding.

use std::borrow::Cow;

/// Decodes a percent-encoded path. Nothing is allocated when there is nothing to decode.
///
/// Gives `None` for a `%` without two hexadecimal digits behind it, and for `%00`: NUL can stand in no variable of
/// CGI. A `+` stays a `+`; it means a space only in a form.
///
/// ```
/// use wgi::percent::decode;
///
/// assert_eq!(decode(b"/caf%C3%A9/a%2Fb").as_deref(), Some("/café/a/b".as_bytes()));
/// assert_eq!(decode(b"/100%"), None);
/// assert_eq!(decode(b"/%00"), None);
/// ```
pub fn decode(path: &[u8]) -> Option<Cow<'_, [u8]>> {
    let Some(first) = path.iter().position(|&byte| byte == b'%') else {
        return Some(Cow::Borrowed(path));
    };
    let mut decoded = Vec::with_capacity(path.len());
    decoded.extend_from_slice(&path[..first]);
    let mut rest = &path[first..];
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte != b'%' {
            decoded.push(*byte);
            continue;
        }
        let [high, low, tail @ ..] = rest else { return None };
        rest = tail;
        match digit(*high)? << 4 | digit(*low)? {
            0 => return None,
            byte => decoded.push(byte),
        }
    }
    Some(Cow::Owned(decoded))
}

/// Encodes a decoded path, so that `/` stays what it was and all else that is not a path character (RFC 3986
/// §3.3: `pchar`) is escaped.
///
/// ```
/// assert_eq!(wgi::percent::encode("/café au lait".as_bytes()), "/caf%C3%A9%20au%20lait");
/// ```
pub fn encode(path: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(path.len());
    for &byte in path {
        if is_path_char(byte) {
            encoded.push(byte.into());
        } else {
            encoded.push('%');
            encoded.push(DIGITS[usize::from(byte >> 4)].into());
            encoded.push(DIGITS[usize::from(byte & 15)].into());
        }
    }
    encoded
}

fn is_path_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte)
}

fn digit(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_but_nul_survives() {
        let bytes: Vec<u8> = (1..=255).collect();
        assert_eq!(decode(encode(&bytes).as_bytes()).as_deref(), Some(&bytes[..]));
    }

    #[test]
    fn what_is_no_escape_is_refused() {
        for bad in ["%", "%4", "/%zz", "/%+1", "/%1g", "/a%0", "%%41", "/%00", "/% 1"] {
            assert_eq!(decode(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn nothing_to_decode_is_borrowed() {
        assert!(matches!(decode(b"/plain+path"), Some(Cow::Borrowed(b"/plain+path"))));
    }
}
