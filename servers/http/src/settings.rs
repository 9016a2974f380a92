//! What a deployer can set.

use wgi::HeaderValue;

/// What wgi calls itself towards clients (RFC 9110 §10.2.4) and applications (RFC 3875 §4.1.17).
pub(crate) const SOFTWARE: &str = concat!("wgi/", env!("CARGO_PKG_VERSION"));

/// The limits of a request's head, and the server's name.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The longest head in bytes.
    pub(crate) max_head: usize,
    /// The most header fields.
    pub(crate) max_fields: usize,
    /// The longest request target in bytes.
    pub(crate) max_target: usize,
    /// What the `Server` field says.
    pub(crate) server: Option<HeaderValue>,
    /// The whole line of it, or nothing.
    pub(crate) server_line: Vec<u8>,
}

impl Settings {
    pub(crate) fn set_server(&mut self, server: Option<HeaderValue>) {
        self.server_line =
            server.as_ref().map_or_else(Vec::new, |server| [b"server: ", server.as_bytes(), b"\r\n"].concat());
        self.server = server;
    }
}

impl Default for Settings {
    fn default() -> Settings {
        let mut settings = Settings {
            max_head: 32 * 1024,
            max_fields: 100,
            max_target: 8 * 1024,
            server: None,
            server_line: Vec::new(),
        };
        settings.set_server(Some(HeaderValue::from_static(SOFTWARE)));
        settings
    }
}
