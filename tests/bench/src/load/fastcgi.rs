//! FastCGI requests as nginx sends them, and their answers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail, ensure};

use crate::cli::Run;
use crate::load::closed::{self, Load};
use crate::measure::Sample;
use crate::process::Server;
use crate::programs;

/// Record types (FastCGI 1.0, section 8).
const BEGIN_REQUEST: u8 = 1;
const END_REQUEST: u8 = 3;
const PARAMS: u8 = 4;
const STDIN: u8 = 5;
const STDOUT: u8 = 6;
const STDERR: u8 = 7;

/// An answer, taken from its records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub stdout: Vec<u8>,
    /// All bytes on the wire, headers and padding included.
    pub length: usize,
}

/// One round of load on so many kept connections.
pub fn round(run: &Run, server: &Server, connections: usize) -> Result<Sample> {
    let answer = ask(server.address)?.length;
    closed::round(run, server, &Load { connections, request: &request(), answer })
}

/// Sends one request and gives its answer.
pub fn ask(address: SocketAddr) -> Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(&request())?;
    let mut received = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece)?;
        ensure!(read > 0, "closes the connection instead of an answer");
        received.extend_from_slice(&piece[..read]);
        if let Some(answer) = parse(&received)? {
            return Ok(answer);
        }
    }
}

/// What php-fpm runs; the others answer whatever it says.
pub fn script() -> PathBuf {
    programs::home().join("programs/hello.php")
}

/// A request as nginx sends it with its own `fastcgi.conf` for a small GET with a browser's usual fields.
pub fn request() -> Vec<u8> {
    const VARIABLES: &[(&str, &str)] = &[
        ("QUERY_STRING", ""),
        ("REQUEST_METHOD", "GET"),
        ("CONTENT_TYPE", ""),
        ("CONTENT_LENGTH", ""),
        ("SCRIPT_NAME", "/"),
        ("REQUEST_URI", "/"),
        ("DOCUMENT_URI", "/"),
        ("DOCUMENT_ROOT", "/usr/share/nginx/html"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("REQUEST_SCHEME", "http"),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("SERVER_SOFTWARE", "nginx/1.22.1"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("REMOTE_PORT", "45678"),
        ("REMOTE_USER", ""),
        ("SERVER_ADDR", "127.0.0.1"),
        ("SERVER_PORT", "8080"),
        ("SERVER_NAME", "localhost"),
        ("REDIRECT_STATUS", "200"),
        ("HTTP_HOST", "localhost"),
        ("HTTP_USER_AGENT", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
        ("HTTP_ACCEPT", "text/html,application/xhtml+xml,*/*;q=0.8"),
        ("HTTP_ACCEPT_LANGUAGE", "en-GB,en;q=0.5"),
        ("HTTP_ACCEPT_ENCODING", "gzip, deflate"),
    ];
    let script = script();
    let script = script.to_str().filter(|path| path.len() < 128).unwrap_or("/hello.php");
    let mut params = Vec::new();
    for (name, value) in VARIABLES.iter().chain(&[("SCRIPT_FILENAME", script)]) {
        // All of these are shorter than 128 bytes: lengths of one byte.
        params.extend_from_slice(&[name.len() as u8, value.len() as u8]);
        params.extend_from_slice(name.as_bytes());
        params.extend_from_slice(value.as_bytes());
    }
    let mut request = Vec::new();
    // Role 1, Responder, with FCGI_KEEP_CONN.
    record(BEGIN_REQUEST, &[0, 1, 1, 0, 0, 0, 0, 0], &mut request);
    record(PARAMS, &params, &mut request);
    record(PARAMS, &[], &mut request);
    record(STDIN, &[], &mut request);
    request
}

/// A record of request 1, padded to 8 bytes as nginx does it.
fn record(kind: u8, content: &[u8], out: &mut Vec<u8>) {
    let padding = (8 - content.len() % 8) % 8;
    let [high, low] = u16::try_from(content.len()).expect("a short record").to_be_bytes();
    out.extend_from_slice(&[1, kind, 0, 1, high, low, padding as u8, 0]);
    out.extend_from_slice(content);
    out.extend_from_slice(&[0; 8][..padding]);
}

/// The answer, once `received` has its END_REQUEST.
pub fn parse(received: &[u8]) -> Result<Option<Answer>> {
    let mut answer = Answer::default();
    let mut rest = received;
    while let [version, kind, _, id, high, low, padding, _, behind @ ..] = rest {
        ensure!((*version, *id) == (1, 1), "sends a record of version {version} for request {id}");
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(content) = behind.get(..length) else { break };
        let Some(next) = behind.get(length + usize::from(*padding)..) else { break };
        rest = next;
        match *kind {
            STDOUT => answer.stdout.extend_from_slice(content),
            STDERR => {}
            END_REQUEST => {
                ensure!(content.len() == 8 && content[4] == 0, "does not complete the request: {content:?}");
                ensure!(rest.is_empty(), "sends more than one answer");
                answer.length = received.len();
                return Ok(Some(answer));
            }
            other => bail!("sends a record of type {other}"),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_the_size_of_nginx_s() {
        let length = request().len();
        assert!((600..900).contains(&length), "{length} bytes");
    }

    #[test]
    fn an_answer_is_known_only_when_whole() {
        let mut answer = Vec::new();
        record(STDOUT, b"Status: 200\r\n\r\nHello", &mut answer);
        record(STDOUT, &[], &mut answer);
        record(END_REQUEST, &[0; 8], &mut answer);
        for cut in 0..answer.len() {
            assert_eq!(parse(&answer[..cut]).unwrap(), None);
        }
        assert_eq!(parse(&answer).unwrap().unwrap().stdout, b"Status: 200\r\n\r\nHello");
    }

    #[test]
    fn an_answer_that_is_not_one_is_an_error() {
        let mut refused = Vec::new();
        record(END_REQUEST, &[0, 0, 0, 0, 2, 0, 0, 0], &mut refused);
        assert!(parse(&refused).is_err());
        assert!(parse(b"HTTP/1.1 200 OK\r\n").is_err());
    }
}
