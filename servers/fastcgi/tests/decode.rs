//! Records in: what the specification shows, and what has gone wrong in others.

mod feed;

use feed::{Fed, Seen, begin, block, codec, decode, decode_with, get, padded, params, post, record, stdin, var};
use wgi_engine::{Event, RequestBody};
use wgi_fastcgi::FastCgi;
use wgi_fastcgi::record::{
    ABORT_REQUEST, AUTHORIZER, BEGIN_REQUEST, BeginRequest, DATA, END_REQUEST, FILTER, GET_VALUES, GET_VALUES_RESULT,
    KEEP_CONN, PARAMS, RESPONDER, STDIN, STDOUT, UNKNOWN_TYPE,
};

/// The ids of the requests that came through, in order.
fn requests(fed: &Fed) -> Vec<u16> {
    fed.seen.iter().filter_map(|seen| if let Seen::Request(id, ..) = seen { Some(*id) } else { None }).collect()
}

/// The body of a request, if it came to its end.
fn body(fed: &Fed, wanted: u16) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    for seen in &fed.seen {
        match seen {
            Seen::Data(id, data) if *id == wanted => body.extend_from_slice(data),
            Seen::End(id) if *id == wanted => return Some(body),
            _ => {}
        }
    }
    None
}

#[track_caller]
fn is_malformed(input: impl AsRef<[u8]>) {
    let fed = decode(input);
    assert_eq!(fed.seen.last(), Some(&Seen::Refused(400)), "{:?}", fed.seen);
    assert!(fed.out.is_empty(), "malformed records have no answer");
}

fn end_request(id: u16, app_status: u8, protocol_status: u8) -> Vec<u8> {
    record(END_REQUEST, id, &[0, 0, 0, app_status, protocol_status, 0, 0, 0])
}

// Appendix B of the specification, as bytes.

#[test]
fn a_request_without_a_body() {
    let input = b"\x01\x01\0\x01\0\x08\0\0\0\x01\0\0\0\0\0\0\
        \x01\x04\0\x01\0\x3d\0\0\x0b\x02SERVER_PORT80\x0b\x0eSERVER_ADDR199.170.183.42\x0e\x03REQUEST_METHODGET\
        \x01\x04\0\x01\0\0\0\0\
        \x01\x05\0\x01\0\0\0\0";
    let fed = decode(input);
    let [Seen::Request(1, vars, None, _), Seen::End(1)] = &fed.seen[..] else { panic!("{:?}", fed.seen) };
    assert_eq!(var(vars, "SERVER_PORT"), Some("80"));
    assert_eq!(var(vars, "SERVER_ADDR"), Some("199.170.183.42"));
    assert!(fed.out.is_empty());
}

/// [10.15]
#[test]
fn a_request_with_a_body_and_variables_split_between_records() {
    let input = b"\x01\x01\0\x01\0\x08\0\0\0\x01\0\0\0\0\0\0\
        \x01\x04\0\x01\0\x14\0\0\x0b\x02SERVER_PORT80\x0b\x0eSER\
        \x01\x04\0\x01\0\x2a\0\0VER_ADDR199.170.183.42\x0e\x04REQUEST_METHODPOST\
        \x01\x04\0\x01\0\0\0\0\
        \x01\x05\0\x01\0\x19\0\0quantity=100&item=3047936\
        \x01\x05\0\x01\0\0\0\0";
    let fed = decode(input);
    let [Seen::Request(1, vars, None, _), Seen::Data(1, data), Seen::End(1)] = &fed.seen[..] else {
        panic!("{:?}", fed.seen)
    };
    assert_eq!(var(vars, "SERVER_ADDR"), Some("199.170.183.42"));
    assert_eq!(data, b"quantity=100&item=3047936");
}

/// [10.18]
#[test]
fn two_requests_interleaved() {
    let get = [("REQUEST_METHOD", "GET"), ("SCRIPT_NAME", "/one")];
    let post = [("REQUEST_METHOD", "POST"), ("SCRIPT_NAME", "/two"), ("CONTENT_LENGTH", "4")];
    let (one, two) = (block(&get), block(&post));
    let fed = decode(
        [
            begin(1, RESPONDER, KEEP_CONN),
            record(PARAMS, 1, &one[..5]),
            begin(2, RESPONDER, KEEP_CONN),
            record(PARAMS, 2, &two[..1]),
            record(PARAMS, 1, &one[5..]),
            record(PARAMS, 2, &two[1..]),
            record(PARAMS, 2, b""),
            record(STDIN, 2, b"ab"),
            record(PARAMS, 1, b""),
            record(STDIN, 2, b"cd"),
            record(STDIN, 1, b"xyz"),
            record(STDIN, 2, b""),
            record(STDIN, 1, b""),
        ]
        .concat(),
    );
    assert_eq!(requests(&fed), [2, 1]);
    assert_eq!(body(&fed, 1).unwrap(), b"xyz");
    assert_eq!(body(&fed, 2).unwrap(), b"abcd");
    assert!(fed.out.is_empty(), "none is refused");
}

