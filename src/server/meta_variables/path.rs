//! Where the application is mounted, and what is left of the path: `SCRIPT_NAME` and `PATH_INFO`, percent-decoded.

use std::borrow::Cow;

use crate::{Error, percent};

use super::name::Variable::*;
use super::refused;
use super::sent::Sent;

/// Where the application is mounted, by the word of the deployer: a decoded path, empty for the root.
///
/// With or without it, `SCRIPT_NAME` and `PATH_INFO` are found by rules, of which the first that fits decides:
///
/// 1. A mount point that was set is the truth: the path is that of `REQUEST_URI`, decoded. Outside of the mount point,
///    `SCRIPT_NAME` is empty.
/// 2. `*` (of `OPTIONS *`) is `PATH_INFO`.
/// 3. Neither `SCRIPT_NAME` nor `PATH_INFO` (an Authorizer gets none, FastCGI specification §6.3): the path of
///    `REQUEST_URI` is `PATH_INFO`.
/// 4. `SCRIPT_FILENAME` starts with `proxy:` (Apache's mod_proxy_fcgi, mod_proxy_scgi, mod_proxy_uwsgi). By `ProxyPass` it
///    ends with the path that the application is asked for, and the whole path ends with that too: what it has in front
///    is the mount point. By `SetHandler` it ends with a file's name, and `SCRIPT_NAME` ends where there is no such file,
///    which is an accident: the mount point is that of the `Alias` (`CONTEXT_PREFIX`), or the root. The whole path is that
///    of both variables; mod_proxy_uwsgi cuts `SCRIPT_NAME` at a wrong place at times, and there it is `REQUEST_URI`'s.
/// 5. No `PATH_INFO`, and nginx or HAProxy by `SERVER_SOFTWARE`, or no `SCRIPT_FILENAME` either: `SCRIPT_NAME` is the
///    whole path, for nobody was told to split it. The mount point is the root.
/// 6. Both are the same, and the request's path is too short to be both of them (nginx with
///    `fastcgi_param PATH_INFO $fastcgi_script_name`): the mount point is the root.
/// 7. They are as they were sent: mod_fcgid, lighttpd, Caddy, and every server that was told where to split.
///
/// These rules compare what the server sent with itself. What a client can write into its request moves the line
/// between `SCRIPT_NAME` and `PATH_INFO` in none of them, but for the path that it asks for. A slash at the end of
/// `SCRIPT_NAME` belongs to `PATH_INFO`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Without a slash at its end.
    path: Vec<u8>,
}

impl Mount {
    /// At this decoded path: `/shop`, or an empty one for the root. Slashes at its end are left out.
    pub fn at(path: impl AsRef<[u8]>) -> Mount {
        Mount { path: without_slash(path.as_ref()).to_vec() }
    }
}

/// Puts the slash between `SCRIPT_NAME` and `PATH_INFO` where it belongs: at the front of `PATH_INFO` (spec clauses 4.7
/// and 4.8). The URL that they make stays the same.
///
/// ```
/// use wgi::server::meta_variables::divide;
///
/// let (script_name, path_info) = divide(b"/app/", b"cart");
/// assert_eq!((&*script_name, &*path_info), (&b"/app"[..], &b"/cart"[..]));
/// ```
pub fn divide<'a>(script_name: &'a [u8], path_info: &'a [u8]) -> (Cow<'a, [u8]>, Cow<'a, [u8]>) {
    let mount = without_slash(script_name);
    match path_info {
        b"" => (rooted(mount), Cow::Borrowed(script_name.get(mount.len()..).unwrap_or_default())),
        path_info => (rooted(mount), rooted(path_info)),
    }
}

/// Where the application is mounted, and the rest of the path.
pub(crate) type Split<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

/// Applies the rules.
///
/// # Errors
/// When REQUEST_URI is needed and is no target.
pub(crate) fn split_path<'a>(sent: &Sent<'a>, mount: Option<&'a Mount>) -> Result<Split<'a>, Error> {
    let script_name = sent.get(ScriptName).unwrap_or_default();
    let path_info = sent.get(PathInfo).unwrap_or_default();
    if let Some(mount) = mount {
        let path = match sent.get(RequestUri) {
            Some(uri) => uri_path(uri)?,
            None => concat(script_name, path_info),
        };
        return Ok(below(&mount.path, path));
    }
    if script_name == b"*" || path_info == b"*" {
        return Ok(at_root(Cow::Borrowed(b"*")));
    }
    if script_name.is_empty() && path_info.is_empty() {
        return Ok(at_root(match sent.get(RequestUri) {
            Some(uri) => uri_path(uri)?,
            None => Cow::Borrowed(b""),
        }));
    }
    if let Some(proxied) = sent.get(ScriptFilename).and_then(|filename| filename.strip_prefix(b"proxy:"))
        && let Some(split) = behind_apache(sent, script_name, path_info, proxied)?
    {
        return Ok(split);
    }
    if sent.get(PathInfo).is_none() && (splits_nothing(sent.get(ServerSoftware)) || sent.get(ScriptFilename).is_none())
    {
        return Ok(at_root(rooted(script_name)));
    }
    if script_name == path_info
        && let Some(uri) = sent.get(RequestUri)
        && uri_path(uri)?.len() < script_name.len() + path_info.len()
    {
        return Ok(at_root(rooted(path_info)));
    }
    Ok(divide(script_name, path_info))
}

