//! Section 6: the body.

use std::io::{Seek, SeekFrom, Write};

use wgi::{Body, Error, FileRange, StatusCode, header};

use super::{chunks, many_bytes, start_text, text};
use crate::Capability;
use crate::case::{AppFn, Case, Expect, case};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = sent();
    cases.extend(lengths());
    cases.extend(closed());
    cases.extend(files());
    cases
}

fn sent() -> Vec<Case> {
    vec![
        case(&["6.1"], "a chunk is sent before the next is asked for")
            .needs(Capability::SameProcess)
            .app(|_, start, journal| {
                start_text(start)?;
                let journal = journal.clone();
                Ok(Body::from_chunks((1..=3).map(move |number| {
                    if number > 1 {
                        journal.note(format!("received: {}", journal.await_received(&format!("chunk {}", number - 1))));
                    }
                    format!("chunk {number}\n")
                })))
            })
            .status(200)
            .journal(&["received: true", "received: true"])
            .body("chunk 1\nchunk 2\nchunk 3\n"),
        case(&["6.2"], "empty chunks are nothing, and no end")
            .app(|_, start, _| {
                start_text(start)?;
                Ok(chunks(&["", "", "a", "", "b", ""]))
            })
            .status(200)
            .body("ab"),
        case(&["6.2"], "a body of empty chunks is empty")
            .app(|_, start, _| {
                start_text(start)?;
                Ok(chunks(&["", ""]))
            })
            .status(200)
            .body(""),
        case(&["6.1"], "a long chunk comes whole")
            .app(|_, start, _| text(start, many_bytes(3_000_000)))
            .status(200)
            .body(many_bytes(3_000_000)),
        case(&["6.1"], "many chunks come whole")
            .app(|_, start, _| {
                start_text(start)?;
                let chunks: Vec<_> = many_bytes(500_000).chunks(977).map(<[u8]>::to_vec).collect();
                Ok(Body::from_chunks(chunks))
            })
            .status(200)
            .body(many_bytes(500_000)),
    ]
}

/// Starts with that Content-Length.
macro_rules! announcing {
    ($length:literal, $body:expr) => {
        |_, start, journal| {
            start.start(StatusCode::OK, [("content-type", "text/plain"), ("content-length", $length)])?;
            let guard = journal.note_at_drop("closed");
            let body: Body = $body;
            Ok(body.on_close(move || drop(guard)))
        }
    };
}

fn lengths() -> Vec<Case> {
    vec![
        case(&["6.5"], "a body of the announced length is sent")
            .app(announcing!("6", chunks(&["abc", "def"])))
            .status(200)
            .header("Content-Length", &["6"])
            .body("abcdef"),
        case(&["6.5", "7.7"], "HEAD keeps the announced length, and need not make a body")
            .request("HEAD", "/")
            .app(announcing!("6", Body::empty()))
            .status(200)
            .header("Content-Length", &["6"])
            .journal(&["closed"])
            .body(""),
        case(&["6.7"], "a chunk shorter than announced fails")
            .app(announcing!("10", Body::from("short")))
            .breaks_protocol()
            .status(500)
            .journal(&["closed"])
            .expect(Expect::Log("spec [6.5]")),
        case(&["6.7"], "a chunk longer than announced fails")
            .app(announcing!("3", Body::from("longer")))
            .breaks_protocol()
            .status(500)
            .journal(&["closed"]),
        case(&["6.7"], "a body that ends short of the announced length is cut")
            .app(announcing!("10", chunks(&["sho", "rt"])))
            .breaks_protocol()
            .status(200)
            .journal(&["closed"])
            .body("short")
            .expect(Expect::Cut),
        case(&["6.6", "6.7"], "no more is sent than was announced")
            .app(announcing!("5", chunks(&["long", "er than that"])))
            .breaks_protocol()
            .status(200)
            .journal(&["closed"])
            .expect(Expect::StartOf(b"longe".to_vec()))
            .expect(Expect::MaybeCut),
    ]
}

/// A body that notes its end.
fn noting(body: Body, journal: &crate::Journal) -> Body {
    let guard = journal.note_at_drop("closed");
    body.on_close(move || drop(guard))
}

