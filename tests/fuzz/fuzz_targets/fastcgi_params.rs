//! The variables of one request, as the content of its PARAMS stream.
//!
//! Invariant: the codec never panics; the block is refused as a whole, or answered, or becomes an environ that the
//! validator has nothing to say about, in which each name stands once; and nothing of a header field that the block had
//! once, and that an application may see, is lost.

#![no_main]

#[path = "../../../servers/fastcgi/tests/feed/mod.rs"]
mod feed;

use libfuzzer_sys::fuzz_target;
use wgi::{Environ, Vars};
use wgi_engine::Event;
use wgi_fastcgi::FastCgi;
use wgi_fastcgi::record::{KEEP_CONN, PARAMS, RESPONDER};

fuzz_target!(|block: &[u8]| {
    if block.len() > 0xffff {
        return;
    }
    let begin = feed::begin(1, RESPONDER, KEEP_CONN);
    let mut input = [begin, feed::record(PARAMS, 1, block)].concat();
    if !block.is_empty() {
        input.extend(feed::record(PARAMS, 1, b""));
    }
    for fastcgi in [FastCgi::new(), FastCgi::new().script_name("/a")] {
        let mut codec = feed::codec(&fastcgi);
        let mut out = Vec::new();
        let Ok(decoded) = codec.decode(&input, &mut out) else { continue };
        match decoded.event {
            Event::Request(1, request) => check(block, request.environ),
            Event::Skipped => assert!(out.windows(8).any(|at| at == b"Status: ")),
            event => panic!("{event:?}"),
        }
    }
});

fn check(block: &[u8], environ: Environ) {
    let sent = Vars::from_block(block.to_vec()).expect("what was accepted is well-formed");
    for (name, value) in sent.iter().filter(|(name, _)| name.starts_with(b"HTTP_X")) {
        let seen = environ.var(name).expect("a field that was there");
        assert!(seen == value || seen.windows(value.len().max(1)).any(|at| at == value) || value.is_empty());
    }
    wgi_fuzz::check_environ(environ);
}
