//! The body of a response: an iterator and a stream at once.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::{fmt, mem};

use bytes::Bytes;
use futures_core::Stream;

use crate::Error;

/// How much of a file or reader is read at once, in bytes, where it has to be read.
const PIECE: usize = 64 * 1024;

type Chunks = Box<dyn Iterator<Item = Result<Bytes, Error>> + Send>;
type ChunkStream = Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;

/// The body of a response.
///
/// It is an [`Iterator`] and a [`Stream`] of `Result<Bytes, Error>`, whatever it was made from, and ends after its
/// first error. Servers use what they know about it: one chunk gives the Content-Length, a file is sent by the
/// system, a stream that has nothing ready holds no thread.
///
/// Dropping it is PEP 3333's `close()`. That happens always and once: at its end, after an error, when the client
/// goes away.
///
/// ```
/// use wgi::Body;
///
/// let fixed = Body::from("Hello, world!");
/// let lines = Body::from_chunks((1..=3).map(|n| format!("line {n}\n")));
/// let file = Body::file(std::fs::File::open("Cargo.toml")?)?;
/// # assert_eq!(fixed.len(), Some(13));
/// # assert_eq!(lines.len(), None);
/// # assert!(file.len().is_some());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Source: spec clause 6.
pub struct Body {
    kind: Kind,
    // Behind `kind`: fields are dropped in order, so what the body is made of is gone when this runs.
    on_close: Option<OnClose>,
}

enum Kind {
    Empty,
    Chunk(Bytes),
    Chunks(Chunks),
    Stream(ChunkStream),
    File(FileRange),
}

impl Body {
    /// No bytes at all.
    pub const fn empty() -> Body {
        Body::of(Kind::Empty)
    }

    /// The chunks of an iterator that cannot fail. Each is sent before the next is asked for.
    pub fn from_chunks<I>(chunks: I) -> Body
    where
        I: IntoIterator,
        I::IntoIter: Send + 'static,
        I::Item: Into<Bytes>,
    {
        Body::of(Kind::Chunks(Box::new(chunks.into_iter().map(|chunk| Ok(chunk.into())))))
    }

    /// The chunks of an iterator that may fail. Each is sent before the next is asked for.
    pub fn from_results<I, T, E>(chunks: I) -> Body
    where
        I: IntoIterator<Item = Result<T, E>>,
        I::IntoIter: Send + 'static,
        T: Into<Bytes>,
        E: Into<Error>,
    {
        let chunks = chunks.into_iter().map(|chunk| chunk.map(Into::into).map_err(Into::into));
        Body::of(Kind::Chunks(Box::new(chunks)))
    }

    /// The chunks of an asynchronous stream. While it has none ready, no thread waits for it.
    pub fn from_stream<S, T, E>(stream: S) -> Body
    where
        S: Stream<Item = Result<T, E>> + Send + 'static,
        T: Into<Bytes>,
        E: Into<Error>,
    {
        Body::of(Kind::Stream(Box::pin(Converted { stream: Box::pin(stream) })))
    }

    /// What a reader gives until its end, in pieces of up to 64 KiB: PEP 3333's file wrapper for what has no
    /// descriptor.
    pub fn from_reader(reader: impl Read + Send + 'static) -> Body {
        let mut reader = reader;
        Body::of(Kind::Chunks(Box::new(std::iter::from_fn(move || read_piece(&mut reader, PIECE).transpose()))))
    }

    /// A file, from its current position to its end as it is now: PEP 3333's file wrapper.
    ///
    /// Nothing is read before the server has the body; where it can, it lets the system send the file.
    ///
    /// # Errors
    /// When the position or the size cannot be had.
    pub fn file(mut file: File) -> io::Result<Body> {
        let offset = file.stream_position()?;
        let length = file.metadata()?.len().saturating_sub(offset);
        Ok(Body::file_range(FileRange { file, offset, length }))
    }

    /// A part of a file.
    pub fn file_range(range: FileRange) -> Body {
        Body::of(Kind::File(range))
    }

