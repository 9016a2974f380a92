//! Percent-decoding of paths.
//!
//! Invariant: it never panics; what it gives is no longer than what it got, and is that itself where there is no `%`; no
//! NUL comes out that did not go in; and what is encoded again is ASCII without CR, LF, `%` that starts no escape, and
//! decodes to the same, unless it holds a NUL.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wgi::percent::{decode, encode};

fuzz_target!(|path: &[u8]| {
    if let Some(decoded) = decode(path) {
        assert!(decoded.len() <= path.len());
        assert!(path.contains(&b'%') || decoded == path);
        assert!(path.contains(&0) || !decoded.contains(&0));
    }
    let encoded = encode(path);
    assert!(encoded.bytes().all(|byte| byte.is_ascii_graphic()), "{encoded}");
    match decode(encoded.as_bytes()) {
        Some(decoded) => assert_eq!(decoded, path),
        None => assert!(path.contains(&0)),
    }
});
