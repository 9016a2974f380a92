//! The probe: an application whose every behaviour can be asked for by URL, so that any host can be checked from
//! outside, over any protocol.
//!
//! `Probe::answer` is the table of its pages; each page is a small function below. It uses the public API only, and
//! means to be read as a model of an application.

mod bodies;

use std::io::{self, BufRead, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use percent_encoding::percent_decode;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use wgi::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, SET_COOKIE, TRANSFER_ENCODING};
use wgi::{App, Body, Environ, Error, HeaderName, HeaderValue, Headers, StartResponse, Status, StatusCode};

use bodies::{PatternFile, Ticks, pattern};

/// Most pages are this.
const TEXT: [(HeaderName, HeaderValue); 1] = [(CONTENT_TYPE, HeaderValue::from_static("text/plain"))];

/// The longest pause that can be asked for, in milliseconds.
const LONGEST_PAUSE: u64 = 60 * 60 * 1000;

/// What a page gives: a body, or an error for the server to answer.
type Answer = Result<Body, Error>;

/// The probe.
pub fn app() -> impl App {
    Probe::default()
}

#[derive(Default)]
struct Probe {
    bodies: Arc<Bodies>,
    file: PatternFile,
}

/// The bodies that were handed to the host, and those that it has dropped.
#[derive(Default)]
struct Bodies {
    opened: AtomicU64,
    closed: AtomicU64,
}

impl App for Probe {
    fn call(&self, environ: Environ, start_response: &mut dyn StartResponse) -> Answer {
        if environ.path_info() == b"/closes" {
            return self.closes(start_response);
        }
        let body = self.answer(environ, start_response)?;
        self.bodies.opened.fetch_add(1, Ordering::SeqCst);
        let bodies = self.bodies.clone();
        Ok(body.on_close(move || {
            bodies.closed.fetch_add(1, Ordering::SeqCst);
        }))
    }
}

impl Probe {
    /// The pages.
    fn answer(&self, environ: Environ, start: &mut dyn StartResponse) -> Answer {
        if environ.path_info() == b"/" {
            return hello(start);
        }
        let path = String::from_utf8_lossy(environ.path_info()).into_owned();
        let mut segments = path.strip_prefix('/').unwrap_or(&path).splitn(3, '/');
        match (segments.next().unwrap_or_default(), segments.next(), segments.next()) {
            ("environ", ..) => show_environ(environ, start),
            ("url", None, None) => text(start, environ.url()),

            // The request's body.
            ("echo", None, None) => echo(environ, start),
            ("length", None, None) => length(environ, start),
            ("ignore", None, None) => text(start, "ignored"),
            ("read", Some(n), None) => read(environ, start, number(n)?),
            ("lines", None, None) => lines(environ, start),

            // The response's body.
            ("bytes", Some(n), None) => text(start, Body::from(pattern(number(n)?)?)),
            ("stream", Some(chunks), Some(size)) => stream(start, number(chunks)?, number(size)?),
            ("drip", Some(chunks), Some(ms)) => drip(start, number(chunks)?, pause(ms)?),
            ("async", Some(chunks), Some(ms)) => {
                text(start, Body::from_stream(Ticks::new(number(chunks)?, pause(ms)?)))
            }
            ("file", Some(n), None) => text(start, Body::file_range(self.file.first(number(n)?)?)),
            ("sleep", Some(ms), None) => sleep(start, pause(ms)?),
            ("empty", None, None) => text(start, Body::from_chunks(["", "", "x", ""])),
            ("none", None, None) => text(start, Body::empty()),
            ("write", None, None) => write(start),

            // The head.
            ("status", Some(code), None) => status(&environ, start, code),
            ("header", None, None) => header(&environ, start),
            ("cookie", None, None) => cookie(start),
            ("restart", None, None) => restart(start),

            // What goes wrong.
            ("error", None, None) => Err(failure()),
            ("error", Some("started"), None) => text(start, "").and(Err(failure())),
            ("error", Some("first"), None) => text(start, Body::from_results([Err::<&str, _>(failure())])),
            ("error", Some("later"), None) => text(start, Body::from_results([Ok("partial"), Err(failure())])),
            ("panic", None, None) => panic!("the probe was asked to panic"),
            ("panic", Some("later"), None) => panic_later(start),
            ("nostart", None, None) => Ok(Body::from("never started")),
            ("twice", None, None) => twice(start),
            ("short", None, None) => of_length(start, 10, "01234"),
            ("long", None, None) => of_length(start, 5, "0123456789"),
            ("hop", None, None) => hop(start),
            ("errors", None, None) => errors(environ, start),

            _ => not_found(start),
        }
    }

