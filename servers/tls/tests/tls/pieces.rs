//! The state machine alone, in memory: whatever pieces its bytes come in, and whatever is wrong with them.

use std::io::{Read, Write};
use std::sync::Arc;

use proptest::prelude::*;
use rustls::ClientConnection;
use rustls::version::{TLS12, TLS13};
use wgi_engine::{NotOpened, Transport, Transports};
use wgi_tls::Tls;

use crate::common::{Authority, Files};

/// A server's end and a client's.
fn pair(is_13: bool) -> (Box<dyn Transport>, ClientConnection) {
    let authority = Authority::new("authority");
    let config = Files::new(&authority.identity("server")).certificate_files().load().unwrap();
    let version = if is_13 { &TLS13 } else { &TLS12 };
    let client = Arc::new(authority.client(&[version], None));
    let client = ClientConnection::new(client, "localhost".try_into().unwrap()).unwrap();
    (Tls::new(config).transport().unwrap(), client)
}

/// What stands at the server once the client's bytes have come, and why they did not all.
struct Met {
    plain: Vec<u8>,
    refused: Option<NotOpened>,
}

/// Lets the two talk, in pieces of these sizes, one after the other, the client with something to say; `bend` may change
/// what it sends.
fn meet(
    transport: &mut dyn Transport,
    client: &mut ClientConnection,
    says: &[u8],
    sizes: &[usize],
    mut bend: impl FnMut(&mut Vec<u8>),
) -> Met {
    let mut met = Met { plain: Vec::new(), refused: None };
    let mut sizes = sizes.iter().copied().cycle();
    client.writer().write_all(says).unwrap();
    // Each turn is one flight there and one back.
    for _ in 0..8 {
        let mut sent = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut sent).unwrap();
        }
        bend(&mut sent);
        let mut out = Vec::new();
        let mut rest = &sent[..];
        while !rest.is_empty() && met.refused.is_none() {
            let (piece, behind) = rest.split_at(sizes.next().unwrap_or(1).clamp(1, rest.len()));
            rest = behind;
            transport.received().extend_from_slice(piece);
            met.refused = transport.open(&mut met.plain, &mut out).err();
        }
        let mut out = &out[..];
        while !out.is_empty() && client.read_tls(&mut out).is_ok() {
            if client.process_new_packets().is_err() {
                return met;
            }
        }
    }
    met
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pieces_come_to_the_same(
        is_13: bool,
        says in proptest::collection::vec(any::<u8>(), 0..40_000),
        sizes in proptest::collection::vec(prop_oneof![1..8_usize, 1..2_000_usize, 16_000..20_000_usize], 1..8),
    ) {
        let (mut transport, mut client) = pair(is_13);
        let met = meet(&mut *transport, &mut client, &says, &sizes, |_| {});
        prop_assert!(met.refused.is_none() && met.plain == says);
        prop_assert!(transport.is_open() && transport.is_idle() && !transport.has_ended());
        // Nothing is held for a connection on which nothing is under way.
        prop_assert_eq!(transport.received().capacity(), 0);
        // And back.
        let mut out = Vec::new();
        transport.seal(&says, &mut out).unwrap();
        transport.close(&mut out);
        let mut answer = Vec::new();
        let mut out = &out[..];
        while !out.is_empty() {
            client.read_tls(&mut out).unwrap();
            client.process_new_packets().unwrap();
            let _ = client.reader().read_to_end(&mut answer);
        }
        prop_assert!(answer == says);
        prop_assert!(client.process_new_packets().unwrap().peer_has_closed());
    }

    /// What was bent on the way is refused where it is opened, and what was opened before is the client's.
    #[test]
    fn what_is_bent_is_refused(
        is_13: bool,
        size in 1..3_000_usize,
        flight in 0..3_usize,
        at: proptest::sample::Index,
        bits in 1..=u8::MAX,
    ) {
        let says = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n".repeat(40);
        let (mut transport, mut client) = pair(is_13);
        let mut flights = 0;
        let met = meet(&mut *transport, &mut client, &says, &[size], |sent| {
            if !sent.is_empty() {
                if flights == flight {
                    let at = at.index(sent.len());
                    sent[at] ^= bits;
                }
                flights += 1;
            }
        });
        prop_assert!(says.starts_with(&met.plain));
        // The first byte may have become a letter, as of a request in clear.
        if let Some(NotOpened::Refused(_)) = met.refused {
            prop_assert!(!transport.is_open() && transport.received().is_empty());
            prop_assert!(transport.seal(b"more", &mut Vec::new()).is_err(), "nothing more is said");
            transport.received().extend_from_slice(b"\x16\x03\x01\x00\x01\x01");
            prop_assert!(transport.open(&mut Vec::new(), &mut Vec::new()).is_err(), "nor taken");
        }
    }
}
