//! The host of a request: `host [ ":" port ]` (RFC 3986 §3.2), as web servers put it into several variables.

use std::net::Ipv6Addr;

/// Splits off a port: of `host:80` and `[::1]:80`, but not of `::1`.
pub(crate) fn split_port(authority: &[u8]) -> (&[u8], Option<&[u8]>) {
    let colon = match authority.iter().rposition(|&byte| byte == b':') {
        Some(colon) if !authority.ends_with(b"]") => colon,
        _ => return (authority, None),
    };
    let (host, port) = authority.split_at(colon);
    let is_enclosed = host.ends_with(b"]") || !host.contains(&b':');
    let port = port.get(1..).unwrap_or_default();
    if is_enclosed { (host, Some(port)) } else { (authority, None) }
}

/// Whether it is a registered name, an address of IPv4, or one of IPv6 with or without brackets, and none of what web
/// servers write where they have no name: nothing, or `_`.
pub(crate) fn is_host(host: &[u8]) -> bool {
    if matches!(host, b"" | b"_") {
        return false;
    }
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()+,;=".contains(byte);
    match without_brackets(host) {
        bare if bare.len() == host.len() => host.iter().all(is_name) || is_ipv6(host),
        bare => is_ipv6(bare),
    }
}

/// Whether it is a host with or without a port, as `Host` must be (RFC 9110 §7.2).
pub(crate) fn is_authority(authority: &[u8]) -> bool {
    let (host, port) = split_port(authority);
    is_host(host) && port.is_none_or(|port| port.is_empty() || is_port(port))
}

/// Whether it is the number of a port.
pub(crate) fn is_port(port: &[u8]) -> bool {
    let is_number = !port.is_empty() && port.iter().all(u8::is_ascii_digit);
    is_number && std::str::from_utf8(port).is_ok_and(|port| port.parse::<u16>().is_ok())
}

/// An address of IPv6 without the brackets that it has in a URL.
pub(crate) fn without_brackets(host: &[u8]) -> &[u8] {
    host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host)
}

fn is_ipv6(address: &[u8]) -> bool {
    std::str::from_utf8(address).is_ok_and(|address| address.parse::<Ipv6Addr>().is_ok())
}
