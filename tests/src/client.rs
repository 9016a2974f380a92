//! A raw HTTP/1.1 client, for tests that must see what a well-behaved client hides.
//!
//! It sends the bytes it is given, and reads responses to the letter: reason phrases, the order and case of header
//! fields, interim responses, and how a body ended. A response that was cut comes back as [`Ending::Cut`], with what
//! arrived, where another client would give an error and nothing else.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// How long a read may take before the test is taken to have failed: long enough for a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to a server.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
}

/// A response as it came over the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The version, as in `HTTP/1.1`.
    pub version: String,
    /// The status code.
    pub status: u16,
    /// The reason phrase.
    pub reason: Vec<u8>,
    /// The header fields, in order, names as they were sent.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, without its framing.
    pub body: Vec<u8>,
    /// How the body ended.
    pub ending: Ending,
    /// The status codes of the interim responses (1xx) in front of it.
    pub interim: Vec<u16>,
}

/// How the body of a response ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// There could be none: an answer to HEAD, 1xx, 204 or 304.
    #[default]
    None,
    /// After as many bytes as Content-Length said.
    Length,
    /// With the last chunk.
    Chunked,
    /// With the connection, and nothing had said how long it is: it may or may not be whole.
    Close,
    /// Before its announced end: the response is not whole.
    Cut,
}

impl Response {
    /// The value of the first field of that name, in any case, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(candidate, _)| candidate.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }

    /// The values of all fields of that name, in order; values that are not UTF-8 are left out.
    pub fn headers_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(candidate, _)| candidate.eq_ignore_ascii_case(name))
            .filter_map(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// The body as text, with what is not UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether the whole body arrived, as far as the wire can tell.
    pub fn is_whole(&self) -> bool {
        self.ending != Ending::Cut
    }

    /// Reads one response: interim ones, head and body. `method` is that of its request.
    ///
    /// # Errors
    /// When the stream ends or breaks before the end of the head, or what comes is no HTTP/1 response.
    pub fn read(from: &mut impl BufRead, method: &str) -> io::Result<Response> {
        let mut response = Response::read_head(from)?;
        response.ending = response.read_body(from, method)?;
        Ok(response)
    }

    /// Reads the head of a response, and the interim ones in front of it.
    ///
    /// # Errors
    /// As [`read`](Response::read).
    pub fn read_head(from: &mut impl BufRead) -> io::Result<Response> {
        let mut interim = Vec::new();
        loop {
            let mut response = read_one_head(from)?;
            // 101 ends the HTTP part of a connection; it is final.
            if (100..200).contains(&response.status) && response.status != 101 {
                interim.push(response.status);
                continue;
            }
            response.interim = interim;
            return Ok(response);
        }
    }

    /// Reads the body that belongs to this head, to its end.
    fn read_body(&mut self, from: &mut impl BufRead, method: &str) -> io::Result<Ending> {
        let bodiless = method == "HEAD" || matches!(self.status, 100..=199 | 204 | 304);
        if bodiless {
            return Ok(Ending::None);
        }
        if self.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return read_chunks(from, &mut self.body);
        }
        let Some(length) = self.header("content-length") else {
            return match from.read_to_end(&mut self.body) {
                Ok(_) => Ok(Ending::Close),
                Err(error) => cut(error),
            };
        };
        let length = length.parse().map_err(|_| invalid(format!("Content-Length: {length}")))?;
        match from.take(length).read_to_end(&mut self.body) {
            Ok(read) if read as u64 == length => Ok(Ending::Length),
            Ok(_) => Ok(Ending::Cut),
            Err(error) => cut(error),
        }
    }
}

impl Connection {
    /// Connects, with [`PATIENCE`] for each read and write.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(address: SocketAddr) -> io::Result<Connection> {
        Connection::over(TcpStream::connect(address)?)
    }

    /// Connects from an address of this machine's; otherwise as [`open`](Connection::open).
    ///
    /// # Errors
    /// What the system says.
    pub fn open_from(local: IpAddr, address: SocketAddr) -> io::Result<Connection> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(local, 0).into())?;
        socket.connect(&address.into())?;
        Connection::over(socket.into())
    }

    fn over(stream: TcpStream) -> io::Result<Connection> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Connection { stream: BufReader::new(stream) })
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// What the system says.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes.as_ref())
    }

    /// Reads the response to a request of that method.
    ///
    /// # Errors
    /// As [`Response::read`].
    pub fn receive(&mut self, method: &str) -> io::Result<Response> {
        Response::read(&mut self.stream, method)
    }

    /// Reads the head of a response alone.
    ///
    /// # Errors
    /// As [`Response::read_head`].
    pub fn receive_head(&mut self) -> io::Result<Response> {
        Response::read_head(&mut self.stream)
    }

    /// Reads what comes until the peer closes; a reset counts as a close.
    ///
    /// # Errors
    /// When nothing comes for [`PATIENCE`].
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => Ok(rest),
            Err(error) if is_timeout(&error) => Err(error),
            Err(_) => Ok(rest),
        }
    }

    /// Says that nothing more will be sent.
    ///
    /// # Errors
    /// What the system says.
    pub fn finish(&mut self) -> io::Result<()> {
        self.stream.get_ref().shutdown(std::net::Shutdown::Write)
    }

    /// The socket, to set options or to read past what was buffered.
    pub fn socket(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    /// What is read from, for bodies that are taken piece by piece.
    pub fn reader(&mut self) -> &mut BufReader<TcpStream> {
        &mut self.stream
    }
}