// Lengths and pieces.

#[test]
fn names_and_values_of_both_lengths() {
    for name in [1, 127, 128, 255, 256, 300] {
        for value in [0, 1, 127, 128, 255, 256, 20_000] {
            let (name, value) = ("N".repeat(name), "v".repeat(value));
            let vars = [("REQUEST_METHOD", "GET"), (&name[..], &value[..]), ("LAST", "x")];
            let (vars, _) = feed::environ_with(&FastCgi::new(), &vars);
            assert_eq!(var(&vars, &name), Some(&value[..]));
            assert_eq!(var(&vars, "LAST"), Some("x"));
        }
    }
}

#[test]
fn four_bytes_may_say_a_length_that_one_could() {
    let block = [&b"\x80\0\0\x0e\x80\0\0\x03REQUEST_METHODGET"[..], b"\x01\x80\0\0\x01A1"].concat();
    let fed = decode([begin(1, RESPONDER, 1), record(PARAMS, 1, &block), record(PARAMS, 1, b"")].concat());
    let Seen::Request(1, vars, ..) = &fed.seen[0] else { panic!("{:?}", fed.seen) };
    assert_eq!(var(vars, "A"), Some("1"));
}

#[test]
fn variables_split_at_every_byte() {
    let vars = [("REQUEST_METHOD", "GET"), ("SCRIPT_NAME", "/"), ("HTTP_X", &"x".repeat(200))];
    let block = block(&vars);
    let whole = decode([begin(1, RESPONDER, 1), params(1, &vars)].concat());
    for at in 1..block.len() {
        let (front, back) = block.split_at(at);
        let split = [record(PARAMS, 1, front), record(PARAMS, 1, back), record(PARAMS, 1, b"")].concat();
        assert_eq!(decode([begin(1, RESPONDER, 1), split].concat()), whole, "{at}");
    }
    let single: Vec<u8> = block.iter().flat_map(|&byte| record(PARAMS, 1, &[byte])).collect();
    assert_eq!(decode([begin(1, RESPONDER, 1), single, record(PARAMS, 1, b"")].concat()), whole);
}

/// [11.1], [11.11]
#[test]
fn a_length_that_lies_is_malformed_and_allocates_nothing() {
    for block in [
        &b"\xff\xff\xff\xff\xff\xff\xff\xff"[..],
        b"\xff\xff\xff\xff\x00",
        b"\x01\xff\xff\xff\xffA",
        b"\x01\x02A1",
        b"\x05",
        b"\x80",
        b"\x80\0\0",
        b"\x00\x80\0\0",
        b"\x0e\x03REQUEST_METHODGE",
    ] {
        is_malformed([begin(1, RESPONDER, 1), record(PARAMS, 1, block), record(PARAMS, 1, b"")].concat());
    }
}

#[test]
fn a_malformed_pair_is_not_dropped_silently_with_the_rest() {
    let block = [&block(&[("REQUEST_METHOD", "GET")])[..], b"\x04\x7fNAMEvalue"].concat();
    is_malformed([begin(1, RESPONDER, 1), record(PARAMS, 1, &block), record(PARAMS, 1, b"")].concat());
}

#[test]
fn an_empty_params_stream_is_a_request_without_a_method() {
    let fed = decode([begin(1, RESPONDER, 0), record(PARAMS, 1, b"")].concat());
    assert_eq!(fed.seen, [Seen::Refused(400)]);
}

#[test]
fn padding_of_any_size_on_any_record() {
    let vars = block(&[("REQUEST_METHOD", "POST"), ("SCRIPT_NAME", "/")]);
    for padding in [0, 1, 7, 8, 255] {
        let fed = decode(
            [
                padded(BEGIN_REQUEST, 1, &[0, 1, 1, 0, 0, 0, 0, 0], padding),
                padded(PARAMS, 1, &vars, padding),
                padded(PARAMS, 1, b"", padding),
                padded(STDIN, 1, b"body", padding),
                padded(STDIN, 1, b"", padding),
                padded(GET_VALUES, 0, b"", padding),
                get(2, KEEP_CONN),
            ]
            .concat(),
        );
        assert_eq!(requests(&fed), [1, 2], "{padding}");
        assert_eq!(body(&fed, 1).unwrap(), b"body", "{padding}");
        assert_eq!(fed.out, record(GET_VALUES_RESULT, 0, b""));
    }
}

