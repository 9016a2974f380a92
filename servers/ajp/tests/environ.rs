//! What an application is called with: codes, attributes, paths and fields of a request, and those that are none.

mod feed;

use feed::{
    Forward, Seen, attribute, decode, environ, environ_with, get, is_malformed, is_refused, is_refused_with, no_string,
    req_attribute, string, var,
};
use wgi::Scheme;
use wgi_ajp::packet::{
    AUTH_TYPE, CONTEXT, JVM_ROUTE, METHOD_IS_STORED, METHODS, QUERY_STRING, REMOTE_USER, REQUEST_FIELDS, SECRET,
    SERVLET_PATH, SSL_CERT, SSL_CIPHER, SSL_KEY_SIZE, SSL_SESSION, STORED_METHOD,
};
use wgi_ajp::{Ajp, Dialect};

// Codes.

#[test]
fn methods_have_codes() {
    for (index, method) in METHODS.iter().enumerate() {
        let mut request = Forward::new("GET", "/");
        request.method = index as u8 + 1;
        assert_eq!(var(&environ(request.packet()), "REQUEST_METHOD"), Some(*method));
    }
    for code in [0, METHODS.len() as u8 + 1, 0xfe] {
        let mut request = Forward::new("GET", "/");
        request.method = code;
        is_malformed(request.packet());
    }
}

#[test]
fn a_method_without_a_code_stands_in_an_attribute() {
    for method in ["PATCH", "M-sEarch", "get"] {
        let request = Forward::new(method, "/");
        assert_eq!(request.method, METHOD_IS_STORED);
        assert_eq!(var(&environ(request.packet()), "REQUEST_METHOD"), Some(method));
    }
    let mut none = Forward::new("PATCH", "/");
    none.attributes.clear();
    is_malformed(none.packet());
    is_malformed(Forward::new("GET", "/").attribute(attribute(STORED_METHOD, "POST")).packet());
    for bad in ["", "GE T", "G\0T", "GET\r\n"] {
        let fed = decode(Forward::new(bad, "/").packet());
        assert_eq!(fed.seen, [Seen::Refused(400)], "{bad:?}");
    }
    is_refused(Forward::new("CONNECT", "/").packet(), 501);
}

#[test]
fn names_of_fields_have_codes() {
    for (index, name) in REQUEST_FIELDS.iter().enumerate() {
        let value = match *name {
            "Content-Length" => "0",
            "Host" => "example.org:81",
            _ => "text/plain",
        };
        let mut coded = Forward::new("GET", "/");
        coded.fields = vec![(vec![0xa0, index as u8 + 1], string(value.as_bytes()))];
        let mut spelt = coded.clone();
        spelt.fields[0].0 = string(name.to_ascii_lowercase().as_bytes());
        let vars = environ(coded.packet());
        assert_eq!(environ(spelt.packet()), vars, "{name}");
        let variable = match *name {
            "Content-Type" => Some("CONTENT_TYPE".to_owned()),
            "Content-Length" => Some("CONTENT_LENGTH".to_owned()),
            "Connection" => None,
            name => Some(format!("HTTP_{}", name.to_ascii_uppercase().replace('-', "_"))),
        };
        match variable {
            Some(variable) => assert_eq!(var(&vars, &variable), Some(value)),
            None => assert!(!vars.iter().any(|(_, given)| given == value)),
        }
    }
    for code in [0, REQUEST_FIELDS.len() as u8 + 1, 0xff] {
        let mut request = Forward::new("GET", "/");
        request.fields = vec![(vec![0xa0, code], string(b"x"))];
        is_malformed(request.packet());
    }
}

// Attributes.

