//! The parts of a reply, as packets.

use wgi::server::Framing;
use wgi::{Head, HeaderName, header, is_hop_by_hop};

use crate::packet::{
    CODED, END_RESPONSE, GET_BODY_CHUNK, HEADER_LEN, RESPONSE_FIELDS, SEND_BODY_CHUNK, SEND_HEADERS, TO_SERVER,
    write_packet,
};
use crate::settings::{Dialect, Settings};

/// What a SEND_BODY_CHUNK has around its data: header, code, length, and a NUL.
const CHUNK_OVERHEAD: usize = HEADER_LEN + 4;
/// What a packet of a request's body has in front of its data: header and length.
pub(crate) const BODY_OVERHEAD: usize = HEADER_LEN + 2;

/// A head that fits into no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge {
    /// The bytes of the packet that it would take.
    pub(crate) length: usize,
}

/// Writes a head as SEND_HEADERS; nothing where it fits into no packet, for it has to be in one.
pub(crate) fn write_head(
    head: &Head,
    framing: Framing,
    settings: &Settings,
    out: &mut Vec<u8>,
) -> Result<(), TooLarge> {
    let start = out.len();
    out.extend_from_slice(&TO_SERVER);
    out.extend_from_slice(&[0, 0, SEND_HEADERS]);
    out.extend_from_slice(&head.status.code().as_u16().to_be_bytes());
    push_string(head.status.reason(), out);

    // The framing is ours. An application cannot give hop-by-hop fields, but one that fails may replace its head.
    let sent = |name: &HeaderName| *name != header::CONTENT_LENGTH && !is_hop_by_hop(name);
    let fields: Vec<_> = head.headers.iter().filter(|(name, _)| sent(name)).collect();
    let count = fields.len() + usize::from(framing.length.is_some());
    // Of more fields than can be counted, the packet is too large anyway.
    out.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes());
    if let Some(length) = framing.length {
        push_name(header::CONTENT_LENGTH.as_str(), out);
        push_string(itoa::Buffer::new().format(length).as_bytes(), out);
    }
    let leader = match settings.dialect {
        Dialect::Lighttpd if framing.length.is_none() => leader(fields.iter().map(|(name, _)| name.as_str())),
        _ => None,
    };
    let behind = fields.iter().enumerate().filter(|(index, _)| Some(*index) != leader).map(|(_, field)| field);
    for (name, value) in leader.and_then(|leader| fields.get(leader)).into_iter().chain(behind) {
        push_name(name.as_str(), out);
        push_string(value.as_bytes(), out);
    }

    let length = out.len() - start;
    let content = u16::try_from(length - HEADER_LEN).ok().filter(|_| length <= settings.packet_size);
    match (content, out.get_mut(start + 2..start + HEADER_LEN)) {
        (Some(content), Some(place)) => {
            place.copy_from_slice(&content.to_be_bytes());
            Ok(())
        }
        _ => {
            out.truncate(start);
            Err(TooLarge { length })
        }
    }
}

/// Which field lighttpd is better sent first. It takes the first two bytes of the first name, which are its code or its
/// length, for the number of fields.
fn leader<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> Option<usize> {
    let count = names.len();
    names.enumerate().find(|(_, name)| code(name).is_some() || name.len() >= count).map(|(index, _)| index)
}

/// How much data goes into one SEND_BODY_CHUNK.
pub(crate) fn chunk_length(available: u64, settings: &Settings) -> u16 {
    let most = settings.packet_size - CHUNK_OVERHEAD;
    let length = usize::try_from(available).unwrap_or(usize::MAX).clamp(1, most);
    u16::try_from(length).unwrap_or(u16::MAX)
}

/// Writes what stands in front of the data of a SEND_BODY_CHUNK. Behind it comes [`CHUNK_END`].
pub(crate) fn write_chunk_start(length: u16, out: &mut Vec<u8>) {
    // The packet size leaves room for the code, the length and the NUL.
    out.extend_from_slice(&TO_SERVER);
    out.extend_from_slice(&length.saturating_add(4).to_be_bytes());
    out.push(SEND_BODY_CHUNK);
    out.extend_from_slice(&length.to_be_bytes());
}

/// What stands behind the data of a SEND_BODY_CHUNK.
pub(crate) const CHUNK_END: u8 = 0;

/// Writes the packet by which a web server passes on what it has.
pub(crate) fn write_flush(out: &mut Vec<u8>) {
    write_chunk_start(0, out);
    out.push(CHUNK_END);
}

/// Writes GET_BODY_CHUNK, for so many bytes at the most.
pub(crate) fn write_get_body_chunk(most: usize, out: &mut Vec<u8>) {
    let [high, low] = u16::try_from(most).unwrap_or(u16::MAX).to_be_bytes();
    write_packet(&[GET_BODY_CHUNK, high, low], out);
}

/// Writes END_RESPONSE.
pub(crate) fn write_end_response(reuse: bool, out: &mut Vec<u8>) {
    write_packet(&[END_RESPONSE, reuse.into()], out);
}

fn push_name(name: &str, out: &mut Vec<u8>) {
    match code(name) {
        Some(code) => out.extend_from_slice(&[CODED, code]),
        None => push_string(name.as_bytes(), out),
    }
}

/// The code of a field's name in lower case.
fn code(name: &str) -> Option<u8> {
    let index = RESPONSE_FIELDS.iter().position(|&coded| coded == name)?;
    u8::try_from(index + 1).ok()
}

fn push_string(string: &[u8], out: &mut Vec<u8>) {
    // What is longer than can be said makes the packet too large.
    let length = u16::try_from(string.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(string);
    out.push(0);
}
