//! The head of a response, as bytes (RFC 9112 §4).

use wgi::server::Framing;
use wgi::{Head, Status, StatusCode, header, is_hop_by_hop};

use crate::date;
use crate::settings::Settings;

/// How the body of a response is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// As it is: its end is known by its length, or by the connection's.
    Identity,
    /// In chunks.
    Chunked,
}

/// What a response says of its connection (RFC 9112 §9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// It stays, which an HTTP/1.1 client expects.
    Implied,
    /// It stays, which an HTTP/1.0 client asked for and must be told.
    KeepAlive,
    /// It is closed.
    Close,
}

/// Writes a head. The version is always ours, 1.1, whatever the request's was (RFC 9110 §6.2).
pub(crate) fn write_head(
    head: &Head,
    framing: Framing,
    coding: Coding,
    persistence: Persistence,
    settings: &Settings,
    out: &mut Vec<u8>,
) {
    write_status_line(&head.status, out);
    let (mut is_dated, mut is_named) = (false, false);
    for (name, value) in &head.headers {
        // The framing is ours, and the connection.
        if *name == header::CONTENT_LENGTH || is_hop_by_hop(name) {
            continue;
        }
        is_dated |= *name == header::DATE;
        is_named |= *name == header::SERVER;
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    if !is_dated {
        date::write(out);
    }
    if !is_named {
        out.extend_from_slice(&settings.server_line);
    }
    if let Some(length) = framing.length {
        out.extend_from_slice(b"content-length: ");
        out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    if coding == Coding::Chunked {
        out.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
    out.extend_from_slice(match persistence {
        Persistence::Implied => b"\r\n",
        Persistence::KeepAlive => b"connection: keep-alive\r\n\r\n",
        Persistence::Close => b"connection: close\r\n\r\n",
    });
}

fn write_status_line(status: &Status, out: &mut Vec<u8>) {
    const OK: &[u8] = b"HTTP/1.1 200 OK\r\n";
    if status.code() == StatusCode::OK && status.reason() == b"OK" {
        return out.extend_from_slice(OK);
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.code().as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.reason());
    out.extend_from_slice(b"\r\n");
}

/// Writes the line in front of a chunk (RFC 9112 §7.1).
pub(crate) fn write_chunk_size(size: u64, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let length = (64 - size.leading_zeros()).div_ceil(4).max(1);
    for place in (0..length).rev() {
        out.push(DIGITS[(size >> (4 * place)) as usize & 15]);
    }
    out.extend_from_slice(b"\r\n");
}