/// [10.25]
#[test]
fn attributes_that_are_known_become_variables() {
    let pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    let mut request = Forward::new("GET", "/")
        .attribute(attribute(REMOTE_USER, "ada"))
        .attribute(attribute(AUTH_TYPE, "Basic"))
        .attribute(attribute(QUERY_STRING, "a=%20+b&&?/"))
        .attribute(attribute(JVM_ROUTE, "node1"))
        .attribute(attribute(SSL_CERT, pem))
        .attribute(attribute(SSL_CIPHER, "TLS_AES_256_GCM_SHA384"))
        .attribute(attribute(SSL_SESSION, "c0ffee"))
        .attribute([SSL_KEY_SIZE, 0, 128])
        .attribute(req_attribute("AJP_SSL_PROTOCOL", "TLSv1.3"))
        .attribute(req_attribute("AJP_REMOTE_PORT", "54321"))
        .attribute(req_attribute("AJP_LOCAL_ADDR", "::ffff:192.0.2.1"));
    request.is_ssl = 1;
    request.port = 8443;
    request.remote_host = string(b"client.example");
    let (vars, scheme) = environ_with(&Ajp::new(), request.packet());
    for (name, value) in [
        ("REMOTE_USER", "ada"),
        ("AUTH_TYPE", "Basic"),
        ("QUERY_STRING", "a=%20+b&&?/"),
        ("REQUEST_URI", "/?a=%20+b&&?/"),
        ("AJP_JVM_ROUTE", "node1"),
        ("HTTPS", "on"),
        ("REQUEST_SCHEME", "https"),
        ("SSL_CLIENT_CERT", pem),
        ("SSL_CIPHER", "TLS_AES_256_GCM_SHA384"),
        ("SSL_SESSION_ID", "c0ffee"),
        ("SSL_CIPHER_USEKEYSIZE", "128"),
        ("SSL_PROTOCOL", "TLSv1.3"),
        ("REMOTE_PORT", "54321"),
        ("REMOTE_HOST", "client.example"),
        ("SERVER_ADDR", "192.0.2.1"),
        ("SERVER_PORT", "8443"),
    ] {
        assert_eq!(var(&vars, name), Some(value), "{name}");
    }
    assert_eq!(scheme, Scheme::Https);

    // Nothing of TLS where there was none.
    request.is_ssl = 0;
    let (vars, scheme) = environ_with(&Ajp::new(), request.packet());
    assert!(!vars.iter().any(|(name, _)| name.starts_with("SSL_") || name == "HTTPS"));
    assert_eq!(scheme, Scheme::Http);
}

/// [10.25], CVE-2020-1938
#[test]
fn attributes_that_are_not_known_are_dropped() {
    let plain = environ(Forward::new("GET", "/").packet());
    let request = Forward::new("GET", "/")
        .attribute(attribute(CONTEXT, "/manager"))
        .attribute(attribute(SERVLET_PATH, "/WEB-INF/web.xml"))
        .attribute(req_attribute("javax.servlet.include.request_uri", "/"))
        .attribute(req_attribute("javax.servlet.include.path_info", "/WEB-INF/web.xml"))
        .attribute(req_attribute("REMOTE_USER", "root"))
        .attribute(req_attribute("HTTPS", "on"))
        .attribute(req_attribute("HTTP_PROXY", "http://evil.example"))
        .attribute(req_attribute("", ""))
        .attribute([&attribute(10, "null")[..], &no_string()].concat());
    assert_eq!(environ(request.packet()), plain);
}

#[test]
fn attributes_of_no_known_code_or_twice_are_malformed() {
    for code in [0, 14, 15, 0x7f, 0xfe] {
        is_malformed(Forward::new("GET", "/").attribute(attribute(code, "x")).packet());
    }
    for attribute in [
        attribute(QUERY_STRING, "a=1"),
        attribute(SECRET, "sesame"),
        attribute(REMOTE_USER, "ada"),
        req_attribute("AJP_REMOTE_PORT", "1"),
        vec![SSL_KEY_SIZE, 0, 128],
    ] {
        is_malformed(Forward::new("GET", "/").attribute(&attribute).attribute(&attribute).packet());
    }
    is_malformed(Forward::new("PATCH", "/").attribute(attribute(STORED_METHOD, "PATCH")).packet());
}

