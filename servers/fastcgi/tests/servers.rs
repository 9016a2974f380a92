//! What web servers send, as they were seen to send it, and the environ that comes of it.
//!
//! Seen of nginx 1.22.1, Apache 2.4 with mod_proxy_fcgi and mod_fcgid, lighttpd 1.4.69 and HAProxy 2.6.12 as Debian
//! has them; of Caddy 2, what its source says. Left out are variables that nothing here depends on.

mod feed;

use feed::{begin, decode, environ_with, params, stdin, var};
use wgi::Scheme;
use wgi_fastcgi::FastCgi;
use wgi_fastcgi::record::RESPONDER;

/// Checks what comes of variables: SCRIPT_NAME and PATH_INFO, and that the rest is what it must always be.
#[track_caller]
fn split(vars: &[(&str, &str)], script_name: &str, path_info: &str) {
    split_with(&FastCgi::new(), vars, script_name, path_info);
}

#[track_caller]
fn split_with(fastcgi: &FastCgi, vars: &[(&str, &str)], script_name: &str, path_info: &str) {
    let vars = [&[("REQUEST_METHOD", "GET")], vars].concat();
    let (vars, _) = environ_with(fastcgi, &vars);
    let value = |name| var(&vars, name).unwrap_or_else(|| panic!("no {name} in {vars:?}"));
    assert_eq!((value("SCRIPT_NAME"), value("PATH_INFO")), (script_name, path_info), "{vars:?}");
    for name in ["REQUEST_METHOD", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL", "SERVER_SOFTWARE"] {
        assert!(!value(name).is_empty(), "{name}");
    }
    assert_eq!(value("GATEWAY_INTERFACE"), "CGI/1.1");
}

/// nginx, `include fastcgi_params` and nothing else.
const NGINX: [(&str, &str); 24] = [
    ("QUERY_STRING", "x=%20y"),
    ("REQUEST_METHOD", "GET"),
    ("CONTENT_TYPE", ""),
    ("CONTENT_LENGTH", ""),
    ("SCRIPT_NAME", "/a b/c/d/xé"),
    ("REQUEST_URI", "/a%20b//c/./d/%2Fx%C3%A9?x=%20y"),
    ("DOCUMENT_URI", "/a b/c/d/xé"),
    ("DOCUMENT_ROOT", "/usr/share/nginx/html"),
    ("SERVER_PROTOCOL", "HTTP/1.1"),
    ("REQUEST_SCHEME", "http"),
    ("GATEWAY_INTERFACE", "CGI/1.1"),
    ("SERVER_SOFTWARE", "nginx/1.22.1"),
    ("REMOTE_ADDR", "127.0.0.1"),
    ("REMOTE_PORT", "57942"),
    ("REMOTE_USER", ""),
    ("SERVER_ADDR", "127.0.0.1"),
    ("SERVER_PORT", "8080"),
    ("SERVER_NAME", "example.test"),
    ("REDIRECT_STATUS", "200"),
    ("HTTP_HOST", "127.0.0.1"),
    ("HTTP_USER_AGENT", "curl/7.88.1"),
    ("HTTP_PROXY", "evil"),
    ("HTTP_X_A", "1"),
    ("HTTP_X_A", "2"),
];