/// The application is at the root, where no path is `/`.
fn at_root(path: Cow<'_, [u8]>) -> Split<'_> {
    (Cow::Borrowed(b""), if path.is_empty() { Cow::Borrowed(b"/") } else { path })
}

/// Splits a path at a mount point, which has no slash at its end; elsewhere the application is at the root.
fn below<'a>(mount: &[u8], path: Cow<'a, [u8]>) -> Split<'a> {
    match path.strip_prefix(mount) {
        Some(rest) if rest.is_empty() || rest.starts_with(b"/") => split_at(path, mount.len()),
        _ => at_root(path),
    }
}

/// Rule 4: `proxied` is what stands behind `proxy:` in SCRIPT_FILENAME.
fn behind_apache<'a>(
    sent: &Sent<'a>,
    script_name: &'a [u8],
    path_info: &'a [u8],
    proxied: &'a [u8],
) -> Result<Option<Split<'a>>, Error> {
    let Some(path) = behind_authority(proxied) else { return Ok(None) };
    let is_uwsgi = proxied.starts_with(b"uwsgi:");
    // Two slashes come of `SetHandler "proxy:fcgi://…/"`, and of a `ProxyPass` with one slash too many.
    let path = if path.starts_with(b"//") { path.get(1..).unwrap_or_default() } else { path };
    let asked = match percent::decode(path) {
        // mod_proxy_uwsgi has decoded it, and all else that it says of the path is made from that.
        _ if is_uwsgi => Cow::Borrowed(path),
        Some(asked) => asked,
        None => return Ok(Some(at_root(concat(script_name, path_info)))),
    };
    // With `proxy-scgi-pathinfo` set, PATH_INFO is that path too, not decoded; and where that makes a difference,
    // SCRIPT_NAME still has it at its end.
    let is_repeated = path_info == path && *asked != *path && script_name.ends_with(&asked);
    let path_info = if is_repeated { b"" } else { path_info };
    let whole = match sent.get(RequestUri) {
        Some(uri) if is_uwsgi => uri_path(uri)?,
        _ => concat(script_name, path_info),
    };
    if let Some(mount) = whole.strip_suffix(&*asked) {
        let at = without_slash(mount).len();
        return Ok(Some(split_at(whole, at)));
    }
    // `ProxyPass "/app" "fcgi://host"` asked for `/app`.
    if *asked == *b"/" && (path_info.is_empty() || is_uwsgi) {
        let at = without_slash(&whole).len();
        return Ok(Some(split_at(whole, at)));
    }
    let is_below = |root: Option<&[u8]>| root.is_some_and(|root| !root.is_empty() && path.starts_with(root));
    let is_handled = is_below(sent.get(DocumentRoot)) || is_below(sent.get(ContextDocumentRoot));
    if is_handled || (!path_info.is_empty() && !is_uwsgi) {
        return Ok(Some(below(without_slash(sent.get(ContextPrefix).unwrap_or_default()), whole)));
    }
    // `ProxyPass "/app/" "fcgi://host/other/"`: as over HTTP, the application is asked for another path.
    Ok(Some(at_root(asked)))
}

/// Splits a path into SCRIPT_NAME and PATH_INFO.
fn split_at(path: Cow<'_, [u8]>, at: usize) -> Split<'_> {
    match path {
        Cow::Borrowed(path) => {
            let (script_name, path_info) = path.split_at_checked(at).unwrap_or((b"", path));
            (Cow::Borrowed(script_name), Cow::Borrowed(path_info))
        }
        Cow::Owned(mut path) => {
            let path_info = path.split_off(at.min(path.len()));
            (Cow::Owned(path), Cow::Owned(path_info))
        }
    }
}

/// A path without the slashes at its end.
fn without_slash(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|&byte| byte != b'/').map_or(0, |last| last + 1);
    path.get(..end).unwrap_or(path)
}

/// A path with a slash at its front, unless it is empty.
fn rooted(path: &[u8]) -> Cow<'_, [u8]> {
    if path.is_empty() || path.starts_with(b"/") { Cow::Borrowed(path) } else { Cow::Owned([b"/", path].concat()) }
}

/// The whole path.
fn concat<'a>(script_name: &'a [u8], path_info: &'a [u8]) -> Cow<'a, [u8]> {
    if path_info.is_empty() {
        return rooted(script_name);
    }
    Cow::Owned([rooted(without_slash(script_name)), rooted(path_info)].concat())
}

/// The decoded path of a request target, in origin form or absolute (RFC 9112 §3.2), or `*`.
fn uri_path(uri: &[u8]) -> Result<Cow<'_, [u8]>, Error> {
    let end = uri.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(uri.len());
    let target = uri.get(..end).unwrap_or_default();
    let path = match behind_authority(target) {
        _ if target.starts_with(b"/") || target == b"*" => target,
        Some(b"") => b"/",
        Some(path) => path,
        None => return Err(refused("REQUEST_URI is not a path")),
    };
    percent::decode(path).ok_or_else(|| refused("the path has a percent sign that starts no escape, or escapes a NUL"))
}

/// What stands behind `scheme://authority`.
fn behind_authority(uri: &[u8]) -> Option<&[u8]> {
    let colon = uri.windows(3).position(|three| three == b"://")?;
    let rest = uri.get(colon + 3..)?;
    let slash = rest.iter().position(|&byte| byte == b'/').unwrap_or(rest.len());
    rest.get(slash..)
}

/// The servers whose SCRIPT_NAME is the whole path where nothing was said of PATH_INFO.
fn splits_nothing(software: Option<&[u8]>) -> bool {
    software.is_some_and(|software| software.starts_with(b"nginx") || software.starts_with(b"HAProxy"))
}
