//! What web servers send, as they were seen to send it, and the environ that comes of it.
//!
//! Seen of nginx 1.22.1, Apache 2.4 with mod_proxy_uwsgi, lighttpd 1.4.69 and uWSGI 2.0.21's HTTP router as Debian has them.
//! Left out are variables that nothing here depends on.

mod feed;

use feed::{environ_with, var};
use wgi::Scheme;
use wgi_uwsgi::Uwsgi;

/// Checks what comes of variables: SCRIPT_NAME and PATH_INFO, and that the rest is what it must always be.
#[track_caller]
fn split(vars: &[(&str, &str)], script_name: &str, path_info: &str) {
    split_with(&Uwsgi::new(), vars, script_name, path_info);
}

#[track_caller]
fn split_with(uwsgi: &Uwsgi, vars: &[(&str, &str)], script_name: &str, path_info: &str) {
    let vars = [&[("REQUEST_METHOD", "GET")], vars].concat();
    let (vars, _) = environ_with(uwsgi, &vars);
    let value = |name| var(&vars, name).unwrap_or_else(|| panic!("no {name} in {vars:?}"));
    assert_eq!((value("SCRIPT_NAME"), value("PATH_INFO")), (script_name, path_info), "{vars:?}");
    for name in ["SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL", "SERVER_SOFTWARE"] {
        assert!(!value(name).is_empty(), "{name}");
    }
    assert_eq!(value("GATEWAY_INTERFACE"), "CGI/1.1");
}