/// [10.16]
#[test]
fn nginx_by_its_defaults() {
    let (vars, scheme) = environ_with(&FastCgi::new(), &NGINX);
    let expected = [
        ("SCRIPT_NAME", ""),
        ("PATH_INFO", "/a b/c/d/xé"),
        ("QUERY_STRING", "x=%20y"),
        ("REQUEST_METHOD", "GET"),
        ("REQUEST_URI", "/a%20b//c/./d/%2Fx%C3%A9?x=%20y"),
        ("DOCUMENT_URI", "/a b/c/d/xé"),
        ("DOCUMENT_ROOT", "/usr/share/nginx/html"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("REQUEST_SCHEME", "http"),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("SERVER_SOFTWARE", "nginx/1.22.1"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("REMOTE_PORT", "57942"),
        ("SERVER_ADDR", "127.0.0.1"),
        ("SERVER_PORT", "8080"),
        ("SERVER_NAME", "example.test"),
        ("REDIRECT_STATUS", "200"),
        ("HTTP_HOST", "127.0.0.1"),
        ("HTTP_USER_AGENT", "curl/7.88.1"),
        ("HTTP_X_A", "1, 2"),
    ];
    assert_eq!(vars, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(scheme, Scheme::Http);
}

#[test]
fn nginx_that_was_told_where_to_split() {
    let sent = |script, path, uri| {
        [
            ("SCRIPT_NAME", script),
            ("REQUEST_URI", uri),
            ("DOCUMENT_ROOT", "/usr/share/nginx/html"),
            ("SERVER_SOFTWARE", "nginx/1.22.1"),
            ("PATH_INFO", path),
        ]
    };
    // fastcgi_split_path_info ^(/split)(/.*)$; fastcgi_param PATH_INFO $fastcgi_path_info;
    split(&sent("/split", "/x/y", "/split/x/y?z"), "/split", "/x/y");
    split(&sent("/split", "/", "/split/"), "/split", "/");
    split(&sent("/split", "", "/split"), "/split", "");
    // … ^()(/.*)$
    split(&sent("", "/root/x /y", "/root/x%20/y?z"), "", "/root/x /y");
    // A path that has its own mount point once more.
    split(&sent("/split", "/split", "/split/split"), "/split", "/split");
    // With the slash on the other side of the split.
    split(&sent("/split/", "x", "/split/x"), "/split", "/x");
}

#[test]
fn nginx_that_puts_the_whole_path_into_both() {
    // `include fastcgi_params; fastcgi_param PATH_INFO $fastcgi_script_name;`
    let both =
        [("SCRIPT_NAME", "/x/y"), ("PATH_INFO", "/x/y"), ("REQUEST_URI", "/x/y?z"), ("SERVER_SOFTWARE", "nginx/1")];
    split(&both, "", "/x/y");
    // The same without the file's SCRIPT_NAME.
    split(&both[1..], "", "/x/y");
}

#[test]
fn nginx_that_replaces_what_it_included() {
    // `include fastcgi_params; fastcgi_param SCRIPT_NAME ""; fastcgi_param PATH_INFO $uri;` sends both.
    let vars = [
        ("SCRIPT_NAME", "/hand/x /y"),
        ("REQUEST_URI", "/hand/x%20/y?z"),
        ("SERVER_SOFTWARE", "nginx/1.22.1"),
        ("SCRIPT_NAME", ""),
        ("PATH_INFO", "/hand/x /y"),
    ];
    split(&vars, "", "/hand/x /y");
}

#[test]
fn nginx_over_a_unix_socket_without_a_name() {
    let vars = [
        ("REQUEST_METHOD", "GET"),
        ("SCRIPT_NAME", "/"),
        ("REMOTE_ADDR", "unix:"),
        ("REMOTE_PORT", ""),
        ("SERVER_PORT", ""),
        ("SERVER_NAME", ""),
        ("HTTP_HOST", "shop.test:8080"),
        ("SERVER_SOFTWARE", "nginx/1.22.1"),
    ];
    let (vars, _) = environ_with(&FastCgi::new(), &vars);
    assert_eq!(var(&vars, "REMOTE_ADDR"), Some("127.0.0.1"));
    assert_eq!(var(&vars, "SERVER_NAME"), Some("shop.test"));
    assert_eq!(var(&vars, "SERVER_PORT"), Some("80"));
}

/// Apache with mod_proxy_fcgi.
fn apache(script_name: &'static str, script_filename: &'static str) -> Vec<(&'static str, &'static str)> {
    vec![
        ("HTTP_HOST", "127.0.0.1:8080"),
        ("SERVER_SIGNATURE", ""),
        ("SERVER_SOFTWARE", "Apache/2.4.71 (Debian)"),
        ("SERVER_NAME", "127.0.0.1"),
        ("SERVER_ADDR", "127.0.0.1"),
        ("SERVER_PORT", "8080"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("DOCUMENT_ROOT", "/srv/www"),
        ("REQUEST_SCHEME", "http"),
        ("CONTEXT_PREFIX", ""),
        ("CONTEXT_DOCUMENT_ROOT", "/srv/www"),
        ("SCRIPT_FILENAME", script_filename),
        ("REMOTE_PORT", "48508"),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("QUERY_STRING", "q=1"),
        ("SCRIPT_NAME", script_name),
    ]
}

/// [10.16]
#[test]
fn apache_by_proxypass() {
    // ProxyPass "/" "fcgi://127.0.0.1:9000/"
    split(&apache("/", "proxy:fcgi://127.0.0.1:9000/"), "", "/");
    split(&apache("/x y/é", "proxy:fcgi://127.0.0.1:9000/x%20y/%C3%A9"), "", "/x y/é");
    // ProxyPass "/pp/" "fcgi://127.0.0.1:9000/"
    split(&apache("/pp/", "proxy:fcgi://127.0.0.1:9000/"), "/pp", "/");
    split(&apache("/pp/x y/z/a", "proxy:fcgi://127.0.0.1:9000/x%20y/z/a"), "/pp", "/x y/z/a");
    // ProxyPass "/ppx" "fcgi://127.0.0.1:9000"
    split(&apache("/ppx/x", "proxy:fcgi://127.0.0.1:9000/x"), "/ppx", "/x");
    split(&apache("/ppx", "proxy:fcgi://127.0.0.1:9000/"), "/ppx", "");
    // ProxyPass "/un/" "unix:/run/app.sock|fcgi://localhost/"
    split(&apache("/un/x y/z", "proxy:fcgi://localhost/x%20y/z"), "/un", "/x y/z");
    // <Location "/set"> ProxyPass "fcgi://127.0.0.1:9000/", one slash too many
    split(&apache("/set/x", "proxy:fcgi://127.0.0.1:9000//x"), "/set", "/x");
    // ProxyPass "/ppapp/" "fcgi://127.0.0.1:9000/some/app/": as over HTTP, another path is asked for.
    split(&apache("/ppapp/x", "proxy:fcgi://127.0.0.1:9000/some/app/x"), "", "/some/app/x");
    // RewriteRule ^/rw/(.*)$ fcgi://127.0.0.1:9000/new/$1 [P]
    split(&apache("/rw/x y", "proxy:fcgi://127.0.0.1:9000/new/x%20y"), "", "/new/x y");
    // proxy:balancer://
    split(&apache("/x", "proxy:balancer://apps/x"), "", "/x");
}

#[test]
fn apache_by_sethandler() {
    let handler = |script, path: &'static str, file| {
        let mut vars = apache(script, file);
        if !path.is_empty() {
            vars.extend([("PATH_INFO", path), ("PATH_TRANSLATED", "/srv/www/x")]);
        }
        vars
    };
    // <Location "/"> SetHandler "proxy:fcgi://127.0.0.1:9000/": split where no file is.
    split(&handler("/", "", "proxy:fcgi://127.0.0.1:9000//srv/www/"), "", "/");
    split(&handler("/x y", "", "proxy:fcgi://127.0.0.1:9000//srv/www/x y"), "", "/x y");
    split(&handler("/x y", "/é", "proxy:fcgi://127.0.0.1:9000//srv/www/x y"), "", "/x y/é");
    // Without the slash at its end.
    split(&handler("/shn", "/x y/z", "proxy:fcgi://127.0.0.1:9000/srv/www/shn"), "", "/shn/x y/z");
    split(&handler("/shn", "", "proxy:fcgi://127.0.0.1:9000/srv/www/shn"), "", "/shn");
    // Alias "/app" "/srv/app" says where the application is mounted, whether that is a file or a folder.
    let aliased = |script, path, file| {
        let mut vars = handler(script, path, file);
        vars.extend([("CONTEXT_PREFIX", "/app"), ("CONTEXT_DOCUMENT_ROOT", "/srv/app")]);
        vars
    };
    split(&aliased("/app", "", "proxy:fcgi://127.0.0.1:9000//srv/app"), "/app", "");
    split(&aliased("/app", "/x/y", "proxy:fcgi://127.0.0.1:9000//srv/app"), "/app", "/x/y");
    split(&aliased("/app/x", "/y", "proxy:fcgi://127.0.0.1:9000//srv/app/x"), "/app", "/x/y");
}

#[test]
fn apache_with_an_absolute_target() {
    let uri = ("REQUEST_URI", "http://other.test/reuse/abs%20c?q");
    let vars = [apache("/reuse/abs c", "proxy:fcgi://127.0.0.1:9000/abs%20c"), vec![uri]].concat();
    split(&vars, "/reuse", "/abs c");
    split_with(&FastCgi::new().script_name("/reuse"), &vars, "/reuse", "/abs c");
}

#[test]
fn mod_fcgid() {
    let fcgid = |script_name, path_info: &'static str, uri| {
        let mut vars = apache(script_name, "/usr/lib/cgi-bin/app.fcgi");
        if !path_info.is_empty() {
            vars.extend([("PATH_INFO", path_info), ("PATH_TRANSLATED", "/srv/www/x")]);
        }
        vars.extend([("REQUEST_URI", uri), ("HTTP_CONNECTION", "close"), ("CONTENT_LENGTH", "0")]);
        vars
    };
    // ScriptAlias "/fcgid" "/usr/lib/cgi-bin/app.fcgi"
    split(&fcgid("/fcgid", "/x y/z", "/fcgid/x%20y//z?q=1"), "/fcgid", "/x y/z");
    split(&fcgid("/fcgid", "", "/fcgid"), "/fcgid", "");
    // ScriptAlias "/" "/usr/lib/cgi-bin/app.fcgi/"
    split(&fcgid("", "/", "/"), "", "/");
    split(&fcgid("", "/x y/é", "/x%20y/%C3%A9?q=%20"), "", "/x y/é");
}

/// lighttpd.
fn lighttpd(
    script_name: &'static str,
    path_info: &'static str,
    uri: &'static str,
) -> Vec<(&'static str, &'static str)> {
    let mut vars =
        vec![("CONTENT_LENGTH", "0"), ("QUERY_STRING", ""), ("REQUEST_URI", uri), ("SCRIPT_NAME", script_name)];
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
        ("SERVER_NAME", "light.test"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("REMOTE_PORT", "36732"),
        ("HTTP_HOST", "127.0.0.1:8080"),
        ("HTTP_CONNECTION", "keep-alive"),
    ]);
    vars
}

/// [10.16]
#[test]
fn lighttpd_below_a_prefix_and_at_the_root() {
    // fastcgi.server = ( "/frs" => …
    split(&lighttpd("/frs", "/x", "/frs/x?q"), "/frs", "/x");
    split(&lighttpd("/frs", "/", "/frs/"), "/frs", "/");
    // fastcgi.server = ( "/" => (( …, "fix-root-scriptname" => "enable" ))
    split(&lighttpd("", "/fix/x", "/fix/x?q"), "", "/fix/x");
    split(&lighttpd("", "/", "/"), "", "/");
    // Without fix-root-scriptname the first segment looks like a mount point, and only the deployer knows better.
    let first = lighttpd("/x y", "/z/a/b/é", "/x%20y//z/./a%2Fb/%C3%A9?q=1");
    split(&first, "/x y", "/z/a/b/é");
    split_with(&FastCgi::new().script_name(""), &first, "", "/x y//z/./a/b/é");
    split(&lighttpd("/", "", "/"), "", "/");
}

#[test]
fn haproxy() {
    let vars = [
        ("HTTP_HOST", "127.0.0.1:8080"),
        ("HTTP_X_A", "1"),
        ("HTTP_X_A", "2"),
        ("HTTP_ACCEPT", ""),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("DOCUMENT_ROOT", "/var/www"),
        ("SCRIPT_NAME", "/x y//z/./a/b/é"),
        ("REQUEST_URI", "/x%20y//z/./a%2Fb/%C3%A9"),
        ("REQUEST_METHOD", "GET"),
        ("SERVER_NAME", "127.0.0.1:8080"),
        ("SERVER_PORT", "8080"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("REMOTE_PORT", "44826"),
        ("SCRIPT_FILENAME", "/var/www/x y//z/./a/b/é"),
        ("CONTENT_LENGTH", "0"),
        ("SERVER_SOFTWARE", "HAProxy 2.6.12-1+deb12u4"),
    ];
    split(&vars, "", "/x y//z/./a/b/é");
    let (vars, _) = environ_with(&FastCgi::new(), &vars);
    assert_eq!(var(&vars, "SERVER_NAME"), Some("127.0.0.1"));
    assert_eq!(var(&vars, "QUERY_STRING"), Some(""));
    assert_eq!(var(&vars, "HTTP_X_A"), Some("1, 2"));
    assert_eq!(var(&vars, "HTTP_ACCEPT"), Some(""), "a field that is there with nothing in it is there");
}

#[test]
fn caddy() {
    let vars = [
        ("AUTH_TYPE", ""),
        ("CONTENT_LENGTH", ""),
        ("CONTENT_TYPE", ""),
        ("PATH_INFO", "/x y"),
        ("QUERY_STRING", "q"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("REMOTE_HOST", "127.0.0.1"),
        ("REMOTE_IDENT", ""),
        ("REMOTE_USER", ""),
        ("REQUEST_SCHEME", "https"),
        ("SERVER_NAME", "shop.test"),
        ("SERVER_PROTOCOL", "HTTP/2.0"),
        ("SERVER_SOFTWARE", "Caddy/v2.8.4"),
        ("REQUEST_URI", "/x%20y?q"),
        ("SCRIPT_FILENAME", "/srv/www/"),
        ("SCRIPT_NAME", ""),
        ("SERVER_PORT", "443"),
        ("HTTPS", "on"),
        ("REQUEST_METHOD", "GET"),
    ];
    split(&vars, "", "/x y");
    let (vars, scheme) = environ_with(&FastCgi::new(), &vars);
    assert_eq!(scheme, Scheme::Https);
    for name in ["AUTH_TYPE", "CONTENT_LENGTH", "CONTENT_TYPE", "REMOTE_IDENT", "REMOTE_USER"] {
        assert_eq!(var(&vars, name), None, "{name} is empty, which stands for absent");
    }
}

#[test]
fn a_server_that_says_next_to_nothing() {
    split(&[("SCRIPT_NAME", "/x")], "", "/x");
    split(&[("REQUEST_URI", "/x%20y?q")], "", "/x y");
    split(&[], "", "/");
    split(&[("SCRIPT_NAME", "x")], "", "/x");
    split(&[("PATH_INFO", "x")], "", "/x");
    split(&[("SCRIPT_NAME", "//"), ("SCRIPT_FILENAME", "/x")], "", "//");
}

#[test]
fn the_mount_point_that_was_set_is_the_truth() {
    let mounted = FastCgi::new().script_name("/app/");
    let nginx = |script, uri| [("SCRIPT_NAME", script), ("REQUEST_URI", uri), ("SERVER_SOFTWARE", "nginx/1")];
    split_with(&mounted, &nginx("/app/x y", "/app/x%20y?q"), "/app", "/x y");
    split_with(&mounted, &nginx("/app", "/app"), "/app", "");
    split_with(&mounted, &nginx("/app/", "/app/"), "/app", "/");
    split_with(&mounted, &nginx("/application", "/application"), "", "/application");
    // As over HTTP: neither double slashes nor dots are the server's to take away.
    split_with(&mounted, &nginx("/app/x", "/app//.//x"), "/app", "//.//x");
    split_with(&mounted, &[("SCRIPT_NAME", "/app"), ("PATH_INFO", "/x")], "/app", "/x");
    split_with(&FastCgi::new().script_name("/"), &nginx("/x", "/x"), "", "/x");
    split_with(&mounted, &[], "", "/");
    split_with(&mounted, &[("PATH_INFO", "x")], "", "/x");
    split_with(&mounted, &[("SCRIPT_NAME", "/app/"), ("PATH_INFO", "x")], "/app", "/x");
}

#[test]
fn the_scheme() {
    for (https, scheme, expected) in [
        (Some("on"), Some("http"), Scheme::Https),
        (Some("1"), None, Scheme::Https),
        (Some("off"), None, Scheme::Http),
        (Some("OFF"), Some("http"), Scheme::Http),
        (Some("yes"), None, Scheme::Https),
        (Some("off"), Some("HTTPS"), Scheme::Https),
        (Some(""), None, Scheme::Http),
        (None, Some("https"), Scheme::Https),
        (None, Some("http"), Scheme::Http),
        (None, None, Scheme::Http),
    ] {
        let mut vars = vec![("REQUEST_METHOD", "GET")];
        vars.extend(https.map(|https| ("HTTPS", https)));
        vars.extend(scheme.map(|scheme| ("REQUEST_SCHEME", scheme)));
        let (vars, seen) = environ_with(&FastCgi::new(), &vars);
        assert_eq!(seen, expected, "{https:?} {scheme:?}");
        let is_https = matches!(var(&vars, "HTTPS"), Some("on" | "1"));
        assert_eq!(is_https, expected == Scheme::Https, "{https:?} {scheme:?}");
        assert_eq!(var(&vars, "REQUEST_SCHEME"), Some(expected.as_str()));
        assert_eq!(var(&vars, "SERVER_PORT"), Some(if expected == Scheme::Https { "443" } else { "80" }));
    }
}

/// [10.16]
#[test]
fn a_remote_address_with_a_port_is_split() {
    for (sent, address, port) in [
        ("192.0.2.1", "192.0.2.1", None),
        ("192.0.2.1:4711", "192.0.2.1", Some("4711")),
        ("2001:db8::1", "2001:db8::1", None),
        ("[2001:db8::1]:4711", "2001:db8::1", Some("4711")),
        ("[2001:db8::1]", "2001:db8::1", None),
        ("::ffff:192.0.2.1", "192.0.2.1", None),
        ("unknown", "0.0.0.0", None),
        ("", "0.0.0.0", None),
    ] {
        let (vars, _) = environ_with(&FastCgi::new(), &[("REQUEST_METHOD", "GET"), ("REMOTE_ADDR", sent)]);
        assert_eq!((var(&vars, "REMOTE_ADDR"), var(&vars, "REMOTE_PORT")), (Some(address), port), "{sent}");
    }
}

#[test]
fn a_server_name_that_is_none_is_the_host() {
    for (sent, host, expected) in [
        ("", "a.test:80", "a.test"),
        ("_", "[::1]:8080", "[::1]"),
        ("~^(www\\.)?(.+)$", "a.test", "a.test"),
        ("*.test", "a.test", "a.test"),
        ("b.test:8080", "a.test", "b.test"),
        ("[::1]", "a.test", "[::1]"),
        ("<script>", "a.test", "a.test"),
        ("", "", "localhost"),
    ] {
        let vars = [("REQUEST_METHOD", "GET"), ("SERVER_NAME", sent), ("HTTP_HOST", host)];
        let (vars, _) = environ_with(&FastCgi::new(), &vars);
        assert_eq!(var(&vars, "SERVER_NAME"), Some(expected), "{sent:?} {host:?}");
    }
}

#[test]
fn fields_of_the_connection_and_httpoxy_go() {
    let fields = [
        "HTTP_PROXY",
        "HTTP_CONTENT_TYPE",
        "HTTP_CONTENT_LENGTH",
        "HTTP_CONNECTION",
        "HTTP_KEEP_ALIVE",
        "HTTP_PROXY_CONNECTION",
        "HTTP_TE",
        "HTTP_TRAILER",
        "HTTP_TRANSFER_ENCODING",
        "HTTP_UPGRADE",
    ];
    let mut vars = vec![("REQUEST_METHOD", "GET"), ("HTTP_ACCEPT", "*/*")];
    vars.extend(fields.map(|field| (field, "x")));
    let (vars, _) = environ_with(&FastCgi::new(), &vars);
    assert_eq!(vars.iter().filter(|(name, _)| name.starts_with("HTTP_")).count(), 1, "{vars:?}");
}

#[test]
fn repeated_fields_are_joined_however_many() {
    let mut vars = vec![("REQUEST_METHOD", "GET"), ("HTTP_COOKIE", "a=1"), ("HTTP_COOKIE", "b=2")];
    vars.extend([("HTTP_X_FORWARDED_FOR", "192.0.2.1"); 100]);
    let (vars, _) = environ_with(&FastCgi::new(), &vars);
    assert_eq!(var(&vars, "HTTP_COOKIE"), Some("a=1; b=2"));
    assert_eq!(var(&vars, "HTTP_X_FORWARDED_FOR").unwrap().split(", ").count(), 100);
}

#[test]
fn values_of_any_length_are_told_from_those_with_nul() {
    for length in [0, 1, 127, 128, 255, 256, 511, 512, 20_000] {
        let (value, query) = ("x".repeat(length), "a=b");
        let vars = [("REQUEST_METHOD", "GET"), ("HTTP_X", &value[..]), ("EMPTY", ""), ("QUERY_STRING", query)];
        let (vars, _) = environ_with(&FastCgi::new(), &vars);
        assert_eq!(var(&vars, "HTTP_X"), Some(&value[..]));
    }
}

#[test]
fn names_that_look_alike_are_kept_apart() {
    let names: Vec<String> = (0..200).map(|number| format!("HTTP_X_{number:03}_ABCDEFGH_ABCDEFGH")).collect();
    for count in [2, 40, 200] {
        let mut vars = vec![("REQUEST_METHOD", "GET")];
        vars.extend(names[..count].iter().map(|name| (&name[..], &name[7..10])));
        let (vars, _) = environ_with(&FastCgi::new(), &vars);
        for name in &names[..count] {
            assert_eq!(var(&vars, name), Some(&name[7..10]));
        }
    }
}

#[test]
fn a_protocol_or_port_that_is_none_is_the_usual_one() {
    let vars = [("REQUEST_METHOD", "GET"), ("SERVER_PROTOCOL", "INCLUDED"), ("SERVER_PORT", "eighty")];
    let (vars, _) = environ_with(&FastCgi::new(), &vars);
    assert_eq!((var(&vars, "SERVER_PROTOCOL"), var(&vars, "SERVER_PORT")), (Some("HTTP/1.1"), Some("80")));
}

#[test]
fn the_target_of_options_may_be_an_asterisk() {
    for vars in [[("SCRIPT_NAME", "*")], [("PATH_INFO", "*")], [("REQUEST_URI", "*")]] {
        let vars = [&[("REQUEST_METHOD", "OPTIONS")], &vars[..]].concat();
        let (vars, _) = environ_with(&FastCgi::new(), &vars);
        assert_eq!((var(&vars, "SCRIPT_NAME"), var(&vars, "PATH_INFO")), (Some(""), Some("*")));
    }
}

#[test]
fn what_is_no_request_is_answered_with_400() {
    for vars in [
        &[("SCRIPT_NAME", "/")][..],
        &[("REQUEST_METHOD", ""), ("SCRIPT_NAME", "/")],
        &[("REQUEST_METHOD", "G T"), ("SCRIPT_NAME", "/")],
        &[("REQUEST_METHOD", "GET\n"), ("SCRIPT_NAME", "/")],
        &[("REQUEST_METHOD", "GET"), ("REQUEST_URI", "*")],
        &[("REQUEST_METHOD", "GET"), ("REQUEST_URI", "nonsense")],
        &[("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/%00")],
        &[("REQUEST_METHOD", "GET"), ("CONTENT_LENGTH", "five")],
        &[("REQUEST_METHOD", "GET"), ("HTTP_HOST", "<script>")],
        &[("REQUEST_METHOD", "GET"), ("HTTP_HOST", "a:b")],
        &[("REQUEST_METHOD", "GET"), ("HTTP_HOST", "[::1")],
        &[("REQUEST_METHOD", "GET"), ("HTTP_X", "a\0b")],
        &[("REQUEST_METHOD", "GET"), ("A=B", "c")],
        &[("REQUEST_METHOD", "GET"), ("", "c")],
        &[("REQUEST_METHOD", "GET"), ("HTTP_X", &"x".repeat(256)), ("HTTP_Y", &"y".repeat(300)), ("Z", "\0")],
        &[("REQUEST_METHOD", "GET"), ("HTTP_X", &"x".repeat(255)), ("EMPTY", ""), ("A\0", "")],
    ] {
        let fed = decode([begin(1, RESPONDER, 1), params(1, vars), stdin(1, b"")].concat());
        assert!(fed.seen.is_empty(), "{vars:?}: {:?}", fed.seen);
        assert!(fed.out.windows(19).any(|at| at == b"Status: 400 Bad Req"), "{vars:?}");
    }
}
