//! Calculates with numbers that stand in the path: `/add/23/42` is 65.
//!
//! `cargo run --release --bin calculator`, then open <http://127.0.0.1:8080/>. It shows how a path is taken apart, and
//! links that work wherever the application is mounted.

use maud::html;
use num_rational::BigRational;
use wgi::{Body, Environ, Error, StartResponse, StatusCode};
use wgi_examples::{number, page};

struct Operation {
    name: &'static str,
    sign: &'static str,
    /// `None` where there is no result.
    apply: fn(BigRational, BigRational) -> Option<BigRational>,
    example: &'static str,
}

const OPERATIONS: [Operation; 4] = [
    Operation { name: "add", sign: "+", apply: |a, b| Some(a + b), example: "/add/23/42" },
    Operation { name: "subtract", sign: "−", apply: |a, b| Some(a - b), example: "/subtract/23/42" },
    Operation { name: "multiply", sign: "×", apply: |a, b| Some(a * b), example: "/multiply/0.5/12" },
    Operation { name: "divide", sign: "÷", apply: divide, example: "/divide/22/7" },
];

fn divide(a: BigRational, b: BigRational) -> Option<BigRational> {
    (b != BigRational::default()).then(|| a / b)
}

fn calculator(environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
    if !page::is_get(&environ) {
        return page::not_allowed(start_response);
    }
    let path = environ.text("PATH_INFO")?;
    match path.split('/').skip(1).collect::<Vec<_>>()[..] {
        [] | [""] => home(&environ, start_response),
        [name, a, b] => calculate(&environ, start_response, name, a, b),
        _ => Err(refused("an operation and two numbers are wanted, as in /add/23/42")),
    }
}

fn calculate(
    environ: &Environ,
    start_response: &mut dyn StartResponse,
    name: &str,
    a: &str,
    b: &str,
) -> Result<Body, Error> {
    let Some(operation) = OPERATIONS.iter().find(|operation| operation.name == name) else {
        return Err(refused(format!("“{}” is not an operation; there are {}", name.escape_debug(), names())));
    };
    let (a, b) = (number::parse(a)?, number::parse(b)?);
    let equation = format!("{} {} {}", number::show(&a), operation.sign, number::show(&b));
    match (operation.apply)(a, b) {
        Some(result) => page::result(environ, start_response, &equation, number::show(&result)),
        None => Err(refused(format!("{equation} has no result: nothing can be divided by zero"))),
    }
}

fn home(environ: &Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
    let root = page::root(environ);
    let content = html! {
        h1 { "Calculator" }
        p { "Ask by address: an operation and two numbers, with a slash in front of each." }
        table {
            @for operation in &OPERATIONS {
                tr {
                    th scope="row" { (operation.name) " " span.soft { (operation.sign) } }
                    td { a href={ (root) (operation.example) } { code { (root) (operation.example) } } }
                }
            }
        }
        h2 { "What else there is to know" }
        p { "Numbers may be negative and have a fraction: " a href={ (root) "/add/-1.5/.25" } { code { "/add/-1.5/.25" } } ". "
            "Results are exact; where no decimal is, there is also the fraction." }
        p { "What makes no sense is refused and says why, like " a href={ (root) "/divide/6/0" } { code { "/divide/6/0" } } "." }
        p.soft { "A browser gets a page, a program the bare number." }
    };
    page::page(start_response, "Calculator", content)
}

fn names() -> String {
    OPERATIONS.map(|operation| operation.name).join(", ")
}

fn refused(reason: impl Into<String>) -> Error {
    Error::refused(StatusCode::BAD_REQUEST, reason.into())
}

fn main() {
    wgi_host::run(calculator)
}

#[cfg(test)]
mod tests {
    use wgi::testing::Client;

    #[test]
    fn it_calculates() {
        for (path, expected) in [
            ("/add/23/42", "65"),
            ("/subtract/23/42", "-19"),
            ("/multiply/3/5", "15"),
            ("/multiply/0.1/0.1", "0.01"),
            ("/divide/22/11", "2"),
            ("/divide/6/4", "1.5"),
            ("/divide/22/7", "3.142857142857… (22/7)"),
            ("/divide/-1/3", "-0.333333333333… (-1/3)"),
            ("/divide/0/5", "0"),
        ] {
            let response = Client::new(super::calculator).get(path).send();
            assert_eq!((response.status.as_u16(), response.text().as_ref()), (200, expected), "{path}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for path in [
            "/divide/6/0",
            "/divide/6/-0.0",
            "/add/23/many",
            "/add/23/",
            "/add/23",
            "/add/1/2/3",
            "/power/2/3",
            "/Add/1/2",
            "/nonsense",
            "/add/%FF/1",
            "//",
        ] {
            let response = Client::new(super::calculator).get(path).send();
            assert_eq!(response.status, 400, "{path}");
        }
    }

    #[test]
    fn the_home_page_leads_on_from_any_mount_point() {
        for (mount, home) in [("", "/"), ("/cgi-bin/my%20calculator", "/cgi-bin/my%20calculator")] {
            let client = Client::new(super::calculator).mount(mount);
            let page = client.get(home).send();
            let links: Vec<_> =
                page.text().split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect();
            assert_eq!(links.len(), 6);
            for link in links {
                let expected = if link.ends_with("/divide/6/0") { 400 } else { 200 };
                assert_eq!(client.get(&link).send().status, expected, "{link}");
            }
        }
    }

    #[test]
    fn other_methods_are_refused() {
        let response = Client::new(super::calculator).post("/add/23/42").send();
        assert_eq!((response.status.as_u16(), response.header("allow")), (405, Some("GET, HEAD")));
        assert_eq!(Client::new(super::calculator).head("/add/23/42").send().header("content-length"), Some("2"));
    }
}
