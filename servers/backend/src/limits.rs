//! What a back end is allowed, each with a safe default.

use std::time::Duration;

/// What a back end, and a request on its way to it, is allowed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// The most bytes in the head of a response; beyond it, 502. Default: 32 KiB.
    pub max_head: usize,
    /// The most fields in the head of a response; beyond it, 502. Default: 100.
    pub max_fields: usize,
    /// The most bytes in the body of a response; beyond it, the response is cut. Default: no limit, for a body is passed
    /// on and not held.
    pub max_output: u64,
    /// How many bytes of a request's errors stream are passed on; what comes beyond is read and dropped. Default: 64 KiB.
    pub max_errors: usize,
    /// The longest request body whose length is not known in advance: it is collected, for back ends want to know the
    /// length first, in a temporary file where it is long. Beyond it, 413. Default: 64 MiB.
    pub max_spool: u64,
    /// How long a back end may do nothing: neither give output nor take any of the request; beyond it, 504. Default: 60 s.
    pub silence: Duration,
    /// How long a request may take in all; beyond it, 504, or a cut response. Default: 1 h.
    pub total: Duration,
    /// How long a request waits when as many as may be are under way; beyond it, 503. Default: 10 s.
    pub queue: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_head: 32 * 1024,
            max_fields: 100,
            max_output: u64::MAX,
            max_errors: 64 * 1024,
            max_spool: 64 << 20,
            silence: Duration::from_secs(60),
            total: Duration::from_secs(3600),
            queue: Duration::from_secs(10),
        }
    }
}
