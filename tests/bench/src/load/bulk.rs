//! Bodies that are too long to keep: read and thrown away, or sent from one buffer, over one kept connection.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::load::http::{End, get};

const BUFFER: usize = 256 * 1024;

/// A connection for transfers, one after the other.
pub struct Bulk {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Bulk {
    pub fn open(address: std::net::SocketAddr) -> Result<Bulk> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok(Bulk { stream, buffer: vec![b'x'; BUFFER] })
    }

    /// Gets a path, and gives the bytes of the answer.
    pub fn download(&mut self, path: &str) -> Result<usize> {
        let request = get(self.stream.peer_addr()?, path);
        self.stream.write_all(&request)?;
        self.answer()
    }

    /// Posts so many bytes.
    pub fn upload(&mut self, path: &str, length: usize) -> Result<()> {
        let host = self.stream.peer_addr()?;
        write!(self.stream, "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n")?;
        let mut left = length;
        while left > 0 {
            let piece = left.min(self.buffer.len());
            self.stream.write_all(&self.buffer[..piece])?;
            left -= piece;
        }
        self.answer()?;
        Ok(())
    }

    fn answer(&mut self) -> Result<usize> {
        let mut end = End::default();
        while !end.is_reached() {
            let read = self.stream.read(&mut self.buffer)?;
            ensure!(read > 0, "closes the connection within an answer");
            end.add(&self.buffer[..read])?;
        }
        Ok(end.received)
    }
}
