//! The head of a reply as lines of text. That of CGI (RFC 3875 §6), which FastCGI and SCGI have as well, and that of
//! HTTP/1.1 (RFC 9112 §2.1) are one form: they differ in what stands before the status.

use wgi::server::{Framing, field_name};
use wgi::{Head, header};

/// Appends a head to `out`: `start`, the status with its reason, the fields in their order, the length of the body where
/// the framing knows it, and the empty line.
pub fn write_head(start: &str, head: &Head, framing: Framing, out: &mut Vec<u8>) {
    out.extend_from_slice(start.as_bytes());
    out.extend_from_slice(head.status.code().as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(head.status.reason());
    out.extend_from_slice(b"\r\n");
    for (name, value) in &head.headers {
        // What the framing says stands for it.
        if name != header::CONTENT_LENGTH {
            write_field(field_name(name), value.as_bytes(), out);
        }
    }
    if let Some(length) = framing.length {
        write_field(b"content-length", itoa::Buffer::new().format(length).as_bytes(), out);
    }
    out.extend_from_slice(b"\r\n");
}

fn write_field(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}
