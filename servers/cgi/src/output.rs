//! Where the response goes: any writer, or standard output with what the system can do there.

use std::io::{self, IoSlice, Write};

use wgi::FileRange;

use crate::input::Shared;
use crate::stdio::{self, READY, Stdin, Stdout};

/// Takes the bytes of a response, at once.
pub(crate) trait Output {
    /// Writes `head` and `chunk`, either of which may be empty, as one where the system can.
    fn write(&mut self, head: &[u8], chunk: &[u8]) -> io::Result<()>;

    /// Sends a part of a file. Says how much it sent; what is missing could not be read.
    fn send(&mut self, file: FileRange) -> io::Result<u64>;
}

/// Any writer.
pub(crate) struct Stream<W>(pub(crate) W);

/// Standard output, while standard input may have to be taken in.
pub(crate) struct Process<'a> {
    pub(crate) stdout: Stdout,
    pub(crate) body: &'a Shared<Stdin>,
}

impl<W: Write> Output for Stream<W> {
    fn write(&mut self, head: &[u8], chunk: &[u8]) -> io::Result<()> {
        write_both(&mut self.0, head, chunk)?;
        self.0.flush()
    }

    fn send(&mut self, file: FileRange) -> io::Result<u64> {
        copy(self, file)
    }
}

impl Output for Process<'_> {
    fn write(&mut self, mut head: &[u8], mut chunk: &[u8]) -> io::Result<()> {
        while !head.is_empty() || !chunk.is_empty() {
            let Some(mut body) = self.body.unfinished() else {
                return write_both(&mut self.stdout, head, chunk);
            };
            // The server may be about to send all of the body before it reads any of this.
            let ready = stdio::wait()?;
            if ready.input {
                body.take_in();
            }
            if ready.output {
                let first = &head[..head.len().min(READY)];
                let second = &chunk[..chunk.len().min(READY - first.len())];
                let written = self.stdout.write_vectored(&[IoSlice::new(first), IoSlice::new(second)])?;
                advance(&mut head, &mut chunk, written)?;
            }
        }
        Ok(())
    }

    fn send(&mut self, file: FileRange) -> io::Result<u64> {
        if self.body.unfinished().is_some() {
            return copy(self, file);
        }
        match self.stdout.send(&file) {
            // What standard output or the file is, the system does not send to or from.
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
                copy(self, file)
            }
            result => result,
        }
    }
}

fn write_both(out: &mut impl Write, mut head: &[u8], mut chunk: &[u8]) -> io::Result<()> {
    while !head.is_empty() || !chunk.is_empty() {
        match out.write_vectored(&[IoSlice::new(head), IoSlice::new(chunk)]) {
            Ok(written) => advance(&mut head, &mut chunk, written)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn advance(head: &mut &[u8], chunk: &mut &[u8], written: usize) -> io::Result<()> {
    if written == 0 {
        return Err(io::ErrorKind::WriteZero.into());
    }
    let of_head = written.min(head.len());
    *head = &head[of_head..];
    *chunk = &chunk[(written - of_head).min(chunk.len())..];
    Ok(())
}

/// Sends a file by reading it.
fn copy(out: &mut impl Output, file: FileRange) -> io::Result<u64> {
    let mut sent = 0;
    for piece in file {
        let Ok(piece) = piece else { break };
        out.write(&[], &piece)?;
        sent += piece.len() as u64;
    }
    Ok(sent)
}
