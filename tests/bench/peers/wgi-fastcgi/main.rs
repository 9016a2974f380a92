//! wgi's hello world over FastCGI, with its listening socket as descriptor 0 and the default options.

use std::error::Error as StdError;
use std::sync::Arc;

use wgi::header::CONTENT_TYPE;
use wgi::{Body, Environ, Error, HeaderValue, StartResponse, StatusCode};
use wgi_engine::{Engine, Listener, Options};
use wgi_fastcgi::FastCgi;

fn main() -> Result<(), Box<dyn StdError>> {
    let socket = rustix::stdio::stdin().try_clone_to_owned()?;
    let mut engine = Engine::new(Options::default());
    engine.stop_on_signals()?;
    engine.listen(Listener::from_fd(socket)?, FastCgi::new(), Arc::new(hello));
    engine.run()?;
    Ok(())
}

fn hello(_environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
    start_response.start(StatusCode::OK, [(CONTENT_TYPE, HeaderValue::from_static("text/plain"))])?;
    Ok(Body::from("Hello, world!"))
}