fn read_one_head(from: &mut impl BufRead) -> io::Result<Response> {
    let line = read_line(from)?;
    let mut words = line.splitn(3, |&byte| byte == b' ');
    let version = String::from_utf8_lossy(words.next().unwrap_or_default()).into_owned();
    let status =
        words.next().filter(|word| word.len() == 3).and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
    let (true, Some(status)) = (version.starts_with("HTTP/1."), status) else {
        return Err(invalid(format!("no status line: {}", line.escape_ascii())));
    };
    let mut response =
        Response { version, status, reason: words.next().unwrap_or_default().to_vec(), ..Response::default() };
    loop {
        let line = read_line(from)?;
        if line.is_empty() {
            return Ok(response);
        }
        let colon = line.iter().position(|&byte| byte == b':');
        let Some((name, value)) = colon.map(|colon| (&line[..colon], &line[colon + 1..])) else {
            return Err(invalid(format!("no header field: {}", line.escape_ascii())));
        };
        response.headers.push((String::from_utf8_lossy(name).into_owned(), value.trim_ascii().to_vec()));
    }
}

/// A line without its CRLF. A bare LF, or an end before the line's, is an error.
fn read_line(from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    from.take(64 * 1024).read_until(b'\n', &mut line)?;
    match line.strip_suffix(b"\r\n") {
        Some(line) => Ok(line.to_vec()),
        None if line.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
        None => Err(invalid(format!("a line without CRLF: {}", line.escape_ascii()))),
    }
}

fn read_chunks(from: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<Ending> {
    loop {
        let line = match read_line(from) {
            Ok(line) => line,
            Err(error) => return cut(error),
        };
        let size = line.split(|&byte| byte == b';').next().unwrap_or_default();
        let size = std::str::from_utf8(size).ok().and_then(|size| u64::from_str_radix(size.trim(), 16).ok());
        let Some(size) = size else {
            return Err(invalid(format!("no chunk size: {}", line.escape_ascii())));
        };
        if size == 0 {
            // Trailer fields, up to the empty line.
            loop {
                match read_line(from) {
                    Ok(line) if line.is_empty() => return Ok(Ending::Chunked),
                    Ok(_) => {}
                    Err(error) => return cut(error),
                }
            }
        }
        match from.take(size).read_to_end(body) {
            Ok(read) if read as u64 == size => {}
            Ok(_) => return Ok(Ending::Cut),
            Err(error) => return cut(error),
        }
        match read_line(from) {
            Ok(line) if line.is_empty() => {}
            Ok(line) => return Err(invalid(format!("behind a chunk: {}", line.escape_ascii()))),
            Err(error) => return cut(error),
        }
    }
}

/// A connection that ends or breaks inside a body is a cut response; a peer that says nothing is a failed test.
fn cut(error: io::Error) -> io::Result<Ending> {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
            Ok(Ending::Cut)
        }
        _ => Err(error),
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &str, method: &str) -> io::Result<Response> {
        Response::read(&mut bytes.as_bytes(), method)
    }

    #[test]
    fn each_way_a_body_can_end_is_told_apart() {
        let ending = |rest: &str| read(&format!("HTTP/1.1 200 OK\r\n{rest}"), "GET").unwrap().ending;
        assert_eq!(ending("Content-Length: 3\r\n\r\nabc"), Ending::Length);
        assert_eq!(ending("Content-Length: 4\r\n\r\nabc"), Ending::Cut);
        assert_eq!(ending("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), Ending::Chunked);
        assert_eq!(ending("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"), Ending::Cut);
        assert_eq!(ending("Transfer-Encoding: chunked\r\n\r\n3\r\nab"), Ending::Cut);
        assert_eq!(ending("\r\nabc"), Ending::Close);
    }

    #[test]
    fn heads_are_kept_to_the_letter() {
        let response =
            read("HTTP/1.1 299 Not \"so\" bad\r\nX-a: 1\r\nx-A:2\r\nContent-Length: 9\r\n\r\n", "HEAD").unwrap();
        assert_eq!(response.reason, b"Not \"so\" bad");
        assert_eq!(response.headers_named("X-A").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(response.ending, Ending::None);
    }

    #[test]
    fn interim_responses_are_counted_apart() {
        let response = read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", "PUT").unwrap();
        assert_eq!((response.status, response.interim), (204, vec![100]));
    }

    #[test]
    fn what_is_no_response_is_an_error() {
        for bad in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\nA: b\n\n", "hello\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n"] {
            assert!(read(bad, "GET").is_err(), "{bad:?}");
        }
    }
}
