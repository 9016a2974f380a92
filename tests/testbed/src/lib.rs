//! What the tests of several crates do alike; not published. Those crates name it by its path alone, so that it is left
//! out of what is published of them.
//!
//! | module | for |
//! | --- | --- |
//! | [`feed`] | codecs of one request a connection: what they make of bytes, whole and in pieces |
//! | [`single`] | what such protocols have in common, as tests for each of them: the codec between byte strings |
//! | [`live`] | the same, under the engine and over sockets |
//! | [`gateway`] | gateways: requests whose bodies come in pieces, calls whose response is read step by step |

pub mod feed;
pub mod gateway;
pub mod live;
pub mod single;

pub use single::Wire;
