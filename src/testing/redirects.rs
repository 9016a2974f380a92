//! Where a redirect leads, and with which method (RFC 9110 §15.4).

use http::header;

use super::Response;
use crate::Scheme;

/// The request that a redirect asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) keeps_body: bool,
}

/// The request that follows `response`, the answer to `method` and `target`; `None` when it is no redirect, or leads
/// to another host or scheme.
pub(super) fn next(method: &str, target: &str, scheme: Scheme, response: &Response) -> Option<Next> {
    let to_get = match response.status.as_u16() {
        303 => method != "HEAD",
        301 | 302 => method == "POST",
        307 | 308 => false,
        _ => return None,
    };
    let target = resolve(target, scheme, response.header(header::LOCATION)?)?;
    let method = if to_get { "GET" } else { method };
    Some(Next { method: method.to_owned(), target, keeps_body: !to_get })
}

/// The path and query of what a test asks for: a URL of this host, or a target that is taken as it stands, dot segments
/// and all.
pub(super) fn target_of(scheme: Scheme, asked: &str) -> String {
    let url = if has_scheme(asked) { resolve("/", scheme, asked) } else { None };
    url.unwrap_or_else(|| asked.split_once('#').map_or(asked, |(target, _)| target).to_owned())
}

/// Resolves a reference (RFC 3986 §5.2) against the path of a request: the path and query that it leads to on this
/// host, `None` when that is another one. The fragment is the user agent's and is left out.
pub(super) fn resolve(base: &str, scheme: Scheme, reference: &str) -> Option<String> {
    let reference = reference.split_once('#').map_or(reference, |(reference, _)| reference);
    let (base_path, _) = split_query(base);
    let local = match has_scheme(reference) {
        true => reference.strip_prefix(scheme.as_str())?.strip_prefix(':')?,
        false => reference,
    };
    if let Some(authority) = local.strip_prefix("//") {
        let end = authority.find(['/', '?']).unwrap_or(authority.len());
        let (host, rest) = authority.split_at(end);
        if host != "localhost" && host != format!("localhost:{}", scheme.default_port()) {
            return None;
        }
        let (path, query) = split_query(rest);
        return Some(format!("{}{query}", without_dots(if path.is_empty() { "/" } else { path })));
    }
    let (path, query) = split_query(local);
    Some(match path {
        "" if query.is_empty() => base.to_owned(),
        "" => format!("{base_path}{query}"),
        "*" => local.to_owned(),
        _ if path.starts_with('/') => format!("{}{query}", without_dots(path)),
        _ => {
            let folder = base_path.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{}{query}", without_dots(&format!("{folder}/{path}")))
        }
    })
}

/// The path, and the query with its `?`.
fn split_query(target: &str) -> (&str, &str) {
    target.split_at(target.find('?').unwrap_or(target.len()))
}

/// Whether a reference starts with a scheme (RFC 3986 §3.1): a `:` before any `/` or `?`.
fn has_scheme(reference: &str) -> bool {
    reference.split_once(':').is_some_and(|(scheme, _)| {
        !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    })
}

/// Removes dot segments (RFC 3986 §5.2.4) from an absolute path.
fn without_dots(path: &str) -> String {
    let mut kept = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_dots = match segment {
            "." => true,
            ".." => {
                kept.pop();
                true
            }
            _ => {
                kept.push(segment);
                false
            }
        };
        if is_dots && segments.peek().is_none() {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved() {
        for (reference, expected) in [
            ("/x", "/x"),
            ("x", "/a/x"),
            ("./x?y=../z", "/a/x?y=../z"),
            ("../x", "/x"),
            ("../../../x/.", "/x/"),
            ("..", "/"),
            ("?q=1", "/a/b?q=1"),
            ("#top", "/a/b?c=d"),
            ("", "/a/b?c=d"),
            ("x#top", "/a/x"),
            ("//localhost", "/"),
            ("http://localhost?x", "/?x"),
            ("http://localhost:80/x/../y", "/y"),
            ("/time/12:30", "/time/12:30"),
        ] {
            assert_eq!(resolve("/a/b?c=d", Scheme::Http, reference).as_deref(), Some(expected), "{reference}");
        }
    }

    #[test]
    fn another_host_is_not_this_one() {
        for reference in ["//example.org/x", "https://localhost/", "http://localhost:8080/", "mailto:localhost"] {
            assert_eq!(resolve("/", Scheme::Http, reference), None, "{reference}");
        }
    }
}
