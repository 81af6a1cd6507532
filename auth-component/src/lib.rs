//! The credential validation service, as a pure function of a request, a set of keys and the time.
//!
//! [`handle`] decides and never does I/O, so it is tested natively; [`guest`](crate) is the only file that names
//! WASI and turns it into a `wasi:http/proxy` component.

pub mod api_key;
mod bearer;
mod handle;
mod http;
#[cfg(feature = "jwt")]
pub mod jose;
mod keys;

#[cfg(target_arch = "wasm32")]
mod guest;
#[cfg(any(target_arch = "wasm32", test))]
mod heap;

pub use handle::handle;
pub use http::{Headers, Request, Response};
pub use keys::{DevelopmentKeys, Grant, Keys};
