//! Every rule of a reply, seen as the parts that a server gets.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Waker, ready};

use http::{HeaderName, HeaderValue, header};

use super::*;
use crate::{Headers, PeerError};

type Started = Result<Body, Error>;

/// What a server gets of an application: one word for each part.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    parts: Vec<String>,
    faults: Vec<String>,
}

/// Keeps what goes out through the `write` callable.
#[derive(Default)]
struct Line(Vec<String>);

impl Transmit for Line {
    fn transmit(&mut self, part: Part) -> Result<(), Error> {
        self.0.push(word(part));
        Ok(())
    }
}

fn word(part: Part) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match part {
        Part::Head(head, Framing { length, has_body }) => {
            let length = length.map_or("-".to_owned(), |length| length.to_string());
            format!("{} {length}{}", head.status.code().as_u16(), if has_body { "" } else { " bodiless" })
        }
        Part::Chunk(chunk) => {
            assert!(!chunk.is_empty(), "an empty chunk is no part");
            format!("\"{}\"", text(&chunk))
        }
        Part::File(file) => {
            let bytes: Vec<u8> = file.flat_map(|piece| piece.unwrap().to_vec()).collect();
            format!("file \"{}\"", text(&bytes))
        }
        Part::End => "end".to_owned(),
        Part::Cut => "cut".to_owned(),
    }
}

fn run(method: &str, app: impl Fn(Environ, &mut dyn StartResponse) -> Started + Send + Sync) -> Seen {
    let mut line = Line::default();
    let mut reply = Reply::call(&app, Environ::for_testing(method, "/"), &mut line);
    rest(&mut reply, line.0)
}

fn rest(reply: &mut Reply, mut parts: Vec<String>) -> Seen {
    let mut faults = Vec::new();
    loop {
        faults.extend(reply.take_fault().map(|fault| fault.to_string()));
        parts.push(word(reply.next_part()));
        let last = parts.last().map(String::as_str);
        if last == Some("end") || last == Some("cut") {
            assert_eq!(Some(word(reply.next_part()).as_str()), last, "the last part is given again");
            faults.extend(reply.take_fault().map(|fault| fault.to_string()));
            return Seen { parts, faults };
        }
    }
}

#[track_caller]
fn is_clean(seen: &Seen, parts: &[&str]) {
    assert_eq!(
        (&seen.parts[..], seen.faults.len()),
        (&parts.iter().map(|part| part.to_string()).collect::<Vec<_>>()[..], 0),
        "{seen:?}"
    );
}

#[track_caller]
fn is_faulty(seen: &Seen, parts: &[&str], fault: &str) {
    assert_eq!(seen.parts, parts, "{seen:?}");
    assert!(seen.faults.iter().any(|seen| seen.contains(fault)), "{seen:?}");
}

/// The parts of a plain 500.
const FAILED: [&str; 3] = ["500 26", "\"500 Internal Server Error\n\"", "end"];

fn start(start_response: &mut dyn StartResponse, headers: &[(&'static str, &'static str)]) -> Result<(), Error> {
    start_response.start(StatusCode::OK, headers)
}

/// Counts how often it is dropped.
fn counted(body: Body, counter: &Arc<AtomicUsize>) -> Body {
    let counter = counter.clone();
    body.on_close(move || {
        counter.fetch_add(1, Ordering::SeqCst);
    })
}

fn file(content: &str) -> Body {
    let mut file = tempfile();
    file.write_all(content.as_bytes()).unwrap();
    let length = content.len() as u64;
    Body::file_range(FileRange { file, offset: 0, length })
}

