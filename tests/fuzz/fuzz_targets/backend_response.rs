//! The head of what a CGI program, or a FastCGI or SCGI application, answers. The input's first byte says in which form,
//! and its second in pieces of which size.
//!
//! Invariant: it never panics, and in pieces it is read as it is whole. What is accepted is a head that an application
//! may give, or a path of this server; behind it, nothing is lost.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wgi_backend::response::{Answer, Form, HeadReader};

fuzz_target!(|data: &[u8]| {
    let [form, size, response @ ..] = data else { return };
    let form = if form % 2 == 0 { Form::Cgi } else { Form::Http };
    let mut reader = HeadReader::new(form, 4096, 20);
    let whole = reader.push(response);
    let mut reader = HeadReader::new(form, 4096, 20);
    let mut read = 0;
    let mut pieces = Ok(None);
    for piece in response.chunks(usize::from(*size) + 1) {
        read += piece.len();
        pieces = reader.push(piece);
        if !matches!(pieces, Ok(None)) {
            break;
        }
    }
    match (whole, pieces) {
        (Ok(None), Ok(None)) => drop(reader.ended()),
        (Ok(Some((answer, rest))), Ok(Some((in_pieces, first)))) => {
            assert_eq!(answer, in_pieces);
            assert_eq!(rest, [&first, &response[read..]].concat());
            check(&answer, response);
        }
        (Err(whole), Err(pieces)) => assert_eq!(whole, pieces),
        (whole, pieces) => panic!("{whole:?} {pieces:?}"),
    }
});

fn check(answer: &Answer, response: &[u8]) {
    match answer {
        Answer::Response(head) => {
            assert_eq!(head.check(), Ok(()));
            assert!(head.content_length().is_ok());
            assert!((200..600).contains(&head.status.code().as_u16()));
            // Nothing that was in a body becomes a field.
            let end = response.windows(2).position(|two| two == b"\n\n").map_or(response.len(), |at| at + 2);
            let values = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>();
            assert!(values <= end);
        }
        Answer::LocalRedirect(path) => assert!(path.starts_with(b"/") && !path.starts_with(b"//")),
    }
}
