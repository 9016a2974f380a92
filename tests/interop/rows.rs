//! The table: what is asked of the probe through every web server, and what must come back.
//!
//! A row is a name and a check. A server that cannot pass a row on says so in its [`Pair`](crate::pair::Pair), with the
//! reason; nothing here knows which server it is talking to.

use crate::checks::{
    bodiless, closes, concurrent, cookies, cut, download, echo, errors_stream, fails, head, headers, hello, http_1_0,
    is, lines, methods, reason, status, unbuffered, upload, upload_chunked, upload_continue, upload_unread,
};
use crate::environ::{
    environ_fields, environ_gateway, environ_server, httpoxy, path_long, same_environ, underscore, url,
};
use crate::host::{Check, Host, status_is};

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
