//! The header with which a proxy begins a connection, to say for whom it connects: the PROXY protocol, versions 1 and 2.
//!
//! [`decode`] is the whole of it: bytes in, endpoints out. Who may send such a header, [`ProxyProtocol`] says; from
//! anybody else it is no header but the beginning of a request, and no good one.
//!
//! Source: "The PROXY protocol, Versions 1 & 2" (`doc/proxy-protocol.txt` of HAProxy).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::Peers;

/// What every header of version 1 starts with (§2.1).
const LINE: &[u8] = b"PROXY ";

/// The longest line of version 1, with its CRLF (§2.1).
const LONGEST_LINE: usize = 107;

/// What every header of version 2 starts with (§2.2).
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The fixed part of a header of version 2 (§2.2).
const FIXED: usize = 16;

/// The type of the field that holds a checksum of the header (§2.2.3).
const PP2_TYPE_CRC32C: u8 = 0x03;

/// Who begins a connection with the header of a proxy, and how long that may be.
///
/// A peer of these must send it: a connection without is closed, for otherwise whoever gets past the proxy would
/// choose the address it is taken for. From any other peer it is never read.
///
/// ```
/// use wgi_engine::ProxyProtocol;
///
/// let proxies = ProxyProtocol::from("192.0.2.7, 10.0.0.0/8, unix:".parse()?).max_header(1024);
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyProtocol {
    pub(crate) from: Peers,
    pub(crate) max_header: usize,
}

/// The ends of a connection, as the header tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoints {
    /// Those that the connection itself has: the proxy speaks for itself (LOCAL), or for somebody whose address it does
    /// not know or cannot say (UNKNOWN, UNSPEC, datagrams).
    Own,
    /// Those of another connection, over the internet.
    Internet {
        /// The client.
        peer: SocketAddr,
        /// The address that the client connected to.
        local: SocketAddr,
    },
    /// Those of another connection, over a Unix socket: nothing that an application could use.
    Unix,
}

/// A header that is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// How long it is, in bytes; what stands behind is the client's.
    pub length: usize,
    /// For whom the connection is made.
    pub endpoints: Endpoints,
}

/// Why something is no header: the end of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(&'static str);

impl ProxyProtocol {
    /// Headers of these peers, up to 4 KiB: more than any proxy sends.
    pub fn from(peers: Peers) -> ProxyProtocol {
        ProxyProtocol { from: peers, max_header: 4096 }
    }

    /// The longest header in bytes. A line of version 1 has 107 at the most; a header of version 2 has 16, the addresses
    /// (up to 216), and what the proxy adds.
    pub fn max_header(mut self, bytes: usize) -> ProxyProtocol {
        self.max_header = bytes;
        self
    }
}

/// Decodes the header at the front of `input`, of either version; none when more of it has to come.
///
/// # Errors
/// As soon as it is no header, or one that is longer than `max` bytes.
///
/// ```
/// use wgi_engine::proxy::{Endpoints, decode};
///
/// let header = decode(b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\nGET / HTTP/1.1\r\n", 4096)?.unwrap();
/// assert_eq!(header.length, 42);
/// let Endpoints::Internet { peer, local } = header.endpoints else { unreachable!() };
/// assert_eq!((peer.to_string().as_str(), local.port()), ("192.0.2.1:56324", 443));
/// # Ok::<(), wgi_engine::proxy::Malformed>(())
/// ```
pub fn decode(input: &[u8], max: usize) -> Result<Option<Header>, Malformed> {
    if input.is_empty() {
        Ok(None)
    } else if starts_alike(input, LINE) {
        decode_line(input, max)
    } else if starts_alike(input, SIGNATURE) {
        decode_binary(input, max)
    } else {
        Err(Malformed("it starts neither with `PROXY ` nor with the signature of version 2"))
    }
}

/// Whether `input` starts with `start`, as far as there is any of it.
fn starts_alike(input: &[u8], start: &[u8]) -> bool {
    input.iter().zip(start).all(|(byte, expected)| byte == expected)
}

// Version 1: a line of text.

fn decode_line(input: &[u8], max: usize) -> Result<Option<Header>, Malformed> {
    let longest = LONGEST_LINE.min(max);
    let line = &input[..input.len().min(longest)];
    let Some(end) = line.iter().position(|&byte| matches!(byte, b'\r' | b'\n')) else {
        return if line.len() < longest { Ok(None) } else { Err(Malformed("its line does not end in time")) };
    };
    match line[end..] {
        [b'\r', b'\n', ..] => {}
        [b'\r'] if line.len() < longest => return Ok(None),
        _ => return Err(Malformed("its line ends with something else than CR LF")),
    }
    let text = line.get(LINE.len()..end).and_then(|text| str::from_utf8(text).ok());
    let endpoints = text.and_then(line_endpoints).ok_or(Malformed("its line is not of the form of version 1"))?;
    Ok(Some(Header { length: end + 2, endpoints }))
}

/// What stands behind `PROXY `: family, addresses, ports, with one space between them.
fn line_endpoints(text: &str) -> Option<Endpoints> {
    // Behind UNKNOWN anything may stand, and nothing of it counts.
    if text == "UNKNOWN" || text.starts_with("UNKNOWN ") {
        return Some(Endpoints::Own);
    }
    let mut parts = text.split(' ');
    let is_family: fn(&IpAddr) -> bool = match parts.next()? {
        "TCP4" => IpAddr::is_ipv4,
        "TCP6" => IpAddr::is_ipv6,
        _ => return None,
    };
    let mut address = || parts.next()?.parse::<IpAddr>().ok().filter(is_family);
    let (peer, local) = (address()?, address()?);
    let mut port = || parts.next().and_then(port);
    let (peer_port, local_port) = (port()?, port()?);
    let endpoints = internet((peer, peer_port), (local, local_port));
    parts.next().is_none().then_some(endpoints)
}