    /// Calls `f` when this body is dropped, behind all that it is made of.
    pub fn on_close(mut self, f: impl FnOnce() + Send + 'static) -> Body {
        let inner = self.on_close.take();
        self.on_close = Some(OnClose(Some(Box::new(move || {
            drop(inner);
            f();
        }))));
        self
    }

    /// Passes every chunk through `f`, one in, one out, without delay; an error passes as it is.
    ///
    /// What `f` gives may be empty. The length becomes unknown, but for one chunk.
    ///
    /// ```
    /// use wgi::Body;
    ///
    /// let loud = Body::from_chunks(["a", "b"]).map_chunks(|chunk| Ok(chunk.to_ascii_uppercase().into()));
    /// # assert_eq!(loud.map(|chunk| chunk.unwrap().to_vec()).collect::<Vec<_>>(), [b"A", b"B"]);
    /// ```
    pub fn map_chunks(mut self, mut f: impl FnMut(Bytes) -> Result<Bytes, Error> + Send + 'static) -> Body {
        match mem::replace(&mut self.kind, Kind::Empty) {
            Kind::Empty => self,
            Kind::Chunk(chunk) => {
                self.kind = match f(chunk) {
                    Ok(chunk) => Kind::Chunk(chunk),
                    Err(error) => Kind::Chunks(Box::new(std::iter::once(Err(error)))),
                };
                self
            }
            Kind::Stream(stream) => {
                self.kind = Kind::Stream(Box::pin(Mapped { stream, f: Box::new(f) }));
                self
            }
            Kind::Chunks(chunks) => {
                self.kind = Kind::Chunks(Box::new(chunks.map(move |chunk| f(chunk?))));
                self
            }
            Kind::File(range) => {
                self.kind = Kind::Chunks(Box::new(range.map(move |chunk| f(chunk?))));
                self
            }
        }
    }

    /// The number of bytes that are left, where that is known: for an empty body, one chunk and a file.
    pub fn len(&self) -> Option<u64> {
        match &self.kind {
            Kind::Empty => Some(0),
            Kind::Chunk(chunk) => Some(chunk.len() as u64),
            Kind::File(range) => Some(range.length),
            Kind::Chunks(_) | Kind::Stream(_) => None,
        }
    }

    /// Whether it is known that no byte is left.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// Whether the next chunk comes from a stream, that is whether [`Stream::poll_next`] may be pending.
    pub fn is_stream(&self) -> bool {
        matches!(self.kind, Kind::Stream(_))
    }

    /// Whether the next chunk is at hand: asking for it runs no code of the application's and reads no file.
    pub fn is_ready(&self) -> bool {
        matches!(self.kind, Kind::Empty | Kind::Chunk(_))
    }

    /// Whether it is a file.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self.kind, Kind::File(_))
    }

    /// Whether nothing is left, and nothing is to be run when it is dropped.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.kind, Kind::Empty) && self.on_close.is_none()
    }

    /// All of this body, where that is one chunk or nothing, and nothing is to be run when it is dropped.
    pub(crate) fn take_chunk(&mut self) -> Option<Bytes> {
        match &mut self.kind {
            _ if self.on_close.is_some() => None,
            Kind::Empty => Some(Bytes::new()),
            Kind::Chunk(chunk) => {
                let chunk = mem::take(chunk);
                self.kind = Kind::Empty;
                Some(chunk)
            }
            Kind::Chunks(_) | Kind::Stream(_) | Kind::File(_) => None,
        }
    }

    /// The file behind this body, where there is one, for a server that sends it without reading it. The body is
    /// empty then; it is still to be dropped when the file is sent.
    pub fn take_file(&mut self) -> Option<FileRange> {
        match mem::replace(&mut self.kind, Kind::Empty) {
            Kind::File(range) => Some(range),
            kind => {
                self.kind = kind;
                None
            }
        }
    }

    const fn of(kind: Kind) -> Body {
        Body { kind, on_close: None }
    }
}

impl Iterator for Body {
    type Item = Result<Bytes, Error>;

