//! The head of a reply: that of an HTTP response, which uwsgi, by its specification, leaves to the application.
//!
//! Apache asks for a status line; nginx and lighttpd take one; and uWSGI's own HTTP router passes on what it gets, byte
//! for byte. Its version is 1.1, for by 1.0 that router would not keep the client's connection. There are no chunks:
//! nobody but that router would take them out again. Date and Server are the web server's to give.

use wgi::server::{Framing, field_name};
use wgi::{Head, header};

/// Writes a head.
pub(crate) fn write_head(head: &Head, framing: Framing, out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 ");
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