/// Digits without a sign or a zero in front.
fn port(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    is_plain.then(|| text.parse().ok())?
}

// Version 2: a block of bytes.

fn decode_binary(input: &[u8], max: usize) -> Result<Option<Header>, Malformed> {
    let Some((fixed, rest)) = input.split_first_chunk::<FIXED>() else { return Ok(None) };
    let [.., command, family, high, low] = *fixed;
    let block = usize::from(u16::from_be_bytes([high, low]));
    let length = FIXED + block;
    if command >> 4 != 2 {
        return Err(Malformed("its version is not 2"));
    }
    if length > max {
        return Err(Malformed("it is longer than may be"));
    }
    let Some(block) = rest.get(..block) else { return Ok(None) };
    let endpoints = match command & 0xf {
        // LOCAL: whatever stands there is skipped.
        0 => Endpoints::Own,
        1 => {
            let (endpoints, fields) = block_endpoints(family, block)?;
            check_fields(&input[..length], fields)?;
            endpoints
        }
        _ => return Err(Malformed("its command is neither LOCAL nor PROXY")),
    };
    Ok(Some(Header { length, endpoints }))
}

/// The addresses at the front of the block, and what stands behind them.
fn block_endpoints(family: u8, block: &[u8]) -> Result<(Endpoints, &[u8]), Malformed> {
    let (family, transport) = (family >> 4, family & 0xf);
    if family > 3 || transport > 2 {
        return Err(Malformed("its address family or transport protocol is unknown"));
    }
    // STREAM. Of the others nothing can be at the other end of this connection (§2.2: the fallback is UNSPEC).
    let is_stream = transport == 1;
    let short = Malformed("its addresses are cut short");
    match family {
        1 if is_stream => {
            let (addresses, fields) = block.split_first_chunk::<12>().ok_or(short)?;
            let [a, b, c, d, e, f, g, h, peer_high, peer_low, local_high, local_low] = *addresses;
            let peer = (Ipv4Addr::new(a, b, c, d).into(), u16::from_be_bytes([peer_high, peer_low]));
            let local = (Ipv4Addr::new(e, f, g, h).into(), u16::from_be_bytes([local_high, local_low]));
            Ok((internet(peer, local), fields))
        }
        2 if is_stream => {
            let (peer, rest) = block.split_first_chunk::<16>().ok_or(short)?;
            let (local, rest) = rest.split_first_chunk::<16>().ok_or(short)?;
            let (&[peer_high, peer_low, local_high, local_low], fields) = rest.split_first_chunk().ok_or(short)?;
            let peer = (Ipv6Addr::from(*peer).into(), u16::from_be_bytes([peer_high, peer_low]));
            let local = (Ipv6Addr::from(*local).into(), u16::from_be_bytes([local_high, local_low]));
            Ok((internet(peer, local), fields))
        }
        3 if is_stream => Ok((Endpoints::Unix, block.get(216..).ok_or(short)?)),
        // How long its addresses are is not known here, and nothing behind them is looked at.
        _ => Ok((Endpoints::Own, &[])),
    }
}

/// Walks the fields behind the addresses (§2.2, "Type-Length-Value"), none of which means anything here but a checksum.
fn check_fields(header: &[u8], mut fields: &[u8]) -> Result<(), Malformed> {
    let cut = Malformed("a field of it is cut short");
    let mut is_checked = false;
    while !fields.is_empty() {
        let (&[kind, high, low], rest) = fields.split_first_chunk().ok_or(cut)?;
        let (value, rest) = rest.split_at_checked(u16::from_be_bytes([high, low]).into()).ok_or(cut)?;
        if kind == PP2_TYPE_CRC32C {
            let at = header.len() - rest.len() - value.len();
            let stated = value.try_into().ok().map(u32::from_be_bytes);
            // The sum is that of the header with zeros in its place.
            let (front, back) = (&header[..at], &header[at + value.len()..]);
            if is_checked || stated != Some(crc32c(front.iter().chain(&[0; 4]).chain(back))) {
                return Err(Malformed("its checksum is wrong"));
            }
            is_checked = true;
        }
        fields = rest;
    }
    Ok(())
}

/// CRC32c (RFC 9260, Appendix A), bit by bit: a header is short, and there is one in a connection.
fn crc32c<'a>(bytes: impl Iterator<Item = &'a u8>) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    !bytes.fold(u32::MAX, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| (sum >> 1) ^ if sum & 1 == 1 { POLYNOMIAL } else { 0 })
    })
}

/// An IPv4 address counts as such also where a proxy has it within an IPv6 one.
fn internet((peer, peer_port): (IpAddr, u16), (local, local_port): (IpAddr, u16)) -> Endpoints {
    Endpoints::Internet {
        peer: SocketAddr::new(peer.to_canonical(), peer_port),
        local: SocketAddr::new(local.to_canonical(), local_port),
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_crc32c() {
        // RFC 3720 §B.4, and the check value of the catalogue of CRCs.
        for (bytes, sum) in [(&[0; 32][..], 0x8a91_36aa), (&[0xff; 32], 0x62a8_ab43), (b"123456789", 0xe306_9283)] {
            assert_eq!(crc32c(bytes.iter()), sum);
        }
    }
}
