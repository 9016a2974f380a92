//! A chunked body, and whatever is behind it.
//!
//! Invariant: the decoder never panics; it comes to the same whether the bytes arrive whole, one by one, or in two
//! parts; the data is no longer than the input; and what it took as a whole body, written again as one chunk, is the
//! same body.

#![no_main]

#[path = "../../../servers/http/tests/feed/mod.rs"]
mod feed;

use feed::Seen;
use libfuzzer_sys::fuzz_target;
use wgi_http::Http;

const HEAD: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

fuzz_target!(|body: &[u8]| {
    let http = Http::new().max_head(256).max_fields(4);
    let whole = feed::feed(&http, [HEAD, body]);
    assert_eq!(feed::feed(&http, [HEAD].into_iter().chain(body.chunks(1))), whole);
    let (front, back) = body.split_at(body.len() / 2);
    assert_eq!(feed::feed(&http, [HEAD, front, back]), whole);

    if let [_, Seen::Data(data), rest @ ..] = &whole[..] {
        assert!(data.len() < body.len());
        if let [Seen::End, ..] = rest {
            let again = [format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n0\r\n\r\n"].concat();
            assert_eq!(feed::feed(&http, [HEAD, &again]), whole[..3]);
        }
    }
});
