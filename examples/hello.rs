//! The smallest application: it says hello to everybody.
//!
//! `cargo run --release --bin hello`, then open <http://127.0.0.1:8080/>.

use wgi::header::CONTENT_TYPE;
use wgi::{Body, Environ, Error, StartResponse, StatusCode};

fn hello(_environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
    start_response.start(StatusCode::OK, [(CONTENT_TYPE, "text/plain; charset=utf-8")])?;
    Ok(Body::from("Hello, world!\n"))
}

fn main() {
    wgi_host::run(hello)
}

#[cfg(test)]
mod tests {
    use wgi::testing::Client;

    #[test]
    fn it_says_hello() {
        let response = Client::new(super::hello).get("/").send();
        assert_eq!(response.status, 200);
        assert_eq!(response.text(), "Hello, world!\n");
    }
}
