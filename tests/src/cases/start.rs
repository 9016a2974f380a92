//! Section 5: start_response and the head; what section 3 says of an application that does not call it.

use wgi::{Body, Bytes, Error, Head, Status, StatusCode, header};

use super::{chunks, start_text, text};
use crate::Capability;
use crate::case::{AppFn, Case, Expect, case};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = heads();
    cases.extend(refused());
    cases.extend(replaced());
    cases.extend(written());
    cases
}

fn heads() -> Vec<Case> {
    vec![
        case(&["3.2"], "an application that never starts fails")
            .app(|_, _, _| Ok(Body::from("no head")))
            .breaks_protocol()
            .status(500)
            .expect(Expect::Conceals("no head"))
            .expect(Expect::Log("[3.2]")),
        case(&["3.7", "7.7"], "HEAD may be answered as GET is")
            .request("HEAD", "/")
            .app(|_, start, _| text(start, "not sent"))
            .status(200)
            .header("Content-Type", &["text/plain"])
            .header("Content-Length", &["8"])
            .body(""),
        case(&["5.15"], "a reason phrase of the application's own is sent")
            .needs(Capability::Reason)
            .app(|_, start, _| {
                let status = Status::with_reason(StatusCode::from_u16(299)?, "Quite Right, \u{e9}")?;
                start.start(status, ())?;
                Ok(Body::empty())
            })
            .status(299)
            .expect(Expect::Reason("Quite Right, \u{e9}")),
        case(&["5.19"], "fields come in order, each for itself")
            .app(|_, start, _| {
                let fields = [("set-cookie", "a=1, x"), ("x-a", "1"), ("set-cookie", "b=2"), ("x-a", "2")];
                start.start(StatusCode::OK, fields)?;
                Ok(Body::empty())
            })
            .status(200)
            .header("Set-Cookie", &["a=1, x", "b=2"])
            .header("X-A", &["1", "2"]),
        case(&["11.12"], "a field with CR LF is refused")
            .app(|_, start, _| {
                start.start(StatusCode::OK, [("x-a", "a\r\nX-B: b")])?;
                Ok(Body::empty())
            })
            .breaks_protocol()
            .status(500)
            .header("X-A", &[])
            .header("X-B", &[]),
        case(&["11.12"], "a reason phrase with CR LF is refused")
            .app(|_, start, _| {
                start.start(Status::with_reason(StatusCode::OK, "Fine\r\nX-B: b")?, ())?;
                Ok(Body::empty())
            })
            .breaks_protocol()
            .status(500)
            .header("X-B", &[]),
    ]
}

/// Starts with one field that must be refused, and ignores that it was.
macro_rules! ignoring {
    ($name:literal, $value:literal) => {
        |_, start, journal| {
            if start.start(StatusCode::OK, [($name, $value)]).is_err() {
                journal.note("refused");
            }
            Ok(Body::from("ignored"))
        }
    };
}

fn refused() -> Vec<Case> {
    let refused = |clauses, name, app: AppFn| {
        let case = case(clauses, name).app(app).breaks_protocol().status(500).journal(&["refused"]);
        case.expect(Expect::Conceals("ignored"))
    };
    vec![
        refused(&["5.1", "5.4", "5.20"], "Connection is refused", ignoring!("connection", "close")),
        refused(&["5.4"], "Transfer-Encoding is refused", ignoring!("transfer-encoding", "chunked")),
        refused(&["5.4"], "Keep-Alive is refused", ignoring!("keep-alive", "timeout=5")),
        refused(&["5.4"], "Proxy-Authenticate is refused", ignoring!("proxy-authenticate", "Basic")),
        refused(&["5.4"], "Proxy-Connection is refused", ignoring!("proxy-connection", "close")),
        refused(&["5.4"], "TE is refused", ignoring!("te", "trailers")),
        refused(&["5.4"], "Trailer is refused", ignoring!("trailer", "x-a")),
        refused(&["5.4"], "Upgrade is refused", ignoring!("upgrade", "websocket")),
        refused(&["5.5"], "Status is refused", ignoring!("status", "404 Not Found")),
        refused(&["5.3"], "an interim status is refused", |_, start, journal| {
            if start.start(StatusCode::CONTINUE, ()).is_err() {
                journal.note("refused");
            }
            Ok(Body::from("ignored"))
        }),
        case(&["5.6"], "a Content-Length that is no number fails")
            .app(|_, start, _| {
                start.start(StatusCode::OK, [(header::CONTENT_LENGTH, "+2")])?;
                Ok(Body::from("ok"))
            })
            .breaks_protocol()
            .status(500),
        case(&["5.6"], "a Content-Length that is given twice fails")
            .app(|_, start, _| {
                start.start(StatusCode::OK, [(header::CONTENT_LENGTH, "2"), (header::CONTENT_LENGTH, "2")])?;
                Ok(Body::from("ok"))
            })
            .breaks_protocol()
            .status(500),
        refused(&["5.2", "9.7"], "to start twice fails, also when that is ignored", |_, start, journal| {
            start_text(start)?;
            if start.start(StatusCode::OK, ()).is_err() {
                journal.note("refused");
            }
            Ok(Body::from("ignored"))
        })
        .expect(Expect::Log("[5.2]")),
        refused(&["5.2"], "to start again behind a refusal fails", |_, start, journal| {
            let _ = start.start(StatusCode::OK, [("connection", "close")]);
            if start.start(StatusCode::OK, ()).is_err() {
                journal.note("refused");
            }
            Ok(Body::from("ignored"))
        }),
        case(&["5.20"], "restart heals a refused head")
            .app(|_, start, _| {
                if let Err(cause) = start.start(StatusCode::OK, [("connection", "close")]) {
                    start.restart(StatusCode::BAD_GATEWAY, [("content-type", "text/plain")], cause)?;
                }
                Ok(Body::from("healed"))
            })
            .breaks_protocol()
            .status(502)
            .header("Connection-Was", &[])
            .body("healed"),
    ]
}

