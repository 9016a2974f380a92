//! The host of a request: `host [ ":" port ]`, as `Host` and absolute targets have it (RFC 3986 §3.2).

use wgi::{Error, Vars, authority};

use crate::token::malformed;

/// A host that was checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Host<'a> {
    /// All of it, with the port if there is one.
    pub(crate) authority: &'a [u8],
    /// The host alone, an IPv6 address with its brackets.
    pub(crate) name: &'a [u8],
}

impl<'a> Host<'a> {
    /// Parses an authority (RFC 9110 §7.2). Userinfo is no part of it (RFC 9110 §4.2.4).
    pub(crate) fn parse(authority: &'a [u8]) -> Result<Host<'a>, Error> {
        let (name, _) = authority::split(authority).ok_or_else(|| malformed("the host is not a valid one"))?;
        Ok(Host { authority, name })
    }

    /// The variables of a request of this protocol for this host.
    pub(crate) fn variables(&self, protocol: &str) -> Vars {
        let names = "HTTP_HOST".len() + "SERVER_NAME".len() + "SERVER_PROTOCOL".len();
        let lengths = 6 * size_of::<u32>();
        let mut vars = Vars::with_capacity(names + self.authority.len() + self.name.len() + protocol.len() + lengths);
        vars.push("HTTP_HOST", self.authority);
        vars.push("SERVER_NAME", self.name);
        vars.push("SERVER_PROTOCOL", protocol);
        vars
    }
}
