//! wgi's hello world by its launcher: what a user's program is.

use wgi::header::CONTENT_TYPE;
use wgi::{Body, Environ, Error, HeaderValue, StartResponse, StatusCode};

fn main() {
    wgi_host::run(hello)
}

fn hello(_environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
    start_response.start(StatusCode::OK, [(CONTENT_TYPE, HeaderValue::from_static("text/plain"))])?;
    Ok(Body::from("Hello, world!"))
}
