//! The exchange in memory: meta-variables and standard input in, what goes to standard output and to the log out.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStringExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use wgi::{App, Body, Bytes, Environ, Error, ErrorSink, Errors, FileRange, Scheme, StartResponse, Status, StatusCode};
use wgi_cgi::{Interrupted, Options};

/// What came of an exchange.
struct Served {
    result: Result<(), Interrupted>,
    /// Each write of its own.
    writes: Vec<Vec<u8>>,
    log: String,
}

impl Served {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.writes.concat()).into_owned()
    }

    /// The status, `404`.
    fn status(&self) -> u16 {
        let text = self.text();
        let line = text.strip_prefix("Status: ").expect("Status comes first");
        line[..3].parse().unwrap()
    }

    fn body(&self) -> String {
        self.text().split_once("\r\n\r\n").expect("an empty line").1.to_owned()
    }
}

/// Keeps the writes apart.
struct Writes(Vec<Vec<u8>>);

impl Write for Writes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[io::IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, pieces: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.push(pieces.iter().flat_map(|piece| piece.iter().copied()).collect());
        Ok(pieces.iter().map(|piece| piece.len()).sum())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Default)]
struct Log(Mutex<Vec<u8>>);

impl ErrorSink for Log {
    fn write(&self, text: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(())
    }
}

fn pairs(vars: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    vars.iter().map(|&(name, value)| (name.into(), value.into())).collect()
}

