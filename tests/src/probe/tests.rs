//! Every page of the probe, asked for without a server.

use serde_json::Value;
use wgi::ApplicationError;
use wgi::testing::{Client, Cut, Response};

use super::*;

fn get(target: &str) -> Response {
    Client::new(app()).get(target).send()
}

/// 200 as text, with that body.
#[track_caller]
fn is_text(response: &Response, body: &str) {
    assert_eq!((response.status, response.header("content-type")), (StatusCode::OK, Some("text/plain")));
    assert_eq!(response.text(), body);
}

/// A clean 500, which says nothing of what happened, and that fault in the log.
#[track_caller]
fn is_failure(response: &Response, fault: &str) {
    assert_eq!(
        (response.status, response.text().as_ref()),
        (StatusCode::INTERNAL_SERVER_ERROR, "500 Internal Server Error\n")
    );
    assert!(response.faults.iter().any(|seen| seen.to_string().contains(fault)), "{:?}", response.faults);
}

#[test]
fn hello() {
    for method in ["GET", "POST", "BREW"] {
        let response = Client::new(app()).request(method, "/").send();
        is_text(&response, "Hello, world!");
        assert_eq!(response.chunks.len(), 1);
    }
}

#[test]
fn environ() {
    for path in ["/environ", "/environ/", "/environ/%FF%E9/x/y/z"] {
        let response = Client::new(app()).get(path).header("X-Bytes", b"\xe9").header("x-text", "é").send();
        assert_eq!(response.header("content-type"), Some("application/json"));
        let shown: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!(shown["REQUEST_METHOD"], "GET");
        assert_eq!(shown["PATH_INFO"].as_str(), Some(path.replace("%FF%E9", "\u{ff}\u{e9}").as_str()));
        assert_eq!((shown["HTTP_X_BYTES"].as_str(), shown["HTTP_X_TEXT"].as_str()), (Some("é"), Some("é")));
        let wgi = json!({
            "version": [1, 0], "url_scheme": "http", "multithread": false, "multiprocess": false, "run_once": false,
        });
        assert_eq!(shown["wgi"], wgi);
    }
}

#[test]
fn the_body_of_a_request() {
    let post = |path: &str, body: &'static str| Client::new(app()).post(path).body(body).send();
    is_text(&post("/echo", "a body"), "a body");
    let response = Client::new(app()).put("/echo").header("content-type", "image/x").body("a body").send();
    assert_eq!((response.header("content-type"), response.text().as_ref()), (Some("image/x"), "a body"));
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    is_text(&post("/length", "abc"), &format!("{{\"length\": 3, \"sha256\": \"{sha256}\"}}"));
    is_text(&post("/ignore", "abc"), "ignored");
    is_text(&post("/read/2", "abc"), "{\"length\": 2}");
    is_text(&post("/read/18446744073709551615", "abc"), "{\"length\": 3}");
    is_text(&post("/lines", "one\ntwo\r\n\nfour"), "4");
    is_text(&get("/lines"), "0");
}

#[test]
fn bodies_of_the_pattern() {
    is_text(&get("/bytes/20"), "0123456789abcdef0123");
    let long = get("/bytes/200001");
    assert_eq!((long.body.len(), long.chunks.len()), (200_001, 1));
    assert!(long.body.iter().zip(endless_pattern()).all(|(&seen, expected)| seen == expected));
    assert_eq!(get("/bytes/999999999999").status, 400);

    let stream = get("/stream/3/20");
    assert_eq!((stream.chunks.len(), stream.header("content-length")), (3, None));
    assert!(stream.chunks.iter().all(|chunk| chunk == "0123456789abcdef0123"));
    assert_eq!(get("/stream/18446744073709551615/999999999999").status, 400);
    is_text(&get("/stream/0/5"), "");

    is_text(&get("/empty"), "x");
    let none = get("/none");
    is_text(&none, "");
    assert_eq!(none.header("content-length"), Some("0"));
}

fn endless_pattern() -> impl Iterator<Item = u8> {
    b"0123456789abcdef".iter().copied().cycle()
}

#[test]
fn files() {
    let client = Client::new(app());
    // Grown in steps that end inside a block, and asked for again.
    for length in [0, 5, 100_000, 20, 200_003, 100_000] {
        let response = client.get(&format!("/file/{length}")).send();
        assert_eq!(response.header("content-length"), Some(length.to_string().as_str()));
        assert_eq!(response.body.len(), length);
        assert!(response.body.iter().zip(endless_pattern()).all(|(&seen, expected)| seen == expected), "{length}");
    }
    assert_eq!(client.get("/file/99999999999999").send().status, 400);
}