    /// The next chunk. A stream that has none ready blocks the calling thread.
    fn next(&mut self) -> Option<Self::Item> {
        if let Kind::Stream(_) = self.kind {
            return block_on(|context| Pin::new(&mut *self).poll_next(context));
        }
        match Pin::new(self).poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(item) => item,
            // Only a stream is ever pending.
            Poll::Pending => None,
        }
    }
}

impl Stream for Body {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = match &mut self.kind {
            Kind::Empty => None,
            Kind::Chunk(chunk) => {
                let chunk = mem::take(chunk);
                self.kind = Kind::Empty;
                return Poll::Ready(Some(Ok(chunk)));
            }
            Kind::Chunks(chunks) => chunks.next(),
            Kind::File(range) => range.next(),
            Kind::Stream(stream) => match stream.as_mut().poll_next(context) {
                Poll::Ready(item) => item,
                Poll::Pending => return Poll::Pending,
            },
        };
        // What has ended or failed is not asked again, and lets go of what it holds.
        if !matches!(item, Some(Ok(_))) {
            self.kind = Kind::Empty;
        }
        Poll::Ready(item)
    }
}

impl Default for Body {
    fn default() -> Body {
        Body::empty()
    }
}

impl From<()> for Body {
    fn from((): ()) -> Body {
        Body::empty()
    }
}

impl From<Bytes> for Body {
    fn from(chunk: Bytes) -> Body {
        Body::of(if chunk.is_empty() { Kind::Empty } else { Kind::Chunk(chunk) })
    }
}

impl From<Vec<u8>> for Body {
    fn from(chunk: Vec<u8>) -> Body {
        Bytes::from(chunk).into()
    }
}

impl From<String> for Body {
    fn from(chunk: String) -> Body {
        Bytes::from(chunk).into()
    }
}

impl From<&'static str> for Body {
    fn from(chunk: &'static str) -> Body {
        Bytes::from_static(chunk.as_bytes()).into()
    }
}

impl From<&'static [u8]> for Body {
    fn from(chunk: &'static [u8]) -> Body {
        Bytes::from_static(chunk).into()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Empty => f.write_str("Body(empty)"),
            Kind::Chunk(chunk) => write!(f, "Body({} bytes)", chunk.len()),
            Kind::Chunks(_) => f.write_str("Body(iterator)"),
            Kind::Stream(_) => f.write_str("Body(stream)"),
            Kind::File(range) => write!(f, "Body(file, {} bytes)", range.length),
        }
    }
}

/// A part of a file that is yet to be sent.
///
/// As an iterator it reads the part in pieces of up to 64 KiB; a file that became shorter is an error.
#[derive(Debug)]
pub struct FileRange {
    /// The file, open for reading.
    pub file: File,
    /// Where the part starts, in bytes from the start of the file.
    pub offset: u64,
    /// How many bytes it has.
    pub length: u64,
}

impl Iterator for FileRange {
    type Item = Result<Bytes, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.length == 0 {
            return None;
        }
        let wanted = self.length.min(PIECE as u64) as usize;
        let piece = self
            .file
            .seek(SeekFrom::Start(self.offset))
            .map_err(Error::from)
            .and_then(|_| read_piece(&mut self.file, wanted))
            .and_then(|piece| piece.ok_or_else(|| Error::new("the file became shorter while it was sent")));
        match &piece {
            Ok(piece) => {
                self.offset += piece.len() as u64;
                self.length -= piece.len() as u64;
            }
            Err(_) => self.length = 0,
        }
        Some(piece)
    }
}