fn closed() -> Vec<Case> {
    let ended: &[(&str, AppFn)] = &[
        ("a chunk is closed once", |_, start, journal| {
            start_text(start)?;
            Ok(noting(Body::from("a chunk"), journal))
        }),
        ("a body of chunks is closed once", |_, start, journal| {
            start_text(start)?;
            Ok(noting(chunks(&["a", " chunk"]), journal))
        }),
        ("a stream is closed once", |_, start, journal| {
            start_text(start)?;
            let input = wgi::Input::from("a chunk");
            Ok(noting(Body::from_stream::<_, _, Error>(input), journal))
        }),
    ];
    let ended =
        ended.iter().map(|(name, app)| case(&["6.8"], name).app(*app).status(200).body("a chunk").journal(&["closed"]));
    let mut cases: Vec<Case> = ended.collect();
    cases.extend([
        case(&["6.8"], "a body that HEAD does not get is closed")
            .request("HEAD", "/")
            .app(|_, start, journal| {
                start_text(start)?;
                Ok(noting(chunks(&["a"]), journal))
            })
            .status(200)
            .journal(&["closed"])
            .body(""),
        case(&["6.8", "9.2"], "a body is closed behind its error")
            .app(|_, start, journal| {
                start_text(start)?;
                Ok(noting(super::failing_body("a"), journal))
            })
            .status(200)
            .journal(&["closed"])
            .body("a")
            .expect(Expect::Cut),
        case(&["6.8"], "a body without a head is closed")
            .app(|_, _, journal| Ok(noting(chunks(&["a"]), journal)))
            .breaks_protocol()
            .status(500)
            .journal(&["closed"]),
        case(&["6.8", "9.8"], "a body is closed when its client goes away")
            .leaves_after(100_000)
            .app(|_, start, journal| {
                start_text(start)?;
                Ok(noting(Body::from_chunks(std::iter::repeat_with(|| many_bytes(10_000))), journal))
            })
            .journal(&["closed"]),
        case(&["6.13", "9.1"], "a panic in the first chunk is a clean 500")
            .app(|_, start, _| {
                start_text(start)?;
                Ok(Body::from_chunks(std::iter::once_with(|| -> &'static str { panic!("the secret panic") })))
            })
            .status(500)
            .expect(Expect::Conceals("secret"))
            .expect(Expect::Log("secret panic")),
        case(&["6.13", "6.8"], "a panic in a later chunk cuts the response")
            .app(|_, start, journal| {
                start_text(start)?;
                let chunks = (0..2).map(|number| if number == 0 { "partial" } else { panic!("the secret panic") });
                Ok(noting(Body::from_chunks(chunks), journal))
            })
            .status(200)
            .journal(&["closed"])
            .body("partial")
            .expect(Expect::Cut),
    ]);
    cases
}

fn files() -> Vec<Case> {
    vec![
        case(&["6.10"], "a file is sent from its position")
            .app(|_, start, _| {
                let mut file = tempfile::tempfile()?;
                file.write_all(&many_bytes(200_000))?;
                file.seek(SeekFrom::Start(7))?;
                start_text(start)?;
                Ok(Body::file(file)?)
            })
            .status(200)
            .header("Content-Length", &["199993"])
            .body(&many_bytes(200_000)[7..]),
        case(&["6.10"], "a part of a file is sent")
            .app(|_, start, _| {
                let mut file = tempfile::tempfile()?;
                file.write_all(&many_bytes(200_000))?;
                start_text(start)?;
                Ok(Body::file_range(FileRange { file, offset: 1000, length: 150_000 }))
            })
            .status(200)
            .header("Content-Length", &["150000"])
            .body(&many_bytes(200_000)[1000..151_000]),
        case(&["6.10", "7.7"], "the length of a file is told to HEAD")
            .request("HEAD", "/")
            .app(|_, start, _| {
                let mut file = tempfile::tempfile()?;
                file.write_all(b"0123456789")?;
                file.rewind()?;
                start.start(StatusCode::OK, [(header::CONTENT_TYPE, "text/plain")])?;
                Ok(Body::file(file)?)
            })
            .status(200)
            .header("Content-Length", &["10"])
            .body(""),
        case(&["6.10"], "an empty file is an empty body")
            .app(|_, start, _| {
                start_text(start)?;
                Ok(Body::file(tempfile::tempfile()?)?)
            })
            .status(200)
            .body(""),
    ]
}
