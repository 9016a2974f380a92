//! A shelf of books: a list, a page for each book, and a search by author that remembers what was looked for last.
//!
//! `cargo run --release --bin bookshelf`, then open <http://127.0.0.1:8080/>. It shows a site as one application:
//!
//! - this file: which address is which page, what a search does, and the cookie
//! - `shelf.rs`: the database, which is made from `books.sql` on first use; `BOOKSHELF_DB` names another file for it
//! - `pages.rs`, `style.css`: what the pages look like

mod pages;
mod shelf;

use std::process::ExitCode;

use cookie::time::Duration;
use cookie::{Cookie, SameSite};
use wgi::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, SET_COOKIE, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use wgi::{App, Body, Environ, Error, HeaderValue, Headers, StartResponse, StatusCode};

use pages::Pages;
use shelf::Shelf;

/// The cookie with the last search.
const LAST_SEARCH: &str = "author";

/// How much of a search is taken, in characters.
const LONGEST_SEARCH: usize = 60;

struct Bookshelf {
    shelf: Shelf,
}

impl App for Bookshelf {
    fn call(&self, environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
        let pages = Pages { root: &wgi::percent::encode(environ.script_name()), last: &last_search(&environ) };
        if !matches!(environ.method(), "GET" | "HEAD") {
            let allow = Headers::from_iter([(ALLOW, HeaderValue::from_static("GET, HEAD"))]);
            return page(start_response, StatusCode::METHOD_NOT_ALLOWED, allow, pages.not_allowed());
        }
        let path = String::from_utf8_lossy(environ.path_info());
        match path.split('/').skip(1).collect::<Vec<_>>()[..] {
            [] | [""] => {
                let books = self.shelf.all()?;
                page(start_response, StatusCode::OK, Headers::new(), pages.home(&books, &self.shelf.authors()?))
            }
            ["book", id] => match self.find(id)? {
                Some(book) => {
                    let beside = self.shelf.beside(&book)?;
                    page(start_response, StatusCode::OK, Headers::new(), pages.book(&book, &beside))
                }
                None => page(start_response, StatusCode::NOT_FOUND, Headers::new(), pages.no_such_book()),
            },
            ["search"] => self.search(&environ, start_response, &pages),
            ["style.css"] => style(start_response),
            _ => page(start_response, StatusCode::NOT_FOUND, Headers::new(), pages.not_found()),
        }
    }
}

impl Bookshelf {
    /// The book of a number as it stands in a link: digits, and no zero in front.
    fn find(&self, id: &str) -> Result<Option<shelf::Book>, Error> {
        match id.parse::<i64>() {
            Ok(number) if number.to_string() == id => Ok(self.shelf.book(number)?),
            _ => Ok(None),
        }
    }

    /// Looks for an author, and remembers that. To look for nothing forgets it, and leads back to all the books.
    fn search(
        &self,
        environ: &Environ,
        start_response: &mut dyn StartResponse,
        pages: &Pages<'_>,
    ) -> Result<Body, Error> {
        let field = form_urlencoded::parse(environ.query_string()).find(|(name, _)| name == "author");
        let wanted: String =
            field.map(|(_, value)| value.trim().chars().take(LONGEST_SEARCH).collect()).unwrap_or_default();
        let path = if pages.root.is_empty() { "/" } else { pages.root };
        let cookie = Cookie::build((LAST_SEARCH, wanted.as_str())).path(path).http_only(true).same_site(SameSite::Lax);
        let age = if wanted.is_empty() { Duration::ZERO } else { Duration::days(30) };
        let cookie = cookie.max_age(age).build().encoded().to_string();

        let mut headers = Headers::from_iter([(SET_COOKIE, HeaderValue::try_from(cookie)?)]);
        if wanted.is_empty() {
            headers.append(LOCATION, HeaderValue::try_from(format!("{}/", pages.root))?);
            start_response.start(StatusCode::SEE_OTHER, headers)?;
            return Ok(Body::empty());
        }
        let books = self.shelf.by_author(&wanted)?;
        page(start_response, StatusCode::OK, headers, pages.found(&wanted, &books, &self.shelf.authors()?))
    }
}

/// What was looked for last, or nothing.
fn last_search(environ: &Environ) -> String {
    let cookies = environ.text("HTTP_COOKIE").unwrap_or_default();
    let mut cookies = Cookie::split_parse_encoded(cookies).flatten();
    let last = cookies.find(|cookie| cookie.name() == LAST_SEARCH);
    last.map(|cookie| cookie.value().chars().take(LONGEST_SEARCH).collect()).unwrap_or_default()
}

/// A page of HTML, with the headers that all of them have.
fn page(
    start_response: &mut dyn StartResponse,
    status: StatusCode,
    mut headers: Headers,
    page: maud::Markup,
) -> Result<Body, Error> {
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        // There are no scripts, and nothing comes from elsewhere.
        (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "same-origin"),
        // Each visitor sees a search of their own.
        (CACHE_CONTROL, "private, no-cache"),
        (VARY, "cookie"),
    ] {
        headers.append(name, HeaderValue::from_static(value));
    }
    start_response.start(status, headers)?;
    Ok(Body::from(page.into_string()))
}

fn style(start_response: &mut dyn StartResponse) -> Result<Body, Error> {
    let headers = [(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "max-age=3600")];
    start_response.start(StatusCode::OK, headers)?;
    Ok(Body::from(include_str!("style.css")))
}

fn main() -> ExitCode {
    match Shelf::open() {
        Ok(shelf) => wgi_host::run(Bookshelf { shelf }),
        Err(problem) => {
            eprintln!("bookshelf: {problem}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests;
