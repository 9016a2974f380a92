//! Clients that others wrote: curl and Python's `http.client`, against the probe over plain HTTP.

use std::io;
use std::net::SocketAddr;
use std::process::Command;

use crate::pair::probe;
use crate::process::{Place, Process, find, output, skipped};

/// A probe to talk to; `None` where the client is missing.
fn start(test: &str, client: &str) -> Option<(Place, Process, SocketAddr)> {
    if find(client).is_none() {
        skipped(test, &format!("there is no {client} here"));
        return None;
    }
    let place = Place::new().unwrap();
    place.program("probe").unwrap();
    let mut process = probe(&place, "probe", &["--http", "127.0.0.1:0"]).unwrap();
    let address = process.await_address().unwrap();
    Some((place, process, address))
}

#[test]
fn curl() {
    let Some((place, _probe, address)) = start("curl", "curl") else { return };
    let curl = |arguments: &[&str], path: &str, input: &[u8]| -> io::Result<String> {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--max-time", "60", "--noproxy", "*"]).args(arguments);
        let output = output(command.arg(format!("http://{address}{path}")), input)?;
        Ok(String::from_utf8_lossy(&output).into_owned())
    };
    let large = vec![b'x'; 3_000_000];

    assert_eq!(curl(&[], "/", b"").unwrap(), "Hello, world!");
    assert_eq!(curl(&["--http1.0"], "/stream/3/4", b"").unwrap(), "012301230123");
    // Several on one connection.
    let several = format!("http://{address}/none");
    assert_eq!(curl(&[&several, &several], "/", b"").unwrap(), "Hello, world!");
    let head = curl(&["--head"], "/bytes/12", b"").unwrap();
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\n") && head.to_lowercase().contains("content-length: 12\r\n"),
        "{head}"
    );
    // curl waits for `100 Continue` before a body of this size.
    let answer = curl(&["--data-binary", "@-"], "/length", &large).unwrap();
    assert!(answer.contains("\"length\":3000000") || answer.contains("\"length\": 3000000"), "{answer}");
    let chunked = ["--upload-file", "-", "--header", "Content-Type: a/b"];
    assert_eq!(curl(&chunked, "/echo", &large).unwrap().len(), large.len());
    let status = ["--output", "/dev/null", "--write-out", "%{http_code} %{size_download}"];
    assert_eq!(curl(&status, "/status/204", b"").unwrap(), "204 0");
    assert_eq!(curl(&status, "/status/304", b"").unwrap(), "304 0");
    assert_eq!(curl(&status, "/error/first", b"").unwrap().split(' ').next(), Some("500"));
    // A response that breaks off: curl's exit status 18, which is no success.
    assert!(curl(&[], "/error/later", b"").unwrap_err().to_string().contains("18"));
    assert!(curl(&["--http1.0"], "/error/later", b"").is_err());
    // Cookies there and back.
    let jar = place.text("jar");
    curl(&["--cookie-jar", &jar], "/cookie", b"").unwrap();
    let environ = curl(&["--cookie", &jar], "/environ", b"").unwrap();
    assert!(environ.contains("a=1; b=2") || environ.contains("b=2; a=1"), "{environ}");
}

/// `http.client` on one connection that is kept, and on others.
pub(crate) const PYTHON: &str = r#"
import http.client, json, sys

host = sys.argv[1]
kept = http.client.HTTPConnection(host, timeout=60)

def ask(method, path, body=None, headers={}, **options):
    kept.request(method, path, body, headers, **options)
    response = kept.getresponse()
    return response, response.read()

response, body = ask("GET", "/")
assert (response.status, response.reason, body) == (200, "OK", b"Hello, world!"), body
socket = kept.sock
response, body = ask("GET", "/stream/5/1000")
assert response.chunked and len(body) == 5000
response, body = ask("HEAD", "/bytes/77")
assert (response.getheader("content-length"), body) == ("77", b"")
for status in 204, 304:
    response, body = ask("GET", f"/status/{status}")
    assert (response.status, body) == (status, b"")
response, body = ask("GET", "/status/299?reason=Quite%20Right")
assert response.reason == "Quite Right"
medium = b"0123456789" * 10000
response, body = ask("POST", "/echo", medium, {"Content-Type": "a/b"})
assert body == medium
response, body = ask("POST", "/length", iter([b"abc", b"", b"de" * 50000]), encode_chunked=True)
assert json.loads(body)["length"] == 100003, body
response, body = ask("GET", "/cookie")
assert response.headers.get_all("set-cookie") == ["a=1", "b=2"], response.getheaders()
response, body = ask("GET", "/environ/caf%C3%A9?a=%20", headers={"X-Test": "one", "Cookie": "c=3"})
environ = json.loads(body)
assert environ["PATH_INFO"] == "/environ/caf\u00e9" and environ["HTTP_COOKIE"] == "c=3", environ
response, body = ask("GET", "/error")
assert response.status == 500 and b"asked" not in body
assert kept.sock is socket, "the connection was not kept"
large = b"0123456789" * 300000
response, body = ask("POST", "/echo", large)
assert body == large

kept.request("GET", "/error/later")
response = kept.getresponse()
assert response.status == 200
try:
    response.read()
    sys.exit("a response that broke off looks whole")
except http.client.IncompleteRead as error:
    assert error.partial == b"partial", error.partial
print("done")
"#;

#[test]
fn python_http_client() {
    let Some((place, _probe, address)) = start("python_http_client", "python3") else { return };
    let script = place.write("client.py", PYTHON).unwrap();
    let output = output(Command::new("python3").arg(script).arg(address.to_string()), b"").unwrap();
    assert_eq!(output, b"done\n");
}
