//! tokio-fastcgi's hello world, with its listening socket as descriptor 0.

use std::io;

use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio_fastcgi::{RequestResult, Requests};

const ANSWER: &[u8] = b"Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!";

fn main() -> io::Result<()> {
    let listener = std::net::TcpListener::from(rustix::stdio::stdin().try_clone_to_owned()?);
    listener.set_nonblocking(true)?;
    Builder::new_current_thread().enable_io().build()?.block_on(serve(listener))
}

async fn serve(listener: std::net::TcpListener) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let mut requests = Requests::from_split_socket(stream.into_split(), 10, 10);
            while let Ok(Some(request)) = requests.next().await {
                let answered = request.process(|request| async move {
                    match request.get_stdout().write(ANSWER).await {
                        Ok(_) => RequestResult::Complete(0),
                        Err(_) => RequestResult::Complete(1),
                    }
                });
                if answered.await.is_err() {
                    break;
                }
            }
        });
    }
}
