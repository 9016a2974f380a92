//! The host of a request, `host [ ":" port ]` (RFC 3986 §3.2), as it stands in `Host`, in a target and in variables.

use std::net::Ipv6Addr;

/// Splits an authority without userinfo into its host and its port; `None` when it is not one.
///
/// The host keeps the brackets of an IPv6 address. The port is empty where it is absent or left out behind the colon
/// (RFC 3986 §3.2.3).
///
/// ```
/// use wgi::authority::split;
///
/// assert_eq!(split(b"example.com:8080"), Some((&b"example.com"[..], &b"8080"[..])));
/// assert_eq!(split(b"[::1]"), Some((&b"[::1]"[..], &b""[..])));
/// assert_eq!(split(b"user@example.com"), None);
/// assert_eq!(split(b"example.com:65536"), None);
/// ```
pub fn split(authority: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = match authority {
        [b'[', literal @ ..] => {
            let length = literal.iter().position(|&byte| byte == b']')?;
            is_ipv6(&literal[..length]).then_some(length + 2)?
        }
        name => registered_name(name),
    };
    match authority.split_at(end) {
        ([], _) => None,
        (host, [] | [b':']) => Some((host, b"")),
        (host, [b':', port @ ..]) if is_port(port) => Some((host, port)),
        _ => None,
    }
}

/// Whether it is a registered name, an address of IPv4, or one of IPv6 with or without brackets: what SERVER_NAME may
/// be (RFC 3875 §4.1.14).
pub fn is_host(host: &[u8]) -> bool {
    match host {
        [b'[', address @ .., b']'] => is_ipv6(address),
        name => (!name.is_empty() && registered_name(name) == name.len()) || is_ipv6(name),
    }
}

/// Whether it is the number of a port.
pub fn is_port(port: &[u8]) -> bool {
    // Five digits are the most: no number overflows.
    let is_number = (1..=5).contains(&port.len()) && port.iter().all(u8::is_ascii_digit);
    is_number && port.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')) <= u32::from(u16::MAX)
}

fn is_ipv6(address: &[u8]) -> bool {
    std::str::from_utf8(address).is_ok_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

/// How many of the first bytes are a `reg-name`, which an IPv4 address is too (RFC 3986 §3.2.2).
fn registered_name(bytes: &[u8]) -> usize {
    let mut length = 0;
    loop {
        // All but an escape is a look into a table: this is on the way of every request.
        let rest = &bytes[length..];
        length += rest.iter().position(|&byte| !NAME_BYTES[usize::from(byte)]).unwrap_or(rest.len());
        match bytes[length..] {
            [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => length += 3,
            _ => return length,
        }
    }
}

/// `unreserved` and `sub-delims` (RFC 3986 §2.2, §2.3).
const NAME_BYTES: [bool; 256] = {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_authority_is_refused() {
        for bad in [
            "", ":80", "a b", "a/b", "a@b", "a:b", "a:80:80", "a:+80", "a:123456", "[::1", "[::g]", "[::1]80", "%4",
            "a\0",
        ] {
            assert_eq!(split(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn names_and_addresses_are_hosts() {
        for good in ["localhost", "127.0.0.1", "::1", "[2001:db8::1]", "caf%C3%A9.example", "a_b"] {
            assert!(is_host(good.as_bytes()), "{good}");
        }
        assert!(!is_host(b"") && !is_host(b"a:80") && !is_host(b"[a]"));
    }
}
