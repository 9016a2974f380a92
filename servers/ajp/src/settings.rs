//! What a deployer can set.

use wgi::server::meta_variables::Mount;

use crate::packet::PACKET_SIZE;
use crate::secret::Secret;

/// How the web server speaks AJP, where that is not how the protocol has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// As Apache's mod_proxy_ajp speaks it.
    #[default]
    Standard,
    /// As lighttpd's mod_ajp13 does (1.4.69, and by its source 1.4.85): `req_uri` is a path that was decoded, the
    /// packets of a request's body do not repeat their length, the size of a TLS key is a string, and of the fields of
    /// a response it takes no more than the name of the first one has letters, unless that is sent as a code.
    ///
    /// Neither side can tell it from the standard: a path that is decoded twice is another path, and a body may begin
    /// with two bytes that look like its length.
    Lighttpd,
}

/// Limits, and what both sides have to know.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The most bytes of a packet, header included: from 8 KiB to 64 KiB.
    pub(crate) packet_size: usize,
    /// The most header fields.
    pub(crate) max_fields: usize,
    /// What the web server has to know.
    pub(crate) secret: Option<Secret>,
    /// Where the application is mounted.
    pub(crate) mount: Option<Mount>,
    pub(crate) dialect: Dialect,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { packet_size: PACKET_SIZE, max_fields: 100, secret: None, mount: None, dialect: Dialect::Standard }
    }
}
