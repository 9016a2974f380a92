//! The table: what is asked of the probe through every web server, and what must come back.
//!
//! A row is a name and a check. A server that cannot pass a row on says so in its [`Pair`](crate::pair::Pair), with the
//! reason; nothing here knows which server it is talking to.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use wgi_conformance::client::{Connection, Ending, Response};

/// A server with the probe behind it, and the same probe over plain HTTP to compare with.
pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    pub(crate) prefix: &'static str,
    pub(crate) direct: SocketAddr,
    /// The variables that it does not pass on.
    pub(crate) lacks: &'static [&'static str],
    /// The folder with the logs of everything that runs.
    pub(crate) folder: PathBuf,
}

/// What a check says: nothing, or what was wrong.
type Check = Result<(), Box<dyn std::error::Error>>;

/// A row of the table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) check: fn(&Host) -> Check,
}

/// Every row.
pub(crate) const ROWS: &[Row] = &[
    Row { name: "hello", check: hello },
    Row { name: "http_1_0", check: http_1_0 },
    Row { name: "head", check: head },
    Row { name: "methods", check: methods },
    Row { name: "concurrent", check: concurrent },
    // Bodies of responses.
    Row { name: "large_chunk", check: |host| download(host, "/bytes/20971520", 20_971_520) },
    Row { name: "large_stream", check: |host| download(host, "/stream/320/65536", 20_971_520) },
    Row { name: "large_file", check: |host| download(host, "/file/20971520", 20_971_520) },
    Row { name: "write", check: |host| is(host, "/write", 200, "wrote returned") },
    Row { name: "empty_chunks", check: |host| is(host, "/empty", 200, "x") },
    Row { name: "no_body", check: |host| is(host, "/none", 200, "") },
    Row { name: "ticks", check: |host| is(host, "/drip/3/20", 200, "tick 1\ntick 2\ntick 3\n") },
    Row { name: "drip", check: |host| unbuffered(host, "/drip/2/60000") },
    Row { name: "async", check: |host| unbuffered(host, "/async/2/60000") },
    // Bodies of requests.
    Row { name: "upload", check: upload },
    Row { name: "upload_chunked", check: upload_chunked },
    Row { name: "upload_unread", check: upload_unread },
    Row { name: "upload_continue", check: upload_continue },
    Row { name: "echo", check: |host| echo(host, 20_000) },
    Row { name: "echo_large", check: |host| echo(host, 3 << 20) },
    Row { name: "lines", check: lines },
    // Heads of responses.
    Row { name: "status", check: status },
    Row { name: "reason", check: reason },
    Row { name: "204", check: |host| bodiless(host, "/status/204", 204) },
    Row { name: "304", check: |host| bodiless(host, "/status/304", 304) },
    Row { name: "headers", check: headers },
    Row { name: "split_header", check: |host| fails(host, "/header?X-A=a%0D%0AX-B:%20b") },
    Row { name: "cookies", check: cookies },
    Row { name: "restart", check: |host| is(host, "/restart", 500, "restarted") },
    // Errors in front of the head, and behind it.
    Row { name: "error", check: |host| fails(host, "/error") },
    Row { name: "error_started", check: |host| fails(host, "/error/started") },
    Row { name: "error_first", check: |host| fails(host, "/error/first") },
    Row { name: "panic", check: |host| fails(host, "/panic") },
    Row { name: "nostart", check: |host| fails(host, "/nostart") },
    Row { name: "twice", check: |host| fails(host, "/twice") },
    Row { name: "hop", check: |host| fails(host, "/hop") },
    Row { name: "error_later", check: |host| cut(host, "/error/later") },
    Row { name: "panic_later", check: |host| cut(host, "/panic/later") },
    Row { name: "errors_stream", check: errors_stream },
    Row { name: "not_found", check: |host| status_is(&host.get("/nothing/here")?, 404) },
    // Bodies are closed, also those that nobody read to the end.
    Row { name: "closes", check: closes },
    // The environ.
    Row { name: "environ", check: |host| same_environ(host, "GET", "/environ", b"") },
    Row { name: "environ_post", check: |host| same_environ(host, "POST", "/environ", b"a=1&b=2") },
    Row { name: "environ_fields", check: environ_fields },
    Row { name: "environ_server", check: environ_server },
    Row { name: "environ_gateway", check: environ_gateway },
    Row { name: "httpoxy", check: httpoxy },
    Row { name: "underscore", check: underscore },
    Row { name: "url", check: url },
    Row { name: "path", check: |host| same_environ(host, "GET", "/environ/a/b.c/d", b"") },
    Row { name: "path_slash", check: |host| same_environ(host, "GET", "/environ/", b"") },
    Row { name: "path_marks", check: |host| same_environ(host, "GET", "/environ/a+b;c=d,e~f:g@h!i$j'k(l)*", b"") },
    Row { name: "path_space", check: |host| same_environ(host, "GET", "/environ/a%20b", b"") },
    Row { name: "path_utf8", check: |host| same_environ(host, "GET", "/environ/caf%C3%A9/%E2%82%AC", b"") },
    Row { name: "path_bytes", check: |host| same_environ(host, "GET", "/environ/%FF%FE%80", b"") },
    Row { name: "path_percent", check: |host| same_environ(host, "GET", "/environ/100%25/%2541", b"") },
    Row { name: "path_question", check: |host| same_environ(host, "GET", "/environ/a%3Fb%23c?d", b"") },
    Row { name: "path_quotes", check: |host| same_environ(host, "GET", "/environ/%22%3C%3E%5C%7C", b"") },
    Row { name: "path_encoded_slash", check: |host| same_environ(host, "GET", "/environ/a%2Fb", b"") },
    Row { name: "path_double_slash", check: |host| same_environ(host, "GET", "/environ//a//b", b"") },
    Row { name: "path_letters", check: |host| same_environ(host, "GET", "/%65nviron/%41", b"") },
    Row { name: "path_long", check: path_long },
    Row { name: "query", check: |host| same_environ(host, "GET", "/environ?a=1&b=%20+&c=%C3%A9&d", b"") },
    Row { name: "query_odd", check: |host| same_environ(host, "GET", "/environ?%zz&&==?/;%", b"") },
    Row { name: "query_words", check: |host| same_environ(host, "GET", "/environ?-h+--http+:80", b"") },
    Row { name: "query_empty", check: |host| same_environ(host, "GET", "/environ?", b"") },
];

