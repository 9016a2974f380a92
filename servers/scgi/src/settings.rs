//! What a deployer can set.

use wgi::server::meta_variables::Mount;

/// The limit of a connection, and where the application is mounted.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The most bytes of a request's head, within its netstring.
    pub(crate) max_head: usize,
    /// Where the application is mounted, if the deployer says so.
    pub(crate) mount: Option<Mount>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { max_head: 64 * 1024, mount: None }
    }
}
