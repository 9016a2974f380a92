//! What is to be sent on a connection: bytes that were written here, chunks that are only referred to, and files.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice};
use std::mem;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Buf, Bytes};
use wgi::FileRange;

use crate::socket::{Socket, Tried};

/// A chunk up to this many bytes is copied behind what stands there already: cheaper than a piece of its own.
const COPIED: usize = 4 * 1024;

/// How many pieces go out in one call.
const PIECES: usize = 16;

/// How much of a file is read at once, in bytes, where it has to be read.
const PIECE: usize = 64 * 1024;

/// How many bytes one connection may send before others have their turn.
const FAIR: u64 = 1 << 20;

/// What sending came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// All is sent.
    All,
    /// There is more, and the socket would take it; but others are to have their turn.
    Part,
    /// There is more, and the peer has to read first.
    Blocked,
}

/// What is to be sent, in order.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pieces: VecDeque<Piece>,
    /// What stands behind the pieces; codecs append here.
    pub(crate) tail: Vec<u8>,
    /// How much of the tail was sent, while there are no pieces.
    sent: usize,
    /// Since when the peer has been waited for to read anything.
    blocked: Option<Instant>,
}

#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    File(FilePart),
}

/// A part of a file that is yet to be sent; it may go out in pieces, with something of the protocol's between them.
#[derive(Debug)]
pub(crate) struct FilePart {
    file: Arc<File>,
    offset: u64,
    pub(crate) length: u64,
    /// It is the first part of what was to be sent of the file.
    is_first: bool,
}

impl From<FileRange> for FilePart {
    fn from(FileRange { file, offset, length }: FileRange) -> FilePart {
        FilePart { file: Arc::new(file), offset, length, is_first: true }
    }
}

impl FilePart {
    /// Takes up to so many bytes off its front.
    pub(crate) fn split_to(&mut self, length: u64) -> FilePart {
        let (file, length) = (self.file.clone(), length.min(self.length));
        let front = FilePart { file, offset: self.offset, length, is_first: mem::take(&mut self.is_first) };
        self.advance(length);
        front
    }

