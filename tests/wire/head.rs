//! Heads: what becomes of targets, hosts and fields, and the limits.

use wgi::{Body, StatusCode, header};
use wgi_engine::Options;
use wgi_http::Http;

use crate::server::Server;

/// A server that answers with the variables that are asked for in the query.
fn variables() -> Server {
    Server::new(Options::default(), |environ, start, calls| {
        calls.note("called");
        let query = String::from_utf8_lossy(environ.query_string()).into_owned();
        let value = |name| String::from_utf8_lossy(environ.var(name).unwrap_or(b"(none)")).into_owned();
        let values: Vec<_> = query.split(',').map(value).collect();
        start.start(StatusCode::OK, [(header::CONTENT_TYPE, "text/plain")])?;
        Ok(Body::from(values.join("|")))
    })
}

#[track_caller]
fn answer(server: &Server, request: &str) -> String {
    let responses = server.responses(request, &["GET"]);
    assert_eq!(responses[0].status, 200, "{request}: {}", responses[0].text());
    responses[0].text()
}

/// [10.1]
#[test]
fn the_authority_of_an_absolute_target_is_the_host() {
    let server = variables();
    let request = "GET http://real.example:81/a%20b?HTTP_HOST,PATH_INFO,REQUEST_URI HTTP/1.1\r\nHost: other\r\n\r\n";
    let uri = "http://real.example:81/a%20b?HTTP_HOST,PATH_INFO,REQUEST_URI";
    assert_eq!(answer(&server, request), format!("real.example:81|/a b|{uri}"));
}

/// [10.7]
#[test]
fn targets_of_another_form_are_refused() {
    let server = variables();
    for target in
        ["a", "*", "?", "http:/", "ftp://h/", "http://", "http://u@h/", "/a#b", "//[", "h:80", "/%", "/%zz", "/%00"]
    {
        // The last three are [11.10].
        if target == "//[" {
            continue;
        }
        let responses = server.responses(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n"), &["GET"]);
        assert_eq!(responses[0].status, 400, "{target}: {}", responses[0].text());
    }
    let responses = server.responses("CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", &["GET"]);
    assert!(matches!(responses[0].status, 400 | 405 | 501), "{:?}", responses[0]);
    assert_eq!(server.calls.lines(), [""; 0]);
}

/// [4.15]
#[test]
fn repeated_fields_are_joined() {
    let server = variables();
    let request =
        "GET /?HTTP_X_A,HTTP_COOKIE HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nCookie: a=1\r\nx-a:2\r\nCookie: b=2\r\n\r\n";
    assert_eq!(answer(&server, request), "1, 2|a=1; b=2");
}

/// [4.16] and httpoxy.
#[test]
fn fields_that_would_pass_for_others_are_dropped() {
    let server = variables();
    let names = "HTTP_X_FORWARDED_FOR,CONTENT_LENGTH,HTTP_CONTENT_LENGTH,HTTP_PROXY,HTTP_TRANSFER_ENCODING";
    let fields = "X_Forwarded_For: 1.2.3.4\r\nContent_Length: 5\r\nProxy: http://evil.example/\r\n";
    let request = format!("GET /?{names} HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
    assert_eq!(answer(&server, &request), "(none)|(none)|(none)|(none)|(none)");
}

/// Blanks around a value are not part of it (RFC 9110 §5.5), and empty lines in front of a request are skipped
/// (RFC 9112 §2.2).
#[test]
fn blanks_are_trimmed() {
    let server = variables();
    let request = "\r\nGET /?HTTP_X_A,HTTP_X_B HTTP/1.1\r\nHost:h\r\nX-A: \t a b\t \r\nX-B:\r\n\r\n";
    assert_eq!(answer(&server, request), "a b|");
}

/// [11.6]
#[test]
fn limits_have_their_own_status() {
    let server =
        Server::with_http(Http::new().max_head(2000).max_target(500), Options::default(), crate::server::listing);
    let refused = |request: String, status: u16| {
        let responses = server.responses(&request, &["GET"]);
        assert_eq!(responses[0].status, status, "{}", responses[0].text());
        assert_eq!(responses[0].header("connection"), Some("close"));
    };
    refused(format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(500)), 414);
    refused(format!("GET / HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "a".repeat(2000)), 431);
    refused(format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "X: a\r\n".repeat(300)), 431);
    // Also when the head never ends.
    refused(format!("GET / HTTP/1.1\r\nHost: h\r\nX: {}", "a".repeat(5000)), 431);
    refused(format!("GET /{}", "a".repeat(5000)), 414);
    assert_eq!(server.calls.lines(), [""; 0]);
    server.is_well();
}

/// [11.6]: many fields, with the default limits.
#[test]
fn the_number_of_fields_is_limited() {
    let server = Server::listing();
    let request = format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "a:\r\n".repeat(5000));
    assert_eq!(server.responses(request, &["GET"])[0].status, 431);
}

/// [7.9]
#[test]
fn responses_are_dated() {
    let server = Server::listing();
    let responses = server.responses("GET / HTTP/1.1\r\nHost: h\r\n\r\n", &["GET"]);
    let dates: Vec<_> = responses[0].headers_named("date").collect();
    assert_eq!(dates.len(), 1);
    // Sat, 21 Nov 2026 12:00:00 GMT
    assert!(dates[0].len() == 29 && dates[0].ends_with(" GMT"), "{dates:?}");
}

/// To the letter, but for the date.
#[test]
fn a_response_on_the_wire() {
    let server = Server::with_http(Http::new().server(None), Options::default(), |_, start, _| {
        start.start(StatusCode::OK, [("x-a", "1"), ("content-type", "text/plain"), ("date", "today")])?;
        Ok(Body::from("hello"))
    });
    let output = server.talk("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    let mut lines: Vec<_> = output.split(|&byte| byte == b'\n').map(|line| line.escape_ascii().to_string()).collect();
    // Which of the server's own fields comes first is nobody's business.
    lines[1..6].sort_by_key(|line| line.to_ascii_lowercase());
    let expected = [
        "HTTP/1.1 200 OK\\r",
        "connection: close\\r",
        "content-length: 5\\r",
        "content-type: text/plain\\r",
        "date: today\\r",
        "x-a: 1\\r",
        "\\r",
        "hello",
    ];
    assert_eq!(
        lines.iter().map(|line| line.to_ascii_lowercase()).collect::<Vec<_>>(),
        expected.map(str::to_ascii_lowercase)
    );
}
