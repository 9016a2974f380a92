//! The bytes of a connection of uwsgi.
//!
//! Invariant: the codec never panics; what comes of the bytes is the same in any pieces; a request that is refused is
//! answered with a response; and one that is not has an environ that the validator has nothing to say about, in which each
//! name stands once, and a body of no more bytes than its length.

#![no_main]

#[path = "../../../servers/uwsgi/tests/feed/mod.rs"]
mod feed;

use feed::Seen;
use libfuzzer_sys::fuzz_target;
use wgi_engine::Event;
use wgi_uwsgi::Uwsgi;

fuzz_target!(|input: &[u8]| {
    for uwsgi in [Uwsgi::new(), Uwsgi::new().script_name("/a").max_vars(200)] {
        let whole = feed::feed(&uwsgi, [input]);
        assert_eq!(feed::feed(&uwsgi, input.chunks(1)), whole);
        assert_eq!(feed::feed(&uwsgi, input.chunks(7)), whole);
        match &whole.seen[..] {
            [] | [Seen::Request(_, Some(_), _)] | [Seen::Request(_, None, _), Seen::End] => {}
            [Seen::Request(_, Some(length), _), Seen::Data(body)] => assert!((body.len() as u64) < *length),
            [Seen::Request(_, Some(length), _), Seen::Data(body), Seen::End] => assert_eq!(body.len() as u64, *length),
            [Seen::Refused(status)] => {
                assert!(whole.out.starts_with(format!("HTTP/1.1 {status} ").as_bytes()));
                assert!(whole.out.windows(4).any(|four| four == b"\r\n\r\n"));
            }
            seen => panic!("{seen:?}"),
        }
        if let Ok(decoded) = feed::codec(&uwsgi).decode(input, &mut Vec::new())
            && let Event::Request(0, request) = decoded.event
        {
            wgi_fuzz::check_environ(request.environ);
        }
    }
});