#[test]
fn values_that_are_none_are_left_out() {
    let mut request = Forward::new("GET", "/")
        .attribute(attribute(REMOTE_USER, ""))
        .attribute([&[AUTH_TYPE][..], &no_string()].concat())
        .attribute(req_attribute("AJP_REMOTE_PORT", "65536"))
        .attribute(req_attribute("AJP_LOCAL_ADDR", "unknown"));
    request.remote_host = string(b"not a host");
    request.remote_addr = no_string();
    let vars = environ(request.packet());
    for name in ["REMOTE_USER", "AUTH_TYPE", "REMOTE_PORT", "SERVER_ADDR", "REMOTE_HOST", "REMOTE_ADDR"] {
        assert_eq!(var(&vars, name), None, "{name}");
    }
}

#[test]
fn addresses_and_names_are_mended() {
    let environ_of = |change: fn(&mut Forward)| {
        let mut request = Forward::new("GET", "/");
        change(&mut request);
        environ(request.packet())
    };
    let vars = environ_of(|request| request.remote_addr = string(b"::ffff:192.0.2.7"));
    assert_eq!(var(&vars, "REMOTE_ADDR"), Some("192.0.2.7"));
    // Never one that somebody may trust.
    let vars = environ_of(|request| request.remote_addr = string(b"localhost"));
    assert_eq!(var(&vars, "REMOTE_ADDR"), Some("0.0.0.0"));
    let vars = environ_of(|request| request.server_name = no_string());
    assert_eq!(var(&vars, "SERVER_NAME"), Some("example.org"));
    let vars = environ_of(|request| request.server_name = string(b"[::1]"));
    assert_eq!(var(&vars, "SERVER_NAME"), Some("[::1]"));
    let vars = environ_of(|request| request.port = 0);
    assert_eq!(var(&vars, "SERVER_PORT"), Some("80"));
    let vars = environ_of(|request| request.protocol = string(b"HTTP/2.0"));
    assert_eq!(var(&vars, "SERVER_PROTOCOL"), Some("HTTP/2.0"));
    let vars = environ_of(|request| request.protocol = no_string());
    assert_eq!(var(&vars, "SERVER_PROTOCOL"), Some("HTTP/1.1"));
}

// The path.

#[test]
fn a_path_is_decoded_once() {
    for (uri, path) in [
        ("/", "/"),
        ("/a%2Fb%2541/./x/../y//z+%20%3f", "/a/b%41/./x/../y//z+ ?"),
        ("/caf%C3%A9", "/café"),
        ("/café", "/café"),
        ("//a", "//a"),
    ] {
        let vars = environ(Forward::new("GET", uri).packet());
        assert_eq!(var(&vars, "PATH_INFO"), Some(path), "{uri}");
        assert_eq!(var(&vars, "SCRIPT_NAME"), Some(""), "{uri}");
        assert_eq!(var(&vars, "REQUEST_URI"), Some(uri));
        assert_eq!(var(&vars, "QUERY_STRING"), Some(""));
    }
}

#[test]
fn what_is_no_path_is_refused() {
    for bad in ["", "a", "http://example.org/", "/%", "/%zz", "/%00", "/a b", "/a?b", "/a#b", "/a\tb", "/\u{7f}", "*"] {
        is_refused(Forward::new("GET", bad).packet(), 400);
    }
    let mut none = Forward::new("GET", "/");
    none.uri = no_string();
    is_refused(none.packet(), 400);
    for bad in ["a b", "a\0b", "a\r\nb", "\u{7f}"] {
        is_refused(Forward::new("GET", "/").attribute(attribute(QUERY_STRING, bad)).packet(), 400);
    }
    assert_eq!(var(&environ(Forward::new("OPTIONS", "*").packet()), "PATH_INFO"), Some("*"));
}

