//! may_minihttp's hello world, with the settings of its own benchmark: `peer-may ADDRESS`.

use std::io;

use may_minihttp::{HttpServer, HttpService, Request, Response};

#[derive(Clone)]
struct Hello;

impl HttpService for Hello {
    fn call(&mut self, _request: Request<'_, '_, '_>, response: &mut Response<'_>) -> io::Result<()> {
        response.header("Content-Type: text/plain").body("Hello, world!");
        Ok(())
    }
}

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).ok_or_else(|| io::Error::other("peer-may ADDRESS"))?;
    may::config().set_pool_capacity(1000).set_stack_size(0x1000);
    HttpServer(Hello).start(address)?.wait();
    Ok(())
}
