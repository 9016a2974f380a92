#![doc = include_str!("../README.md")]

mod body;
mod conversation;
mod exchange;
mod folder;
mod limits;
mod lines;
mod pump;
mod redirect;
mod request_body;
pub mod response;
mod room;
mod variables;
mod watch;

pub use body::Asked;
pub use conversation::{Breaker, Conversation, Failure, Leave, Outlet, Received};
pub use exchange::Exchange;
pub use folder::{Folder, Found, Links};
pub use limits::Limits;
pub use lines::Lines;
pub use redirect::{LocalRedirects, LocalRedirectsLayer, Redirector};
pub use request_body::RequestBody;
pub use room::{Place, Room};
pub use variables::Variables;
