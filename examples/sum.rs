//! Adds numbers that come in the query: `/sum?a=1&b=2` is 3, and `/sum?operand=0.1&operand=0.2&operand=0.3` is 0.6.
//!
//! `cargo run --release --bin sum`, then open <http://127.0.0.1:8080/>. Numbers are exact however long they are; what
//! is none is refused with a sentence that says so. It shows how a query is read, and what becomes of an error.

use maud::html;
use wgi::{Body, Environ, Error, StartResponse, StatusCode};
use wgi_examples::{number, page};

fn sum(environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
    if !page::is_get(&environ) {
        return page::not_allowed(start_response);
    }
    match environ.path_info() {
        b"" | b"/" => home(&environ, start_response),
        b"/sum" => add(&environ, start_response),
        _ => Err(Error::refused(StatusCode::NOT_FOUND, "there is only /sum?a=1&b=2")),
    }
}

fn add(environ: &Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
    let mut operands = Vec::new();
    for (name, value) in form_urlencoded::parse(environ.query_string()) {
        match name.as_ref() {
            "a" | "b" | "operand" => operands.push(number::parse(&value)?),
            _ => {
                let reason = format!("“{}” is not a parameter; use a, b or operand", name.escape_debug());
                return Err(Error::refused(StatusCode::BAD_REQUEST, reason));
            }
        }
    }
    if operands.is_empty() {
        return Err(Error::refused(StatusCode::BAD_REQUEST, "there is nothing to add; try /sum?a=1&b=2"));
    }
    let equation = operands.iter().map(number::show).collect::<Vec<_>>().join(" + ");
    page::result(environ, start_response, &equation, number::show(&operands.iter().sum()))
}

fn home(environ: &Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
    let root = page::root(environ);
    let examples = ["a=1&b=2", "operand=0.1&operand=0.2&operand=0.3", "a=-1.5&b=99999999999999999999"];
    let content = html! {
        h1 { "Sum" }
        form action={ (root) "/sum" } {
            label { "First number" input name="a" value="1" inputmode="decimal" required; }
            label { "Second number" input name="b" value="2" inputmode="decimal" required; }
            button { "Add" }
        }
        p { "Or by address: numbers named " code { "a" } ", " code { "b" } " or " code { "operand" } ", as many as you like." }
        ul {
            @for query in examples {
                li { a href={ (root) "/sum?" (query) } { code { "/sum?" (query) } } }
            }
        }
        p.soft { "Sums are exact. A browser gets a page, a program the bare number." }
    };
    page::page(start_response, "Sum", content)
}

fn main() {
    wgi_host::run(sum)
}

#[cfg(test)]
mod tests {
    use wgi::testing::Client;

    #[test]
    fn numbers_are_added() {
        for (query, expected) in [
            ("a=1&b=2", "3"),
            ("operand=1&operand=2&operand=3", "6"),
            ("a=0.1&b=0.2", "0.3"),
            ("a=%2B1&b=+-2", "-1"),
            ("a=170141183460469231731687303715884105727&b=1", "170141183460469231731687303715884105728"),
        ] {
            let response = Client::new(super::sum).get(&format!("/sum?{query}")).send();
            assert_eq!((response.status.as_u16(), response.text().as_ref()), (200, expected), "{query}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for (query, reason) in [
            ("a=one&b=2", "“one” is not a number"),
            ("a=&b=2", "“” is not a number"),
            ("a=1e3", "“1e3” is not a number"),
            ("a=x%0D%0Ay", "“x\\r\\ny” is not a number"),
            ("c=1", "“c” is not a parameter"),
            ("", "there is nothing to add"),
        ] {
            let response = Client::new(super::sum).get(&format!("/sum?{query}")).send();
            assert_eq!(response.status, 400, "{query}");
            assert!(response.text().contains(reason), "{query}: {}", response.text());
        }
    }

    #[test]
    fn a_browser_gets_a_page() {
        let client = Client::new(super::sum).mount("/cgi-bin/sum");
        let home = client.get("/cgi-bin/sum").send();
        assert!(home.text().contains("href=\"/cgi-bin/sum/sum?a=1&amp;b=2\""), "{}", home.text());
        let result = client.get("/cgi-bin/sum/sum?a=1&b=2").header("accept", "text/html,*/*;q=0.8").send();
        assert!(result.text().contains("<h1 class=\"result\">3</h1>"), "{}", result.text());
    }

    #[test]
    fn other_pages_and_methods_are_refused() {
        let client = Client::new(super::sum);
        assert_eq!(client.get("/total").send().status, 404);
        let response = client.post("/sum?a=1&b=2").send();
        assert_eq!((response.status.as_u16(), response.header("allow")), (405, Some("GET, HEAD")));
        assert_eq!(client.head("/").send().status, 200);
    }
}
