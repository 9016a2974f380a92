//! A plain HTTP client: as much as it takes to see where an answer ends.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Result, ensure};

/// The bytes of a GET.
pub fn get(address: SocketAddr, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").into_bytes()
}

/// Whether an answer is complete.
pub fn is_complete(received: &[u8]) -> bool {
    let mut end = End::default();
    end.add(received).is_ok() && end.is_reached()
}

/// Opens a connection and gets one path over it; the connection stays open.
pub fn open(address: SocketAddr, path: &str) -> Result<TcpStream> {
    Ok(ask(address, &get(address, path))?.0)
}

/// Opens a connection and sends a request; gives the connection, and the length of the answer.
pub fn ask(address: SocketAddr, request: &[u8]) -> Result<(TcpStream, usize)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(request)?;
    let mut end = End::default();
    let mut buffer = vec![0; 256 * 1024];
    while !end.is_reached() {
        let read = stream.read(&mut buffer)?;
        ensure!(read > 0, "closes the connection instead of an answer");
        end.add(&buffer[..read])?;
    }
    Ok((stream, end.received))
}

/// Looks for the end of an answer of any length, of which it keeps the head alone.
#[derive(Default)]
pub struct End {
    head: Vec<u8>,
    /// The whole length, once the head is there; none when it is chunked.
    length: Option<usize>,
    has_head: bool,
    last: [u8; 5],
    /// Bytes so far, the head's among them.
    pub received: usize,
}

impl End {
    /// Takes more of the answer.
    pub fn add(&mut self, bytes: &[u8]) -> Result<()> {
        self.received += bytes.len();
        for &byte in bytes.iter().rev().take(5).rev() {
            self.last.rotate_left(1);
            self.last[4] = byte;
        }
        if self.has_head {
            return Ok(());
        }
        self.head.extend_from_slice(bytes);
        let Some(end) = self.head.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(()) };
        let head = String::from_utf8_lossy(&self.head[..end]).to_ascii_lowercase();
        ensure!(head.starts_with("http/1.1 200 "), "answers with {head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        self.length = length.map(|length| length.trim().parse::<usize>()).transpose()?.map(|length| end + 4 + length);
        self.has_head = true;
        Ok(())
    }

    /// By Content-Length, or by the last chunk.
    pub fn is_reached(&self) -> bool {
        match self.length {
            Some(length) => self.received >= length,
            None => self.has_head && self.last == *b"0\r\n\r\n",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_complete;

    #[test]
    fn an_answer_ends_where_its_head_says() {
        assert!(!is_complete(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n"));
        assert!(!is_complete(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nHell"));
        assert!(is_complete(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHello"));
        assert!(!is_complete(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n"));
        assert!(is_complete(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n0\r\n\r\n"));
    }
}
