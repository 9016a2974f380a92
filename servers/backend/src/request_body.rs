//! The body of a request on its way to a back end: its length comes first (RFC 3875 §4.1.2), then so many bytes.
//!
//! A body whose length nobody knows yet, as one that a client sends chunked, is collected: in memory up to a bound, then
//! in a temporary file.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::mem;

use rustix::fs::{Mode, OFlags};
use wgi::{Bytes, Environ, Error, Input, PeerError, ServerError, Source, StatusCode};

/// How much of a body without a length is collected in memory, in bytes.
const MEMORY: u64 = 256 * 1024;
/// How much is read at once, in bytes.
pub(crate) const PIECE: usize = 64 * 1024;

/// The body of a request, and its length.
#[derive(Debug)]
pub struct RequestBody {
    length: u64,
    content: Content,
}

#[derive(Debug)]
pub(crate) enum Content {
    /// In memory: it can be sent again.
    Whole(Bytes),
    /// To be read while it is sent.
    Streamed(Input),
}

impl RequestBody {
    /// Takes the body out of an environ, and sets CONTENT_LENGTH to its length.
    ///
    /// Nothing is read of a body whose length is known. Of another one, up to `max_spool` bytes are collected.
    ///
    /// # Errors
    /// What reading gives; 413 for a body beyond `max_spool`; 400 for a CONTENT_LENGTH that is no number.
    pub fn take(environ: &mut Environ, max_spool: u64) -> Result<RequestBody, Error> {
        let declared = match environ.var("CONTENT_LENGTH") {
            None | Some(b"") => None,
            Some(_) => Some(environ.content_length().ok_or_else(|| {
                Error::refused(StatusCode::BAD_REQUEST, "CONTENT_LENGTH is no decimal number of 64 bits")
            })?),
        };
        let mut input = mem::take(environ.input());
        let body = match (input.take_whole(), declared) {
            (Some(bytes), _) => RequestBody { length: bytes.len() as u64, content: Content::Whole(bytes) },
            (None, Some(length)) => RequestBody { length, content: Content::Streamed(input) },
            (None, None) => spool(input, max_spool)?,
        };
        match (body.length, declared) {
            (0, None) => drop(environ.remove_var("CONTENT_LENGTH")),
            (length, _) => environ.set_var("CONTENT_LENGTH", length.to_string()),
        }
        Ok(body)
    }

    /// No body.
    pub const fn empty() -> RequestBody {
        RequestBody { length: 0, content: Content::Whole(Bytes::new()) }
    }

    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The same body once more, where it is in memory and so can be sent twice.
    pub fn again(&self) -> Option<RequestBody> {
        match &self.content {
            Content::Whole(bytes) => Some(RequestBody { length: self.length, content: Content::Whole(bytes.clone()) }),
            Content::Streamed(_) => None,
        }
    }

    pub(crate) fn into_parts(self) -> (u64, Content) {
        (self.length, self.content)
    }
}

/// Collects a body to its end.
fn spool(mut input: Input, max_spool: u64) -> Result<RequestBody, Error> {
    let mut memory = Vec::new();
    input.by_ref().take(MEMORY.min(max_spool.saturating_add(1))).read_to_end(&mut memory)?;
    let mut length = memory.len() as u64;
    if length > max_spool {
        return Err(PeerError::TooLarge { limit: max_spool }.into());
    }
    if length < MEMORY {
        return Ok(RequestBody { length, content: Content::Whole(memory.into()) });
    }
    let doing = "collecting a request body";
    let io = |source: io::Error| Error::from(ServerError::Io { doing, source });
    let mut file = temporary_file().map_err(io)?;
    loop {
        file.write_all(&memory).map_err(io)?;
        memory.clear();
        if input.by_ref().take(PIECE as u64).read_to_end(&mut memory)? == 0 {
            break;
        }
        length += memory.len() as u64;
        if length > max_spool {
            return Err(PeerError::TooLarge { limit: max_spool }.into());
        }
    }
    file.rewind().map_err(io)?;
    Ok(RequestBody { length, content: Content::Streamed(Input::new(Box::new(Spooled(file)))) })
}

/// A file without a name, so that nothing is left behind however this process ends.
fn temporary_file() -> io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    Ok(rustix::fs::open(std::env::temp_dir(), flags, Mode::RUSR | Mode::WUSR)?.into())
}

struct Spooled(File);

impl Source for Spooled {
    fn fill(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        (&mut self.0).take(PIECE as u64).read_to_end(buffer)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a body in pieces, without telling its length.
    struct Pieces(u64);

    impl Source for Pieces {
        fn fill(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
            let length = self.0.min(10_000);
            self.0 -= length;
            buffer.resize(buffer.len() + length as usize, b'x');
            Ok(())
        }
    }

    fn take(length: u64, max: u64) -> Result<(u64, Vec<u8>, Environ), Error> {
        let mut environ = Environ::for_testing("POST", "/").with_input(Input::new(Box::new(Pieces(length))));
        let (length, content) = RequestBody::take(&mut environ, max)?.into_parts();
        let mut body = Vec::new();
        match content {
            Content::Whole(bytes) => body.extend_from_slice(&bytes),
            Content::Streamed(mut input) => drop(input.read_to_end(&mut body)?),
        }
        Ok((length, body, environ))
    }

    #[test]
    fn a_body_without_a_length_gets_one() {
        for length in [0, 1, MEMORY - 1, MEMORY, MEMORY + 1, 3 * MEMORY] {
            let (declared, body, environ) = take(length, u64::MAX).unwrap();
            assert_eq!((declared, body.len() as u64), (length, length));
            assert_eq!(environ.content_length(), (length > 0).then_some(length));
        }
    }

    #[test]
    fn a_body_without_a_length_has_its_limit() {
        for max in [0, 5, MEMORY, MEMORY + 5] {
            assert_eq!(take(max, max).unwrap().0, max);
            assert_eq!(take(max + 1, max).err().map(|error| error.status().as_u16()), Some(413));
        }
    }

    #[test]
    fn a_length_that_is_none_is_refused() {
        let mut environ = Environ::for_testing("POST", "/").with_input("hello");
        environ.set_var("CONTENT_LENGTH", "+5");
        assert_eq!(RequestBody::take(&mut environ, 10).unwrap_err().status(), StatusCode::BAD_REQUEST);
    }
}
