//! actix-web's hello world: `peer-actix ADDRESS`.

use std::io;

use actix_web::http::header::ContentType;
use actix_web::{App, HttpResponse, HttpServer, web};

#[actix_web::main]
async fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).ok_or_else(|| io::Error::other("peer-actix ADDRESS"))?;
    HttpServer::new(|| App::new().route("/", web::get().to(hello)))
        // As many connections as the others take.
        .max_connections(50_000)
        .bind(address)?
        .run()
        .await
}

async fn hello() -> HttpResponse {
    HttpResponse::Ok().content_type(ContentType::plaintext()).body("Hello, world!")
}
