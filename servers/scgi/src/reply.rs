//! The head of a reply, in the form of CGI (RFC 3875 §6): that is what every web server expects of SCGI, which says
//! nothing of it.

use wgi::server::{Framing, field_name};
use wgi::{Head, header};

/// Writes a head, `Status` first.
pub(crate) fn write_head(head: &Head, framing: Framing, out: &mut Vec<u8>) {
    out.extend_from_slice(b"Status: ");
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