/// A request as an ordinary server passes it on, with `more` variables in front.
fn request(more: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    let mut vars = pairs(more);
    let ordinary = pairs(&[
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("REQUEST_METHOD", "GET"),
        ("SCRIPT_NAME", "/cgi-bin/app"),
        ("PATH_INFO", "/x"),
        ("QUERY_STRING", ""),
        ("SERVER_NAME", "example.org"),
        ("SERVER_PORT", "80"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("REMOTE_ADDR", "192.0.2.1"),
    ]);
    vars.extend(ordinary.into_iter().filter(|(name, _)| !more.iter().any(|(given, _)| given == name)));
    vars
}

fn serve_with(app: &dyn App, options: &Options, vars: Vec<(OsString, OsString)>, stdin: &'static [u8]) -> Served {
    let (log, mut writes) = (Arc::new(Log::default()), Writes(Vec::new()));
    let result = wgi_cgi::serve(app, options, vars, stdin, &mut writes, Errors::new(log.clone()));
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    Served { result, writes: writes.0, log }
}

fn serve(app: impl App, vars: &[(&str, &str)], stdin: &'static [u8]) -> Served {
    serve_with(&app, &Options::default(), request(vars), stdin)
}

/// The environ that an application gets.
fn environ_of(vars: Vec<(OsString, OsString)>) -> Environ {
    let seen = Mutex::new(None);
    let app = |environ: Environ, start: &mut dyn StartResponse| {
        *seen.lock().unwrap() = Some(environ);
        start.start(StatusCode::NO_CONTENT, ())?;
        Ok(Body::empty())
    };
    let served = serve_with(&app, &Options::default(), vars, b"");
    assert_eq!(served.result, Ok(()), "{}", served.log);
    seen.into_inner().unwrap().expect("the application was called")
}

fn var(vars: &[(&str, &str)], name: &str) -> Option<String> {
    environ_of(request(vars)).var(name).map(|value| String::from_utf8(value.to_vec()).unwrap())
}

fn never(_: Environ, _: &mut dyn StartResponse) -> Result<Body, Error> {
    panic!("the application must not be called")
}

fn hello(_: Environ, start: &mut dyn StartResponse) -> Result<Body, Error> {
    start.start(StatusCode::OK, [("content-type", "text/plain")])?;
    Ok(Body::from("Hello, world!"))
}

fn echo(mut environ: Environ, start: &mut dyn StartResponse) -> Result<Body, Error> {
    let mut body = Vec::new();
    environ.input().read_to_end(&mut body)?;
    start.start(StatusCode::OK, [("content-type", "text/plain")])?;
    Ok(Body::from(body))
}

/// [10.10]
#[test]
fn a_response_is_one_write_of_fields_and_body() {
    let served = serve(hello, &[], b"");
    assert_eq!(served.result, Ok(()));
    assert_eq!(served.text(), "Status: 200 OK\r\ncontent-type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!");
    assert_eq!(served.writes.len(), 1);
    assert_eq!(served.log, "");
}

#[test]
fn each_chunk_goes_out_before_the_next_is_made() {
    let served = serve(
        |_: Environ, start: &mut dyn StartResponse| {
            start.start(StatusCode::OK, [("content-type", "text/plain")])?;
            Ok(Body::from_chunks(["one", "", "two", "three"]))
        },
        &[],
        b"",
    );
    let writes: Vec<_> = served.writes.iter().map(|write| String::from_utf8_lossy(write)).collect();
    assert_eq!(writes, ["Status: 200 OK\r\ncontent-type: text/plain\r\n\r\none", "two", "three"]);
}

/// [10.10], [10.11]
#[test]
fn reason_order_and_repeats_are_kept() {
    let served = serve(
        |_: Environ, start: &mut dyn StartResponse| {
            let status = Status::with_reason(StatusCode::NOT_FOUND, "Nowhere")?;
            start.start(status, [("set-cookie", "a=1"), ("x-a", "b"), ("set-cookie", "b=2")])?;
            Ok(Body::empty())
        },
        &[],
        b"",
    );
    let head = "Status: 404 Nowhere\r\nset-cookie: a=1\r\nx-a: b\r\nset-cookie: b=2\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(served.text(), head);
}

#[test]
fn nothing_is_sent_to_head_and_with_204_and_304() {
    let served = serve(hello, &[("REQUEST_METHOD", "HEAD")], b"");
    assert!(served.text().ends_with("Content-Length: 13\r\n\r\n"), "{}", served.text());
    for code in [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED] {
        let served = serve(
            move |_: Environ, start: &mut dyn StartResponse| {
                start.start(code, ())?;
                Ok(Body::from("dropped"))
            },
            &[],
            b"",
        );
        assert_eq!((served.status(), served.body()), (code.as_u16(), String::new()));
    }
}

#[test]
fn a_script_by_the_name_nph_writes_http_itself() {
    let served = serve(hello, &[("SCRIPT_NAME", "/cgi-bin/nph-app"), ("SERVER_SOFTWARE", "boa/1")], b"");
    let text = served.text();
    assert!(text.starts_with("HTTP/1.1 200 OK\r\nDate: "), "{text}");
    for part in ["\r\nServer: boa/1\r\n", "\r\nConnection: close\r\n", "\r\nContent-Length: 13\r\n\r\nHello, world!"] {
        assert!(text.contains(part), "{text}");
    }
    let served = serve(hello, &[("SCRIPT_NAME", "/nph-dir/app")], b"");
    assert!(served.text().starts_with("Status: 200"));
}

/// [10.8]
#[test]
fn what_the_server_set_is_there_and_bytes_are_kept() {
    let mut vars =
        request(&[("REMOTE_USER", "ada"), ("AUTH_TYPE", "Basic"), ("DB_PATH", "/srv/db"), ("SSL_CIPHER", "x")]);
    vars.push(("HTTP_X_RAW".into(), OsString::from_vec(b"caf\xe9".to_vec())));
    let environ = environ_of(vars);
    assert_eq!(environ.var("HTTP_X_RAW"), Some(&b"caf\xe9"[..]));
    assert_eq!(environ.header("x-raw"), Some(&b"caf\xe9"[..]));
    for (name, value) in [("REMOTE_USER", "ada"), ("AUTH_TYPE", "Basic"), ("DB_PATH", "/srv/db"), ("SSL_CIPHER", "x")] {
        assert_eq!(environ.var(name), Some(value.as_bytes()), "{name}");
    }
    let gateway = environ.gateway();
    assert!(gateway.run_once && gateway.multiprocess && !gateway.multithread && gateway.sends_files);
    assert_eq!(gateway.url_scheme, Scheme::Http);
}

/// [10.8]
#[test]
fn fields_that_deceive_are_left_out() {
    for name in ["PROXY", "CONTENT_LENGTH", "CONTENT_TYPE", "CONNECTION"] {
        let name = format!("HTTP_{name}");
        assert_eq!(var(&[(&name, "http://evil/")], &name), None);
    }
}

#[test]
fn what_is_empty_is_left_out_and_what_is_required_is_there() {
    for name in ["CONTENT_LENGTH", "CONTENT_TYPE", "REMOTE_USER", "AUTH_TYPE", "REMOTE_HOST", "HTTP_COOKIE"] {
        assert_eq!(var(&[(name, "")], name), None, "{name}");
    }
    let environ = environ_of(pairs(&[("REQUEST_METHOD", "GET")]));
    for (name, value) in [
        ("SCRIPT_NAME", ""),
        ("PATH_INFO", "/"),
        ("QUERY_STRING", ""),
        ("SERVER_NAME", "localhost"),
        ("SERVER_PORT", "80"),
        ("SERVER_PROTOCOL", "HTTP/1.0"),
    ] {
        assert_eq!(environ.var(name), Some(value.as_bytes()), "{name}");
    }
    assert_eq!(var(&[("SERVER_NAME", ""), ("HTTP_HOST", "[::1]:80")], "SERVER_NAME").unwrap(), "[::1]");
    assert_eq!(var(&[("SERVER_NAME", ""), ("HTTP_HOST", "a.example:80")], "SERVER_NAME").unwrap(), "a.example");
    assert_eq!(var(&[("SERVER_PORT", "65536")], "SERVER_PORT").unwrap(), "80");
    // busybox httpd has no port of its own.
    assert_eq!(var(&[("SERVER_PORT", ""), ("HTTP_HOST", "a.example:8080")], "SERVER_PORT").unwrap(), "8080");
    assert_eq!(var(&[("SERVER_PORT", ""), ("HTTP_HOST", "a.example:x")], "SERVER_PORT").unwrap(), "80");
    assert_eq!(var(&[("SERVER_PROTOCOL", "INCLUDED")], "SERVER_PROTOCOL").unwrap(), "HTTP/1.0");
}

#[test]
fn paths_keep_their_url() {
    for (script_name, path_info, expected) in [
        ("/cgi-bin/app", "", ("/cgi-bin/app", "")),
        ("/cgi-bin/app", "/a b/c", ("/cgi-bin/app", "/a b/c")),
        ("", "", ("", "/")),
        ("/", "", ("", "/")),
        ("/", "/x", ("", "/x")),
        ("/app/", "", ("/app", "/")),
        ("/app/", "x", ("/app", "/x")),
        ("app", "x", ("/app", "/x")),
        ("//", "//x", ("", "//x")),
        ("/app", "*", ("/app", "/*")),
    ] {
        let environ = environ_of(request(&[("SCRIPT_NAME", script_name), ("PATH_INFO", path_info)]));
        let (script, path) = expected;
        assert_eq!(environ.script_name(), script.as_bytes(), "{script_name:?} {path_info:?}");
        assert_eq!(environ.path_info(), path.as_bytes(), "{script_name:?} {path_info:?}");
    }
    assert_eq!(
        var(&[("REQUEST_METHOD", "OPTIONS"), ("SCRIPT_NAME", ""), ("PATH_INFO", "*")], "PATH_INFO").unwrap(),
        "*"
    );
}

#[test]
fn the_scheme_is_the_clients() {
    for (vars, https) in [
        (&[("HTTPS", "on")][..], true),
        (&[("HTTPS", "ON")], true),
        (&[("HTTPS", "1")], true),
        (&[("HTTPS", "off")], false),
        (&[("HTTPS", "")], false),
        (&[("REQUEST_SCHEME", "https")], true),
        (&[("REQUEST_SCHEME", "https"), ("HTTPS", "off")], false),
        (&[("REQUEST_SCHEME", "http")], false),
    ] {
        let environ = environ_of(request(vars));
        assert_eq!(environ.gateway().url_scheme == Scheme::Https, https, "{vars:?}");
        assert_eq!(environ.var("HTTPS"), https.then_some(&b"on"[..]), "{vars:?}");
    }
    let environ = environ_of(request(&[("HTTPS", "on"), ("SERVER_PORT", "")]));
    assert_eq!(environ.var("SERVER_PORT"), Some(&b"443"[..]));
}

#[test]
fn the_peers_address_is_an_address_alone() {
    for (sent, address, port) in [
        ("192.0.2.1", "192.0.2.1", None),
        ("192.0.2.1:4711", "192.0.2.1", Some("4711")),
        ("[2001:db8::1]", "2001:db8::1", None),
        ("[2001:db8::1]:4711", "2001:db8::1", Some("4711")),
        ("::ffff:192.0.2.1", "192.0.2.1", None),
        ("unknown", "unknown", None),
    ] {
        let environ = environ_of(request(&[("REMOTE_ADDR", sent)]));
        assert_eq!(environ.var("REMOTE_ADDR"), Some(address.as_bytes()), "{sent}");
        assert_eq!(environ.var("REMOTE_PORT"), port.map(str::as_bytes), "{sent}");
    }
}

#[test]
fn the_deployer_adds_variables() {
    let mut options = Options::default();
    options.variables.push("SERVER_NAME", "public.example");
    let app = |environ: Environ, start: &mut dyn StartResponse| {
        start.start(StatusCode::OK, [("content-type", "text/plain")])?;
        Ok(Body::from(environ.var("SERVER_NAME").unwrap().to_vec()))
    };
    assert_eq!(serve_with(&app, &options, request(&[]), b"").body(), "public.example");
}

/// [10.9]
#[test]
fn the_body_ends_at_its_length() {
    let served = serve(echo, &[("REQUEST_METHOD", "POST"), ("CONTENT_LENGTH", "5")], b"hello, and more");
    assert_eq!(served.body(), "hello");
    let served = serve(echo, &[("REQUEST_METHOD", "POST")], b"not announced");
    assert_eq!((served.status(), served.body().as_str()), (200, ""));
    let served = serve(echo, &[("REQUEST_METHOD", "POST"), ("CONTENT_LENGTH", "")], b"not announced");
    assert_eq!(served.body(), "");
}

/// [10.9]
#[test]
fn a_body_that_breaks_off_is_an_error() {
    let served = serve(echo, &[("REQUEST_METHOD", "POST"), ("CONTENT_LENGTH", "100")], b"short");
    assert_eq!(served.status(), 400);
    let app = |mut environ: Environ, start: &mut dyn StartResponse| {
        let mut first = Vec::new();
        assert!(environ.input().read_to_end(&mut first).is_err());
        assert!(environ.input().read(&mut [0; 8]).is_err(), "then and at every later read");
        start.start(StatusCode::OK, [("content-type", "text/plain")])?;
        Ok(Body::from(first))
    };
    assert_eq!(serve(app, &[("CONTENT_LENGTH", "100")], b"short").body(), "short");
}

/// [10.13]
#[test]
fn a_length_that_is_none_is_refused() {
    for bad in ["+5", "-1", "0x1", "1_0", " 5", "5 ", "5,5", "18446744073709551616", "five"] {
        let served = serve(never, &[("REQUEST_METHOD", "POST"), ("CONTENT_LENGTH", bad)], b"hello");
        assert_eq!((served.result, served.status()), (Ok(()), 400), "{bad}");
        assert_eq!(served.log.lines().count(), 1, "{}", served.log);
        assert!(served.log.contains("CONTENT_LENGTH"), "{}", served.log);
    }
}

#[test]
fn a_body_over_the_limit_is_refused() {
    let mut options = Options::default();
    options.max_body = 4;
    let request = request(&[("REQUEST_METHOD", "POST"), ("CONTENT_LENGTH", "5")]);
    assert_eq!(serve_with(&never, &options, request, b"hello").status(), 413);
}

#[test]
fn a_chunked_body_without_length_is_refused() {
    let served = serve(never, &[("REQUEST_METHOD", "POST"), ("HTTP_TRANSFER_ENCODING", "chunked")], b"hello");
    assert_eq!(served.status(), 411);
    // A server that collected it says so.
    let vars = [("REQUEST_METHOD", "POST"), ("HTTP_TRANSFER_ENCODING", "chunked"), ("CONTENT_LENGTH", "5")];
    assert_eq!(serve(echo, &vars, b"hello").body(), "hello");
}

/// [10.13]
#[test]
fn a_request_without_a_method_is_refused() {
    for method in ["", "GE T", "GET\n"] {
        assert_eq!(serve(never, &[("REQUEST_METHOD", method)], b"").status(), 400, "{method:?}");
    }
    let served = serve_with(&never, &Options::default(), Vec::new(), b"");
    assert_eq!(served.status(), 400);
    assert!(served.log.contains("REQUEST_METHOD"), "{}", served.log);
}

#[test]
fn an_error_before_the_head_is_a_clean_response_and_one_line() {
    let served = serve(
        |_: Environ, start: &mut dyn StartResponse| {
            start.start(StatusCode::OK, [("content-type", "text/plain")])?;
            Ok(Body::from_results([Err::<Bytes, _>(Error::new("the secret\nis out"))]))
        },
        &[("PATH_INFO", "/a\nb\u{e9}")],
        b"",
    );
    assert_eq!((served.result, served.status()), (Ok(()), 500));
    assert!(!served.text().contains("secret"));
    assert_eq!(served.log, "wgi: GET /cgi-bin/app/a\\nb\\xc3\\xa9: the secret is out\n");
}

#[test]
fn a_broken_rule_is_logged_with_its_clause() {
    let served = serve(|_: Environ, _: &mut dyn StartResponse| Ok(Body::from("x")), &[], b"");
    assert_eq!(served.status(), 500);
    assert!(served.log.contains("[3.2]"), "{}", served.log);
    let served = serve(
        |_: Environ, start: &mut dyn StartResponse| {
            start.start(StatusCode::OK, [("x", "a\r\nSet-Cookie: b")])?;
            Ok(Body::empty())
        },
        &[],
        b"",
    );
    assert_eq!(served.status(), 500);
    assert!(!served.text().contains("Set-Cookie"));
}

#[test]
fn what_a_client_did_wrong_is_not_logged() {
    let app = |_: Environ, _: &mut dyn StartResponse| Err(Error::refused(StatusCode::NOT_FOUND, "no such book"));
    let served = serve(app, &[], b"");
    assert_eq!((served.status(), served.log.as_str()), (404, ""));
}

#[test]
fn an_error_behind_the_head_is_a_cut() {
    let served = serve(
        |_: Environ, start: &mut dyn StartResponse| {
            start.start(StatusCode::OK, [("content-type", "text/plain"), ("content-length", "100")])?;
            Ok(Body::from_results([Ok(Bytes::from("partial")), Err(Error::new("later"))]))
        },
        &[],
        b"",
    );
    assert_eq!(served.result, Err(Interrupted::Cut));
    assert!(served.text().ends_with("Content-Length: 100\r\n\r\npartial"), "{}", served.text());
    assert_eq!(served.log, "wgi: GET /cgi-bin/app/x: later\n");
}

#[test]
fn panics_cost_the_response_alone() {
    let served = serve(|_: Environ, _: &mut dyn StartResponse| panic!("at once"), &[], b"");
    assert_eq!((served.result, served.status()), (Ok(()), 500));
    assert_eq!(served.log, "wgi: GET /cgi-bin/app/x: panicked: at once\n");
    let served = serve(
        |_: Environ, start: &mut dyn StartResponse| {
            start.start(StatusCode::OK, [("content-type", "text/plain")])?;
            Ok(Body::from_chunks((0..).map(|n| if n == 0 { "partial" } else { panic!("later") })))
        },
        &[],
        b"",
    );
    assert_eq!(served.result, Err(Interrupted::Cut));
    assert_eq!(served.body(), "partial");
}

#[test]
fn write_goes_out_during_the_call() {
    let written = Arc::new(Mutex::new(Vec::new()));
    struct Shared(Arc<Mutex<Vec<u8>>>);
    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let seen = written.clone();
    let app = move |_: Environ, start: &mut dyn StartResponse| {
        start.start(StatusCode::OK, [("content-type", "text/plain")])?;
        start.write("wrote ".into())?;
        assert!(seen.lock().unwrap().ends_with(b"\r\n\r\nwrote "));
        Ok(Body::from("returned"))
    };
    let stdout = Shared(written.clone());
    wgi_cgi::serve(&app, &Options::default(), request(&[]), io::empty(), stdout, Errors::stderr()).unwrap();
    assert!(written.lock().unwrap().ends_with(b"wrote returned"));
}

#[test]
fn a_file_is_sent_from_its_position() {
    let app = |_: Environ, start: &mut dyn StartResponse| {
        let mut file = tempfile::tempfile()?;
        file.write_all(&b"0123456789".repeat(20_000))?;
        file.seek(SeekFrom::Start(199_995))?;
        start.start(StatusCode::OK, [("content-type", "text/plain")])?;
        Ok(Body::file(file)?)
    };
    let served = serve(app, &[], b"");
    assert!(served.text().ends_with("Content-Length: 5\r\n\r\n56789"), "{}", served.text());
}

#[test]
fn a_file_that_became_shorter_is_a_cut() {
    let app = |_: Environ, start: &mut dyn StartResponse| {
        start.start(StatusCode::OK, [("content-type", "text/plain")])?;
        Ok(Body::file_range(FileRange { file: File::open("Cargo.toml")?, offset: 0, length: 1 << 40 }))
    };
    let served = serve(app, &[], b"");
    assert_eq!(served.result, Err(Interrupted::Cut));
    assert!(served.log.contains("shorter"), "{}", served.log);
}

#[test]
fn when_nobody_takes_the_response_the_body_is_dropped_once_and_no_more_is_made() {
    let (made, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (making, dropping) = (made.clone(), dropped.clone());
    let app = move |_: Environ, start: &mut dyn StartResponse| {
        start.start(StatusCode::OK, [("content-type", "text/plain")])?;
        let making = making.clone();
        let chunks = std::iter::repeat_with(move || {
            making.fetch_add(1, Ordering::Relaxed);
            vec![b'x'; 10]
        });
        let dropping = dropping.clone();
        Ok(Body::from_chunks(chunks).on_close(move || {
            dropping.fetch_add(1, Ordering::Relaxed);
        }))
    };
    // Room for the head and a few chunks; then a write takes nothing.
    let mut room = [0; 100];
    let stdout = Cursor::new(&mut room[..]);
    let result = wgi_cgi::serve(&app, &Options::default(), request(&[]), io::empty(), stdout, Errors::stderr());
    assert_eq!(result, Err(Interrupted::Disconnected));
    assert!(made.load(Ordering::Relaxed) < 10);
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
}

#[test]
fn what_an_application_says_goes_to_the_log() {
    let app = |mut environ: Environ, start: &mut dyn StartResponse| {
        writeln!(environ.errors(), "the price list is {} days old", 12)?;
        hello(environ, start)
    };
    let served = serve(app, &[], b"");
    assert_eq!(served.log, "the price list is 12 days old\n");
    assert_eq!(served.body(), "Hello, world!");
}