/// Reads up to `wanted` bytes; nothing at the end.
fn read_piece(reader: &mut impl Read, wanted: usize) -> Result<Option<Bytes>, Error> {
    let mut piece = vec![0; wanted];
    loop {
        match reader.read(&mut piece) {
            Ok(0) => return Ok(None),
            Ok(length) => {
                piece.truncate(length);
                return Ok(Some(piece.into()));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

struct OnClose(Option<Box<dyn FnOnce() + Send>>);

impl Drop for OnClose {
    fn drop(&mut self) {
        if let Some(f) = self.0.take() {
            f();
        }
    }
}

/// A stream of other chunks and errors as one of `Result<Bytes, Error>`.
struct Converted<S> {
    stream: Pin<Box<S>>,
}

impl<S, T, E> Stream for Converted<S>
where
    S: Stream<Item = Result<T, E>>,
    T: Into<Bytes>,
    E: Into<Error>,
{
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.as_mut().poll_next(context).map(|item| item.map(|chunk| chunk.map(Into::into).map_err(Into::into)))
    }
}

/// A stream whose chunks pass through a function.
struct Mapped {
    stream: ChunkStream,
    f: Box<dyn FnMut(Bytes) -> Result<Bytes, Error> + Send>,
}

impl Stream for Mapped {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        this.stream.as_mut().poll_next(context).map(|item| item.map(|chunk| (this.f)(chunk?)))
    }
}

/// Polls until ready, and lets the calling thread sleep in between.
pub(crate) fn block_on<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn text(body: Body) -> String {
        body.map(|chunk| String::from_utf8(chunk.unwrap().to_vec()).unwrap()).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn every_kind_is_an_iterator() {
        assert_eq!(text(Body::empty()), "");
        assert_eq!(text(Body::from("whole")), "whole");
        assert_eq!(text(Body::from_chunks(["a", "", "b"])), "a||b");
        assert_eq!(text(Body::from_results([Ok::<_, Error>("a"), Ok("b")])), "a|b");
        assert_eq!(text(Body::from_stream(Body::from_chunks(["a", "b"]))), "a|b");
        assert_eq!(text(Body::from_reader(&b"read"[..])), "read");
        assert_eq!(text(Body::from_chunks(["a", "b"]).map_chunks(|_| Ok(Bytes::from_static(b"x")))), "x|x");
    }

    #[test]
    fn a_body_ends_behind_its_first_error() {
        let mut body = Body::from_results([Ok("a"), Err(Error::new("broken")), Ok("b")]);
        assert!(body.next().unwrap().is_ok());
        assert!(body.next().unwrap().is_err());
        assert!(body.next().is_none());
    }

    #[test]
    fn a_file_starts_at_its_position() {
        let path = std::env::temp_dir().join(format!("wgi-body-{}", std::process::id()));
        File::create(&path).unwrap().write_all(b"0123456789").unwrap();
        let mut file = File::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        file.seek(SeekFrom::Start(4)).unwrap();
        let body = Body::file(file).unwrap();
        assert_eq!(body.len(), Some(6));
        assert_eq!(text(body), "456789");
    }

    #[test]
    fn closing_happens_once_and_last() {
        let order = Arc::new(AtomicUsize::new(0));
        struct Held(Arc<AtomicUsize>);
        impl Drop for Held {
            fn drop(&mut self) {
                assert_eq!(self.0.fetch_add(1, Ordering::SeqCst), 0);
            }
        }
        let held = Held(order.clone());
        let body = Body::from_chunks((0..3).map(move |n| {
            let _held = &held;
            n.to_string()
        }));
        let (first, second) = (order.clone(), order.clone());
        let mut body = body
            .on_close(move || assert_eq!(first.fetch_add(1, Ordering::SeqCst), 1))
            .on_close(move || assert_eq!(second.fetch_add(1, Ordering::SeqCst), 2));
        body.next();
        drop(body);
        assert_eq!(order.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn a_stream_wakes_a_blocked_reader() {
        struct Later(usize);
        impl Stream for Later {
            type Item = Result<Bytes, Error>;
            fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
                self.0 += 1;
                if self.0 % 2 == 1 {
                    let waker = context.waker().clone();
                    thread::spawn(move || waker.wake());
                    return Poll::Pending;
                }
                Poll::Ready((self.0 < 6).then(|| Ok(Bytes::from_static(b"x"))))
            }
        }
        assert_eq!(text(Body::from_stream(Later(0))), "x|x");
    }
}
