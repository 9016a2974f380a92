//! The environment of a request.

use std::fmt;

use http::{Extensions, StatusCode};

use crate::{Error, Errors, Input, Vars};

/// The environment of a request: the CGI variables, the body, and what server and middleware know about it.
///
/// Variables are byte strings as they came over the wire; nothing is lost or re-encoded. They are read by their CGI
/// name with [`var`](Environ::var) and [`text`](Environ::text), header fields also by field name with
/// [`header`](Environ::header). The application owns its environ and may change it.
///
/// `Debug` leaves out the values that carry credentials.
///
/// Source: spec clause 4.
pub struct Environ {
    vars: Vars,
    gateway: Gateway,
    input: Input,
    errors: Errors,
    extensions: Extensions,
}

/// The `wgi.*` variables: what the server says of the protocol and of itself.
///
/// Source: spec clauses 4.28 to 4.33.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gateway {
    /// The version of this protocol, major and minor (`wgi.version`).
    pub version: (u8, u8),
    /// The scheme of the request's URL (`wgi.url_scheme`).
    pub url_scheme: Scheme,
    /// Another thread of this process may call the application at the same time (`wgi.multithread`).
    pub multithread: bool,
    /// Another process may call the same application at the same time (`wgi.multiprocess`).
    pub multiprocess: bool,
    /// The server expects to call the application only this once in the life of the process (`wgi.run_once`).
    pub run_once: bool,
    /// The server sends a file body without reading it into memory (`wgi.file_wrapper`).
    pub sends_files: bool,
}

impl Gateway {
    /// A server of this version of the protocol: plain HTTP, one thread, one process, many calls.
    pub const fn new() -> Gateway {
        Gateway {
            version: (1, 0),
            url_scheme: Scheme::Http,
            multithread: false,
            multiprocess: false,
            run_once: false,
            sends_files: false,
        }
    }
}

impl Default for Gateway {
    fn default() -> Gateway {
        Gateway::new()
    }
}

/// The scheme of a request's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `http`
    Http,
    /// `https`
    Https,
}

impl Scheme {
    /// The scheme as it stands in a URL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    /// The port that a URL of this scheme leaves out.
    pub const fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// A variable whose value is not UTF-8. As an [`Error`] it is the peer's fault: 400.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotText {
    /// The variable's name.
    pub name: String,
}

impl Environ {
    /// An environment of these variables, with an empty body and errors to standard error.
    pub fn new(vars: Vars, gateway: Gateway) -> Environ {
        Environ { vars, gateway, input: Input::empty(), errors: Errors::stderr(), extensions: Extensions::new() }
    }

    /// Puts a body in.
    pub fn with_input(mut self, input: impl Into<Input>) -> Environ {
        self.input = input.into();
        self
    }

    /// Puts another errors stream in.
    pub fn with_errors(mut self, errors: Errors) -> Environ {
        self.errors = errors;
        self
    }

    /// The value of a variable, by its CGI name (`HTTP_ACCEPT`).
    pub fn var(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        self.vars.get(name)
    }

    /// The value of a variable as text; `""` where it is absent.
    ///
    /// # Errors
    /// [`NotText`] when it is not UTF-8; with `?` in an application that becomes a 400.
    pub fn text(&self, name: &str) -> Result<&str, NotText> {
        std::str::from_utf8(self.vars.get(name).unwrap_or_default()).map_err(|_| NotText { name: name.to_owned() })
    }

    /// The value of a header field, by its field name in any case (`accept`, or [`header::ACCEPT`](crate::header)).
    ///
    /// Content-Type and Content-Length are found too, which are variables without the `HTTP_` prefix.
    pub fn header(&self, name: impl AsRef<str>) -> Option<&[u8]> {
        let name = name.as_ref();
        if name.eq_ignore_ascii_case("content-type") {
            return self.content_type();
        }
        if name.eq_ignore_ascii_case("content-length") {
            return self.vars.get("CONTENT_LENGTH").filter(|value| !value.is_empty());
        }
        self.vars.get_field(name)
    }

    /// Sets a variable.
    pub fn set_var(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.vars.set(name, value);
    }

    /// Removes a variable; says whether it was there.
    pub fn remove_var(&mut self, name: impl AsRef<[u8]>) -> bool {
        self.vars.remove(name)
    }

    /// All variables.
    pub fn vars(&self) -> &Vars {
        &self.vars
    }

    /// All variables, to change.
    pub fn vars_mut(&mut self) -> &mut Vars {
        &mut self.vars
    }

    /// `REQUEST_METHOD`; empty where that is not a token, which no conforming server lets through.
    pub fn method(&self) -> &str {
        std::str::from_utf8(self.value("REQUEST_METHOD")).unwrap_or_default()
    }

    /// `SCRIPT_NAME`: the decoded path of the application itself, without a slash at its end; may be empty.
    pub fn script_name(&self) -> &[u8] {
        self.value("SCRIPT_NAME")
    }

    /// `PATH_INFO`: the decoded rest of the path, within the application; may be empty.
    pub fn path_info(&self) -> &[u8] {
        self.value("PATH_INFO")
    }

    /// `QUERY_STRING`: what stands behind the `?`, as it was sent; may be empty.
    pub fn query_string(&self) -> &[u8] {
        self.value("QUERY_STRING")
    }

    /// `CONTENT_TYPE`, where there is one.
    pub fn content_type(&self) -> Option<&[u8]> {
        self.vars.get("CONTENT_TYPE").filter(|value| !value.is_empty())
    }

    /// `CONTENT_LENGTH` in bytes, where the request came with one.
    pub fn content_length(&self) -> Option<u64> {
        let digits = std::str::from_utf8(self.vars.get("CONTENT_LENGTH")?).ok()?;
        // `parse` alone would take a sign.
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    }

    /// `SERVER_PROTOCOL`: the protocol of the request, as `HTTP/1.1`.
    pub fn server_protocol(&self) -> &str {
        std::str::from_utf8(self.value("SERVER_PROTOCOL")).unwrap_or_default()
    }

    /// The `wgi.*` variables.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// The `wgi.*` variables, for middleware that knows better.
    pub fn gateway_mut(&mut self) -> &mut Gateway {
        &mut self.gateway
    }

    /// The request's body (`wgi.input`).
    pub fn input(&mut self) -> &mut Input {
        &mut self.input
    }

    /// The errors stream (`wgi.errors`): a handle that may be cloned and kept.
    pub fn errors(&mut self) -> &mut Errors {
        &mut self.errors
    }

    /// What middleware and servers added, by type. A server documents the types that it adds.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// What middleware and servers added, to change.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.extensions
    }

    fn value(&self, name: &str) -> &[u8] {
        self.vars.get(name).unwrap_or_default()
    }
}

impl fmt::Display for NotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not UTF-8", self.name)
    }
}

// No `std::error::Error`, for the reason given at `Error`: it would become the application's fault by `?`.
impl From<NotText> for Error {
    fn from(error: NotText) -> Error {
        Error::refused(StatusCode::BAD_REQUEST, error.to_string())
    }
}

impl fmt::Debug for Environ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environ")
            .field("vars", &self.vars)
            .field("gateway", &self.gateway)
            .field("input", &self.input)
            .field("errors", &self.errors)
            .finish_non_exhaustive()
    }
}
