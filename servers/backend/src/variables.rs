//! Which variables of an environ a back end gets: those that CGI defines (RFC 3875 §4.1), the fields of the request, and
//! what the deployer says; nothing else.
//!
//! An environ may hold more: hosted as CGI, the whole environment of the process; and whatever middleware has put there.
//! A back end may be a process whose environment these become, so they are chosen by name.

use std::collections::HashSet;

use wgi::{Environ, Error, StatusCode, Vars, percent};

/// The variables of CGI/1.1 (RFC 3875 §4.1), and those that servers give beside them. PATH_TRANSLATED is missing, for
/// what it is depends on the back end.
const META: [&[u8]; 21] = [
    b"AUTH_TYPE",
    b"CONTENT_LENGTH",
    b"CONTENT_TYPE",
    b"HTTPS",
    b"QUERY_STRING",
    b"REDIRECT_URL",
    b"REMOTE_ADDR",
    b"REMOTE_HOST",
    b"REMOTE_IDENT",
    b"REMOTE_PORT",
    b"REMOTE_USER",
    b"REQUEST_METHOD",
    b"REQUEST_SCHEME",
    b"REQUEST_URI",
    b"SERVER_ADDR",
    b"SERVER_NAME",
    b"SERVER_PORT",
    b"SERVER_PROTOCOL",
    b"SERVER_SOFTWARE",
    b"PATH_INFO",
    b"SCRIPT_NAME",
];

/// Fields that no back end gets. `Proxy` would be taken for the program's own configuration (CVE-2016-5385), the fields
/// of the content have variables of their own, and the connection is the server's (RFC 3875 §4.1.18).
const FORBIDDEN: [&[u8]; 11] = [
    b"HTTP_PROXY",
    b"HTTP_CONTENT_LENGTH",
    b"HTTP_CONTENT_TYPE",
    b"HTTP_CONNECTION",
    b"HTTP_KEEP_ALIVE",
    b"HTTP_PROXY_AUTHORIZATION",
    b"HTTP_PROXY_CONNECTION",
    b"HTTP_TE",
    b"HTTP_TRAILER",
    b"HTTP_TRANSFER_ENCODING",
    b"HTTP_UPGRADE",
];

/// What a back end gets beside the variables of CGI and the fields of the request.
#[derive(Clone, Debug, Default)]
pub struct Variables {
    added: Vars,
    passed: Vec<Vec<u8>>,
    authorization: bool,
}

impl Variables {
    /// Adds a variable to every request, in place of any of that name.
    pub fn add(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.added.set(name, value);
    }

    /// Passes a variable of the environ on that is not one of CGI's, where the environ has it.
    pub fn pass(&mut self, name: impl AsRef<[u8]>) {
        self.passed.push(name.as_ref().to_vec());
    }

    /// Passes the field Authorization on. By default it is not: RFC 3875 §4.1.18 asks servers to keep it from programs
    /// that have no business with it.
    pub fn pass_authorization(&mut self, pass: bool) {
        self.authorization = pass;
    }

    /// The variables of a request, but for those that are added.
    ///
    /// # Errors
    /// 400 when a name or value cannot be passed on: it holds NUL, which could be a part of no environment.
    pub fn of(&self, environ: &Environ) -> Result<Vars, Error> {
        let mut vars = Vars::with_capacity(environ.vars().as_block().len() + 256);
        vars.push("GATEWAY_INTERFACE", "CGI/1.1");
        // Where a name stands twice, the first one counts.
        let mut seen = HashSet::from([&b"GATEWAY_INTERFACE"[..]]);
        for (name, value) in environ.vars().iter() {
            if !self.is_passed(name) || !seen.insert(name) {
                continue;
            }
            if value.contains(&0) {
                let reason = format!("{} holds a NUL", name.escape_ascii());
                return Err(Error::refused(StatusCode::BAD_REQUEST, reason));
            }
            vars.push(name, value);
        }
        if vars.get("REQUEST_URI").is_none() {
            vars.push("REQUEST_URI", request_uri(environ));
        }
        Ok(vars)
    }

    /// Puts in what the deployer adds: the last thing to be done.
    pub fn finish(&self, vars: &mut Vars) {
        for (name, value) in self.added.iter() {
            vars.set(name, value);
        }
    }

    fn is_passed(&self, name: &[u8]) -> bool {
        if let Some(rest) = name.strip_prefix(b"HTTP_") {
            return is_name(rest) && !FORBIDDEN.contains(&name) && (self.authorization || rest != b"AUTHORIZATION");
        }
        META.contains(&name)
            || name.strip_prefix(b"SSL_").is_some_and(is_name)
            || self.passed.iter().any(|passed| passed == name)
    }
}

/// The target of the request, where the server does not have it as it was sent: programs that make addresses of their own
/// look for them there.
fn request_uri(environ: &Environ) -> String {
    let path = percent::encode(&[environ.script_name(), environ.path_info()].concat());
    match environ.query_string() {
        b"" => path,
        query => format!("{path}?{}", String::from_utf8_lossy(query)),
    }
}

/// What a field's name becomes (RFC 3875 §4.1.18), and nothing that a shell would take for something else.
fn is_name(name: &[u8]) -> bool {
    name.iter().all(|&byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environ() -> Environ {
        let mut environ = Environ::for_testing("GET", "/a?b=c");
        for name in [
            "PATH",
            "LD_PRELOAD",
            "X_OWN",
            "HTTP_PROXY",
            "HTTP_AUTHORIZATION",
            "HTTP_ACCEPT",
            "HTTP_TE",
            "HTTP_A=B",
            "HTTP_SHELL()",
            "SSL_PROTOCOL",
            "REMOTE_USER",
        ] {
            environ.set_var(name, "x");
        }
        environ
    }

    #[test]
    fn only_what_is_known_is_passed() {
        let vars = Variables::default().of(&environ()).unwrap();
        for name in ["HTTP_ACCEPT", "SSL_PROTOCOL", "REMOTE_USER", "SERVER_NAME", "QUERY_STRING", "GATEWAY_INTERFACE"] {
            assert!(vars.get(name).is_some(), "{name}");
        }
        for name in
            ["PATH", "LD_PRELOAD", "X_OWN", "HTTP_PROXY", "HTTP_AUTHORIZATION", "HTTP_TE", "HTTP_A=B", "HTTP_SHELL()"]
        {
            assert!(vars.get(name).is_none(), "{name}");
        }
    }

    #[test]
    fn a_deployer_has_the_last_word() {
        let mut variables = Variables::default();
        variables.pass("X_OWN");
        variables.pass_authorization(true);
        variables.add("REMOTE_USER", "nobody");
        variables.add("HTTP_PROXY", "http://proxy.example");
        let mut vars = variables.of(&environ()).unwrap();
        variables.finish(&mut vars);
        for (name, value) in [
            ("X_OWN", "x"),
            ("HTTP_AUTHORIZATION", "x"),
            ("REMOTE_USER", "nobody"),
            ("HTTP_PROXY", "http://proxy.example"),
        ] {
            assert_eq!(vars.get(name), Some(value.as_bytes()), "{name}");
        }
    }

    #[test]
    fn what_no_process_could_have_is_refused() {
        let mut environ = environ();
        environ.set_var("HTTP_ACCEPT", "a\0b");
        assert_eq!(Variables::default().of(&environ).unwrap_err().status(), StatusCode::BAD_REQUEST);
    }
}
