//! Servers whose handlers may block: `peer-blocking astra|tiny_http|rouille ADDRESS THREADS`.

use std::io;
use std::sync::Arc;
use std::thread::{self, sleep};
use std::time::Duration;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, address, threads] = &arguments[..] else {
        return Err(io::Error::other("peer-blocking astra|tiny_http|rouille ADDRESS THREADS"));
    };
    let threads = threads.parse().map_err(io::Error::other)?;
    match &kind[..] {
        "astra" => serve_astra(address, threads),
        "tiny_http" => serve_tiny_http(address, threads),
        "rouille" => serve_rouille(address, threads),
        _ => Err(io::Error::other("no such server")),
    }
}

/// Sleeps where the path is `/sleep/MILLISECONDS`, and gives the body.
fn answer(path: &str) -> &'static str {
    match path.strip_prefix("/sleep/").and_then(|millis| millis.parse().ok()) {
        Some(millis) => {
            sleep(Duration::from_millis(millis));
            "slept"
        }
        None => "Hello, world!",
    }
}

fn serve_astra(address: &str, threads: usize) -> io::Result<()> {
    astra::Server::bind(address).max_workers(threads).http1_pipeline_flush(true).serve(
        |request: astra::Request, _info| {
            let body = answer(request.uri().path());
            astra::ResponseBuilder::new()
                .header("Content-Type", "text/plain")
                .header("Content-Length", body.len())
                .body(astra::Body::new(body))
                .expect("a valid response")
        },
    )
}

fn serve_tiny_http(address: &str, threads: usize) -> io::Result<()> {
    let server = Arc::new(tiny_http::Server::http(address).map_err(io::Error::other)?);
    let work = |server: Arc<tiny_http::Server>| {
        let text: tiny_http::Header = "Content-Type: text/plain".parse().expect("a valid header");
        for request in server.incoming_requests() {
            let body = answer(request.url());
            let _ = request.respond(tiny_http::Response::from_string(body).with_header(text.clone()));
        }
    };
    let workers: Vec<_> = (0..threads)
        .map(|_| {
            let server = Arc::clone(&server);
            thread::spawn(move || work(server))
        })
        .collect();
    for worker in workers {
        let _ = worker.join();
    }
    Ok(())
}

fn serve_rouille(address: &str, threads: usize) -> io::Result<()> {
    let handler = |request: &rouille::Request| rouille::Response::text(answer(&request.url()));
    rouille::Server::new(address, handler).map_err(io::Error::other)?.pool_size(threads).run();
    Ok(())
}
