//! Standard input as the request's body: CONTENT_LENGTH bytes of it and no more.
//!
//! Some servers (Apache's mod_cgid) write the whole body before they read a byte of the response. An application that
//! answers while it reads would then wait for the server to read, and the server for the application: so while a
//! response cannot be written, what the body has is taken in and kept ([`Incoming::take_in`]), in memory up to a bound
//! and then in a temporary file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{Mode, OFlags};
use wgi::{Error, PeerError, Source};

/// How much is read at once, in bytes.
const PIECE: u64 = 64 * 1024;
/// How much of what was taken in is kept in memory, in bytes.
const MEMORY: usize = 256 * 1024;

/// The body, shared by the application, which reads it, and the output, which may have to take it in.
pub(crate) struct Shared<R>(Arc<Mutex<Incoming<R>>>);

/// What is still to come of the body.
pub(crate) struct Incoming<R> {
    stdin: R,
    /// How many bytes standard input owes.
    owed: u64,
    kept: Kept,
    failed: bool,
    /// The application let go of its input: what comes is dropped.
    unwanted: bool,
}

/// Bytes that were taken in before they were asked for, first in first out: those in memory come before the file's.
#[derive(Default)]
struct Kept {
    memory: Vec<u8>,
    file: Option<File>,
    /// Where in the file the next read starts, and where the next write.
    read: u64,
    written: u64,
}

/// The application's end.
pub(crate) struct Reader<R>(Shared<R>);

impl<R: Read> Shared<R> {
    pub(crate) fn new(stdin: R, length: u64) -> Shared<R> {
        let incoming = Incoming { stdin, owed: length, kept: Kept::default(), failed: false, unwanted: false };
        Shared(Arc::new(Mutex::new(incoming)))
    }

    pub(crate) fn reader(&self) -> Reader<R> {
        Reader(Shared(Arc::clone(&self.0)))
    }

    /// The body, as long as standard input still has some of it and nobody else is just reading.
    pub(crate) fn unfinished(&self) -> Option<MutexGuard<'_, Incoming<R>>> {
        self.0.try_lock().ok().filter(|incoming| incoming.owed > 0 && !incoming.failed)
    }

    /// How many bytes of the body standard input still has.
    pub(crate) fn unread(&self) -> u64 {
        self.unfinished().map_or(0, |incoming| incoming.owed)
    }

    fn lock(&self) -> MutexGuard<'_, Incoming<R>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: Read> Incoming<R> {
    /// Reads a piece from standard input, which has one, and keeps it for the application.
    pub(crate) fn take_in(&mut self) {
        let mut piece = Vec::new();
        // The application learns of an error when it gets there; what came before that is still good.
        if self.read_piece(&mut piece).is_err() || (!self.unwanted && self.kept.push(&piece).is_err()) {
            self.failed = true;
        }
    }

    fn fill(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        if self.kept.pop(buffer)? {
            return Ok(());
        }
        if self.failed {
            return Err(broke_off());
        }
        self.read_piece(buffer)
    }

    fn read_piece(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        if self.owed == 0 {
            return Ok(());
        }
        let start = buffer.len();
        buffer.resize(start + self.owed.min(PIECE) as usize, 0);
        let result = loop {
            match self.stdin.read(&mut buffer[start..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        // A reader that claims more than it was given room for is not believed.
        let length = (*result.as_ref().unwrap_or(&0)).min(buffer.len() - start);
        buffer.truncate(start + length);
        self.owed -= length as u64;
        if length == 0 {
            self.failed = true;
            return Err(broke_off());
        }
        Ok(())
    }
}

impl Kept {
    fn push(&mut self, piece: &[u8]) -> io::Result<()> {
        if self.written == 0 && self.memory.len() + piece.len() <= MEMORY {
            self.memory.extend_from_slice(piece);
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            // Without a name, so that nothing is left behind however this process ends.
            none => none.insert(
                rustix::fs::open(
                    std::env::temp_dir(),
                    OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC,
                    Mode::RUSR | Mode::WUSR,
                )?
                .into(),
            ),
        };
        file.seek(SeekFrom::Start(self.written))?;
        file.write_all(piece)?;
        self.written += piece.len() as u64;
        Ok(())
    }

    /// Moves what comes next into `buffer`; says whether there was any.
    fn pop(&mut self, buffer: &mut Vec<u8>) -> io::Result<bool> {
        if !self.memory.is_empty() {
            buffer.append(&mut self.memory);
            return Ok(true);
        }
        let Some(file) = self.file.as_mut().filter(|_| self.read < self.written) else { return Ok(false) };
        file.seek(SeekFrom::Start(self.read))?;
        let length = file.take((self.written - self.read).min(PIECE)).read_to_end(buffer)?;
        self.read += length as u64;
        if self.read == self.written {
            file.set_len(0)?;
            (self.read, self.written) = (0, 0);
        }
        Ok(true)
    }
}

impl<R: Read + Send> Source for Reader<R> {
    fn fill(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        self.0.lock().fill(buffer)
    }
}

impl<R> Drop for Reader<R> {
    fn drop(&mut self) {
        let mut incoming = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        incoming.unwanted = true;
        drop(mem::take(&mut incoming.kept));
    }
}

/// The error of a body that is shorter than CONTENT_LENGTH.
fn broke_off() -> io::Error {
    Error::from(PeerError::Disconnected { doing: "before the end of the request body" }).into()
}
