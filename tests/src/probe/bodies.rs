//! What the probe's bodies are made of: a pattern, the same as a file, and ticks without a thread.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_timer::Delay;
use wgi::{Error, FileRange, StatusCode};

const PATTERN: &[u8; 16] = b"0123456789abcdef";

/// How much of the pattern is kept, in bytes: shorter chunks cost nothing. A multiple of the pattern's length.
const BLOCK: usize = 64 * 1024;

/// The longest chunk in bytes; it is held in memory.
const LONGEST_CHUNK: u64 = 256 * 1024 * 1024;

/// The longest file in bytes.
const LONGEST_FILE: u64 = 8 * 1024 * 1024 * 1024;

/// So many bytes of the pattern in one piece.
pub(super) fn pattern(length: u64) -> Result<Bytes, Error> {
    if length > LONGEST_CHUNK {
        let reason = "a chunk has 256 MiB at most: ask for /file or /stream";
        return Err(Error::refused(StatusCode::BAD_REQUEST, reason));
    }
    let length = length as usize;
    if length <= BLOCK {
        return Ok(block().slice(..length));
    }
    let mut bytes = block().repeat(length.div_ceil(BLOCK));
    bytes.truncate(length);
    Ok(bytes.into())
}

fn block() -> Bytes {
    static BLOCK_OF_PATTERN: OnceLock<Bytes> = OnceLock::new();
    BLOCK_OF_PATTERN.get_or_init(|| PATTERN.repeat(BLOCK / PATTERN.len()).into()).clone()
}

/// A file of the pattern without a name, in the folder for temporary files. A shorter one is its beginning, so there
/// is a single one: it grows to the longest that was asked for, is kept open, and goes with the process.
#[derive(Default)]
pub(super) struct PatternFile(Mutex<Option<(File, u64)>>);

impl PatternFile {
    /// The first so many bytes.
    pub(super) fn first(&self, length: u64) -> Result<FileRange, Error> {
        if length > LONGEST_FILE {
            return Err(Error::refused(StatusCode::BAD_REQUEST, "a file has 8 GiB at most"));
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, written) = match &mut *kept {
            Some(kept) => kept,
            none => none.insert((tempfile::tempfile()?, 0)),
        };
        if *written < length {
            grow(file, *written, length)?;
            *written = length;
        }
        // Each response reads at a position of its own, so it opens the file again.
        let file = File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
        Ok(FileRange { file, offset: 0, length })
    }
}

fn grow(file: &mut File, from: u64, to: u64) -> io::Result<()> {
    // From the start of a block, wherever the last time ended.
    let mut at = from - from % BLOCK as u64;
    file.seek(SeekFrom::Start(at))?;
    while at < to {
        let length = (to - at).min(BLOCK as u64);
        file.write_all(&block()[..length as usize])?;
        at += length;
    }
    Ok(())
}

/// `tick 1`, `tick 2` and so on with a pause between any two, during which no thread is held.
pub(super) struct Ticks {
    given: u64,
    ticks: u64,
    pause: Duration,
    timer: Option<Delay>,
}

impl Ticks {
    pub(super) fn new(ticks: u64, pause: Duration) -> Ticks {
        Ticks { given: 0, ticks, pause, timer: None }
    }
}

impl Stream for Ticks {
    type Item = Result<String, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.given == self.ticks {
            return Poll::Ready(None);
        }
        if let Some(timer) = &mut self.timer {
            ready!(Future::poll(Pin::new(timer), context));
        }
        self.given += 1;
        // Set only where another tick follows: the end is not kept waiting.
        self.timer = (self.given < self.ticks).then(|| Delay::new(self.pause));
        Poll::Ready(Some(Ok(format!("tick {}\n", self.given))))
    }
}
