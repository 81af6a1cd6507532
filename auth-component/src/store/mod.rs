//! Keys and settings from a key-value store, as STORE.md lays them out.
//!
//! A store is asked for names that are made here: ids of 16 letters and digits, digests, and fixed words. What it holds and
//! nobody can read is neither a yes nor a no.

mod bucket;
#[cfg(feature = "introspection")]
mod introspection;
mod keys;
mod settings;
mod tokens;

pub use bucket::{Bucket, Opened};
#[cfg(feature = "introspection")]
pub use introspection::{
    CACHE_S_MAX, Cache, Endpoint, NEGATIVE_S_MAX, OpaqueTokens, Outbound, Outside, Question, Reply,
};
pub use keys::StoreKeys;
pub use settings::{ISSUERS_MAX, PEPPER_BYTES, PEPPER_NAME_BYTES, PEPPERS_MAX, Settings, SettingsDefect};
pub use tokens::StoreTokens;

use crate::grant::StoreUnavailable;
#[cfg(feature = "introspection")]
use crate::grant::Tokens;
use crate::http::{Request, Response};
use crate::parity::Parity;
use crate::service::Service;

/// Holds records of keys by their names.
pub const KEYS: &str = "auth-keys";
/// Holds what issuers said of opaque tokens, for a moment, and may be written to. It need not be there.
#[cfg(feature = "introspection")]
pub const CACHE: &str = "auth-cache";
/// Holds [`Settings`] and the sets of keys that check tokens: a secret, for the peppers are in it.
pub const SETTINGS: &str = "auth-settings";

/// What [`handle`](crate::handle) answers with what the buckets [`SETTINGS`] and [`KEYS`] hold at this moment: nothing is
/// kept for the next request, so that what is revoked is refused at once.
pub fn handle(request: &Request, settings: &dyn Bucket, keys: &dyn Bucket, now: u64) -> Response {
    with_settings(request, settings, now, |read| {
        let keys = StoreKeys { bucket: keys, settings: read };
        let tokens = StoreTokens { bucket: settings, settings: read };
        crate::handle(request, Service { keys: &keys, tokens: &tokens, parity: read.parity }, now)
    })
}

/// The same where the issuer in the settings, if there is one, can be asked about opaque tokens.
#[cfg(feature = "introspection")]
pub fn handle_asking(
    request: &Request,
    settings: &dyn Bucket,
    keys: &dyn Bucket,
    outside: Outside,
    now: u64,
) -> Response {
    with_settings(request, settings, now, |read| {
        let keys = StoreKeys { bucket: keys, settings: read };
        let signed = StoreTokens { bucket: settings, settings: read };
        let opaque = read.introspection.as_ref().map(|endpoint| OpaqueTokens { signed, keys, endpoint, outside });
        let tokens = opaque.as_ref().map_or(&signed as &dyn Tokens, |opaque| opaque);
        crate::handle(request, Service { keys: &keys, tokens, parity: read.parity }, now)
    })
}

fn with_settings(
    request: &Request,
    settings: &dyn Bucket,
    now: u64,
    answer: impl FnOnce(&Settings) -> Response,
) -> Response {
    match Settings::read(settings) {
        Ok(read) => answer(&read),
        // Who needs neither keys nor tokens is answered all the same.
        Err(unavailable @ StoreUnavailable) => {
            let service = Service { keys: &unavailable, tokens: &unavailable, parity: Parity::STRICT };
            crate::handle(request, service, now)
        }
    }
}
