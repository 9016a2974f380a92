//! Any traffic in any pieces comes to the same events and the same answers.

mod feed;

use feed::{Forward, Seen, attribute, body, feed, packet, req_attribute};
use proptest::prelude::*;
use wgi_ajp::packet::{QUERY_STRING, REMOTE_USER};
use wgi_ajp::{Ajp, Dialect};

/// The packets of one whole request, and what its body is.
#[derive(Clone, Debug)]
struct Exchange {
    input: Vec<u8>,
    body: Vec<u8>,
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let bytes = proptest::collection::vec(any::<u8>(), 0..60);
    let cuts = proptest::collection::vec(any::<prop::sample::Index>(), 0..4);
    (bytes, cuts, any::<bool>(), "[a-z-]{1,20}", "[ -~]{0,40}").prop_map(|(data, cuts, says_length, name, value)| {
        let mut request = Forward::new("PUT", "/").field(&format!("x{name}"), &value);
        request = match says_length {
            true => request.field("Content-Length", data.len().to_string()),
            false => request.field("Transfer-Encoding", "chunked"),
        };
        let request = request.attribute(attribute(QUERY_STRING, "a=1")).attribute(req_attribute(&name, &value));
        let mut input = request.packet();
        input.extend(cut(&data, &cuts).into_iter().filter(|piece| !piece.is_empty()).flat_map(body));
        if !says_length {
            input.extend(body(b""));
        }
        Exchange { input, body: data }
    })
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

/// A packet, or what looks like one.
fn any_packet() -> impl Strategy<Value = Vec<u8>> {
    let forward = (any::<u8>(), any::<u16>(), "[ -~]{0,9}", any::<bool>()).prop_map(|(method, count, text, lies)| {
        let mut request =
            Forward::new("POST", "/").field("Content-Length", "5").attribute(attribute(REMOTE_USER, &text));
        if lies {
            request = request.field(&text, &text);
            (request.method, request.count) = (method, Some(count % 4));
        }
        request.packet()
    });
    prop_oneof![
        forward,
        proptest::collection::vec(any::<u8>(), 0..12).prop_map(|data| body(&data)),
        proptest::collection::vec(0_u8..12, 0..6).prop_map(|content| packet(&content)),
        Just(packet(&[10])),
        Just(body(b"hello")),
        Just(packet(b"hello")),
    ]
}

proptest! {
    #[test]
    fn requests_one_after_another_are_all_served_and_none_is_mixed_up(
        exchanges in proptest::collection::vec(exchange(), 1..4),
        cuts in cuts(),
    ) {
        let input: Vec<u8> = exchanges.iter().flat_map(|exchange| exchange.input.clone()).collect();
        let fed = feed(&Ajp::new(), cut(&input, &cuts));
        let mut bodies = Vec::new();
        for seen in &fed.seen {
            match seen {
                Seen::Request(..) => bodies.push(Vec::new()),
                Seen::Data(data) => bodies.last_mut().unwrap().extend_from_slice(data),
                Seen::End => {}
                Seen::Refused(_) => prop_assert!(false, "{seen:?}"),
            }
        }
        prop_assert_eq!(bodies, exchanges.into_iter().map(|exchange| exchange.body).collect::<Vec<_>>());
        prop_assert_eq!(fed.seen.iter().filter(|seen| **seen == Seen::End).count(), fed.out.len() / feed::ANSWER.len());
    }

    #[test]
    fn any_packets_come_to_the_same_in_any_pieces(
        packets in proptest::collection::vec(any_packet(), 0..12),
        cuts in cuts(),
    ) {
        let input = packets.concat();
        for ajp in [Ajp::new().max_fields(3), Ajp::new().dialect(Dialect::Lighttpd)] {
            let whole = feed(&ajp, [&input[..]]);
            prop_assert_eq!(&feed(&ajp, cut(&input, &cuts)), &whole);
            prop_assert_eq!(&feed(&ajp, input.chunks(1)), &whole);
        }
    }

    #[test]
    fn any_bytes_come_to_the_same_in_any_pieces(
        content in proptest::collection::vec(prop_oneof![any::<u8>(), 0_u8..12], 0..200),
        cuts in cuts(),
    ) {
        for input in [content.clone(), packet(&content), [packet(&[&[2][..], &content].concat()), content].concat()] {
            prop_assert_eq!(feed(&Ajp::new(), cut(&input, &cuts)), feed(&Ajp::new(), [&input[..]]));
        }
    }
}
