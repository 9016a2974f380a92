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
//! The block of pairs is taken over as it came. One pass over it finds what is to be mended; only where there is
//! something, a second pass takes pairs out, and new ones are appended.
//!
//! Source: spec clauses 4.3 to 4.22 and 10.16; RFC 3875 §4.1.

mod form;
mod host;
mod name;
mod path;
mod repeats;
mod sent;

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
/// let normal = normalise(sent, Some(&mount))?;
/// assert_eq!(normal.vars.get("SCRIPT_NAME"), Some(&b"/shop"[..]));
/// assert_eq!(normal.vars.get("PATH_INFO"), Some(&b"/cart"[..]));
/// assert_eq!((normal.scheme, normal.content_length), (Scheme::Https, None));
/// # Ok::<(), wgi::Error>(())
/// ```
///
/// # Errors
/// The peer's fault, 400: this request cannot be served, for its method, path, host or length is not one, or a
/// variable could be none of a process (spec clause 4.22).
pub fn normalise(mut sent: Vars, mount: Option<&Mount>) -> Result<Normal, Error> {
    let changes = match sent::Sent::scan(&sent) {
        scanned if !scanned.may_repeat => scanned.changes(mount)?,
        _ => {
            sent = repeats::join_repeated(&sent);
            sent::Sent::scan(&sent).changes(mount)?
        }
    };
    let sent::Changes { gone, new, scheme, content_length } = changes;
    sent.cut(&gone);
    sent.extend(&new);
    Ok(Normal { vars: sent, scheme, content_length })
}

fn refused(reason: &'static str) -> Error {
    Error::refused(StatusCode::BAD_REQUEST, reason)
}
