//! The host of a request and the address of its client, as web servers put them into several variables.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::authority::{self, is_port};

/// What `REMOTE_ADDR` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote<'a> {
    /// The address alone, in the form that it has elsewhere; `None` where there is none in it.
    pub address: Option<Cow<'a, [u8]>>,
    /// The number of a port that stood behind the address.
    pub port: Option<&'a [u8]>,
}

/// Reads `REMOTE_ADDR` (spec clause 4.19): some servers put the port behind it, or brackets around it, or write an
/// address of IPv4 as one of IPv6. `unix:` (nginx) is a process of this machine.
///
/// ```
/// use wgi::server::meta_variables::remote;
///
/// let address = |sent| remote(sent).address;
/// assert_eq!(remote(b"[2001:db8::1]:4711").port, Some(&b"4711"[..]));
/// assert_eq!(address(b"[2001:db8::1]:4711").as_deref(), Some(&b"2001:db8::1"[..]));
/// assert_eq!(address(b"::ffff:192.0.2.1").as_deref(), Some(&b"192.0.2.1"[..]));
/// assert_eq!(address(b"unknown"), None);
/// ```
pub fn remote(sent: &[u8]) -> Remote<'_> {
    if is_ipv4(sent) {
        // What nearly every web server sends of nearly every client.
        return Remote { address: Some(Cow::Borrowed(sent)), port: None };
    }
    let (address, port) = match sent {
        b"unix:" => (&b"127.0.0.1"[..], None),
        sent => split_port(sent),
    };
    let address = without_brackets(address);
    let parsed = std::str::from_utf8(address).ok().and_then(|text| text.parse::<IpAddr>().ok());
    let address = parsed.map(|parsed| match parsed.to_canonical() {
        canonical if canonical == parsed => Cow::Borrowed(address),
        canonical => Cow::Owned(canonical.to_string().into_bytes()),
    });
    Remote { address, port: port.filter(|port| is_port(port)) }
}

/// Whether it is an address of IPv4, in the one form that everybody takes for the same: four numbers without a zero in
/// front.
#[inline]
fn is_ipv4(address: &[u8]) -> bool {
    let (mut dots, mut number) = (0, None);
    for &byte in address {
        number = match (byte, number) {
            (b'0'..=b'9', None) => Some(u16::from(byte - b'0')),
            (b'0'..=b'9', Some(number @ 1..=25)) => Some(number * 10 + u16::from(byte - b'0')),
            (b'.', Some(0..=255)) => {
                dots += 1;
                None
            }
            _ => return false,
        };
    }
    dots == 3 && number.is_some_and(|number| number <= 255)
}

/// Splits off a port: of `host:80` and `[::1]:80`, but not of `::1`.
pub fn split_port(authority: &[u8]) -> (&[u8], Option<&[u8]>) {
    let colon = match authority.iter().rposition(|&byte| byte == b':') {
        Some(colon) if !authority.ends_with(b"]") => colon,
        _ => return (authority, None),
    };
    let (host, port) = authority.split_at(colon);
    let is_enclosed = host.ends_with(b"]") || !host.contains(&b':');
    let port = port.get(1..).unwrap_or_default();
    if is_enclosed { (host, Some(port)) } else { (authority, None) }
}

/// Whether it is a host, and none of what web servers write where they have no name: nothing, `_`, or a pattern.
pub(crate) fn is_host(host: &[u8]) -> bool {
    host != b"_" && !host.contains(&b'*') && authority::is_host(host)
}

/// An address of IPv6 without the brackets that it has in a URL.
fn without_brackets(host: &[u8]) -> &[u8] {
    host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn an_address_of_ipv4_is_what_the_standard_library_takes_for_one() {
        let numbers =
            ["", "0", "1", "9", "00", "01", "10", "099", "100", "199", "255", "256", "300", "999", "1000", "a"];
        for first in numbers {
            for second in numbers {
                for rest in ["0.0", "0.0.0", "255.255", "1", "1.", ".1", "1.2 ", "256.1", "1.256", "01.1"] {
                    let address = format!("{first}.{second}.{rest}");
                    assert_eq!(is_ipv4(address.as_bytes()), address.parse::<Ipv4Addr>().is_ok(), "{address}");
                }
            }
        }
        assert!(!is_ipv4(b"") && !is_ipv4(b"1.2.3.4.5.6.7.8"));
    }
}
