//! The header of a proxy, of version 1 or 2.
//!
//! Invariant: decoding never panics; a header is no longer than what has come and than the limit; what comes behind
//! it, or behind what is no header, changes nothing; and one that is complete is incomplete without its last byte.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wgi_engine::proxy::decode;

fuzz_target!(|input: &[u8]| {
    for max in [4096, 107, 40, 16] {
        let whole = decode(input, max);
        let mut front = Ok(None);
        // All ends of a short input, some of a long one.
        for end in (0..input.len()).step_by(1 + input.len() / 256) {
            let now = decode(&input[..end], max);
            assert!(front == Ok(None) || now == front);
            front = now;
        }
        assert!(front == Ok(None) || whole == front);
        if let Ok(Some(header)) = whole {
            assert!((1..=max.min(input.len())).contains(&header.length));
            assert_eq!(decode(&input[..header.length], max), whole);
            assert_eq!(decode(&input[..header.length - 1], max), Ok(None));
        }
    }
});
