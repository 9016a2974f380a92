//! The request's body, as a reader and as a stream.

use std::io::{self, BufRead, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::{fmt, mem};

use bytes::Bytes;
use futures_core::Stream;

use crate::{Error, PeerError};

/// Where a server gets the request's body from, when it is not in memory already.
pub trait Source: Send {
    /// Appends the next bytes of the body to `buffer`, and waits for them; appends nothing at the body's end.
    ///
    /// # Errors
    /// When the peer went away, was too slow or sent what cannot be decoded: an [`Error`] inside an [`io::Error`].
    /// It is not called again after that.
    fn fill(&mut self, buffer: &mut Vec<u8>) -> io::Result<()>;

    /// As [`fill`](Source::fill), but where it would wait, arranges for `context`'s waker to be called instead.
    ///
    /// The default waits, which is right where nothing can be waited for without a thread.
    fn poll_fill(&mut self, context: &mut Context<'_>, buffer: &mut Vec<u8>) -> Poll<io::Result<()>> {
        let _ = context;
        Poll::Ready(self.fill(buffer))
    }
}

/// The request's body (`wgi.input`): [`BufRead`] for blocking code, [`Stream`] for asynchronous code.
///
/// It ends where the request's body ends, and never gives a byte beyond. A body that breaks off is an error, never
/// an end that looks whole. The server answers `Expect: 100-continue` when this is first read.
///
/// ```
/// use std::io::BufRead;
/// use wgi::Input;
///
/// let lines: Vec<_> = Input::from("one\ntwo\n").lines().collect::<Result<_, _>>()?;
/// assert_eq!(lines, ["one", "two"]);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Source: spec clauses 4.34 to 4.39.
#[derive(Default)]
pub struct Input(Kind);

#[derive(Default)]
enum Kind {
    #[default]
    Empty,
    Whole(Bytes),
    // In a box, for an input is handed from hand to hand, and few are read from a source.
    Source(Box<Buffered>),
}

/// What came out of a source and was not read yet.
struct Buffered {
    source: Box<dyn Source>,
    buffer: Vec<u8>,
    at: usize,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Ended,
    Failed,
}

impl Input {
    /// An empty body.
    pub const fn empty() -> Input {
        Input(Kind::Empty)
    }

    /// A body that is read from a source as it arrives.
    pub fn new(source: Box<dyn Source>) -> Input {
        Input(Kind::Source(Box::new(Buffered { source, buffer: Vec::new(), at: 0, state: State::Open })))
    }

    /// What is left of the body, where all of it is in memory: nothing has to be read, and nobody waited for. The input
    /// is at its end then.
    pub fn take_whole(&mut self) -> Option<Bytes> {
        match &mut self.0 {
            Kind::Empty => Some(Bytes::new()),
            Kind::Whole(bytes) => Some(mem::take(bytes)),
            Kind::Source(_) => None,
        }
    }

    /// Reads what is left of the body, up to `limit` bytes.
    ///
    /// # Errors
    /// [`PeerError::TooLarge`] when there is more than `limit`; otherwise what reading gives.
    pub fn read_all(&mut self, limit: u64) -> Result<Bytes, Error> {
        if let Kind::Whole(bytes) = &mut self.0
            && bytes.len() as u64 <= limit
        {
            return Ok(mem::take(bytes));
        }
        let mut body = Vec::new();
        self.take(limit.saturating_add(1)).read_to_end(&mut body)?;
        if body.len() as u64 > limit {
            return Err(PeerError::TooLarge { limit }.into());
        }
        Ok(body.into())
    }
}

impl Buffered {
    fn has_bytes(&self) -> bool {
        self.at < self.buffer.len()
    }

    /// Whether the source is to be asked for more; the error when it has failed before.
    fn wants_more(&mut self) -> io::Result<bool> {
        if self.has_bytes() || self.state == State::Ended {
            return Ok(false);
        }
        if self.state == State::Failed {
            let doing = "before the end of the request body";
            return Err(Error::from(PeerError::Disconnected { doing }).into());
        }
        self.buffer.clear();
        self.at = 0;
        Ok(true)
    }

    fn filled(&mut self, result: io::Result<()>) -> io::Result<()> {
        match result {
            Ok(()) if self.buffer.is_empty() => self.state = State::Ended,
            Ok(()) => {}
            Err(_) => self.state = State::Failed,
        }
        result
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match &mut self.0 {
            Kind::Empty => Ok(&[]),
            Kind::Whole(bytes) => Ok(bytes),
            Kind::Source(buffered) => {
                if buffered.wants_more()? {
                    let result = buffered.source.fill(&mut buffered.buffer);
                    buffered.filled(result)?;
                }
                Ok(&buffered.buffer[buffered.at..])
            }
        }
    }

    fn consume(&mut self, amount: usize) {
        match &mut self.0 {
            Kind::Empty => {}
            Kind::Whole(bytes) => drop(bytes.split_to(amount.min(bytes.len()))),
            Kind::Source(buffered) => buffered.at = (buffered.at + amount).min(buffered.buffer.len()),
        }
    }
}

impl Read for Input {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        let available = self.fill_buf()?;
        let length = available.len().min(into.len());
        into[..length].copy_from_slice(&available[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl Stream for Input {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut self.0 {
            Kind::Empty => Poll::Ready(None),
            Kind::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Kind::Whole(bytes) => Poll::Ready(Some(Ok(mem::take(bytes)))),
            Kind::Source(buffered) => {
                match buffered.wants_more() {
                    Ok(false) => {}
                    Ok(true) => {
                        let result = ready!(buffered.source.poll_fill(context, &mut buffered.buffer));
                        if let Err(error) = buffered.filled(result) {
                            return Poll::Ready(Some(Err(error.into())));
                        }
                    }
                    // An error was given once; the stream ends behind it.
                    Err(_) => return Poll::Ready(None),
                }
                if !buffered.has_bytes() {
                    return Poll::Ready(None);
                }
                let at = mem::take(&mut buffered.at);
                let mut chunk = Bytes::from(mem::take(&mut buffered.buffer));
                Poll::Ready(Some(Ok(chunk.split_off(at))))
            }
        }
    }
}

impl From<Bytes> for Input {
    fn from(bytes: Bytes) -> Input {
        Input(if bytes.is_empty() { Kind::Empty } else { Kind::Whole(bytes) })
    }
}

impl From<Vec<u8>> for Input {
    fn from(bytes: Vec<u8>) -> Input {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Input {
    fn from(text: String) -> Input {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for Input {
    fn from(text: &'static str) -> Input {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Empty => f.write_str("Input(empty)"),
            Kind::Whole(bytes) => write!(f, "Input({} bytes)", bytes.len()),
            Kind::Source(_) => f.write_str("Input(streamed)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its pieces one by one; an empty one stands for a peer that is gone.
    struct Pieces(std::vec::IntoIter<&'static str>);

    impl Source for Pieces {
        fn fill(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
            match self.0.next() {
                Some("") => Err(Error::from(PeerError::Disconnected { doing: "in a test" }).into()),
                Some(piece) => {
                    buffer.extend_from_slice(piece.as_bytes());
                    Ok(())
                }
                None => Ok(()),
            }
        }
    }

    fn pieces<const N: usize>(pieces: [&'static str; N]) -> Input {
        Input::new(Box::new(Pieces(Vec::from(pieces).into_iter())))
    }

    #[test]
    fn pieces_are_read_as_one_body() {
        let mut text = String::new();
        pieces(["ab", "c\nd", "e"]).read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc\nde");
        assert_eq!(pieces(["ab", "c\nd", "e"]).lines().count(), 2);
    }

    #[test]
    fn a_body_that_breaks_off_stays_an_error() {
        let mut input = pieces(["ab", ""]);
        let mut text = Vec::new();
        assert!(input.read_to_end(&mut text).is_err());
        assert_eq!(text, b"ab");
        assert!(input.read(&mut [0; 8]).is_err(), "a second read must not look like the end");
    }

    #[test]
    fn read_all_stops_at_its_limit() {
        assert_eq!(pieces(["abc", "de"]).read_all(5).unwrap(), "abcde");
        assert!(matches!(pieces(["abc", "de"]).read_all(4), Err(Error::Peer(PeerError::TooLarge { limit: 4 }))));
        assert!(Input::from("abcde").read_all(4).is_err());
    }

    #[test]
    fn what_is_in_memory_is_taken_at_once() {
        assert_eq!(Input::empty().take_whole().unwrap(), "");
        let mut input = Input::from("abcde");
        input.read_exact(&mut [0; 2]).unwrap();
        assert_eq!(input.take_whole().unwrap(), "cde");
        assert_eq!(input.read(&mut [0; 8]).unwrap(), 0);
        assert_eq!(pieces(["abc"]).take_whole(), None);
    }

    #[test]
    fn a_reader_may_go_on_as_a_stream() {
        let mut input = pieces(["abc", "de"]);
        input.read_exact(&mut [0; 2]).unwrap();
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut next = || match Pin::new(&mut input).poll_next(&mut context) {
            Poll::Ready(item) => item.map(|chunk| chunk.unwrap()),
            Poll::Pending => panic!("nothing to wait for"),
        };
        assert_eq!(next().unwrap(), "c");
        assert_eq!(next().unwrap(), "de");
        assert_eq!(next(), None);
    }
}