    fn closes(&self, start: &mut dyn StartResponse) -> Answer {
        // Asked in this order, so that a body that comes and goes in between is not closed more often than opened.
        let closed = self.bodies.closed.load(Ordering::SeqCst);
        let opened = self.bodies.opened.load(Ordering::SeqCst);
        text(start, format!("{{\"opened\": {opened}, \"closed\": {closed}}}"))
    }
}

fn hello(start: &mut dyn StartResponse) -> Answer {
    text(start, "Hello, world!")
}

fn show_environ(environ: Environ, start: &mut dyn StartResponse) -> Answer {
    let mut shown = Map::new();
    for (name, value) in environ.vars().iter() {
        // Where a name stands twice, the first one counts.
        shown.entry(utf8_or_latin1(name)).or_insert_with(|| utf8_or_latin1(value).into());
    }
    let gateway = environ.gateway();
    let wgi = json!({
        "version": [gateway.version.0, gateway.version.1],
        "url_scheme": gateway.url_scheme.as_str(),
        "multithread": gateway.multithread,
        "multiprocess": gateway.multiprocess,
        "run_once": gateway.run_once,
    });
    shown.insert("wgi".to_owned(), wgi);
    start.start(StatusCode::OK, [(CONTENT_TYPE, "application/json")])?;
    Ok(Body::from(Value::from(shown).to_string()))
}

fn echo(mut environ: Environ, start: &mut dyn StartResponse) -> Answer {
    let content_type = match environ.content_type() {
        Some(content_type) => HeaderValue::from_bytes(content_type)
            .map_err(|_| Error::refused(StatusCode::BAD_REQUEST, "the Content-Type cannot be sent back"))?,
        None => HeaderValue::from_static("text/plain"),
    };
    start.start(StatusCode::OK, [(CONTENT_TYPE, content_type)])?;
    Ok(Body::from_reader(std::mem::take(environ.input())))
}

fn length(mut environ: Environ, start: &mut dyn StartResponse) -> Answer {
    let mut hash = Sha256::new();
    let mut length = 0;
    loop {
        let piece = environ.input().fill_buf()?;
        if piece.is_empty() {
            break;
        }
        hash.update(piece);
        let taken = piece.len();
        length += taken as u64;
        environ.input().consume(taken);
    }
    let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    text(start, format!("{{\"length\": {length}, \"sha256\": \"{digest}\"}}"))
}

fn read(mut environ: Environ, start: &mut dyn StartResponse, most: u64) -> Answer {
    let length = io::copy(&mut environ.input().take(most), &mut io::sink())?;
    text(start, format!("{{\"length\": {length}}}"))
}

fn lines(mut environ: Environ, start: &mut dyn StartResponse) -> Answer {
    let mut lines = 0_u64;
    while environ.input().skip_until(b'\n')? > 0 {
        lines += 1;
    }
    text(start, lines.to_string())
}

fn stream(start: &mut dyn StartResponse, chunks: u64, size: u64) -> Answer {
    // The first one shows whether the size is too large, while that can still be said.
    let chunk = pattern(size)?;
    text(start, Body::from_chunks((0..chunks).map(move |_| chunk.clone())))
}

fn drip(start: &mut dyn StartResponse, chunks: u64, pause: Duration) -> Answer {
    let ticks = (1..=chunks).map(move |tick| {
        if tick > 1 {
            thread::sleep(pause);
        }
        format!("tick {tick}\n")
    });
    text(start, Body::from_chunks(ticks))
}

fn sleep(start: &mut dyn StartResponse, pause: Duration) -> Answer {
    thread::sleep(pause);
    text(start, "slept")
}

fn write(start: &mut dyn StartResponse) -> Answer {
    start.start(StatusCode::OK, TEXT)?;
    start.write("wrote ".into())?;
    Ok(Body::from("returned"))
}

fn status(environ: &Environ, start: &mut dyn StartResponse, code: &str) -> Answer {
    let Ok(code) = StatusCode::from_bytes(code.as_bytes()) else { return not_found(start) };
    let status = match fields(environ).find(|(name, _)| name == b"reason") {
        Some((_, reason)) => Status::with_reason(code, reason)?,
        None => code.into(),
    };
    if matches!(code.as_u16(), 204 | 205 | 304) {
        start.start(status, ())?;
        return Ok(Body::empty());
    }
    start.start(status, TEXT)?;
    Ok(Body::from(format!("status {}", code.as_u16())))
}

