//! The wire forms of the Kubernetes custom and external metrics APIs, without any I/O.
//!
//! Everything is a function from text to values or from values to bytes. The crate knows what
//! Kubernetes asks and how an answer is spelled; it knows neither where a number comes from nor
//! how a request arrived.
//!
//! ```text
//!  request line ──▶ path, parameters, accept, selector ──▶ (the server finds the values)
//!  response body ◀── encoding ◀── custom, external, discovery, openapi, status ◀── quantity
//! ```
//!
//! What always holds: no input panics, and every length is bounded by a named constant.

pub mod accept;
pub mod custom;
pub mod discovery;
pub mod encoding;
pub mod external;
pub mod group_version;
pub mod openapi;
pub mod parameters;
pub mod path;
pub mod percent;
pub mod quantity;
pub mod selector;
pub mod status;
mod time;

pub use encoding::Encoding;
pub use quantity::Quantity;
pub use selector::Selector;
pub use status::Status;