/// A file without a name.
fn tempfile() -> std::fs::File {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let name = format!("wgi-reply-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::SeqCst));
    let path = std::env::temp_dir().join(name);
    let file = std::fs::File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    file
}

#[test]
fn one_chunk_gives_the_length() {
    let seen = run("GET", |_, s| start(s, &[]).map(|()| Body::from("hello")));
    is_clean(&seen, &["200 5", "\"hello\"", "end"]);
    is_clean(&run("GET", |_, s| start(s, &[]).map(|()| Body::empty())), &["200 0", "end"]);
}

#[test]
fn as_a_whole_or_in_parts_it_is_the_same() {
    type Make = fn() -> Started;
    let bodies: [Make; 7] = [
        || Ok(Body::empty()),
        || Ok(Body::from("hello")),
        || Ok(Body::from("hello").on_close(|| {})),
        || Ok(Body::empty().on_close(|| {})),
        || Ok(Body::from_chunks(["", "hello"])),
        || Ok(file("hello")),
        || Err(Error::refused(StatusCode::NOT_FOUND, "nothing here")),
    ];
    let mut wholes = 0;
    for method in ["GET", "HEAD"] {
        for status in [StatusCode::OK, StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT, StatusCode::NOT_MODIFIED] {
            for declared in [&[][..], &[("content-length", "5")], &[("content-length", "6")]] {
                for body in bodies {
                    let app = |_: Environ, s: &mut dyn StartResponse| -> Started {
                        s.start(status, declared)?;
                        body()
                    };
                    let call = || Reply::call(&app, Environ::for_testing(method, "/"), &mut Line::default());
                    let mut reply = call();
                    let parts = match reply.take_whole() {
                        Some(Whole { head, framing, body }) => {
                            wholes += 1;
                            assert!(reply.is_started() && reply.take_whole().is_none(), "it is given once");
                            let chunk = (!body.is_empty()).then_some(Part::Chunk(body));
                            [Some(Part::Head(head, framing)), chunk].into_iter().flatten().map(word).collect()
                        }
                        None => Vec::new(),
                    };
                    assert_eq!(
                        rest(&mut reply, parts),
                        rest(&mut call(), Vec::new()),
                        "{method} {status} {declared:?}"
                    );
                }
            }
        }
    }
    assert_eq!(wholes, 3, "GET with 200: an empty body, and one chunk of the length that was declared or of any");
}

#[test]
fn the_head_waits_for_the_first_chunk_that_is_not_empty() {
    let asked = Arc::new(AtomicUsize::new(0));
    let seen_by_body = asked.clone();
    let app = move |_: Environ, s: &mut dyn StartResponse| {
        let asked = seen_by_body.clone();
        start(s, &[])?;
        Ok(Body::from_chunks(["", "", "x", "", "y"].into_iter().inspect(move |_| {
            asked.fetch_add(1, Ordering::SeqCst);
        })))
    };
    let mut reply = Reply::call(&app, Environ::for_testing("GET", "/"), &mut Line::default());
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    assert!(!reply.is_started());
    assert_eq!(word(reply.next_part()), "200 -");
    assert_eq!(asked.load(Ordering::SeqCst), 3, "two empty ones, and the one that goes with the head");
    assert!(reply.is_started() && reply.is_ready(), "the first chunk is at hand");
    is_clean(&rest(&mut reply, Vec::new()), &["\"x\"", "\"y\"", "end"]);
}

#[test]
fn a_file_is_at_hand_behind_its_head() {
    let app = |_: Environ, s: &mut dyn StartResponse| start(s, &[]).map(|()| file("abc"));
    let mut reply = Reply::call(&app, Environ::for_testing("GET", "/"), &mut Line::default());
    assert_eq!(word(reply.next_part()), "200 3");
    assert!(reply.is_started() && reply.is_ready(), "it may go out together with the head");
    is_clean(&rest(&mut reply, Vec::new()), &["file \"abc\"", "end"]);
}

#[test]
fn a_body_that_turns_out_empty_has_length_zero() {
    is_clean(&run("GET", |_, s| start(s, &[]).map(|()| Body::from_chunks(["", ""]))), &["200 0", "end"]);
}

#[test]
fn an_error_before_the_first_chunk_is_a_clean_response() {
    is_faulty(&run("GET", |_, _| Err(Error::new("early"))), &FAILED, "early");
    is_faulty(&run("GET", |_, s| start(s, &[]).and_then(|()| Err(Error::new("late")))), &FAILED, "late");
    let first = |_: Environ, s: &mut dyn StartResponse| {
        start(s, &[("content-length", "10")])?;
        Ok(Body::from_results([Ok(""), Err(Error::new("first")), Ok("never")]))
    };
    is_faulty(&run("GET", first), &FAILED, "first");
    let refused = |_: Environ, _: &mut dyn StartResponse| Err(PeerError::TooLarge { limit: 5 }.into());
    let text = "\"413 Payload Too Large\nthe request body is over the limit of 5 bytes\n\"";
    is_faulty(&run("POST", refused), &["413 68", text, "end"], "over the limit");
}

#[test]
fn an_error_behind_the_head_cuts() {
    let later = |_: Environ, s: &mut dyn StartResponse| {
        start(s, &[])?;
        Ok(Body::from_results([Ok("partial"), Err(Error::new("later")), Ok("never")]))
    };
    is_faulty(&run("GET", later), &["200 -", "\"partial\"", "cut"], "later");
}

#[test]
fn an_error_may_bring_its_response() {
    let head = || Head::new(StatusCode::IM_A_TEAPOT, [("x-kind", "pot")]).unwrap();
    let replaced = move |_: Environ, s: &mut dyn StartResponse| {
        start(s, &[])?;
        Ok(Body::from_results([Err::<Bytes, _>(Error::replaced(head(), "short and stout", "no coffee"))]))
    };
    is_faulty(&run("GET", replaced), &["418 15", "\"short and stout\"", "end"], "no coffee");
    is_faulty(&run("HEAD", replaced), &["418 15 bodiless", "end"], "no coffee");
}

#[test]
fn an_error_that_brings_a_forbidden_response_is_a_plain_500() {
    for (name, value) in [("connection", "x"), ("status", "200 OK"), ("content-length", "3")] {
        let replaced = move |_: Environ, _: &mut dyn StartResponse| {
            let headers = Headers::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))]);
            Err(Error::replaced(Head { status: StatusCode::OK.into(), headers }, "four", "cause"))
        };
        is_faulty(&run("GET", replaced), &FAILED, "spec [");
    }
}