#[test]
fn a_mount_point_is_split_off() {
    let shop = Ajp::new().script_name("/shop/");
    for (uri, script_name, path_info) in [
        ("/shop/a%20b", "/shop", "/a b"),
        ("/shop", "/shop", ""),
        ("/shop/", "/shop", "/"),
        ("/%73hop/a", "/shop", "/a"),
        ("/shopping", "", "/shopping"),
        ("/", "", "/"),
    ] {
        for (dialect, uri) in [(Dialect::Standard, uri.to_owned()), (Dialect::Lighttpd, uri.replace("%73", "s"))] {
            let uri = if dialect == Dialect::Lighttpd { uri.replace("%20", " ") } else { uri };
            let (vars, _) = environ_with(&shop.clone().dialect(dialect), Forward::new("GET", &uri).packet());
            assert_eq!(var(&vars, "SCRIPT_NAME"), Some(script_name), "{uri}");
            assert_eq!(var(&vars, "PATH_INFO"), Some(path_info), "{uri}");
        }
    }
}

#[test]
fn a_path_that_was_decoded_is_not_decoded_again() {
    let lighttpd = Ajp::new().dialect(Dialect::Lighttpd);
    for (path, uri) in [("/a%2e", "/a%252e"), ("/100%", "/100%25"), ("/a?b#c d", "/a%3Fb%23c%20d"), ("/é", "/%C3%A9")]
    {
        let request = Forward::new("GET", path).attribute(attribute(QUERY_STRING, "q=1"));
        let (vars, _) = environ_with(&lighttpd, request.packet());
        assert_eq!(var(&vars, "PATH_INFO"), Some(path));
        assert_eq!(var(&vars, "REQUEST_URI"), Some(&format!("{uri}?q=1")[..]));
    }
    is_refused_with(&lighttpd, Forward::new("GET", "/a\0b").packet(), 400);
}

// Fields.

#[test]
fn repeated_fields_are_joined() {
    let request = Forward::new("GET", "/").field("X-A", "1").field("Cookie", "a=1").field("x-a", "2");
    let vars = environ(request.field("Cookie", "b=2").packet());
    assert_eq!(var(&vars, "HTTP_X_A"), Some("1, 2"));
    assert_eq!(var(&vars, "HTTP_COOKIE"), Some("a=1; b=2"));
}

#[test]
fn fields_that_could_deceive_are_dropped() {
    let request = Forward::new("GET", "/")
        .field("Proxy", "http://evil.example")
        .field("X_Forwarded_For", "192.0.2.1")
        .field("Content_Length", "5")
        .field("X.Y", "1")
        .field("Connection", "keep-alive")
        .field("Keep-Alive", "5")
        .field("Proxy-Connection", "close")
        .field("TE", "trailers")
        .field("Trailer", "X")
        .field("Upgrade", "h2c");
    assert_eq!(environ(request.packet()), environ(get()));
}

#[test]
fn what_is_no_field_is_refused() {
    for bad in ["", "a b", "a:", "a\0", "é", "a\r\n"] {
        is_refused(Forward::new("GET", "/").field(bad, "1").packet(), 400);
    }
    for bad in ["a\0b", "a\r\nb", "a\nb", "\u{7f}"] {
        is_refused(Forward::new("GET", "/").field("X-A", bad).packet(), 400);
    }
    assert_eq!(var(&environ(Forward::new("GET", "/").field("X-A", "é\t").packet()), "HTTP_X_A"), Some("é\t"));
    for repeated in ["Host", "Content-Type", "Content-Length"] {
        let request = Forward::new("GET", "/").field(repeated, "0").field(repeated, "0");
        is_refused(request.packet(), 400);
    }
    is_refused(Forward::new("GET", "/").field("Host", "a b").packet(), 400);
    let mut bad_host = Forward::new("GET", "/");
    bad_host.fields[0].1 = string(b"a b");
    is_refused(bad_host.packet(), 400);
}

/// [11.6]
#[test]
fn too_many_fields_are_refused() {
    let many =
        |count: usize| (1..count).fold(Forward::new("GET", "/"), |request, n| request.field("Cookie", n.to_string()));
    assert!(environ(many(100).packet()).len() > 5);
    is_refused(many(101).packet(), 431);
    is_refused_with(&Ajp::new().max_fields(2), many(3).packet(), 431);
}
