//! Records from a FastCGI application, as a gateway reads them. The input's first byte says in pieces of which size.
//!
//! Invariant: the decoder never panics, uses no more than it was given, comes to an end, and makes of pieces what it makes
//! of the whole: the same response, the same errors stream, the same ends, malformed at the same place.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wgi_fastcgi::record::EndRequest;
use wgi_fastcgi::upstream::decoder::{Decoder, Event};

#[derive(Debug, Default, PartialEq)]
struct Seen {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// Each with how much of the response was there by then.
    ends: Vec<(EndRequest, usize)>,
    malformed: Option<&'static str>,
    is_idle: bool,
}

fuzz_target!(|data: &[u8]| {
    let [size, input @ ..] = data else { return };
    assert_eq!(read(input, input.len().max(1)), read(input, usize::from(*size) + 1));
});

fn read(input: &[u8], size: usize) -> Seen {
    let mut seen = Seen::default();
    let mut decoder = Decoder::default();
    let mut pending = Vec::new();
    for piece in input.chunks(size) {
        pending.extend_from_slice(piece);
        // A record of eight bytes takes five steps at the most, and each byte of its content one.
        let mut steps = pending.len() + 10;
        loop {
            steps = steps.checked_sub(1).expect("it comes to an end");
            let decoded = match decoder.decode(&pending) {
                Ok(decoded) => decoded,
                Err(malformed) => {
                    seen.malformed = Some(malformed.0);
                    return seen;
                }
            };
            assert!(decoded.used <= pending.len());
            match decoded.event {
                Event::Incomplete => break,
                Event::Skipped => {}
                Event::Stdout(range) => seen.stdout.extend_from_slice(&pending[range]),
                Event::Stderr(range) => seen.stderr.extend_from_slice(&pending[range]),
                Event::End(end) => seen.ends.push((end, seen.stdout.len())),
            }
            pending.drain(..decoded.used);
        }
    }
    seen.is_idle = decoder.is_idle();
    seen
}