#[test]
fn a_head_that_may_not_be_sent_is_a_500_even_if_the_application_ignores_it() {
    for (name, value) in
        [("connection", "x"), ("transfer-encoding", "chunked"), ("status", "200"), ("content-length", "+5")]
    {
        let app = move |_: Environ, s: &mut dyn StartResponse| {
            assert!(s.start(StatusCode::OK, [(name, value)]).is_err());
            Ok(Body::from("x"))
        };
        is_faulty(&run("GET", app), &FAILED, "spec [5.");
    }
    let interim = |_: Environ, s: &mut dyn StartResponse| {
        assert!(s.start(StatusCode::CONTINUE, ()).is_err());
        Ok(Body::from("x"))
    };
    is_faulty(&run("GET", interim), &FAILED, "spec [5.3]");
}

#[test]
fn no_start_is_a_500() {
    is_faulty(&run("GET", |_, _| Ok(Body::from("x"))), &FAILED, "spec [3.2]");
}

#[test]
fn starting_twice_is_fatal() {
    let twice = |_: Environ, s: &mut dyn StartResponse| {
        start(s, &[])?;
        let _ = start(s, &[]);
        Ok(Body::from("x"))
    };
    is_faulty(&run("GET", twice), &FAILED, "spec [5.2]");
    let behind_a_failed_one = |_: Environ, s: &mut dyn StartResponse| {
        let _ = start(s, &[("connection", "x")]);
        start(s, &[])?;
        Ok(Body::from("x"))
    };
    is_faulty(&run("GET", behind_a_failed_one), &FAILED, "spec [5.2]");
    let twice_then_write = |_: Environ, s: &mut dyn StartResponse| {
        start(s, &[])?;
        let _ = start(s, &[]);
        assert!(s.write("x".into()).is_err());
        Ok(Body::empty())
    };
    is_faulty(&run("GET", twice_then_write), &FAILED, "spec [5.2]");
}