#[test]
fn padding_behind_a_record_of_full_length() {
    let content = vec![b'x'; 0xffff];
    let padded = [padded(STDIN, 1, &content, 255), padded(STDIN, 1, &content, 1), record(STDIN, 1, b"")].concat();
    let head = [begin(1, RESPONDER, 1), params(1, &[("REQUEST_METHOD", "PUT")])].concat();
    let fed = decode([head, padded].concat());
    assert_eq!(body(&fed, 1).unwrap().len(), 2 * 0xffff);
}

#[test]
fn a_body_is_given_without_waiting_for_its_record() {
    let mut codec = codec(&FastCgi::new());
    let head = [begin(1, RESPONDER, 1), params(1, &[("REQUEST_METHOD", "PUT")])].concat();
    let fed = feed::feed_codec(&mut *codec, [&head[..], &record(STDIN, 1, &[b'x'; 1000])[..8 + 10]]);
    assert_eq!(fed.seen.last(), Some(&Seen::Data(1, vec![b'x'; 10])));
}

#[test]
fn an_empty_body_comes_with_the_head() {
    let input = get(1, KEEP_CONN);
    let decoded = codec(&FastCgi::new()).decode(&input, &mut Vec::new()).unwrap();
    assert_eq!(decoded.used, input.len());
    assert!(matches!(decoded.event, Event::Request(1, request) if request.body == RequestBody::None));
}

/// [11.11]
#[test]
fn another_version_is_malformed() {
    for version in [0, 2, b'G'] {
        let mut input = get(1, KEEP_CONN);
        input[0] = version;
        is_malformed(&input);
        is_malformed([get(2, KEEP_CONN), input].concat());
    }
}

// CONTENT_LENGTH.

#[test]
fn a_body_of_its_declared_length() {
    let fed = decode(post(1, KEEP_CONN, "5", b"hello"));
    assert!(matches!(fed.seen[0], Seen::Request(1, _, Some(5), _)));
    assert_eq!(body(&fed, 1).unwrap(), b"hello");
}

#[test]
fn a_body_is_complete_at_its_declared_length_whatever_follows() {
    let input = post(1, KEEP_CONN, "5", b"hello");
    let fed = decode(&input[..input.len() - 8]);
    assert_eq!(body(&fed, 1).unwrap(), b"hello");
}

#[test]
fn a_body_beyond_its_declared_length_is_dropped() {
    let fed = decode([post(1, KEEP_CONN, "5", b"hello, world"), get(2, KEEP_CONN)].concat());
    assert_eq!(body(&fed, 1).unwrap(), b"hello");
    assert_eq!(requests(&fed), [1, 2]);
}

#[test]
fn a_body_short_of_its_declared_length_never_looks_whole() {
    let fed = decode([post(1, KEEP_CONN, "6", b"hello"), get(2, KEEP_CONN)].concat());
    assert_eq!(fed.seen[1..3], [Seen::Data(1, b"hello".into()), Seen::Abort(1)]);
    assert_eq!(requests(&fed), [1, 2], "the connection goes on");
    assert!(fed.out.starts_with(b"\x01\x06\0\x01"), "the client is answered");
    assert!(fed.out.ends_with(&end_request(1, 0, 0)));
    // Without KEEP_CONN the connection ends with it.
    let fed = decode(post(1, 0, "6", b""));
    assert_eq!(fed.seen[1..], [Seen::Refused(400)]);
    assert!(fed.out.starts_with(b"\x01\x06\0\x01"), "the client is answered");
    assert!(fed.out.ends_with(&end_request(1, 0, 0)));
}

#[test]
fn a_body_without_a_declared_length() {
    let fed = decode(post(1, KEEP_CONN, "", b"hello"));
    assert!(matches!(fed.seen[0], Seen::Request(1, _, None, _)));
    assert_eq!(body(&fed, 1).unwrap(), b"hello");
}

