//! Small servers with a `cgi-bin`: Python's `http.server` and BusyBox's `httpd`.

use std::process::Command;

use crate::pair::{ONE_CALL, Pair};
use crate::process::{Process, find};

const ALWAYS_200: &str = "http.server sends 200 before it starts the script, and its Status as a field behind that";
const ENDS_WITH_CONNECTION: &str = "the body ends with the connection, whole or not";
const FEW_FIELDS: &str = "http.server passes on a handful of fields: Accept, Cookie, Referer, User-Agent and Content-*";
const DECODES: &str = "http.server decodes a path as UTF-8, more than once, and before it looks for the question mark";
const MERGES_SLASHES: &str = "it merges slashes";
const NO_CHUNKED: &str = "it knows no chunked request";
const NO_SLASH: &str = "httpd takes a path that ends with a slash for a folder, and looks for its index";
const SHORT_LINES: &str = "httpd takes a line of less than 4 KiB";
const NO_CONTINUE: &str = "it never answers Expect";
const OWN_CONDITIONS: &str = "httpd keeps conditional requests to itself";
const NO_ENCODED_SLASH: &str = "httpd refuses an encoded slash";
const UNDERSCORES: &str = "httpd makes one variable of both, and no program can tell them apart";

pub(crate) const PYTHON: Pair = Pair {
    name: "python_http_server",
    needs: &["python3"],
    prefix: "/cgi-bin/probe",
    cannot: &[
        ("methods", "http.server knows GET, HEAD and POST alone"),
        ("upload_chunked", NO_CHUNKED),
        ("upload_continue", NO_CONTINUE),
        ("status", ALWAYS_200),
        ("reason", ALWAYS_200),
        ("204", ALWAYS_200),
        ("304", ALWAYS_200),
        ("split_header", ALWAYS_200),
        ("restart", ALWAYS_200),
        ("error", ALWAYS_200),
        ("error_started", ALWAYS_200),
        ("error_first", ALWAYS_200),
        ("panic", ALWAYS_200),
        ("nostart", ALWAYS_200),
        ("twice", ALWAYS_200),
        ("hop", ALWAYS_200),
        ("not_found", ALWAYS_200),
        ("error_later", ENDS_WITH_CONNECTION),
        ("panic_later", ENDS_WITH_CONNECTION),
        ("closes", ONE_CALL),
        ("environ_fields", FEW_FIELDS),
        ("underscore", FEW_FIELDS),
        ("url", FEW_FIELDS),
        ("path_bytes", DECODES),
        ("path_percent", DECODES),
        ("path_question", DECODES),
        ("path_double_slash", MERGES_SLASHES),
    ],
    lacks: &[
        ("SERVER_PROTOCOL", "http.server says what it speaks itself"),
        ("CONTENT_TYPE", "http.server makes one up where there is none"),
        ("HTTP_X_TEST", FEW_FIELDS),
    ],
    start: |place, address| {
        place.folder("cgi-bin")?;
        place.program("cgi-bin/probe")?;
        let mut command = Command::new(find("python3").unwrap_or_default());
        command
            .args(["-m", "http.server", "--cgi", "--bind", &address.ip().to_string(), "--directory"])
            .arg(place.path(""))
            .arg(address.port().to_string());
        Ok(vec![Process::start(place, "python", &mut command)?])
    },
};

pub(crate) const BUSYBOX: Pair = Pair {
    name: "busybox_httpd",
    needs: &["busybox"],
    prefix: "/cgi-bin/probe",
    cannot: &[
        ("hello", NO_SLASH),
        ("head", NO_SLASH),
        ("path_slash", NO_SLASH),
        ("upload_chunked", NO_CHUNKED),
        ("upload_continue", NO_CONTINUE),
        ("error_later", ENDS_WITH_CONNECTION),
        ("panic_later", ENDS_WITH_CONNECTION),
        ("closes", ONE_CALL),
        ("environ_fields", OWN_CONDITIONS),
        ("underscore", UNDERSCORES),
        ("path_encoded_slash", NO_ENCODED_SLASH),
        ("path_double_slash", MERGES_SLASHES),
        ("path_long", SHORT_LINES),
    ],
    lacks: &[],
    start: |place, address| {
        place.folder("cgi-bin")?;
        place.program("cgi-bin/probe")?;
        let mut command = Command::new(find("busybox").unwrap_or_default());
        command.args(["httpd", "-f", "-vv", "-p", &address.to_string(), "-h"]).arg(place.path(""));
        Ok(vec![Process::start(place, "busybox", &mut command)?])
    },
};
