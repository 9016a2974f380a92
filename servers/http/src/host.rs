//! The host of a request: `host [ ":" port ]`, as `Host` and absolute targets have it (RFC 3986 §3.2).

use std::net::Ipv6Addr;

use wgi::Error;

use crate::token::malformed;

/// A host that was checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Host<'a> {
    /// All of it, with the port if there is one.
    pub(crate) authority: &'a [u8],
    /// The host alone, an IPv6 address with its brackets.
    pub(crate) name: &'a [u8],
}

impl<'a> Host<'a> {
    /// Checks an authority.
    ///
    /// Userinfo is refused (RFC 9110 §4.2.4), and so is an empty host, which no URI of http has (RFC 9110 §4.2.1).
    pub(crate) fn parse(authority: &'a [u8]) -> Result<Host<'a>, Error> {
        let (name, port) = split(authority).ok_or_else(|| malformed("the host is not a valid one"))?;
        let is_number = port.iter().all(u8::is_ascii_digit)
            && std::str::from_utf8(port).is_ok_and(|digits| digits.parse::<u16>().is_ok());
        if !port.is_empty() && !is_number {
            return Err(malformed("the port of the host is not a valid one"));
        }
        Ok(Host { authority, name })
    }
}

/// Splits host and port, and checks the host.
fn split(authority: &[u8]) -> Option<(&[u8], &[u8])> {
    let host_length = match authority {
        [b'[', literal @ ..] => {
            let length = literal.iter().position(|&byte| byte == b']')?;
            std::str::from_utf8(&literal[..length]).ok()?.parse::<Ipv6Addr>().ok()?;
            length + 2
        }
        _ => {
            let length = authority.iter().position(|&byte| byte == b':').unwrap_or(authority.len());
            is_registered_name(&authority[..length]).then_some(length)?
        }
    };
    match authority.split_at(host_length) {
        (host, []) => Some((host, &[])),
        (host, [b':', port @ ..]) => Some((host, port)),
        _ => None,
    }
}

/// `reg-name`, which an IPv4 address is too, but never empty (RFC 3986 §3.2.2).
fn is_registered_name(name: &[u8]) -> bool {
    let mut rest = name;
    // All but an escape is a look into a table: this is on the way of every request.
    while let Some(at) = rest.iter().position(|&byte| !NAME_CHARS[usize::from(byte)]) {
        rest = match &rest[at..] {
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest,
            _ => return false,
        };
    }
    !name.is_empty()
}

/// `unreserved` and `sub-delims` (RFC 3986 §2.2, §2.3).
const NAME_CHARS: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let others = b"-._~!$&'()*+,;=";
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
};
