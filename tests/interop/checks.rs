//! The checks of requests and responses: bodies both ways, heads, errors, and what is closed.

use std::io::{self, Read};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};
use wgi_conformance::client::{Connection, Ending, Response};

use crate::host::{Check, Host, ensure, equal, eventually, exchange, status_is, text};

/// What the probe's bodies are made of.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    b"0123456789abcdef".iter().copied().cycle().take(length).collect()
}

pub(crate) fn hello(host: &Host) -> Check {
    let response = host.get("/")?;
    status_is(&response, 200)?;
    equal("the body", response.text().as_str(), "Hello, world!")?;
    let content_type = response.header("content-type").unwrap_or_default();
    ensure(content_type.starts_with("text/plain"), || format!("Content-Type: {content_type}"))
}

pub(crate) fn http_1_0(host: &Host) -> Check {
    let head = format!("GET {}/stream/3/5 HTTP/1.0\r\nHost: {}\r\n\r\n", host.prefix, host.address);
    let response = exchange(host.address, "GET", head.as_bytes(), b"")?;
    status_is(&response, 200)?;
    ensure(response.ending != Ending::Chunked, || "chunked to a client of HTTP/1.0".into())?;
    equal("the body's length", response.body.len(), 15)
}

pub(crate) fn head(host: &Host) -> Check {
    for path in ["/", "/bytes/1000", "/stream/3/1000", "/file/1000"] {
        let mut connection = Connection::open(host.address)?;
        let fields = format!("Host: {}\r\nConnection: close\r\n", host.address);
        connection.send(format!("HEAD {}{path} HTTP/1.1\r\n{fields}\r\n", host.prefix))?;
        let response = connection.receive("HEAD")?;
        status_is(&response, 200)?;
        let rest = connection.rest()?;
        ensure(rest.is_empty(), || format!("{path}: {} bytes behind the head", rest.len()))?;
    }
    Ok(())
}

pub(crate) fn methods(host: &Host) -> Check {
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let environ = host.environ(method, "/environ", "", b"")?;
        equal("REQUEST_METHOD", text(&environ, "REQUEST_METHOD"), method)?;
    }
    Ok(())
}

