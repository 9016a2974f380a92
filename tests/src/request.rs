//! The request of a case, in no protocol's terms.

use wgi::{Vars, percent};

/// A request. An [`Adapter`](crate::Adapter) writes it in its protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: &'static str,
    /// The target as HTTP has it: path and query, percent-encoded, or `*`.
    pub target: &'static str,
    /// Header fields, but for Host, Content-Length and what concerns the connection.
    pub fields: Vec<(&'static str, Vec<u8>)>,
    /// The body, where there is one.
    pub body: Option<Vec<u8>>,
    /// Where there is a body: how much of it is sent before the client goes away.
    pub breaks_off: Option<usize>,
    /// How much of the response the client takes, in bytes of the wire, before it goes away.
    pub leaves_after: Option<usize>,
}

/// The host that requests name.
pub const HOST: &str = "example.org:8080";

impl Request {
    /// A request without fields and body.
    pub const fn new(method: &'static str, target: &'static str) -> Request {
        Request { method, target, fields: Vec::new(), body: None, breaks_off: None, leaves_after: None }
    }

    /// The part of the body that is sent.
    pub fn sent_body(&self) -> &[u8] {
        let body = self.body.as_deref().unwrap_or_default();
        &body[..self.breaks_off.unwrap_or(body.len()).min(body.len())]
    }

    /// The variables of this request, as a front-end sends them to a program behind it (RFC 3875 §4.1): for adapters
    /// of CGI and the protocols that carry its variables.
    pub fn vars(&self) -> Vars {
        let mut vars = Vars::new();
        vars.push("GATEWAY_INTERFACE", "CGI/1.1");
        vars.push("SERVER_SOFTWARE", "wgi-conformance");
        vars.push("SERVER_PROTOCOL", "HTTP/1.1");
        vars.push("SERVER_NAME", "example.org");
        vars.push("SERVER_PORT", "8080");
        vars.push("REMOTE_ADDR", "127.0.0.1");
        vars.push("REQUEST_METHOD", self.method);
        let (path, query) = self.target.split_once('?').unwrap_or((self.target, ""));
        vars.push("SCRIPT_NAME", "");
        vars.push("PATH_INFO", percent::decode(path.as_bytes()).unwrap_or_default());
        vars.push("QUERY_STRING", query);
        vars.push("REQUEST_URI", self.target);
        vars.push("HTTP_HOST", HOST);
        if let Some(body) = &self.body {
            vars.push("CONTENT_LENGTH", body.len().to_string());
        }
        for (name, value) in &self.fields {
            match name.to_ascii_lowercase().as_str() {
                "content-type" => vars.push("CONTENT_TYPE", value),
                _ => vars.push_field(name.as_bytes(), value),
            }
        }
        vars
    }
}
