//! The head of a request: names and values, each with a NUL behind it, `CONTENT_LENGTH` first and `SCGI` among them
//! (SCGI, "Request Format").
//!
//! "Duplicate names are not allowed in the headers", says the specification; nginx sends those of fields that a client
//! repeats all the same. So it is only the two variables that speak of the message itself that may not be repeated;
//! what becomes of others is decided as for every web server.

use memchr::memchr;
use wgi::server::meta_variables::content_length;
use wgi::{Error, StatusCode, Vars};

/// Reads the content of a request's netstring. A `CONTENT_LENGTH` of 0, which a request without a body must have too, is
/// left out: so it is in HTTP.
///
/// # Errors
/// When it is not made of names and values, `CONTENT_LENGTH` is not the first of them or no number, `SCGI` is not `1`, or
/// one of these stands twice.
pub(crate) fn parse(content: &[u8]) -> Result<Vars, Error> {
    // A name and a value of less than 128 bytes take as much in the block as here.
    let mut vars = Vars::with_capacity(content.len());
    let mut rest = content;
    let first = take_text(&mut rest)?;
    let length = take_text(&mut rest)?;
    if first != b"CONTENT_LENGTH" {
        return Err(malformed("CONTENT_LENGTH is not the first variable"));
    }
    let Some(body) = content_length(length) else { return Err(malformed("CONTENT_LENGTH is not a number")) };
    if body > 0 {
        vars.push(first, length);
    }
    let mut is_scgi = false;
    while !rest.is_empty() {
        let name = take_text(&mut rest)?;
        let value = take_text(&mut rest)?;
        match name {
            b"CONTENT_LENGTH" => return Err(malformed("CONTENT_LENGTH stands twice")),
            b"SCGI" if is_scgi => return Err(malformed("SCGI stands twice")),
            b"SCGI" if value != b"1" => return Err(malformed("SCGI is not 1")),
            b"SCGI" => is_scgi = true,
            b"HTTP_CONTENT_LENGTH" if content_length(value).is_some_and(|whole| whole > body) => {
                // nginx counts what it has of the body, where it is told not to wait for all of it. A body that is cut
                // short must not look whole.
                return Err(malformed(
                    "CONTENT_LENGTH is less than the client's; nginx needs scgi_request_buffering on",
                ));
            }
            _ => {}
        }
        vars.push(name, value);
    }
    if is_scgi { Ok(vars) } else { Err(malformed("the variable SCGI is missing")) }
}

/// Takes a name or a value from the front, with the NUL behind it.
fn take_text<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Error> {
    let end = memchr(0, rest).ok_or_else(|| malformed("the head does not end behind a value"))?;
    let (text, behind) = rest.split_at(end);
    *rest = behind.get(1..).unwrap_or_default();
    Ok(text)
}

fn malformed(reason: &'static str) -> Error {
    Error::refused(StatusCode::BAD_REQUEST, reason)
}
