//! However the bytes are cut, the same comes of them.

mod feed;

use proptest::prelude::*;
use wgi_http::Http;

/// Requests that are right, nearly right and not at all.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let head = prop_oneof![
        8 => "(GET|POST|HEAD|OPTIONS) (/|/a%20b\\?c=d|\\*|http://a/|/%zz) HTTP/1\\.[01]\r\n",
        1 => "[A-Z]{1,70} /[a-z]{0,60} HTTP/[0-3]\\.[0-2]\r?\n",
        1 => "[ -~\r\n\t]{0,20}",
    ];
    let field = prop_oneof![
        4 => "Host: a\r\n",
        2 => "Connection: (close|keep-alive)\r\n",
        4 => "X(-[a-z])?: ?[ -~]{0,12}\r\n",
        2 => "Content-Length: [0-9]\r\n",
        2 => "Transfer-Encoding: chunked\r\n",
        1 => "Expect: 100-continue\r\n",
        1 => "[ -~\t]{0,12}\r?\n",
    ];
    let chunk = prop_oneof![
        6 => proptest::collection::vec(any::<u8>(), 1..20)
            .prop_map(|data| [format!("{:x}\r\n", data.len()).as_bytes(), &data, b"\r\n"].concat()),
        1 => "[0-9a-f]{1,2}(;[a-z\"= ]{0,9})?\r\n".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..8),
    ];
    let body = proptest::collection::vec(chunk, 0..4).prop_map(|chunks| chunks.concat());
    let last = prop_oneof![4 => "0\r\n\r\n", 1 => "0\r\nX: [a-z]{0,40}\r\n\r\n", 2 => ""];
    (head, proptest::collection::vec(field, 0..5), body, last).prop_map(|(head, fields, body, last)| {
        [head.as_bytes(), b"Host: a\r\n", fields.concat().as_bytes(), b"\r\n", &body, last.as_bytes()].concat()
    })
}

proptest! {
    #[test]
    fn the_same_events_come_of_any_pieces(
        requests in proptest::collection::vec(request(), 1..5),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let input = requests.concat();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
        cuts.extend([0, input.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| &input[cut[0]..cut[1]]);
        // Limits so small that requests of this size run into them.
        for http in [Http::new(), Http::new().max_head(60).max_fields(3).max_target(8)] {
            let whole = feed::feed(&http, [&input[..]]);
            prop_assert_eq!(&feed::feed(&http, pieces.clone()), &whole);
            prop_assert_eq!(&feed::feed(&http, input.chunks(1)), &whole);
        }
    }
}
