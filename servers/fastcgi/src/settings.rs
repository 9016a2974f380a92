//! What a deployer can set.

use wgi::server::meta_variables::Mount;

/// The limits of a connection, and where the application is mounted.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The most bytes of PARAMS of one request.
    pub(crate) max_params: usize,
    /// The most requests that are open at once on one connection.
    pub(crate) max_requests: usize,
    /// What a query for FCGI_MAX_CONNS and FCGI_MAX_REQS gets.
    pub(crate) max_connections: usize,
    /// Where the application is mounted, if the deployer says so.
    pub(crate) mount: Option<Mount>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { max_params: 64 * 1024, max_requests: 64, max_connections: 50_000, mount: None }
    }
}
