//! Bytes in random pieces come to the same as in one.

mod feed;

use feed::{Seen, feed, pairs, request};
use proptest::prelude::*;
use wgi_scgi::Scgi;

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
        let mut vars = vec![("REQUEST_METHOD", "POST"), ("REQUEST_URI", "/")];
        vars.extend(variables.iter().map(|(name, value)| (&name[..], &value[..])));
        let input = request(&vars, &body);
        let fed = feed(&Scgi::new(), cut(&input, &cuts));
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
    fn any_head_comes_to_the_same_in_any_pieces(
        length in prop_oneof![Just(None), (0_usize..300).prop_map(Some)],
        zeros in 0_usize..3,
        variables in proptest::collection::vec(
            prop_oneof![
                variable(),
                Just(("CONTENT_LENGTH".to_owned(), "3".to_owned())),
                Just(("SCGI".to_owned(), "1".to_owned())),
                Just(("REQUEST_METHOD".to_owned(), "POST".to_owned())),
            ],
            0..6,
        ),
        behind in prop_oneof![Just(b",".to_vec()), Just(b",abc".to_vec()), proptest::collection::vec(any::<u8>(), 0..6)],
        cuts in cuts(),
    ) {
        let content: Vec<u8> = variables.iter().flat_map(|(name, value)| pairs(&[(name, value)])).collect();
        let zeros = if zeros == 2 { "0" } else { "" };
        let prefix = format!("{zeros}{}:", length.unwrap_or(content.len()));
        let input = [prefix.as_bytes(), &content, &behind].concat();
        let scgi = Scgi::new().max_head(400);
        let whole = feed(&scgi, [&input[..]]);
        prop_assert_eq!(&feed(&scgi, cut(&input, &cuts)), &whole);
        prop_assert_eq!(&feed(&scgi, input.chunks(1)), &whole);
    }

    #[test]
    fn any_bytes_come_to_the_same_in_any_pieces(
        input in proptest::collection::vec(prop_oneof![any::<u8>(), b'0'..=b':', Just(0)], 0..200),
        cuts in cuts(),
    ) {
        let scgi = Scgi::new();
        prop_assert_eq!(feed(&scgi, cut(&input, &cuts)), feed(&scgi, [&input[..]]));
    }
}
