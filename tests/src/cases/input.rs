//! Section 4: the input, and what section 11 says of its size.

use std::io::{BufRead, Read};

use wgi::{Body, Error, Input};

use super::{many_bytes, start_text, text};
use crate::adapter::BODY_LIMIT;
use crate::case::{AppFn, Case, Expect, case};
use crate::{Capability, Request};

/// Longer than what a server collects before it calls the application.
const LONG: usize = 300_000;

/// Answers with the body, in one piece.
const ECHO: AppFn = |mut environ, start, _| {
    let body = environ.input().read_all(u64::MAX)?;
    text(start, body)
};

/// Reads to the end, and notes what that came to.
const NOTE: AppFn = |mut environ, start, journal| {
    let mut body = Vec::new();
    match environ.input().read_to_end(&mut body) {
        Ok(_) => journal.note("whole"),
        Err(_) => {
            journal.note("broken");
            if environ.input().read(&mut [0; 8]).is_ok() {
                journal.note("read again");
            }
        }
    }
    text(start, "noted")
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case(&["4.34", "4.35"], "the input is the body").post("hello").app(ECHO).status(200).body("hello"),
        case(&["4.34"], "the input is empty without a body").app(ECHO).status(200).body(""),
        case(&["4.34"], "the input is empty with an empty body").post("").app(ECHO).status(200).body(""),
        case(&["4.34", "4.35"], "a long body comes whole")
            .post(many_bytes(LONG))
            .app(ECHO)
            .status(200)
            .body(many_bytes(LONG)),
        case(&["4.34"], "the input stays at its end")
            .post("12345")
            .app(|mut environ, start, _| {
                let whole = environ.input().read_all(100)?.len();
                let again = [environ.input().read(&mut [0; 8])?, environ.input().read(&mut [0; 8])?];
                text(start, format!("{whole} {again:?}"))
            })
            .status(200)
            .body("5 [0, 0]"),
        case(&["4.34"], "the input is read by lines")
            .post("one\ntwo\r\n\nfour")
            .app(|mut environ, start, _| {
                let lines = environ.input().lines().collect::<Result<Vec<_>, _>>()?;
                text(start, format!("{lines:?}"))
            })
            .status(200)
            .body(r#"["one", "two", "", "four"]"#),
        case(&["4.34"], "a body is not mixed up with the one before it")
            .before(Request { body: Some(b"first".to_vec()), ..Request::new("POST", "/") })
            .post("second")
            .app(ECHO)
            .status(200)
            .body("second"),
        case(&["4.36"], "a short body that breaks off never looks whole")
            .post("0123456789")
            .breaks_off(4)
            .app(NOTE)
            .expect(Expect::Never("whole"))
            .expect(Expect::Never("read again")),
        case(&["4.36"], "a long body that breaks off never looks whole")
            .post(many_bytes(LONG))
            .breaks_off(LONG - 1)
            .app(NOTE)
            .expect(Expect::Never("whole"))
            .expect(Expect::Never("read again")),
        case(&["4.38"], "the input may stay unread")
            .post(many_bytes(LONG))
            .app(|_, start, _| text(start, "unread"))
            .status(200)
            .body("unread"),
        case(&["4.38"], "what is left unread is no request")
            .before(Request {
                body: Some(b"GET /smuggled HTTP/1.1\r\nHost: example.org\r\n\r\n".to_vec()),
                ..Request::new("POST", "/before")
            })
            .get("/after")
            .app(|environ, start, _| text(start, environ.path_info()))
            .status(200)
            .body("/after"),
        case(&["4.38"], "a part of the input may be read")
            .post(many_bytes(LONG))
            .app(|mut environ, start, _| {
                let mut part = vec![0; 10];
                environ.input().read_exact(&mut part)?;
                text(start, part)
            })
            .status(200)
            .body(many_bytes(10)),
        case(&["4.38"], "the input may be read while the body is sent")
            .post(many_bytes(LONG))
            .app(|mut environ, start, _| {
                start_text(start)?;
                Ok(Body::from_reader(std::mem::take(environ.input())))
            })
            .status(200)
            .body(many_bytes(LONG)),
        case(&["4.38"], "the input may be read as a stream while the body is sent")
            .post(many_bytes(LONG))
            .app(|mut environ, start, _| {
                start_text(start)?;
                let input: Input = std::mem::take(environ.input());
                Ok(Body::from_stream::<_, _, Error>(input))
            })
            .status(200)
            .body(many_bytes(LONG)),
        case(&["11.7"], "a body over the limit is refused")
            .post(many_bytes(BODY_LIMIT as usize + 1))
            .needs(Capability::BodyLimit)
            .app(NOTE)
            .status(413)
            .expect(Expect::Never("whole")),
        case(&["11.7"], "a body of just the limit is taken")
            .post(many_bytes(BODY_LIMIT as usize))
            .needs(Capability::BodyLimit)
            .app(NOTE)
            .status(200)
            .body("noted"),
    ]
}
