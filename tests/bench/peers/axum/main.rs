//! axum's hello world: `peer-axum async|blocking ADDRESS [THREADS]`. The blocking one does what a handler that may block has to do
//! under tokio: it runs on `spawn_blocking`'s threads.

use std::io;
use std::thread::sleep;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use futures_util::StreamExt;
use futures_util::stream;
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
        Router::new()
            .route("/", get(|| async { "Hello, world!" }))
            .route("/bytes/{length}", get(bytes))
            .route("/stream/{chunks}/{size}", get(streamed))
            .route("/length", post(length).layer(DefaultBodyLimit::disable()))
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

async fn bytes(Path(length): Path<usize>) -> Bytes {
    Bytes::from(vec![b'x'; length])
}

async fn streamed(Path((chunks, size)): Path<(usize, usize)>) -> Body {
    let chunk = Bytes::from(vec![b'x'; size]);
    Body::from_stream(stream::iter((0..chunks).map(move |_| Ok::<_, io::Error>(chunk.clone()))))
}

async fn length(body: Body) -> Result<String, StatusCode> {
    let mut pieces = body.into_data_stream();
    let mut length = 0;
    while let Some(piece) = pieces.next().await {
        length += piece.map_err(|_| StatusCode::BAD_REQUEST)?.len();
    }
    Ok(length.to_string())
}
