//! Every clause that `Lint` checks: what breaks it is found, and what keeps it passes.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Read};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use wgi::server::{Part, Reply, Transmit};
use wgi::{
    App, Body, Bytes, Environ, Error, ErrorSink, Errors, Head, Input, Scheme, ServerError, Source, StartResponse,
    StatusCode, Violation,
};
use wgi_middleware::{Lint, LintLayer};

type Called = Result<Body, Error>;

/// What came of an exchange, and what the validator said.
struct Seen {
    status: u16,
    body: Vec<u8>,
    is_cut: bool,
    log: String,
}

impl Seen {
    /// By whom, and which clause.
    fn broken(&self) -> Option<(String, String)> {
        let line = self.log.lines().find(|line| line.starts_with("lint: "))?;
        let culprit = line.split(' ').nth(2)?;
        let clause = line.split(['[', ']']).nth(1)?;
        Some((culprit.to_owned(), clause.to_owned()))
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl ErrorSink for Log {
    fn write(&self, text: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[derive(Default)]
struct Wire {
    status: u16,
    body: Vec<u8>,
}

impl Transmit for Wire {
    fn transmit(&mut self, part: Part) -> Result<(), Error> {
        match part {
            Part::Head(head, _) => self.status = head.status.code().as_u16(),
            Part::Chunk(chunk) => self.body.extend_from_slice(&chunk),
            Part::File(file) => file.for_each(|piece| self.body.extend_from_slice(&piece.unwrap())),
            Part::End | Part::Cut => {}
        }
        Ok(())
    }
}

/// One exchange with the server that the protocol crate holds for every adapter.
fn exchange(app: impl App, environ: Environ) -> Seen {
    let log = Log::default();
    let mut wire = Wire::default();
    let environ = environ.with_errors(Errors::new(Arc::new(log.clone())));
    let mut reply = Reply::call(&app.with(LintLayer), environ, &mut wire);
    let is_cut = loop {
        match reply.next_part() {
            Part::End => break false,
            Part::Cut => break true,
            part => wire.transmit(part).unwrap(),
        }
    };
    Seen { status: wire.status, body: wire.body, is_cut, log: log.text() }
}

fn request(method: &str) -> Environ {
    Environ::for_testing(method, "/a")
}

fn hello(_environ: Environ, start_response: &mut dyn StartResponse) -> Called {
    start_response.start(StatusCode::OK, [("content-type", "text/plain")])?;
    Ok(Body::from("hello"))
}

/// An application that answers 200 with these fields and that body.
fn answer(fields: &'static [(&'static str, &'static str)], body: fn() -> Body) -> Box<dyn App> {
    answer_with(200, fields, body)
}

fn answer_with(status: u16, fields: &'static [(&'static str, &'static str)], body: fn() -> Body) -> Box<dyn App> {
    Box::new(move |_: Environ, start_response: &mut dyn StartResponse| -> Called {
        start_response.start(StatusCode::from_u16(status).unwrap(), fields)?;
        Ok(body())
    })
}

fn boxed(app: impl Fn(Environ, &mut dyn StartResponse) -> Called + Send + Sync + 'static) -> Box<dyn App> {
    Box::new(app)
}

const TEXT: (&str, &str) = ("content-type", "text/plain");

/// Environs that no server may build, with the clause that each breaks.
fn broken_environs() -> Vec<(&'static str, Environ)> {
    let with = |edit: &dyn Fn(&mut Environ)| {
        let mut environ = request("GET");
        edit(&mut environ);
        environ
    };
    let set = |name: &str, value: &str| with(&|environ| environ.set_var(name, value));
    let without = |name: &str| with(&|environ| assert!(environ.remove_var(name)));
    vec![
        ("4.3", without("REQUEST_METHOD")),
        ("4.3", set("REQUEST_METHOD", "")),
        ("4.3", set("REQUEST_METHOD", "GET /")),
        ("4.4", without("SERVER_NAME")),
        ("4.4", set("SERVER_NAME", "")),
        ("4.4", set("SERVER_NAME", "a b")),
        ("4.4", set("SERVER_NAME", "[::1")),
        ("4.5", without("SERVER_PORT")),
        ("4.5", set("SERVER_PORT", "http")),
        ("4.5", set("SERVER_PORT", "65536")),
        ("4.6", without("SERVER_PROTOCOL")),
        ("4.6", set("SERVER_PROTOCOL", "INCLUDED")),
        ("4.6", set("SERVER_PROTOCOL", "HTTP/1.")),
        ("4.7", set("SCRIPT_NAME", "/")),
        ("4.7", set("SCRIPT_NAME", "app")),
        ("4.8", set("PATH_INFO", "a")),
        ("4.8", set("PATH_INFO", "*")),
        ("4.9", set("PATH_INFO", "")),
        ("4.12", set("HTTP_CONTENT_TYPE", "text/plain")),
        ("4.12", set("HTTP_CONTENT_LENGTH", "1")),
        ("4.13", set("CONTENT_LENGTH", "-1")),
        ("4.13", set("CONTENT_LENGTH", "+1")),
        ("4.13", set("CONTENT_LENGTH", "99999999999999999999")),
        ("4.17", set("HTTP_PROXY", "http://evil.example/")),
        ("4.18", set("HTTP_HOST", "a/b")),
        ("4.18", set("HTTP_HOST", "::1:80")),
        ("4.18", set("HTTP_HOST", "localhost:http")),
        ("4.19", set("REMOTE_ADDR", "127.0.0.1:4711")),
        ("4.19", set("REMOTE_ADDR", "unix:")),
        ("4.20", set("HTTPS", "on")),
        ("4.20", with(&|environ| environ.gateway_mut().url_scheme = Scheme::Https)),
        ("4.22", set("A=B", "")),
        ("4.22", set("A", "b\0c")),
        ("4.28", with(&|environ| environ.gateway_mut().version = (2, 0))),
    ]
}

/// Applications that break the protocol, with the clause that each breaks.
fn broken_apps() -> Vec<(&'static str, Box<dyn App>)> {
    vec![
        ("3.2", boxed(|_, _| Ok(Body::from("hello")))),
        (
            "5.2",
            boxed(|_, start_response| {
                start_response.start(StatusCode::OK, [TEXT])?;
                start_response.start(StatusCode::OK, [TEXT])?;
                Ok(Body::from("hello"))
            }),
        ),
        (
            "5.2",
            boxed(|_, start_response| {
                start_response.start(StatusCode::OK, [TEXT])?;
                let _ = start_response.start(StatusCode::OK, [TEXT]);
                Ok(Body::from("an ignored error"))
            }),
        ),
        ("5.3", answer_with(101, &[], Body::empty)),
        ("5.3", answer_with(600, &[], Body::empty)),
        ("5.4", answer(&[TEXT, ("connection", "close")], Body::empty)),
        ("5.4", answer(&[TEXT, ("transfer-encoding", "chunked")], || Body::from_chunks(["hello"]))),
        ("5.5", answer(&[TEXT, ("status", "404")], Body::empty)),
        ("5.6", answer(&[TEXT, ("content-length", "+5")], || Body::from("hello"))),
        ("5.6", answer(&[TEXT, ("content-length", "5"), ("content-length", "5")], || Body::from("hello"))),
        (
            "5.8",
            boxed(|_, start_response| {
                let _ = start_response.write(Bytes::from_static(b"early"));
                start_response.start(StatusCode::OK, [TEXT])?;
                Ok(Body::empty())
            }),
        ),
        ("5.16", answer(&[], || Body::from("hello"))),
        ("5.16", answer(&[], || Body::from_chunks(["", "hello"]))),
        ("5.16", answer(&[], || Body::from_stream(Body::from_chunks(["hello"])))),
        ("5.17", answer_with(204, &[TEXT], Body::empty)),
        ("5.17", answer_with(304, &[TEXT], Body::empty)),
        ("5.18", answer_with(204, &[("content-length", "0")], Body::empty)),
        ("5.18", answer_with(205, &[("content-length", "1")], Body::empty)),
        ("6.5", answer(&[TEXT, ("content-length", "10")], || Body::from("hello"))),
        ("6.5", answer(&[TEXT, ("content-length", "4")], || Body::from("hello"))),
        ("6.5", answer(&[TEXT, ("content-length", "4")], || Body::from_chunks(["hello"]))),
        ("6.5", answer(&[TEXT, ("content-length", "1")], Body::empty)),
        (
            "6.5",
            boxed(|_, _| {
                let head = Head::new(StatusCode::GONE, [TEXT, ("content-length", "9")])?;
                Err(Error::replaced(head, "gone", "a cause"))
            }),
        ),
        (
            "5.4",
            boxed(|_, start_response| {
                start_response.start(StatusCode::OK, [TEXT])?;
                let head = Head::new(StatusCode::GONE, [("connection", "close")])?;
                Ok(Body::from_results([Err::<Bytes, _>(Error::replaced(head, "", "a cause"))]))
            }),
        ),
    ]
}

/// Applications that keep the protocol, with the status and body of each.
fn right_apps() -> Vec<(u16, &'static str, Box<dyn App>)> {
    vec![
        (200, "hello", boxed(hello)),
        (200, "", answer(&[], Body::empty)),
        (200, "", answer(&[], || Body::from_chunks(["", ""]))),
        (200, "hello", answer(&[TEXT, ("content-length", "5")], || Body::from_chunks(["he", "", "llo"]))),
        (200, "hello", answer(&[TEXT, ("content-length", "5")], || Body::from("hello"))),
        (200, "hello", answer(&[TEXT], || Body::from_stream(Body::from_chunks(["he", "llo"])))),
        (204, "", answer_with(204, &[], Body::empty)),
        (205, "", answer_with(205, &[("content-length", "0")], Body::empty)),
        (304, "", answer_with(304, &[("content-length", "5"), ("etag", "\"a\"")], Body::empty)),
        (599, "", answer_with(599, &[], Body::empty)),
        (
            500,
            "restarted",
            boxed(|_, start_response| {
                start_response.start(StatusCode::OK, [TEXT])?;
                start_response.restart(StatusCode::INTERNAL_SERVER_ERROR, [TEXT], Error::new("a cause"))?;
                Ok(Body::from("restarted"))
            }),
        ),
        (
            500,
            "healed",
            boxed(|_, start_response| {
                let refused = start_response.start(StatusCode::OK, [("connection", "close")]);
                let cause = refused.expect_err("a hop-by-hop field");
                start_response.restart(StatusCode::INTERNAL_SERVER_ERROR, [TEXT], cause)?;
                Ok(Body::from("healed"))
            }),
        ),
        (
            200,
            "wrote returned",
            boxed(|_, start_response| {
                start_response.start(StatusCode::OK, [TEXT, ("content-length", "14")])?;
                start_response.write(Bytes::from_static(b"wrote "))?;
                Ok(Body::from("returned"))
            }),
        ),
        (410, "gone", boxed(|_, _| Err(Error::replaced(Head::new(StatusCode::GONE, [TEXT])?, "gone", "a cause")))),
        (400, "400 Bad Request\nno\n", boxed(|_, _| Err(Error::refused(StatusCode::BAD_REQUEST, "no")))),
    ]
}

#[test]
fn a_server_is_told_of_a_broken_environ() {
    for (clause, environ) in broken_environs() {
        let shown = format!("{environ:?}");
        let seen = exchange(|_: Environ, _: &mut dyn StartResponse| -> Called { unreachable!("called") }, environ);
        assert_eq!(seen.broken(), Some(("server".into(), clause.into())), "{shown}");
        assert_eq!((seen.status, seen.is_cut), (500, false));
    }
}

#[test]
fn a_server_that_keeps_the_protocol_is_left_alone() {
    let with = |method: &str, vars: &[(&str, &str)]| {
        let mut environ = request(method);
        vars.iter().for_each(|(name, value)| environ.set_var(name, value));
        environ
    };
    let mut encrypted = with("GET", &[("HTTPS", "on")]);
    encrypted.gateway_mut().url_scheme = Scheme::Https;
    let environs = [
        with("GET", &[]),
        encrypted,
        with("M-SEARCH", &[("HTTPS", "off")]),
        with("OPTIONS", &[("PATH_INFO", "*")]),
        with("GET", &[("SCRIPT_NAME", "/app"), ("PATH_INFO", "")]),
        with("GET", &[("SERVER_NAME", "[::1]"), ("HTTP_HOST", "[::1]:8080"), ("REMOTE_ADDR", "fe80::1%eth0")]),
        with("GET", &[("SERVER_NAME", "_"), ("HTTP_HOST", ""), ("REMOTE_ADDR", "::1")]),
        with("GET", &[("SERVER_PROTOCOL", "HTTP/2"), ("HTTP_HOST", "example.org:")]),
        with("POST", &[("CONTENT_LENGTH", ""), ("CONTENT_TYPE", "")]),
        with("POST", &[("CONTENT_LENGTH", "18446744073709551615")]),
    ];
    for environ in environs {
        let shown = format!("{environ:?}");
        let seen = exchange(hello, environ);
        assert_eq!((seen.log.as_str(), seen.status, &seen.body[..]), ("", 200, &b"hello"[..]), "{shown}");
    }
}

#[test]
fn an_application_is_told_of_a_broken_clause() {
    for (index, (clause, app)) in broken_apps().into_iter().enumerate() {
        let seen = exchange(app, request("GET"));
        assert_eq!(seen.broken(), Some(("application".into(), clause.into())), "application {index}");
        assert_eq!((seen.status, seen.is_cut), (500, false), "application {index} ({clause})");
        assert_eq!(seen.log.lines().count(), 1, "{}", seen.log);
    }
}

#[test]
fn an_application_that_keeps_the_protocol_is_left_alone() {
    for (index, (status, body, app)) in right_apps().into_iter().enumerate() {
        let seen = exchange(app, request("GET"));
        let is_healed = body == "healed";
        assert_eq!(seen.log.is_empty(), !is_healed, "application {index}: {}", seen.log);
        assert_eq!((seen.status, String::from_utf8_lossy(&seen.body)), (status, body.into()), "application {index}");
        assert!(!seen.is_cut, "application {index}");
    }
    for (index, (_, _, app)) in right_apps().into_iter().enumerate() {
        let seen = exchange(app, request("HEAD"));
        assert_eq!(seen.log.lines().filter(|line| !line.contains("connection")).count(), 0, "{index}: {}", seen.log);
        assert_eq!(seen.body, b"", "application {index}");
    }
}

#[test]
fn what_shows_behind_the_head_cuts_the_response() {
    let short = answer(&[TEXT, ("content-length", "10")], || Body::from_chunks(["hello"]));
    let seen = exchange(short, request("GET"));
    assert_eq!(seen.broken(), Some(("application".into(), "6.5".into())));
    assert_eq!((seen.status, &seen.body[..], seen.is_cut), (200, &b"hello"[..], true));

    let long = boxed(|_, start_response| {
        start_response.start(StatusCode::OK, [TEXT, ("content-length", "5")])?;
        start_response.write(Bytes::from_static(b"hello"))?;
        let _ = start_response.write(Bytes::from_static(b" world"));
        Ok(Body::empty())
    });
    let seen = exchange(long, request("GET"));
    assert_eq!(seen.broken(), Some(("application".into(), "6.5".into())));
    assert_eq!((seen.status, &seen.body[..], seen.is_cut), (200, &b"hello"[..], true));
}

#[test]
fn head_is_measured_only_where_there_is_something_to_measure() {
    let seen = exchange(answer(&[TEXT, ("content-length", "10")], Body::empty), request("HEAD"));
    assert_eq!((seen.status, seen.log.as_str()), (200, ""));
    let seen = exchange(answer(&[TEXT, ("content-length", "10")], || Body::from("hello")), request("HEAD"));
    assert_eq!(seen.broken(), Some(("application".into(), "6.5".into())));
}

/// Gives these bytes whatever was announced.
struct Given(&'static [u8]);

impl Source for Given {
    fn fill(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.extend_from_slice(std::mem::take(&mut self.0));
        Ok(())
    }
}

fn posted(announced: &str, given: &'static [u8]) -> Environ {
    let mut environ = request("POST").with_input(Input::new(Box::new(Given(given))));
    environ.set_var("CONTENT_LENGTH", announced);
    environ
}

fn echo(mut environ: Environ, start_response: &mut dyn StartResponse) -> Called {
    let mut body = Vec::new();
    environ.input().read_to_end(&mut body)?;
    start_response.start(StatusCode::OK, [TEXT])?;
    Ok(Body::from(body))
}

fn echo_stream(mut environ: Environ, start_response: &mut dyn StartResponse) -> Called {
    start_response.start(StatusCode::OK, [TEXT])?;
    Ok(Body::from_stream(std::mem::take(environ.input())))
}

#[test]
fn an_input_is_as_long_as_announced() {
    for app in [echo as fn(Environ, &mut dyn StartResponse) -> Called, echo_stream] {
        for announced in ["4", "6", "0"] {
            let seen = exchange(app, posted(announced, b"hello"));
            assert_eq!(seen.broken(), Some(("server".into(), "4.35".into())), "{announced}");
        }
        for announced in ["5", ""] {
            let seen = exchange(app, posted(announced, b"hello"));
            assert_eq!((seen.log.as_str(), &seen.body[..]), ("", &b"hello"[..]), "{announced}");
        }
    }
    // What nobody reads is not measured.
    assert_eq!(exchange(hello, posted("9", b"hello")).log, "");
    let line = |mut environ: Environ, start_response: &mut dyn StartResponse| -> Called {
        let mut line = String::new();
        environ.input().read_line(&mut line)?;
        start_response.start(StatusCode::OK, [TEXT])?;
        Ok(Body::from(line))
    };
    assert_eq!(exchange(line, posted("8", b"one\ntwo\n")).body, b"one\n");
}

/// A server that takes everything, and says that all went well.
struct Careless;

impl StartResponse for Careless {
    fn start_head(&mut self, _head: Head) -> Result<(), Error> {
        Ok(())
    }

    fn restart_head(&mut self, _head: Head, _cause: Error) -> Result<(), Error> {
        Ok(())
    }

    fn write(&mut self, _data: Bytes) -> Result<(), Error> {
        Ok(())
    }
}

fn restart_behind_write(_environ: Environ, start_response: &mut dyn StartResponse) -> Called {
    start_response.start(StatusCode::OK, [TEXT])?;
    start_response.write(Bytes::from_static(b"too late"))?;
    start_response.restart(StatusCode::INTERNAL_SERVER_ERROR, [TEXT], Error::new("a cause"))?;
    Ok(Body::empty())
}

#[test]
fn a_head_that_is_out_cannot_be_replaced() {
    let app = Lint::new(restart_behind_write);
    let log = Log::default();
    let environ = || request("GET").with_errors(Errors::new(Arc::new(log.clone())));
    let error = app.call(environ(), &mut Careless).unwrap_err();
    assert!(matches!(&error, Error::Server(ServerError::Io { source, .. })
        if source.get_ref().and_then(|inner| inner.downcast_ref::<Violation>()).is_some_and(|v| v.clause == "5.7")));
    assert!(log.text().starts_with("lint: the server broke spec [5.7]"), "{}", log.text());

    let seen = exchange(restart_behind_write, request("GET"));
    assert_eq!((seen.log.as_str(), seen.is_cut), ("", true), "the server gave the cause back");
}

#[test]
fn calls_at_once_need_multithread() {
    /// Calls the application inside once more while it is being called.
    fn nested(outer: bool, inner: bool) -> Result<Body, Error> {
        type Slot = Arc<Mutex<Option<Arc<dyn App>>>>;
        let slot = Slot::default();
        let inside = slot.clone();
        let app = move |environ: Environ, start_response: &mut dyn StartResponse| -> Called {
            if environ.path_info() == b"/again" {
                return hello(environ, start_response);
            }
            let app = inside.lock().unwrap().clone().unwrap();
            let mut again = Environ::for_testing("GET", "/again").with_errors(Errors::new(Arc::new(Log::default())));
            again.gateway_mut().multithread = environ.gateway().multithread;
            if environ.path_info() == b"/other" {
                again.gateway_mut().multithread ^= true;
            }
            app.call(again, start_response)
        };
        let app: Arc<dyn App> = Arc::new(Lint::new(app));
        *slot.lock().unwrap() = Some(app.clone());
        let mut environ = Environ::for_testing("GET", if outer == inner { "/same" } else { "/other" });
        environ.gateway_mut().multithread = outer;
        let result = app.call(environ, &mut Careless);
        assert!(app.call(Environ::for_testing("GET", "/again"), &mut Careless).is_ok(), "one after another is fine");
        slot.lock().unwrap().take();
        result
    }
    let clause = |called: Called| match called {
        Err(Error::Server(ServerError::Io { source, .. })) => {
            source.get_ref().and_then(|inner| inner.downcast_ref::<Violation>()).map(|violation| violation.clause)
        }
        _ => None,
    };
    assert_eq!(clause(nested(false, false)), Some("4.30"));
    assert_eq!(clause(nested(true, false)), Some("4.30"));
    assert_eq!(clause(nested(false, true)), Some("4.30"));
    assert!(nested(true, true).is_ok());
}

#[test]
fn what_is_known_of_a_body_survives() {
    let through = |body: Body| {
        let body = Mutex::new(Some(body));
        let app = move |_: Environ, start_response: &mut dyn StartResponse| -> Called {
            start_response.start(StatusCode::OK, [TEXT])?;
            Ok(body.lock().unwrap().take().unwrap())
        };
        Lint::new(app).call(request("GET"), &mut Careless).unwrap()
    };
    assert!(through(Body::from("hello")).is_ready());
    assert_eq!(through(Body::from("hello")).len(), Some(5));
    let file = std::fs::File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    let length = file.metadata().unwrap().len();
    assert_eq!(through(Body::file(file).unwrap()).take_file().map(|range| range.length), Some(length));
    assert!(through(Body::from_stream(Body::from_chunks(["a"]))).is_stream());
    assert_eq!(through(Body::from_chunks(["a"])).len(), None);
}

#[test]
fn chunks_come_one_by_one_and_pending_stays_pending() {
    struct Twice(usize);
    impl futures_core::Stream for Twice {
        type Item = Result<Bytes, Error>;
        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            self.0 += 1;
            if self.0.is_multiple_of(2) { Poll::Pending } else { Poll::Ready(Some(Ok(Bytes::from_static(b"x")))) }
        }
    }
    let app = Lint::new(|_: Environ, start_response: &mut dyn StartResponse| -> Called {
        start_response.start(StatusCode::OK, [TEXT])?;
        Ok(Body::from_stream(Twice(0)))
    });
    let mut body = app.call(request("GET"), &mut Careless).unwrap();
    let mut context = Context::from_waker(std::task::Waker::noop());
    for is_ready in [true, false, true] {
        let polled = futures_core::Stream::poll_next(Pin::new(&mut body), &mut context);
        assert_eq!(polled.is_ready(), is_ready);
    }
}

#[test]
fn a_body_is_closed_once() {
    for body in [|| Body::from("a"), || Body::from_chunks(["a", "b"]), || Body::from_stream(Body::from_chunks(["a"]))] {
        let closed = Arc::new(Mutex::new(0));
        let counter = closed.clone();
        let app = move |_: Environ, start_response: &mut dyn StartResponse| -> Called {
            let counter = counter.clone();
            start_response.start(StatusCode::OK, [TEXT])?;
            Ok(body().on_close(move || *counter.lock().unwrap() += 1))
        };
        assert_eq!(exchange(&app as &dyn App, request("GET")).status, 200);
        assert_eq!(*closed.lock().unwrap(), 1);
        drop(Lint::new(&app as &dyn App).call(request("GET"), &mut Careless));
        assert_eq!(*closed.lock().unwrap(), 2, "dropped before it was asked for anything");
    }
}

#[test]
fn every_clause_is_put_to_the_test() {
    let tested: BTreeSet<_> = broken_environs()
        .iter()
        .map(|(clause, _)| *clause)
        .chain(broken_apps().iter().map(|(clause, _)| *clause))
        .chain(["4.30", "4.35", "5.7"])
        .collect();
    assert_eq!(tested, Lint::CLAUSES.iter().copied().collect());
}

#[test]
fn the_clauses_are_those_that_the_specification_tags() {
    let spec = include_str!("../../spec/spec.md");
    let tagged: BTreeSet<_> = spec
        .split("\n\n")
        .filter(|paragraph| paragraph.ends_with("(lint)") || paragraph.ends_with("(lint, case)"))
        .filter_map(|paragraph| paragraph.strip_prefix("**[")?.split_once("]**").map(|(clause, _)| clause))
        .collect();
    assert_eq!(tagged, Lint::CLAUSES.iter().copied().collect());
}