fn replaced() -> Vec<Case> {
    vec![
        case(&["5.7"], "restart replaces a head that was not sent")
            .app(|_, start, _| {
                start.start(StatusCode::OK, [("x-a", "1"), ("content-type", "text/html")])?;
                start.restart(StatusCode::SERVICE_UNAVAILABLE, [("content-type", "text/plain")], Error::new("why"))?;
                Ok(Body::from("restarted"))
            })
            .status(503)
            .header("X-A", &[])
            .header("Content-Type", &["text/plain"])
            .body("restarted"),
        case(&["5.7"], "restart may give the first head")
            .app(|_, start, _| {
                start.restart(StatusCode::ACCEPTED, (), Error::new("why"))?;
                Ok(Body::empty())
            })
            .status(202),
        case(&["5.7", "9.2"], "restart behind a sent head gives its cause back")
            .app(|_, start, journal| {
                start_text(start)?;
                start.write(Bytes::from_static(b"sent"))?;
                let cause = Error::refused(StatusCode::IM_A_TEAPOT, "the cause");
                let head = Head::new(StatusCode::BAD_GATEWAY, ())?;
                match start.restart_head(head, cause) {
                    Ok(()) => journal.note("restarted"),
                    Err(error) => {
                        journal.note(error.to_string());
                        return Err(error);
                    }
                }
                Ok(Body::empty())
            })
            .status(200)
            .journal(&["the cause"])
            .body("sent")
            .expect(Expect::Cut),
    ]
}

fn written() -> Vec<Case> {
    vec![
        case(&["5.8"], "write before a head is refused")
            .app(|_, start, journal| {
                if start.write(Bytes::from_static(b"early")).is_err() {
                    journal.note("refused");
                }
                text(start, "late")
            })
            .breaks_protocol()
            .status(200)
            .journal(&["refused"])
            .body("late"),
        case(&["5.9", "7.1"], "what is written is sent when write returns")
            .needs(Capability::SameProcess)
            .app(|_, start, journal| {
                start_text(start)?;
                start.write(Bytes::from_static(b"written at once"))?;
                journal.note(format!("received: {}", journal.await_received("written at once")));
                Ok(Body::empty())
            })
            .status(200)
            .journal(&["received: true"])
            .body("written at once"),
        case(&["5.10"], "the body goes on behind what was written")
            .app(|_, start, _| {
                start_text(start)?;
                start.write(Bytes::from_static(b"one "))?;
                start.write(Bytes::new())?;
                start.write(Bytes::from_static(b"two "))?;
                Ok(chunks(&["three ", "", "four"]))
            })
            .status(200)
            .body("one two three four"),
        case(&["5.9", "7.7"], "nothing that is written is sent to HEAD")
            .request("HEAD", "/")
            .app(|_, start, _| {
                start_text(start)?;
                start.write(Bytes::from_static(b"written"))?;
                Ok(Body::empty())
            })
            .status(200)
            .body(""),
    ]
}