impl Host {
    /// Sends a request to the probe's path below the prefix, and reads the response.
    pub(crate) fn request(&self, method: &str, path: &str, fields: &str, body: &[u8]) -> io::Result<Response> {
        request(self.address, method, &format!("{}{path}", self.prefix), fields, body)
    }

    fn get(&self, path: &str) -> io::Result<Response> {
        self.request("GET", path, "", b"")
    }

    /// What `/environ` says to a request, through the server.
    fn environ(
        &self,
        method: &str,
        path: &str,
        fields: &str,
        body: &[u8],
    ) -> Result<Map<String, Value>, Box<dyn std::error::Error>> {
        environ_of(&self.request(method, path, fields, body)?)
    }
}

fn request(address: SocketAddr, method: &str, target: &str, fields: &str, body: &[u8]) -> io::Result<Response> {
    let length = match (method, body.len()) {
        ("GET" | "HEAD" | "OPTIONS" | "DELETE", 0) => String::new(),
        (_, length) => format!("Content-Length: {length}\r\n"),
    };
    let head = format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{length}{fields}\r\n");
    exchange(address, method, head.as_bytes(), body)
}

/// Sends a head and a body, and reads the response at the same time: neither side waits for the other's buffers.
fn exchange(address: SocketAddr, method: &str, head: &[u8], body: &[u8]) -> io::Result<Response> {
    let mut connection = Connection::open(address)?;
    let mut sender = connection.socket().try_clone()?;
    thread::scope(|scope| {
        scope.spawn(move || {
            // A server may answer and close before it has read everything.
            let _ = io::Write::write_all(&mut sender, head).and_then(|()| io::Write::write_all(&mut sender, body));
        });
        let response = connection.receive(method);
        let _ = connection.socket().shutdown(std::net::Shutdown::Both);
        response
    })
}

