#![doc = include_str!("../README.md")]

mod body;
mod conversation;
mod exchange;
mod folder;
mod kept;
mod limits;
mod lines;
mod pump;
mod redirect;
mod request_body;
pub mod response;
mod room;
mod scripts;
mod socket;
mod variables;
mod watch;

pub use body::Asked;
pub use conversation::{Breaker, Conversation, Failure, Leave, Outlet, Received};
pub use exchange::Exchange;
pub use folder::{Folder, Found, Links};
pub use kept::{Fitness, Keep, Kept, Unanswered};
pub use limits::Limits;
pub use lines::Lines;
pub use redirect::{LocalRedirects, LocalRedirectsLayer, Redirector};
pub use request_body::RequestBody;
pub use room::{Place, Room};
pub use scripts::Scripts;
pub use socket::Socket;
pub use variables::Variables;
