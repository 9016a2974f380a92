//! What a deployer can set.

/// The limits of a connection, and where the application is mounted.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The most bytes of PARAMS of one request.
    pub(crate) max_params: usize,
    /// The most requests that are open at once on one connection.
    pub(crate) max_requests: usize,
    /// What a query for FCGI_MAX_CONNS and FCGI_MAX_REQS gets.
    pub(crate) max_connections: usize,
    /// The decoded path of the application, without a slash at its end.
    pub(crate) script_name: Option<Vec<u8>>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { max_params: 64 * 1024, max_requests: 64, max_connections: 50_000, script_name: None }
    }
}