#[test]
fn restart_replaces_a_head_that_was_not_sent() {
    let restart = |_: Environ, s: &mut dyn StartResponse| {
        start(s, &[("content-length", "100")])?;
        s.restart(StatusCode::BAD_GATEWAY, (), Error::new("cause"))?;
        Ok(Body::from("restarted"))
    };
    is_clean(&run("GET", restart), &["502 9", "\"restarted\"", "end"]);
    let first = |_: Environ, s: &mut dyn StartResponse| {
        s.restart(StatusCode::BAD_GATEWAY, (), Error::new("cause"))?;
        Ok(Body::from("restarted"))
    };
    is_clean(&run("GET", first), &["502 9", "\"restarted\"", "end"]);
    let heals = |_: Environ, s: &mut dyn StartResponse| {
        start(s, &[("connection", "x")]).or_else(|error| s.restart(StatusCode::BAD_GATEWAY, (), error))?;
        Ok(Body::from("restarted"))
    };
    is_clean(&run("GET", heals), &["502 9", "\"restarted\"", "end"]);
}

#[test]
fn restart_behind_the_head_gives_the_cause_back() {
    let restart = |_: Environ, s: &mut dyn StartResponse| {
        start(s, &[])?;
        s.write("out".into())?;
        s.restart(StatusCode::BAD_GATEWAY, (), Error::new("cause"))?;
        Ok(Body::from("restarted"))
    };
    is_faulty(&run("GET", restart), &["200 -", "\"out\"", "cut"], "cause");
}

#[test]
fn write_goes_out_in_front_of_the_body() {
    let writes = |_: Environ, s: &mut dyn StartResponse| {
        start(s, &[])?;
        s.write("".into())?;
        s.write("wrote ".into())?;
        s.write("twice ".into())?;
        Ok(Body::from("returned"))
    };
    is_clean(&run("GET", writes), &["200 -", "\"wrote \"", "\"twice \"", "\"returned\"", "end"]);
    // How long the body of a GET is, nobody knows.
    is_clean(&run("HEAD", writes), &["200 - bodiless", "end"]);
    let file_behind = |content: &'static str| {
        run("GET", move |_, s| {
            start(s, &[])?;
            s.write("wrote ".into())?;
            Ok(file(content))
        })
    };
    is_clean(&file_behind("file"), &["200 -", "\"wrote \"", "file \"file\"", "end"]);
    is_clean(&file_behind(""), &["200 -", "\"wrote \"", "end"]);
    let nothing = |_: Environ, s: &mut dyn StartResponse| {
        start(s, &[])?;
        s.write("".into())?;
        Ok(Body::from("x"))
    };
    is_clean(&run("GET", nothing), &["200 1", "\"x\"", "end"]);
    let before_start = |_: Environ, s: &mut dyn StartResponse| {
        assert!(s.write("x".into()).is_err() && s.write("".into()).is_err());
        start(s, &[])?;
        Ok(Body::from("y"))
    };
    is_clean(&run("GET", before_start), &["200 1", "\"y\"", "end"]);
}

