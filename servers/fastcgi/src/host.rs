//! The host of a request: `host [ ":" port ]` (RFC 3986 §3.2), as web servers put it into several variables.

use wgi::authority;

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

/// Whether it is a host, and none of what web servers write where they have no name: nothing, `_`, or a pattern.
pub(crate) fn is_host(host: &[u8]) -> bool {
    host != b"_" && !host.contains(&b'*') && authority::is_host(host)
}

/// An address of IPv6 without the brackets that it has in a URL.
pub(crate) fn without_brackets(host: &[u8]) -> &[u8] {
    host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host)
}