/// What the probe's bodies are made of.
fn pattern(length: usize) -> Vec<u8> {
    b"0123456789abcdef".iter().copied().cycle().take(length).collect()
}

fn hello(host: &Host) -> Check {
    let response = host.get("/")?;
    status_is(&response, 200)?;
    equal("the body", response.text().as_str(), "Hello, world!")?;
    let content_type = response.header("content-type").unwrap_or_default();
    ensure(content_type.starts_with("text/plain"), || format!("Content-Type: {content_type}"))
}

fn http_1_0(host: &Host) -> Check {
    let head = format!("GET {}/stream/3/5 HTTP/1.0\r\nHost: {}\r\n\r\n", host.prefix, host.address);
    let response = exchange(host.address, "GET", head.as_bytes(), b"")?;
    status_is(&response, 200)?;
    ensure(response.ending != Ending::Chunked, || "chunked to a client of HTTP/1.0".into())?;
    equal("the body's length", response.body.len(), 15)
}

fn head(host: &Host) -> Check {
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

fn methods(host: &Host) -> Check {
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let environ = host.environ(method, "/environ", "", b"")?;
        equal("REQUEST_METHOD", text(&environ, "REQUEST_METHOD"), method)?;
    }
    Ok(())
}

fn concurrent(host: &Host) -> Check {
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

fn download(host: &Host, path: &str, length: usize) -> Check {
    let response = host.get(path)?;
    status_is(&response, 200)?;
    ensure(response.is_whole(), || format!("cut after {} bytes", response.body.len()))?;
    equal("the body's length", response.body.len(), length)?;
    ensure(response.body == pattern(length), || "the body differs".into())
}

/// The first piece can be read while the next is a minute off: nobody on the way waited for more.
fn unbuffered(host: &Host, path: &str) -> Check {
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

fn upload(host: &Host) -> Check {
    let body: Vec<u8> = (0..20 * 1024 * 1024_u32).map(|n| (n * 7 + n / 251) as u8).collect();
    is_uploaded(&host.request("POST", "/length", "", &body)?, &body)
}

fn upload_chunked(host: &Host) -> Check {
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

fn is_uploaded(response: &Response, body: &[u8]) -> Check {
    status_is(response, 200)?;
    let answer: Value = serde_json::from_slice(&response.body)?;
    equal("the length", answer["length"].as_u64(), Some(body.len() as u64))?;
    let digest: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
    equal("the digest", answer["sha256"].as_str(), Some(digest.as_str()))
}

fn upload_unread(host: &Host) -> Check {
    let response = host.request("POST", "/ignore", "", &pattern(100_000))?;
    status_is(&response, 200)?;
    equal("the body", response.text().as_str(), "ignored")
}

fn upload_continue(host: &Host) -> Check {
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

fn echo(host: &Host, length: usize) -> Check {
    let body = pattern(length);
    let response = host.request("POST", "/echo", "Content-Type: image/x-test\r\n", &body)?;
    status_is(&response, 200)?;
    equal("Content-Type", response.header("content-type"), Some("image/x-test"))?;
    ensure(response.body == body, || format!("{} bytes came back, or others", response.body.len()))
}

fn lines(host: &Host) -> Check {
    let response = host.request("POST", "/lines", "", b"one\ntwo\r\n\nfour")?;
    status_is(&response, 200)?;
    ensure(response.text().contains('4'), || format!("the body is {:?}", response.text()))
}

fn status(host: &Host) -> Check {
    for code in [200, 201, 301, 400, 404, 418, 500, 503, 599] {
        let response = host.get(&format!("/status/{code}"))?;
        status_is(&response, code)?;
        equal("the body", response.text().as_str(), &format!("status {code}"))?;
    }
    Ok(())
}

fn reason(host: &Host) -> Check {
    let response = host.get("/status/299?reason=Quite%20Right")?;
    status_is(&response, 299)?;
    equal("the reason", String::from_utf8_lossy(&response.reason).as_ref(), "Quite Right")
}

fn bodiless(host: &Host, path: &str, status: u16) -> Check {
    let mut connection = Connection::open(host.address)?;
    let fields = format!("Host: {}\r\nConnection: close\r\n", host.address);
    connection.send(format!("GET {}{path} HTTP/1.1\r\n{fields}\r\n", host.prefix))?;
    let response = connection.receive("GET")?;
    status_is(&response, status)?;
    let rest = connection.rest()?;
    ensure(rest.is_empty(), || format!("behind the head: {}", rest.escape_ascii()))?;
    ensure(response.header("transfer-encoding").is_none(), || "it is framed as chunked".into())
}

fn headers(host: &Host) -> Check {
    let response = host.get("/header?X-One=1&X-Two=a%20%22b%22&X-One=3&ETag=%22e%22&Cache-Control=no-store")?;
    status_is(&response, 200)?;
    equal("X-One", response.headers_named("x-one").collect::<Vec<_>>().join(", ").as_str(), "1, 3")?;
    equal("X-Two", response.header("x-two"), Some("a \"b\""))?;
    equal("ETag", response.header("etag"), Some("\"e\""))?;
    equal("Cache-Control", response.header("cache-control"), Some("no-store"))
}

fn cookies(host: &Host) -> Check {
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
fn is(host: &Host, path: &str, status: u16, body: &str) -> Check {
    let response = host.get(path)?;
    status_is(&response, status)?;
    ensure(response.is_whole(), || "the response was cut".into())?;
    equal("the body", response.text().as_str(), body)
}

/// A clean 500 that says nothing of what happened.
fn fails(host: &Host, path: &str) -> Check {
    let response = host.get(path)?;
    status_is(&response, 500)?;
    ensure(response.is_whole(), || "the response was cut".into())?;
    ensure(response.header("x-b").is_none(), || "a header was split".into())?;
    // What comes behind is answered as if nothing had happened.
    status_is(&host.get("/none")?, 200)
}

/// The client can tell that what it got is not whole.
fn cut(host: &Host, path: &str) -> Check {
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

fn errors_stream(host: &Host) -> Check {
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

fn closes(host: &Host) -> Check {
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

/// What a request's environ must have in common through every server.
const COMPARED: [&str; 9] = [
    "REQUEST_METHOD",
    "SERVER_PROTOCOL",
    "QUERY_STRING",
    "CONTENT_TYPE",
    "CONTENT_LENGTH",
    "REMOTE_ADDR",
    "GATEWAY_INTERFACE",
    "HTTP_X_TEST",
    "HTTP_ACCEPT",
];

fn same_environ(host: &Host, method: &str, path: &str, body: &[u8]) -> Check {
    let mut fields = String::from("X-Test: a  b, \"c\"\r\nAccept: text/html;q=0.5\r\n");
    if !body.is_empty() {
        fields.push_str("Content-Type: application/x-www-form-urlencoded\r\n");
    }
    let through = host.environ(method, path, &fields, body)?;
    let direct = environ_of(&request(host.direct, method, path, &fields, body)?)?;
    let mut differences = Vec::new();
    for name in COMPARED {
        // PEP 3333 lets these be empty or absent; both mean the same. Some give the length of no body, too.
        let (mut ours, theirs) = (text(&through, name), text(&direct, name));
        if name == "CONTENT_LENGTH" && ours == "0" {
            ours = "";
        }
        if ours != theirs && !host.lacks.contains(&name) {
            differences.push(format!("{name} is {ours:?}, directly {theirs:?}"));
        }
    }
    let (ours, theirs) = (text(&through, "PATH_INFO"), text(&direct, "PATH_INFO"));
    if ours != theirs || text(&through, "SCRIPT_NAME") != host.prefix {
        let script_name = text(&through, "SCRIPT_NAME");
        differences.push(format!("SCRIPT_NAME {script_name:?} PATH_INFO {ours:?}, directly \"\" {theirs:?}"));
    }
    ensure(differences.is_empty(), || differences.join("; "))
}

fn environ_fields(host: &Host) -> Check {
    let fields = "X-Empty:\r\nX-High: \u{e9}\r\nReferer: http://example.org/?a\r\nUser-Agent: test/1 (b; c)\r\n\
                  If-None-Match: \"e\"\r\n";
    let environ = host.environ("GET", "/environ", fields, b"")?;
    equal("HTTP_X_HIGH", text(&environ, "HTTP_X_HIGH"), "\u{e9}")?;
    equal("HTTP_REFERER", text(&environ, "HTTP_REFERER"), "http://example.org/?a")?;
    equal("HTTP_USER_AGENT", text(&environ, "HTTP_USER_AGENT"), "test/1 (b; c)")?;
    equal("HTTP_IF_NONE_MATCH", text(&environ, "HTTP_IF_NONE_MATCH"), "\"e\"")?;
    equal("HTTP_HOST", text(&environ, "HTTP_HOST"), host.address.to_string().as_str())?;
    for name in ["HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING"] {
        ensure(!environ.contains_key(name), || format!("{name} is there"))?;
    }
    Ok(())
}

fn environ_server(host: &Host) -> Check {
    let environ = host.environ("GET", "/environ", "", b"")?;
    for name in ["SERVER_NAME", "SERVER_PORT", "SERVER_SOFTWARE"] {
        ensure(!text(&environ, name).is_empty(), || format!("{name} is empty"))?;
    }
    ensure(text(&environ, "SERVER_PORT").parse::<u16>().is_ok(), || "SERVER_PORT is no port".into())?;
    Ok(())
}

fn environ_gateway(host: &Host) -> Check {
    let environ = host.environ("GET", "/environ", "", b"")?;
    equal("wgi.url_scheme", environ["wgi"]["url_scheme"].as_str(), Some("http"))?;
    for flag in ["multithread", "multiprocess", "run_once"] {
        ensure(environ["wgi"][flag].is_boolean(), || format!("wgi.{flag} is missing"))?;
    }
    Ok(())
}

fn httpoxy(host: &Host) -> Check {
    let environ = host.environ("GET", "/environ", "Proxy: http://evil.example\r\n", b"")?;
    ensure(!environ.contains_key("HTTP_PROXY"), || "Proxy: became HTTP_PROXY".into())
}

fn underscore(host: &Host) -> Check {
    let response = host.request("GET", "/environ", "X_Real_Test: spoofed\r\nX-Plain: 1\r\n", b"")?;
    if response.status == 400 {
        return Ok(());
    }
    let environ = environ_of(&response)?;
    equal("HTTP_X_PLAIN", text(&environ, "HTTP_X_PLAIN"), "1")?;
    ensure(!environ.contains_key("HTTP_X_REAL_TEST"), || "X_Real_Test: passes for X-Real-Test".into())
}

fn url(host: &Host) -> Check {
    let response = host.get("/url?a=%20b")?;
    let expected = format!("http://{}{}/url?a=%20b", host.address, host.prefix);
    equal("the URL", response.text().trim_end(), expected.as_str())
}

fn path_long(host: &Host) -> Check {
    same_environ(host, "GET", &format!("/environ/{}?{}", "a/".repeat(1500), "b".repeat(3000)), b"")
}

fn environ_of(response: &Response) -> Result<Map<String, Value>, Box<dyn std::error::Error>> {
    status_is(response, 200)?;
    match serde_json::from_slice(&response.body) {
        Ok(environ) => Ok(environ),
        Err(error) => Err(format!("{error} in {}", response.text()).into()),
    }
}

fn text<'a>(environ: &'a Map<String, Value>, name: &str) -> &'a str {
    environ.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn status_is(response: &Response, status: u16) -> Check {
    ensure(response.status == status, || format!("status {} instead of {status}: {}", response.status, response.text()))
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, seen: T, expected: T) -> Check {
    ensure(seen == expected, || format!("{what} is {seen:?} instead of {expected:?}"))
}

fn ensure(condition: bool, what: impl FnOnce() -> String) -> Check {
    if condition { Ok(()) } else { Err(what().into()) }
}

/// Asks again and again, for as long as a loaded machine may take.
fn eventually(mut is_so: impl FnMut() -> io::Result<bool>) -> io::Result<bool> {
    let start = Instant::now();
    while !is_so()? {
        if start.elapsed() > Duration::from_secs(30) {
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(true)
}