#[test]
fn write_is_held_to_content_length() {
    let fits = |_: Environ, s: &mut dyn StartResponse| {
        start(s, &[("content-length", "3")])?;
        s.write("ab".into())?;
        Ok(file("c"))
    };
    is_clean(&run("GET", fits), &["200 3", "\"ab\"", "file \"c\"", "end"]);
    is_clean(&run("HEAD", fits), &["200 3 bodiless", "end"]);
    let at_once = |_: Environ, s: &mut dyn StartResponse| {
        start(s, &[("content-length", "3")])?;
        assert!(s.write("abcd".into()).is_err());
        Ok(Body::empty())
    };
    is_faulty(&run("GET", at_once), &FAILED, "spec [6.5]");
    let later = |_: Environ, s: &mut dyn StartResponse| {
        start(s, &[("content-length", "3")])?;
        s.write("ab".into())?;
        assert!(s.write("cd".into()).is_err());
        assert!(s.write("e".into()).is_err(), "nothing goes out behind that");
        Ok(Body::from("f"))
    };
    is_faulty(&run("GET", later), &["200 3", "\"ab\"", "cut"], "spec [6.5]");
    let long_file = |_: Environ, s: &mut dyn StartResponse| {
        start(s, &[("content-length", "3")])?;
        s.write("ab".into())?;
        Ok(file("cd"))
    };
    is_faulty(&run("GET", long_file), &["200 3", "\"ab\"", "cut"], "spec [6.5]");
    let short_file = |_: Environ, s: &mut dyn StartResponse| {
        start(s, &[("content-length", "4")])?;
        s.write("ab".into())?;
        Ok(file("c"))
    };
    is_faulty(&run("GET", short_file), &["200 4", "\"ab\"", "file \"c\"", "cut"], "spec [6.5]");
}

#[test]
fn content_length_is_held() {
    let with = |length: &'static str, body: fn() -> Body| {
        run("GET", move |_, s| {
            start(s, &[("content-length", length)])?;
            Ok(body())
        })
    };
    is_clean(&with("3", || Body::from_chunks(["ab", "c"])), &["200 3", "\"ab\"", "\"c\"", "end"]);
    is_faulty(&with("10", || Body::from("short")), &FAILED, "spec [6.5]");
    is_faulty(&with("10", Body::empty), &FAILED, "spec [6.5]");
    is_faulty(&with("10", || file("short")), &FAILED, "spec [6.5]");
    is_faulty(&with("10", || Body::from_chunks(["short"])), &["200 10", "\"short\"", "cut"], "5 bytes short");
    is_faulty(&with("10", || Body::from_chunks([""])), &FAILED, "spec [6.5]");
    is_faulty(&with("3", || Body::from("long")), &FAILED, "spec [6.5]");
    is_faulty(&with("3", || Body::from_chunks(["long"])), &FAILED, "spec [6.5]");
    is_faulty(&with("3", || file("long")), &FAILED, "spec [6.5]");
    // Not a byte of a chunk that goes beyond: the client sees that some are missing.
    is_faulty(&with("3", || Body::from_chunks(["lo", "ng"])), &["200 3", "\"lo\"", "cut"], "spec [6.5]");
}

#[test]
fn nothing_is_asked_for_behind_content_length() {
    let asked = |length: &'static str| {
        run("GET", move |_, s| {
            start(s, &[("content-length", length)])?;
            let mut chunks = ["ab"].into_iter();
            Ok(Body::from_chunks(std::iter::from_fn(move || Some(chunks.next().expect("asked for too much")))))
        })
    };
    is_clean(&asked("2"), &["200 2", "\"ab\"", "end"]);
    is_clean(&asked("0"), &["200 0", "end"]);
}

#[test]
fn head_has_the_head_of_get() {
    let body = |body: fn() -> Body| run("HEAD", move |_, s| start(s, &[]).map(|()| body()));
    is_clean(&body(|| Body::from("hello")), &["200 5 bodiless", "end"]);
    is_clean(&body(|| file("hello")), &["200 5 bodiless", "end"]);
    is_clean(&body(|| Body::from_chunks(["a", "b"])), &["200 - bodiless", "end"]);
    // An application may know that nobody will read it.
    is_clean(&body(Body::empty), &["200 - bodiless", "end"]);
    let declared = |_: Environ, s: &mut dyn StartResponse| {
        start(s, &[("content-length", "5")])?;
        Ok(Body::empty())
    };
    is_clean(&run("HEAD", declared), &["200 5 bodiless", "end"]);
    is_faulty(&run("HEAD", |_, _| Err(Error::new("early"))), &["500 26 bodiless", "end"], "early");
}

