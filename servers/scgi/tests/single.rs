//! SCGI is a protocol of one request a connection, and does what all of these do.

mod feed;

use feed::ScgiWire;
use wgi_testbed::{live, single};

// Between byte strings.

/// [4.34], [10.28]
#[test]
fn a_body_ends_at_its_length() {
    single::a_body_ends_at_its_length(&ScgiWire);
}

#[test]
fn a_body_that_is_not_there_yet_is_no_end() {
    single::a_body_that_is_not_there_yet_is_no_end(&ScgiWire);
}

/// [11.5]
#[test]
fn nothing_is_read_behind_a_request_that_was_refused() {
    single::nothing_is_read_behind_a_request_that_was_refused(&ScgiWire);
}

#[test]
fn a_slow_request_is_told_so() {
    single::a_slow_request_is_told_so(&ScgiWire);
}

/// [10.10], [10.28]
#[test]
fn a_reply_as_bytes() {
    single::a_reply_as_bytes(&ScgiWire);
}

#[test]
fn a_reply_of_unknown_length_has_no_framing() {
    single::a_reply_of_unknown_length_has_no_framing(&ScgiWire);
}

/// [9.2]
#[test]
fn a_refusal_does_not_go_into_a_reply_that_has_begun() {
    single::a_refusal_does_not_go_into_a_reply_that_has_begun(&ScgiWire);
}

#[test]
fn a_connection_is_idle_before_its_request_and_behind_it() {
    single::a_connection_is_idle_before_its_request_and_behind_it(&ScgiWire);
}

// Under the engine, over sockets.

/// [10.28]
#[test]
fn the_end_of_the_response_is_that_of_the_connection() {
    live::the_end_of_the_response_is_that_of_the_connection(&ScgiWire);
}

/// [9.2], [10.28]
#[test]
fn a_cut_is_a_reset() {
    live::a_cut_is_a_reset(&ScgiWire);
}

#[test]
fn a_reply_arrives_although_nobody_read_the_body() {
    live::a_reply_arrives_although_nobody_read_the_body(&ScgiWire);
}

#[test]
fn bodies_larger_than_every_buffer_pass() {
    live::bodies_larger_than_every_buffer_pass(&ScgiWire);
}

/// [4.36]
#[test]
fn a_body_that_breaks_off_is_an_error() {
    live::a_body_that_breaks_off_is_an_error(&ScgiWire);
}

/// [11.11]
#[test]
fn what_is_malformed_is_answered_and_closed() {
    live::what_is_malformed_is_answered_and_closed(&ScgiWire);
}

#[test]
fn over_a_unix_socket() {
    live::over_a_unix_socket(&ScgiWire);
}
