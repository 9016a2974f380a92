//! Section 9: errors.

use wgi::{Body, Error, Head, StatusCode, header};

use super::{chunks, failing_body, start_text, text};
use crate::Request;
use crate::case::{Case, Expect, case};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = before_the_head();
    cases.extend(behind_the_head());
    cases
}

fn before_the_head() -> Vec<Case> {
    vec![
        case(&["9.1", "9.3", "9.7"], "an error is a 500 that says nothing of it")
            .app(|_, _, _| Err(Error::new("the secret failure")))
            .status(500)
            .expect(Expect::Conceals("secret"))
            .expect(Expect::Log("the secret failure")),
        case(&["9.1"], "an error takes the place of a head that was given")
            .app(|_, start, _| {
                start.start(StatusCode::OK, [("x-a", "1"), ("content-type", "text/html")])?;
                Err(Error::new("the secret failure"))
            })
            .status(500)
            .header("X-A", &[])
            .expect(Expect::Conceals("secret")),
        case(&["9.1", "7.1"], "an error in place of the first chunk takes the place of the head")
            .app(|_, start, _| {
                start.start(StatusCode::OK, [("x-a", "1"), ("content-type", "text/html")])?;
                Ok(Body::from_results([Ok(""), Err(Error::new("the secret failure")), Ok("never")]))
            })
            .status(500)
            .header("X-A", &[])
            .expect(Expect::Conceals("secret"))
            .expect(Expect::Conceals("never")),
        case(&["9.1"], "an error for the client is told to the client")
            .app(|_, _, _| Err(Error::refused(StatusCode::IM_A_TEAPOT, "short and stout")))
            .status(418)
            .body("418 I'm a teapot\nshort and stout\n"),
        case(&["9.4", "9.3"], "a panic is a 500 that says nothing of it")
            .app(|_, _, _| panic!("the secret panic"))
            .status(500)
            .expect(Expect::Conceals("secret"))
            .expect(Expect::Log("the secret panic")),
        case(&["9.5"], "an error costs one response")
            .before(Request::new("GET", "/fail"))
            .get("/go-on")
            .app(|environ, start, _| match environ.path_info() {
                b"/fail" => Err(Error::new("the secret failure")),
                _ => text(start, "went on"),
            })
            .status(200)
            .body("went on"),
        case(&["9.5"], "a panic costs one response")
            .before(Request::new("GET", "/panic"))
            .get("/go-on")
            .app(|environ, start, _| match environ.path_info() {
                b"/panic" => panic!("the secret panic"),
                _ => text(start, "went on"),
            })
            .status(200)
            .body("went on"),
        case(&["9.6"], "an error may bring its own response")
            .app(|_, start, _| {
                start_text(start)?;
                let head = Head::new(StatusCode::BAD_GATEWAY, [("x-own", "1"), ("content-type", "text/plain")])?;
                Err(Error::replaced(head, "its own", "the secret failure"))
            })
            .status(502)
            .header("X-Own", &["1"])
            .body("its own")
            .expect(Expect::Conceals("secret")),
        case(&["9.6"], "an error in place of the first chunk may bring its own response")
            .app(|_, start, _| {
                start_text(start)?;
                let head = Head::new(StatusCode::BAD_GATEWAY, [("content-type", "text/plain")])?;
                Ok(Body::from_results([Err::<&str, _>(Error::replaced(head, "its own", "the secret failure"))]))
            })
            .status(502)
            .body("its own"),
        case(&["9.6", "5.4"], "a response that an error brings is held to the same rules")
            .app(|_, _, _| {
                let head = Head::new(StatusCode::BAD_GATEWAY, [("connection", "x-a"), ("content-type", "text/plain")])?;
                Err(Error::replaced(head, "its own", "the secret failure"))
            })
            .breaks_protocol()
            .status(500)
            .expect(Expect::Conceals("its own")),
        case(&["9.6", "6.7"], "a response that an error brings is held to its Content-Length")
            .app(|_, _, _| {
                let head = Head::new(StatusCode::BAD_GATEWAY, [(header::CONTENT_LENGTH, "3")])?;
                Err(Error::replaced(head, "its own", "the secret failure"))
            })
            .breaks_protocol()
            .status(500)
            .expect(Expect::Conceals("its own")),
    ]
}

fn behind_the_head() -> Vec<Case> {
    vec![
        case(&["9.2", "9.3", "9.7"], "an error behind the head cuts the response")
            .app(|_, start, _| {
                start_text(start)?;
                Ok(failing_body("partial"))
            })
            .status(200)
            .body("partial")
            .expect(Expect::Cut)
            .expect(Expect::Conceals("secret"))
            .expect(Expect::Log("the secret failure")),
        case(&["9.2"], "an error behind the head cuts a response of announced length")
            .app(|_, start, _| {
                start.start(StatusCode::OK, [("content-length", "100"), ("content-type", "text/plain")])?;
                Ok(failing_body("partial"))
            })
            .status(200)
            .body("partial")
            .expect(Expect::Cut),
        case(&["9.2", "9.4"], "an error behind what was written cuts the response")
            .app(|_, start, _| {
                start_text(start)?;
                start.write("written".into())?;
                panic!("the secret panic")
            })
            .status(200)
            .body("written")
            .expect(Expect::Cut),
        case(&["9.8"], "nobody is there for the rest of a response")
            .leaves_after(200)
            .app(|_, start, journal| {
                start_text(start)?;
                let guard = journal.note_at_drop("closed");
                let body = Body::from_chunks(std::iter::repeat_with(|| vec![b'x'; 65_536]));
                Ok(body.on_close(move || drop(guard)))
            })
            .journal(&["closed"]),
        case(&["9.5", "7.1"], "a response is whole behind one that failed")
            .before(Request::new("GET", "/fail"))
            .get("/go-on")
            .app(|environ, start, _| {
                start_text(start)?;
                Ok(match environ.path_info() {
                    b"/fail" => Body::from_results([Err::<&str, _>(Error::new("the secret failure"))]),
                    _ => chunks(&["went", " on"]),
                })
            })
            .status(200)
            .body("went on"),
    ]
}
