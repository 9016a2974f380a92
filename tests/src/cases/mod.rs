//! The cases, by topic, in the order of the specification.

mod body;
mod environ;
mod errors;
mod input;
mod start;
mod transmission;

use wgi::{Body, Error, StartResponse, StatusCode, header};

use crate::Case;

/// Every case.
pub fn all() -> Vec<Case> {
    [environ::cases(), input::cases(), start::cases(), body::cases(), transmission::cases(), errors::cases()].concat()
}

/// Answers with 200 and a text of one chunk.
fn text(start_response: &mut dyn StartResponse, text: impl Into<Vec<u8>>) -> Result<Body, Error> {
    start_text(start_response)?;
    Ok(Body::from(text.into()))
}

/// Starts a 200 for a text.
fn start_text(start_response: &mut dyn StartResponse) -> Result<(), Error> {
    start_response.start(StatusCode::OK, [(header::CONTENT_TYPE, "text/plain")])
}

/// A body of these chunks, of unknown length.
fn chunks(chunks: &'static [&'static str]) -> Body {
    Body::from_chunks(chunks.iter().map(|chunk| chunk.as_bytes()))
}

/// A body of one chunk and an error behind it.
fn failing_body(chunk: &'static str) -> Body {
    Body::from_results([Ok(chunk), Err(Error::new("the secret failure"))])
}

/// So many bytes that no two neighbouring pieces are alike.
fn many_bytes(length: usize) -> Vec<u8> {
    let period: Vec<u8> = (0..251).collect();
    let mut bytes = period.repeat(length / period.len() + 1);
    bytes.truncate(length);
    bytes
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = super::all().iter().map(|case| case.name).collect();
        names.sort_unstable();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before);
    }
}
