//! **wgi** is the Web Gateway Interface for Rust: what [PEP 3333] is to Python, as types.
//!
//! An application is one function from an environment to a body. A server adapter hosts any application over a
//! wire protocol; middleware is both at once. The same program answers plain HTTP, runs as a CGI script, and sits
//! behind nginx, Apache or lighttpd over FastCGI.
//!
//! ```
//! use wgi::{Body, Environ, Error, StartResponse, StatusCode, header::CONTENT_TYPE};
//!
//! fn hello(_environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
//!     start_response.start(StatusCode::OK, [(CONTENT_TYPE, "text/plain")])?;
//!     Ok(Body::from("Hello, world!"))
//! }
//!
//! let response = wgi::testing::Client::new(hello).get("/").send();
//! assert_eq!(response.text(), "Hello, world!");
//! ```
//!
//! This crate is the protocol alone: it opens no sockets and starts no threads. The way a request takes through it:
//!
//! | step | type |
//! | --- | --- |
//! | a server fills in the environment | [`Vars`], [`Environ`], [`Input`], [`Errors`] |
//! | and calls the application | [`App`], [`StartResponse`] |
//! | which answers with a head and a body | [`Head`], [`Body`], or an [`Error`] |
//! | that the server sends, part by part | [`server::Reply`] |
//!
//! The protocol's clauses are in [`spec`]. To host an application see the crate `wgi-host`.
//!
//! [PEP 3333]: https://peps.python.org/pep-3333/

#![cfg_attr(docsrs, feature(doc_cfg))]

mod app;
pub mod authority;
mod body;
mod environ;
mod error;
mod errors;
mod head;
mod input;
pub mod percent;
pub mod server;
mod start_response;
pub mod testing;
mod url;
mod vars;

pub use app::App;
pub use body::{Body, FileRange};
pub use bytes::Bytes;
pub use environ::{Environ, Gateway, NotText, Scheme};
pub use error::{ApplicationError, Error, PeerError, ServerError, Violation};
pub use errors::{ErrorSink, Errors};
pub use head::{Head, Headers, IntoHeaders, Status, is_hop_by_hop};
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
pub use input::{Input, Source};
pub use start_response::{EditHead, StartResponse};
pub use tower_layer::{Layer, layer_fn};
pub use vars::{Malformed, Vars};

#[doc = include_str!("../spec/spec.md")]
pub mod spec {}