pub(crate) fn concurrent(host: &Host) -> Check {
    let results: Vec<io::Result<()>> = thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|client| {
                scope.spawn(move || {
                    for turn in 0..5 {
                        let length = 1000 * client + turn + 1;
                        let response = host.get(&format!("/bytes/{length}"))?;
                        if response.body != pattern(length) {
                            return Err(io::Error::other(format!("{length} bytes: got {}", response.body.len())));
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap_or_else(|_| Err(io::Error::other("panicked")))).collect()
    });
    Ok(results.into_iter().collect::<io::Result<()>>()?)
}

pub(crate) fn download(host: &Host, path: &str, length: usize) -> Check {
    let response = host.get(path)?;
    status_is(&response, 200)?;
    ensure(response.is_whole(), || format!("cut after {} bytes", response.body.len()))?;
    equal("the body's length", response.body.len(), length)?;
    ensure(response.body == pattern(length), || "the body differs".into())
}

/// The first piece can be read while the next is a minute off: nobody on the way waited for more.
pub(crate) fn unbuffered(host: &Host, path: &str) -> Check {
    let mut connection = Connection::open(host.address)?;
    connection.socket().set_read_timeout(Some(Duration::from_secs(20)))?;
    connection.send(format!("GET {}{path} HTTP/1.1\r\nHost: {}\r\n\r\n", host.prefix, host.address))?;
    let response = connection.receive_head()?;
    status_is(&response, 200)?;
    let mut read = Vec::new();
    // With a chunk size in front, where it is chunked.
    while !read.ends_with(b"tick 1\n") {
        let mut byte = [0];
        if connection.reader().read(&mut byte)? == 0 || read.len() > 100 {
            return Err(format!("instead of a first tick: {}", read.escape_ascii()).into());
        }
        read.push(byte[0]);
    }
    Ok(())
}

pub(crate) fn upload(host: &Host) -> Check {
    let body: Vec<u8> = (0..20 * 1024 * 1024_u32).map(|n| (n * 7 + n / 251) as u8).collect();
    is_uploaded(&host.request("POST", "/length", "", &body)?, &body)
}

pub(crate) fn upload_chunked(host: &Host) -> Check {
    let body = pattern(300_000);
    let mut chunked = Vec::new();
    for chunk in body.chunks(70_001) {
        chunked.extend_from_slice(format!("{:x};a=\"b\"\r\n", chunk.len()).as_bytes());
        chunked.extend_from_slice(chunk);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\nX-Trailer: dropped\r\n\r\n");
    let fields = format!("Host: {}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n", host.address);
    let head = format!("POST {}/length HTTP/1.1\r\n{fields}\r\n", host.prefix);
    is_uploaded(&exchange(host.address, "POST", head.as_bytes(), &chunked)?, &body)
}

pub(crate) fn is_uploaded(response: &Response, body: &[u8]) -> Check {
    status_is(response, 200)?;
    let answer: Value = serde_json::from_slice(&response.body)?;
    equal("the length", answer["length"].as_u64(), Some(body.len() as u64))?;
    let digest: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
    equal("the digest", answer["sha256"].as_str(), Some(digest.as_str()))
}

pub(crate) fn upload_unread(host: &Host) -> Check {
    let response = host.request("POST", "/ignore", "", &pattern(100_000))?;
    status_is(&response, 200)?;
    equal("the body", response.text().as_str(), "ignored")
}

pub(crate) fn upload_continue(host: &Host) -> Check {
    let mut connection = Connection::open(host.address)?;
    let fields = format!("Host: {}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n", host.address);
    connection.send(format!("POST {}/echo HTTP/1.1\r\n{fields}Connection: close\r\n\r\n", host.prefix))?;
    // A client that waits for `100 Continue` sends the body only then.
    let mut first = [0; 12];
    connection.reader().read_exact(&mut first)?;
    equal("the first line", String::from_utf8_lossy(&first).as_ref(), "HTTP/1.1 100")?;
    while !first.ends_with(b"\r\n\r\n") {
        first.rotate_left(1);
        connection.reader().read_exact(&mut first[11..])?;
    }
    connection.send("hello")?;
    let response = connection.receive("POST")?;
    status_is(&response, 200)?;
    equal("the body", response.text().as_str(), "hello")
}

pub(crate) fn echo(host: &Host, length: usize) -> Check {
    let body = pattern(length);
    let response = host.request("POST", "/echo", "Content-Type: image/x-test\r\n", &body)?;
    status_is(&response, 200)?;
    equal("Content-Type", response.header("content-type"), Some("image/x-test"))?;
    ensure(response.body == body, || format!("{} bytes came back, or others", response.body.len()))
}

pub(crate) fn lines(host: &Host) -> Check {
    let response = host.request("POST", "/lines", "", b"one\ntwo\r\n\nfour")?;
    status_is(&response, 200)?;
    ensure(response.text().contains('4'), || format!("the body is {:?}", response.text()))
}

pub(crate) fn status(host: &Host) -> Check {
    for code in [200, 201, 301, 400, 404, 418, 500, 503, 599] {
        let response = host.get(&format!("/status/{code}"))?;
        status_is(&response, code)?;
        equal("the body", response.text().as_str(), &format!("status {code}"))?;
    }
    Ok(())
}

pub(crate) fn reason(host: &Host) -> Check {
    let response = host.get("/status/299?reason=Quite%20Right")?;
    status_is(&response, 299)?;
    equal("the reason", String::from_utf8_lossy(&response.reason).as_ref(), "Quite Right")
}

pub(crate) fn bodiless(host: &Host, path: &str, status: u16) -> Check {
    let mut connection = Connection::open(host.address)?;
    let fields = format!("Host: {}\r\nConnection: close\r\n", host.address);
    connection.send(format!("GET {}{path} HTTP/1.1\r\n{fields}\r\n", host.prefix))?;
    let response = connection.receive("GET")?;
    status_is(&response, status)?;
    let rest = connection.rest()?;
    ensure(rest.is_empty(), || format!("behind the head: {}", rest.escape_ascii()))?;
    ensure(response.header("transfer-encoding").is_none(), || "it is framed as chunked".into())
}

pub(crate) fn headers(host: &Host) -> Check {
    let response = host.get("/header?X-One=1&X-Two=a%20%22b%22&X-One=3&ETag=%22e%22&Cache-Control=no-store")?;
    status_is(&response, 200)?;
    equal("X-One", response.headers_named("x-one").collect::<Vec<_>>().join(", ").as_str(), "1, 3")?;
    equal("X-Two", response.header("x-two"), Some("a \"b\""))?;
    equal("ETag", response.header("etag"), Some("\"e\""))?;
    equal("Cache-Control", response.header("cache-control"), Some("no-store"))
}

pub(crate) fn cookies(host: &Host) -> Check {
    let response = host.get("/cookie")?;
    status_is(&response, 200)?;
    let cookies: Vec<_> = response.headers_named("set-cookie").collect();
    ensure(cookies.len() == 2 && cookies[0].starts_with("a=1") && cookies[1].starts_with("b=2"), || {
        format!("Set-Cookie: {cookies:?}")
    })?;
    let environ = host.environ("GET", "/environ", "Cookie: a=1; b=\"2 3\"\r\n", b"")?;
    equal("HTTP_COOKIE", text(&environ, "HTTP_COOKIE"), "a=1; b=\"2 3\"")
}

/// A status and a whole body.
pub(crate) fn is(host: &Host, path: &str, status: u16, body: &str) -> Check {
    let response = host.get(path)?;
    status_is(&response, status)?;
    ensure(response.is_whole(), || "the response was cut".into())?;
    equal("the body", response.text().as_str(), body)
}

/// A clean 500 that says nothing of what happened.
pub(crate) fn fails(host: &Host, path: &str) -> Check {
    let response = host.get(path)?;
    status_is(&response, 500)?;
    ensure(response.is_whole(), || "the response was cut".into())?;
    ensure(response.header("x-b").is_none(), || "a header was split".into())?;
    // What comes behind is answered as if nothing had happened.
    status_is(&host.get("/none")?, 200)
}

/// The client can tell that what it got is not whole.
pub(crate) fn cut(host: &Host, path: &str) -> Check {
    match host.get(path) {
        Ok(response) if response.status >= 500 => {}
        Ok(response) => {
            status_is(&response, 200)?;
            ensure(!response.is_whole(), || format!("it looks whole: {:?} {:?}", response.ending, response.text()))?;
        }
        // A server that had not passed the head on yet passes nothing on.
        Err(error) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {}
        Err(error) => return Err(error.into()),
    }
    status_is(&host.get("/none")?, 200)
}

pub(crate) fn errors_stream(host: &Host) -> Check {
    status_is(&host.get("/errors")?, 200)?;
    let said = || -> io::Result<bool> {
        for entry in std::fs::read_dir(&host.folder)? {
            let path = entry?.path();
            let is_log = path.extension().is_some_and(|extension| extension == "log");
            if is_log && String::from_utf8_lossy(&std::fs::read(path)?).contains("probe says hello") {
                return Ok(true);
            }
        }
        Ok(false)
    };
    ensure(eventually(said)?, || "no log has the line".into())
}

pub(crate) fn closes(host: &Host) -> Check {
    let open = || -> Result<i64, Box<dyn std::error::Error>> {
        let counts: Value = serde_json::from_slice(&host.get("/closes")?.body)?;
        let (opened, closed) = (counts["opened"].as_i64(), counts["closed"].as_i64());
        Ok(opened.ok_or("no count")? - closed.ok_or("no count")?)
    };
    let before = open()?;
    status_is(&host.get("/stream/3/100")?, 200)?;
    // However that ends.
    let _ = host.get("/error/later");
    // A client that goes away in the middle of a body without end.
    let mut connection = Connection::open(host.address)?;
    connection.send(format!("GET {}/stream/100000/65536 HTTP/1.1\r\nHost: h\r\n\r\n", host.prefix))?;
    let response = connection.receive_head()?;
    status_is(&response, 200)?;
    connection.reader().read_exact(&mut [0; 100_000])?;
    drop(connection);
    let all_closed =
        eventually(|| open().map(|open| open <= before).map_err(|error| io::Error::other(error.to_string())))?;
    ensure(all_closed, || format!("{} bodies are still open", open().unwrap_or(-1) - before))
}
