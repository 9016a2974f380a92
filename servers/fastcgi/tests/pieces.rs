//! Any traffic in any pieces comes to the same events and the same answers.

mod feed;

use feed::{Seen, begin, block, feed, padded};
use proptest::prelude::*;
use wgi_fastcgi::FastCgi;
use wgi_fastcgi::record::{ABORT_REQUEST, AUTHORIZER, GET_VALUES, PARAMS, RESPONDER, STDIN};

/// The records of one whole request, in their order, and what its body is.
#[derive(Clone, Debug)]
struct Exchange {
    records: Vec<Vec<u8>>,
    body: Vec<u8>,
}

fn exchange(id: u16) -> impl Strategy<Value = Exchange> {
    let body = proptest::collection::vec(any::<u8>(), 0..40);
    let cuts = proptest::collection::vec(any::<prop::sample::Index>(), 0..4);
    (body, cuts.clone(), cuts, any::<u8>(), any::<bool>(), any::<u8>()).prop_map(
        move |(body, param_cuts, body_cuts, padding, says_length, name)| {
            let length = body.len().to_string();
            let long = "n".repeat(usize::from(name) + 1);
            let mut vars = vec![("REQUEST_METHOD", "PUT"), ("SCRIPT_NAME", "/"), (&long[..], "value")];
            if says_length {
                vars.push(("CONTENT_LENGTH", &length));
            }
            let mut records = vec![begin(id, RESPONDER, 1)];
            records.extend(pieces(PARAMS, id, &block(&vars), &param_cuts, padding));
            records.extend(pieces(STDIN, id, &body, &body_cuts, padding));
            Exchange { records, body }
        },
    )
}

/// A whole stream, cut into records.
fn pieces(record_type: u8, id: u16, content: &[u8], cuts: &[prop::sample::Index], padding: u8) -> Vec<Vec<u8>> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(content.len() + 1)).collect();
    at.extend([0, content.len()]);
    at.sort_unstable();
    at.dedup();
    let pieces = at.windows(2).map(|ends| &content[ends[0]..ends[1]]);
    pieces.chain([&b""[..]]).map(|piece| padded(record_type, id, piece, padding)).collect()
}

/// Cuts bytes at random.
fn cut<'a>(input: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
    at.extend([0, input.len()]);
    at.sort_unstable();
    at.windows(2).map(|ends| &input[ends[0]..ends[1]]).collect()
}

fn cuts() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    proptest::collection::vec(any::<prop::sample::Index>(), 0..12)
}

proptest! {
    #[test]
    fn interleaved_requests_are_all_served_and_none_is_mixed_up(
        exchanges in (exchange(1), exchange(2), exchange(300)),
        turns in proptest::collection::vec(0_usize..3, 0..40),
        cuts in cuts(),
    ) {
        let exchanges = [exchanges.0, exchanges.1, exchanges.2];
        let mut left = exchanges.clone().map(|exchange| exchange.records.into_iter());
        let mut input: Vec<u8> = turns.iter().filter_map(|&turn| left[turn].next()).flatten().collect();
        input.extend(left.into_iter().flatten().flatten());

        let fed = feed(&FastCgi::new(), cut(&input, &cuts));
        prop_assert!(fed.out.is_empty());
        for (id, exchange) in [1, 2, 300].into_iter().zip(&exchanges) {
            let mut body = Vec::new();
            let (mut requests, mut ends) = (0, 0);
            for seen in &fed.seen {
                match seen {
                    Seen::Request(seen, ..) if *seen == id => requests += 1,
                    Seen::Data(seen, data) if *seen == id => body.extend_from_slice(data),
                    Seen::End(seen) if *seen == id => ends += 1,
                    Seen::Abort(_) | Seen::Refused(_) => prop_assert!(false, "{seen:?}"),
                    _ => {}
                }
            }
            prop_assert_eq!((requests, ends, &body), (1, 1, &exchange.body));
        }
    }

    #[test]
    fn any_records_come_to_the_same_in_any_pieces(
        records in proptest::collection::vec(
            (
                prop_oneof![
                    Just(PARAMS), Just(STDIN), Just(ABORT_REQUEST), Just(GET_VALUES), any::<u8>(),
                    Just(1), Just(1), Just(1), Just(PARAMS), Just(STDIN),
                ],
                0_u16..3,
                prop_oneof![
                    Just(Vec::new()),
                    Just(block(&[("REQUEST_METHOD", "GET"), ("CONTENT_LENGTH", "3")])),
                    Just(vec![0, RESPONDER as u8, 1, 0, 0, 0, 0, 0]),
                    Just(vec![0, AUTHORIZER as u8, 0, 0, 0, 0, 0, 0]),
                    proptest::collection::vec(any::<u8>(), 0..20),
                ],
                0_u8..9,
            ),
            0..20,
        ),
        cuts in cuts(),
    ) {
        let input: Vec<u8> =
            records.iter().flat_map(|(record_type, id, content, padding)| padded(*record_type, *id, content, *padding)).collect();
        let fastcgi = FastCgi::new().max_params(60).max_requests(2);
        let whole = feed(&fastcgi, [&input[..]]);
        prop_assert_eq!(&feed(&fastcgi, cut(&input, &cuts)), &whole);
        prop_assert_eq!(&feed(&fastcgi, input.chunks(1)), &whole);
    }

    #[test]
    fn any_bytes_come_to_the_same_in_any_pieces(
        input in proptest::collection::vec(prop_oneof![any::<u8>(), 0_u8..12], 0..200),
        cuts in cuts(),
    ) {
        let fastcgi = FastCgi::new();
        prop_assert_eq!(feed(&fastcgi, cut(&input, &cuts)), feed(&fastcgi, [&input[..]]));
    }
}
