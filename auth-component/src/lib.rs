//! The credential validation service, as a pure function of a request, a set of credentials and the time.
//!
//! [`handle`] decides and never does I/O, so it is tested natively; [`guest`](crate) is the only file that names
//! WASI and turns it into a `wasi:http/proxy` component.

mod handle;
mod validate;

mod proxies;
mod question;

mod introspect;

mod documents;

mod bearer;
mod form;
mod http;
mod refusal;

mod parity;

mod grant;
mod scope;
mod service;

pub mod api_key;
mod crc32;
mod development;
pub mod hex;
#[cfg(feature = "jwt")]
pub mod jose;
#[cfg(feature = "store")]
pub mod store;

#[cfg(target_arch = "wasm32")]
mod guest;
#[cfg(any(target_arch = "wasm32", test))]
mod heap;

pub use bearer::can_be_key;
pub use development::DevelopmentKeys;
#[cfg(feature = "jwt")]
pub use development::DevelopmentTokens;
pub use grant::{Expiry, Grant, Keys, LAST_S, NoTokens, Origin, StoreUnavailable, Tokens};
pub use handle::handle;
pub use http::{Body, BodyDefect, Headers, Request, Response};
pub use parity::{Parity, Switch, UnknownSwitch};
pub use scope::is_scope;
pub use service::Service;