#[test]
fn ticks() {
    for path in ["/drip/3/1", "/async/3/1"] {
        let response = get(path);
        assert_eq!(response.chunks, ["tick 1\n", "tick 2\n", "tick 3\n"], "{path}");
        assert_eq!(response.header("content-length"), None);
    }
    // Only as long as it takes: there is no pause before the first and behind the last.
    is_text(&get("/async/1/3600000"), "tick 1\n");
    is_text(&get("/drip/1/3600000"), "tick 1\n");
    is_text(&get("/async/0/3600000"), "");
    is_text(&get("/sleep/1"), "slept");
    assert_eq!(get("/sleep/3600001").status, 400);
}

#[test]
fn heads() {
    for code in [200, 201, 301, 400, 404, 418, 500, 599] {
        let response = get(&format!("/status/{code}"));
        assert_eq!((response.status.as_u16(), response.text().as_ref()), (code, format!("status {code}").as_str()));
    }
    for code in [204, 205, 304] {
        let response = get(&format!("/status/{code}"));
        assert_eq!((response.status.as_u16(), response.body.len(), response.header("content-type")), (code, 0, None));
    }
    assert_eq!(get("/status/299?reason=Quite%20Right").reason, "Quite Right");
    assert_eq!(get("/status/x").status, 404);
    is_failure(&get("/status/200?reason=a%0D%0Ab:%20c"), "reason phrase");
    is_failure(&get("/status/100"), "[5.3]");

    let response = get("/header?X-A=1&X-B=a%20+%22b%22&x-a=3&X-C=%E9&flag");
    let expected: [(&str, &[u8]); 6] = [
        ("x-a", b"1"),
        ("x-b", b"a +\"b\""),
        ("x-a", b"3"),
        ("x-c", b"\xe9"),
        ("flag", b""),
        ("content-type", b"text/plain"),
    ];
    let seen: Vec<_> = response.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    assert_eq!(seen[..6], expected);
    assert_eq!(get("/header?Content-Type=text/html").header("content-type"), Some("text/html"));
    for bad in ["X-A=a%0D%0AX-B:%20b", "X-A=a%0Ab", "X-A=a%00b", "X%0D=a", "X%20A=a", "=a"] {
        is_failure(&get(&format!("/header?{bad}")), "header field");
    }

    let cookies = get("/cookie");
    assert_eq!(cookies.headers.get_all(SET_COOKIE).collect::<Vec<_>>(), ["a=1", "b=2"]);
    let restarted = get("/restart");
    assert_eq!((restarted.status, restarted.text().as_ref()), (StatusCode::INTERNAL_SERVER_ERROR, "restarted"));
}

#[test]
fn write_and_the_errors_stream() {
    let written = get("/write");
    is_text(&written, "wrote returned");
    assert_eq!(written.chunks, ["wrote ", "returned"]);
    let response = get("/errors");
    assert_eq!((response.status, response.errors.as_str()), (StatusCode::OK, "probe says hello\n"));
}

#[test]
fn failures_before_the_head() {
    is_failure(&get("/error"), "asked to fail");
    is_failure(&get("/error/started"), "asked to fail");
    is_failure(&get("/error/first"), "asked to fail");
    is_failure(&get("/panic"), "panicked: the probe");
    is_failure(&get("/nostart"), "[3.2]");
    is_failure(&get("/twice"), "[5.2]");
    is_failure(&get("/hop"), "[5.4]");
    is_failure(&get("/long"), "[6.5]");
}

#[test]
fn failures_behind_the_head() {
    let cut = |path| -> Cut { Client::new(app()).get(path).try_send().unwrap_err() };
    for path in ["/error/later", "/panic/later"] {
        let cut = cut(path);
        assert_eq!((cut.response.status, cut.response.body.as_ref()), (StatusCode::OK, &b"partial"[..]), "{path}");
    }
    assert!(matches!(cut("/panic/later").response.faults[..], [Error::Application(ApplicationError::Panicked(_))]));
    let short = cut("/short");
    assert_eq!((short.response.header("content-length"), short.response.body.len()), (Some("10"), 5));
}

#[test]
fn closes() {
    let client = Client::new(app());
    let closes = || client.get("/closes").send().text().into_owned();
    assert_eq!(closes(), "{\"opened\": 0, \"closed\": 0}");
    client.get("/").send();
    client.get("/stream/2/2").send();
    client.get("/nothing").send();
    assert!(client.get("/error/later").try_send().is_err());
    client.get("/error").send();
    assert_eq!(closes(), "{\"opened\": 4, \"closed\": 4}");
}

#[test]
fn everything_else() {
    is_text(&get("/url?a=%20b"), "http://localhost/url?a=%20b");
    for path in
        ["/nothing", "/bytes", "/bytes/", "/bytes/x", "/bytes/+1", "/bytes/1/2", "//", "/error/other", "/closes/"]
    {
        assert_eq!(get(path).status, 404, "{path}");
    }
}