#[test]
fn a_declared_length_of_0_is_no_body_whatever_comes() {
    let fed = decode([post(1, KEEP_CONN, "0", b"hello"), get(2, KEEP_CONN)].concat());
    assert_eq!(body(&fed, 1).unwrap(), b"");
    assert_eq!(requests(&fed), [1, 2]);
}

#[test]
fn a_declared_length_that_is_no_number_is_answered_with_400() {
    for length in ["five", "-1", "+5", "5 ", " 5", "0x5", "1_0", "18446744073709551616"] {
        let fed = decode([post(1, KEEP_CONN, length, b"hello"), get(2, KEEP_CONN)].concat());
        assert_eq!(requests(&fed), [2], "{length:?}");
        assert!(fed.out.windows(24).any(|at| at == b"Status: 400 Bad Request\r"), "{length:?}");
        assert!(fed.out.ends_with(&end_request(1, 0, 0)), "{length:?}");
        // Where the connection ends with it, the engine is told why.
        let fed = decode([post(1, 0, length, b"hello"), get(2, KEEP_CONN)].concat());
        assert_eq!(fed.seen, [Seen::Refused(400)]);
        assert!(fed.out.ends_with(&end_request(1, 0, 0)), "{length:?}");
    }
}

#[test]
fn an_empty_stdin_split_oddly() {
    // No record of STDIN at all, or its end more than once.
    let vars = [("REQUEST_METHOD", "GET")];
    let fed = decode([begin(1, RESPONDER, 1), params(1, &vars)].concat());
    assert_eq!((requests(&fed), body(&fed, 1)), (vec![1], None));
    let end = record(STDIN, 1, b"");
    let fed = decode([&[begin(1, RESPONDER, 1), params(1, &vars)].concat()[..], &end, &end, &end].concat());
    assert_eq!(fed.seen.iter().filter(|seen| **seen == Seen::End(1)).count(), 1);
}

// The order of records.

#[test]
fn stdin_before_the_end_of_params_is_malformed() {
    let head = [begin(1, RESPONDER, 1), record(PARAMS, 1, &block(&[("REQUEST_METHOD", "GET")]))].concat();
    is_malformed([&head[..], &record(STDIN, 1, b"x")].concat());
    is_malformed([&head[..], &record(STDIN, 1, b"")].concat());
}

#[test]
fn params_behind_their_end_are_malformed() {
    is_malformed([get(1, KEEP_CONN), params(1, &[("REQUEST_METHOD", "GET")])].concat());
    is_malformed([get(1, KEEP_CONN), record(PARAMS, 1, b"")].concat());
}

#[test]
fn a_second_begin_with_a_live_id_is_malformed() {
    is_malformed([begin(1, RESPONDER, 1), begin(1, RESPONDER, 1)].concat());
    is_malformed([get(1, KEEP_CONN), begin(1, RESPONDER, 1)].concat());
}

#[test]
fn a_begin_of_another_length_is_malformed() {
    is_malformed(record(BEGIN_REQUEST, 1, &[0, 1, 1, 0, 0, 0, 0]));
    is_malformed(record(BEGIN_REQUEST, 1, &[0, 1, 1, 0, 0, 0, 0, 0, 0]));
}

#[test]
fn records_of_requests_that_are_not_open_are_skipped() {
    let fed = decode(
        [
            record(PARAMS, 7, b"\xff\xff"),
            record(PARAMS, 7, b""),
            record(STDIN, 7, b"x"),
            record(STDIN, 7, b""),
            record(ABORT_REQUEST, 7, b""),
            record(DATA, 7, b"x"),
            get(1, KEEP_CONN),
        ]
        .concat(),
    );
    assert_eq!((requests(&fed), fed.out), (vec![1], vec![]));
}

#[test]
fn a_record_type_that_is_not_known_is_skipped_within_a_request() {
    let vars = [("REQUEST_METHOD", "GET")];
    for record_type in [0, DATA, STDOUT, GET_VALUES, UNKNOWN_TYPE, 12, 255] {
        let odd = padded(record_type, 1, b"something", 3);
        let fed = decode(
            [&begin(1, RESPONDER, 1), &odd, &params(1, &vars), &odd, &stdin(1, b"x")].map(Vec::as_slice).concat(),
        );
        assert_eq!(body(&fed, 1).unwrap(), b"x", "{record_type}");
        assert!(fed.out.is_empty(), "{record_type}");
    }
}

// Roles.

