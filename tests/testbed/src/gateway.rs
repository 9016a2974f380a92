//! A gateway between a client and a back end, as its tests use it: requests whose bodies come in pieces, responses whose
//! bodies are asked for as a test likes.

use std::io;

use wgi::{App, Body, Bytes, Environ, Error, Head, Input, PeerError, Source, StartResponse};

/// A call without a server: the head, and the body to be asked as the test likes.
///
/// # Errors
/// Those of the application.
pub fn call(app: &dyn App, environ: Environ) -> Result<(Head, Body), Error> {
    struct Started(Option<Head>);
    impl StartResponse for Started {
        fn start_head(&mut self, head: Head) -> Result<(), Error> {
            self.0 = Some(head);
            Ok(())
        }
        fn restart_head(&mut self, head: Head, _cause: Error) -> Result<(), Error> {
            self.start_head(head)
        }
        fn write(&mut self, _data: Bytes) -> Result<(), Error> {
            Ok(())
        }
    }
    let mut started = Started(None);
    let body = app.call(environ, &mut started)?;
    Ok((started.0.unwrap(), body))
}

/// Gives a body of a length in pieces; breaks off where it is told to.
struct Pieces {
    left: usize,
    breaks_off: bool,
}

impl Source for Pieces {
    fn fill(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        if self.left == 0 && self.breaks_off {
            return Err(Error::from(PeerError::Disconnected { doing: "in a test" }).into());
        }
        let length = self.left.min(10_000);
        self.left -= length;
        buffer.resize(buffer.len() + length, b'x');
        Ok(())
    }
}

/// A body of `length` bytes, in pieces. Where `breaks_off`, the client goes away behind them.
pub fn pieces(length: usize, breaks_off: bool) -> Input {
    Input::new(Box::new(Pieces { left: length, breaks_off }))
}