#[test]
fn some_statuses_have_no_body() {
    for (code, headers, expected) in [
        (204, &[][..], "204 - bodiless"),
        (204, &[("content-length", "4")], "204 - bodiless"),
        (205, &[], "205 0 bodiless"),
        (304, &[], "304 - bodiless"),
        (304, &[("content-length", "4")], "304 4 bodiless"),
    ] {
        let closed = Arc::new(AtomicUsize::new(0));
        let counter = closed.clone();
        let seen = run("GET", move |_, s| {
            s.start(StatusCode::from_u16(code)?, headers)?;
            s.write("ignored".into())?;
            Ok(counted(Body::from_chunks(std::iter::from_fn(|| -> Option<Bytes> { panic!("asked") })), &counter))
        });
        is_clean(&seen, &[expected, "end"]);
        assert_eq!(closed.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn a_panic_is_an_error() {
    is_faulty(&run("GET", |_, _| panic!("in {}", "call")), &FAILED, "panicked: in call");
    let first = |_: Environ, s: &mut dyn StartResponse| {
        start(s, &[])?;
        Ok(Body::from_chunks(std::iter::from_fn(|| -> Option<Bytes> { panic!("in body") })))
    };
    is_faulty(&run("GET", first), &FAILED, "panicked: in body");
    let later = |_: Environ, s: &mut dyn StartResponse| {
        start(s, &[])?;
        Ok(Body::from_chunks((0..).map(|n| if n == 0 { "partial" } else { panic!("in body") })))
    };
    is_faulty(&run("GET", later), &["200 -", "\"partial\"", "cut"], "panicked: in body");
    let in_drop = |_: Environ, s: &mut dyn StartResponse| {
        start(s, &[])?;
        Ok(Body::from("x").on_close(|| panic!("in drop")))
    };
    is_faulty(&run("GET", in_drop), &["200 1", "\"x\"", "end"], "panicked: in drop");
}

#[test]
fn a_panic_whose_payload_panics_when_dropped_is_an_error_too() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("from the payload");
        }
    }
    is_faulty(&run("GET", |_, _| std::panic::panic_any(Bomb)), &FAILED, "panicked");
}

#[test]
fn a_body_is_dropped_once_whatever_happens() {
    type MakeBody = fn() -> Body;
    let endings: [(&str, MakeBody); 5] = [
        ("GET", || Body::from("x")),
        ("GET", || Body::from_chunks(["x", "y"])),
        ("GET", || Body::from_results([Ok("x"), Err(Error::new("broken"))])),
        ("GET", || file("x")),
        ("HEAD", || Body::from_chunks(["x", "y"])),
    ];
    for (method, body) in endings {
        let closed = Arc::new(AtomicUsize::new(0));
        let counter = closed.clone();
        run(method, move |_, s| start(s, &[]).map(|()| counted(body(), &counter)));
        assert_eq!(closed.load(Ordering::SeqCst), 1);

        // The client goes away in the middle.
        let counter = closed.clone();
        let app = move |_: Environ, s: &mut dyn StartResponse| start(s, &[]).map(|()| counted(body(), &counter));
        let mut reply = Reply::call(&app, Environ::for_testing(method, "/"), &mut Line::default());
        drop(reply.next_part());
        drop(reply);
        assert_eq!(closed.load(Ordering::SeqCst), 2);
    }
    // It was never started, or started twice: what was returned is dropped all the same.
    let closed = Arc::new(AtomicUsize::new(0));
    let counter = closed.clone();
    run("GET", move |_, _| Ok(counted(Body::from("x"), &counter)));
    assert_eq!(closed.load(Ordering::SeqCst), 1);
}

