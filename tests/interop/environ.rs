//! The checks of the environ: what the probe was called with through a server, beside what it gets directly.

use crate::host::{Check, Host, ensure, environ_of, equal, request, text};

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

pub(crate) fn same_environ(host: &Host, method: &str, path: &str, body: &[u8]) -> Check {
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
        if ours != theirs && !host.lacks.iter().any(|(lacking, _)| *lacking == name) {
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

pub(crate) fn environ_fields(host: &Host) -> Check {
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

pub(crate) fn environ_server(host: &Host) -> Check {
    let environ = host.environ("GET", "/environ", "", b"")?;
    for name in ["SERVER_NAME", "SERVER_PORT", "SERVER_SOFTWARE"] {
        ensure(!text(&environ, name).is_empty(), || format!("{name} is empty"))?;
    }
    ensure(text(&environ, "SERVER_PORT").parse::<u16>().is_ok(), || "SERVER_PORT is no port".into())?;
    Ok(())
}

pub(crate) fn environ_gateway(host: &Host) -> Check {
    let environ = host.environ("GET", "/environ", "", b"")?;
    equal("wgi.url_scheme", environ["wgi"]["url_scheme"].as_str(), Some("http"))?;
    for flag in ["multithread", "multiprocess", "run_once"] {
        ensure(environ["wgi"][flag].is_boolean(), || format!("wgi.{flag} is missing"))?;
    }
    Ok(())
}

pub(crate) fn httpoxy(host: &Host) -> Check {
    let environ = host.environ("GET", "/environ", "Proxy: http://evil.example\r\n", b"")?;
    ensure(!environ.contains_key("HTTP_PROXY"), || "Proxy: became HTTP_PROXY".into())
}

pub(crate) fn underscore(host: &Host) -> Check {
    let response = host.request("GET", "/environ", "X_Real_Test: spoofed\r\nX-Plain: 1\r\n", b"")?;
    if response.status == 400 {
        return Ok(());
    }
    let environ = environ_of(&response)?;
    equal("HTTP_X_PLAIN", text(&environ, "HTTP_X_PLAIN"), "1")?;
    ensure(!environ.contains_key("HTTP_X_REAL_TEST"), || "X_Real_Test: passes for X-Real-Test".into())
}

pub(crate) fn url(host: &Host) -> Check {
    let response = host.get("/url?a=%20b")?;
    let expected = format!("http://{}{}/url?a=%20b", host.address, host.prefix);
    equal("the URL", response.text().trim_end(), expected.as_str())
}

pub(crate) fn path_long(host: &Host) -> Check {
    same_environ(host, "GET", &format!("/environ/{}?{}", "a/".repeat(1500), "b".repeat(3000)), b"")
}
