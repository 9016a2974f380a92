//! The least that a CGI program in Rust does: print the answer.

use std::io::{self, Write};

fn main() -> io::Result<()> {
    // Standard output is buffered by lines: the lock and one write leave one system call each line but the last.
    let mut output = io::stdout().lock();
    output.write_all(b"Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!")?;
    output.flush()
}
