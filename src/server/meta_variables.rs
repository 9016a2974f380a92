//! From the variables that a web server hands over to the environ that HTTP would have given: web servers differ in
//! what they send.
//!
//! For servers whose front-end names each variable itself: FastCGI, SCGI, uwsgi. [`normalise`] applies all rules; those
//! that hold for CGI too are functions of their own. They are:
//!
//! **Path.** `SCRIPT_NAME` is where the application is mounted, `PATH_INFO` the rest: see [`Mount`].
//!
//! **Header fields.** A repeated one (nginx before 1.23, HAProxy) is joined with `, `, `Cookie` with `; ` (RFC 3875
//! §4.1.18). Those of the connection go, and so do `HTTP_PROXY` (httpoxy), `HTTP_CONTENT_TYPE` and
//! `HTTP_CONTENT_LENGTH` ([`is_withheld`]). Of any other variable the last one counts, as in every server that puts them
//! into a map: that is how `fastcgi_param` behind an `include` replaces one of the file's.
//!
//! **The rest.** Empty variables that stand for absent ones go ([`is_absent`]). `REMOTE_ADDR` and `SERVER_NAME` lose a
//! port (HAProxy). `SERVER_NAME`, where it is empty or a pattern, is the host of `HTTP_HOST`. The scheme is https when
//! `HTTPS` is there and not `off`, or when `REQUEST_SCHEME` says so; both then say the same. What has no value that could
//! be put right is answered with 400: a method, a path, a length or a host that is none, and a NUL anywhere.
//!
//! One pass over the block of pairs, as it came over the wire, finds what is to be mended. The environ's block is that
//! once more, without the pairs that go; what is new stands in front, where applications come upon it first.
//!
//! Source: spec clauses 4.3 to 4.22 and 10.16; RFC 3875 §4.1.

mod form;
mod host;
mod name;
mod path;
mod repeats;
mod sent;

use crate::vars::Malformed;
use crate::{Error, Scheme, StatusCode, Vars};

pub use form::{content_length, is_absent, is_method, is_withheld};
pub use host::{Remote, remote, split_port};
pub use path::{Mount, divide};

/// What is known of a request once its variables are in order.
#[derive(Debug)]
pub struct Normal {
    /// The variables of the environ: each name once, and all that spec section 4 asks for.
    pub vars: Vars,
    /// The scheme by which the client reached the front-end, for `wgi.url_scheme`.
    pub scheme: Scheme,
    /// `CONTENT_LENGTH` in bytes, where there is one.
    pub content_length: Option<u64>,
}

/// Why variables could not be put in order.
#[derive(Debug)]
pub enum Refusal {
    /// The lengths of the pairs do not add up: what was sent is no block.
    Malformed(Malformed),
    /// The peer's fault, 400: this request cannot be served, for its method, path, host or length is not one, or a
    /// variable could be none of a process (spec clause 4.22).
    Request(Error),
}

/// Puts the variables of a request in order.
///
/// In goes what the front-end sent, and where the deployer says that the application is mounted, if he does.
///
/// ```
/// use wgi::server::meta_variables::{Mount, normalise};
/// use wgi::{Scheme, Vars};
///
/// // What nginx sends by its file fastcgi_params, in part.
/// let mut sent = Vars::new();
/// for (name, value) in [
///     ("REQUEST_METHOD", "GET"),
///     ("SCRIPT_NAME", "/shop/cart"),
///     ("REQUEST_URI", "/shop/cart"),
///     ("SERVER_SOFTWARE", "nginx/1.22.1"),
///     ("CONTENT_LENGTH", ""),
///     ("HTTPS", "on"),
/// ] {
///     sent.push(name, value);
/// }
/// let mount = Mount::at("/shop");
/// let normal = normalise(&sent, Some(&mount))?;
/// assert_eq!(normal.vars.get("SCRIPT_NAME"), Some(&b"/shop"[..]));
/// assert_eq!(normal.vars.get("PATH_INFO"), Some(&b"/cart"[..]));
/// assert_eq!((normal.scheme, normal.content_length), (Scheme::Https, None));
/// # Ok::<(), wgi::Error>(())
/// ```
///
/// # Errors
/// As [`Refusal::Request`].
pub fn normalise(sent: &Vars, mount: Option<&Mount>) -> Result<Normal, Error> {
    Ok(normalise_block(sent.as_block(), mount)?)
}

/// The same of a block in the layout of a PARAMS stream (FastCGI §3.4), as it stands on the wire: it need not be copied
/// nor looked through before.
///
/// # Errors
/// [`Refusal`].
pub fn normalise_block(block: &[u8], mount: Option<&Mount>) -> Result<Normal, Refusal> {
    let mut sent = sent::Sent::new(block);
    if sent.read(Some(&mut repeats::Names::new()))? {
        return Ok(sent.normal(mount)?);
    }
    let joined = repeats::join_repeated(&Vars::from_block(block.to_vec())?);
    let mut sent = sent::Sent::new(joined.as_block());
    sent.read(None)?;
    Ok(sent.normal(mount)?)
}

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Refusal {
        Refusal::Malformed(malformed)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal::Request(error)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        match refusal {
            Refusal::Malformed(malformed) => Error::refused(StatusCode::BAD_REQUEST, malformed.to_string()),
            Refusal::Request(error) => error,
        }
    }
}

fn refused(reason: &'static str) -> Error {
    Error::refused(StatusCode::BAD_REQUEST, reason)
}
