//! What a back end says to the operator: its errors stream, line by line and bounded, on the request's errors stream.
//!
//! Each line has the back end's name in front. Control characters are shown escaped, for lines of a log are read on
//! terminals, and a program may well repeat what a client has sent.

use std::fmt::Write as _;
use std::io::Write as _;

use wgi::Errors;

/// How long a line may be, in bytes; more of it becomes the next one.
const LINE: usize = 4096;

/// The errors stream of a back end, for one request.
pub struct Lines {
    errors: Errors,
    name: String,
    /// The start of a line whose end has not come.
    partial: Vec<u8>,
    /// How many bytes are still taken.
    left: usize,
    dropped: u64,
}

impl Lines {
    /// Writes what comes from the back end of that name to `errors`, up to `most` bytes.
    pub fn new(errors: Errors, name: impl Into<String>, most: usize) -> Lines {
        Lines { errors, name: name.into(), partial: Vec::new(), left: most, dropped: 0 }
    }

    /// Takes text from the back end's errors stream.
    pub fn push(&mut self, text: &[u8]) {
        let (taken, dropped) = text.split_at(text.len().min(self.left));
        self.left -= taken.len();
        self.dropped += dropped.len() as u64;
        for line in taken.split_inclusive(|&byte| byte == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(rest) => {
                    self.partial.extend_from_slice(rest);
                    self.end_line();
                }
                None => self.partial.extend_from_slice(line),
            }
        }
        while self.partial.len() >= LINE {
            let rest = self.partial.split_off(LINE);
            self.end_line();
            self.partial = rest;
        }
    }

    /// Writes a line of the server's own.
    pub fn note(&mut self, text: &str) {
        // There is nobody to tell that the log cannot be written.
        let _ = writeln!(self.errors, "wgi: {}: {text}", self.name);
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.partial);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        let _ = writeln!(self.errors, "{}: {}", self.name, readable(line));
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if !self.partial.is_empty() {
            self.end_line();
        }
        if self.dropped > 0 {
            self.note(&format!("{} bytes more of its errors stream were dropped", self.dropped));
        }
    }
}

fn readable(line: &[u8]) -> String {
    let mut text = String::with_capacity(line.len());
    for chunk in line.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '\t' => text.push(char),
                char if char.is_control() => text.extend(char.escape_default()),
                char => text.push(char),
            }
        }
        let _ = write!(text, "{}", chunk.invalid().escape_ascii());
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use wgi::ErrorSink;

    use super::*;

    #[derive(Default)]
    struct Sink(Mutex<Vec<u8>>);

    impl ErrorSink for Sink {
        fn write(&self, text: &[u8]) -> io::Result<()> {
            self.0.lock().unwrap().extend_from_slice(text);
            Ok(())
        }
    }

    fn written(most: usize, pieces: &[&[u8]]) -> String {
        let sink = Arc::new(Sink::default());
        let mut lines = Lines::new(Errors::new(sink.clone()), "a.cgi", most);
        for piece in pieces {
            lines.push(piece);
        }
        drop(lines);
        let text = sink.0.lock().unwrap().clone();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn lines_come_whole() {
        assert_eq!(
            written(100, &[b"on", b"e\r\ntw", b"o\n\nthree"]),
            "a.cgi: one\na.cgi: two\na.cgi: \na.cgi: three\n"
        );
    }

    #[test]
    fn a_terminal_is_safe() {
        assert_eq!(written(100, &[b"a\x1b[2J\tb\xff\xc3\xa9\0\n"]), "a.cgi: a\\u{1b}[2J\tb\\xff\u{e9}\\u{0}\n");
    }

    #[test]
    fn a_flood_is_bounded() {
        let text = written(10_000, &[&b"x".repeat(9000), &b"y\n".repeat(5000)]);
        assert!(text.lines().all(|line| line.len() <= LINE + 100), "a line is too long");
        assert!(text.ends_with("wgi: a.cgi: 9000 bytes more of its errors stream were dropped\n"), "{text}");
        assert!(text.len() < 20_000);
    }
}
