//! What `wsgiref.util` has: the request's URL, mounting below a path, defaults for tests.

use crate::{Environ, Gateway, Scheme, Vars, percent};

impl Environ {
    /// The URL of the request, reconstructed (PEP 3333, "URL Reconstruction").
    ///
    /// It takes the client's word for the host (`HTTP_HOST`): compare with a list of your own before you send it in
    /// a mail.
    ///
    /// ```
    /// use wgi::Environ;
    ///
    /// let mut environ = Environ::for_testing("GET", "/shop/caf%C3%A9?id=1");
    /// assert_eq!(environ.shift_path().as_deref(), Some(&b"shop"[..]));
    /// assert_eq!(environ.url(), "http://localhost/shop/caf%C3%A9?id=1");
    /// assert_eq!(environ.application_url(), "http://localhost/shop");
    /// ```
    pub fn url(&self) -> String {
        let mut url = self.origin();
        url.push_str(&percent::encode(self.script_name()));
        url.push_str(&percent::encode(self.path_info()));
        if !self.query_string().is_empty() {
            url.push('?');
            url.push_str(&String::from_utf8_lossy(self.query_string()));
        }
        url
    }

    /// The URL of the application itself: that of the request without PATH_INFO and query.
    pub fn application_url(&self) -> String {
        let mut url = self.origin();
        url.push_str(match self.script_name() {
            b"" => "/",
            script_name => return url + &percent::encode(script_name),
        });
        url
    }

    /// Moves the first segment of PATH_INFO to the end of SCRIPT_NAME, and gives it: one step towards an application
    /// that is mounted below this one.
    ///
    /// `None` when there is no segment left. An empty one (`/`, or the middle of `//`) is given as such, and moves
    /// the slash alone. Dot segments are nothing special here; a path that walks the file system has to refuse them.
    pub fn shift_path(&mut self) -> Option<Vec<u8>> {
        let rest = self.path_info().strip_prefix(b"/")?;
        let end = rest.iter().position(|&byte| byte == b'/').unwrap_or(rest.len());
        let (segment, rest) = (rest[..end].to_vec(), rest[end..].to_vec());
        let mut script_name = self.script_name().to_vec();
        script_name.push(b'/');
        script_name.extend_from_slice(&segment);
        self.set_var("SCRIPT_NAME", script_name);
        self.set_var("PATH_INFO", rest);
        Some(segment)
    }

    /// An environment as a server might build it, for tests: `method` and a path with its query, on
    /// `http://localhost/` over HTTP/1.1, from 127.0.0.1.
    ///
    /// A `%` that starts no escape is taken as it stands.
    pub fn for_testing(method: &str, target: &str) -> Environ {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut vars = Vars::new();
        vars.push("GATEWAY_INTERFACE", "CGI/1.1");
        vars.push("SERVER_SOFTWARE", concat!("wgi/", env!("CARGO_PKG_VERSION")));
        vars.push("SERVER_PROTOCOL", "HTTP/1.1");
        vars.push("SERVER_NAME", "localhost");
        vars.push("SERVER_PORT", "80");
        vars.push("REMOTE_ADDR", "127.0.0.1");
        vars.push("REQUEST_METHOD", method);
        vars.push("SCRIPT_NAME", "");
        vars.push("PATH_INFO", percent::decode(path.as_bytes()).unwrap_or(path.as_bytes().into()));
        vars.push("QUERY_STRING", query);
        vars.push("HTTP_HOST", "localhost");
        Environ::new(vars, Gateway::new())
    }

    fn origin(&self) -> String {
        let scheme = self.gateway().url_scheme;
        let mut url = format!("{}://", scheme.as_str());
        match self.var("HTTP_HOST").filter(|host| !host.is_empty()) {
            Some(host) => url.push_str(&String::from_utf8_lossy(host)),
            None => {
                url.push_str(&String::from_utf8_lossy(self.var("SERVER_NAME").unwrap_or(b"localhost")));
                let port = self.var("SERVER_PORT").unwrap_or_default();
                if !is_default_port(scheme, port) {
                    url.push(':');
                    url.push_str(&String::from_utf8_lossy(port));
                }
            }
        }
        url
    }
}

fn is_default_port(scheme: Scheme, port: &[u8]) -> bool {
    port.is_empty() || port == scheme.default_port().to_string().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_host_names_the_port_unless_it_is_usual() {
        let mut environ = Environ::for_testing("GET", "/a b?c=%20");
        environ.remove_var("HTTP_HOST");
        assert_eq!(environ.url(), "http://localhost/a%20b?c=%20");
        environ.set_var("SERVER_PORT", "8080");
        assert_eq!(environ.url(), "http://localhost:8080/a%20b?c=%20");
        environ.gateway_mut().url_scheme = Scheme::Https;
        environ.set_var("SERVER_PORT", "443");
        assert_eq!(environ.url(), "https://localhost/a%20b?c=%20");
    }

    #[test]
    fn shifting_walks_the_path() {
        let mut environ = Environ::for_testing("GET", "/a//b");
        let mut walked = Vec::new();
        while let Some(segment) = environ.shift_path() {
            walked.push((String::from_utf8(segment).unwrap(), environ.text("SCRIPT_NAME").unwrap().to_owned()));
        }
        let expected = [("a", "/a"), ("", "/a/"), ("b", "/a//b")];
        assert_eq!(walked, expected.map(|(segment, script)| (segment.to_owned(), script.to_owned())));
        assert_eq!(environ.path_info(), b"");
    }
}