#[test]
fn a_file_is_given_as_a_file() {
    is_clean(&run("GET", |_, s| start(s, &[]).map(|()| file("content"))), &["200 7", "file \"content\"", "end"]);
    is_clean(&run("GET", |_, s| start(s, &[]).map(|()| file(""))), &["200 0", "end"]);
}

/// Pending between any two items, with the waker called from elsewhere.
struct Slow(std::vec::IntoIter<Result<Bytes, Error>>, bool);

impl Stream for Slow {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.1 = !self.1;
        if self.1 {
            let waker = context.waker().clone();
            std::thread::spawn(move || waker.wake());
            return Poll::Pending;
        }
        Poll::Ready(self.0.next())
    }
}

fn slow(items: Vec<Result<Bytes, Error>>) -> Body {
    Body::from_stream(Slow(items.into_iter(), false))
}

#[test]
fn a_stream_keeps_the_same_rules() {
    let chunks = |_: Environ, s: &mut dyn StartResponse| {
        start(s, &[])?;
        Ok(slow(vec![Ok("".into()), Ok("a".into()), Ok("".into()), Ok("b".into())]))
    };
    is_clean(&run("GET", chunks), &["200 -", "\"a\"", "\"b\"", "end"]);
    is_clean(&run("HEAD", chunks), &["200 - bodiless", "end"]);
    let first = |_: Environ, s: &mut dyn StartResponse| start(s, &[]).map(|()| slow(vec![Err(Error::new("first"))]));
    is_faulty(&run("GET", first), &FAILED, "first");
    // A stream that never gives anything is not waited for where nothing is to be sent.
    let endless = |_: Environ, s: &mut dyn StartResponse| {
        s.start(StatusCode::NO_CONTENT, ())?;
        Ok(Body::from_stream(Never))
    };
    is_clean(&run("GET", endless), &["204 - bodiless", "end"]);
}

/// A stream that is never ready.
struct Never;

impl Stream for Never {
    type Item = Result<Bytes, Error>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Pending
    }
}

#[test]
fn a_stream_with_nothing_ready_is_pending() {
    let app = |_: Environ, s: &mut dyn StartResponse| start(s, &[]).map(|()| slow(vec![Ok("a".into())]));
    let mut reply = Reply::call(&app, Environ::for_testing("GET", "/"), &mut Line::default());
    let mut context = Context::from_waker(Waker::noop());
    let mut poll = || -> Poll<String> { Poll::Ready(word(ready!(reply.poll_part(&mut context)))) };
    assert_eq!(poll(), Poll::Pending, "the head waits too");
    assert_eq!(poll(), Poll::Ready("200 -".into()));
    assert_eq!(poll(), Poll::Ready("\"a\"".into()));
    assert_eq!(poll(), Poll::Pending);
    assert_eq!(poll(), Poll::Ready("end".into()));
}

#[test]
fn a_reply_without_an_application_is_the_errors() {
    let error = || Error::refused(StatusCode::NOT_FOUND, "nothing here");
    let seen = rest(&mut Reply::error(error(), false), Vec::new());
    is_faulty(&seen, &["404 27", "\"404 Not Found\nnothing here\n\"", "end"], "nothing here");
    let seen = rest(&mut Reply::error(error(), true), Vec::new());
    is_faulty(&seen, &["404 27 bodiless", "end"], "nothing here");
}

#[test]
fn every_header_arrives_in_order() {
    let app = |_: Environ, s: &mut dyn StartResponse| {
        start(s, &[("set-cookie", "a=1"), ("x", "y"), ("set-cookie", "b=2")])?;
        Ok(Body::empty())
    };
    let mut reply = Reply::call(&app, Environ::for_testing("GET", "/"), &mut Line::default());
    let Part::Head(head, _) = reply.next_part() else { panic!("the head comes first") };
    let names: Vec<_> = head.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["set-cookie", "x", "set-cookie"]);
    assert_eq!(head.headers.get_all(header::SET_COOKIE).count(), 2);
}
