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
    /// The `Server` field.
    pub(crate) server: Option<HeaderValue>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            max_head: 32 * 1024,
            max_fields: 100,
            max_target: 8 * 1024,
            server: Some(HeaderValue::from_static(SOFTWARE)),
        }
    }
}
