//! Section 4: the environ.

use std::io::Write;
use std::thread;
use std::time::Duration;

use wgi::{Environ, Scheme};

use super::text;
use crate::case::{AppFn, Case, Expect, case};
use crate::{Capability, Request};

/// Answers with PATH_INFO.
const PATH_INFO: AppFn = |environ, start, _| text(start, environ.path_info());

pub(super) fn cases() -> Vec<Case> {
    let mut cases = variables();
    cases.extend(gateway());
    cases.extend(errors_and_url());
    cases.into_iter().map(|case| case.status(200)).collect()
}

fn variables() -> Vec<Case> {
    vec![
        case(&["4.2", "4.10"], "a path keeps bytes that are not UTF-8")
            .get("/%FF%80%C3")
            .app(PATH_INFO)
            .body(*b"/\xff\x80\xc3"),
        case(&["4.2"], "a field keeps bytes that are not UTF-8")
            .get("/")
            .field("X-Bytes", *b"\xe9 \xff")
            .app(|environ, start, _| text(start, var(&environ, "HTTP_X_BYTES")))
            .body(*b"\xe9 \xff"),
        case(&["4.3"], "the method comes as it was sent")
            .request("M-sEarch", "/")
            .app(|environ, start, _| text(start, environ.method()))
            .body("M-sEarch"),
        case(&["4.4", "4.5"], "there are a name and a port of the server")
            .app(|environ, start, _| {
                let port: Option<u16> = environ.text("SERVER_PORT")?.parse().ok();
                let named = !var(&environ, "SERVER_NAME").is_empty();
                text(start, format!("{named} {}", port.is_some()))
            })
            .body("true true"),
        case(&["4.6"], "the protocol is that of the request")
            .app(|environ, start, _| text(start, environ.server_protocol()))
            .body("HTTP/1.1"),
        case(&["4.7"], "an application at the root has no SCRIPT_NAME")
            .get("/a")
            .app(|environ, start, _| text(start, format!("[{}]", String::from_utf8_lossy(environ.script_name()))))
            .body("[]"),
        case(&["4.8"], "PATH_INFO is the path").get("/a/b.c/").app(PATH_INFO).body("/a/b.c/"),
        case(&["4.8"], "PATH_INFO is an asterisk for OPTIONS *")
            .request("OPTIONS", "*")
            .needs(Capability::Star)
            .app(PATH_INFO)
            .body("*"),
        case(&["4.10"], "a path is decoded once, and is otherwise left alone")
            .get("/a%2Fb%2541/./x/../y//z+%20%3f")
            .app(PATH_INFO)
            .body("/a/b%41/./x/../y//z+ ?"),
        case(&["4.11"], "a query is not decoded")
            .get("/?a=%20+&%C3%A9&&==?/%zz")
            .app(|environ, start, _| text(start, environ.query_string()))
            .body("a=%20+&%C3%A9&&==?/%zz"),
        case(&["4.12"], "Content-Type and Content-Length have their own names")
            .post("12345")
            .app(|environ, start, _| {
                let wrong = ["HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"].iter().any(|name| environ.var(name).is_some());
                let right = [var(&environ, "CONTENT_TYPE"), var(&environ, "CONTENT_LENGTH")].join(&b' ');
                text(start, format!("{} {wrong}", String::from_utf8_lossy(&right)))
            })
            .body("text/plain 5 false"),
        case(&["4.13"], "CONTENT_LENGTH is a number where there is a body, and nothing without")
            .app(|environ, start, _| {
                text(start, format!("[{}]", String::from_utf8_lossy(var(&environ, "CONTENT_LENGTH"))))
            })
            .body("[]"),
        case(&["4.14"], "a field becomes a variable, and there is none without a field")
            .field("X-Some-Field", "a  b, \"c\"")
            .field("Accept", "*/*")
            .app(|environ, start, _| {
                let mut names: Vec<_> = environ
                    .vars()
                    .iter()
                    .filter(|(name, _)| name.starts_with(b"HTTP_"))
                    .map(|(name, value)| format!("{}={}", name.escape_ascii(), String::from_utf8_lossy(value)))
                    .filter(|pair| !pair.starts_with("HTTP_CONNECTION="))
                    .collect();
                names.sort();
                text(start, names.join("\n"))
            })
            .body("HTTP_ACCEPT=*/*\nHTTP_HOST=example.org:8080\nHTTP_X_SOME_FIELD=a  b, \"c\""),
        case(&["4.17"], "the field Proxy is dropped")
            .needs(Capability::Environ)
            .field("Proxy", "http://evil.example/")
            .app(|environ, start, _| text(start, format!("{:?}", environ.var("HTTP_PROXY"))))
            .body("None"),
        case(&["4.19"], "the client's address comes without a port")
            .app(|environ, start, _| text(start, var(&environ, "REMOTE_ADDR")))
            .body("127.0.0.1"),
    ]
}

