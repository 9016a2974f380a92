//! Shows what an application is called with: every variable of the environ, as a page.
//!
//! `cargo run --release --bin environ`, then open <http://127.0.0.1:8080/any/path?and=query>. Host it as CGI or behind
//! a web server, and compare.

use maud::{Markup, html};
use wgi::{Body, Environ, Error, Gateway, StartResponse};
use wgi_examples::page::page;

/// A name as it is shown, and the value.
type Row<'a> = (String, &'a [u8]);

fn environ(environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
    let mut fields = Vec::new();
    let mut variables = Vec::new();
    for (name, value) in environ.vars().iter() {
        match field_name(name) {
            Some(field) => fields.push((field, value)),
            None => variables.push((name.escape_ascii().to_string(), value)),
        }
    }
    fields.sort();
    variables.sort();
    let content = html! {
        h1 { (environ.method()) " " (text(environ.script_name())) (text(environ.path_info())) }
        p { "This is what an application sees of this request. The URL is " code { (environ.url()) } "." }
        (table("Header fields", "What the client sent.", &fields))
        (table("Variables", "What the server says of the request, by the names of CGI.", &variables))
        (gateway(environ.gateway()))
    };
    page(start_response, "What this program was called with", content)
}

fn table(heading: &str, caption: &str, rows: &[Row<'_>]) -> Markup {
    html! {
        h2 { (heading) }
        table {
            caption { (caption) }
            @for (name, value) in rows {
                tr {
                    th scope="row" { code { (name) } }
                    td { (shown(name, value)) }
                }
            }
        }
    }
}

fn shown(name: &str, value: &[u8]) -> Markup {
    html! {
        @if is_secret(name) {
            span.soft { "not shown: " (value.len()) " bytes of credentials" }
        } @else if value.is_empty() {
            span.soft { "empty" }
        } @else {
            code { (text(value)) }
        }
    }
}

fn gateway(gateway: &Gateway) -> Markup {
    let yes_or_no = |value: bool| if value { "yes" } else { "no" };
    let rows = [
        ("version", format!("{}.{}", gateway.version.0, gateway.version.1), "of this interface"),
        ("url_scheme", gateway.url_scheme.as_str().to_owned(), "how the client got here"),
        ("multithread", yes_or_no(gateway.multithread).to_owned(), "other threads may call at the same time"),
        ("multiprocess", yes_or_no(gateway.multiprocess).to_owned(), "other processes may serve the same application"),
        ("run_once", yes_or_no(gateway.run_once).to_owned(), "the process ends behind this request"),
        ("sends_files", yes_or_no(gateway.sends_files).to_owned(), "files are sent without reading them into memory"),
    ];
    html! {
        h2 { "The gateway" }
        table {
            caption { "What the server says of itself: the " code { "wgi.*" } " variables." }
            @for (name, value, meaning) in rows {
                tr {
                    th scope="row" { code { (name) } }
                    td { (value) span.soft { ", " (meaning) } }
                }
            }
        }
    }
}

/// `HTTP_ACCEPT_LANGUAGE` is the field `Accept-Language`.
fn field_name(variable: &[u8]) -> Option<String> {
    let name = match variable {
        b"CONTENT_TYPE" | b"CONTENT_LENGTH" => variable,
        _ => variable.strip_prefix(b"HTTP_")?,
    };
    let words: Vec<_> = name
        .split(|&byte| byte == b'_')
        .map(|word| match word.split_first() {
            Some((first, rest)) => format!("{}{}", char::from(*first), rest.to_ascii_lowercase().escape_ascii()),
            None => String::new(),
        })
        .collect();
    Some(words.join("-"))
}

/// Whether a value is what somebody proves who they are with, which has no place on a page.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase().replace('-', "_");
    ["AUTHORIZATION", "COOKIE", "API_KEY", "TOKEN", "SECRET", "PASSWORD", "CLIENT_CERT"]
        .iter()
        .any(|secret| name.contains(secret))
}

/// A value as text; bytes that are not UTF-8 as escapes.
fn text(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => value.escape_ascii().to_string(),
    }
}

fn main() {
    wgi_host::run(environ)
}

#[cfg(test)]
mod tests {
    use wgi::testing::Client;

    #[test]
    fn every_variable_is_shown_and_escaped() {
        let response = Client::new(super::environ)
            .mount("/a%20mount")
            .get("/a%20mount/x%3Cscript%3E?q=%3Cb%3E&\"'")
            .header("accept-language", "<i>en</i>")
            .header("x-bytes", b"\xff")
            .var("REMOTE_USER", "ada & co")
            .send();
        assert_eq!(response.header("content-type"), Some("text/html; charset=utf-8"));
        let page = response.text();
        for part in
            ["GET /a mount/x&lt;script&gt;", "Accept-Language", "&lt;i&gt;en", "\\xff", "ada &amp; co", "REMOTE_ADDR"]
        {
            assert!(page.contains(part), "{part} in {page}");
        }
        assert!(!page.contains("<script") && !page.contains("<i>") && !page.contains("&\"'"));
    }

    #[test]
    fn credentials_are_not_shown() {
        let response = Client::new(super::environ)
            .post("/")
            .header("authorization", "Basic c2VzYW1l")
            .header("cookie", "id=c2VzYW1l")
            .header("x-api-key", "c2VzYW1l")
            .header("x-auth-token", "c2VzYW1l")
            .send();
        let page = response.text();
        assert!(page.contains("not shown: 14 bytes") && !page.contains("c2VzYW1l"));
    }
}
