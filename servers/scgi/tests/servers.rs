//! What web servers send, as they were seen to send it, and the environ that comes of it.
//!
//! Seen of nginx 1.22.1, Apache 2.4 with mod_proxy_scgi, and lighttpd 1.4.69 as Debian has them. Left out are variables
//! that nothing here depends on.

mod feed;

use feed::{environ_with, var};
use wgi::Scheme;
use wgi_scgi::Scgi;

/// Checks what comes of variables: SCRIPT_NAME and PATH_INFO, and that the rest is what it must always be.
#[track_caller]
fn split(vars: &[(&str, &str)], script_name: &str, path_info: &str) {
    split_with(&Scgi::new(), vars, script_name, path_info);
}

#[track_caller]
fn split_with(scgi: &Scgi, vars: &[(&str, &str)], script_name: &str, path_info: &str) {
    let vars = [&[("REQUEST_METHOD", "GET")], vars].concat();
    let (vars, _) = environ_with(scgi, &vars);
    let value = |name| var(&vars, name).unwrap_or_else(|| panic!("no {name} in {vars:?}"));
    assert_eq!((value("SCRIPT_NAME"), value("PATH_INFO")), (script_name, path_info), "{vars:?}");
    for name in ["SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL", "SERVER_SOFTWARE"] {
        assert!(!value(name).is_empty(), "{name}");
    }
    assert_eq!(value("GATEWAY_INTERFACE"), "CGI/1.1");
}

