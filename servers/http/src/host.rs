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

    /// The variables that say so.
    pub(crate) fn variables(&self) -> Vars {
        let lengths = 4 * size_of::<u32>();
        let mut vars = Vars::with_capacity(
            "HTTP_HOST".len() + self.authority.len() + "SERVER_NAME".len() + self.name.len() + lengths,
        );
        vars.push("HTTP_HOST", self.authority);
        vars.push("SERVER_NAME", self.name);
        vars
    }
}
