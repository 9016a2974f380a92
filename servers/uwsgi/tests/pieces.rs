//! Bytes in random pieces come to the same as in one.

mod feed;

use feed::{Seen, feed, packet, pairs, request};
use proptest::prelude::*;
use wgi_uwsgi::Uwsgi;

/// Cuts input at these places.
fn cut<'a>(input: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
    at.extend([0, input.len()]);
    at.sort_unstable();
    at.windows(2).map(|ends| &input[ends[0]..ends[1]]).collect()
}

fn cuts() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    proptest::collection::vec(any::<prop::sample::Index>(), 0..12)
}

/// A name that no rule is about, and any value but one with NUL.
fn variable() -> impl Strategy<Value = (String, String)> {
    ("X_[A-Z]{1,20}", "[^\0]{0,200}")
}

proptest! {
    #[test]
    fn a_request_comes_out_as_it_went_in(
        variables in proptest::collection::btree_map("X_[A-Z]{1,20}", "[^\0]{0,200}", 0..20),
        body in proptest::collection::vec(any::<u8>(), 0..500),
        cuts in cuts(),
    ) {
        let mut vars = vec![("REQUEST_METHOD", "POST"), ("PATH_INFO", "/")];
        vars.extend(variables.iter().map(|(name, value)| (&name[..], &value[..])));
        let input = request(&vars, &body);
        let fed = feed(&Uwsgi::new(), cut(&input, &cuts));
        prop_assert!(fed.out.is_empty());
        let Some(Seen::Request(seen, length, _)) = fed.seen.first() else { panic!("{:?}", fed.seen) };
        prop_assert_eq!(length.unwrap_or(0), body.len() as u64);
        for (name, value) in &variables {
            prop_assert_eq!(feed::var(seen, name), Some(&value[..]));
        }
        let expected: &[Seen] = if body.is_empty() { &[Seen::End] } else { &[Seen::Data(body), Seen::End] };
        prop_assert_eq!(&fed.seen[1..], expected);
    }

    #[test]
    fn any_packet_comes_to_the_same_in_any_pieces(
        modifiers in (prop_oneof![4 => Just(0), 1 => any::<u8>()], any::<u8>()),
        size in prop_oneof![2 => Just(None), 1 => (0_u16..300).prop_map(Some)],
        variables in proptest::collection::vec(
            prop_oneof![
                variable(),
                Just(("CONTENT_LENGTH".to_owned(), "3".to_owned())),
                Just(("HTTP_TRANSFER_ENCODING".to_owned(), "chunked".to_owned())),
                Just(("REQUEST_METHOD".to_owned(), "POST".to_owned())),
            ],
            0..6,
        ),
        behind in proptest::collection::vec(any::<u8>(), 0..6),
        cuts in cuts(),
    ) {
        let content: Vec<u8> = variables.iter().flat_map(|(name, value)| pairs(&[(name, value)])).collect();
        let mut input = [packet(modifiers.0, &content, modifiers.1), behind].concat();
        if let Some(size) = size {
            input[1..3].copy_from_slice(&size.to_le_bytes());
        }
        let uwsgi = Uwsgi::new().max_vars(400);
        let whole = feed(&uwsgi, [&input[..]]);
        prop_assert_eq!(&feed(&uwsgi, cut(&input, &cuts)), &whole);
        prop_assert_eq!(&feed(&uwsgi, input.chunks(1)), &whole);
    }

    #[test]
    fn any_bytes_come_to_the_same_in_any_pieces(
        input in proptest::collection::vec(prop_oneof![any::<u8>(), 0_u8..12], 0..200),
        cuts in cuts(),
    ) {
        let uwsgi = Uwsgi::new();
        prop_assert_eq!(feed(&uwsgi, cut(&input, &cuts)), feed(&uwsgi, [&input[..]]));
    }
}
