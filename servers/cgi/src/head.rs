//! The head of a response as CGI has it (RFC 3875 §6): fields, `Status` first.
//!
//! A script whose name starts with `nph-` writes what goes to the client as it is ("non-parsed headers", RFC 3875 §5):
//! an HTTP status line, and the fields that a server would have added.

use std::time::SystemTime;

use wgi::server::{Framing, field_name};
use wgi::{Head, Vars, header};

/// Appends the head to `out`.
pub(crate) fn encode(head: &Head, framing: Framing, direct: Option<&Direct>, out: &mut Vec<u8>) {
    out.extend_from_slice(if direct.is_some() { b"HTTP/1.1 " } else { b"Status: " });
    out.extend_from_slice(head.status.code().as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(head.status.reason());
    out.extend_from_slice(b"\r\n");
    if let Some(direct) = direct {
        direct.encode(head, out);
    }
    for (name, value) in &head.headers {
        // What the framing says stands for it.
        if *name != header::CONTENT_LENGTH {
            field(field_name(name), value.as_bytes(), out);
        }
    }
    if let Some(length) = framing.length {
        field(b"Content-Length", itoa::Buffer::new().format(length).as_bytes(), out);
    }
    out.extend_from_slice(b"\r\n");
}

/// What a script of the direct kind has to add.
pub(crate) struct Direct {
    server: Vec<u8>,
}

impl Direct {
    /// For a script that is one by its name.
    pub(crate) fn of(vars: &Vars) -> Option<Direct> {
        let script = vars.get("SCRIPT_NAME")?.rsplit(|&byte| byte == b'/').next()?;
        script.starts_with(b"nph-").then(|| Direct {
            server: vars.get("SERVER_SOFTWARE").filter(|name| is_value(name)).unwrap_or(b"wgi").to_vec(),
        })
    }

    fn encode(&self, head: &Head, out: &mut Vec<u8>) {
        if !head.headers.contains(header::DATE) {
            field(b"Date", httpdate::fmt_http_date(SystemTime::now()).as_bytes(), out);
        }
        if !head.headers.contains(header::SERVER) {
            field(b"Server", &self.server, out);
        }
        field(b"Connection", b"close", out);
    }
}

fn field(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Whether text of the server's can stand in a head.
fn is_value(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&byte| byte >= b' ' && byte != 0x7f)
}