/// nginx, with the file `scgi_params` that Debian ships: it says nothing of SCRIPT_NAME or PATH_INFO.
fn nginx(uri: &'static str) -> Vec<(&'static str, &'static str)> {
    vec![
        ("REQUEST_URI", uri),
        ("QUERY_STRING", "x=1"),
        ("CONTENT_TYPE", ""),
        ("DOCUMENT_URI", "/a b/c"),
        ("DOCUMENT_ROOT", "/usr/share/nginx/html"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("REQUEST_SCHEME", "http"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("REMOTE_PORT", "38302"),
        ("SERVER_PORT", "8080"),
        ("SERVER_NAME", "localhost"),
        ("HTTP_HOST", "127.0.0.1"),
        ("HTTP_USER_AGENT", "curl/7.88.1"),
        ("HTTP_ACCEPT", "*/*"),
        ("HTTP_X_A", "1"),
        ("HTTP_X_A", "2"),
        ("HTTP_X_EMPTY", ""),
        ("HTTP_CONTENT_LENGTH", "0"),
        ("HTTP_CONTENT_TYPE", "text/plain"),
        ("HTTP_TRANSFER_ENCODING", "chunked"),
    ]
}

/// [10.24]
#[test]
fn nginx_by_its_defaults() {
    let sent = [&[("REQUEST_METHOD", "GET")], &nginx("/a%20b//c?x=1")[..]].concat();
    let (vars, scheme) = environ_with(&Scgi::new(), &sent);
    let expected = [
        ("SCRIPT_NAME", ""),
        ("PATH_INFO", "/a b//c"),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("SERVER_SOFTWARE", concat!("wgi/", env!("CARGO_PKG_VERSION"))),
        ("SCGI", "1"),
        ("REQUEST_METHOD", "GET"),
        ("REQUEST_URI", "/a%20b//c?x=1"),
        ("QUERY_STRING", "x=1"),
        ("DOCUMENT_URI", "/a b/c"),
        ("DOCUMENT_ROOT", "/usr/share/nginx/html"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("REQUEST_SCHEME", "http"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("REMOTE_PORT", "38302"),
        ("SERVER_PORT", "8080"),
        ("SERVER_NAME", "localhost"),
        ("HTTP_HOST", "127.0.0.1"),
        ("HTTP_USER_AGENT", "curl/7.88.1"),
        ("HTTP_ACCEPT", "*/*"),
        ("HTTP_X_A", "1, 2"),
        ("HTTP_X_EMPTY", ""),
    ];
    assert_eq!(vars, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(scheme, Scheme::Http);
}

/// [10.24]
#[test]
fn nginx_below_a_path() {
    // The deployer says where.
    let scgi = Scgi::new().script_name("/books");
    split_with(&scgi, &nginx("/books/a%20b?x"), "/books", "/a b");
    split_with(&scgi, &nginx("/books"), "/books", "");
    split_with(&scgi, &nginx("/bookshop"), "", "/bookshop");
    // location ~ ^(/books)(/.*)?$ { … scgi_param SCRIPT_NAME $1; scgi_param PATH_INFO $2; }
    let told = |script, path| [&nginx("/books/a%20b?x")[..], &[("SCRIPT_NAME", script), ("PATH_INFO", path)]].concat();
    split(&told("/books", "/a b"), "/books", "/a b");
    split(&told("/books", ""), "/books", "");
    // scgi_param PATH_INFO $document_uri;
    split(&[&nginx("/x")[..], &[("PATH_INFO", "/x")]].concat(), "", "/x");
}

#[test]
fn nginx_over_tls() {
    let vars = [
        ("REQUEST_METHOD", "GET"),
        ("REQUEST_URI", "/"),
        ("REQUEST_SCHEME", "https"),
        ("HTTPS", "on"),
        ("SERVER_PORT", "443"),
    ];
    let (vars, scheme) = environ_with(&Scgi::new(), &vars);
    assert_eq!((scheme, var(&vars, "HTTPS")), (Scheme::Https, Some("on")));
}

/// Apache with mod_proxy_scgi.
fn apache(
    script_name: &'static str,
    uri: &'static str,
    script_filename: &'static str,
) -> Vec<(&'static str, &'static str)> {
    vec![
        ("HTTP_HOST", "127.0.0.1:8080"),
        ("HTTP_X_A", "1, 2"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("SERVER_SIGNATURE", ""),
        ("SERVER_SOFTWARE", "Apache/2.4.71 (Debian)"),
        ("SERVER_NAME", "127.0.0.1"),
        ("SERVER_PORT", "8080"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("DOCUMENT_ROOT", "/srv/www"),
        ("REQUEST_SCHEME", "http"),
        ("CONTEXT_PREFIX", ""),
        ("CONTEXT_DOCUMENT_ROOT", "/srv/www"),
        ("SCRIPT_FILENAME", script_filename),
        ("REMOTE_PORT", "59542"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("QUERY_STRING", "x=1"),
        ("REQUEST_URI", uri),
        ("SCRIPT_NAME", script_name),
    ]
}

/// [10.24]
#[test]
fn apache_by_proxypass() {
    // ProxyPass "/s/" "scgi://127.0.0.1:4000/"
    split(&apache("/s/", "/s/", "proxy:scgi://127.0.0.1:4000/"), "/s", "/");
    let long = apache("/s/a b///c", "/s/a%20b//%2Fc?x=1", "proxy:scgi://127.0.0.1:4000/a%20b///c");
    split(&long, "/s", "/a b///c");
    // ProxyPass "/s2/" "scgi://127.0.0.1:4000/s2/"
    split(&apache("/s2/a b", "/s2/a%20b", "proxy:scgi://127.0.0.1:4000/s2/a%20b"), "", "/s2/a b");
    // ProxyPass "/y" "scgi://127.0.0.1:4000"
    split(&apache("/y", "/y", "proxy:scgi://127.0.0.1:4000/"), "/y", "");
    split(&apache("/y/", "/y/", "proxy:scgi://127.0.0.1:4000/"), "/y", "/");
    split(&apache("/y/a", "/y/a", "proxy:scgi://127.0.0.1:4000/a"), "/y", "/a");
    // ProxyPass "/x/" "scgi://127.0.0.1:4000/elsewhere/": as over HTTP, another path is asked for.
    split(&apache("/x/a", "/x/a", "proxy:scgi://127.0.0.1:4000/elsewhere/a"), "", "/elsewhere/a");
    // ProxyPass "/" "unix:/run/app.sock|scgi://localhost/"
    split(&apache("/100%/é", "/100%25/%C3%A9", "proxy:scgi://localhost:4000/100%25/%C3%A9"), "", "/100%/é");
}

/// [10.24]
#[test]
fn apache_with_proxy_scgi_pathinfo() {
    let with = |script, uri, path, filename| [&apache(script, uri, filename)[..], &[("PATH_INFO", path)]].concat();
    split(&with("/s", "/s/", "/", "proxy:scgi://127.0.0.1:4000/"), "/s", "/");
    split(&with("/s", "/s/x", "/x", "proxy:scgi://127.0.0.1:4000/x"), "/s", "/x");
    split(&with("/x", "/x/x", "/x", "proxy:scgi://127.0.0.1:4000/x"), "/x", "/x");
    // It is not decoded then, and not cut off from SCRIPT_NAME.
    split(&with("/s/a b%", "/s/a%20b%25", "/a%20b%25", "proxy:scgi://127.0.0.1:4000/a%20b%25"), "/s", "/a b%");
}

/// [10.24]
#[test]
fn apache_by_sethandler() {
    // <Location "/h"> SetHandler "proxy:scgi://127.0.0.1:4000/": the mount point is not told.
    let mut vars = apache("/h", "/h/a%20b/c", "proxy:scgi://127.0.0.1:4000//srv/www/h");
    vars.extend([("PATH_INFO", "/a b/c"), ("PATH_TRANSLATED", "/srv/www/a b/c")]);
    split(&vars, "", "/h/a b/c");
    // Alias "/app" "/srv/app"
    let mut vars = apache("/app", "/app/x", "proxy:scgi://127.0.0.1:4000//srv/app");
    vars.extend([("PATH_INFO", "/x"), ("CONTEXT_PREFIX", "/app"), ("CONTEXT_DOCUMENT_ROOT", "/srv/app")]);
    split(&vars, "/app", "/x");
}

/// lighttpd.
fn lighttpd(
    script_name: &'static str,
    path_info: &'static str,
    uri: &'static str,
) -> Vec<(&'static str, &'static str)> {
    let mut vars =
        vec![("QUERY_STRING", ""), ("REQUEST_URI", uri), ("REDIRECT_STATUS", "200"), ("SCRIPT_NAME", script_name)];
    if !path_info.is_empty() {
        vars.extend([("PATH_INFO", path_info), ("PATH_TRANSLATED", "/srv/www/x")]);
    }
    vars.extend([
        ("SCRIPT_FILENAME", "/srv/www/x"),
        ("DOCUMENT_ROOT", "/srv/www"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("SERVER_SOFTWARE", "lighttpd/1.4.69"),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("REQUEST_SCHEME", "http"),
        ("SERVER_PORT", "8080"),
        ("SERVER_ADDR", "127.0.0.1"),
        ("SERVER_NAME", "127.0.0.1"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("REMOTE_PORT", "35918"),
        ("HTTP_HOST", "127.0.0.1:8080"),
        ("HTTP_CONTENT_LENGTH", "0"),
    ]);
    vars
}

/// [10.24]
#[test]
fn lighttpd_below_a_prefix_and_at_the_root() {
    // scgi.server = ( "/s" => …
    split(&lighttpd("/s", "/a b/c", "/s/a%20b//%2Fc"), "/s", "/a b/c");
    split(&lighttpd("/s", "", "/s"), "/s", "");
    // scgi.server = ( "/" => (( …, "fix-root-scriptname" => "enable" ))
    split(&lighttpd("", "/a b/c", "/a%20b//%2Fc"), "", "/a b/c");
    split(&lighttpd("", "/", "/"), "", "/");
}
