//! What the examples share.

pub mod number;
pub mod page;

/// The code of READMEs that are not the documentation of a crate, as tests.
#[cfg(doctest)]
mod readmes {
    #[doc = include_str!("../../README.md")]
    mod root {}
    #[doc = include_str!("../../servers/cgi/README.md")]
    mod cgi {}
    #[doc = include_str!("../../servers/engine/README.md")]
    mod engine {}
    #[doc = include_str!("../../servers/http/README.md")]
    mod http {}
}