/// [10.17], [10.22]
#[test]
fn an_unknown_role_is_answered_and_its_records_skipped() {
    for role in [FILTER, 0, 4, 200] {
        let refused = [begin(1, role, KEEP_CONN), params(1, &[("REQUEST_METHOD", "GET")]), stdin(1, b"x")].concat();
        let fed = decode([refused, record(DATA, 1, b"x"), get(1, KEEP_CONN)].concat());
        assert_eq!(requests(&fed), [1], "{role}");
        assert_eq!(fed.out, end_request(1, 0, 3), "{role}");
        // Without KEEP_CONN the connection ends.
        let fed = decode(begin(1, role, 0));
        assert_eq!((fed.seen, fed.out), (vec![Seen::Refused(501)], end_request(1, 0, 3)), "{role}");
    }
}

/// [10.22]
#[test]
fn an_authorizer_has_no_body() {
    // As lighttpd sends it: no SCRIPT_NAME, no PATH_INFO, no CONTENT_LENGTH.
    let vars = [("REQUEST_URI", "/auth/x"), ("REQUEST_METHOD", "GET"), ("SCRIPT_FILENAME", "/srv/www/auth/x")];
    let fed = decode([begin(1, AUTHORIZER, 1), params(1, &vars), stdin(1, b"x"), get(2, KEEP_CONN)].concat());
    let Seen::Request(1, vars, None, _) = &fed.seen[0] else { panic!("{:?}", fed.seen) };
    assert_eq!(var(vars, "FCGI_ROLE"), Some("AUTHORIZER"));
    assert_eq!((var(vars, "SCRIPT_NAME"), var(vars, "PATH_INFO")), (Some(""), Some("/auth/x")));
    assert_eq!(body(&fed, 1).unwrap(), b"");
    assert_eq!(requests(&fed), [1, 2]);
    // It is called before the stream that it has not got could end.
    let fed =
        decode([begin(1, AUTHORIZER, 1), params(1, &[("REQUEST_METHOD", "POST"), ("CONTENT_LENGTH", "5")])].concat());
    let Seen::Request(1, vars, None, _) = &fed.seen[0] else { panic!("{:?}", fed.seen) };
    assert_eq!(var(vars, "CONTENT_LENGTH"), None);
}

// Aborts.

/// [10.20]
#[test]
fn an_abort_reaches_the_application() {
    let head = [begin(1, RESPONDER, 1), params(1, &[("REQUEST_METHOD", "PUT")]), record(STDIN, 1, b"x")].concat();
    let fed = decode([head, record(ABORT_REQUEST, 1, b""), stdin(1, b"late"), get(1, KEEP_CONN)].concat());
    assert_eq!(fed.seen[1..3], [Seen::Data(1, b"x".into()), Seen::Abort(1)]);
    assert_eq!(requests(&fed), [1, 1], "the id can be used again");
    assert_eq!(fed.out, end_request(1, 0, 0));
}

#[test]
fn an_abort_before_the_application_was_called() {
    // As HAProxy does for `OPTIONS *`.
    let fed = decode([begin(1, RESPONDER, 1), record(ABORT_REQUEST, 1, b""), get(1, KEEP_CONN)].concat());
    assert_eq!((requests(&fed), &fed.out), (vec![1], &end_request(1, 0, 0)));
    assert!(!fed.seen.contains(&Seen::Abort(1)), "of what it never heard the engine hears no end");
}

#[test]
fn an_abort_of_a_complete_request() {
    let fed = decode([get(1, KEEP_CONN), record(ABORT_REQUEST, 1, b"")].concat());
    assert_eq!((fed.seen.last(), fed.out), (Some(&Seen::Abort(1)), end_request(1, 0, 0)));
}

#[test]
fn an_abort_without_keep_conn_ends_the_connection_behind_the_others() {
    let fed = decode([get(1, 0), record(ABORT_REQUEST, 1, b"")].concat());
    assert_eq!(fed.seen[2..], [Seen::Refused(400)]);
    assert_eq!(fed.out, end_request(1, 0, 0));
    let fed = decode([get(2, KEEP_CONN), get(1, 0), record(ABORT_REQUEST, 1, b"")].concat());
    assert_eq!(fed.seen.last(), Some(&Seen::Abort(1)));
}

// Management records.

