//! axum's hello world: `peer-axum async|blocking ADDRESS [THREADS]`. The blocking one does what a handler that may block has to do
//! under tokio: it runs on `spawn_blocking`'s threads.

use std::io;
use std::thread::sleep;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::task::spawn_blocking;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, address, threads @ ..] = &arguments[..] else {
        return Err(io::Error::other("peer-axum async|blocking ADDRESS [THREADS]"));
    };
    let app = if kind == "blocking" {
        Router::new().route("/", get(blocking)).route("/sleep/{millis}", get(blocking_sleep))
    } else {
        Router::new().route("/", get(|| async { "Hello, world!" })).route("/sleep/{millis}", get(async_sleep))
    };
    let mut runtime = Builder::new_multi_thread();
    if let Some(threads) = threads.first() {
        runtime.max_blocking_threads(threads.parse().map_err(io::Error::other)?);
    }
    runtime.enable_all().build()?.block_on(async {
        let listener = TcpListener::bind(address).await?.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        axum::serve(listener, app).await
    })
}

async fn blocking() -> &'static str {
    spawn_blocking(|| "Hello, world!").await.unwrap_or("panicked")
}

async fn blocking_sleep(Path(millis): Path<u64>) -> &'static str {
    spawn_blocking(move || {
        sleep(Duration::from_millis(millis));
        "slept"
    })
    .await
    .unwrap_or("panicked")
}

async fn async_sleep(Path(millis): Path<u64>) -> &'static str {
    tokio::time::sleep(Duration::from_millis(millis)).await;
    "slept"
}