fn header(environ: &Environ, start: &mut dyn StartResponse) -> Answer {
    let mut headers = Vec::new();
    for (name, value) in fields(environ) {
        headers.push((name, value));
    }
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(b"content-type")) {
        headers.push((b"content-type".to_vec(), b"text/plain".to_vec()));
    }
    // What is no header, a line break above all, is refused in here.
    let headers = headers.iter().map(|(name, value)| (&name[..], &value[..])).collect::<Vec<_>>();
    start.start(StatusCode::OK, headers)?;
    Ok(Body::from("headers"))
}

fn cookie(start: &mut dyn StartResponse) -> Answer {
    let mut headers = Headers::from_iter(TEXT);
    headers.append(SET_COOKIE, HeaderValue::from_static("a=1"));
    headers.append(SET_COOKIE, HeaderValue::from_static("b=2"));
    start.start(StatusCode::OK, headers)?;
    Ok(Body::from("cookies"))
}

fn restart(start: &mut dyn StartResponse) -> Answer {
    start.start(StatusCode::OK, TEXT)?;
    start.restart(StatusCode::INTERNAL_SERVER_ERROR, TEXT, failure())?;
    Ok(Body::from("restarted"))
}

fn panic_later(start: &mut dyn StartResponse) -> Answer {
    let chunks = (0..2).map(|chunk| if chunk == 0 { "partial" } else { panic!("the probe was asked to panic") });
    text(start, Body::from_chunks(chunks))
}

fn twice(start: &mut dyn StartResponse) -> Answer {
    start.start(StatusCode::OK, TEXT)?;
    // The error is overlooked on purpose: that must not save the response.
    let _ = start.start(StatusCode::OK, TEXT);
    Ok(Body::from("started twice"))
}

/// A body whose length the host cannot know before it has asked for it.
fn of_length(start: &mut dyn StartResponse, declared: u64, body: &'static str) -> Answer {
    let mut headers = Headers::from_iter(TEXT);
    headers.append(CONTENT_LENGTH, declared.into());
    start.start(StatusCode::OK, headers)?;
    Ok(Body::from_chunks([body]))
}

fn hop(start: &mut dyn StartResponse) -> Answer {
    start.start(StatusCode::OK, [(CONNECTION, "x"), (TRANSFER_ENCODING, "chunked"), (CONTENT_TYPE, "text/plain")])?;
    Ok(Body::from("hop"))
}

fn errors(mut environ: Environ, start: &mut dyn StartResponse) -> Answer {
    writeln!(environ.errors(), "probe says hello")?;
    text(start, "said")
}

fn not_found(start: &mut dyn StartResponse) -> Answer {
    start.start(StatusCode::NOT_FOUND, TEXT)?;
    Ok(Body::from("not found"))
}

/// 200, as text.
fn text(start: &mut dyn StartResponse, body: impl Into<Body>) -> Answer {
    start.start(StatusCode::OK, TEXT)?;
    Ok(body.into())
}

fn failure() -> Error {
    Error::new("the probe was asked to fail")
}

/// A number in the path; what is none is a page that isn't there.
fn number(segment: &str) -> Result<u64, Error> {
    let is_number = segment.bytes().all(|byte| byte.is_ascii_digit());
    let number = segment.parse().ok().filter(|_| is_number);
    number.ok_or_else(|| Error::refused(StatusCode::NOT_FOUND, "a number is missing in the path"))
}

/// Milliseconds in the path.
fn pause(segment: &str) -> Result<Duration, Error> {
    match number(segment)? {
        ms @ ..=LONGEST_PAUSE => Ok(Duration::from_millis(ms)),
        _ => Err(Error::refused(StatusCode::BAD_REQUEST, "the probe pauses for an hour at most")),
    }
}

/// The pairs of the query, percent-decoded. A `+` is a `+`.
fn fields(environ: &Environ) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    environ.query_string().split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let at = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
        let (name, value) = pair.split_at(at);
        (percent_decode(name).collect(), percent_decode(value.get(1..).unwrap_or_default()).collect())
    })
}

fn utf8_or_latin1(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}

#[cfg(test)]
mod tests;
