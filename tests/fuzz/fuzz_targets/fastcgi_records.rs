//! Bytes of a connection, from its first record on.
//!
//! Invariant: the codec never panics; it comes to the same, events and answers, whether the bytes arrive whole, one by
//! one, or in two parts; it uses no more bytes than there are; what it answers are whole records of an application;
//! of each request it tells one begin, and then no more than one end or abort, with a body of no other length than was
//! declared.

#![no_main]

#[path = "../../../servers/fastcgi/tests/feed/mod.rs"]
mod feed;

use std::collections::BTreeMap;

use feed::Seen;
use libfuzzer_sys::fuzz_target;
use wgi_fastcgi::FastCgi;
use wgi_fastcgi::record::{self, Header};

fuzz_target!(|input: &[u8]| {
    // Once as it is by default, once with limits that short inputs run into.
    for fastcgi in [FastCgi::new(), FastCgi::new().max_params(64).max_requests(2).script_name("/a")] {
        let whole = feed::feed(&fastcgi, [input]);
        assert_eq!(feed::feed(&fastcgi, input.chunks(1)), whole);
        let (front, back) = input.split_at(input.len() / 2);
        assert_eq!(feed::feed(&fastcgi, [front, back]), whole);
        check_records(&whole.out);
        check_order(&whole.seen);
    }
});

fn check_records(mut out: &[u8]) {
    while let Some((header, rest)) = out.split_first_chunk() {
        let header = Header::parse(header);
        assert_eq!(header.version, record::VERSION_1);
        let is_management = matches!(header.record_type, record::GET_VALUES_RESULT | record::UNKNOWN_TYPE);
        assert!(is_management || matches!(header.record_type, record::END_REQUEST | record::STDOUT | record::STDERR));
        assert_eq!(is_management, header.request_id == record::NULL_REQUEST_ID);
        out = &rest[usize::from(header.content_length) + usize::from(header.padding_length)..];
    }
    assert!(out.is_empty(), "half a header");
}

/// What is known of an open request: its declared length, and how much of it came.
type Open = (Option<u64>, u64);

fn check_order(seen: &[Seen]) {
    let mut open: BTreeMap<u16, Open> = BTreeMap::new();
    let mut complete = Vec::new();
    for seen in seen {
        match seen {
            Seen::Request(id, _, length, _) => {
                assert!(!complete.contains(id), "nobody has ended {id}");
                assert_eq!(open.insert(*id, (*length, 0)), None);
            }
            Seen::Data(id, data) => {
                let (length, came) = open.get_mut(id).expect("a request that is open");
                *came += data.len() as u64;
                assert!(length.is_none_or(|length| *came <= length));
            }
            Seen::End(id) => {
                let (length, came) = open.remove(id).expect("a request that is open");
                assert!(length.is_none_or(|length| came == length));
                complete.push(*id);
            }
            Seen::Abort(id) => {
                let was_complete = complete.iter().position(|complete| complete == id).map(|at| complete.remove(at));
                assert!(open.remove(id).is_some() || was_complete.is_some());
            }
            Seen::Refused(status) => assert!((400..600).contains(status)),
        }
    }
}
