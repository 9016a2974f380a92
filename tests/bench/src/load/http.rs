//! A plain HTTP client: as much as it takes to see where an answer ends.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Result, ensure};

/// The bytes of a GET.
pub fn get(address: SocketAddr, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").into_bytes()
}

/// Whether an answer is complete: by its Content-Length, or by the last chunk.
pub fn is_complete(received: &[u8]) -> bool {
    let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let (head, body) = (&received[..end], &received[end + 4..]);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    match length.and_then(|length| length.trim().parse::<usize>().ok()) {
        Some(length) => body.len() >= length,
        None => body.ends_with(b"0\r\n\r\n"),
    }
}

/// Opens a connection and gets one path over it; the connection stays open.
pub fn open(address: SocketAddr, path: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(&get(address, path))?;
    let mut received = Vec::new();
    while !is_complete(&received) {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece)?;
        ensure!(read > 0, "closes the connection instead of an answer");
        received.extend_from_slice(&piece[..read]);
    }
    ensure!(received.starts_with(b"HTTP/1.1 200 "), "answers {path} with {}", String::from_utf8_lossy(&received));
    Ok(stream)
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
