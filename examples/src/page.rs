//! Pages: the frame around their content, and the answers that all of the examples give.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use wgi::header::{ALLOW, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use wgi::{Body, Environ, Error, StartResponse, StatusCode};

const STYLE: &str = include_str!("page.css");

/// Where links within the application start, in a form for `href`: SCRIPT_NAME, percent-encoded. A link that is put
/// behind it works wherever the application is mounted.
pub fn root(environ: &Environ) -> String {
    wgi::percent::encode(environ.script_name())
}

/// Whether a request may be answered by a page. A server answers HEAD by itself, from what GET would give.
pub fn is_get(environ: &Environ) -> bool {
    matches!(environ.method(), "GET" | "HEAD")
}

/// 405: the methods that there are (RFC 9110 §15.5.6).
///
/// # Errors
/// When a head was given before.
pub fn not_allowed(start_response: &mut dyn StartResponse) -> Result<Body, Error> {
    let headers = [(ALLOW, "GET, HEAD"), (CONTENT_TYPE, "text/plain; charset=utf-8")];
    start_response.start(StatusCode::METHOD_NOT_ALLOWED, headers)?;
    Ok(Body::from("This page can only be read: use GET or HEAD.\n"))
}

/// A page of HTML.
///
/// # Errors
/// When a head was given before.
pub fn page(start_response: &mut dyn StartResponse, title: &str, content: Markup) -> Result<Body, Error> {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"),
        (VARY, "accept"),
    ];
    start_response.start(StatusCode::OK, headers)?;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main { (content) } }
        }
    };
    Ok(Body::from(page.into_string()))
}

/// The result of a calculation: a page for a person, the bare number for a program.
///
/// # Errors
/// When a head was given before.
pub fn result(
    environ: &Environ,
    start_response: &mut dyn StartResponse,
    equation: &str,
    result: String,
) -> Result<Body, Error> {
    if environ.header("accept").is_some_and(|accept| accept.windows(9).any(|window| window == b"text/html")) {
        let content = html! {
            p.equation { (equation) " =" }
            h1.result { (result) }
            p { a href={ (root(environ)) "/" } { "Back" } }
        };
        return page(start_response, &format!("{equation} = {result}"), content);
    }
    start_response.start(StatusCode::OK, [(CONTENT_TYPE, "text/plain; charset=utf-8"), (VARY, "accept")])?;
    Ok(Body::from(result))
}