fn gateway() -> Vec<Case> {
    vec![
        case(&["4.28"], "the version is 1.0")
            .app(|environ, start, _| text(start, format!("{:?}", environ.gateway().version)))
            .body("(1, 0)"),
        case(&["4.29"], "the scheme of a plain connection is http")
            .app(|environ, start, _| text(start, environ.gateway().url_scheme.as_str()))
            .body(Scheme::Http.as_str()),
        case(&["4.30"], "calls at the same time say multithread")
            .beside(3)
            .app(|environ, start, journal| {
                // Long enough for another call to begin, were it to; how long it is decides nothing.
                let count = |line: &str| journal.lines().iter().filter(|noted| *noted == line).count();
                journal.note("in");
                thread::sleep(Duration::from_millis(20));
                let alone = count("in") - count("out") == 1;
                if !alone && !environ.gateway().multithread {
                    journal.note("a call beside another one");
                }
                journal.note("out");
                text(start, "done")
            })
            .body("done")
            .expect(Expect::Never("a call beside another one")),
        case(&["4.32"], "a process that ends says run_once")
            .needs(Capability::RunsOnce)
            .app(|environ, start, _| text(start, environ.gateway().run_once.to_string()))
            .body("true"),
        case(&["4.32"], "a process that lives on does not say run_once")
            .needs(Capability::CallsOften)
            .app(|environ, start, _| text(start, environ.gateway().run_once.to_string()))
            .body("false"),
        case(&["7.22"], "nothing of a request is seen in the next")
            .before(Request {
                fields: vec![("X-Before", b"1".to_vec()), ("Cookie", b"a=b".to_vec())],
                body: Some(b"body of before".to_vec()),
                ..Request::new("POST", "/before?query")
            })
            .app(|mut environ, start, _| {
                let body = environ.input().read_all(100)?;
                let before = environ.var("HTTP_X_BEFORE").is_some() || environ.var("HTTP_COOKIE").is_some();
                let query = String::from_utf8_lossy(environ.query_string()).into_owned();
                text(start, format!("{} {} [{query}] {before}", environ.method(), body.len()))
            })
            .body("GET 0 [] false"),
    ]
}

fn errors_and_url() -> Vec<Case> {
    vec![
        case(&["4.41"], "what is written to the errors stream goes to the operator, in order")
            .app(|mut environ, start, _| {
                writeln!(environ.errors(), "first of the probe")?;
                writeln!(environ.errors(), "second of the probe")?;
                text(start, "quiet")
            })
            .body("quiet")
            .expect(Expect::Errors("first of the probe\nsecond of the probe\n"))
            .expect(Expect::Conceals("of the probe")),
        case(&["4.48"], "the URL is put together from the environ")
            .get("/caf%C3%A9/a%20b?c=%20")
            .app(|environ, start, _| text(start, environ.url()))
            .body("http://example.org:8080/caf%C3%A9/a%20b?c=%20"),
    ]
}

fn var<'a>(environ: &'a Environ, name: &str) -> &'a [u8] {
    environ.var(name).unwrap_or_default()
}