/// nginx, with the file `uwsgi_params` that Debian ships: it says nothing of SCRIPT_NAME.
fn nginx(uri: &'static str, path_info: &'static str) -> Vec<(&'static str, &'static str)> {
    vec![
        ("QUERY_STRING", "x=1"),
        ("CONTENT_TYPE", ""),
        ("CONTENT_LENGTH", ""),
        ("REQUEST_URI", uri),
        ("PATH_INFO", path_info),
        ("DOCUMENT_ROOT", "/usr/share/nginx/html"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("REQUEST_SCHEME", "http"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("REMOTE_PORT", "38320"),
        ("SERVER_PORT", "8080"),
        ("SERVER_NAME", "localhost"),
        ("HTTP_HOST", "127.0.0.1"),
        ("HTTP_ACCEPT", "*/*"),
        ("HTTP_X_A", "1"),
        ("HTTP_X_A", "2"),
        ("HTTP_X_EMPTY", ""),
    ]
}

/// [10.24]
#[test]
fn nginx_by_its_defaults() {
    let sent = [&[("REQUEST_METHOD", "GET")], &nginx("/u/a%20b//c?x=1", "/u/a b/c")[..]].concat();
    let (vars, scheme) = environ_with(&Uwsgi::new(), &sent);
    let expected = [
        ("SCRIPT_NAME", ""),
        ("PATH_INFO", "/u/a b/c"),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("SERVER_SOFTWARE", concat!("wgi/", env!("CARGO_PKG_VERSION"))),
        ("REQUEST_METHOD", "GET"),
        ("QUERY_STRING", "x=1"),
        ("REQUEST_URI", "/u/a%20b//c?x=1"),
        ("DOCUMENT_ROOT", "/usr/share/nginx/html"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("REQUEST_SCHEME", "http"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("REMOTE_PORT", "38320"),
        ("SERVER_PORT", "8080"),
        ("SERVER_NAME", "localhost"),
        ("HTTP_HOST", "127.0.0.1"),
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
    let uwsgi = Uwsgi::new().script_name("/books");
    split_with(&uwsgi, &nginx("/books/a%20b?x", "/books/a b"), "/books", "/a b");
    split_with(&uwsgi, &nginx("/books", "/books"), "/books", "");
    split_with(&uwsgi, &nginx("/bookshop", "/bookshop"), "", "/bookshop");
    // location ~ ^(/books)(/.*)?$ { … uwsgi_param SCRIPT_NAME $1; uwsgi_param PATH_INFO $2; }
    let told =
        |path| [&nginx("/books/a%20b?x", "/books/a b")[..], &[("SCRIPT_NAME", "/books"), ("PATH_INFO", path)]].concat();
    split(&told("/a b"), "/books", "/a b");
    split(&told(""), "/books", "");
}

/// Apache with mod_proxy_uwsgi.
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
    // It decodes SCRIPT_FILENAME too, and cuts as many bytes off SCRIPT_NAME as PATH_INFO has.
    let proxied = |script_name, path_info, uri, filename| {
        [&[("PATH_INFO", path_info)], &apache(script_name, uri, filename)[..]].concat()
    };
    // ProxyPass "/u/" "uwsgi://127.0.0.1:3031/"
    split(&proxied("/u/", "/", "/u/", "proxy:uwsgi://127.0.0.1:3031/"), "/u", "/");
    split(&proxied("/u", "/a b///c", "/u/a%20b//%2Fc?x=1", "proxy:uwsgi://127.0.0.1:3031/a b///c"), "/u", "/a b///c");
    split(&proxied("/u", "/100%/%41", "/u/100%25/%2541", "proxy:uwsgi://127.0.0.1:3031/100%/%41"), "/u", "/100%/%41");
    // It leaves one slash out, and counts with the other.
    split(&proxied("/u/", "/x", "/u//x", "proxy:uwsgi://127.0.0.1:3031/x"), "/u", "//x");
    // ProxyPass "/" "uwsgi://127.0.0.1:3031/"
    split(&proxied("", "/", "/", "proxy:uwsgi://127.0.0.1:3031/"), "", "/");
    split(&proxied("", "/x", "/x", "proxy:uwsgi://127.0.0.1:3031/x"), "", "/x");
    // ProxyPass "/u2/" "uwsgi://127.0.0.1:3031/u2/"
    split(&proxied("", "/u2/a b", "/u2/a%20b", "proxy:uwsgi://127.0.0.1:3031/u2/a b"), "", "/u2/a b");
    // ProxyPass "/n" "uwsgi://127.0.0.1:3031"
    split(&proxied("/n", "/", "/n", "proxy:uwsgi://127.0.0.1:3031/"), "/n", "");
    split(&proxied("/n/", "/", "/n/", "proxy:uwsgi://127.0.0.1:3031/"), "/n", "/");
    split(&proxied("/n", "/x", "/n/x", "proxy:uwsgi://127.0.0.1:3031/x"), "/n", "/x");
    // ProxyPass "/other/" "uwsgi://127.0.0.1:3031/elsewhere/": as over HTTP, another path is asked for.
    split(
        &proxied("/other/a", "/elsewhere/a", "/other/a", "proxy:uwsgi://127.0.0.1:3031/elsewhere/a"),
        "",
        "/elsewhere/a",
    );
}

/// [10.24]
#[test]
fn apache_by_sethandler() {
    // <Location "/handler"> SetHandler "proxy:uwsgi://127.0.0.1:3031/": SCRIPT_NAME is cut where it happens to be.
    let file = "proxy:uwsgi://127.0.0.1:3031//srv/www/handler";
    let mut vars = apache("/handl", "/handler/x", file);
    vars.extend([("PATH_INFO", "/x"), ("PATH_TRANSLATED", "/srv/www/x")]);
    split(&vars, "", "/handler/x");
    let mut vars = apache("/handler", "/handler", file);
    vars.push(("PATH_INFO", "/srv/www/handler"));
    split(&vars, "", "/handler");
    // Alias "/app" "/srv/app"
    let mut vars = apache("/a", "/app/x%20y?q", "proxy:uwsgi://127.0.0.1:3031//srv/app");
    vars.extend([("PATH_INFO", "/x y"), ("CONTEXT_PREFIX", "/app"), ("CONTEXT_DOCUMENT_ROOT", "/srv/app")]);
    split(&vars, "/app", "/x y");
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
        ("HTTP_CONTENT_LENGTH", "3"),
    ]);
    vars
}

/// [10.24]
#[test]
fn lighttpd_below_a_prefix_and_at_the_root() {
    // scgi.protocol = "uwsgi"; scgi.server = ( "/s" => …
    split(&lighttpd("/s", "/a b/c", "/s/a%20b//%2Fc"), "/s", "/a b/c");
    split(&lighttpd("/s", "", "/s"), "/s", "");
    // scgi.protocol = "uwsgi"; scgi.server = ( "/" => (( …, "fix-root-scriptname" => "enable" ))
    split(&lighttpd("", "/a b/c", "/a%20b//%2Fc"), "", "/a b/c");
    split(&lighttpd("", "/", "/"), "", "/");
}

/// [10.24]
#[test]
fn the_http_router_of_uwsgi() {
    let router = |path_info, uri| {
        [
            ("PATH_INFO", path_info),
            ("REQUEST_URI", uri),
            ("QUERY_STRING", "x=1"),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("SCRIPT_NAME", ""),
            ("SERVER_NAME", "vm"),
            ("SERVER_PORT", "8080"),
            ("UWSGI_ROUTER", "http"),
            ("REMOTE_ADDR", "127.0.0.1"),
            ("REMOTE_PORT", "52407"),
            ("HTTP_HOST", "127.0.0.1:8080"),
            ("HTTP_X_A", "1, 2"),
        ]
    };
    split(&router("/r/a b///c", "/r/a%20b//%2Fc?x=1"), "", "/r/a b///c");
    split_with(&Uwsgi::new().script_name("/r"), &router("/r/a b///c", "/r/a%20b//%2Fc?x=1"), "/r", "/a b///c");
    let star = [&[("REQUEST_METHOD", "OPTIONS")], &router("*", "*")[..]].concat();
    let (vars, _) = environ_with(&Uwsgi::new(), &star);
    assert_eq!(var(&vars, "PATH_INFO"), Some("*"));
}
