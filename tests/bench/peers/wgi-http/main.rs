//! wgi over HTTP: `peer-wgi-http ADDRESS [THREADS]`, with the default options but for the number of threads.

use std::error::Error as StdError;
use std::io::BufRead;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use wgi::header::CONTENT_TYPE;
use wgi::{Body, Bytes, Environ, Error, HeaderName, HeaderValue, StartResponse, StatusCode};
use wgi_engine::{Engine, Listener, Options};
use wgi_http::Http;

const TEXT: [(HeaderName, HeaderValue); 1] = [(CONTENT_TYPE, HeaderValue::from_static("text/plain"))];

fn main() -> Result<(), Box<dyn StdError>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let address = arguments.first().ok_or("peer-wgi-http ADDRESS [THREADS]")?;
    let mut options = Options::default();
    if let Some(threads) = arguments.get(1) {
        options.threads = threads.parse()?;
    }
    let mut engine = Engine::new(options);
    engine.stop_on_signals()?;
    engine.listen(Listener::bind(&address.parse()?)?, Http::new(), Arc::new(app));
    engine.run()?;
    Ok(())
}

/// The probe's `/`, and those of its routes that a section asks for.
fn app(mut environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
    let path = environ.text("PATH_INFO")?;
    if path == "/" {
        start_response.start(StatusCode::OK, TEXT)?;
        return Ok(Body::from("Hello, world!"));
    }
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let body = match parts[..] {
        ["sleep", millis] => {
            sleep(Duration::from_millis(millis.parse()?));
            Body::from("slept")
        }
        ["bytes", length] => Body::from(vec![b'x'; length.parse()?]),
        ["stream", chunks, size] => {
            let chunk = Bytes::from(vec![b'x'; size.parse()?]);
            let chunks: usize = chunks.parse()?;
            Body::from_chunks((0..chunks).map(move |_| chunk.clone()))
        }
        ["file", name] => Body::file(std::fs::File::open(std::env::temp_dir().join(name))?)?,
        ["length"] => {
            let mut length = 0;
            loop {
                match environ.input().fill_buf()?.len() {
                    0 => break,
                    read => {
                        environ.input().consume(read);
                        length += read;
                    }
                }
            }
            Body::from(length.to_string())
        }
        _ => {
            start_response.start(StatusCode::NOT_FOUND, TEXT)?;
            return Ok(Body::empty());
        }
    };
    start_response.start(StatusCode::OK, TEXT)?;
    Ok(body)
}