    fn advance(&mut self, sent: u64) {
        self.offset += sent;
        self.length -= sent;
    }
}

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.tail.is_empty()
    }

    /// How many bytes are held in memory.
    pub(crate) fn held(&self) -> usize {
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Bytes(bytes) => bytes.len(),
            Piece::File(_) => 0,
        });
        self.tail.len() + pieces.sum::<usize>()
    }

    /// How many bytes are to be sent, those of files included.
    pub(crate) fn length(&self) -> u64 {
        let files = self.pieces.iter().map(|piece| match piece {
            Piece::Bytes(_) => 0,
            Piece::File(file) => file.length,
        });
        self.held() as u64 + files.sum::<u64>()
    }

    /// Whether a file, or a part of one, is to be sent.
    pub(crate) fn has_file(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::File(_)))
    }

    /// Since when the peer was waited for to read; from now on, where it was not.
    pub(crate) fn blocked_since(&mut self, now: Instant) -> Instant {
        *self.blocked.get_or_insert(now)
    }

    /// The peer has read something.
    pub(crate) fn unblock(&mut self) {
        self.blocked = None;
    }

    /// Lets `take` have what is to be sent next, about `most` bytes of it; gives how many it had.
    ///
    /// # Errors
    /// Those of `take`; when a file cannot be read, or is shorter than it was.
    pub(crate) fn with_front(&self, most: usize, take: impl FnOnce(&[u8]) -> io::Result<()>) -> io::Result<usize> {
        let front = match self.pieces.front() {
            None => &self.tail[self.sent..],
            Some(Piece::Bytes(bytes)) => bytes,
            Some(Piece::File(_)) => &[],
        };
        // Pieces that are small go out together.
        if front.len() >= most || self.pieces.is_empty() {
            let front = &front[..front.len().min(most)];
            return take(front).map(|()| front.len());
        }
        let mut gathered = Vec::new();
        for piece in &self.pieces {
            let room = most - gathered.len();
            match piece {
                Piece::Bytes(bytes) => gathered.extend_from_slice(&bytes[..bytes.len().min(room)]),
                Piece::File(file) => read_file(file, room, &mut gathered)?,
            }
            if gathered.len() >= most {
                break;
            }
        }
        gathered.extend_from_slice(&self.tail[..self.tail.len().min(most - gathered.len())]);
        take(&gathered).map(|()| gathered.len())
    }

    /// Takes a worker's buffer to write into, unless something is written in one of its own.
    pub(crate) fn borrow(&mut self, spare: &mut Vec<u8>) {
        if self.is_empty() {
            mem::swap(&mut self.tail, spare);
        }
    }

    /// Gives the worker a buffer back, and keeps none, once all is sent.
    pub(crate) fn give_back(&mut self, spare: &mut Vec<u8>) {
        if self.is_empty() {
            if self.tail.capacity() > spare.capacity() {
                mem::swap(&mut self.tail, spare);
            }
            self.tail = Vec::new();
            if self.pieces.capacity() > 0 {
                self.pieces = VecDeque::new();
            }
        }
    }

    pub(crate) fn push_bytes(&mut self, bytes: Bytes) {
        if bytes.len() <= COPIED {
            self.tail.extend_from_slice(&bytes);
        } else {
            self.close_tail();
            self.pieces.push_back(Piece::Bytes(bytes));
        }
    }

    pub(crate) fn push_file(&mut self, file: FilePart) {
        self.close_tail();
        self.pieces.push_back(Piece::File(file));
    }

    /// Makes the tail a piece, so that another can follow it.
    fn close_tail(&mut self) {
        if self.tail.is_empty() {
            return;
        }
        let mut tail = Bytes::from(mem::take(&mut self.tail));
        tail.advance(mem::take(&mut self.sent));
        self.pieces.push_back(Piece::Bytes(tail));
    }

    /// Sends as much as the socket takes, and as is fair to the others.
    ///
    /// # Errors
    /// When the peer is gone, or a file is shorter than it was.
    pub(crate) fn flush(&mut self, socket: &Socket) -> io::Result<Flushed> {
        let mut budget = FAIR;
        while !self.is_empty() {
            if budget == 0 {
                return Ok(Flushed::Part);
            }
            let sent = match self.pieces.front_mut() {
                None => socket.write(&self.tail[self.sent..])?,
                Some(Piece::Bytes(_)) => self.write_pieces(socket)?,
                Some(Piece::File(file)) => match send_file(socket, file)? {
                    Tried::Done(0) => Tried::Done(0),
                    Tried::Done(sent) => {
                        self.blocked = None;
                        budget = budget.saturating_sub(sent);
                        file.advance(sent);
                        if file.length == 0 {
                            self.pieces.pop_front();
                        }
                        continue;
                    }
                    Tried::Blocked => Tried::Blocked,
                },
            };
            match sent {
                Tried::Done(0) => return Err(io::ErrorKind::WriteZero.into()),
                Tried::Done(sent) => {
                    self.blocked = None;
                    budget = budget.saturating_sub(sent as u64);
                    self.advance(sent);
                }
                Tried::Blocked => return Ok(Flushed::Blocked),
            }
        }
        Ok(Flushed::All)
    }

    fn write_pieces(&self, socket: &Socket) -> io::Result<Tried<usize>> {
        let mut slices = [IoSlice::new(&[]); PIECES];
        let mut count = 0;
        for piece in self.pieces.iter().take(PIECES) {
            let Piece::Bytes(bytes) = piece else { break };
            slices[count] = IoSlice::new(bytes);
            count += 1;
        }
        if count == self.pieces.len() && count < PIECES && !self.tail.is_empty() {
            slices[count] = IoSlice::new(&self.tail);
            count += 1;
        }
        // A file behind them is on its way at once: what a head does not fill of a segment, its first bytes do. Not so
        // between its parts: where connections are paced (BBR), that makes each of them wait for a timer.
        let more = matches!(self.pieces.get(count), Some(Piece::File(FilePart { is_first: true, .. })));
        socket.write_all_of(&slices[..count], more)
    }

    /// Takes away what was sent.
    pub(crate) fn advance(&mut self, mut sent: usize) {
        while let Some(piece) = self.pieces.front_mut() {
            match piece {
                Piece::Bytes(bytes) if sent < bytes.len() => return bytes.advance(sent),
                Piece::Bytes(bytes) => sent -= bytes.len(),
                Piece::File(file) if (sent as u64) < file.length => return file.advance(sent as u64),
                Piece::File(file) => sent -= file.length as usize,
            }
            self.pieces.pop_front();
        }
        self.sent += sent;
        if self.sent >= self.tail.len() {
            self.tail.clear();
            self.sent = 0;
        }
    }
}

/// Sends a part of a file: by the system, or by reading it where the system cannot.
fn send_file(socket: &Socket, file: &FilePart) -> io::Result<Tried<u64>> {
    match socket.send_file(&file.file, file.offset, file.length) {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            let mut piece = Vec::new();
            read_file(file, PIECE, &mut piece)?;
            match socket.write(&piece)? {
                Tried::Done(sent) => Ok(Tried::Done(sent as u64)),
                Tried::Blocked => Ok(Tried::Blocked),
            }
        }
        sent => sent,
    }
}

/// Reads up to `most` bytes of a part of a file, behind what is in the buffer.
fn read_file(file: &FilePart, most: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
    let length = file.length.min(most as u64) as usize;
    let start = buffer.len();
    buffer.resize(start + length, 0);
    file.file.read_exact_at(&mut buffer[start..], file.offset)
}
