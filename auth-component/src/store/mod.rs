//! Keys and settings from a key-value store, as STORE.md lays them out.
//!
//! A store is asked for names that are made here: ids of 16 letters and digits, digests, and fixed words. What it holds and
//! nobody can read is neither a yes nor a no.

#[cfg(feature = "introspection")]
mod introspection;
mod keys;
mod settings;
mod tokens;

#[cfg(feature = "introspection")]
pub use introspection::{AnswerDefect, Cache, Endpoint, OpaqueTokens, Outbound, Question, Reply, Told};
pub use keys::StoreKeys;
pub use settings::{ISSUERS_MAX, Settings};
pub use tokens::StoreTokens;

use crate::grant::StoreUnavailable;

/// One bucket of a store, read only.
pub trait Bucket {
    /// The value under `name`, `None` when there is none.
    ///
    /// # Errors
    /// The store did not say.
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StoreUnavailable>;
}

/// Holds records of keys by their names.
pub const KEYS: &str = "auth-keys";
/// Holds what issuers said of opaque tokens, for a moment, and may be written to. It need not be there.
#[cfg(feature = "introspection")]
pub const CACHE: &str = "auth-cache";
/// Holds [`Settings`] and the sets of keys that check tokens: a secret, for the peppers are in it.
pub const SETTINGS: &str = "auth-settings";
