//! Section 7: what a server makes of a response.

use wgi::{Body, StatusCode, header};

use super::{chunks, start_text, text};
use crate::case::{Case, Expect, case};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = framed();
    cases.extend(bodiless());
    cases
}

fn framed() -> Vec<Case> {
    vec![
        case(&["7.4"], "the length of one chunk is announced")
            .app(|_, start, _| text(start, "12345"))
            .status(200)
            .header("Content-Length", &["5"])
            .body("12345"),
        case(&["7.4"], "an empty body is announced")
            .app(|_, start, _| {
                start.start(StatusCode::OK, ())?;
                Ok(Body::empty())
            })
            .status(200)
            .header("Content-Length", &["0"])
            .body(""),
        case(&["7.4"], "a body that ended without a byte is announced")
            .app(|_, start, _| {
                start_text(start)?;
                Ok(chunks(&["", ""]))
            })
            .status(200)
            .header("Content-Length", &["0"])
            .body(""),
        case(&["7.5"], "a body of unknown length is framed by the protocol")
            .app(|_, start, _| {
                start_text(start)?;
                Ok(chunks(&["one", "two", "three"]))
            })
            .status(200)
            .header("Content-Length", &[])
            .body("onetwothree"),
        case(&["7.6"], "a field of the application's takes the place of the server's")
            .app(|_, start, _| {
                let fields = [
                    ("DATE", "Thu, 01 Jan 1970 00:00:00 GMT"),
                    ("sErVeR", "mine/1"),
                    ("content-LENGTH", "2"),
                    ("content-type", "text/plain"),
                ];
                start.start(StatusCode::OK, fields)?;
                Ok(Body::from("ok"))
            })
            .status(200)
            .header("Date", &["Thu, 01 Jan 1970 00:00:00 GMT"])
            .header("Server", &["mine/1"])
            .header("Content-Length", &["2"])
            .body("ok"),
        case(&["7.14"], "ranges and conditions are left to the application")
            .field("Range", "bytes=0-1")
            .field("If-None-Match", "\"e\"")
            .field("Accept-Encoding", "gzip")
            .app(|_, start, _| {
                start.start(StatusCode::OK, [("etag", "\"e\""), ("content-type", "text/plain")])?;
                Ok(Body::from("all of it"))
            })
            .status(200)
            .header("ETag", &["\"e\""])
            .header("Content-Range", &[])
            .header("Content-Encoding", &[])
            .body("all of it"),
        case(&["7.21"], "status, fields and bytes are sent as they were given")
            .app(|_, start, _| {
                let fields =
                    [("x-empty", ""), ("x-tab", "a\tb"), ("x-long", &"y".repeat(2000)), ("content-type", "a/b")];
                start.start(StatusCode::from_u16(599)?, fields)?;
                Ok(Body::from((0..=255).collect::<Vec<u8>>()))
            })
            .status(599)
            .header("X-Empty", &[""])
            .header("X-Tab", &["a\tb"])
            .header("Content-Type", &["a/b"])
            .body((0..=255).collect::<Vec<u8>>()),
    ]
}

fn bodiless() -> Vec<Case> {
    vec![
        case(&["7.7"], "HEAD of unknown length has no Content-Length")
            .request("HEAD", "/")
            .app(|_, start, _| {
                start_text(start)?;
                Ok(chunks(&["one", "two"]))
            })
            .status(200)
            .header("Content-Length", &[])
            .body(""),
        case(&["7.7", "9.1"], "an error to HEAD has no body")
            .request("HEAD", "/")
            .app(|_, _, _| Err(wgi::Error::new("the secret failure")))
            .status(500)
            .body(""),
        case(&["7.8"], "204 has neither body nor length")
            .app(|_, start, _| {
                start.start(StatusCode::NO_CONTENT, ())?;
                Ok(Body::empty())
            })
            .status(204)
            .header("Content-Length", &[])
            .header("Transfer-Encoding", &[])
            .body(""),
        case(&["7.8"], "the body of a 204 is not sent")
            .app(|_, start, _| {
                start.start(StatusCode::NO_CONTENT, [(header::CONTENT_LENGTH, "6")])?;
                Ok(Body::from("unsent"))
            })
            .breaks_protocol()
            .status(204)
            .header("Content-Length", &[])
            .body(""),
        case(&["7.8"], "205 has no body")
            .app(|_, start, _| {
                start.start(StatusCode::RESET_CONTENT, ())?;
                Ok(Body::empty())
            })
            .status(205)
            .body(""),
        case(&["7.8"], "304 keeps the length that the application gave")
            .app(|_, start, _| {
                start.start(StatusCode::NOT_MODIFIED, [(header::CONTENT_LENGTH, "1234"), (header::ETAG, "\"e\"")])?;
                Ok(Body::empty())
            })
            .status(304)
            .header("Content-Length", &["1234"])
            .header("ETag", &["\"e\""])
            .body(""),
        case(&["7.8"], "304 has no length of the server's making")
            .app(|_, start, _| {
                start.start(StatusCode::NOT_MODIFIED, ())?;
                Ok(chunks(&["unsent"]))
            })
            .breaks_protocol()
            .status(304)
            .header("Content-Length", &[])
            .header("Transfer-Encoding", &[])
            .expect(Expect::Conceals("unsent"))
            .body(""),
    ]
}