/// [10.17]
#[test]
fn values_are_answered() {
    // As HAProxy asks.
    let query = b"\x01\x09\0\0\0\x20\0\0\x0d\0FCGI_MAX_REQS\x0f\0FCGI_MPXS_CONNS";
    let fed = decode_with(&FastCgi::new().max_connections(100), query);
    assert_eq!(fed.out, b"\x01\x0a\0\0\0\x24\0\0\x0d\x03FCGI_MAX_REQS100\x0f\x01FCGI_MPXS_CONNS0");
    // What the specification shows (§4.1), but for one variable more that is not known.
    let query = [("FCGI_MAX_CONNS", ""), ("FCGI_MAX_REQS", ""), ("FCGI_MPXS_CONNS", ""), ("FCGI_COLOUR", "")];
    let fed = decode(record(GET_VALUES, 0, &block(&query)));
    let expected = [("FCGI_MAX_CONNS", "50000"), ("FCGI_MAX_REQS", "50000"), ("FCGI_MPXS_CONNS", "0")];
    assert_eq!(fed.out, record(GET_VALUES_RESULT, 0, &block(&expected)));
}

#[test]
fn management_records_may_come_between() {
    let query = record(GET_VALUES, 0, &block(&[("FCGI_MPXS_CONNS", "")]));
    let vars = [("REQUEST_METHOD", "PUT"), ("CONTENT_LENGTH", "2")];
    let pieces = [begin(1, RESPONDER, 1), params(1, &vars), record(STDIN, 1, b"a"), record(STDIN, 1, b"b")];
    let fed = decode(pieces.join(&query[..]));
    assert_eq!(body(&fed, 1).unwrap(), b"ab");
    assert_eq!(fed.out.len(), 3 * (8 + 18));
}

#[test]
fn a_malformed_or_endless_query_ends_the_connection() {
    is_malformed(record(GET_VALUES, 0, b"\x05\0FCGI"));
    is_malformed(record(GET_VALUES, 0, b"\xff\xff\xff\xff\xff\xff\xff\xff"));
    is_malformed(record(GET_VALUES, 0, &vec![0; 1025]));
}

/// [10.17]
#[test]
fn an_unknown_management_type_is_told_so() {
    for record_type in [0, BEGIN_REQUEST, PARAMS, STDIN, 12, 255] {
        let content = vec![1; 70];
        let fed = decode([padded(record_type, 0, &content, 5), get(1, KEEP_CONN)].concat());
        assert_eq!(fed.out, record(UNKNOWN_TYPE, 0, &[record_type, 0, 0, 0, 0, 0, 0, 0]));
        assert_eq!(requests(&fed), [1]);
    }
}

#[test]
fn answers_to_no_question_are_not_answered() {
    let fed = decode([record(UNKNOWN_TYPE, 0, &[9; 8]), record(GET_VALUES_RESULT, 0, b""), get(1, KEEP_CONN)].concat());
    assert_eq!((requests(&fed), fed.out), (vec![1], vec![]));
}

// Limits.

#[test]
fn variables_over_the_limit_are_answered_with_431() {
    let small = FastCgi::new().max_params(100);
    let long = [("REQUEST_METHOD", "GET"), ("HTTP_X", &"x".repeat(100))];
    let over = [begin(1, RESPONDER, KEEP_CONN), params(1, &long), stdin(1, b"x")].concat();
    let fed = decode_with(&small, [over.clone(), get(2, KEEP_CONN)].concat());
    assert_eq!(requests(&fed), [2], "the others go on");
    assert!(fed.out.windows(12).any(|at| at == b"Status: 431 "));
    assert!(fed.out.ends_with(&end_request(1, 0, 0)));
    // In many records, of which each is small.
    let many = record(PARAMS, 1, &[0; 30]).repeat(4);
    let fed = decode_with(&small, [begin(1, RESPONDER, 0), many].concat());
    assert_eq!(fed.seen, [Seen::Refused(431)]);
    assert!(fed.out.ends_with(&end_request(1, 0, 0)));
    // Exactly as long as it may be.
    let exact = FastCgi::new().max_params(block(&long).len());
    assert_eq!(requests(&decode_with(&exact, over)), [1]);
}

#[test]
fn more_requests_at_once_than_are_served_is_overloaded() {
    let two = FastCgi::new().max_requests(2);
    let fed = decode_with(&two, [get(1, 1), get(2, 1), get(3, 1)].concat());
    assert_eq!((requests(&fed), fed.out), (vec![1, 2], end_request(3, 0, 2)));
}

#[test]
fn the_record_of_a_begin_is_what_a_gateway_would_write() {
    let mut out = Vec::new();
    BeginRequest { role: RESPONDER, flags: KEEP_CONN }.write(1, &mut out);
    assert_eq!(out, begin(1, RESPONDER, KEEP_CONN));
}
